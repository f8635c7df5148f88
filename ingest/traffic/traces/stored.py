"""Traces from the store, and traces as files.

Stored calls become a trace without a Python object a call: one query, Arrow columns, numpy. What
a log says about caching is how many tokens each call read from the cache; that is the shortest
beginning it can have shared, so prompts are rebuilt as blocks that share exactly that much.

A session of two calls, 1,000 tokens and then 1,500 of which 900 came from the cache, becomes the
blocks [900, 100] and [900, 600] with one id for the first:

>>> ids, offsets, lengths = blocks_of(np.array([0, 0]), np.array([1000, 1500]), np.array([0, 900]))
>>> lengths.tolist(), offsets.tolist(), bool(ids[0] == ids[2])
([900, 100, 900, 600], [0, 2, 4], True)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.trace import Trace, TraceError

if TYPE_CHECKING:
    import duckdb

IntArray = npt.NDArray[np.int64]


def trace_from_store(
    con: duckdb.DuckDBPyConnection, clause: str = "", parameters: Sequence[Any] = ()
) -> Trace:
    """The stored calls as a trace, in time order.

    `clause` is a condition over `calls_stored AS u` and `routes AS r` with its `parameters`. Rows
    that stand for several requests are left out, with a note. TraceError when nothing is left.
    """
    condition = f"({clause})" if clause else "true"
    columns = con.sql(
        "SELECT epoch_us(u.occurred_at) AS t, u.input_total AS i, u.output_total AS o,"
        " coalesce(u.reasoning, 0) AS think, coalesce(u.cache_read, 0) AS cached,"
        " u.session AS session, coalesce(r.variant, r.model, '') AS model, u.requests AS n"
        " FROM calls_stored AS u JOIN routes AS r ON r.route_id = u.route_id"
        f" WHERE {condition} AND u.input_total + u.output_total > 0"
        " ORDER BY u.occurred_at, u.call_key",
        params=list(parameters),
    ).to_arrow_table()
    single = columns["n"].to_numpy() == 1
    notes: list[str] = []
    if not single.all():
        notes.append(f"{int((~single).sum()):,} rows stand for several requests: left out")
        columns = columns.filter(single)
    if not columns.num_rows:
        raise TraceError("the store has no such calls to fit on; import a log first")

    def numbers(name: str) -> IntArray:
        return columns[name].to_numpy().astype(np.int64)

    inputs, cached = numbers("i"), numbers("cached")
    named = columns["session"].null_count < columns.num_rows
    sessions, _ = _codes(columns["session"], own_for_blank=True)
    models, model_names = _codes(columns["model"])
    ids = offsets = lengths = None
    if cached.any():
        ids, offsets, lengths = blocks_of(sessions, inputs, cached)
        notes.append(
            "prompts rebuilt from the cached tokens the log reports: what they share beyond that "
            "is not in a log"
        )
    else:
        notes.append("the log reports no cached tokens: caching is not replayed")
    return Trace(
        time_us=numbers("t"),
        input_tokens=inputs,
        output_tokens=numbers("o"),
        reasoning_tokens=numbers("think"),
        ids=ids,
        offsets=offsets,
        block_tokens=lengths,
        sessions=sessions if named else None,
        models=models,
        model_names=model_names,
        name="store",
        layout="store",
        session_origin="column" if named else "none",
        notes=tuple(notes),
    )


def failures_in_store(con: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Failed calls over answered ones, and a failed call's input over an answered one's (at most
    1). TraceError without answered calls."""
    (failed, answered, failed_input, answered_input), = con.sql(
        "SELECT count(*) FILTER (WHERE failed), count(*) FILTER (WHERE NOT failed AND"
        " input_total + output_total > 0),"
        " coalesce(avg(input_total) FILTER (WHERE failed), 0),"
        " coalesce(avg(input_total) FILTER (WHERE NOT failed AND"
        " input_total + output_total > 0), 0)"
        " FROM calls_stored WHERE requests = 1"
    ).fetchall()  # fmt: skip
    if not answered:
        raise TraceError("the store has no answered calls to tell failed ones by; import a log")
    share = float(failed_input) / float(answered_input) if answered_input else 0.0
    return failed / answered, min(share, 1.0)


