"""A trace file as an Arrow table, whatever it is: told by its content, not by its name.

Parquet by its magic, gzip and zstd by theirs; text that begins with a brace or bracket is JSON
(lines, or one array), anything else CSV. JSON lines whose types change from row to row (a hash
that is a number here and text there) are read once more, row by row.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ingest.traffic.traces.trace import TraceError
from pricing.json_types import JsonDict, JsonList

if TYPE_CHECKING:
    import pyarrow as pa

Column: TypeAlias = Any
"""An Arrow column (`pa.ChunkedArray` or `pa.Array`): what it holds is asked, never declared."""

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_JSON_BLOCK = 64 << 20


def read_bytes(path: Path) -> bytes:
    """The file's bytes, unpacked where it is gzip or zstd. TraceError where it cannot be read."""
    import pyarrow as pa

    try:
        data = path.read_bytes()
        packing = "gzip" if data[:2] == _GZIP else "zstd" if data[:4] == _ZSTD else None
        if packing is None:
            return data
        with pa.CompressedInputStream(pa.BufferReader(data), packing) as stream:
            return stream.read()
    except (OSError, pa.ArrowInvalid) as error:
        raise TraceError(f"{path}: cannot be read: {error}") from error


def read_table(path: Path, data: bytes | None = None) -> pa.Table:
    """The file as a table of its own columns. TraceError names the line that is not JSON."""
    import pyarrow as pa

    data = read_bytes(path) if data is None else data
    if data[:4] == _PARQUET:
        import pyarrow.parquet as pq

        try:
            return pq.read_table(pa.BufferReader(data))  # pyright: ignore[reportUnknownMemberType]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise TraceError(f"{path}: cannot be read as a trace: {error}") from error
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if not data.strip():
        raise TraceError(f"{path}: cannot be read as a trace: the file is empty")
    if start not in (b"{", b"["):
        if path.name.lower().endswith((".jsonl", ".json", ".ndjson", ".jsonl.gz")):
            list(documents(path, data))  # raises with the line
        from pyarrow import csv

        try:
            return csv.read_csv(io.BytesIO(data))
        except pa.ArrowInvalid as error:
            raise TraceError(f"{path}: cannot be read as a trace: {error}") from error
    if start == b"{":
        from pyarrow import json as arrow_json

        options = arrow_json.ReadOptions(block_size=max(_JSON_BLOCK, 1 << 20))
        try:
            table = arrow_json.read_json(io.BytesIO(data), options)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            table = None
        if table is not None and not _rounded_ids(table):
            return table
    return _from_rows(path, list(documents(path, data)))


def documents(path: Path, data: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of JSON lines, of one array, or of one object."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: cannot be read as a trace: {error}") from error
    if text.lstrip()[:1] == "[":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise TraceError(f"{path}: cannot be read as a trace: not JSON ({error})") from error
        for place, row in enumerate(rows, start=1):
            if not isinstance(row, JsonDict):
                raise TraceError(f"{path}: cannot be read as a trace: row {place} is no object")
            yield row
        return
    for place, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TraceError(
                f"{path}: cannot be read as a trace: line {place} is not JSON ({error})"
            ) from error
        if not isinstance(row, JsonDict):
            raise TraceError(f"{path}: cannot be read as a trace: line {place} is not an object")
        yield row


def _rounded_ids(table: pa.Table) -> bool:
    """Whether a list came out as floats: Arrow rounds ids beyond 64 bits without a word."""
    import pyarrow as pa

    return any(
        pa.types.is_list(kind) and pa.types.is_floating(kind.value_type) for kind in _kinds(table)
    )


def _kinds(table: Any) -> list[Any]:
    return [field.type for field in table.schema]


def _from_rows(path: Path, rows: list[dict[str, Any]]) -> pa.Table:
    """A table of rows whose types differ: a mixed column becomes text, an id list text too."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns[name] = pa.array([_texts(v) for v in values])
    if not columns:
        raise TraceError(f"{path}: cannot be read as a trace: its rows have no columns")
    return pa.table(columns)


def _texts(value: Any) -> Any:
    if isinstance(value, JsonList):
        return [None if v is None else str(v) for v in value]
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text."""
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def plain(column: Column) -> Column:
    """A column of categories as the values they stand for; any other as it is."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def keys_of(column: Column) -> Column:
    """A column to tell rows apart by: objects and lists as their JSON, anything else as it is."""
    import pyarrow as pa

    if not pa.types.is_nested(column.type):
        return column
    rows = column.to_pylist()
    return pa.chunked_array(
        [[None if r is None else json.dumps(r, sort_keys=True, default=str) for r in rows]],
        pa.string(),
    )


def numbers_in_text(column: Column) -> Column:
    """Numbers written as text, as numbers; any other text as it is."""
    import pyarrow as pa
    import pyarrow.compute

    pc: Any = pyarrow.compute
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(column, kind)
        except pa.ArrowInvalid:
            continue
    return column


def lists_in_text(array: Column, path: Path, name: str) -> Column:
    """Lists that a CSV holds as text: `[1, 2]`, `1 2`, `1;2` or `1,2`; an empty cell is no ids."""
    import pyarrow as pa

    rows: list[Any] = []
    for place, text in enumerate(array.to_pylist(), start=1):
        bare = (text or "").strip()
        if bare.count("[") > 1 or "{" in bare:
            raise TraceError(f"{path}, row {place}: {name} must be a list of ids, not {bare[:40]}")
        for sign in "[](),;'\"":
            bare = bare.replace(sign, " ")
        rows.append(bare.split())
    return pa.array(rows, pa.list_(pa.string()))
