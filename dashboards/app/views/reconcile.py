"""Reconcile: what was charged against what the books say, and why they differ."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.filters import tested_notice
from dashboards.app.parts import Column
from dashboards.queries.reconcile import CAUSES, Reconciled, reconcile_calls, reconcile_reports
from dashboards.queries.scope import Scope, show_value

TITLES = {
    "unpriced": "Unpriced", "assumed": "Assumed", "missing_calls": "Missing calls",
    "late_cost": "Late cost", "rounding": "Rounding", "unexplained": "Unexplained",
}  # fmt: skip
MEANING = {
    "unpriced": "Calls without a price: their charge is in no computed amount",
    "assumed": "The tier, cache lifetime or region had to be assumed",
    "missing_calls": "Charged, and no stored call for it",
    "late_cost": "Booked on a later day than the calls, or not booked yet",
    "rounding": "Half a unit of the finest digit the source writes",
    "unexplained": "None of these: another price, a discount, a credit",
}

books = source.current()
with st.sidebar:
    since = st.date_input("From (UTC)", None, key="from", bind="query-params", format="YYYY-MM-DD")
    until = st.date_input(
        "To (UTC), included", None, key="to", bind="query-params", format="YYYY-MM-DD"
    )
    by = st.multiselect(
        "Compare cost reports by", ["variant", "project"], key="by", bind="query-params"
    )
scope = Scope(
    datetime.combine(since, time.min) if since else None,
    datetime.combine(until, time.min) + timedelta(days=1) if until else None,
)


def show(answer: Reconciled, name: str) -> None:
    """The figures, the causes, and the rows they are made of."""
    total = answer.total
    with st.grid(4, min_column_width=150):
        st.metric("Charged", parts.money(total.charged_pico), border=True, height="stretch")
        st.metric("Computed", parts.money(total.computed_pico), border=True, height="stretch")
        st.metric(
            "Residual", parts.money(total.residual_pico, signed=True), border=True,
            height="stretch", help="Charged less computed: the causes add up to it exactly.",
        )  # fmt: skip
        st.metric(
            "Unexplained", parts.share(float(answer.unexplained_share)), border=True,
            height="stretch", help="Unexplained differences, each at its size, over the charges.",
        )  # fmt: skip
    present = [c for c in CAUSES if any(row.causes[c] for row in answer.rows)]
    causes = [{"cause": TITLES[c], "usd": total.causes[c], "meaning": MEANING[c]} for c in present]
    if causes:
        parts.table(
            causes,
            [
                Column("cause", "Cause"),
                Column("usd", "Part of the residual", "usd"),
                Column("meaning", "Meaning"),
            ],
            f"causes-{name}",
            alt="The residual by cause",
            even=True,
        )
    rows: list[dict[str, Any]] = [
        {
            **{
                n: "(all)" if k is None else show_value(k)
                for n, k in zip(answer.by, row.keys, strict=True)
            },
            "calls": row.calls, "charged": row.charged_pico, "computed": row.computed_pico,
            "residual": row.residual_pico, "mainly": TITLES.get(row.main_cause, ""), **row.causes,
        }
        for row in answer.rows
    ]  # fmt: skip
    parts.table(
        rows,
        [
            *(Column(n, n[:1].upper() + n[1:]) for n in answer.by),
            Column("calls", "Calls", "count"),
            Column("charged", "Charged", "usd"), Column("computed", "Computed", "usd"),
            Column("residual", "Residual", "usd"), Column("mainly", "Mainly"),
            *(Column(c, TITLES[c], "usd", MEANING[c]) for c in present),
        ],
        f"reconcile-{name}",
        alt="Charged, computed and their difference by cause",
        even=True,
    )  # fmt: skip
    for note in answer.notes:
        st.caption(note)


calls = books.ask(reconcile_calls, ("format", "seller"), scope)
reports = books.ask_priced(reconcile_reports, tuple(by), scope)
tested_notice(books, scope, filters=False)
if not calls.rows and not reports.rows:
    st.info(
        "Nothing to compare with in this period: no call states its own charge, and no cost "
        "report is imported. Import an organisation's cost page or CSV with `tokenbooks ingest`.",
        icon=":material/balance:",
    )
if reports.rows:
    st.header("Cost reports")
    st.caption(
        "Charged: what the organisation's cost report says was billed, by its own periods. "
        "Computed: the stored calls of the same provider and period at the rates in force."
    )
    show(reports, "reports")
if calls.rows:
    st.header("Calls that state their own charge")
    st.caption(
        "Charged: what the log states beside the call. Computed: the same calls at the rates in "
        "force. Calls that state nothing are on neither side."
    )
    show(calls, "calls")
