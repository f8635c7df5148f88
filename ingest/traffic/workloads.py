"""A workload prepared for the month: its sessions on each variant, as means and spreads.

`prepare` makes (or reads) the sessions, replays them under a variant's cache rule and prices them
by meter. What is left for the Monte Carlo is a vector of means a session (tokens and pico-dollars
of each meter), the spread between sessions, and how the means move when an uncertain structural
number goes from its P10 to its P90.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ingest.traffic.efforts import effort_ratio
from ingest.traffic.lengths import uncertain
from ingest.traffic.load import load_trace
from ingest.traffic.numbers import Number, Range, ScenarioError, middle
from ingest.traffic.predict import recent_weights
from ingest.traffic.prices import INPUT_METERS, OUTPUT_METERS, Prices, why_unpriced
from ingest.traffic.replaying import NO_CACHE, AppliedRule, applied_rule, meter_counts
from ingest.traffic.routing import assign
from ingest.traffic.scenario import Volume, Workload
from ingest.traffic.sessions import with_sessions
from ingest.traffic.sobol import Z90
from ingest.traffic.synth import calls_per_session, library_size, make_sessions, shared_tokens
from ingest.traffic.trace import Trace
from pricing.caching import apply_floor, cached_tokens

FloatArray = npt.NDArray[np.float64]

# Structural numbers whose effect is not a plain factor: the sessions are made again at both ends.
STRUCTURAL = (
    "system_tokens", "tools_tokens", "retrieved_tokens", "user_tokens", "turns", "calls_per_turn",
    "tool_result_tokens", "turn_gap_s",
)  # fmt: skip
# A recorded trace is replayed at the scenario's rate when that differs by more than this.
_SAME_RATE = 0.1


@dataclass(frozen=True)
class Means:
    """Means a session on one variant: tokens and pico-dollars of each meter, and their spread.

    ``cv`` is the coefficient of variation between sessions of each part, ``fitted`` the number of
    recorded sessions behind the means (infinite for made ones), ``costs`` single session costs.
    ``calls`` are the calls of a session this variant answers, ``session_calls`` all of them.
    """

    tokens: dict[str, float]
    cost: dict[str, float]
    cv: dict[str, float]
    fitted: float
    costs: FloatArray
    calls: float
    session_calls: float
    peak_input: float
    rule: AppliedRule
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """Mean pico-dollars a session."""
        return sum(self.cost.values())


@dataclass(frozen=True)
class Parameter:
    """An uncertain number: its name, the sd of its log, and what it moves.

    ``kind`` is "volume", "output", "reasoning", "retry", or "structure" (then ``low`` and ``high``
    are the workloads at its P10 and P90). ``ends`` are its P10 and P90 over its middle.
    """

    name: str
    kind: str
    ends: tuple[float, float]
    low: Workload | None = None
    high: Workload | None = None
    field: str = field(default="")


def sessions_per_day(workload: Workload, per_session: float | None = None) -> float:
    """Sessions a day at the middle of the volume's numbers."""
    v = workload.volume
    if v.sessions_per_day is not None:
        return middle(v.sessions_per_day)
    if v.users is not None and v.sessions_per_user_day is not None:
        return middle(v.users) * middle(v.sessions_per_user_day)
    if v.turns_per_day is not None:
        from ingest.traffic.lengths import mean_of

        return middle(v.turns_per_day) / max(mean_of(workload.structure.turns), 1.0)
    assert v.calls_per_day is not None
    calls = per_session if per_session is not None else calls_per_session(workload)
    return middle(v.calls_per_day) / max(calls, 1.0)


def month_shape(volume: Volume, start: date, days: float) -> float:
    """The whole period's sessions, in units of one ordinary day: growth, weekdays, ramp.

    >>> month_shape(Volume(sessions_per_day=1), date(2026, 12, 1), 30)
    30.0
    """
    week = volume.weekday_shape or [1.0] * 7
    mean = sum(week) / 7
    if mean <= 0:
        raise ScenarioError("weekday_shape needs a positive entry")
    total = 0.0
    for d in range(int(np.ceil(days))):
        part = min(1.0, days - d)
        weight = week[(start.weekday() + d) % 7] / mean
        grown = (1 + volume.growth_per_month) ** (d / 30.4375)
        ramp = 1.0
        if volume.ramp_days and d < volume.ramp_days:
            ramp = volume.ramp_start + (1 - volume.ramp_start) * d / volume.ramp_days
        total += part * weight * grown * ramp
    return total


@lru_cache(maxsize=8)
def _recorded(path: str, block_size: int | None) -> Trace:
    return with_sessions(load_trace(path, block_size=block_size))


@lru_cache(maxsize=256)
def _made(key: str, variant: str, seed: int) -> Trace:
    workload = Workload.model_validate_json(key)
    rate = sessions_per_day(workload)
    shared = shared_tokens(workload.structure, variant)
    return make_sessions(workload, variant, library_size(workload), rate, seed, shared)


