"""The filters every page shares: period, time zone, dimensions. All of them live in the link.

Widgets are bound to query parameters, so copying the address shares the view. A value in a link
that the store does not know is kept and selects nothing: dropping it would show everything under
a filter's name.

    choice = sidebar(source.current())
    source.current().ask(spend, ["team"], choice.scope)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

import streamlit as st

from dashboards.app.source import Source
from dashboards.queries.periods import (
    NAMES,
    Extent,
    Period,
    extent,
    period,
    previous,
    scope_of,
    values,
)
from dashboards.queries.scope import SIMULATED, Scope, zone_info
from dashboards.queries.simulated import simulated
from dashboards.queries.spend import spend
from pricing.json_types import JsonTuple

MAIN = ("team", "variant")
MORE = (
    "project",
    "feature",
    "customer",
    "environment",
    "tier",
    "seller",
    "provider",
    "status",
    "format",
)
NONE = "(none)"
"""How "the call does not say" reads in a list."""

CUSTOM = "Custom"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader asked for: the period, the one before, and the filters."""

    period: Period
    before: Period
    where: dict[str, list[str]]

    @property
    def zone(self) -> str:
        """The zone days are cut in."""
        return self.period.zone

    @property
    def scope(self) -> Scope:
        """The calls of the period."""
        return scope_of(self.period, self.where)

    @property
    def scope_before(self) -> Scope:
        """The calls of the period before."""
        return scope_of(self.before, self.where)

    def words(self) -> str:
        """The choice in a line."""
        parts = [f"{self.period.words()} ({self.zone})"]
        parts += [f"{k}: {', '.join(v or NONE for v in vs)}" for k, vs in self.where.items()]
        return "; ".join(parts)


def sidebar(source: Source, *, period: bool = True) -> Choice:
    """Draw the filters and read them. The store must hold calls.

    `period=False` leaves the period out, for pages that look at all history.
    """
    books = source.ask(extent)
    if books is None:
        raise RuntimeError("filters need a store with calls")
    with st.sidebar:
        zone = time_zone(source)
        span = _period(books, zone) if period else all_time(books, zone)
        where = _dimensions(source)
        st.caption("The filters are part of the address: copy it to share this view.")
    return Choice(span, previous(span), where)


def tested_notice(source: Source, scope: Scope, *, of: str = "", filters: bool = True) -> None:
    """Says that simulated calls are left out, or that there are no others. `of` names the period
    it is about; `filters`: the page has them."""
    tested = source.ask(simulated, scope)
    if tested is not None:
        see = f"see them with the filter Format: {SIMULATED}" if filters else ""
        said = f"{of}: {tested.words(see)}" if of else tested.words(see)
        st.caption(f":material/science: {said}.".replace("$", "\\$"))


def compared(source: Source, chosen: Choice) -> tuple[Period, Period]:
    """(before, now): the period and the one before it, or, where the books begin with the period,
    its last seven days and the seven before."""
    if source.ask(spend, ["variant"], chosen.scope_before).total.calls:
        return chosen.before, chosen.period
    end, week = chosen.period.covered, timedelta(days=7)
    zone = chosen.zone
    return Period(end - 2 * week, end - week, end - week, zone), Period(end - week, end, end, zone)


@cache
def zone_names() -> tuple[str, ...]:
    """Time zones by place. Asked once: the answer is a walk through the machine's files."""
    return tuple(sorted(z for z in available_timezones() if "/" in z and "Etc/" not in z))


def all_time(books: Extent, zone: str) -> Period:
    """Everything in the books."""
    return period("all time", books, zone)


def time_zone(source: Source) -> str:
    """The reader's time zone, which lives in the address."""
    options = list(dict.fromkeys([source.zone, "UTC", *zone_names()]))
    zone = st.selectbox(
        "Time zone", options, key="tz", bind="query-params",
        help="Days, weeks and months begin at midnight here.",
    )  # fmt: skip
    zone_info(zone)
    return zone


def _period(books: Extent, zone: str) -> Period:
    name = st.selectbox(
        "Period", [*(n.capitalize() for n in NAMES), CUSTOM], key="period", bind="query-params",
        help="Counted back from the last call in the books.",
    )  # fmt: skip
    if name != CUSTOM:
        span = period(name.lower(), books, zone)
        st.caption(span.words())
        return span
    whole = period("all time", books, zone)
    last = whole.until.date() - timedelta(days=1)
    default = (max(whole.since.date(), last.replace(day=1)), last)
    chosen = st.date_input(
        "From and to (inclusive)", default, key="days", bind="query-params", format="YYYY-MM-DD"
    )
    first, final = _complete(chosen, default)
    since = datetime.combine(first, datetime.min.time())
    until = datetime.combine(final, datetime.min.time()) + timedelta(days=1)
    return Period(since, until, min(until, max(whole.until, since)), zone)


def _complete(chosen: object, default: tuple[date, date]) -> tuple[date, date]:
    """A whole range from what the calendar holds: while only one end is picked, that day."""
    if isinstance(chosen, JsonTuple) and chosen:
        return chosen[0], chosen[-1]
    return default


def _dimensions(source: Source) -> dict[str, list[str]]:
    where: dict[str, list[str]] = {}
    for name in MAIN:
        _pick(source, name, where)
    asked = any(name in st.query_params for name in MORE)
    with st.expander("More filters", expanded=asked):
        for name in MORE:
            _pick(source, name, where)
    return where


def _pick(source: Source, name: str, where: dict[str, list[str]]) -> None:
    """One dimension's filter; left out where the store has nothing to choose."""
    known = _options(source, name)
    if known in ([], [NONE]) and name not in st.query_params:
        return
    chosen = st.multiselect(
        name.capitalize(), known, key=name, bind="query-params", accept_new_options=True,
        placeholder="All",
    )  # fmt: skip
    if chosen:
        where[name] = ["" if value == NONE else value for value in chosen]


STATUSES = ("exact", "assumed", "fallback", "unpriced")


def _options(source: Source, name: str) -> list[str]:
    if name == "status":
        return list(STATUSES)
    found = [value for value, _ in source.ask(values, name)]
    return [v for v in found if v is not None] + ([NONE] if None in found else [])
