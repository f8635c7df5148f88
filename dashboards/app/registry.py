"""The pages, in the order of the menu. A new page is one file in `views/` and one line here.

The bar holds the two pages people stay on, then one fold a question they come with, so that no
page hides behind "more":

    Overview  Explore  | Spend: why it moved… | Plan: forecast… | Prices: variants… | Books: …
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

VIEWS = Path(__file__).parent / "views"


class Entry(NamedTuple):
    """One page: its file in `views/` (and its address), title, icon, what it is for, and whether
    it has something to say only once calls are imported."""

    name: str
    title: str
    icon: str
    help: str
    needs_calls: bool = True

    @property
    def file(self) -> Path:
        """The page's script."""
        return VIEWS / f"{self.name}.py"


MENU: dict[str, tuple[Entry, ...]] = {
    "": (
        Entry(
            "overview", "Overview", "space_dashboard", "Spend over time, key figures, what changed."
        ),
        Entry("explore", "Explore", "query_stats", "Spend by any dimension, down to single calls."),
    ),
    "Spend": (
        Entry("why", "Why it moved", "waterfall_chart", "Price, volume, mix and cache effects."),
        Entry("anomalies", "Anomalies", "notifications", "Unusual days, their causes and cost."),
        Entry("reconcile", "Reconcile", "balance", "What was charged against what the books say."),
    ),
    "Plan": (
        Entry("forecast", "Forecast", "trending_up", "Where the month and the quarter will end."),
        Entry("budgets", "Budgets", "savings", "Spend, forecast and chance to exceed, by budget."),
        Entry("simulate", "Simulate", "rocket_launch", "The month's bill before launch.", False),
        Entry(
            "replay", "Replay", "replay", "A recorded trace through cache rules and prices.", False
        ),
    ),
    "Prices": (
        Entry("variants", "Variants", "compare_arrows", "The same traffic on other variants."),
        Entry("rates", "Rates", "sell", "The pricing table with its history and sources.", False),
    ),
    "Books": (
        Entry("export", "Export", "download", "CSV, Parquet, FOCUS and the month on paper."),
        Entry(
            "quality", "Imports & data quality", "fact_check", "What was read, refused, unpriced."
        ),
    ),
}

PAGES: tuple[Entry, ...] = tuple(entry for entries in MENU.values() for entry in entries)
