"""What is coming, as the pages show it: the day looked from, the forecast, its fan as rows.

Every page that shows a forecast asks for the same one, so that Overview, Forecast and Budgets say
the same and the work is done once. A filter by team or variant reads off the whole forecast's
leaves; another filter needs a forecast of its own.

    with st.sidebar:
        day = as_of()
    ahead = look(books, "Europe/Berlin", {"team": ["search"]}, day)
    ahead.seen.end_of(ahead.month, ahead.where)
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import streamlit as st

from budgets.spend.outlook import cumulative_fan
from budgets.spend.periods import Span, add_months, period_of
from dashboards.app.source import Source
from dashboards.forecasting.outlook import LEAVES, Outlook, look_ahead, starting_day
from dashboards.queries.scope import Scope

PICO = 10**12


def as_of() -> date | None:
    """The day to look from; None is today, or the day after the newest call if that is old."""
    chosen = st.date_input(
        "As of", None, key="as_of", bind="query-params", format="YYYY-MM-DD",
        help="Forecasts and budgets as they stood on this day. Empty: today, or the day after the "
        "newest call when nothing has come in for more than two days.",
    )  # fmt: skip
    return chosen if isinstance(chosen, date) else None


@dataclass(frozen=True, slots=True)
class Ahead:
    """A forecast, the part of it that is asked for, and the periods around its first day."""

    seen: Outlook
    where: dict[str, list[str]]
    """Leaves that are meant; empty: all of them."""
    start: date
    month: Span
    quarter: Span
    before: Span
    """The month before."""
    notes: tuple[str, ...]
    name: Hashable
    """What was asked: what is worked out from this forecast can be remembered under it."""

    def what_if(self, seen: Outlook, name: Hashable) -> Ahead:
        """The same with another outlook: what a scenario makes of it."""
        return replace(self, seen=seen, name=(self.name, name))

    def spent(self, span: Span) -> int:
        """Pico-dollars spent within a span until now."""
        return self.seen.spent(span, self.where)

    def running(self, span: Span) -> list[tuple[date, int]]:
        """The running total at the end of each complete day of a span, in pico-dollars."""
        leaves = set(self.seen.leaves(self.where))
        # A leaf without a forecast has no price either; it is in no cost.
        rows = [row for leaf, row in self.seen.seen.cost.items() if leaf in leaves]
        total = 0
        found: list[tuple[date, int]] = []
        for n, day in enumerate(self.seen.seen.days):
            if day in span:
                total += sum(row[n] for row in rows)
                found.append((day, total))
        return found

    def fan(self, span: Span) -> list[tuple[date, float, float, float]]:
        """(day, P10, P50, P90) of the running total in USD over the days still to come."""
        within = self.seen.ahead(span)
        paths = self.seen.money(self.where, within)
        days = self.seen.dates[within].astype(object).tolist()
        if not days:
            return []
        bands = np.asarray(cumulative_fan(paths, self.spent(span) / PICO)).T.tolist()
        return [(d, *b) for d, b in zip(days, bands, strict=True)]


def look(
    books: Source, zone: str, where: Mapping[str, Sequence[str]], day: date | None = None
) -> Ahead:
    """The forecast from a day on, to the end of its quarter. Raises `ForecastError`."""
    note = ""
    if day is None:
        day, note = books.ask(starting_day, Scope(zone=zone))
    month, quarter = period_of(day, "month"), period_of(day, "quarter")
    before = Span(add_months(month.since, -1), month.since)
    whole = set(where) <= set(LEAVES)
    scope = Scope(zone=zone) if whole else Scope(zone=zone, where=where)
    seen = books.ask_priced(
        look_ahead, (), scope, horizon=(quarter.until - day).days, start=day,
        since=min(quarter.since, before.since),
    )  # fmt: skip
    leaves = {k: [v or "(none)" for v in vs] for k, vs in where.items()} if whole else {}
    notes = [note.replace(" (--as-of changes it)", "")] if note else []
    name = (zone, repr(sorted((k, sorted(vs)) for k, vs in where.items())), day)
    return Ahead(seen, leaves, day, month, quarter, before, (*notes, *seen.notes), name)


def fan_rows(
    running: Sequence[tuple[date, float]], fan: Sequence[tuple[date, float, float, float]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(actual, coming) as `finance_charts.fan` takes them: the fan opens from the last actual."""
    actual = [{"day": f"{d}T00:00:00", "value": v} for d, v in running]
    coming = [{"day": f"{d}T00:00:00", "low": a, "middle": b, "high": c} for d, a, b, c in fan]
    if coming and running and running[-1][0] + timedelta(days=1) == fan[0][0]:
        last, value = running[-1]
        start = {"day": f"{last}T00:00:00", "low": value, "middle": value, "high": value}
        coming.insert(0, start)
    return actual, coming
