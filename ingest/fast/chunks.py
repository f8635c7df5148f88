"""A file in pieces of some megabytes: lines, CSV cells and Parquet batches as Arrow tables.

Lines are cut, numbered and told apart exactly as `Source.lines` does it: at line feeds only, the
byte order mark removed, a line that is not UTF-8 or is too long marked as bad. Of a compressed file
that breaks in the middle, and of a line that is far too long, `Broken` says so: whoever reads the
file goes on with `Source.lines` after the last block.

CSV without quotes is cut by Arrow; the rest by Python's parser, the same that the reader uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ingest.fast.cells import Cell, Kind
from ingest.files import BROKEN, MAX_LINE, RAW_SHOWN, BadLine, Source, UnreadableFile
from ingest.readers import rows

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 24 * 2**20
"""Bytes of text in a chunk."""

_FIRST_BLOCK = 64 * 1024
_ROWS = 65_536
_TASK = 16_384
"""Rows of an Arrow batch: what DuckDB gives one thread."""

_MARK = b"\xef\xbb\xbf"
_CONTROLS = bytes(n for n in range(32) if n not in (10, 13))


class Broken(Exception):
    """The file cannot be read any further in blocks."""


@dataclass
class Block:
    """Whole lines of a file: `first` is the number of the first one."""

    first: int
    data: bytes

    @cached_property
    def ends(self) -> Any:
        """Where each line begins, and the end: an array of n + 1 offsets."""
        import numpy as np

        found = np.flatnonzero(np.frombuffer(self.data, np.uint8) == 10)
        cut = int(len(self.data) > 0 and not self.data.endswith(b"\n"))
        offsets = np.empty(len(found) + 1 + cut, np.int64)
        offsets[0] = 0
        offsets[1 : len(found) + 1] = found + 1
        if cut:
            offsets[-1] = len(self.data)
        return offsets

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.ends) - 1

    def line(self, index: int) -> str | BadLine:
        """A line as `Source.lines` gives it."""
        raw = self.data[self.ends[index] : self.ends[index + 1]].rstrip(b"\r\n")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return BadLine(
                f"not UTF-8 (byte {error.start + 1} of the line)",
                raw[:RAW_SHOWN].decode("utf-8", "replace"),
            )

    @cached_property
    def ascii(self) -> bool:
        """Whether every byte is ASCII."""
        return self.data.isascii()

    @property
    def unescaped(self) -> bool:
        """Whether the texts in the lines' JSON are all ASCII, too."""
        return self.ascii and b"\\u" not in self.data

    @cached_property
    def utf8(self) -> bool:
        """Whether every line is text."""
        try:
            if not self.ascii:
                self.data.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    def table(self) -> pa.Table | None:
        """The lines as a table (`line`, `text`); None when not all of them are text."""
        import numpy as np
        import pyarrow as pa

        if not self.utf8:
            return None
        buffers = pa.py_buffer(self.ends), pa.py_buffer(self.data)
        texts = pa.LargeStringArray.from_buffers(self.count, *buffers)
        numbers = pa.array(np.arange(self.first, self.first + self.count, dtype=np.int64))
        return _in_tasks(pa.table({"line": numbers, "text": texts}))


