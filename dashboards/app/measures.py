"""What can be measured of a group of calls: all of them add up, so bars may be stacked.

>>> MEASURES["cost"].kind
'usd'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dashboards.app import parts
from dashboards.app.parts import Kind
from dashboards.queries.spend import SpendRow


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a group. `of` gives whole pico-dollars or a count; None is unknown."""

    name: str
    label: str
    kind: Kind
    says: str
    of: Callable[[SpendRow], int | None]

    def words(self, value: int | None) -> str:
        """A value for people."""
        if self.kind == "usd":
            return parts.money(value)
        return "unknown" if value is None else f"{value:,}"

    def plotted(self, value: int) -> float:
        """A value for a chart."""
        return value / 1e12 if self.kind == "usd" else float(value)


def _cost(row: SpendRow) -> int | None:
    return None if row.wholly_unpriced else row.cost_pico


MEASURES: dict[str, Measure] = {
    m.name: m
    for m in (
        Measure("cost", "Cost", "usd", "cost of priced calls", _cost),
        Measure("calls", "Calls", "count", "calls", lambda r: r.calls),
        Measure(
            "tokens", "Tokens", "count", "input and output tokens",
            lambda r: r.input_tokens + r.output_tokens,
        ),
        Measure(
            "output", "Output tokens", "count", "output tokens, reasoning included",
            lambda r: r.output_tokens,
        ),
        Measure(
            "savings", "Cache savings", "usd", "what the cache saved, write premiums taken off",
            lambda r: r.cache_savings_pico,
        ),
        Measure("unpriced", "Unpriced calls", "count", "calls without a price",
                lambda r: r.unpriced_calls),
    )
}  # fmt: skip
