"""Budgets: spend against amount, forecast, chance to exceed, burn-down."""

from __future__ import annotations

from typing import Any

import streamlit as st

from budgets.spend.model import BudgetError, read_budgets
from budgets.spend.status import Status
from dashboards.app import finance_charts, parts, source
from dashboards.app.parts import Column
from dashboards.queries.budgets import budget_statuses
from pricing.currency import CurrencyError, Exchange

books = source.current()
EXAMPLE = """[[budgets]]
name = "Search, monthly"
scope = { team = "search" }
amount = "2500 USD"            # or "1800 EUR", or "40_000_000 tokens"
warn = ["50 %", "80 %", "P50"]
fail = ["100 %"]"""
SIGNS = {"ok": "🟢 within", "warn": "🟠 warning", "fail": "🔴 over"}


def shown(status: Status, value: float) -> str:
    """An amount in the budget's own terms: USD, or tokens."""
    return parts.count(round(value)) if status.budget.amount.in_tokens else f"${value:,.2f}"


def draw(number: int, status: Status) -> None:
    """One budget: its figures, thresholds crossed, and the burn-down with its table."""
    unit = 1 if status.budget.amount.in_tokens else 10**12
    st.subheader(f"{status.budget.name}: {SIGNS[status.state]}")
    scope = "; ".join(f"{k}: {', '.join(v)}" for k, v in status.budget.scope.items())
    st.caption(f"{status.span.since} until {status.span.until}, {scope or 'everything'}")
    with st.grid(4, min_column_width=150):
        st.metric("Spent", shown(status, status.spent / unit), border=True)
        st.metric("of", shown(status, status.limit / unit), border=True)
        st.metric(
            "Expected at the end", "–" if status.ends is None else shown(status, status.ends[1]),
            border=True, help="The middle of the forecast's paths.",
        )  # fmt: skip
        st.metric("Chance to exceed", parts.share(status.chance), border=True)
    if status.crossings:
        st.markdown(
            "Crossed: " + ", ".join(f"{c.threshold} ({c.action})" for c in status.crossings)
        )
    when = status.exhaustion
    if status.exhausted_on is not None:
        st.markdown(f"The amount was passed on {status.exhausted_on}.")
    elif when is not None and when.median is not None:
        st.markdown(f"Gone on {str(when.median)[:10]} (middle of the paths).")
    if status.unpriced_tokens:
        st.caption(f"{status.unpriced_tokens:,} tokens have no price and are not counted.")
    actual = [{"day": f"{d.day}T00:00:00", "value": d.spent / unit} for d in status.burn]
    name = "tokens" if unit == 1 else "USD"
    kind: Any = "count" if unit == 1 else "usd"
    parts.chart(
        finance_charts.fan(actual, [], status.limit / unit, name),
        [{"day": d.day, "spent": d.spent, "even": d.even} for d in status.burn],
        [Column("day", "Day", "date"), Column("spent", "Spent by then", kind),
         Column("even", "At an even pace", kind)],
        f"budget-{number}",
        caption="Blue: running total. Orange: the amount.",
        alt=f"Burn-down of the budget {status.budget.name}",
    )  # fmt: skip


try:
    held = read_budgets(getattr(books.settings, "budgets", None) or [])
    exchange = Exchange.from_settings(getattr(books.settings, "currency", None) or {})
    if held:
        judged = books.ask_priced(budget_statuses, held, exchange, zone=books.zone)
except (BudgetError, CurrencyError) as error:
    parts.problem(str(error))
else:
    if not held:
        st.info("The settings hold no budget yet.", icon=":material/savings:")
        st.markdown("Add one to `tokenbooks.toml`, then start the service again:")
        st.code(EXAMPLE, language="toml")
    else:
        for text in judged.notes:
            st.caption(text.replace(" (--as-of changes it)", ""))
        for number, status in enumerate(judged.statuses):
            draw(number, status)