# What does not change the sessions themselves, so that they are made once for all variants.
_IRRELEVANT = {
    "variant": None, "tiers": {}, "failures": {}, "routing": [], "fallback_variant": None,
    "fallback_rate": None, "labels": [], "can_wait": 0.0, "easy_share": 0.0, "success_rate": 1.0,
}  # fmt: skip


def sessions_of(workload: Workload, variant: str, seed: int) -> Trace:
    """The workload's sessions: recorded ones at the scenario's rate, or made ones."""
    if workload.trace is None:
        plain = workload.model_copy(update={k: v for k, v in _IRRELEVANT.items() if v is None})
        plain = Workload.model_validate({**plain.model_dump(mode="json"), **_IRRELEVANT})
        return _made(plain.model_dump_json(), variant, seed)
    trace = _recorded(workload.trace, workload.trace_block_size)
    return at_rate(trace, sessions_per_day(workload, _calls(trace)))


def _calls(trace: Trace) -> float:
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
        out = np.minimum(out, o.max_output * o.n)
    new = np.round(out).astype(np.int64)
    thinking = trace.reasoning_tokens
    if thinking is not None:
        ratio = np.divide(new, trace.output_tokens, out=np.ones(len(new)),
                          where=trace.output_tokens > 0)  # fmt: skip
        thinking = np.minimum(np.round(thinking * ratio).astype(np.int64), new)
    return replace(trace, output_tokens=new, reasoning_tokens=thinking, _stream=[])


def prepare(
    workload: Workload,
    variant: str,
    prices: Prices,
    day: date,
    seed: int,
    seller: str | None = None,
    main: str | None = None,
) -> Means:
    """Means and spreads of a workload on one variant; LookupError where it has no price.

    With ``main`` only the calls that its rules send from ``main`` to ``variant`` are counted.
    """
    if prices.sheet(variant, day, "standard", seller) is None:
        raise LookupError(why_unpriced(prices, variant, day))
    trace = shaped_output(sessions_of(workload, variant, seed), workload)
    assert trace.sessions is not None
    route = None if main is None else assign(trace, workload, main, seed)
    mine = None if route is None else route.of(variant)
    if mine is not None and not mine.any():
        return replace(_nothing(variant, workload, day), session_calls=_calls(trace))
    rule, notes = cache_rule(workload, variant, day)
    cached = np.zeros(trace.requests, dtype=np.int64)
    if rule.caches and trace.has_blocks:
        partition = None
        if workload.cache.machines > 1:
            draw = np.random.default_rng(seed + 1)
            partition = draw.integers(0, workload.cache.machines, trace.requests)
        if route is not None:
            partition = route.codes + len(route.variants) * (0 if partition is None else partition)
        scope = "session" if trace.own_clocks else workload.cache.scope
        raw = cached_tokens(trace.stream(), [rule.ttl_s], scope, partition=partition)[0]
        cached = apply_floor(raw, rule.min_tokens, rule.step)
    counts = meter_counts(trace, cached, rule)
    kept = np.ones(trace.requests, dtype=bool) if mine is None else mine
    counts = {m: c * kept for m, c in counts.items()}
    shares, tier_notes = _tier_shares(workload, variant, prices, day, seller)
    cost: dict[str, FloatArray] = {m: np.zeros(trace.requests) for m in counts}
    for tier, share in shares.items():
        sheet = prices.sheet(variant, day, tier, seller)
        if sheet is None:
            raise LookupError(why_unpriced(prices, variant, day, tier))
        for meter, pico in sheet.by_meter(counts).items():
            cost[meter] += share * pico
    codes, rows = np.unique(trace.sessions, return_inverse=True)
    n = len(codes)
    weights = np.ones(n)
    if workload.recency > 0:
        begin = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(begin, rows, trace.time_us)
        weights = recent_weights(begin, workload.recency)
    w = weights / weights.sum()

    def per_session(values: npt.NDArray[np.generic]) -> FloatArray:
        total = np.bincount(rows, weights=values.astype(np.float64), minlength=n)
        return total.astype(np.float64)

    costs = per_session(sum(cost.values(), np.zeros(trace.requests)))
    parts = {
        "cost": costs,
        "input": per_session(trace.input_tokens * kept),
        "cached": per_session(cached * kept),
        "output": per_session(trace.output_tokens * kept),
        "reasoning": per_session(counts.get("reasoning", np.zeros(trace.requests))),
    }
    cv = {}
    for part, values in parts.items():
        mean = float(w @ values)
        cv[part] = float(np.sqrt(w @ (values - mean) ** 2)) / mean if mean > 0 else 0.0
    return Means(
        tokens={m: float(w @ per_session(c)) for m, c in counts.items()},
        cost={m: float(w @ per_session(c)) for m, c in cost.items()},
        cv=cv,
        fitted=1 / float(w @ w) if workload.trace else float("inf"),
        costs=costs,
        calls=float(kept.sum()) / n,
        session_calls=trace.requests / n,
        peak_input=float(np.quantile(trace.input_tokens[kept], 0.999)),
        rule=rule,
        notes=(*notes, *tier_notes),
    )


