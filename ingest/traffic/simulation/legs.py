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
from ingest.traffic.simulation.parameters import Parameter, parameters, with_number
from ingest.traffic.simulation.routing import has_rules, variants_of, whole_session_shares
from ingest.traffic.simulation.sobol import Z90
from ingest.traffic.simulation.workloads import Means, is_input, is_output, prepare

FloatArray = npt.NDArray[np.float64]

PARTS = ("input", "cached", "cache_write", "output", "reasoning")


@dataclass
class Leg:
    """One workload on one variant: its means, uncertain numbers and what they do.

    ``whole`` is False for the calls that rules send elsewhere: their sessions are counted already.
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
        rates = {r: np.full(n, middle(getattr(f, r))) for r in ("retry_rate", "failed_rate")}
        ratio = np.full(n, self.effort)
        for j, p in enumerate(self.params):
            at = np.clip(z[:, j], -3.0, 3.0)
            factor = np.exp(_bend(at, np.log(p.ends[0]), np.log(p.ends[1])))
            if p.kind == "volume":
                count *= factor
            elif p.kind in rates:
                centre = middle(getattr(f, p.kind))
                low, high = p.ends[0] / centre, p.ends[1] / centre
                rates[p.kind] = centre * np.exp(_bend(at, np.log(low), np.log(high)))
            elif p.kind == "structure":
                self._structure(p, at, factors, price_factors)
            elif p.kind == "effort":
                ratio *= factor
            else:
                m = {"output": "output_text"}.get(p.kind, p.kind)
                if m in factors:
                    factors[m] *= factor
                    price_factors[m] *= factor
        resent = 1 + rates["retry_rate"] + rates["failed_rate"] * f.failed_input_share
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
        out["sessions"] = count if self.whole else np.zeros(n)
        out["requests"] = (
            count * self.means.calls * (1 + rates["retry_rate"] + rates["failed_rate"])
        )
        return out

    def _structure(
        self,
        p: Parameter,
        at: FloatArray,
        factors: dict[str, FloatArray],
        price_factors: dict[str, FloatArray],
    ) -> None:
        low, high = self.ends[p.field]
        for table, name in ((factors, "tokens"), (price_factors, "cost")):
            for m in table:
                centre = getattr(self.means, name)[m]
                ends = [max(getattr(e, name).get(m, 0.0), 1e-9) for e in (low, high)]
                if centre > 0:
                    logs = [float(np.log(e / centre)) for e in ends]
                    table[m] *= np.exp(_bend(np.clip(at, -2, 2), logs[0], logs[1]))


def _bend(z: FloatArray, low: float, high: float) -> FloatArray:
    """Log factor at z: ``low`` at the P10, 0 in the middle, ``high`` at the P90, straight lines."""
    return np.where(z < 0, -z / Z90 * low, z / Z90 * high)


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
            legs.append((share, _leg(scenario, workload, name, prices, ranges)))
            continue
        # Sessions that no share took are answered call by call.
        for number, each in enumerate(variants_of(workload, main)):
            leg = _leg(scenario, workload, each, prices, ranges, main)
            leg.whole = number == 0
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
            table, key = p.field.split(".")
            corner = with_number(corner, p.field, getattr(getattr(p.high, table), key))
        z = np.array([[Z90 if p.kind == "structure" else 0.0 for p in params]])
        joined = float(leg.evaluate(z)["cost"][0]) / max(sessions, 1e-12)
        truth = means(corner)
        changed = leg.by_effort()
        direct = sum(
            c * (float(changed[m]) if is_output(m) else 1 + middle(workload.failures.retry_rate)
                 + middle(workload.failures.failed_rate) * workload.failures.failed_input_share)
            for m, c in truth.cost.items()
        )  # fmt: skip
        leg.surface_error = joined / direct - 1 if direct else 0.0
    return leg
