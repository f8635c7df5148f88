"""The month's bill, with how sure it is.

Parameters (volume, lengths, effort, structure, drift) are drawn from scrambled Sobol points; the
noise of which sessions come is added by the central limit, or by drawing sessions where fewer
than 200 are expected; recorded sessions add the error of having seen only so many, a factor
sqrt(1 + target / fit) on that noise, with their tail (`predict.leaning`). The effect of structural
ranges is evaluated at their P10, middle and P90 and joined log-linearly; `surface_error` says how
far that is off at the corner where all of them are high.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices, usd_estimate
from ingest.traffic.scenarios.efforts import effort_ratio
from ingest.traffic.scenarios.numbers import ScenarioError, is_range, middle
from ingest.traffic.scenarios.scenario import Scenario
from ingest.traffic.simulation.feasibility import warnings_for
from ingest.traffic.simulation.legs import PARTS, Leg, build_legs
from ingest.traffic.simulation.levers import rank_levers
from ingest.traffic.simulation.predict import lean_of, leaning
from ingest.traffic.simulation.sobol import Z90, normal, sobol
from pricing.caching import rule_for

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

PERCENTILES = (10, 50, 90, 99)
FEW_SESSIONS = 200
# A recorded pilot whose mean is known worse than this (90 % interval, either side) is named.
PILOT_LIMIT = 0.15
_Z95 = 1.6448536269514722


def simulate(
    scenario: Scenario,
    prices: Prices,
    *,
    variants: list[str] | None = None,
    days: float | None = None,
    levers: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Simulate the scenario on each variant; a JSON-able answer, money as decimal strings.

    For every variant P10, P50, P90 and P99 of the period's cost, and of input, cached, written,
    output and reasoning tokens apart; a tornado; cost per session and per successful task;
    feasibility warnings; for the first variant the ranked levers.
    """
    update: dict[str, Any] = {}
    if variants:
        update["variants"] = variants
    if days is not None:
        if not days > 0:
            raise ScenarioError(f"days must be positive, not {days}")
        update["days"] = days
    scenario = scenario.model_copy(update=update)
    steps = len(scenario.variants) + (1 if levers else 0)
    rows: list[dict[str, Any]] = []
    for i, variant in enumerate(scenario.variants):
        rows.append(_variant(scenario, variant, prices))
        if progress is not None:
            progress(i + 1, steps)
    priced = [r for r in rows if r["status"] != "unpriced"]
    result: dict[str, Any] = {
        "scenario": scenario.name,
        "start": scenario.start.isoformat(),
        "end": (scenario.start + timedelta(days=scenario.days)).isoformat(),
        "days": scenario.days,
        "draws": scenario.draws,
        "seed": scenario.seed,
        "variants": rows,
        "cheapest": min(
            priced, key=lambda r: float(r["cost_usd"]["p50"]), default={"variant": None}
        )["variant"],
        "levers": [],
    }
    if levers and rows[0]["status"] != "unpriced":
        result["levers"] = rank_levers(scenario, prices)
    if progress is not None:
        progress(steps, steps)
    return result


def draw_legs(
    scenario: Scenario, groups: list[list[tuple[float, Leg]]]
) -> tuple[dict[str, FloatArray], list[tuple[str, float, float]]]:
    """Draws of the period's totals over all workloads, and the tornado in pico-dollars."""
    width = sum(max(len(leg.params) for _, leg in g) + 1 for g in groups)
    u = sobol(scenario.draws, width, scenario.seed)
    parts = (*PARTS, "cost", "sessions", "solved", "requests")
    totals = {k: np.zeros(scenario.draws) for k in parts}
    tornado: list[tuple[str, float, float]] = []
    centre = sum(share * leg.central() for g in groups for share, leg in g)
    at = 0
    for g in groups:
        params = g[0][1].params
        k = max(len(leg.params) for _, leg in g)
        z = normal(u[:, at : at + k])
        noise = normal(u[:, at + k])
        at += k + 1
        for share, leg in g:
            got = leg.evaluate(z[:, : len(leg.params)])
            for part in totals:
                wobble = _session_noise(leg, share, got["count"], noise, part, scenario.seed)
                totals[part] += share * got[part] * wobble
        for j, p in enumerate(params):
            if p.kind == "success":
                continue  # moves what a task costs, not the bill
            ends: list[float] = []
            for side in (-Z90, Z90):
                moved = 0.0
                for share, leg in g:
                    row = np.zeros((1, len(leg.params)))
                    if j < len(leg.params):
                        row[0, j] = side
                    moved += share * float(leg.evaluate(row)["cost"][0]) - share * leg.central()
                ends.append(centre + moved)
            tornado.append((f"{g[0][1].workload.name}: {p.name}", ends[0], ends[1]))
        ends = [
            centre + sum(share * leg.central() * _off(leg, share, side) for share, leg in g)
            for side in (-Z90, Z90)
        ]
        tornado.append((f"{g[0][1].workload.name}: which sessions come", ends[0], ends[1]))
    return totals, tornado