def _nothing(variant: str, workload: Workload, day: date) -> Means:
    """What a variant has of a workload none of whose calls reach it."""
    rule, _ = cache_rule(workload, variant, day)
    return Means({}, {}, {"cost": 0.0}, float("inf"), np.zeros(0), 0.0, 0.0, 0.0, rule)


def cache_rule(workload: Workload, variant: str, day: date) -> tuple[AppliedRule, tuple[str, ...]]:
    """The variant's cache rule on `day` as the workload uses it, and what was assumed for it."""
    c = workload.cache
    if not c.enabled:
        return NO_CACHE, ()
    rule = applied_rule(variant, day, ttl=c.lifetime_s, min_tokens=c.min_tokens, step=c.step)
    if c.lifetime_s is not None:
        # A lifetime of one's own keeps the variant's minimum and step.
        own = applied_rule(variant, day)
        rule = replace(
            rule,
            min_tokens=own.min_tokens if c.min_tokens is None else c.min_tokens,
            step=own.step if c.step is None else c.step,
        )
    if rule.source == "unknown":
        return rule, (f"no cache rule is known for {variant}: counted as not caching",)
    return rule, ()


def _tier_shares(
    workload: Workload, variant: str, prices: Prices, day: date, seller: str | None
) -> tuple[dict[str, float], tuple[str, ...]]:
    shares = {"standard": 1.0}
    notes: list[str] = []
    for tier in ("batch", "flex", "priority"):
        share = getattr(workload.tiers, tier)
        if not share:
            continue
        if prices.sheet(variant, day, tier, seller) is None:
            notes.append(f"{variant} has no {tier} price: that share is priced as standard")
            continue
        shares[tier] = share
        shares["standard"] -= share
    return {t: s for t, s in shares.items() if s > 1e-12}, tuple(notes)


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


def parameters(workload: Workload, variant: str, days: float = 30) -> list[Parameter]:
    """Every uncertain number of a workload over a period of ``days``, volume first."""
    out: list[Parameter] = []
    v, o, s = workload.volume, workload.output, workload.structure
    volume: dict[str, Number | None] = {
        "users": v.users, "sessions_per_user_day": v.sessions_per_user_day,
        "sessions_per_day": v.sessions_per_day, "turns_per_day": v.turns_per_day,
        "calls_per_day": v.calls_per_day,
    }  # fmt: skip
    for name, value in volume.items():
        if isinstance(value, Range):
            out.append(Parameter(name, "volume", _ends(value)))
    drift = v.drift * float(np.sqrt(beyond_record(workload, days)))
    if drift:
        end = float(np.exp(Z90 * drift))
        out.append(Parameter("drift between periods", "volume", (1 / end, end)))
    if workload.trace is None:
        for name, kind in (("tokens", "output"), ("reasoning_tokens", "reasoning")):
            r = uncertain(getattr(o, name))
            if r is not None:
                out.append(Parameter(f"output {name}", kind, _ends(r)))
        for name in STRUCTURAL:
            value = getattr(s, name)
            r = uncertain(value)
            counted = (name, True) in (
                ("system_tokens", s.system_file is not None),
                ("tools_tokens", s.tools_file is not None),
            )
            if r is None or counted:
                continue
            ends = [
                workload.model_copy(
                    update={"structure": s.model_copy(update={name: _at(value, end)})}
                )
                for end in (r.p10, r.p90)
            ]
            out.append(Parameter(name, "structure", _ends(r), ends[0], ends[1], name))
    for name in ("median_scale", "tail_scale"):
        value = getattr(o, name)
        if isinstance(value, Range):
            out.append(Parameter(f"output {name}", "output", _ends(value)))
    if o.effort != o.reference_effort:
        ratio = effort_ratio(variant, o.reference_effort, o.effort)
        out.append(
            Parameter(f"effort {o.effort}", "all output",
                      (ratio.low / ratio.mid, ratio.high / ratio.mid))
        )  # fmt: skip
    if isinstance(workload.failures.retry_rate, Range):
        r = workload.failures.retry_rate
        out.append(Parameter("retry_rate", "retry", (r.p10, r.p90)))
    return out


def _ends(r: Range) -> tuple[float, float]:
    mid = middle(r)
    return r.p10 / mid, r.p90 / mid


def _at(value: object, level: float) -> object:
    from ingest.traffic.numbers import Distribution, Empirical, Quantiles

    if isinstance(value, Quantiles | Empirical):
        return value.model_copy(update={"scale": level})
    if isinstance(value, Distribution):
        return value.model_copy(update={"mean": level})
    return level


def is_input(meter: str) -> bool:
    """Whether a meter counts input."""
    return meter in INPUT_METERS


def is_output(meter: str) -> bool:
    """Whether a meter counts output."""
    return meter in OUTPUT_METERS
