"""Forecast: where the month and the quarter will end, and how sure that is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from budgets.spend.periods import Span
from dashboards.app import finance_charts, outlooks, parts, source
from dashboards.app.filters import sidebar
from dashboards.app.outlooks import Ahead
from dashboards.app.parts import Column
from dashboards.forecasting.outlook import ForecastError

books = source.current()
choice = sidebar(books, period=False)
with st.sidebar:
    looked_from = outlooks.as_of()


def cents(value: float) -> int:
    """A forecast in whole cents, as pico-dollars: more digits would say more than is known."""
    return round(value * 100) * 10**10


def draw(ahead: Ahead, span: Span, name: str) -> None:
    """One period: its range, the fan with its table, and the rows that make it up."""
    seen = ahead.seen
    low, middle, high = (cents(v) for v in seen.end_of(span, ahead.where))
    spent = ahead.spent(span)
    st.subheader(f"{name} to {span.until - timedelta(days=1)}")
    with st.grid(4, min_column_width=110):
        st.metric("So far", parts.money(spent), border=True)
        st.metric("P10", parts.money(low), border=True, help="One path in ten ends below.")
        st.metric("P50", parts.money(middle), border=True, help="Half of the paths end below.")
        st.metric("P90", parts.money(high), border=True, help="One path in ten ends above.")
    running, fan = ahead.running(span), ahead.fan(span)
    actual, coming = outlooks.fan_rows([(d, v / 1e12) for d, v in running], fan)
    rows = [{"day": d, "spent": v} for d, v in running]
    rows += [
        {"day": d, "low": cents(a), "middle": cents(b), "high": cents(c)} for d, a, b, c in fan
    ]
    parts.chart(
        finance_charts.fan(actual, coming),
        rows,
        [
            Column("day", "By the end of", "date"), Column("spent", "Spent", "usd"),
            Column("low", "P10", "usd"), Column("middle", "P50", "usd"),
            Column("high", "P90", "usd"),
        ],
        f"fan-{name.lower()}",
        caption="Running cost of priced calls (line), then the middle of 300 sample paths (dashes)"
        " and the band from P10 to P90, meant to hold four times in five.",
        alt=f"Running spend of the {name.lower()} with its forecast: {parts.money(spent)} so far, "
        f"expected {parts.money(middle)}, between {parts.money(low)} and {parts.money(high)}.",
    )  # fmt: skip
    st.markdown("**What it is made of**")
    parts.table(
        leaves(ahead, span),
        [
            Column("team", "Team"), Column("variant", "Variant"),
            Column("spent", "So far", "usd"), Column("low", "P10", "usd"),
            Column("middle", "P50", "usd", "Middles need not add up to the middle of the sum"),
            Column("high", "P90", "usd"),
            Column("history", "Stands on", help="How much history the forecast rests on."),
        ],
        f"forecast-{name.lower()}",
        alt=f"Forecast of the {name.lower()} by team and variant",
    )  # fmt: skip


def leaves(ahead: Ahead, span: Span) -> list[dict[str, Any]]:
    """Rows by team and variant, dearest first; what has no price has no amount."""
    seen, rows = ahead.seen, []
    shown = {leaf.keys[:2] for leaf in seen.leaves(ahead.where)}
    for team, variant in sorted(shown):
        where: dict[str, str] = {"team": team, "variant": variant}
        held = seen.leaves(where)
        priced = any(seen.prices[leaf] is not None for leaf in held)
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


try:
    ahead = outlooks.look(books, choice.zone, choice.where, looked_from)
except ForecastError as error:
    parts.nothing(f"{str(error).capitalize()}.")
else:
    for note in ahead.notes:
        st.caption(f":material/info: {note}")
    if all(ahead.seen.prices[leaf] is None for leaf in ahead.seen.leaves(ahead.where)):
        st.warning("Nothing here has a price: the forecast cost is **unpriced**.")
    else:
        draw(ahead, ahead.month, "Month")
        draw(ahead, ahead.quarter, "Quarter")
