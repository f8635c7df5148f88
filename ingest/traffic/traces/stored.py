"""Traces from the store, and traces as files.

Stored calls become columns without a Python object a call: one query, Arrow, numpy. What is
measured (rates, shapes, drift, lengths) is measured of all of them. What the simulation draws from
is a trace with prompts rebuilt from the cached tokens (`rebuilt`), and of a large store a sample of
whole sessions:

    stored = stored_calls(con, "u.team = ?", ["search"])
    fit(stored.trace)                # of all calls
    write_trace(stored.drawn(), "search-trace.parquet")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.rebuilt import MOST_CUTS, blocks_of
from ingest.traffic.traces.trace import Trace, TraceError

if TYPE_CHECKING:
    import duckdb

IntArray = npt.NDArray[np.int64]

# What is replayed a few dozen times for a scenario: a second a pass, and tens of megabytes.
MOST_CALLS = 50_000
MOST_BLOCKS = 8_000_000
# A call of a session carries a block for each one before it: longer ones are cut.
LONGEST_SESSION = 1_000
# Output counts eightfold, about as it is priced.
OUTPUT_WEIGHT = 8


@dataclass(frozen=True)
class StoredCalls:
    """Stored calls in time order, without prompts, and the tokens each read from the cache."""

    trace: Trace
    cached: IntArray

    def drawn(self, most: int = MOST_CALLS, seed: int = 0) -> Trace:
        """Whole sessions with their prompts rebuilt: all of them, or of about ``most`` calls.

        A sample has one session of every k, in the order of what they use, at random (``seed``):
        large and small ones are in it as they are in the store. Its notes say how many.
        """
        trace = self.trace
        assert trace.sessions is not None
        chains, cut = _stretches(trace.sessions)
        every = self._every(chains, most)
        notes: list[str] = []
        kept = np.ones(trace.requests, dtype=bool)
        if every > 1:
            kept = _sample(chains, trace.input_tokens + OUTPUT_WEIGHT * trace.output_tokens,
                           every, seed)  # fmt: skip
            sessions = len(np.unique(chains))
            notes.append(
                f"{len(np.unique(chains[kept])):,} of {sessions:,} sessions with "
                f"{int(kept.sum()):,} of {trace.requests:,} calls are drawn from (every "
                f"{every}th by size, seed {seed}); the interval counts only those as seen"
            )
        if cut:
            notes.append(f"sessions of more than {LONGEST_SESSION:,} calls are cut there")
        part = replace(trace, sessions=chains, _stream=[]).select(kept)
        cached = self.cached[kept]
        if not cached.any():
            notes.append("the log reports no cached tokens: caching is not replayed")
            return replace(part, notes=(*part.notes, *notes))
        assert part.sessions is not None
        ids, offsets, lengths = blocks_of(part.sessions, part.input_tokens, cached)
        notes.append(
            "prompts rebuilt from the cached tokens the log reports: what they share beyond that "
            "is not in a log"
        )
        return replace(
            part, ids=ids, offsets=offsets, block_tokens=lengths, notes=(*part.notes, *notes)
        )

    def _every(self, chains: IntArray, most: int) -> int:
        """Keep one session of how many, for ``most`` calls and `MOST_BLOCKS` blocks."""
        calls = self.trace.requests
        sizes = np.bincount(chains)
        blocks = calls + float((sizes * (sizes - 1.0) / 2).sum())
        if self.cached.any():
            blocks += calls * MOST_CUTS / 2
        return max(1, int(np.ceil(calls / most)), int(np.ceil(blocks / MOST_BLOCKS)))


def stored_calls(
    con: duckdb.DuckDBPyConnection, clause: str = "", parameters: Sequence[Any] = ()
) -> StoredCalls:
    """The stored calls in time order. Where none names a session each stands for itself.

    `clause` is a condition over `calls_stored AS u` and `routes AS r` with its `parameters`. Rows
    that stand for several requests are left out, with a note. TraceError when nothing is left.
    Memory: 64 bytes a call.
    """
    condition = f"({clause})" if clause else "true"
    columns = con.sql(
        "SELECT epoch_us(u.occurred_at) AS t, u.input_total AS i, u.output_total AS o,"
        " coalesce(u.reasoning, 0) AS think, coalesce(u.cache_read, 0) AS cached,"
        # Sessions are told apart only: eight bytes each instead of their text.
        " hash(nullif(u.session, '')) AS session, nullif(u.session, '') IS NULL AS alone,"
        " u.route_id AS route, u.requests AS n"
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

    alone = columns["alone"].to_numpy().astype(bool)
    sessions = np.unique(columns["session"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    sessions[alone] = len(sessions) + np.arange(int(alone.sum()))
    if alone.all():
        notes.append(
            "the log names no sessions: each call is drawn by itself, so the interval is too "
            "narrow where calls of one conversation are alike"
        )
    models, names = _models(con, numbers("route"))
    trace = Trace(
        time_us=numbers("t"),
        input_tokens=numbers("i"),
        output_tokens=numbers("o"),
        reasoning_tokens=numbers("think"),
        sessions=np.unique(sessions, return_inverse=True)[1].reshape(-1).astype(np.int64),
        models=models,
        model_names=names,
        name="store",
        layout="store",
        session_origin="request" if alone.all() else "column",
        notes=tuple(notes),
    )
    return StoredCalls(trace, numbers("cached"))


def _models(con: duckdb.DuckDBPyConnection, routes: IntArray) -> tuple[IntArray, tuple[str, ...]]:
    """The variant (or model) of every call as codes into names."""
    named: dict[int, str] = dict(
        con.sql("SELECT route_id, coalesce(variant, model, '') FROM routes").fetchall()
    )
    used, rows = np.unique(routes, return_inverse=True)
    names = tuple(dict.fromkeys(named[int(route)] for route in used))
    codes = np.array([names.index(named[int(route)]) for route in used], dtype=np.int64)
    return codes[rows.reshape(-1)], names


def _stretches(sessions: IntArray) -> tuple[IntArray, bool]:
    """Session codes, with sessions longer than `LONGEST_SESSION` cut into several."""
    sizes = np.bincount(sessions)
    if sizes.max(initial=0) <= LONGEST_SESSION:
        return sessions, False
    order = np.argsort(sessions, kind="stable")
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    place = np.empty(len(sessions), dtype=np.int64)
    place[order] = np.arange(len(sessions)) - first[sessions[order]]
    stretch = sessions * (int(sizes.max()) // LONGEST_SESSION + 1) + place // LONGEST_SESSION
    return np.unique(stretch, return_inverse=True)[1].reshape(-1).astype(np.int64), True


def _sample(sessions: IntArray, used: IntArray, every: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which calls to keep: one session of each ``every`` in the order of what they used."""
    total = np.bincount(sessions, weights=used)
    order = np.argsort(total, kind="stable")
    rng = np.random.default_rng(seed)
    # A short last group gives its session with the chance every other one has.
    chosen = np.arange(0, len(order), every)
    chosen = chosen + rng.integers(0, every, len(chosen))
    keep = np.zeros(len(total), dtype=bool)
    keep[order[chosen[chosen < len(order)]]] = True
    return keep[sessions]


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
    lists: Any = pa.LargeListArray
    if trace.ids is not None and trace.offsets is not None:
        cuts = pa.array(trace.offsets, pa.int64())
        columns["hash_ids"] = lists.from_arrays(cuts, pa.array(trace.ids))
        if trace.block_tokens is not None:
            flat = pa.array(trace.block_tokens, pa.int64())
            columns["block_tokens"] = lists.from_arrays(cuts, flat)
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
        pq.write_table(pa.table(columns), path, compression="zstd")  # pyright: ignore[reportUnknownMemberType]
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error}") from error
