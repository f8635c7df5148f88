"""Which calls a question is about, and how they are grouped: periods, time zones, dimensions.

Instants are UTC in the store; days, weeks and months are cut in the reader's own time zone when
the question is asked, so the sum of the days is always the range.

>>> scope = Scope(since=datetime(2026, 3, 1), zone="Asia/Kolkata", where={"team": ["search"]})
>>> scope.clause()[0].replace(REAL, "…")
'u.occurred_at >= ? AND u.team IN (?) AND …'
>>> scope.clause()[1]
[datetime.datetime(2026, 2, 28, 18, 30), 'search']
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pricing import sql

if TYPE_CHECKING:
    import duckdb


class ScopeError(ValueError):
    """A dimension, period or time zone that does not exist; the message lists what does."""


# A name that no card resolves is still a name: it must stay visible.
_VARIANT = "coalesce(r.variant, r.model || ' (unknown)')"
_COLUMNS: dict[str, str] = {
    "provider": "r.provider", "seller": "r.seller", "model": "r.model", "variant": _VARIANT,
    "tier": "r.tier", "region": "r.region", "effort": "u.effort", "team": "u.team",
    "project": "u.project", "feature": "u.feature", "customer": "u.customer",
    "environment": "u.environment", "session": "u.session", "format": "u.source_format",
    "failed": "u.failed",
}  # fmt: skip
PERIODS = ("hour", "day", "week", "month", "quarter", "year")
_LOCAL_PARTS = ("weekday", "hour_of_day")
DIMENSIONS: tuple[str, ...] = (*_COLUMNS, "status", *PERIODS, *_LOCAL_PARTS)
"""Everything a report can be broken down by, besides `tags.NAME`."""


SIMULATED = "mock"
"""The format of calls that the mock endpoint answered: nobody is billed for them."""
REAL = (
    f"(u.source_format <> '{SIMULATED}' OR NOT EXISTS"
    f" (SELECT 1 FROM calls_stored WHERE source_format <> '{SIMULATED}'))"
)
"""Simulated calls are in no total beside real ones. In a store that holds nothing else (a test
run's) they are what is asked for."""


def as_cheap(con: duckdb.DuckDBPyConnection, where: str) -> str:
    """The same clause, without the test for simulated calls where the store has none: zone maps
    tell that at once, and testing the text of every call takes longer than any sum over them."""
    found = con.execute(
        f"SELECT 1 FROM calls_stored WHERE source_format = '{SIMULATED}' LIMIT 1"
    ).fetchall()
    return where if found else where.replace(REAL, "true")


def zone_info(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises `ScopeError` for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScopeError(
            f"unknown time zone {name!r}; use a name such as UTC, Europe/Berlin or Asia/Tokyo"
        ) from error


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls of a period (`since` inclusive, `until` exclusive, both local wall-clock times in
    `zone`; None is open) whose dimensions have one of the given values. A value of "" means the
    dimension is not set.

    Simulated calls are left out of it (see `REAL`), unless `where` itself speaks of the format or
    of the tag `simulated`."""

    since: datetime | None = None
    until: datetime | None = None
    zone: str = "UTC"
    where: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def on_whole_hours(self) -> bool:
        """Whether the period begins and ends on whole UTC hours."""
        edges = [to_utc(e, self.zone) for e in (self.since, self.until) if e is not None]
        return all((e.minute, e.second, e.microsecond) == (0, 0, 0) for e in edges)

    def simulated(self) -> Scope:
        """The simulated calls of this scope."""
        return replace(self, where={**self.where, "format": [SIMULATED]})

    def clause(self) -> tuple[str, list[Any]]:
        """A WHERE text over `u` (calls) and `r` (routes), and its values."""
        parts: list[str] = []
        values: list[Any] = []
        for edge, mark in ((self.since, ">="), (self.until, "<")):
            if edge is not None:
                parts.append(f"u.occurred_at {mark} ?")
                values.append(to_utc(edge, self.zone))
        for name, wanted in self.where.items():
            expression, bound = dimension(name, self.zone)
            given = [w for w in wanted if w != ""]
            tests: list[str] = []
            if given:
                tests.append(f"{expression} IN ({', '.join('?' * len(given))})")
                values += bound + given
            if len(given) != len(wanted):
                tests.append(f"{expression} IS NULL")
                values += bound
            parts.append(" OR ".join(tests) if len(tests) == 1 else f"({' OR '.join(tests)})")
        if not self.where.keys() & {"format", "tags.simulated"}:
            parts.append(REAL)
        return " AND ".join(parts), values


def dimension(name: str, zone: str = "UTC") -> tuple[str, list[Any]]:
    """The SQL expression of a dimension and the values it binds. Raises `ScopeError`."""
    if name in _COLUMNS:
        return _COLUMNS[name], []
    if name.startswith("tags."):
        return "u.tags[?]", [name.removeprefix("tags.")]
    if name == "status":
        return sql.status_name("u.severity"), []
    if name in PERIODS:
        return f"date_trunc('{name}', {local_time(zone)})", []
    if name == "weekday":
        return f"isodow({local_time(zone)})", []
    if name == "hour_of_day":
        return f"hour({local_time(zone)})", []
    import difflib

    near = difflib.get_close_matches(name, DIMENSIONS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ScopeError(
        f"unknown dimension {name!r}{hint} (known: {', '.join(DIMENSIONS)}, tags.NAME)"
    )


_WRITTEN_OUT = datetime(2020, 1, 1), datetime(datetime.now().year + 2, 1, 1)
"""Between these instants the changes of the clock are written out as plain arithmetic."""


@lru_cache(maxsize=32)
def local_time(zone: str, column: str = "u.occurred_at") -> str:
    """The SQL expression of a UTC instant as wall-clock time in a zone. Raises `ScopeError`.

    Looking a zone up row by row takes longer than all the sums of a report. Between two changes of
    the clock it is one addition, newest first; instants outside `_WRITTEN_OUT` are looked up.

    >>> local_time("UTC")
    'u.occurred_at'
    """
    info = zone_info(zone)
    if zone in ("UTC", "Etc/UTC"):
        return column
    quoted = zone.replace("'", "''")
    looked_up = f"({column} AT TIME ZONE 'UTC' AT TIME ZONE '{quoted}')"

    def offset(at: datetime) -> int:
        found = at.replace(tzinfo=UTC).astimezone(info).utcoffset()
        assert found is not None
        return round(found.total_seconds())

    day, end = _WRITTEN_OUT
    steps = [(day, offset(day))]
    while day < end:  # no zone has changed its clock and back within three days
        following = min(day + timedelta(days=3), end)
        if offset(following) != steps[-1][1]:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if offset(middle) == steps[-1][1] else (low, middle)
            steps.append((high, offset(high)))
        day = following
    cases = [f"WHEN {column} >= TIMESTAMP '{end}' THEN {looked_up}"]
    cases += [
        f"WHEN {column} >= TIMESTAMP '{at}' THEN {column} + to_seconds({seconds})"
        for at, seconds in reversed(steps)
    ]
    return f"CASE {' '.join(cases)} ELSE {looked_up} END"


def to_utc(local: datetime, zone: str) -> datetime:
    """A local wall-clock time as naive UTC."""
    if local.tzinfo is None:
        local = local.replace(tzinfo=zone_info(zone))
    return local.astimezone(UTC).replace(tzinfo=None)


_RELATIVE = re.compile(r"^(\d+)\s*([dwm])(?:ays?|eeks?|onths?)?$")


def parse_edge(text: str, now: datetime | None = None, zone: str = "UTC") -> datetime:
    """A period edge as people write it: `2026-03-01`, `2026-03`, `2026-03-01T12:00`, `30d`, `2w`,
    `today`, `yesterday`, `this-month`, `last-month`. The answer is local wall-clock time."""
    here = (now or datetime.now(UTC)).astimezone(zone_info(zone)).replace(tzinfo=None)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight.replace(day=1)
    words = {
        "now": here,
        "today": midnight,
        "yesterday": midnight - timedelta(days=1),
        "tomorrow": midnight + timedelta(days=1),
        "this-month": first,
        "last-month": (first - timedelta(days=1)).replace(day=1),
    }
    key = text.strip().lower()
    if key in words:
        return words[key]
    relative = _RELATIVE.match(key)
    if relative:
        number, unit = int(relative.group(1)), relative.group(2)
        days = number * {"d": 1, "w": 7, "m": 30}[unit]
        return midnight - timedelta(days=days)
    if re.fullmatch(r"\d{4}-\d{2}", key):
        key += "-01"
    try:
        edge = datetime.fromisoformat(key.upper().replace("Z", "+00:00"))
    except ValueError as error:
        raise ScopeError(
            f"{text!r} is no date; use 2026-03-01, 2026-03, 30d, today or last-month"
        ) from error
    return edge.astimezone(zone_info(zone)).replace(tzinfo=None) if edge.tzinfo else edge


_FORMS = {"month": "%Y-%m", "year": "%Y", "hour": "%Y-%m-%d %H:00"}


def show_calls(number: int) -> str:
    """`1 call`, `2,000 calls`."""
    return f"{number:,} call{'' if number == 1 else 's'}"


def show_value(value: Any, name: str = "") -> str:
    """A group's value for people, by its dimension: a month as 2026-03, nothing as `(none)`."""
    if value is None:
        return "(none)"
    if name == "weekday" and isinstance(value, int):
        return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[value - 1]
    if isinstance(value, datetime):
        if name == "quarter":
            return f"{value.year}-Q{(value.month + 2) // 3}"
        midnight = (value.hour, value.minute, value.second) == (0, 0, 0)
        return value.strftime(_FORMS.get(name, "%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M"))
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