def _off(leg: Leg, share: float, side: float) -> float:
    """How far the cost is off its mean, relative to it, where the normal is ``side``."""
    expected = np.array([leg.sessions * share])
    return float(_session_noise(leg, share, expected, np.array([side]), "cost", None)[0]) - 1


def _session_noise(
    leg: Leg, share: float, count: FloatArray, noise: FloatArray, part: str, seed: int | None
) -> FloatArray:
    """Factors on a total of ``part``: which sessions come (few are drawn, given a seed), and the
    error of means that rest on few recorded ones (see `predict.leaning`)."""
    means = leg.means
    n = max(leg.sessions * share, 1e-9)
    cv = 0.0 if part in ("sessions", "solved", "requests") else means.cv.get(part, means.cv["cost"])
    fitted = means.fitted
    # The spread of few is seen too small by n - 1 over n.
    variance = cv * cv / (1 - 1 / max(fitted, 2.0))
    lean = lean_of(means.skew.get(part, means.skew.get("cost", 0.0)), fitted, n)
    z = np.clip(noise, -3.0, 3.0)
    if seed is not None and part == "cost" and n < FEW_SESSIONS and means.costs.any():
        # Few sessions: their costs are drawn one by one, so that the tail is theirs.
        rng = np.random.default_rng(seed + 7)
        number = rng.poisson(np.maximum(count * share, 0))
        if leg.beyond == 0:
            number = np.round(count * share).astype(np.int64)
        costs = means.costs / means.costs.mean()
        owners = np.repeat(np.arange(len(number)), number)
        sums = np.bincount(
            owners, weights=costs[rng.integers(0, len(costs), len(owners))], minlength=len(number)
        )
        drawn = sums / np.maximum(count * share, 1e-9)
        return drawn * np.maximum(1 + np.sqrt(variance / fitted) * leaning(z, fitted - 1, lean), 0)
    come = (leg.beyond + variance) / n
    total = come + variance / fitted
    lean *= np.sqrt(variance * (1 / n + 1 / fitted) / total) if total else 0.0
    return np.maximum(1 + np.sqrt(total) * leaning(z, fitted - 1, lean), 0)


def _variant(scenario: Scenario, variant: str, prices: Prices) -> dict[str, Any]:
    try:
        groups = [build_legs(scenario, w, variant, prices) for w in scenario.workloads]
    except LookupError as error:
        return {"variant": variant, "status": "unpriced", "reason": str(error), "cost_usd": None}
    totals, tornado = draw_legs(scenario, groups)
    centre = sum(share * leg.central() for g in groups for share, leg in g)
    legs = [leg for g in groups for _, leg in g]
    sheet = prices.sheet(variant, scenario.start, "standard", scenario.seller)
    tokens = {part: _percentiles(totals[part]) for part in PARTS}
    expected = {p: sum(share * leg.central(p) for g in groups for share, leg in g)
                for p in ("input", "cached")}  # fmt: skip
    sessions = sum(share * leg.sessions for g in groups for share, leg in g if leg.whole)
    tasks = sum(
        share * leg.sessions * middle(leg.workload.success_rate)
        for g in groups
        for share, leg in g
        if leg.whole
    )
    row: dict[str, Any] = {
        "variant": variant,
        "status": "exact" if sheet is None else sheet.status,
        "cost_usd": {
            **{f"p{p}": usd_estimate(float(np.percentile(totals["cost"], p))) for p in PERCENTILES},
            "mean": usd_estimate(float(totals["cost"].mean())),
        },
        "tokens": tokens,
        "cached_share": expected["cached"] / expected["input"] if expected["input"] else 0.0,
        "requests": _percentiles(totals["requests"]),
        "sessions": _percentiles(totals["sessions"]),
        "cost_per_session_usd": usd_estimate(centre / sessions) if sessions else None,
        "cost_per_successful_task_usd": usd_estimate(centre / tasks) if tasks else None,
        **_task_interval(legs, totals),
        "tornado": [
            {
                "parameter": name,
                "low_usd": usd_estimate(low),
                "high_usd": usd_estimate(high),
                "low": low / centre - 1 if centre else 0.0,
                "high": high / centre - 1 if centre else 0.0,
            }
            for name, low, high in sorted(tornado, key=lambda t: -abs(t[2] - t[1]))
        ],
        "cache_lifetime": _lifetimes(scenario, variant, prices, centre),
        "surface_error": max((abs(leg.surface_error) for leg in legs), default=0.0),
        "rules": [{"workload": leg.workload.name, "variant": leg.variant,
                   **leg.means.rule.as_json()} for leg in legs],
        "efforts": _efforts(legs),
        "warnings": [
            *dict.fromkeys(n for leg in legs for n in leg.means.notes),
            *dict.fromkeys(w for leg in legs for w in _pilot(leg)),
            *warnings_for(scenario, groups, totals, prices),
        ],
    }  # fmt: skip
    return row


