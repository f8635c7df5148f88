"""Forecast: where the month and the quarter will end, how sure, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import streamlit as st

from budgets.spend.periods import Span
from dashboards.app import finance_charts, outlooks, parts, source, what_ifs
from dashboards.app.filters import sidebar, tested_notice
from dashboards.app.outlooks import Ahead
from dashboards.app.parts import Column
from dashboards.forecasting.outlook import ForecastError
from dashboards.queries.scope import Scope
from ingest.traffic import ScenarioError
from pricing.counting import CountingError

books = source.current()
choice = sidebar(books, period=False)
with st.sidebar:
    looked_from = outlooks.as_of()


def cents(value: float) -> int:
    """A forecast in whole cents, as pico-dollars: more digits would say more than is known."""
    return round(value * 100) * 10**10


@dataclass(frozen=True, slots=True)
class Figures:
    """What the page says of one period: amounts in pico-dollars, forecasts in whole cents."""

    spent: int
    ends: tuple[int, ...]
    running: list[tuple[Any, int]]
    fan: list[tuple[Any, float, float, float]]
    rows: list[dict[str, Any]]

    def with_total(self) -> list[dict[str, Any]]:
        """The rows and the total, which is the forecast of the whole."""
        low, middle, high = self.ends
        total = {"team": "Total", "variant": "", "spent": self.spent, "low": low,
                 "middle": middle, "high": high, "history": ""}  # fmt: skip
        return [*self.rows, total]


def figures(ahead: Ahead, span: Span) -> Figures:
    """A period's figures, worked out once for each store, choice and scenario."""

    def work() -> Figures:
        ends = tuple(cents(v) for v in ahead.seen.end_of(span, ahead.where))
        return Figures(
            ahead.spent(span), ends, ahead.running(span), ahead.fan(span), leaves(ahead, span)
        )

    return books.remember(("forecast", ahead.name, span), work)


def leaves(ahead: Ahead, span: Span) -> list[dict[str, Any]]:
    """Rows by team and variant, dearest first; what has no price has no amount."""
    seen = ahead.seen
    rows: list[dict[str, Any]] = []
    shown = {leaf.keys[:2] for leaf in seen.leaves(ahead.where)}
    for team, variant in sorted(shown):
        where: dict[str, str] = {"team": team, "variant": variant}
        priced = seen.priced(where)
        low, middle, high = (
            (cents(v) for v in seen.end_of(span, where)) if priced else (None, None, None)
        )
        stands = next(iter(seen.rungs(where)), None)
        rows.append(
            {
                "team": team, "variant": variant, "low": low, "middle": middle, "high": high,
                "spent": seen.spent(span, where) if priced else None,
                "history": "unpriced" if stands is None else stands.value,
            }
        )  # fmt: skip
    return sorted(rows, key=lambda r: (r["middle"] is None, -(r["middle"] or 0)))


def draw(ahead: Ahead, span: Span, name: str, changed: Ahead | None) -> None:
    """One period: its range, the fan with its table, and the rows that make it up."""
    made = figures(ahead, span)
    after = figures(changed, span) if changed else None
    now = after or made
    st.header(f"{name} to {span.until - timedelta(days=1)}")
    helps = ("One path in ten ends below.", "Half of the paths end below.",
             "One path in ten ends above.")  # fmt: skip
    with st.grid(4, min_column_width=150):
        st.metric("So far", parts.money(made.spent), border=True, height="stretch")
        for label, was, end, hint in zip(
            ("P10", "P50", "P90"), made.ends, now.ends, helps, strict=True
        ):
            st.metric(
                label, parts.money(end), parts.money(end - was, signed=True) if after else None,
                "inverse" if end != was else "off", border=True, height="stretch", help=hint,
            )  # fmt: skip
    if changed:
        effect(ahead, changed, span)
    fan_of(made, after, name)
    st.subheader("What it is made of")
    made_of(made, after, name)


def effect(ahead: Ahead, changed: Ahead, span: Span) -> None:
    """What the scenario does, path by path."""
    within = ahead.seen.ahead(span)
    paths = changed.seen.money(changed.where, within) - ahead.seen.money(ahead.where, within)
    low, middle, high = (cents(float(v)) for v in np.quantile(paths.sum(axis=1), (0.1, 0.5, 0.9)))
    st.markdown(
        f"**The scenario changes it by {parts.money(middle, signed=True)}** in the middle, between "
        f"{parts.money(low, signed=True)} and {parts.money(high, signed=True)} on eight paths in "
        "ten.".replace("$", "\\$")
    )
    st.caption(
        "Taken path by path, with and without it: the luck is the same, the difference is the "
        "scenario's alone. Its middle need not be the difference of the two middles above."
    )


