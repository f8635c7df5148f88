"""Read a trace file: Parquet, JSON (lines or an array, plain or packed) or CSV, a row a request.

Wanted columns: `t_s` (seconds) or `t_ms`, `input_tokens`, `output_tokens`; for caching `hash_ids`
(list of prefix-block ids) with a block size, or with a parallel list `block_tokens`; optionally
`session`, `model`, `client`, `reasoning_tokens` (part of the output). Other names are given by a
map, public layouts are recognised (`layouts`), and recordings of coding agents
(`agent_sessions`, `coding_traces`) and of rates (`servegen`) are read as they are. Without blocks a
column `cached_tokens` stands in: prompts are rebuilt that share exactly what was cached. A file
that is not in the order of time is sorted.

    load_trace("calls.jsonl", block_size=512, rename={"input_tokens": "prompt_len"})

The map also says which variant a model of the trace's own naming is: ``{"our-chat": "gpt-5.2"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.agent_sessions import read_agent_sessions
from ingest.traffic.traces.blocks import blocks_in
from ingest.traffic.traces.coding_traces import (
    TRACELAB_CSV,
    coding_table,
    from_tracelab_csv,
    is_coding_trace,
    shards,
)
from ingest.traffic.traces.columns import Columns
from ingest.traffic.traces.layouts import NATIVE, OURS, recognise
from ingest.traffic.traces.servegen import RATES, sampled
from ingest.traffic.traces.tables import (
    documents,
    read_bytes,
    read_table,
)
from ingest.traffic.traces.trace import Trace, TraceError

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = npt.NDArray[np.int64]

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

    ``rename`` maps our column names to the file's, and models it names to variants. ``components``
    is the table of piece lengths (hash_id, tokens) of a trace that lists prompt components; a
    sibling file whose name ends in ``components`` is found by itself. Raises TraceError with the
    missing columns, the line, or the row at fault.
    """
    path = Path(path)
    if not path.exists():
        raise TraceError(f"{path}: no such file")
    # Both ways round are understood: ours=theirs and theirs=ours.
    columns = {
        (theirs if ours not in OURS and theirs in OURS else ours): (
            ours if ours not in OURS and theirs in OURS else theirs
        )
        for ours, theirs in (rename or {}).items()
    }
    models = {name: columns.pop(name) for name in list(columns) if name not in OURS}
    return _named(_read(path, block_size, columns, components), models)


def _read(
    path: Path, block_size: int | None, rename: Mapping[str, str], components: str | Path | None
) -> Trace:
    """The trace at ``path`` with the columns of ``rename``."""
    agent = read_agent_sessions(path)
    if agent is not None:
        return agent
    published = _coding(path)
    if published is None and path.is_dir():
        raise TraceError(f"{path}: a folder without session files (.json) or recordings (.jsonl)")
    table, known = published or (read_table(path), "")
    names = set(table.column_names)
    if not rename and names >= RATES:
        return sampled(path, table, components)
    if not rename and names >= TRACELAB_CSV:
        table, known = from_tracelab_csv(table), "tracelab"
    layout = replace(NATIVE, name=known) if known else recognise(table.column_names)
    reader = _Reader(path, table, layout, rename)
    return reader.trace(block_size, components)


def _named(trace: Trace, models: Mapping[str, str]) -> Trace:
    """The trace with some of its models called what ``models`` says; two of one name are one."""
    strange = sorted(set(models) - set(trace.model_names if trace.models is not None else ()))
    if strange:
        raise TraceError(
            f"map: {', '.join(strange)} is not a column of ours, nor a model the trace names; our "
            f"columns are {', '.join(OURS)}"
        )
    if not models or trace.models is None:
        return trace
    names = [models.get(name, name) for name in trace.model_names]
    known = tuple(dict.fromkeys(names))
    codes = np.array([known.index(name) for name in names], dtype=np.int64)
    return replace(trace, models=codes[trace.models], model_names=known, _stream=[])


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


class _Reader(Columns):
    """One table being turned into a trace; keeps what the messages need."""

    def trace(self, block_size: int | None, components: str | Path | None) -> Trace:
        time = self.time()
        lacking = [c for c in ("input_tokens", "output_tokens") if self.column(c) is None]
        if self.layout.untimed:
            # A batch is submitted as a whole; some of its published tables leave the answers out.
            time = np.zeros(self.table.num_rows, dtype=np.int64)
            self.notes.append("a batch without times: all requests are at one moment")
            if lacking == ["output_tokens"]:
                lacking: list[str] = []
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
        ids, offsets, size, block_tokens = blocks_in(self, inputs, block_size, components)
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
        from ingest.traffic.traces.stored import blocks_of

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

    def from_parents(self) -> IntArray:
        """Sessions of a trace that only links each request to the one before."""
        assert self.layout.parent is not None
        own, before = (self.table[c].to_pylist() for c in self.layout.parent)
        session: dict[Any, int] = {}
        out = np.zeros(len(own), dtype=np.int64)
        for i, (me, parent) in enumerate(zip(own, before, strict=True)):
            session[me] = out[i] = session.get(parent, i)
        return np.unique(out, return_inverse=True)[1].reshape(-1)
