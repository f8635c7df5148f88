"""A source that stages most of its lines in bulk and leaves the rest to the reader.

`Bulk` is handed to the reader in place of the file it stands for. As the reader asks for the next
line (or row), it takes the next chunk, stages what is plain with one INSERT, and hands over what
is not. So bulk and reader take turns, memory holds a chunk at a time, and the reader's own state
(keys made from content) sees the same lines in the same order as it would alone: whether a line
is plain depends on the line, never on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.fast import chunks, lines
from ingest.fast.chunks import Staged
from ingest.fast.judged import Judged
from ingest.fast.layouts import Layout
from ingest.fast.tables import TableShape, table_query, wanted_columns
from ingest.files import BadLine, Source, utf16
from ingest.readers.base import ReadContext
from ingest.readers.mapping import FIELDS, columns_of, constant
from ingest.readers.rows import RowSource, document_rows, rows
from ingest.store import load
from pricing.json_types import JsonObject

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from ingest.importer import ImportOptions
    from ingest.readers.base import Reader


def bulk_of(source: Source, reader: Reader, options: ImportOptions) -> Bulk | None:
    """The source as a `Bulk`, or None where the format has no rule in SQL."""
    if source.kind not in ("jsonl", "csv", "parquet") or utf16(source.head):
        return None
    texts = [*options.stamps, *options.stamps.values(), *options.mapping.values()]
    if not all(t.isprintable() and _encodable(t) for t in texts):
        return None
    if reader.name == "table":
        return _table(source, options)
    if reader.name == "bodies" and source.kind == "jsonl":
        return _bodies(source, options)
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _table(source: Source, options: ImportOptions) -> Bulk | None:
    columns = columns_of(source)
    mapping = dict(options.mapping) or {
        **{c: c for c in columns if c.startswith("tags.")},
        **{name: name for name in FIELDS},
    }
    if any(constant(mapping.get(name, "")) for name in ("call_key", "response_id")):
        return None
    if len({c.casefold() for c in mapping.values()}) < len(set(mapping.values())):
        return None  # SQL would take two columns for one
    bulk: Bulk = chunks.same_source(source, Bulk)
    context = ReadContext(source)
    bulk.shape = TableShape(mapping, bool(options.mapping), context.assumed_time, options.stamps)
    return bulk


def _bodies(source: Source, options: ImportOptions) -> Bulk | None:
    documents = [d for d in source.sample if isinstance(d, JsonObject)]
    pairs = sum(1 for d in documents if isinstance(d.get("response"), JsonObject))
    bulk: Bulk = chunks.same_source(source, Bulk)
    layout: Layout = "pair" if 2 * pairs > len(documents) else "plain"
    bulk.judged = Judged(layout, source, ReadContext(source).assumed_time, options.stamps)
    return bulk


@dataclass
class Bulk(RowSource):
    """The source; `into` says where to stage, `records` how many rows were."""

    shape: TableShape | None = None
    judged: Judged | None = None
    con: duckdb.DuckDBPyConnection | None = None
    records: int = 0
    staged: Callable[[int], object] | None = None
    block: int = field(default=0)

    def into(
        self, con: duckdb.DuckDBPyConnection, staged: Callable[[int], object] | None = None
    ) -> None:
        """Stage into the table `stage` of this connection; `staged` is told how many rows."""
        self.con, self.staged = con, staged

    # --- lines of JSON ----------------------------------------------------------------------

    def lines(self) -> Iterator[tuple[int, str | BadLine]]:
        """The lines to read one by one; asking for them stages the others."""
        if self.kind != "jsonl":
            yield from super().lines()
            return
        done = 0
        try:
            for block in chunks.blocks(self, self.block):
                yield from self._left_lines(block)
                done = block.first + block.count - 1
        except chunks.Broken:
            yield from ((n, line) for n, line in super().lines() if n > done)

    def _left_lines(self, block: chunks.Block) -> Iterator[tuple[int, str | BadLine]]:
        table = block.table()
        staged: Staged = set() if table is None else self._stage_lines(table, block)
        before = self.passed
        if len(staged) < block.count:
            for index in range(block.count):
                if block.first + index in staged:
                    self.passed += 1
                else:
                    yield block.first + index, block.line(index)
        self.passed = before + len(staged)

    def _stage_lines(self, table: pa.Table, block: chunks.Block) -> Staged:
        assert self.con is not None
        last = block.first + block.count - 1
        if self.judged is not None:
            return self._stage_bodies(self.judged, table, block)
        assert self.shape is not None
        wanted = wanted_columns(self.shape)
        found = lines.usable(lines.key_lists(self.con, table), wanted)
        if not found.cells:
            return set()
        query = table_query(
            self.shape, found.cells, lines.parsed(found), ascii_only=block.unescaped
        )
        return self._insert(query, block.count, block.first, last, lines=table)

    def _stage_bodies(self, judged: Judged, table: pa.Table, block: chunks.Block) -> Staged:
        assert self.con is not None
        last = block.first + block.count - 1
        query = judged.quick(block)
        if query is not None:
            staged = self._insert(query, block.count, block.first, last, lines=table)
            if len(staged) == block.count:
                return staged
            left = [n for n in range(block.count) if block.first + n not in staged]
            table = table.take(left)
        parsed = judged.take_apart(self.con, table, block)
        query = judged.query(block)
        return self._insert(query, len(table), block.first, last, bodies=parsed)

    # --- rows of tables ---------------------------------------------------------------------

    def left_rows(self) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
        """The rows to read one by one; asking for them stages the others."""
        if self.kind == "jsonl":
            yield from document_rows(self)
            return
        done = 0
        try:
            found: Iterable[chunks.TableChunk] = (
                chunks.csv_chunks(self, self.block)
                if self.kind == "csv"
                else chunks.parquet_chunks(self)
            )
            for chunk in found:
                yield from chunk.left(self._stage_table(chunk))
                done = max(done, chunk.last)
        except chunks.Broken:
            plain: Source = chunks.same_source(self, Source)
            yield from ((n, row) for n, row in rows(plain) if n > done)

    def _stage_table(self, chunk: chunks.TableChunk) -> Staged:
        if chunk.table is None:
            return set()
        assert self.con is not None and self.shape is not None
        query = table_query(self.shape, chunk.cells, "chunk AS c", ascii_only=chunk.ascii_only)
        numbers = chunk.table["line"]
        first, last = numbers[0].as_py(), numbers[-1].as_py()
        return self._insert(query, len(numbers), first, last, chunk=chunk.table)

    def _insert(self, query: str, count: int, first: int, last: int, **tables: pa.Table) -> Staged:
        """Stage the plain ones of `count` lines from `first` to `last`; which ones they were."""
        assert self.con is not None
        name = load.STAGE
        insert = f"INSERT INTO {name} {query}"
        number = lines.over(self.con, insert, **tables).fetchall()[0][0]
        self.records += number
        if number and self.staged is not None:
            self.staged(number)
        if number == count:
            return range(first, last + 1)
        found = self.con.execute(
            f"SELECT line FROM {name} WHERE line BETWEEN ? AND ?", [first, last]
        ).fetchall()
        return {line for (line,) in found}
