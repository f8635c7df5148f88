"""Traffic of prompts from logged calls: what `tokenbooks check --from-store` prices a change with.

The window is the last `days` whole local days up to today (or up to the newest call, when that is
older), less if the log begins later. A month is 365.25/12 days of that rate, and the answer says
so: 2,800 calls in 28 days are 3,044 a month.

    source = LoggedPrompts(con, zone="Europe/Berlin")
    source.traffic(("prompts/answer.j2",), {}, Logged())                  # tag prompt = its id
    source.traffic(("answer",), {"feature": ("answer",)}, Logged())       # or these calls

All prompts found by the same dimension are one grouped query. Failed calls are left out; nothing is
made up: no whole day, or no call, is no traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from budgets.check.options import LoggedTraffic, StoreError
from dashboards.queries.scope import Scope, ScopeError, dimension, zone_info
from dashboards.queries.volume import first_and_last

if TYPE_CHECKING:
    import duckdb

    from budgets.check.config import Logged

MONTH_DAYS = Fraction(1461, 48)
"""Days of an average month: 365.25 / 12."""
_STALE = 2  # days: a newest call older than this is the end of the log, not a quiet weekend

# A row may stand for several requests; percentiles only mean something where it does not.
_ANSWER = (
    "sum(u.requests), sum(u.output_total)::BIGINT, sum(u.input_total)::BIGINT,"
    " sum(u.requests) FILTER (u.cache_read > 0), sum(u.requests) FILTER (u.cache_read IS NOT NULL),"
    " quantile_disc(u.output_total, [0.1, 0.9]) FILTER (u.requests = 1),"
    " min(u.occurred_at AT TIME ZONE 'UTC' AT TIME ZONE ?)::DATE"
)
_FROM = "calls_stored AS u JOIN routes AS r ON r.route_id = u.route_id"


@dataclass(frozen=True, slots=True)
class Window:
    """Whole local days from `since` up to, not including, `until`."""

    since: date
    until: date
    asked: int

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.since).days

    def __str__(self) -> str:
        last = self.until - timedelta(days=1)
        when = f"{self.since} to {last}" if self.days > 1 else f"{self.since}"
        short = f"only {self.days} of {self.asked} days, " if self.days < self.asked else ""
        return f"{when}, {short}scaled to 30.4 days"


class LoggedPrompts:
    """The traffic of prompts in one open store; `zone` cuts its days."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, zone: str = "UTC", now: datetime | None = None
    ) -> None:
        self._con = con
        self._zone = zone
        self._now = now or datetime.now(UTC)
        self._bounds: tuple[date, date] | None = None
        self._named: dict[tuple[str, int], dict[str, LoggedTraffic]] = {}
        self._chosen: dict[object, LoggedTraffic | None] = {}

    def traffic(
        self, names: Sequence[str], where: Mapping[str, Sequence[str]], logged: Logged
    ) -> LoggedTraffic | None:
        """Traffic of the prompt with one of these names, or of the calls `where` chooses.

        None when there is no such call. Raises `StoreError` for a store without a whole day of
        calls, and for a dimension that does not exist.
        """
        try:
            if where:
                return self._of(where, logged.days)
            found = self._by(logged.dimension, logged.days)
        except ScopeError as error:
            raise StoreError(str(error)) from error
        return next((found[name] for name in names if name in found), None)

    def window(self, days: int) -> Window:
        """The days that are looked at. Raises `StoreError` when the log holds no whole day."""
        if self._bounds is None:
            known = first_and_last(self._con, Scope(zone=self._zone))
            if known is None:
                raise StoreError("the store has no calls: import a log first (tokenbooks ingest)")
            self._bounds = known[0].date(), known[1].date()
        first, newest = self._bounds
        today = self._now.astimezone(zone_info(self._zone)).date()
        until = today if newest >= today - timedelta(days=_STALE) else newest + timedelta(days=1)
        since = max(first, until - timedelta(days=days))
        if since >= until:
            raise StoreError("the store holds no whole day of calls yet: a month is unknown")
        return Window(since, until, days)

    def _scope(self, window: Window, where: Mapping[str, Sequence[str]]) -> Scope:
        low, high = (datetime(d.year, d.month, d.day) for d in (window.since, window.until))
        return Scope(low, high, self._zone, where)

    def _of(self, where: Mapping[str, Sequence[str]], days: int) -> LoggedTraffic | None:
        key = (days, *((name, *values) for name, values in sorted(where.items())))
        if key not in self._chosen:
            window = self.window(days)
            clause, values = self._scope(window, where).clause()
            row = self._con.execute(
                f"SELECT {_ANSWER} FROM {_FROM} WHERE NOT u.failed AND {clause}",
                [self._zone, *values],
            ).fetchall()[0]
            self._chosen[key] = self._read(row, window)
        return self._chosen[key]

    def _by(self, name: str, days: int) -> dict[str, LoggedTraffic]:
        key = (name, days)
        if key not in self._named:
            window = self.window(days)
            expression, bound = dimension(name, self._zone)
            clause, values = self._scope(window, {}).clause()
            rows = self._con.execute(
                f"SELECT {expression} AS name, {_ANSWER} FROM {_FROM}"
                f" WHERE NOT u.failed AND {clause} GROUP BY name",
                [*bound, self._zone, *values],
            ).fetchall()
            read = {str(row[0]): self._read(row[1:], window) for row in rows if row[0] is not None}
            self._named[key] = {k: v for k, v in read.items() if v is not None}
        return self._named[key]

    def _read(self, row: Sequence[Any], window: Window) -> LoggedTraffic | None:
        calls, output, given, hits, telling, ends, first = row
        if not calls:
            return None
        calls, mean = int(calls), round(Fraction(int(output), int(calls)))
        low, high = (int(each) for each in ends) if ends else (mean, mean)
        words = f"{calls:,} calls {window}"
        if first is not None and (first - window.since).days > window.days // 2:
            words += f"; the first on {first}"
        stale = (self._now.astimezone(zone_info(self._zone)).date() - window.until).days
        if stale > 0:
            words += f"; the log ends {stale + 1} days ago"
        return LoggedTraffic(
            round(calls * MONTH_DAYS / window.days),
            (low, mean, high),
            (Decimal(int(hits or 0)) / Decimal(int(telling))).quantize(Decimal("0.0001"))
            if telling
            else None,
            words,
            round(Fraction(int(given), calls)),
        )