def fan_of(made: Figures, after: Figures | None, name: str) -> None:
    """The fan, with the one before the scenario behind it."""
    now = after or made
    done = [(d, v / 1e12) for d, v in made.running]
    actual, coming = outlooks.fan_rows(done, now.fan)
    without = outlooks.fan_rows(done, made.fan)[1] if after else []
    rows: list[dict[str, Any]] = [{"day": d, "spent": v} for d, v in made.running]
    for (d, *band), (_, *old) in zip(now.fan, made.fan, strict=True):
        row: dict[str, Any] = {"day": d}
        for key, value, was in zip(("low", "middle", "high"), band, old, strict=True):
            row |= {key: cents(value), f"{key}_before": cents(was)}
        rows.append(row)
    columns = [Column("day", "By the end of", "date"), Column("spent", "Spent", "usd")]
    for key, label in (("low", "P10"), ("middle", "P50"), ("high", "P90")):
        columns.append(Column(key, label, "usd"))
        if after:
            columns.append(Column(f"{key}_before", f"{label} without", "usd"))
    low, middle, high = now.ends
    parts.chart(
        finance_charts.fan(actual, coming, before=without),
        rows, columns, f"fan-{name.lower()}",
        caption="Running cost of priced calls (line), then the middle of 300 sample paths (dashes)"
        " and the band from P10 to P90, meant to hold four times in five."
        + (" Grey: the same paths without the scenario." if after else ""),
        alt=f"Running spend of the {name.lower()} with its forecast: {parts.money(made.spent)} so "
        f"far, expected {parts.money(middle)}, between {parts.money(low)} and {parts.money(high)}"
        + (f"; without the scenario {parts.money(made.ends[1])}." if after else "."),
    )  # fmt: skip


def made_of(made: Figures, then: Figures | None, name: str) -> None:
    """The table by team and variant with the total; with a scenario, each before and after."""
    rows, after = made.with_total(), then.with_total() if then else None
    shown: list[dict[str, Any]] = list(rows)
    middle = "Middles need not add up to the middle of the sum"
    columns = [
        Column("team", "Team"), Column("variant", "Variant"), Column("spent", "So far", "usd"),
        Column("low", "P10", "usd"), Column("middle", "P50", "usd", middle),
        Column("high", "P90", "usd"),
        Column("history", "Stands on", help="How much history the forecast rests on."),
    ]  # fmt: skip
    if after is not None:
        before = {(r["team"], r["variant"]): r["middle"] for r in rows}
        shown = [
            {**r, "was": before.get((r["team"], r["variant"]), 0)} for r in after
        ]  # fmt: skip
        for row in shown:
            now, was = row["middle"], row["was"]
            row["change"] = None if now is None or was is None else now - was
        columns[4:4] = [Column("was", "P50 without", "usd")]
        columns[6:6] = [Column("change", "Change of P50", "usd")]
    parts.table(
        shown, columns, f"forecast-{name.lower()}",
        alt=f"Forecast of the {name.lower()} by team and variant",
    )  # fmt: skip
    st.caption("What was spent adds up to the total. P10, P50 and P90 do not: rows seldom have "
               "their good and bad days together.")  # fmt: skip


def same(ahead: Ahead) -> bool:
    """Whether the quarter says what the month says: both end together and nothing was spent
    before."""
    month, quarter = ahead.month, ahead.quarter
    return month.until == quarter.until and ahead.spent(month) == ahead.spent(quarter)


def scenario_of(ahead: Ahead) -> Ahead | None:
    """The forecast under what is asked for, or nothing, with the reason where it cannot be."""
    asked = what_ifs.ask(books, ahead.seen)
    if not asked:
        return None
    try:
        with st.spinner("Working it out …", show_time=False):
            changed = books.remember(
                ("what if", ahead.name, asked), lambda: asked.applied(ahead.seen, books.catalogue)
            )
    except (ForecastError, ScenarioError, CountingError) as error:
        parts.problem(what_ifs.in_words(str(error)))
        return None
    command = [f"tokenbooks forecast --as-of {ahead.start} --tz {choice.zone}", *asked.options()]
    st.code(" \\\n  ".join(command), language="bash")
    st.caption("The same on the command line. The scenario is part of the address: copy it to "
               "share it.")  # fmt: skip
    if asked.launch and ahead.where:
        st.caption(":material/info: A launch belongs to no team or variant yet: with these filters "
                   "it is not in the amounts.")  # fmt: skip
    return ahead.what_if(changed, asked)


try:
    ahead = outlooks.look(books, choice.zone, choice.where, looked_from)
except ForecastError as error:
    parts.nothing(f"{str(error).capitalize()}.")
else:
    tested_notice(books, ahead.seen.history(Scope(zone=choice.zone, where=choice.where)))
    for note in ahead.notes:
        st.caption(f":material/info: {note}")
    if not ahead.seen.leaves(ahead.where):
        parts.nothing("No calls with these filters.")
    elif not ahead.seen.priced(ahead.where):
        st.warning("Nothing here has a price: the forecast cost is **unpriced**.")
    else:
        scenario = scenario_of(ahead)
        draw(ahead, ahead.month, "Month", scenario)
        if same(ahead):
            last = ahead.quarter.until - timedelta(days=1)
            st.header(f"Quarter to {last}")
            st.caption("It ends with the month and nothing was spent earlier in it: its figures "
                       "are the month's.")  # fmt: skip
        else:
            draw(ahead, ahead.quarter, "Quarter", scenario)
