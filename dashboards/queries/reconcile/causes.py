"""Why a period's charge differs: missing calls, cost booked late, rounding, and what is left.

A cell is one period of one report in one value of its dimensions. Each step takes its part of the
residual and leaves the rest to the next, so the causes always add up.

    charged 5.00, computed 4.20; the usage report has 1,000,000 tokens more than the calls, at 0.60:
    missing_calls 0.60, and 0.20 that nothing explains
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dashboards.queries.reconcile.answer import Row
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED

LATE_DAYS = 3
SETTLED = timedelta(days=2)
_SAME = 100  # two amounts are the same when they differ by less than one part in this many
MEASURED = tuple(m for m in COUNTED if m != "reasoning")


@dataclass(slots=True)
class Cell:
    """One period of one report in one value of its dimensions."""

    row: Row
    end: datetime
    figures: int = 0
    unpriced: int = 0
    assumed: int = 0
    read_at: datetime | None = None
    reported: dict[tuple[str, str | None], dict[str, int]] = field(default_factory=dict)
    stored: dict[tuple[str, str | None], dict[str, int]] = field(default_factory=dict)


def measure_missing(cell: Cell, catalogue: Catalogue, provider: str) -> None:
    """Tokens the provider counts and no stored call has, at the card's base prices."""
    at = cell.row.keys[2]
    for variant in sorted({variant for variant, _ in cell.reported}):
        tiers = {tier for name, tier in cell.reported if name == variant}
        whole = None in tiers
        for tier in [None] if whole else sorted(t for t in tiers if t is not None):
            told = _sum(cell.reported, variant, None if whole else tier)
            held = _sum(cell.stored, variant, None if whole else tier)
            route = catalogue.route(provider, variant, tier=tier or "standard")
            if route.card is None:
                continue
            for v in catalogue.vectors(route.card):
                if v.valid_from <= at < v.valid_to and v.min_input == 0 and v.minute_from == 0:
                    cell.row.causes["missing_calls"] += sum(
                        (told[m] - held[m]) * (v.price(m) or 0) for m in MEASURED
                    )
                    break


def _sum(
    counts: Mapping[tuple[str, str | None], Mapping[str, int]], variant: str, tier: str | None
) -> dict[str, int]:
    """Counts of a variant on one tier, or on all (None)."""
    total = dict.fromkeys(MEASURED, 0)
    for (name, place), held in counts.items():
        if name == variant and (tier is None or place == tier):
            for meter in MEASURED:
                total[meter] += held[meter]
    return total


def finest_digit(rows: Iterable[Mapping[str, Any]]) -> int:
    """The finest digit a source writes, cents at least, in pico-dollars (1 at the smallest)."""
    digits = max(
        (len(format(r["amount"], "f").partition(".")[2].rstrip("0")) for r in rows), default=2
    )
    return 10 ** max(0, 12 - max(2, digits))


def _rest(cell: Cell) -> int:
    return cell.row.residual_pico - sum(cell.row.causes.values())


def _rounds(cell: Cell, unit: int) -> bool:
    return 2 * abs(_rest(cell)) <= max(unit, 2) * max(1, cell.figures)


def find_late(cells: list[Cell], unit: int) -> None:
    """Amounts that lack on one day and are over on one of the next days."""
    series: dict[tuple[Any, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        series[cell.row.keys[3:]].append(cell)
    for days in series.values():
        days.sort(key=lambda c: c.row.keys[2])
        for place, cell in enumerate(days):
            short = -_rest(cell)
            if short <= 0 or _rounds(cell, unit):
                continue
            for later in days[place + 1 :]:
                if later.row.keys[2] - cell.row.keys[2] > timedelta(days=LATE_DAYS):
                    break
                over = _rest(later)
                if over > 0 and abs(over - short) * _SAME <= short:
                    moved = min(over, short)
                    cell.row.causes["late_cost"] -= moved
                    later.row.causes["late_cost"] += moved
                    break
        newest = days[-1]
        early = newest.read_at is not None and newest.read_at < newest.end + SETTLED
        if early and _rest(newest) < 0 and not _rounds(newest, unit):
            newest.row.causes["late_cost"] += _rest(newest)


def settle(cell: Cell, unit: int) -> None:
    """Give what is left of the residual its cause."""
    rest = _rest(cell)
    if not rest:
        return
    if cell.row.calls == 0 and not cell.reported and rest > 0:
        cause = "missing_calls"
    elif _rounds(cell, unit):
        cause = "rounding"
    elif cell.unpriced and rest > 0:
        cause = "unpriced"
    elif cell.assumed:
        cause = "assumed"
    else:
        cause = "unexplained"
    cell.row.causes[cause] += rest