def _efforts(legs: list[Leg]) -> list[dict[str, Any]]:
    """Where the effort asked for is not the one measured: the ratio of output, its P10 and P90,
    and whose figure it is."""
    rows: list[dict[str, Any]] = []
    for leg in legs:
        o = leg.workload.output
        if o.effort == o.reference_effort:
            continue
        ratio = effort_ratio(leg.variant, o.reference_effort, o.effort)
        rows.append({
            "workload": leg.workload.name, "variant": leg.variant, "effort": o.effort,
            "reference_effort": o.reference_effort, "p10": ratio.low, "p50": ratio.mid,
            "p90": ratio.high, "source": ratio.source,
        })  # fmt: skip
    return rows


def _task_interval(legs: list[Leg], totals: dict[str, FloatArray]) -> dict[str, Any]:
    """P10 to P90 of a successful task's cost, where the share that succeeds is a range."""
    if not any(is_range(leg.workload.success_rate) for leg in legs):
        return {}
    known = totals["solved"] > 0
    each = totals["cost"][known] / totals["solved"][known]
    if not len(each):
        return {}
    return {"successful_task_usd": {
        f"p{p}": usd_estimate(float(np.percentile(each, p))) for p in PERCENTILES
    }}  # fmt: skip


def _lifetimes(
    scenario: Scenario, variant: str, prices: Prices, centre: float
) -> list[dict[str, Any]]:
    """The expected bill if entries live as short, or as long, as the provider's words allow.

    Not part of the interval: which of them holds is a fact one can find out, not chance.
    """
    rule = rule_for(variant, scenario.start)
    if rule is None or rule.mode == "none":
        return []
    rows: list[dict[str, Any]] = []
    for seconds in dict.fromkeys((rule.lifetime_low_s, rule.lifetime_s, rule.lifetime_high_s)):
        cost = centre
        if seconds != rule.lifetime_s:
            cost = 0.0
            for w in scenario.workloads:
                own = w.cache.lifetime_s is None
                cache = w.cache.model_copy(update={"lifetime_s": float(seconds)} if own else {})
                changed = w.model_copy(update={"cache": cache})
                legs = build_legs(scenario, changed, variant, prices, ranges=False)
                cost += sum(share * leg.central() for share, leg in legs)
        rows.append({"lifetime_s": seconds, "cost_usd": usd_estimate(cost),
                     "assumed": seconds == rule.lifetime_s})  # fmt: skip
    return rows


def _pilot(leg: Leg) -> list[str]:
    n = leg.means.fitted
    if n == float("inf"):
        return []
    half = _Z95 * leg.means.cv["cost"] / np.sqrt(n)
    if half <= PILOT_LIMIT:
        return []
    needed = int(np.ceil((_Z95 * leg.means.cv["cost"] / PILOT_LIMIT) ** 2))
    return [
        f"pilot too small: {leg.workload.name} rests on {n:.0f} sessions, so its mean cost is "
        f"known only to {-half:+.0%} / {half:+.0%} (90 %); {needed:,} sessions would give 15 %"
    ]


def _percentiles(values: FloatArray) -> dict[str, int]:
    return {
        **{f"p{p}": round(float(np.percentile(values, p))) for p in PERCENTILES},
        "mean": round(float(values.mean())),
    }
