"""A workload prepared for the month: its sessions on each variant, as means and spreads.

`prepare` makes (or reads) the sessions, replays them under a variant's cache rule and prices them
by meter. What is left for the Monte Carlo is a vector of means a session (tokens and pico-dollars
of each meter), the spread between sessions, and how the means move when an uncertain structural
number goes from its P10 to its P90.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import INPUT_METERS, OUTPUT_METERS, Prices, why_unpriced
from ingest.traffic.replaying import NO_CACHE, AppliedRule, applied_rule, meter_counts
from ingest.traffic.scenarios.numbers import middle
from ingest.traffic.scenarios.scenario import Workload
from ingest.traffic.simulation.library import calls_of, sessions_of, shaped_output
from ingest.traffic.simulation.predict import recent_weights, skewness
from ingest.traffic.simulation.routing import assign
from pricing.caching import apply_floor, cached_tokens

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Means:
    """Means a session on one variant: tokens and pico-dollars of each meter, and their spread.

    ``cv`` is the coefficient of variation between sessions of each part, ``fitted`` the number of
    recorded sessions behind the means (infinite for made ones), ``skew`` the skewness of recorded
    sessions (none for made ones), ``costs`` single session costs.
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
    skew: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def total(self) -> float:
        """Mean pico-dollars a session."""
        return sum(self.cost.values())


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
        return replace(_nothing(variant, workload, day), session_calls=calls_of(trace))
    rule, notes = cache_rule(workload, variant, day)
    cached = np.zeros(trace.requests, dtype=np.int64)
    if rule.caches and trace.has_blocks:
        partition = None
        machines = round(middle(workload.cache.machines))
        if machines > 1:
            draw = np.random.default_rng(seed + 1)
            partition = draw.integers(0, machines, trace.requests)
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
    if (recency := middle(workload.recency)) > 0:
        begin = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(begin, rows, trace.time_us)
        weights = recent_weights(begin, recency)
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
    cv: dict[str, float] = {}
    skew: dict[str, float] = {}
    for part, values in parts.items():
        mean = float(w @ values)
        cv[part] = float(np.sqrt(w @ (values - mean) ** 2)) / mean if mean > 0 else 0.0
        skew[part] = skewness(values, w)
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
        skew=skew if workload.trace else {},
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
    ttl = None if c.lifetime_s is None else middle(c.lifetime_s)
    least = None if c.min_tokens is None else round(middle(c.min_tokens))
    rule = applied_rule(variant, day, ttl=ttl, min_tokens=least, step=c.step)
    if ttl is not None:
        # A lifetime of one's own keeps the variant's minimum and step.
        own = applied_rule(variant, day)
        rule = replace(
            rule,
            min_tokens=own.min_tokens if least is None else least,
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
        share = middle(getattr(workload.tiers, tier))
        if not share:
            continue
        if prices.sheet(variant, day, tier, seller) is None:
            notes.append(f"{variant} has no {tier} price: that share is priced as standard")
            continue
        shares[tier] = share
        shares["standard"] -= share
    return {t: s for t, s in shares.items() if s > 1e-12}, tuple(notes)


def is_input(meter: str) -> bool:
    """Whether a meter counts input."""
    return meter in INPUT_METERS


def is_output(meter: str) -> bool:
    """Whether a meter counts output."""
    return meter in OUTPUT_METERS