def _codes(column: Any, own_for_blank: bool = False) -> tuple[IntArray, tuple[str, ...]]:
    """A text column as integer codes and names; a missing session is a session of its own."""
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    names = tuple("" if v is None else str(v) for v in coded.dictionary.to_pylist())
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if own_for_blank and "" in names:
        blank = codes == names.index("")
        codes = np.where(blank, len(names) + np.arange(len(codes)), codes)
    return codes, names


def blocks_of(
    sessions: IntArray, inputs: IntArray, cached: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Prefix blocks (ids, offsets, tokens a block) that share exactly what was cached.

    A call's cached tokens are the beginning of the session's call before it; beyond that call's
    length, and for a session's first call, they are the beginning all sessions share.
    """
    common = _Chain()
    latest: dict[int, _Chain] = {}
    chains: list[_Chain] = []
    for session, size, hit in zip(sessions.tolist(), inputs.tolist(), cached.tolist(), strict=True):
        before = latest.get(session)
        if before is None or before.length < hit:
            common.grow(hit)
            before = common
        chain = before.beginning(min(hit, size))
        chain.grow(size)
        latest[session] = chain
        chains.append(chain)
    ids: list[int] = []
    lengths: list[int] = []
    offsets = [0]
    free = 0
    for chain in chains:
        for piece, used in chain.parts:
            if piece.first < 0:
                # Cuts are final only now; a piece of k runs has k consecutive ids.
                piece.first, piece.edges = free, sorted(piece.cuts)
                free += len(piece.edges) - 1
            for k, (begin, end) in enumerate(pairwise(piece.edges)):
                if begin >= used:
                    break
                ids.append(piece.first + k)
                lengths.append(end - begin)
        offsets.append(len(ids))
    return np.array(ids, dtype=np.int64), np.array(offsets), np.array(lengths, dtype=np.int64)


class _Piece:
    """A run of tokens first sent by one call; `cuts` are where prompts begin or leave it."""

    __slots__ = ("cuts", "edges", "first", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.cuts = {0, size}
        self.edges: list[int] = []
        self.first = -1


class _Chain:
    """A prompt as a list of (piece, tokens of it from its beginning)."""

    def __init__(self) -> None:
        self.parts: list[tuple[_Piece, int]] = []
        self.length = 0

    def grow(self, length: int) -> None:
        """Append fresh tokens up to `length`."""
        if length > self.length:
            piece = _Piece(length - self.length)
            self.parts.append((piece, piece.size))
            self.length = length

    def beginning(self, tokens: int) -> _Chain:
        """A prompt that shares the first `tokens` of this one."""
        out = _Chain()
        for piece, used in self.parts:
            take = min(used, tokens - out.length)
            if take <= 0:
                break
            piece.cuts.add(take)
            out.parts.append((piece, take))
            out.length += take
        return out


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write a trace as Parquet in our own column names, for `load_trace` to read back."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "t_ms": trace.time_us / 1000.0,
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
    }
    if trace.reasoning_tokens is not None:
        columns["reasoning_tokens"] = trace.reasoning_tokens
    if trace.ids is not None and trace.offsets is not None:
        cuts = pa.array(trace.offsets, pa.int64())
        columns["hash_ids"] = pa.LargeListArray.from_arrays(cuts, pa.array(trace.ids))
        if trace.block_tokens is not None:
            flat = pa.array(trace.block_tokens, pa.int64())
            columns["block_tokens"] = pa.LargeListArray.from_arrays(cuts, flat)
    if trace.turns is not None:
        columns["turn"] = trace.turns
    if trace.sessions is not None:
        columns["session"] = trace.sessions
    for name, codes, names in (
        ("model", trace.models, trace.model_names), ("client", trace.clients, trace.client_names),
    ):  # fmt: skip
        if codes is not None and names:
            columns[name] = np.array(names, dtype=object)[codes]
    try:
        pq.write_table(pa.table(columns), path, compression="zstd")
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error}") from error
