"""Rows of a table, however it was exported: CSV, lines of JSON, a JSON array, or Parquet.

A row is a mapping from column name to value, with the line it begins on. CSV values are text; an
empty cell is the empty string. Quoted cells may hold line breaks.

>>> import pathlib, tempfile
>>> from ingest.files import look
>>> path = pathlib.Path(tempfile.mkdtemp()) / "x.csv"
>>> _ = path.write_text('a,b\\n1,"two\\nlines"\\n3\\n')
>>> for line, row in rows(look(path)):
...     print(line, row)
2 {'a': '1', 'b': 'two\\nlines'}
4 BadLine(reason='1 cells where the header has 2', raw='')
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from pricing.json_types import JsonList, JsonObject

_LARGEST_CELL = 256 * 1024 * 1024
BATCH = 8192


def columns(source: Source) -> tuple[str, ...]:
    """The column names of a table, from its head; empty when it has none."""
    if source.kind == "csv":
        for _, row in csv_cells(source, head_only=True):
            if isinstance(row, JsonList):
                return tuple(name.strip() for name in row)
        return ()
    if source.kind == "parquet":
        try:
            return tuple(parquet(source).schema_arrow.names)
        except UnreadableFile:
            return ()
    first = source.sample[0] if source.sample else None
    return tuple(map(str, first)) if isinstance(first, JsonObject) else ()


class RowSource(Source):
    """A source that hands out rows of its own: those of a table that were not read in bulk."""

    def left_rows(self) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
        """The rows to read one by one, in file order."""
        raise NotImplementedError


def rows(source: Source) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    """Every row with its line (of a Parquet file: its number)."""
    if isinstance(source, RowSource):
        yield from source.left_rows()
    elif source.kind == "csv":
        yield from _csv_rows(source)
    elif source.kind == "parquet":
        yield from _parquet_rows(source)
    else:
        yield from document_rows(source)


def document_rows(source: Source) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    """The JSON objects of a file, each a row."""
    for line, document in source.documents():
        if isinstance(document, JsonObject | BadLine):
            yield line, document
        else:
            yield line, BadLine("not a JSON object", "")


def _parquet_rows(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow as pa

    number = 0
    try:
        for batch in parquet(source).iter_batches(batch_size=BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(f"{source.path}: damaged after row {number}: {error}") from error


def _csv_rows(source: Source) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    header: list[str] | None = None
    for line, row in csv_cells(source):
        if isinstance(row, BadLine):
            yield line, row
        elif header is None:
            header = [name.strip() for name in row]
        elif not any(row):
            continue
        elif len(row) != len(header):
            yield line, BadLine(f"{len(row)} cells where the header has {len(header)}", "")
        else:
            yield line, dict(zip(header, row, strict=True))


def csv_cells(source: Source, head_only: bool = False) -> Iterator[tuple[int, list[str] | BadLine]]:
    """Cells by the line they begin on, the header first. The header is written once, so its own
    text decides the delimiter."""
    csv.field_size_limit(_LARGEST_CELL)
    bad: list[tuple[int, BadLine]] = []
    delimiter = delimiter_of(source)
    start = 0  # where the row being read begins; 0 between rows

    def lines() -> Iterator[str]:
        nonlocal start
        for number, line in source.lines():
            if isinstance(line, BadLine):
                bad.append((number, line))
            else:
                start = start or number
                yield line + "\n"

    reader = csv.reader(lines(), delimiter=delimiter)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield start, BadLine(f"not CSV: {error}", "")
            start = 0
            continue
        yield from bad
        bad.clear()
        if row is None:
            return
        if row:
            yield start, row
            if head_only:
                return
        start = 0


def delimiter_of(source: Source) -> str:
    """What parts the cells: the mark that the first line has most of."""
    head = source.head.decode("utf-8", "replace").split("\n", 1)[0]
    return max(",;\t", key=head.count)


def parquet(source: Source) -> Any:
    """The Parquet file, opened. Raises `UnreadableFile`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if source.data is None and not source.compression:
            return pq.ParquetFile(source.path)
        with source.open() as stream:
            return pq.ParquetFile(pa.BufferReader(stream.read()))
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(f"{source.path}: not a readable Parquet file: {error}") from error
