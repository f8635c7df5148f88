"""What would lower the bill: each lever alone and all together, ranked, with what it assumes.

Levers are priced at the middle of every number, on the scenario's first variant, by simulating
the changed scenario; nothing is taken from a rule of thumb. Where the share that can wait or is
easy is a range, the saving at its P10 and P90 stands beside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.traffic.prices import Prices, usd_estimate
from ingest.traffic.scenarios.efforts import EFFORTS
from ingest.traffic.scenarios.numbers import Part, Range, is_range, middle
from ingest.traffic.scenarios.scenario import Route, Scenario, Workload
from ingest.traffic.simulation.legs import build_legs
from pricing.caching import rule_for

CAN_WAIT = 0.2
EASY = 0.3
SHORTER = 0.75


@dataclass(frozen=True)
class Lever:
    """A change of the scenario and what has to hold for it; ``share`` names the workloads' number
    that says how far it reaches."""

    name: str
    assumes: str
    change: Callable[[Scenario], Scenario]
    joins: bool = True
    share: str = ""


def central_cost(scenario: Scenario, prices: Prices) -> float:
    """Expected pico-dollars of the period on the first variant, at the middle of everything."""
    return sum(
        share * leg.central()
        for w in scenario.workloads
        for share, leg in build_legs(scenario, w, scenario.variants[0], prices, ranges=False)
    )


def each(change: Callable[[Workload], Workload]) -> Callable[[Scenario], Scenario]:
    """Lift a change of one workload to all of them."""
    return lambda s: s.model_copy(update={"workloads": [change(w) for w in s.workloads]})


def _set(table: str, **values: Any) -> Callable[[Workload], Workload]:
    return lambda w: w.model_copy(update={table: getattr(w, table).model_copy(update=values)})


def levers_for(scenario: Scenario, prices: Prices) -> list[Lever]:
    """The levers that can change this scenario."""
    loads = scenario.workloads
    out: list[Lever] = []
    if any(not w.cache.enabled for w in loads):
        out.append(Lever("turn caching on", "prompts begin the same way each time",
                         each(_set("cache", enabled=True))))  # fmt: skip
    if any(not w.cache.stable_prefix for w in loads):
        out.append(
            Lever("reorder the prompt for the cache",
                  "what changes (dates, names) moves behind what stays the same",
                  each(_set("cache", stable_prefix=True, enabled=True)))
        )  # fmt: skip
    if any(middle(w.cache.machines) > 1 for w in loads):
        out.append(Lever("sticky routing (cache key)", "calls with the same beginning reach one "
                         "machine", each(_set("cache", machines=1))))  # fmt: skip
    rule = rule_for(scenario.variants[0], scenario.start)
    for seconds, write in rule.options if rule is not None else ():
        if seconds > rule.lifetime_s:  # type: ignore[union-attr]
            out.append(
                Lever(f"cache for {seconds // 60} minutes",
                      f"the longer lifetime is asked for; writes billed as {write}",
                      each(_set("cache", lifetime_s=seconds)), joins=False)
            )  # fmt: skip
    for tier in ("batch", "flex"):
        if prices.sheet(scenario.variants[0], scenario.start, tier, scenario.seller) is None:
            continue
        out.append(
            Lever(f"{tier} for what can wait",
                  _most([w.can_wait for w in loads], CAN_WAIT) + " of the traffic can wait"
                  + ("" if any(w.can_wait for w in loads) else " (assumed; set can_wait)"),
                  each(_wait(tier)), joins=tier == "batch", share="can_wait")
        )  # fmt: skip
    if any(EFFORTS.index(w.output.effort) > 0 and _thinks(w) for w in loads):
        out.append(Lever("one step less effort", "answers stay good enough; ratios from the "
                         "effort table", each(_less_effort)))  # fmt: skip
    out.append(Lever("answers a quarter shorter", "a limit or instruction that shortens answers "
                     "by 25 % at equal quality", each(_shorter)))  # fmt: skip
    small = _smaller(scenario, prices)
    if small is not None:
        out.append(
            Lever(f"route the easy share to {small}",
                  _most([w.easy_share for w in loads], EASY) + " of the sessions are easy enough"
                  + ("" if any(w.easy_share for w in loads) else " (assumed; set easy_share)"),
                  each(_easy(small)), share="easy_share")
        )  # fmt: skip
    if any(w.trace is None and w.compaction.at_tokens is None and w.structure.history
           for w in loads):  # fmt: skip
        out.append(Lever("compact long histories", "history beyond 8,000 tokens is cut to a "
                         "fifth without loss", each(_compact)))  # fmt: skip
    if any(w.failures.retry_rate for w in loads):
        out.append(Lever("no retries", "the cause of retries is removed",
                         each(_set("failures", retry_rate=0))))  # fmt: skip
    sellers_of: Callable[..., list[str]] | None = getattr(prices, "sellers_of", None)
    others = sellers_of(scenario.variants[0], scenario.seller) if sellers_of is not None else ()
    for seller in others:
        out.append(Lever(f"buy from {seller}", "its price list holds, and its terms will do",
                         lambda s, seller=seller: s.model_copy(update={"seller": seller}),
                         joins=False))  # fmt: skip
    return out


def rank_levers(scenario: Scenario, prices: Prices) -> list[dict[str, Any]]:
    """Every lever's saving against the scenario as it is, largest first; last, all together."""
    base = central_cost(scenario, prices)
    rows: list[dict[str, Any]] = []
    together = scenario
    joined: list[str] = []
    for lever in levers_for(scenario, prices):
        try:
            cost = central_cost(lever.change(scenario), prices)
        except LookupError:
            continue
        row = _row(lever.name, lever.assumes, cost, base)
        if lever.share and any(is_range(getattr(w, lever.share)) for w in scenario.workloads):
            for end in ("p10", "p90"):
                there = lever.change(_at_end(scenario, lever.share, end))
                row[f"saving_{end}_usd"] = usd_estimate(base - central_cost(there, prices))
        rows.append(row)
        if lever.joins and cost < base * (1 - 1e-9):
            together = lever.change(together)
            joined.append(lever.name)
    rows.sort(key=lambda r: -r["saving"])
    if len(joined) > 1:
        cost = central_cost(together, prices)
        rows.append(_row("all together", "; ".join(joined), cost, base))
    return rows


