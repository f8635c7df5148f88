"""The answer of a reconciliation: rows whose causes add up to their residual exactly.

row = Row(("openai-org", "openai", day), 3, charged_pico=5 * 10**12, computed_pico=4 * 10**12)
row.residual_pico     # 10**12: what its causes share among them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dashboards.queries.scope import show_value
from pricing.money import plain, usd

CAUSES = ("unpriced", "assumed", "missing_calls", "late_cost", "rounding", "unexplained")


@dataclass(slots=True)
class Row:
    """One group: what was charged and computed, in pico-dollars, and why they differ."""

    keys: tuple[Any, ...]
    calls: int
    charged_pico: int
    computed_pico: int
    causes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))

    @property
    def residual_pico(self) -> int:
        """Charged minus computed: the sum of the causes."""
        return self.charged_pico - self.computed_pico

    @property
    def main_cause(self) -> str:
        """The cause of the largest part of the residual, or "" where there is no residual."""
        cause, value = max(self.causes.items(), key=lambda item: abs(item[1]))
        return cause if value else ""

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain types, money as decimal strings in USD."""
        keys = {
            n: None if k is None else show_value(k) for n, k in zip(names, self.keys, strict=True)
        }
        return {
            **keys,
            "calls": self.calls,
            "charged_usd": plain(usd(self.charged_pico)),
            "computed_usd": plain(usd(self.computed_pico)),
            "residual_usd": plain(usd(self.residual_pico)),
            "causes_usd": {name: plain(usd(value)) for name, value in self.causes.items()},
        }


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One of the two answers: its rows, their total, and what was left out."""

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Row:
        """The exact sum of the rows."""
        total = Row((), 0, 0, 0)
        for row in self.rows:
            total.calls += row.calls
            total.charged_pico += row.charged_pico
            total.computed_pico += row.computed_pico
            for name in CAUSES:
                total.causes[name] += row.causes[name]
        return total

    @property
    def unexplained_share(self) -> Decimal:
        """The unexplained part of all rows, each at its size, over what was charged."""
        off = sum(abs(row.causes["unexplained"]) for row in self.rows)
        charged = sum(abs(row.charged_pico) for row in self.rows)
        return Decimal(off) / charged if charged else Decimal(1 if off else 0)

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "by": list(self.by),
            "rows": [row.as_json(self.by) for row in self.rows],
            "total": self.total.as_json(()),
            "unexplained_share": str(round(self.unexplained_share, 6)),
            "notes": list(self.notes),
        }


def ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By their keys, nothing first."""
    return tuple(sorted(rows, key=lambda r: tuple("" if k is None else str(k) for k in r.keys)))
