"""The calls themselves, a page at a time, and the lines one of them is billed by."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboards.app import parts
from dashboards.app.filters import Choice
from dashboards.app.parts import Column
from dashboards.app.source import Source
from dashboards.queries import calls as single
from pricing.money import usd

PAGE = 50
"""Calls on a page."""


def calls_themselves(books: Source, choice: Choice) -> None:
    """The calls, a page at a time, and how one is billed."""
    amount = books.ask(single.call_count, choice.scope)
    pages = max(1, -(-amount // PAGE))
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        order = st.selectbox(
            "Order", list(single.ORDERS), key="order", bind="query-params",
            format_func=lambda o: {"cost": "Dearest first", "newest": "Newest first",
                                   "oldest": "Oldest first", "tokens": "Most tokens first"}[o],
        )  # fmt: skip
    with right:
        page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    found = books.ask(single.calls_page, choice.scope, page=page, size=PAGE, order=order)
    rows = [
        {**c, "when": parts.local(c["occurred_at"], choice.zone), "cost": c["cost_pico"],
         "failed": "yes" if c["failed"] else ""}
        for c in found
    ]  # fmt: skip
    columns = [
        Column("when", "When", "time"), Column("variant", "Variant"), Column("model", "Model"),
        Column("team", "Team"), Column("feature", "Feature"), Column("tier", "Tier"),
        Column("input_total", "Input", "count"), Column("cached", "Cached", "count"),
        Column("output_total", "Output", "count"), Column("reasoning", "Reasoning", "count"),
        Column("cost", "Cost", "usd"), Column("status", "Status"),
        Column("status_reason", "Why"), Column("seller", "Seller"), Column("failed", "Failed"),
        Column("session", "Session"), Column("call_key", "Call"),
    ]  # fmt: skip
    shown = parts.table(
        rows, columns, "calls", alt="A page of calls", height=420, on_select="rerun"
    )
    st.caption(
        f"Calls {(page - 1) * PAGE + 1:,} to {(page - 1) * PAGE + len(rows):,} of {amount:,}, times"
        f" in {choice.zone}. Tick one to see how it is billed."
    )
    chosen: list[int] = shown.selection.rows if hasattr(shown, "selection") else []
    if chosen and chosen[0] < len(rows):
        bill(books, rows[chosen[0]])


def bill(books: Source, call: dict[str, Any]) -> None:
    """The lines one call is billed by."""
    st.header("How it is billed")
    st.code(call["call_key"], language=None)
    lines = books.ask(single.call_lines, call["call_key"])
    rows = [
        {
            "meter": line["meter"], "quantity": line["quantity"],
            "price": None if line["price_pico"] is None else usd(line["price_pico"] * 10**6),
            "cost": line["cost_pico"], "status": line["status"], "source": line["source"],
            "rate": line["rate_id"],
        }
        for line in lines
    ]  # fmt: skip
    parts.table(
        rows,
        [
            Column("meter", "Meter"), Column("quantity", "Quantity", "count"),
            Column("price", "For 1,000,000", "price"), Column("cost", "Cost", "usd"),
            Column("status", "Status"), Column("source", "Source of the rate"),
            Column("rate", "Rate"),
        ],
        "bill",
        alt="Lines of one call",
    )  # fmt: skip
    total = "unpriced" if call["cost"] is None else f"{usd(call['cost']):f} USD"
    st.caption(
        f"Together {total}." + (f" {call['status_reason']}." if call["status_reason"] else "")
    )
