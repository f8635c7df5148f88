"""What changed between two periods: each group's cost before and now, the largest moves first.

    moves = movers(spend_before, spend_now)
    sum(m.change_pico for m in moves) == now.total.cost_pico - before.total.cost_pico

It says *what* moved; why (price, volume, mix) is `dashboards.explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dashboards.queries.spend import Spend
from pricing.money import usd


@dataclass(frozen=True, slots=True)
class Mover:
    """One group in both periods; money in pico-dollars, 0 where the group had no priced call."""

    keys: tuple[Any, ...]
    before_pico: int
    now_pico: int
    calls_before: int
    calls_now: int
    unpriced_calls: int

    @property
    def change_pico(self) -> int:
        """Now less before."""
        return self.now_pico - self.before_pico

    @property
    def change_usd(self) -> Decimal:
        """Now less before in USD, exact."""
        return usd(self.change_pico)

    @property
    def kind(self) -> str:
        """`new`, `gone` or `` (in both periods)."""
        return "new" if not self.calls_before else "gone" if not self.calls_now else ""


def movers(before: Spend, now: Spend) -> list[Mover]:
    """Groups of either period, largest absolute change of cost first; `by` must be the same."""
    old = {row.keys: row for row in before.rows}
    new = {row.keys: row for row in now.rows}
    found = [
        Mover(
            key,
            old[key].cost_pico if key in old else 0,
            new[key].cost_pico if key in new else 0,
            old[key].calls if key in old else 0,
            new[key].calls if key in new else 0,
            (old[key].unpriced_calls if key in old else 0)
            + (new[key].unpriced_calls if key in new else 0),
        )
        for key in {**old, **new}
    ]
    return sorted(found, key=lambda m: (-abs(m.change_pico), tuple(str(k) for k in m.keys)))


@dataclass(frozen=True, slots=True)
class ParetoRow:
    """One group with its share of the priced cost and the share of all groups up to it."""

    key: Any
    cost_pico: int
    share: float
    cumulative: float


def pareto(answer: Spend) -> list[ParetoRow]:
    """The groups of a one-dimensional answer, dearest first, with running shares of the cost.

    Groups without any priced call are left out: their cost is unknown.
    """
    total = answer.total.cost_pico
    running = 0
    found: list[ParetoRow] = []
    for row in sorted(answer.rows, key=lambda r: (-r.cost_pico, str(r.keys))):
        if row.wholly_unpriced:
            continue
        running += row.cost_pico
        share = row.cost_pico / total if total else 0.0
        found.append(ParetoRow(row.keys[0], row.cost_pico, share, running / total if total else 0))
    return found
