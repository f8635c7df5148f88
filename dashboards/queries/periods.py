"""Named periods, the one before, and how finely to cut them.

A period ends where the books end: "latest month" is the calendar month of the last call stored,
so that a page is never empty because nothing was imported today. All edges are local wall-clock
times in the reader's zone; `until` is exclusive.

>>> books = Extent(datetime(2026, 3, 1, 8), datetime(2026, 3, 20, 17), 10)
>>> period("latest month", books, "UTC").until
datetime.datetime(2026, 4, 1, 0, 0)
>>> previous(period("latest month", books, "UTC")).until     # as many days of the month before
datetime.datetime(2026, 2, 21, 0, 0)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dashboards.queries.scope import REAL, Scope, ScopeError, dimension, zone_info

if TYPE_CHECKING:
    import duckdb

NAMES = (
    "latest month", "month before", "latest 7 days", "latest 30 days", "latest 90 days",
    "latest 12 months", "all time",
)  # fmt: skip

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Extent:
    """First and last instant of the stored calls (naive UTC) and how many rows there are."""

    first: datetime
    last: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of local time. `covered` is where its data ends (never after `until`)."""

    since: datetime
    until: datetime
    covered: datetime
    zone: str

    def words(self) -> str:
        """The period as people write it, both days inclusive."""
        last = self.until - timedelta(microseconds=1)
        if last.date() == self.since.date():
            return f"{self.since:%Y-%m-%d}"
        return f"{self.since:%Y-%m-%d} to {last:%Y-%m-%d}"


def extent(con: duckdb.DuckDBPyConnection) -> Extent | None:
    """From when to when there are calls; None in an empty store."""
    first, last, rows = con.execute(
        "SELECT min(occurred_at), max(occurred_at), count(*) FROM calls_stored"
    ).fetchall()[0]
    return Extent(first, last, rows) if rows else None


def _local(instant: datetime, zone: str) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(zone_info(zone)).replace(tzinfo=None)


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _month(first: datetime, step: int) -> datetime:
    """The first day of the month `step` months on."""
    number = first.year * 12 + first.month - 1 + step
    return datetime(number // 12, number % 12 + 1, 1)


def period(name: str, books: Extent, zone: str = "UTC") -> Period:
    """The period of a name in `NAMES`. Raises `ScopeError` for another."""
    end = _midnight(_local(books.last, zone)) + _DAY
    month = (end - _DAY).replace(day=1)
    days = {"latest 7 days": 7, "latest 30 days": 30, "latest 90 days": 90}
    if name == "latest month":
        return Period(month, _month(month, 1), end, zone)
    if name == "month before":
        return Period(_month(month, -1), month, month, zone)
    if name in days:
        return Period(end - days[name] * _DAY, end, end, zone)
    if name == "latest 12 months":
        return Period(_month(month, -11), _month(month, 1), end, zone)
    if name == "all time":
        return Period(_midnight(_local(books.first, zone)), end, end, zone)
    raise ScopeError(f"unknown period {name!r}; known: {', '.join(NAMES)}")


def previous(now: Period) -> Period:
    """The period to compare with: the month before for a month so far, else the days before."""
    elapsed = now.covered - now.since
    if now.since == _month(now.since, 0) and now.until == _month(now.since, 1):
        start = _month(now.since, -1)
        end = min(start + elapsed, now.since)
        return Period(start, end, end, now.zone)
    return Period(now.since - elapsed, now.since, now.since, now.zone)


def grain(span: Period) -> str:
    """How finely to cut a period so that a chart has some tens of bars."""
    days = (span.covered - span.since) / _DAY
    return "hour" if days <= 2 else "day" if days <= 93 else "week" if days <= 400 else "month"


_STEP = {"hour": timedelta(hours=1), "day": _DAY, "week": 7 * _DAY}


def end_of(start: datetime, unit: str) -> datetime:
    """Where an hour, day, week, month, quarter or year that starts at `start` ends."""
    if unit in _STEP:
        return start + _STEP[unit]
    return _month(start, {"month": 1, "quarter": 3, "year": 12}[unit])


def steps(first: datetime, until: datetime, unit: str) -> list[datetime]:
    """Every start of a unit from the one holding `first` up to `until` (exclusive)."""
    at = _midnight(first) if unit != "hour" else first.replace(minute=0, second=0, microsecond=0)
    if unit == "week":
        at -= at.weekday() * _DAY
    elif unit in ("month", "quarter", "year"):
        size = {"month": 1, "quarter": 3, "year": 12}[unit]
        at = _month(at.replace(day=1), -((at.month - 1) % size))
    found: list[datetime] = []
    while at < until:
        found.append(at)
        at = end_of(at, unit)
    return found


def values(
    con: duckdb.DuckDBPyConnection, name: str, limit: int = 500
) -> list[tuple[str | None, int]]:
    """The values a dimension has over all time with their calls, most calls first."""
    expression, bound = dimension(name)
    where = "true" if name == "format" else REAL
    # What a route says is looked up for the few routes, not for every call.
    of_routes = "r." in expression
    own = "u.route_id" if of_routes else f"{expression} AS value"
    inner = (
        f"SELECT {own}, sum(u.requests) AS calls FROM calls_stored AS u WHERE {where} GROUP BY 1"
    )
    value = expression if of_routes else "c.value"
    join = " JOIN routes AS r ON r.route_id = c.route_id" if of_routes else ""
    rows = con.execute(
        f"SELECT {value} AS value, sum(c.calls)::BIGINT AS calls FROM ({inner}) AS c{join}"
        " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
        [*bound, limit],
    ).fetchall()
    return [(None if value is None else str(value), calls) for value, calls in rows]


def variants_in_order(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Variants in the order they first came into the books: what a lasting colour hangs on."""
    rows = con.execute(
        "SELECT variant FROM routes WHERE variant IS NOT NULL GROUP BY 1 ORDER BY min(route_id)"
    ).fetchall()
    return [variant for (variant,) in rows]


def scope_of(span: Period, where: dict[str, list[str]] | None = None) -> Scope:
    """The scope of a period and filters."""
    return Scope(span.since, span.until, span.zone, where or {})


def tag_names(con: duckdb.DuckDBPyConnection, limit: int = 50) -> list[str]:
    """Names of the free tags in the store, most used first, as dimensions (`tags.NAME`)."""
    rows = con.execute(
        "SELECT name, count(*) FROM (SELECT unnest(map_keys(tags)) AS name FROM calls_stored"
        " WHERE tags IS NOT NULL) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
        [limit],
    ).fetchall()
    return [f"tags.{name}" for name, _ in rows]
