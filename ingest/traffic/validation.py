"""How wrong would the simulation have been? Judged on traffic it has not seen.

The truth is the held-out part replayed by itself through the same cache rules and prices, so
pricing is common and only the traffic modelling is judged. Three splits:

- random by session: the error of the method, both halves from the same period;
- rolling in time: fit on everything before a moment, predict what came after (method and drift);
- leave one client out: a feature nobody has seen.

Always with the number of held-out sessions given (volume is a question of its own, reported
apart for the time split), with two baselines beside, and cost, input, cached, output and cached
share apart, because errors cancel in a total.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices, RateSheet, why_unpriced
from ingest.traffic.replaying import AppliedRule, applied_rule
from ingest.traffic.simulation.predict import (
    RECENT_HALF_LIFE,
    Prediction,
    between_periods,
    recent_weights,
    session_bootstrap,
    share_gap,
    share_noise,
    whole_sessions,
)
from ingest.traffic.table import PARTS, SessionTable, session_table
from ingest.traffic.traces.sessions import with_sessions
from ingest.traffic.traces.trace import Trace, TraceError
from ingest.traffic.verdicts import Case, default_generator, error_of, summary
from pricing.caching import apply_floor, cached_tokens

IntArray = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]
MIN_SESSIONS = 20
# A coverage of 80 % from n splits strays by sqrt(0.16 / n): 5 points from sixty, 2 from four
# hundred. A split that needs no pass of the cache costs a millisecond.
SPLITS = 200
SPLITS_WITHOUT_CACHE = 400
# Whole-trace passes are cut down when one of them is long.
SPLITS_OF_A_LONG_ONE = 60
_BLOCKS_A_SPLIT = 20_000_000
TIME_CUTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def validate(
    trace: Trace,
    variant: str,
    prices: Prices,
    *,
    splits: int | None = None,
    scope: str = "all",
    ttl: float | None = None,
    min_tokens: int | None = None,
    step: int | None = None,
    day: date | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the three splits on ``trace``; a JSON-able report.

    Errors are predicted / actual - 1; cached share errors are in points. Without ``splits`` there
    are `SPLITS` random ones, more where they are cheap and fewer of a very long trace. Raises
    TraceError when the trace is too small or the variant has no price.
    """
    day = day or date.today()
    trace = with_sessions(trace)
    sheet = prices.sheet(variant, day)
    if sheet is None:
        raise TraceError(why_unpriced(prices, variant, day))
    assert trace.sessions is not None
    own = trace.own_clocks
    if own:
        scope = "session"
    sessions = len(np.unique(trace.sessions))
    if sessions < MIN_SESSIONS:
        raise TraceError(
            f"{trace.name}: {sessions} sessions; validation needs at least {MIN_SESSIONS}"
        )
    rule = applied_rule(variant, day, ttl=ttl, min_tokens=min_tokens, step=step)
    judge = _Judge(trace, rule, sheet, scope)
    if splits is None:
        splits = SPLITS if judge.fixed is None else SPLITS_WITHOUT_CACHE
        if judge.fixed is None and trace.ids is not None and len(trace.ids) > _BLOCKS_A_SPLIT:
            splits = SPLITS_OF_A_LONG_ONE
    rng = np.random.default_rng(seed)
    total = splits + len(TIME_CUTS)
    random_cases: list[Case] = []
    for i in range(splits):
        random_cases.append(judge.random_split(rng))
        if progress is not None:
            progress(i + 1, total)
    time_cases: list[Case] = []
    volume: list[float] = []
    for i, cut in enumerate(() if own else TIME_CUTS):
        case = judge.time_split(cut)
        if case is not None:
            time_cases.append(case[0])
            volume.append(case[1])
        if progress is not None:
            progress(splits + i + 1, total)
    report: dict[str, Any] = {
        "trace": trace.name,
        "variant": variant,
        "rule": rule.as_json(),
        "scope": scope,
        "day": day.isoformat(),
        "requests": trace.requests,
        "sessions": sessions,
        "session_origin": trace.session_origin,
        "seed": seed,
        "random_split": summary(random_cases, "whole_sessions"),
        "time_split": summary(time_cases, "recent_sessions"),
        "leave_one_client_out": judge.clients_out(),
        "notes": [
            *trace.notes,
            *(["sessions have clocks of their own: session scope, no time split"] if own else []),
        ],
    }
    if volume:
        report["time_split"]["volume_carried_over"] = {
            "note": "requests a second of the past, carried over to the rest of the span",
            "median_abs_error": float(np.median(np.abs(volume))),
            "errors": [float(v) for v in volume],
        }
    report["default"] = default_generator(report["time_split"])
    return report


