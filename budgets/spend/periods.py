"""Which days a budget covers: months, quarters and years of a fiscal calendar, custom spans.

>>> period_of(date(2026, 3, 15), "quarter", fiscal_start=2)
Span(since=datetime.date(2026, 2, 1), until=datetime.date(2026, 5, 1))
>>> period_of(date(2026, 1, 31), "year", fiscal_start=4)
Span(since=datetime.date(2025, 4, 1), until=datetime.date(2026, 4, 1))
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from budgets.spend.model import Budget

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `since` up to, not including, `until`."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.since).days

    def __contains__(self, day: date) -> bool:
        return self.since <= day < self.until


def add_months(first: date, months: int) -> date:
    """The first of the month so many months on from a first of a month."""
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def period_of(
    day: date, period: Literal["month", "quarter", "year"], *, fiscal_start: int = 1
) -> Span:
    """The period a day falls in; quarters and years begin with the fiscal year's first month."""
    length = _MONTHS[period]
    back = (day.month - fiscal_start) % length
    first = add_months(day.replace(day=1), -back)
    return Span(first, add_months(first, length))


def span_of(budget: Budget, day: date) -> Span:
    """The days a budget covers, seen from a day."""
    if budget.period == "custom":
        assert budget.since is not None and budget.until is not None  # checked when it was read
        return Span(budget.since, budget.until)
    return period_of(day, budget.period, fiscal_start=budget.fiscal_start)
