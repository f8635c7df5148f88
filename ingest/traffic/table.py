"""Sessions as rows: what each used and cost, under one cache rule and one rate sheet.

Everything above single requests (bootstrap, intervals, validation, the month) works on this
table, because sessions, not requests, are what comes back independently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import RateSheet
from ingest.traffic.replaying import AppliedRule, meter_counts
from ingest.traffic.traces.trace import Trace

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# What validation and results report apart; errors cancel in a total.
PARTS = ("cost", "input", "cached", "output", "reasoning")


@dataclass(frozen=True)
class SessionTable:
    """One row a session. Counts in tokens, ``cost`` in pico-dollars (float: for estimates only).

    ``start_us`` is the session's first request; ``calls`` its number of requests.
    """

    start_us: IntArray
    calls: IntArray
    cost: FloatArray
    input: IntArray
    cached: IntArray
    output: IntArray
    reasoning: IntArray
    meters: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.calls)

    def part(self, name: str) -> FloatArray:
        """One of PARTS as floats."""
        return np.asarray(getattr(self, name), dtype=np.float64)

    def take(self, rows: npt.NDArray[np.bool_] | IntArray) -> SessionTable:
        """The sessions of ``rows``."""
        return SessionTable(
            self.start_us[rows],
            self.calls[rows],
            self.cost[rows],
            self.input[rows],
            self.cached[rows],
            self.output[rows],
            self.reasoning[rows],
            {k: v[rows] for k, v in self.meters.items()},
        )


def session_table(
    trace: Trace, cached: IntArray, rule: AppliedRule, sheet: RateSheet
) -> SessionTable:
    """Sum a trace with sessions into one row a session (rows by session code)."""
    assert trace.sessions is not None
    codes, rows = np.unique(trace.sessions, return_inverse=True)
    rows = rows.reshape(-1)
    n = len(codes)
    counts = meter_counts(trace, cached, rule)
    cost = sheet.per_request(counts)

    def total(values: IntArray) -> IntArray:
        # Sums of a session stay below 2^53, where floats are exact integers.
        return np.bincount(rows, weights=values, minlength=n).astype(np.int64)

    order = np.lexsort((trace.time_us, rows))
    start = trace.time_us[order][np.searchsorted(rows[order], np.arange(n))]
    reasoning = trace.reasoning_tokens
    return SessionTable(
        start_us=start,
        calls=np.bincount(rows, minlength=n).astype(np.int64),
        cost=total(cost).astype(np.float64),
        input=total(trace.input_tokens),
        cached=total(cached),
        output=total(trace.output_tokens),
        reasoning=np.zeros(n, dtype=np.int64) if reasoning is None else total(reasoning),
        meters={m: total(c).astype(np.float64) for m, c in counts.items()},
    )
