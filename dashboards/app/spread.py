"""How cost is spread: over single calls, and over the groups that make most of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboards.app import charts, parts
from dashboards.app.filters import Choice
from dashboards.app.parts import Column
from dashboards.app.source import Source
from dashboards.queries.calls import BINS_A_DECADE, distribution
from dashboards.queries.movers import pareto
from dashboards.queries.scope import show_value
from dashboards.queries.spend import spend

MOST = 1000
"""Groups that are ranked at most."""


def cost_per_call(books: Source, choice: Choice) -> None:
    """How the cost of single calls is spread."""
    spread = books.ask(distribution, choice.scope)
    if not spread.bins:
        parts.nothing("No single call here has a price above zero.")
        return
    names = {0.5: "median", 0.9: "P90", 0.99: "P99", 1.0: "dearest"}
    with st.container(horizontal=True):
        for level, name in names.items():
            st.metric(name.capitalize(), parts.money(spread.quantiles_pico[level]), border=True)
        st.metric("Mean", parts.money(spread.total_pico // spread.priced_calls), border=True)
    rows = [
        {"low": b.low_pico, "high": b.high_pico, "calls": b.calls, "cost": b.cost_pico}
        for b in spread.bins
    ]
    drawn = [
        {
            "low": b.low_pico / 1e12, "high": b.high_pico / 1.03e12, "calls": b.calls,
            "label": f"{parts.money(b.low_pico)} to {parts.money(b.high_pico)}",
            "cost": parts.money(b.cost_pico),
        }
        for b in spread.bins
    ]  # fmt: skip
    marks = [
        {"at": spread.quantiles_pico[q] / 1e12, "name": names[q]}
        for q in (0.5, 0.9, 0.99)
        if spread.quantiles_pico[q]
    ]
    apart = [
        f"{n:,} {what}"
        for n, what in (
            (spread.free_calls, "calls that cost nothing"),
            (spread.unpriced_calls, "calls without a price"),
        )
        if n
    ]
    parts.chart(
        charts.histogram(drawn, marks),
        rows,
        [
            Column("low", "From", "usd"), Column("high", "Below", "usd"),
            Column("calls", "Calls", "count"), Column("cost", "Together", "usd"),
        ],
        "cost-per-call",
        caption=f"Priced calls by what one costs, {BINS_A_DECADE} bins a factor of ten (log"
        f" scale). {'Not in the bars: ' + ' and '.join(apart) + '.' if apart else ''}",
        alt=f"Histogram of cost per call; median {parts.money(spread.quantiles_pico[0.5])}, "
        f"P99 {parts.money(spread.quantiles_pico[0.99])}.",
    )  # fmt: skip


def concentration(books: Source, choice: Choice, by: str) -> None:
    """Which few groups make most of the cost."""
    answer = books.ask(spend, [by], choice.scope, limit=MOST)
    found = pareto(answer)
    if not found or not answer.total.cost_pico:
        parts.nothing("Nothing here has a cost.")
        return
    few = next((n for n, r in enumerate(found, 1) if r.cumulative >= 0.8), len(found))
    st.markdown(f"**{few:,} of {len(found):,}** make 80 % of the cost of priced calls.")
    rows: list[dict[str, Any]] = [
        {
            "name": show_value(r.key, by),
            "cost": r.cost_pico,
            "share": r.share,
            "running": r.cumulative,
        }
        for r in found
    ]
    drawn = [
        {
            "name": r["name"], "value": r["cost"] / 1e12, "running": r["running"],
            "label": parts.money(r["cost"]),
        }
        for r in rows[:40]
    ]  # fmt: skip
    parts.chart(
        charts.pareto(drawn),
        rows,
        [
            Column("name", by.capitalize()), Column("cost", "Cost", "usd"),
            Column("share", "Share", "share"), Column("running", "Running share", "share"),
        ],
        "pareto",
        caption=f"Cost of priced calls by {by}, dearest first, and the share of the total reached"
        + (f"; the first 40 of {len(rows):,}." if len(rows) > 40 else "."),
        alt=f"Pareto chart of cost by {by}: {few} of {len(found)} make 80 %.",
    )  # fmt: skip
