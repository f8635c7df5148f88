"""What would stop the scenario from running at all: limits, windows, retirements, caps.

Rate limits are your account's (`[limits.VARIANT]` in the scenario), since providers do not
publish them in one table. The peak minute is the daily shape's highest hour times the
over-dispersion of minutes seen in traces, unless `peak_over_mean` says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices
from ingest.traffic.scenarios.numbers import highest, numbers_of
from ingest.traffic.scenarios.scenario import Scenario, Workload
from ingest.traffic.simulation.workloads import is_input
from pricing.caching import rule_for

if TYPE_CHECKING:
    from ingest.traffic.simulation.legs import Leg

# Peak minute over mean minute in public hour-long traces runs from 1.2 to 4.2.
PEAK_OVER_MEAN = 3.0


def peak_factor(workload: Workload) -> float:
    """Requests of the busiest minute over the mean minute; of a range, its P90."""
    v = workload.volume
    if v.peak_over_mean is not None:
        return highest(v.peak_over_mean)
    shape = numbers_of(v.hour_shape)
    hours = max(shape) / (sum(shape) / 24) if shape and sum(shape) > 0 else 1.0
    return max(PEAK_OVER_MEAN, 1.5 * hours)


def warnings_for(
    scenario: Scenario,
    groups: list[list[tuple[float, Leg]]],
    totals: Mapping[str, npt.NDArray[Any]],
    prices: Prices,
) -> list[str]:
    """Named warnings, each starting with what it is about."""
    out: list[str] = []
    load: dict[str, dict[str, float]] = {}
    end = scenario.start + timedelta(days=scenario.days)
    for group in groups:
        for share, leg in group:
            minute = leg.sessions * share / (scenario.days * 1440) * peak_factor(leg.workload)
            at = load.setdefault(leg.variant, dict.fromkeys(("requests", "input", "output"), 0.0))
            at["requests"] += minute * leg.means.calls
            changed = leg.by_effort()
            for meter, tokens in leg.means.tokens.items():
                if is_input(meter):
                    at["input"] += minute * tokens
                else:
                    at["output"] += minute * tokens * float(changed[meter])
            sheet = prices.sheet(leg.variant, scenario.start, "standard", scenario.seller)
            if sheet is None:
                continue
            cap = leg.workload.output.max_output
            cap = None if cap is None else highest(cap)
            longest = leg.means.peak_input + (cap or 0)
            if sheet.context_window is not None and longest > sheet.context_window:
                out.append(
                    f"context window: {leg.workload.name} reaches {longest:,.0f} tokens on "
                    f"{leg.variant}, which takes {sheet.context_window:,}"
                )
            if sheet.max_output is not None and cap is not None and cap > sheet.max_output:
                out.append(
                    f"maximum output: {leg.workload.name} asks for {cap:,.0f} tokens, "
                    f"{leg.variant} gives at most {sheet.max_output:,}"
                )
            if sheet.retired is not None and sheet.retired <= end:
                out.append(f"retired: {leg.variant} is not served from {sheet.retired} on")
            if sheet.efforts and leg.workload.output.effort not in sheet.efforts:
                out.append(
                    f"effort: {leg.variant} does not know {leg.workload.output.effort!r} "
                    f"(it has {', '.join(sheet.efforts)})"
                )
    for variant, at in load.items():
        rule = rule_for(variant, scenario.start)
        if rule is not None and 0 < rule.overflow_rpm < at["requests"]:
            out.append(
                f"cache routing: {variant} sees {at['requests']:,.0f} requests in its busiest "
                f"minute; above {rule.overflow_rpm} with the same beginning some reach another "
                f"machine and miss the cache, unless a cache key keeps conversations together "
                f"(cache.machines simulates the worst case)"
            )
        limits = scenario.limits.get(variant) or scenario.limits.get("default")
        if limits is None:
            continue
        for name, value, limit in (
            ("requests", at["requests"], limits.requests_per_minute),
            ("input tokens", at["input"], limits.input_tokens_per_minute),
            ("output tokens", at["output"], limits.output_tokens_per_minute),
        ):
            if limit is not None and value > limit:
                out.append(
                    f"rate limit: {variant} sees {value:,.0f} {name} in its busiest minute, "
                    f"the limit is {limit:,.0f}"
                )
        if limits.monthly_usd is not None:
            month = totals["cost"] / 1e12 * 30.4375 / scenario.days
            over = float(np.mean(month > limits.monthly_usd))
            if over > 0.01:
                out.append(
                    f"spend cap: {over:.0%} of the draws pass {limits.monthly_usd:,.0f} USD a month"
                )
    return list(dict.fromkeys(out))
