"""Periods as people write them, as local days: a month, a quarter, a year, a day, a range.

>>> parse_span("2026-Q1"), parse_span("2026-02-27..2026-03-02")
(Span(since=datetime.date(2026, 1, 1), until=datetime.date(2026, 4, 1)), \
Span(since=datetime.date(2026, 2, 27), until=datetime.date(2026, 3, 2)))
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from budgets.spend.periods import Span, add_months
from dashboards.queries.scope import Scope, ScopeError, parse_edge, zone_info


def parse_span(text: str, *, now: datetime | None = None, zone: str = "UTC") -> Span:
    """Read `2026`, `2026-Q1`, `2026-03`, `2026-03-05`, `this-month`, `last-month`, `30d` (the last
    thirty whole days) or `2026-02-01..2026-03-01` (end exclusive). Raises `ScopeError`."""
    word = text.strip().lower()
    today = (now or datetime.now(UTC)).astimezone(zone_info(zone)).date()
    if ".." in word:
        low, high = (parse_edge(part, now, zone).date() for part in word.split("..", 1))
        if low >= high:
            raise ScopeError(f"{text!r}: the period ends before it begins")
        return Span(low, high)
    if word in ("this-month", "last-month"):
        first = add_months(today.replace(day=1), -1 if word == "last-month" else 0)
        return Span(first, add_months(first, 1))
    if re.fullmatch(r"\d{4}", word):
        return Span(date(int(word), 1, 1), date(int(word) + 1, 1, 1))
    quarter = re.fullmatch(r"(\d{4})-q([1-4])", word)
    if quarter:
        first = date(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)
        return Span(first, add_months(first, 3))
    edge = parse_edge(text, now, zone).date()
    if re.fullmatch(r"\d{4}-\d{2}", word):
        return Span(edge, add_months(edge, 1))
    if re.fullmatch(r"\d+\s*[dwm].*", word):
        return Span(edge, today)
    return Span(edge, edge + timedelta(days=1))


def scope_of(span: Span, zone: str, where: dict[str, list[str]] | None = None) -> Scope:
    """The calls of a period."""
    low, high = (datetime(d.year, d.month, d.day) for d in (span.since, span.until))
    return Scope(low, high, zone, where or {})


def before(span: Span) -> Span:
    """The period before: the month before a month (quarter, year alike), else as many days."""
    months = (span.until.year - span.since.year) * 12 + span.until.month - span.since.month
    if span.since.day == span.until.day == 1 and months in (1, 3, 12):
        return Span(add_months(span.since, -months), span.since)
    return Span(span.since - timedelta(days=span.days), span.since)


def show_span(span: Span) -> str:
    """`2026-03`, `2026-Q1`, `2026`, a day, or `from … until …`."""
    first = span.since.day == 1
    if first and span.until == add_months(span.since, 1):
        return f"{span.since:%Y-%m}"
    if first and span.since.month % 3 == 1 and span.until == add_months(span.since, 3):
        return f"{span.since.year}-Q{span.since.month // 3 + 1}"
    if first and span.since.month == 1 and span.until == add_months(span.since, 12):
        return f"{span.since.year}"
    if span.days == 1:
        return span.since.isoformat()
    return f"{span.since} until {span.until}"