def _row(name: str, assumes: str, cost: float, base: float) -> dict[str, Any]:
    return {
        "lever": name,
        "assumes": assumes,
        "cost_usd": usd_estimate(cost),
        "saving_usd": usd_estimate(base - cost),
        "saving": 1 - cost / base if base else 0.0,
    }


def _at_end(scenario: Scenario, name: str, end: str) -> Scenario:
    """The scenario with a share of every workload at an end of its range."""
    return each(lambda w: w.model_copy(
        update={name: getattr(getattr(w, name), end, getattr(w, name))}
    ))(scenario)  # fmt: skip


def _most(shares: Sequence[Part], assumed: float) -> str:
    """The largest of some shares in words: "20%" or "10% to 40%"."""
    most = max(shares, key=middle, default=0.0)
    if isinstance(most, Range):
        return f"{most.p10:.0%} to {most.p90:.0%}"
    return f"{middle(most) or assumed:.0%}"


def _thinks(w: Workload) -> bool:
    return w.output.reasoning_tokens != 0 or w.output.effort != w.output.reference_effort


def _less_effort(w: Workload) -> Workload:
    at = EFFORTS.index(w.output.effort)
    lower = EFFORTS[max(at - 1, 0)] if EFFORTS[at - 1] != "minimal" else EFFORTS[max(at - 2, 0)]
    return _set("output", effort=lower)(w)


def _shorter(w: Workload) -> Workload:
    scale = middle(w.output.median_scale) * SHORTER
    tail = middle(w.output.tail_scale) * SHORTER
    return _set("output", median_scale=scale, tail_scale=tail)(w)


def _wait(tier: str) -> Callable[[Workload], Workload]:
    def change(w: Workload) -> Workload:
        free = 1 - sum(middle(getattr(w.tiers, t)) for t in ("batch", "flex", "priority"))
        share = min(middle(w.can_wait) or CAN_WAIT, free)
        return _set("tiers", **{tier: middle(getattr(w.tiers, tier)) + share})(w)

    return change


def _easy(small: str) -> Callable[[Workload], Workload]:
    def change(w: Workload) -> Workload:
        taken = sum(middle(r.share or 0.0) for r in w.routing if r.when is None)
        share = min(middle(w.easy_share) or EASY, 1 - taken)
        route = Route(variant=small, share=max(share, 0.0))
        return w.model_copy(update={"routing": [*w.routing, route]})

    return change


def _compact(w: Workload) -> Workload:
    if w.trace is not None or w.compaction.at_tokens is not None:
        return w
    return _set("compaction", at_tokens=8_000, keep_share=0.2)(w)


def _smaller(scenario: Scenario, prices: Prices) -> str | None:
    """The cheapest other variant of the scenario, by input and output price."""

    def level(variant: str) -> float | None:
        sheet = prices.sheet(variant, scenario.start, "standard", scenario.seller)
        if sheet is None:
            return None
        unit = [sheet.bands[0].price(m) for m in ("input_uncached", "output_text")]
        return None if None in unit else float(sum(p for p in unit if p is not None))

    base = level(scenario.variants[0])
    others = {v: p for v in scenario.variants[1:] if (p := level(v)) is not None}
    if base is None or not others:
        return None
    best = min(others, key=lambda v: others[v])
    return best if others[best] < base else None
