"""One workload on one variant, ready to be evaluated for any values of its uncertain numbers.

A scenario's month is a sum over *legs*: each workload on the variant asked for, and what shares,
rules or a fallback (`routing`) send elsewhere. A leg is a vector of means a session; a parameter
multiplies some of its entries, so thousands of draws are a few array products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices
from ingest.traffic.scenarios.efforts import effort_factors, effort_ratio
from ingest.traffic.scenarios.numbers import middle
from ingest.traffic.scenarios.scenario import Scenario, Workload
from ingest.traffic.simulation.library import beyond_record, month_shape, sessions_per_day
from ingest.traffic.simulation.parameters import (
    RATES,
    Parameter,
    number_at,
    parameters,
    with_number,
)
from ingest.traffic.simulation.routing import (
    drawn_shares,
    has_rules,
    variants_of,
    whole_session_shares,
)
from ingest.traffic.simulation.sobol import Z90
from ingest.traffic.simulation.workloads import Means, is_input, is_output, prepare

FloatArray = npt.NDArray[np.float64]

PARTS = ("input", "cached", "cache_write", "output", "reasoning")


@dataclass
class Leg:
    """One workload on one variant: its means, uncertain numbers and what they do.

    ``whole`` is False for the calls that rules send elsewhere: their sessions are counted already.
    ``main`` is the workload's main variant, ``taker`` the one its sessions are ``taken`` from the
    routes by; a draw of the routes' shares is counted over the share in the middle.
    """

    workload: Workload
    variant: str
    means: Means
    params: list[Parameter]
    ends: dict[str, tuple[Means, Means]]
    sessions: float
    effort: float
    beyond: float = 1.0
    whole: bool = True
    surface_error: float = 0.0
    main: str = ""
    taker: str = ""

    def central(self, part: str = "cost") -> float:
        """Expected pico-dollars (or tokens of a part) of the period at the middle of everything."""
        return float(self.evaluate(np.zeros((1, len(self.params))))[part][0])

    def by_effort(self, ratio: FloatArray | None = None) -> dict[str, FloatArray]:
        """Factors of the effort asked for on the output meters."""
        tokens = self.means.tokens
        visible, thinking = effort_factors(
            tokens.get("output_text", 0.0), tokens.get("reasoning", 0.0),
            self.effort if ratio is None else ratio, self.workload.output.effort,
        )  # fmt: skip
        return {"output_text": visible, "reasoning": thinking}

    def evaluate(self, z: FloatArray) -> dict[str, FloatArray]:
        """Totals of the period for rows of standard normal parameter values; no session noise."""
        n = len(z)
        count = np.full(n, self.sessions)
        factors = {m: np.ones(n) for m in self.means.tokens}
        price_factors = {m: np.ones(n) for m in self.means.cost}
        f = self.workload.failures
        rates = {r: np.full(n, middle(getattr(f, r))) for r in RATES}
        success = np.full(n, middle(self.workload.success_rate))
        routes: dict[str, FloatArray] = {}
        ratio = np.full(n, self.effort)
        for j, p in enumerate(self.params):
            at = np.clip(z[:, j], -3.0, 3.0)
            factor = np.minimum(np.exp(_bend(at, np.log(p.ends[0]), np.log(p.ends[1]))), p.top)
            if p.kind == "volume":
                count *= factor
            elif p.kind in rates:
                rates[p.kind] *= factor
            elif p.kind == "sessions":
                routes[p.field] = factor
            elif p.kind == "success":
                success *= factor
            elif p.kind == "effort":
                ratio *= factor
            elif p.kind != "structure":
                m = {"output": "output_text"}.get(p.kind, p.kind)
                if m in factors:
                    factors[m] *= factor
                    price_factors[m] *= factor
            if p.field in self.ends:
                self._structure(p, at, factor, factors, price_factors)
        if routes:
            taken = drawn_shares(self.workload, self.main, routes, n)[self.taker]
            count *= taken / whole_session_shares(self.workload, self.main)[self.taker]
        resent = 1 + rates["retry_rate"] + rates["failed_rate"] * rates["failed_input_share"]
        changed = self.by_effort(ratio)
        out = {part: np.zeros(n) for part in (*PARTS, "cost")}
        for m, tokens in self.means.tokens.items():
            more = resent if is_input(m) else changed[m]
            total = count * tokens * factors[m] * more
            out["cost"] += count * self.means.cost[m] * price_factors[m] * more
            if is_input(m):
                out["input"] += total
            if is_output(m):
                out["output"] += total
            if m == "cache_read":
                out["cached"] += total
            if m.startswith("cache_write"):
                out["cache_write"] += total
            if m == "reasoning":
                out["reasoning"] += total
        # Sessions behind the leg's calls, counted elsewhere or not.
        out["count"] = count
        out["sessions"] = count if self.whole else np.zeros(n)
        out["solved"] = out["sessions"] * success
        out["requests"] = (
            count * self.means.calls * (1 + rates["retry_rate"] + rates["failed_rate"])
        )
        return out

    def _structure(
        self,
        p: Parameter,
        at: FloatArray,
        factor: FloatArray,
        factors: dict[str, FloatArray],
        price_factors: dict[str, FloatArray],
    ) -> None:
        low, high = self.ends[p.field]
        for table, name in ((factors, "tokens"), (price_factors, "cost")):
            for m in table:
                centre = getattr(self.means, name)[m]
                ends = [max(getattr(e, name).get(m, 0.0), 1e-9) for e in (low, high)]
                if centre <= 0:
                    continue
                if p.straight:
                    table[m] *= _along(factor, p.ends, (ends[0] / centre, ends[1] / centre))
                else:
                    logs = [float(np.log(e / centre)) for e in ends]
                    table[m] *= np.exp(_bend(np.clip(at, -2, 2), logs[0], logs[1]))


def _bend(z: FloatArray, low: float, high: float) -> FloatArray:
    """Log factor at z: ``low`` at the P10, 0 in the middle, ``high`` at the P90, straight lines."""
    return np.where(z < 0, -z / Z90 * low, z / Z90 * high)


def _along(x: FloatArray, at: tuple[float, float], value: tuple[float, float]) -> FloatArray:
    """A value that goes straight from ``value[0]`` at ``at[0]`` through 1 at 1 to ``value[1]``.

    >>> _along(np.array([0.5, 1.0, 1.5]), (0.5, 2.0), (0.8, 3.0)).tolist()
    [0.8, 1.0, 2.0]
    """
    slopes = [(v - 1) / (a - 1) if a != 1 else 0.0 for a, v in zip(at, value, strict=True)]
    return np.maximum(1 + (x - 1) * np.where(x < 1, slopes[0], slopes[1]), 0.0)


def build_legs(
    scenario: Scenario, workload: Workload, variant: str, prices: Prices, ranges: bool = True
) -> list[tuple[float, Leg]]:
    """The workload on ``variant`` with its routes and rules: (share of sessions, leg) pairs."""
    main = workload.variant or variant
    ruled = has_rules(workload)
    legs: list[tuple[float, Leg]] = []
    for name, share in whole_session_shares(workload, main).items():
        if share <= 1e-12:
            continue
        if name != main or not ruled:
            leg = _leg(scenario, workload, name, prices, ranges)
            leg.main, leg.taker = main, name
            legs.append((share, leg))
            continue
        # Sessions that no share took are answered call by call.
        for number, each in enumerate(variants_of(workload, main)):
            leg = _leg(scenario, workload, each, prices, ranges, main)
            leg.whole, leg.main, leg.taker = number == 0, main, main
            if leg.whole or leg.means.calls:
                legs.append((share, leg))
    return legs


def _leg(
    scenario: Scenario,
    workload: Workload,
    variant: str,
    prices: Prices,
    ranges: bool,
    main: str | None = None,
) -> Leg:
    def means(of: Workload) -> Means:
        return prepare(of, variant, prices, scenario.start, scenario.seed, scenario.seller, main)

    centre = means(workload)
    params = parameters(workload, variant, scenario.days, scenario.start) if ranges else []
    ends = {
        p.field: (means(p.low), means(p.high))
        for p in params
        if p.low is not None and p.high is not None
    }
    o = workload.output
    sessions = sessions_per_day(workload, centre.session_calls) * month_shape(
        workload.volume, scenario.start, scenario.days
    )
    leg = Leg(
        workload, variant, centre, params, ends, sessions,
        effort_ratio(variant, o.reference_effort, o.effort).mid,
        beyond_record(workload, scenario.days),
    )  # fmt: skip
    structural = [p for p in params if p.kind == "structure"]
    if len(structural) > 1:
        # The corner where everything is high tells how far joined effects are off.
        corner = workload
        for p in structural:
            assert p.high is not None
            corner = with_number(corner, p.field, number_at(p.high, p.field))
        z = np.array([[Z90 if p.kind == "structure" else 0.0 for p in params]])
        joined = float(leg.evaluate(z)["cost"][0]) / max(sessions, 1e-12)
        truth = means(corner)
        rate = {r: middle(getattr(workload.failures, r)) for r in RATES}
        resent = 1 + rate["retry_rate"] + rate["failed_rate"] * rate["failed_input_share"]
        changed = leg.by_effort()
        direct = sum(
            c * (float(changed[m]) if is_output(m) else resent) for m, c in truth.cost.items()
        )
        leg.surface_error = joined / direct - 1 if direct else 0.0
    return leg