def _in_tasks(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(table.to_batches(max_chunksize=_TASK), table.schema)


def blocks(source: Source, size: int = 0) -> Iterator[Block]:
    """The lines of a file in blocks, the first one small. Raises `Broken`."""
    number, held = 1, b""
    wanted = min(_FIRST_BLOCK, size or BLOCK)
    with source.open() as stream:
        while True:
            try:
                data = stream.read(wanted)
            except BROKEN as error:
                raise Broken from error
            final = len(data) < wanted
            if number == 1 and not held and data.startswith(_MARK):
                data = data.removeprefix(_MARK)
            whole = held + data
            cut = len(whole) if final else whole.rfind(b"\n") + 1
            if len(whole) > MAX_LINE and whole.find(b"\n", 0, MAX_LINE + 1) < 0:
                raise Broken  # a line that is too long: whoever knows what to say of it goes on
            if cut:
                block = Block(number, whole[:cut])
                yield block
                number += block.count
            held = whole[cut:]
            if final:
                return
            wanted = size or BLOCK


# --- tables -------------------------------------------------------------------------------------

Staged = set[int] | range
"""Lines that were staged in bulk."""

Left = tuple[int, Mapping[str, Any] | BadLine]


@dataclass
class TableChunk:
    """Some rows of a table: Arrow columns `c0` … beside `line`, what kind of cell each named
    column has, and every row of the chunk again for those that are left over. `last` is the line
    of the last one."""

    table: pa.Table | None
    cells: dict[str, Cell]
    ascii_only: bool
    last: int
    left: Callable[[Staged], Iterator[Left]]
    """The rows that are not among the staged lines, in file order."""


class _Feed(Source):
    """A source whose lines come out of blocks, with the place reached in them."""

    block: Block | None
    at: int

    def start(self, found: Iterator[Block]) -> None:
        self._blocks = found
        self.block, self.at = None, 0

    def more(self) -> bool:
        """Whether there is another line; moves on to its block."""
        while self.block is None or self.at >= self.block.count:
            self.block = next(self._blocks, None)
            self.at = 0
            if self.block is None:
                return False
        return True

    def lines(self) -> Iterator[tuple[int, str | BadLine]]:
        """The lines from the place reached on."""
        while self.more():
            assert self.block is not None
            index, self.at = self.at, self.at + 1
            yield self.block.first + index, self.block.line(index)


def same_source(source: Source, kind: type[Source]) -> Any:
    """The same file as another class of source."""
    return kind(
        source.path, source.kind, source.compression, source.head, source.sample,
        source.modified, source.size, source.data,
    )  # fmt: skip


def csv_chunks(source: Source, size: int = 0) -> Iterator[TableChunk]:
    """The rows of a CSV file after its header. Raises `Broken`."""
    feed: _Feed = same_source(source, _Feed)
    feed.start(blocks(source, size))
    parsed = rows.csv_cells(feed)
    delimiter = rows.delimiter_of(source)
    header: list[str] | None = None
    while feed.more():
        block = feed.block
        assert block is not None
        if header is not None and feed.at == 0:
            quick = _quick_csv(block, header, delimiter)
            if quick is not None:
                feed.at = block.count
                yield quick
                continue
        found: list[tuple[int, list[str] | BadLine]] = []
        for line, row in parsed:
            if header is None and not isinstance(row, BadLine):
                header = [name.strip() for name in row]
            else:
                found.append((line, row))
            if feed.block is not block or feed.at >= block.count:
                break
        yield _python_csv(found, header or [])
    last = list(parsed)
    if last:
        yield _python_csv(last, header or [])


def _cells(names: list[str], kinds: Mapping[str, Kind] | None = None) -> dict[str, Cell]:
    """The cell of each column; of two columns of one name the last, as in a mapping."""
    return {name: Cell(f"c.c{n}", kinds[name] if kinds else "text") for n, name in enumerate(names)}


def _python_csv(found: list[tuple[int, list[str] | BadLine]], header: list[str]) -> TableChunk:
    import pyarrow as pa

    width = len(header)
    whole: list[tuple[int, list[str]]] = []
    entries: list[tuple[int, list[str] | BadLine]] = []
    for line, row in found:
        if isinstance(row, BadLine):
            entries.append((line, row))
        elif not any(row):
            continue
        elif len(row) != width:
            entries.append((line, BadLine(f"{len(row)} cells where the header has {width}", "")))
        else:
            entries.append((line, row))
            whole.append((line, row))
    table = None
    if whole:
        columns = zip(*(row for _, row in whole), strict=True)
        arrays = [pa.array(column, pa.string()) for column in columns]
        numbers = pa.array([line for line, _ in whole], pa.int64())
        table = _in_tasks(
            pa.table([numbers, *arrays], names=["line", *(f"c{n}" for n in range(width))])
        )

    def items(staged: Staged) -> Iterator[Left]:
        for line, row in entries:
            if isinstance(row, BadLine):
                yield line, row
            elif line not in staged:
                yield line, dict(zip(header, row, strict=True))

    last = max((line for line, _ in entries), default=0)
    return TableChunk(table, _cells(header), False, last, items)


def _quick_csv(block: Block, header: list[str], delimiter: str) -> TableChunk | None:
    """A block without quotes, cut by Arrow; None when a line needs Python's parser."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    data = block.data
    if not block.utf8 or b'"' in data or b"\x00" in data:
        return None
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    names = [f"c{n}" for n in range(len(header))]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),  # pyright: ignore[reportArgumentType]
            csv.ReadOptions(use_threads=False, column_names=names, block_size=1 << 20),
            csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=True),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != block.count:
        return None
    numbers = np.arange(block.first, block.first + block.count, dtype=np.int64)
    table = _in_tasks(table.add_column(0, "line", pa.array(numbers)))

    def items(staged: Staged) -> Iterator[Left]:
        for index in range(block.count if len(staged) < block.count else 0):
            if block.first + index not in staged:
                text = block.line(index)
                assert isinstance(text, str)
                row = text.split(delimiter)
                if any(row):
                    yield block.first + index, dict(zip(header, row, strict=True))

    clean = block.ascii and len(data.translate(None, _CONTROLS)) == len(data)
    return TableChunk(table, _cells(header), clean, block.first + block.count - 1, items)


def parquet_chunks(source: Source) -> Iterator[TableChunk]:
    """The rows of a Parquet file, numbered from one. Raises `UnreadableFile`."""
    import pyarrow as pa

    number = 0
    held: list[pa.RecordBatch] = []
    first = 0
    try:
        for batch in rows.parquet(source).iter_batches(batch_size=rows.BATCH):
            held.append(batch)
            number += len(batch)
            if number - first >= _ROWS:
                yield _parquet_chunk(held, first)
                held, first = [], number
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(f"{source.path}: damaged after row {number}: {error}") from error
    if held:
        yield _parquet_chunk(held, first)


def _parquet_chunk(batches: list[pa.RecordBatch], first: int) -> TableChunk:
    import numpy as np
    import pyarrow as pa

    whole = pa.Table.from_batches(batches)
    names = whole.column_names
    kinds: list[Kind] = []
    arrays: list[Any] = [pa.array(np.arange(first + 1, first + len(whole) + 1, dtype=np.int64))]
    for column in whole.columns:
        kind, array = _plain_column(column)
        kinds.append(kind)
        arrays.append(array)
    table = pa.table(arrays, names=["line", *(f"c{n}" for n in range(len(names)))])

    def items(staged: Staged) -> Iterator[Left]:
        for index in range(len(whole) if len(staged) < len(whole) else 0):
            if first + 1 + index not in staged:
                yield first + 1 + index, whole.slice(index, 1).to_pylist()[0]

    cells = _cells(names, dict(zip(names, kinds, strict=True)))
    return TableChunk(table, cells, False, first + len(whole), items)


def _plain_column(column: Any) -> tuple[Kind, Any]:
    """A column's kind, and the column as a type that DuckDB shows as that kind."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind) and types.is_string(kind.value_type):
        return "text", column.cast(pa.string())
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text", column
    if types.is_integer(kind):
        return "whole", column
    if types.is_boolean(kind):
        return "bool", column
    if types.is_float32(kind) or types.is_float64(kind):
        return "float", column.cast(pa.float64())
    if types.is_decimal128(kind) and kind.scale <= 12:
        return "decimal", column
    if types.is_timestamp(kind):
        return ("zoned" if kind.tz else "time"), column
    # Of anything else only "is it there?" counts: what is there is left to the reader.
    return "other", _presence(column)


def _presence(column: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.ones(len(column), np.int8), mask=column.is_null().to_numpy())
