"""A table's columns under our names, checked: what the reading of a trace rests on.

Numbers may be text, lists may be text, and every complaint names the file and the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.layouts import OURS, Layout
from ingest.traffic.traces.tables import (
    Column,
    is_text,
    keys_of,
    lists_in_text,
    numbers_in_text,
    plain,
)
from ingest.traffic.traces.trace import TraceError

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = npt.NDArray[np.int64]


class Columns:
    """One table with a layout and a map of names; ``notes`` gathers what was assumed."""

    def __init__(
        self, path: Path, table: pa.Table, layout: Layout, rename: Mapping[str, str]
    ) -> None:
        self.path = path
        self.table = table
        self.layout = layout
        self.names = {**{k: k for k in OURS}, **layout.columns, **rename}
        self.asked = set(rename)
        self.notes: list[str] = []

    def column(self, ours: str) -> Column | None:
        """The column that holds ``ours``, or None; TraceError where the map names one not there."""
        theirs = self.names[ours]
        if theirs in self.table.column_names:
            return plain(self.table[theirs])
        if ours in self.asked:
            raise TraceError(
                f"{self.path}: the map names a column {theirs!r} for {ours}, which the file "
                f"does not have; it has {self.have()}"
            )
        return None

    def have(self) -> str:
        """The file's columns, for messages."""
        return ", ".join(self.table.column_names) or "no columns"

    def time(self) -> IntArray | None:
        """Microseconds. Numbers are seconds (t_s) or milliseconds (t_ms); instants work too."""
        import pyarrow as pa
        import pyarrow.compute

        pc: Any = pyarrow.compute
        for ours, factor in (("t_s", 1_000_000), ("t_ms", 1_000)):
            column = self.column(ours)
            if column is None:
                continue
            self.no_nulls(column, ours)
            if is_text(column.type):
                column = numbers_in_text(column)
            if is_text(column.type):
                try:
                    column = pc.cast(column, pa.timestamp("us"), safe=False)
                except pa.ArrowInvalid as error:
                    raise TraceError(f"{self.path}: {self.names[ours]}: {error}") from error
            if pa.types.is_timestamp(column.type):
                micro = pc.cast(column, pa.timestamp("us"), safe=False)
                return pc.cast(micro, pa.int64()).to_numpy().astype(np.int64)
            values: npt.NDArray[Any] = column.to_numpy()
            if values.dtype.kind in "iu":
                return values.astype(np.int64) * factor
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                raise TraceError(f"{self.path}: {self.names[ours]} must be finite numbers")
            return np.round(values * factor).astype(np.int64)
        return None

    def no_nulls(self, column: Column, ours: str) -> None:
        """Raise TraceError at the first empty row."""
        if column.null_count:
            row = column.is_null().to_pylist().index(True) + 1
            raise TraceError(f"{self.path}, row {row}: {self.names[ours]} is empty")

    def counts(self, ours: str) -> IntArray | None:
        """Whole numbers of zero or more, or None without the column."""
        column = self.column(ours)
        if column is None:
            return None
        if ours == "cached_tokens":
            column = column.fill_null("0" if is_text(column.type) else 0)
        self.no_nulls(column, ours)
        values = (numbers_in_text(column) if is_text(column.type) else column).to_numpy()
        if values.dtype.kind == "f" and (values == np.floor(values)).all():
            values = values.astype(np.int64)
        if values.dtype.kind not in "iu":
            raise TraceError(f"{self.path}: {self.names[ours]} must be whole numbers of tokens")
        if (values < 0).any():
            row = int(np.argmax(values < 0)) + 1
            raise TraceError(f"{self.path}, row {row}: {self.names[ours]} is {values[row - 1]}")
        return values.astype(np.int64)

    def codes(self, ours: str) -> tuple[IntArray | None, tuple[str, ...]]:
        """Integer codes into a tuple of names, or None without the column."""
        column = self.column(ours)
        if column is None or column.null_count == len(column):
            return None, ()
        coded = keys_of(column).combine_chunks().dictionary_encode(null_encoding="encode")
        names = tuple("" if v is None else str(v) for v in coded.dictionary.to_pylist())
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if ours == "session" and "" in names:
            # A request without a session is one of its own, not the companion of all the others.
            blank = codes == names.index("")
            codes = np.where(blank, len(names) + np.arange(len(codes)), codes)
            codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
        return codes, names

    def lists(self, column: Column, name: str) -> tuple[npt.NDArray[Any], IntArray]:
        """A list column as flat values and offsets (a missing list is an empty one)."""
        import pyarrow as pa

        array: Column = column.combine_chunks()
        if hasattr(array, "chunks"):
            array = pa.concat_arrays(array.chunks)
        if pa.types.is_null(array.type):
            return np.zeros(0, dtype=np.int64), np.zeros(len(array) + 1, dtype=np.int64)
        if is_text(array.type):
            array = lists_in_text(array, self.path, name)
        if pa.types.is_fixed_size_list(array.type):
            array = array.cast(pa.list_(array.type.value_type))
        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            raise TraceError(f"{self.path}: {name} must be a list, it is {array.type}")
        lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        flat = array.flatten()
        if flat.null_count:
            raise TraceError(f"{self.path}: {name} contains an empty entry")
        if pa.types.is_null(flat.type):
            return np.zeros(0, dtype=np.int64), offsets
        if not pa.types.is_integer(flat.type):
            flat = flat.dictionary_encode().indices
        return flat.to_numpy(zero_copy_only=False), offsets