class _Judge:
    """A trace with its rule and sheet, split again and again."""

    def __init__(self, trace: Trace, rule: AppliedRule, sheet: RateSheet, scope: str) -> None:
        assert trace.sessions is not None
        codes = np.unique(trace.sessions, return_inverse=True)[1].reshape(-1)
        self.trace = replace(trace, sessions=codes, _stream=[])
        self.codes = codes
        self.count = int(codes.max()) + 1
        self.rule = rule
        self.sheet = sheet
        self.scope = scope
        # Where sessions share no block a session's cache does not depend on which others are there.
        self.fixed = None
        if scope == "session" or not rule.caches or not _share_blocks(self.trace):
            self.fixed = self.table(None)

    def table(self, groups: IntArray | None, trace: Trace | None = None) -> SessionTable:
        """The session table, with groups of sessions that do not share a cache."""
        trace = self.trace if trace is None else trace
        cached = np.zeros(trace.requests, dtype=np.int64)
        if self.rule.caches and trace.has_blocks:
            assert trace.sessions is not None
            partition = None if groups is None else groups[trace.sessions]
            raw = cached_tokens(trace.stream(), [self.rule.ttl_s], self.scope, partition=partition)[
                0
            ]
            cached = apply_floor(raw, self.rule.min_tokens, self.rule.step)
        return session_table(trace, cached, self.rule, self.sheet)

    def random_split(self, rng: np.random.Generator) -> Case:
        side = np.zeros(self.count, dtype=np.int64)
        side[rng.permutation(self.count)[: self.count // 2]] = 1
        table = self.fixed or self.table(side)
        return _case(table.take(side == 1), table.take(side == 0), self.sheet)

    def time_split(self, cut: float) -> tuple[Case, float] | None:
        """Requests before the cut are known, the rest is the truth (its caches start cold)."""
        times = self.trace.time_us
        edge = int(times.min() + cut * (times.max() - times.min()))
        past, future = self.trace.select(times < edge), self.trace.select(times >= edge)
        assert past.sessions is not None
        assert future.sessions is not None
        known, coming = self.table(None, past), self.table(None, future)
        if min(len(known), len(coming)) < MIN_SESSIONS // 2:
            return None
        seconds = cut / (1 - cut)
        volume = past.requests / future.requests / seconds - 1
        return _case(known, coming, self.sheet, recent=True), volume

    def clients_out(self) -> dict[str, Any]:
        """Predict each client from all the others."""
        owners, names, what = self.trace.clients, self.trace.client_names, "client"
        if owners is None:
            owners, names, what = self.trace.models, self.trace.model_names, "model"
        if owners is None or len(np.unique(owners)) < 2:
            return {"skipped": "the trace has no client (or model) column with two values"}
        first = np.unique(self.codes, return_index=True)[1]
        owner = owners[first]
        cases: list[Case] = []
        rows: list[dict[str, Any]] = []
        for code in np.unique(owner).tolist():
            mine = owner == code
            if mine.sum() < 5 or (~mine).sum() < MIN_SESSIONS:
                continue
            table = self.fixed or self.table(mine.astype(np.int64))
            case = _case(table.take(~mine), table.take(mine), self.sheet)
            cases.append(case)
            rows.append(
                {what: names[code] if names else str(code), "sessions": int(mine.sum()),
                 "cost_error": error_of(case, "whole_sessions", "cost")}
            )  # fmt: skip
        if not cases:
            return {"skipped": f"no {what} has five sessions beside {MIN_SESSIONS} of others"}
        return {**summary(cases, "whole_sessions"), "by": what, "each": rows}


def _share_blocks(trace: Trace) -> bool:
    """Whether any block is in the prompts of two sessions."""
    if trace.ids is None or trace.offsets is None or trace.sessions is None:
        return False
    ids = trace.stream().dense_ids()
    mine = np.repeat(trace.sessions.astype(np.int32), np.diff(trace.offsets))
    last = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int32)
    last[ids] = mine
    return bool((last[ids] != mine).any())


def _case(
    known: SessionTable, coming: SessionTable, sheet: RateSheet, recent: bool = False
) -> Case:
    n = len(coming)
    truth = {p: float(coming.part(p).sum()) for p in PARTS}
    out: dict[str, dict[str, Prediction]] = {}
    out["mean_times_count"] = _mean_times_count(known, int(coming.calls.sum()), sheet)
    out["session_bootstrap"] = {p: session_bootstrap(known.part(p), n) for p in PARTS}
    drift = {p: between_periods(known.part(p), known.start_us) if recent else 0.0 for p in PARTS}
    out["whole_sessions"] = {p: whole_sessions(known.part(p), n, drift=drift[p]) for p in PARTS}
    if recent:
        weights = recent_weights(known.start_us, RECENT_HALF_LIFE)
        out["recent_sessions"] = {
            p: whole_sessions(known.part(p), n, weights, drift[p]) for p in PARTS
        }
    shares = known.part("cached"), known.part("input")
    return Case(truth, out, share_noise(*shares, n), share_gap(*shares, n))


def _mean_times_count(
    known: SessionTable, requests: int, sheet: RateSheet
) -> dict[str, Prediction]:
    """The first guess everybody makes: average request times number of requests, no cache."""
    calls = float(known.calls.sum())
    mean_in = float(known.input.sum()) / calls
    mean_out = float(known.output.sum()) / calls
    one = sheet.per_request(
        {
            "input_uncached": np.array([round(mean_in)]),
            "output_text": np.array([round(mean_out)]),
        }
    )[0]
    guess = {
        "cost": float(one),
        "input": mean_in,
        "cached": 0.0,
        "output": mean_out,
        "reasoning": float(known.reasoning.sum()) / calls,
    }
    return {p: Prediction(requests * guess[p], 0.0) for p in PARTS}
