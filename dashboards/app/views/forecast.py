"""Forecast: where the month and the quarter will end, and how sure that is."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import streamlit as st

from budgets.spend.outlook import cumulative_fan
from budgets.spend.periods import Span, period_of
from dashboards.app import finance_charts, parts, source
from dashboards.app.filters import sidebar
from dashboards.app.parts import Column
from dashboards.forecasting.outlook import ForecastError, Outlook, look_ahead, starting_day
from dashboards.queries.scope import Scope

books = source.current()
choice = sidebar(books)
zone = choice.zone


def draw(seen: Outlook, span: Span, name: str) -> None:
    """One period: its range, the fan, and the rows that make it up."""
    low, middle, high = seen.end_of(span)
    spent = seen.spent(span)
    st.subheader(f"{name} to {span.until - timedelta(days=1)}")
    with st.grid(4, min_column_width=140):
        st.metric("So far", parts.money(spent), border=True)
        st.metric("P10", f"${low:,.2f}", border=True, help="One path in ten ends below.")
        st.metric("P50", f"${middle:,.2f}", border=True, help="Half of the paths end below.")
        st.metric("P90", f"${high:,.2f}", border=True, help="One path in ten ends above.")
    by_day: dict[date, int] = {}
    for row in seen.seen.cost.values():
        for day, pico in zip(seen.seen.days, row, strict=True):
            by_day[day] = by_day.get(day, 0) + pico
    running, actual = 0, []
    for day in sorted(d for d in by_day if d in span):
        running += by_day[day]
        actual.append({"day": f"{day}T00:00:00", "value": running / 1e12})
    within = seen.ahead(span)
    paths = seen.money()[:, within]
    fan = cumulative_fan(paths, spent / 1e12)
    days = seen.dates[within].astype(object).tolist()
    coming = [
        {"day": f"{d}T00:00:00", "low": a, "middle": b, "high": c}
        for d, (a, b, c) in zip(days, np.asarray(fan).T.tolist(), strict=True)
    ]
    st.altair_chart(
        finance_charts.fan(actual, coming), width="stretch", key=f"fan_{name}",
        alt=f"Running spend of the {name.lower()} with its forecast: P50 {middle:,.2f} USD.",
    )  # fmt: skip
    st.caption(
        "Running cost of priced calls; beyond the line the middle of 300 sample paths, and the "
        "band from P10 to P90, meant to hold four times in five."
    )
    rows = []
    for keys in sorted({leaf.keys[:2] for leaf in seen.units}):
        where = dict(zip(("team", "variant"), keys, strict=True))
        ends = seen.end_of(span, where)
        stands = next(iter(seen.rungs(where)), None)
        rows.append(
            {
                **where, "spent": seen.spent(span, where),
                "low": round(ends[0], 2), "middle": round(ends[1], 2), "high": round(ends[2], 2),
                "history": "unpriced" if stands is None else stands.value,
            }
        )  # fmt: skip
    parts.table(
        sorted(rows, key=lambda r: -r["middle"]),
        [
            Column("team", "Team"), Column("variant", "Variant"),
            Column("spent", "So far", "usd"), Column("low", "P10", "price"),
            Column("middle", "P50", "price"), Column("high", "P90", "price"),
            Column("history", "Stands on", help="How much history the forecast rests on."),
        ],
        f"forecast-{name.lower()}",
        alt=f"Forecast of the {name.lower()} by team and variant",
    )  # fmt: skip


try:
    start, note = books.ask(starting_day, Scope(zone=zone))
    month, quarter = period_of(start, "month"), period_of(start, "quarter")
    seen = books.ask_priced(
        look_ahead, (), Scope(zone=zone, where=choice.where),
        horizon=(quarter.until - start).days, start=start, since=quarter.since,
    )  # fmt: skip
except ForecastError as error:
    parts.nothing(f"{str(error).capitalize()}.")
else:
    st.caption("The period filter does not apply here: a forecast uses all history.")
    for text in (note, *seen.notes):
        if text:
            st.info(text.replace(" (--as-of changes it)", ""), icon=":material/info:")
    if all(price is None for price in seen.prices.values()):
        st.warning("Nothing here has a price: the forecast cost is **unpriced**.")
    else:
        draw(seen, month, "Month")
        draw(seen, quarter, "Quarter")
