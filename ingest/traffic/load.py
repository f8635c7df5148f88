"""Read a trace file: Parquet, JSON (lines or an array, plain or packed) or CSV, a row a request.

Wanted columns: `t_s` (seconds) or `t_ms`, `input_tokens`, `output_tokens`; for caching `hash_ids`
(list of prefix-block ids) with a block size, or with a parallel list `block_tokens`; optionally
`session`, `model`, `client`, `reasoning_tokens` (part of the output). Other names are given by a
map, public layouts are recognised (`ingest.traffic.layouts`), and recordings of coding agents
(`agent_sessions`, `coding_traces`) and of rates (`servegen`) are read as they are. Without blocks a
column `cached_tokens` stands in: prompts are rebuilt that share exactly what was cached. A file
that is not in the order of time is sorted.

    load_trace("calls.jsonl", block_size=512, rename={"input_tokens": "prompt_len"})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.agent_sessions import read_agent_sessions
from ingest.traffic.coding_traces import (
    TRACELAB_CSV,
    coding_table,
    from_tracelab_csv,
    is_coding_trace,
    shards,
)
from ingest.traffic.layouts import COMPONENT_COLUMNS, NATIVE, OURS, Layout, recognise
from ingest.traffic.servegen import RATES, sampled
from ingest.traffic.tables import (
    documents,
    is_text,
    lists_in_text,
    numbers_in_text,
    read_bytes,
    read_table,
)
from ingest.traffic.trace import Trace, TraceError
from pricing.caching import chain, number

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = npt.NDArray[np.int64]

# Block sizes in use; tried in turn when none is given.
_BLOCK_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
_AGREEMENT = 0.9
# A clock may jitter; more steps back than this share of the rows and the file is unsorted.
_JITTER = 0.01


def load_trace(
    path: str | Path,
    *,
    block_size: int | None = None,
    rename: Mapping[str, str] | None = None,
    components: str | Path | None = None,
) -> Trace:
    """Read the trace at ``path``.

    ``rename`` maps our column names to the file's. ``components`` is the table of piece lengths
    (hash_id, tokens) of a trace that lists prompt components; a sibling file whose name ends in
    ``components`` is found by itself. Raises TraceError with the missing columns, the line, or
    the row at fault.
    """
    path = Path(path)
    if not path.exists():
        raise TraceError(f"{path}: no such file")
    agent = read_agent_sessions(path)
    if agent is not None:
        return agent
    published = _coding(path)
    if published is None and path.is_dir():
        raise TraceError(f"{path}: a folder without session files (.json) or recordings (.jsonl)")
    table, known = published or (read_table(path), "")
    # Both ways round are understood: ours=theirs and theirs=ours.
    rename = {
        (theirs if ours not in OURS and theirs in OURS else ours): (
            ours if ours not in OURS and theirs in OURS else theirs
        )
        for ours, theirs in (rename or {}).items()
    }
    strange = sorted(set(rename) - set(OURS))
    if strange:
        raise TraceError(
            f"map: {', '.join(strange)} is not a column of ours; ours are {', '.join(OURS)}"
        )
    names = set(table.column_names)
    if not rename and names >= RATES:
        return sampled(path, table, components)
    if not rename and names >= TRACELAB_CSV:
        table, known = from_tracelab_csv(table), "tracelab"
    layout = replace(NATIVE, name=known) if known else recognise(table.column_names)
    reader = _Reader(path, table, layout, rename)
    return reader.trace(block_size, components)


def _coding(path: Path) -> tuple[pa.Table, str] | None:
    """A recording of coding agents in our names, or None for any other file."""
    files = shards(path) if path.is_dir() else [path]
    if not files:
        return None
    with files[0].open("rb") as stream:
        if stream.read(4) == b"PAR1":
            return None
    data = read_bytes(files[0])
    if data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return None
    try:
        first = next(documents(files[0], data.split(b"\n", 1)[0]), None)
    except TraceError:
        return None
    return coding_table(files) if first is not None and is_coding_trace(first) else None


class _Reader:
    """One table being turned into a trace; keeps what the messages need."""

    def __init__(
        self, path: Path, table: pa.Table, layout: Layout, rename: Mapping[str, str]
    ) -> None:
        self.path = path
        self.table = table
        self.layout = layout
        self.names = {**{k: k for k in OURS}, **layout.columns, **rename}
        self.asked = set(rename)
        self.notes: list[str] = []

    def column(self, ours: str) -> pa.ChunkedArray | None:
        theirs = self.names[ours]
        if theirs in self.table.column_names:
            return self.table[theirs]
        if ours in self.asked:
            raise TraceError(
                f"{self.path}: the map names a column {theirs!r} for {ours}, which the file "
                f"does not have; it has {self.have()}"
            )
        return None

    def have(self) -> str:
        return ", ".join(self.table.column_names) or "no columns"

    def trace(self, block_size: int | None, components: str | Path | None) -> Trace:
        time = self.time()
        lacking = [c for c in ("input_tokens", "output_tokens") if self.column(c) is None]
        if self.layout.untimed:
            # A batch is submitted as a whole; some of its published tables leave the answers out.
            time = np.zeros(self.table.num_rows, dtype=np.int64)
            self.notes.append("a batch without times: all requests are at one moment")
            if lacking == ["output_tokens"]:
                lacking = []
                self.notes.append("no output lengths: output is counted as 0, costs are of input")
        if time is None:
            lacking.insert(0, "t_s (or t_ms)")
        if lacking:
            raise TraceError(
                f"{self.path}: missing column{'s' if len(lacking) > 1 else ''} "
                f"{', '.join(lacking)}; the file has {self.have()}. Name them with "
                f"--map, for example --map {lacking[-1].split(' ')[0]}=THEIR_NAME"
            )
        assert time is not None
        inputs = self.counts("input_tokens")
        outputs = self.counts("output_tokens")
        if outputs is None and self.layout.untimed:
            outputs = np.zeros(self.table.num_rows, dtype=np.int64)
        assert inputs is not None
        assert outputs is not None
        if len(time) == 0:
            raise TraceError(f"{self.path}: the trace has no rows")
        reasoning = self.counts("reasoning_tokens")
        if reasoning is not None and (reasoning > outputs).any():
            row = int(np.argmax(reasoning > outputs)) + 1
            raise TraceError(
                f"{self.path}, row {row}: reasoning_tokens {reasoning[row - 1]} is more than "
                f"output_tokens {outputs[row - 1]}; output must include reasoning"
            )
        ids, offsets, size, block_tokens = self.blocks(inputs, block_size, components)
        sessions, _ = self.codes("session")
        if sessions is None and self.layout.parent is not None:
            sessions = self.from_parents()
        models, model_names = self.codes("model")
        clients, client_names = self.codes("client")
        trace = Trace(
            time_us=time,
            input_tokens=inputs,
            output_tokens=outputs,
            reasoning_tokens=reasoning,
            ids=ids,
            offsets=offsets,
            block_size=size,
            block_tokens=block_tokens,
            sessions=sessions,
            turns=self.counts("turn"),
            models=models,
            model_names=model_names,
            clients=clients,
            client_names=client_names,
            name=self.path.name,
            layout=self.layout.name,
            session_origin="none" if sessions is None else "column",
            notes=tuple(self.notes),
        )
        trace = self.in_order(trace)
        return trace if trace.has_blocks else self.from_cached(trace)

    def in_order(self, trace: Trace) -> Trace:
        """Rows in the order of time, where the file is not: a clock that jitters is left alone."""
        backwards = int((np.diff(trace.time_us) < 0).sum())
        if not backwards or trace.own_clocks:
            return trace
        if backwards <= _JITTER * trace.requests:
            note = f"time goes backwards {backwards} time(s); rows are taken in file order"
            return replace(trace, notes=(*trace.notes, note))
        note = "the rows were not in order of time and have been sorted"
        order = np.argsort(trace.time_us, kind="stable")
        return replace(trace.select(order), notes=(*trace.notes, note))

    def from_cached(self, trace: Trace) -> Trace:
        """Prompts rebuilt from reported cached tokens, or a note that there are none."""
        reported = self.counts("cached_tokens")
        if reported is None or not reported.any():
            note = "no hash_ids: caching is not replayed, every input token is new"
            return replace(trace, notes=(*trace.notes, note))
        from ingest.traffic.stored import blocks_of

        order = np.argsort(self.time_of(), kind="stable")
        cached = reported[order]
        trace = trace.select(np.argsort(trace.time_us, kind="stable"))
        if (cached > trace.input_tokens).any():
            row = int(order[int(np.argmax(cached > trace.input_tokens))]) + 1
            raise TraceError(
                f"{self.path}, row {row}: more cached tokens than input tokens; input must include "
                f"what came from the cache"
            )
        sessions = np.arange(trace.requests) if trace.sessions is None else trace.sessions
        ids, offsets, lengths = blocks_of(sessions, trace.input_tokens, cached)
        note = "prompts rebuilt from the cached tokens reported: what they share beyond is unknown"
        return replace(trace, ids=ids, offsets=offsets, block_tokens=lengths, block_size=None,
                       notes=(*trace.notes, note), _stream=[])  # fmt: skip

    def time_of(self) -> IntArray:
        """The file's times, in its own order."""
        time = self.time()
        assert time is not None
        return time

    def time(self) -> IntArray | None:
        """Microseconds. Numbers are seconds (t_s) or milliseconds (t_ms); instants work too."""
        import pyarrow as pa
        import pyarrow.compute as pc

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
            values = column.to_numpy()
            if values.dtype.kind in "iu":
                return values.astype(np.int64) * factor
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                raise TraceError(f"{self.path}: {self.names[ours]} must be finite numbers")
            return np.round(values * factor).astype(np.int64)
        return None

    def no_nulls(self, column: pa.ChunkedArray, ours: str) -> None:
        if column.null_count:
            row = column.is_null().to_pylist().index(True) + 1
            raise TraceError(f"{self.path}, row {row}: {self.names[ours]} is empty")

    def counts(self, ours: str) -> IntArray | None:
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
        column = self.column(ours)
        if column is None or column.null_count == len(column):
            return None, ()
        coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        names = tuple("" if v is None else str(v) for v in coded.dictionary.to_pylist())
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if ours == "session" and "" in names:
            # A request without a session is one of its own, not the companion of all the others.
            blank = codes == names.index("")
            codes = np.where(blank, len(names) + np.arange(len(codes)), codes)
            codes = np.unique(codes, return_inverse=True)[1].reshape(-1)
        return codes, names

    def from_parents(self) -> IntArray:
        """Sessions of a trace that only links each request to the one before."""
        assert self.layout.parent is not None
        own, before = (self.table[c].to_pylist() for c in self.layout.parent)
        session: dict[Any, int] = {}
        out = np.zeros(len(own), dtype=np.int64)
        for i, (me, parent) in enumerate(zip(own, before, strict=True)):
            session[me] = out[i] = session.get(parent, i)
        return np.unique(out, return_inverse=True)[1].reshape(-1)

    def lists(self, column: pa.ChunkedArray, name: str) -> tuple[npt.NDArray[Any], IntArray]:
        """A list column as flat values and offsets (a missing list is an empty one)."""
        import pyarrow as pa

        array = column.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
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

    def blocks(
        self, inputs: IntArray, block_size: int | None, components: str | Path | None
    ) -> tuple[npt.NDArray[Any] | None, IntArray | None, int | None, IntArray | None]:
        if self.layout.name == "ragpulse" and "hash_ids" not in self.asked:
            return self.components(components)
        column = self.column("hash_ids")
        if column is None:
            return None, None, None, None
        ids, offsets = self.lists(column, self.names["hash_ids"])
        lengths_column = self.column("block_tokens")
        if lengths_column is not None:
            lengths, other = self.lists(lengths_column, self.names["block_tokens"])
            if len(lengths) != len(ids) or (other != offsets).any():
                raise TraceError(f"{self.path}: block_tokens and hash_ids differ in length")
            return ids, offsets, None, lengths.astype(np.int64)
        size = block_size or self.layout.block_size or _guess_block_size(inputs, offsets)
        if size is None:
            raise TraceError(
                f"{self.path}: hash_ids need a block size, and none fits the input lengths; "
                f"give it with --block-size"
            )
        if block_size is None:
            self.notes.append(f"block size {size} tokens, read off the trace")
        return ids, offsets, size, None

    def components(
        self, given: str | Path | None
    ) -> tuple[npt.NDArray[Any], IntArray, None, IntArray]:
        """Prompt pieces in column order, made into prefixes; lengths from the second table."""
        path = Path(given) if given else self._sibling()
        if path is None or not path.exists():
            raise TraceError(
                f"{self.path}: its prompts are lists of components; the table of their lengths "
                f"(hash_id, tokens) is needed: name it with --components"
            )
        table = read_table(path)
        if not {"hash_id", "tokens"} <= set(table.column_names):
            raise TraceError(f"{path}: a components table needs hash_id and tokens")
        keys = table["hash_id"].to_numpy()
        tokens = table["tokens"].to_numpy().astype(np.int64)
        parts = [self.lists(self.table[c], c) for c in COMPONENT_COLUMNS]
        lengths = np.stack([np.diff(offsets) for _, offsets in parts], axis=1)
        offsets = np.concatenate(([0], np.cumsum(lengths.sum(axis=1)))).astype(np.int64)
        ids = np.zeros(offsets[-1], dtype=np.int64)
        begin = offsets[:-1].copy()
        for k, (flat, cuts) in enumerate(parts):
            at = np.repeat(begin - cuts[:-1], lengths[:, k]) + np.arange(len(flat))
            ids[at] = flat
            begin += lengths[:, k]
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], ids)
        found = place < len(keys)
        found[found] = keys[order][place[found]] == ids[found]
        if not found.all():
            lost = int(ids[np.argmin(found)])
            raise TraceError(f"{path}: no length for component {lost}")
        return chain(number(ids), offsets), offsets, None, tokens[order][place]

    def _sibling(self) -> Path | None:
        stem = self.path.name.removesuffix(self.path.suffix).removesuffix("_requests")
        found = sorted(self.path.parent.glob(f"{stem}*components{self.path.suffix}"))
        return found[0] if found else None


def _guess_block_size(inputs: IntArray, offsets: IntArray) -> int | None:
    """The size for which nearly every row has ceil(input / size) or floor(input / size) ids."""
    lengths = np.diff(offsets)
    rows = (lengths > 1) & (inputs > 0)
    if not rows.any():
        return None
    best, best_share = None, 0.0
    for size in _BLOCK_SIZES:
        full = inputs[rows] // size
        share = float(((lengths[rows] - full >= 0) & (lengths[rows] - full <= 1)).mean())
        if share > best_share:
            best, best_share = size, share
    return best if best_share >= _AGREEMENT else None
