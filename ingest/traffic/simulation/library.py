"""A workload's sessions as a trace: recorded ones at the scenario's rate, or made ones.

Made sessions are the same for all variants that count tokens alike, and are made once; recorded
ones are moved closer together or further apart until as many come a day as the scenario says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from ingest.traffic.scenarios.lengths import mean_of
from ingest.traffic.scenarios.numbers import ScenarioError, middle, numbers_of
from ingest.traffic.scenarios.scenario import Cache, Volume, Workload
from ingest.traffic.simulation.synth import (
    calls_per_session,
    library_size,
    make_sessions,
    shared_tokens,
)
from ingest.traffic.traces.load import load_trace
from ingest.traffic.traces.sessions import with_sessions
from ingest.traffic.traces.trace import Trace

# A recorded trace is replayed at the scenario's rate when that differs by more than this.
_SAME_RATE = 0.1


# What does not change the sessions themselves, so that they are made once for all variants.
_IRRELEVANT: dict[str, Any] = {
    "variant": None, "tiers": {}, "failures": {}, "routing": [], "fallback_variant": None,
    "fallback_rate": None, "labels": [], "can_wait": 0.0, "easy_share": 0.0, "success_rate": 1.0,
}  # fmt: skip


@lru_cache(maxsize=8)
def _recorded(path: str, block_size: int | None) -> Trace:
    return with_sessions(load_trace(path, block_size=block_size))


@lru_cache(maxsize=256)
def _made(key: str, variant: str, seed: int) -> Trace:
    workload = Workload.model_validate_json(key)
    rate = sessions_per_day(workload)
    shared = shared_tokens(workload.structure, variant)
    return make_sessions(workload, variant, library_size(workload), rate, seed, shared)


def sessions_of(workload: Workload, variant: str, seed: int) -> Trace:
    """The workload's sessions: recorded ones at the scenario's rate, or made ones."""
    if workload.trace is None:
        plain = workload.model_copy(update={k: v for k, v in _IRRELEVANT.items() if v is None})
        plain = plain.model_copy(
            update={"cache": Cache(stable_prefix=workload.cache.stable_prefix)}
        )
        plain = Workload.model_validate({**plain.model_dump(mode="json"), **_IRRELEVANT})
        return _made(plain.model_dump_json(), variant, seed)
    trace = _recorded(workload.trace, workload.trace_block_size)
    return at_rate(trace, sessions_per_day(workload, calls_of(trace)))


def calls_of(trace: Trace) -> float:
    """Mean calls of a session of the trace."""
    assert trace.sessions is not None
    return trace.requests / len(np.unique(trace.sessions))


def at_rate(trace: Trace, per_day: float) -> Trace:
    """The recorded sessions started closer together or further apart, each as it was inside.

    Shared beginnings are hit more often when sessions follow each other faster; a trace taken at
    one rate says nothing else about another.
    """
    assert trace.sessions is not None
    codes, rows = np.unique(trace.sessions, return_inverse=True)
    if trace.span_s <= 0 or trace.own_clocks:
        return trace
    factor = per_day / (len(codes) * trace.weight * 86_400 / trace.span_s)
    if abs(np.log(max(factor, 1e-12))) <= np.log1p(_SAME_RATE):
        return trace
    begin = np.full(len(codes), np.iinfo(np.int64).max)
    np.minimum.at(begin, rows, trace.time_us)
    moved = ((begin - begin.min()) / factor).astype(np.int64) + begin.min() - begin
    return trace.at_times(trace.time_us + moved[rows])


def shaped_output(trace: Trace, workload: Workload) -> Trace:
    """Outputs with their median and tail scaled apart and cut at the maximum output.

    y = x * m * (x / median) ** g, where g makes the P90 grow by the tail's factor instead.
    """
    o = workload.output
    m, t = middle(o.median_scale), middle(o.tail_scale)
    out = trace.output_tokens.astype(np.float64)
    if (m, t) != (1.0, 1.0):
        p50, p90 = np.quantile(out[out > 0], [0.5, 0.9]) if (out > 0).any() else (1.0, 1.0)
        g = np.log(t / m) / np.log(p90 / p50) if p90 > p50 and m > 0 and t > 0 else 0.0
        out = out * m * np.where(out > 0, np.maximum(out, 1) / max(p50, 1), 1.0) ** g
    if o.max_output is not None and workload.trace is not None:
        out = np.minimum(out, middle(o.max_output))
    if workload.trace is not None:
        out *= middle(o.n)
    new = np.round(out).astype(np.int64)
    thinking = trace.reasoning_tokens
    if thinking is not None:
        ratio = np.divide(new, trace.output_tokens, out=np.ones(len(new)),
                          where=trace.output_tokens > 0)  # fmt: skip
        thinking = np.minimum(np.round(thinking * ratio).astype(np.int64), new)
    return replace(trace, output_tokens=new, reasoning_tokens=thinking, _stream=[])


def sessions_per_day(workload: Workload, per_session: float | None = None) -> float:
    """Sessions a day at the middle of the volume's numbers."""
    v = workload.volume
    if v.sessions_per_day is not None:
        return middle(v.sessions_per_day)
    if v.users is not None and v.sessions_per_user_day is not None:
        return middle(v.users) * middle(v.sessions_per_user_day)
    if v.turns_per_day is not None:
        return middle(v.turns_per_day) / max(mean_of(workload.structure.turns), 1.0)
    assert v.calls_per_day is not None
    calls = per_session if per_session is not None else calls_per_session(workload)
    return middle(v.calls_per_day) / max(calls, 1.0)


def month_shape(volume: Volume, start: date, days: float) -> float:
    """The whole period's sessions, in units of one ordinary day: growth, weekdays, ramp.

    >>> month_shape(Volume(sessions_per_day=1), date(2026, 12, 1), 30)
    30.0
    """
    week = numbers_of(volume.weekday_shape) or [1.0] * 7
    mean = sum(week) / 7
    if mean <= 0:
        raise ScenarioError("weekday_shape needs a positive entry")
    growth = middle(volume.growth_per_month)
    ramp_days, ramp_start = middle(volume.ramp_days), middle(volume.ramp_start)
    total = 0.0
    for d in range(int(np.ceil(days))):
        part = min(1.0, days - d)
        weight = week[(start.weekday() + d) % 7] / mean
        grown = (1 + growth) ** (d / 30.4375)
        ramp = 1.0
        if d < ramp_days:
            ramp = ramp_start + (1 - ramp_start) * d / ramp_days
        total += part * weight * grown * ramp
    return total


def beyond_record(workload: Workload, days: float) -> float:
    """How much of the simulated period no recording stands for: 0 to 1.

    Simulating as many days as were recorded rebuilds that period, with its number of sessions and
    without drift; a month from an hour's trace is nearly all unknown, and a period to come
    (``volume.period = "next"``) wholly, however long the record. Made sessions: 1.
    """
    if workload.trace is None or workload.volume.period == "next":
        return 1.0
    trace = _recorded(workload.trace, workload.trace_block_size)
    # Sessions with clocks of their own count as one day's (see `fitting`).
    recorded = 1.0 if trace.own_clocks else trace.span_s / 86_400
    return max(0.0, 1 - 1.001 * recorded / days)
