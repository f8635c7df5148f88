"""Export: the books as a file, with the proof that it adds up to the report."""

from __future__ import annotations

from typing import Any

import streamlit as st

from budgets.spend.model import BudgetError, read_budgets
from dashboards.app import parts, source
from dashboards.app.filters import sidebar, tested_notice
from dashboards.exports.prepare import KINDS, MonthSettings, Prepared, Wish, command, prepare
from dashboards.exports.write import ExportError
from dashboards.monthly.pdf import browser
from dashboards.queries.anomalies import Rules
from dashboards.queries.periods import tag_names
from dashboards.queries.scope import PERIODS, show_calls
from dashboards.queries.spend import spend
from pricing.currency import CurrencyError, Exchange
from pricing.money import plain, usd

books = source.current()
choice = sidebar(books)

AT_ONCE = 100_000
"""Calls in scope up to which the file is made without being asked for."""
MOST = 2_000_000
"""Calls up to which one row a call goes through a browser; beyond, the command line writes it."""
ROWS = {"groups": "Group", "calls": "Call", "meters": "Meter and price"}
GROUPS = ("team", "project", "feature", "customer", "environment", "variant", "seller", "tier")
SAYS = {
    "csv": "A table for a spreadsheet. Money has twelve decimals; what has no price is empty.",
    "parquet": "The same table with types, for notebooks and warehouses: money is DECIMAL.",
    "focus-1.4": "The FinOps Foundation's Cost and Usage table: one row a kind of token and charge"
    " period. Charge periods are cut in UTC, as FOCUS demands.",
    "focus-1.2": "As 1.4, with the older column names; for tools that validate against 1.2.",
    "report": "One HTML file with its charts inside: spend, causes, budgets, units. Prints well.",
    "report-pdf": "The same report, printed to PDF by the browser on this machine.",
}


def asked() -> Wish:
    """The wish of the reader, from widgets that live in the address."""
    kinds = [k for k in KINDS if k != "report-pdf" or browser()]
    kind: Any = st.segmented_control(
        "File", kinds, default="csv", required=True, key="file", bind="query-params",
        format_func=lambda k: KINDS[k],
    )  # fmt: skip
    st.caption(SAYS[kind])
    if kind in ("csv", "parquet"):
        rows: Any = st.segmented_control(
            "A row for each", ["groups", "calls", "meters"], default="groups", required=True,
            key="rows", bind="query-params",
            format_func=lambda k: ROWS[k],
        )  # fmt: skip
        by = ()
        if rows != "calls":
            by = tuple(
                st.multiselect(
                    "Grouped by", [*PERIODS, *GROUPS, *books.ask(tag_names)],
                    default=["day", "team", "variant"], key="by", bind="query-params",
                )
            )  # fmt: skip
        return Wish(kind, rows, by)
    if kind in ("focus-1.4", "focus-1.2"):
        period: Any = st.segmented_control(
            "Charge period", ["day", "hour"], default="day", required=True, key="charge",
            bind="query-params", format_func=str.capitalize,
        )  # fmt: skip
        tags = st.multiselect(
            "Tags", [*GROUPS[:5], *books.ask(tag_names)], default=list(Wish(kind).tags),
            key="focus_tags", bind="query-params",
        )  # fmt: skip
        account = st.selectbox(
            "Billing account", ["seller", *GROUPS[:5]], key="account", bind="query-params",
            help="The dimension that is the billing account; calls without it fall to the seller.",
        )  # fmt: skip
        return Wish(kind, period=period, tags=tuple(tags), account=account)
    return Wish(kind)


def month_settings() -> MonthSettings:
    """Budgets, currency and anomaly rules of the settings, for the month's report."""
    held = books.settings
    return MonthSettings(
        read_budgets(getattr(held, "budgets", None) or []),
        Exchange.from_settings(getattr(held, "currency", None) or {}),
        Rules.from_settings(getattr(held, "anomalies", None) or {}),
    )


def proof(made: Prepared) -> None:
    """The file's own sum beside the report's, to the pico-dollar."""
    with st.grid(3, min_column_width=200):
        st.metric(
            "Sum of the file", f"${plain(usd(made.file_pico))}", border=True, height="stretch",
            help="The cost column of the finished file, read back and added up.",
        )  # fmt: skip
        st.metric(
            "The report", f"${plain(usd(made.report_pico))}", border=True, height="stretch",
            help="What `tokenbooks report` says for the same period, time zone and filters.",
        )  # fmt: skip
        st.metric(
            "Rows" if made.rows is not None else "Size",
            f"{made.rows:,}" if made.rows is not None else f"{len(made.data) / 1024:,.0f} KiB",
            border=True, height="stretch",
        )  # fmt: skip
    if made.equal:
        st.success("The file adds up to the report, to the pico-dollar.", icon=":material/check:")
    else:
        parts.problem("The file does not add up to the report: do not use it, and report this.")
    if made.unpriced_calls:
        st.caption(
            f"{show_calls(made.unpriced_calls)} ({parts.count(made.unpriced_tokens)} tokens)"
            " without a price: in neither sum. Their cost is empty in CSV and Parquet; FOCUS, whose"
            " costs may not be empty, leaves them out."
        )


def hand_over(made: Prepared) -> None:
    """The download, and the first rows of what is in it."""
    st.download_button(
        f"Download {made.name}", made.data, file_name=made.name, mime=made.mime,
        icon=":material/download:", on_click="ignore", type="primary", key="take",
    )  # fmt: skip
    proof(made)
    names, rows = made.head
    if names and rows:
        st.header("First rows")
        st.dataframe(  # pyright: ignore[reportUnknownMemberType]
            {name: [row[n] for row in rows] for n, name in enumerate(names)},
            hide_index=True, placeholder="", alt=f"The first {len(rows)} rows of the file",
        )  # fmt: skip


wish = asked()
calls = books.ask(spend, (), choice.scope).total.calls
tested_notice(books, choice.scope)
terminal = command(wish, choice.scope, books.path)
if not calls:
    parts.nothing()
elif calls > MOST and wish.rows == "calls" and wish.kind in ("csv", "parquet"):
    st.info(f"{calls:,} rows are too many for a browser. Write them from a terminal:")
    st.code(terminal, language="bash", wrap_lines=True)
else:
    slow = calls > AT_ONCE or wish.kind == "report-pdf"
    key = (repr(wish), repr(choice.scope), repr(books.generation))
    # One file a session is kept, and none among the remembered answers: those are small.
    kept, made = st.session_state.get("export_made", (None, None))
    made = made if kept == key else None
    wanted = not slow
    if slow and made is None:
        st.caption(f"{show_calls(calls)} in this choice.")
        wanted = st.button("Make the file", type="primary", icon=":material/draft:")
    try:
        if made is None and wanted:
            with st.spinner("Writing the file and adding it up…"), books.cursor() as con:
                made = prepare(con, books.catalogue, wish, choice.scope, month_settings())
            st.session_state["export_made"] = (key, made)
        if made is not None:
            hand_over(made)
    except (ExportError, BudgetError, CurrencyError) as error:
        parts.problem(str(error))
    with st.expander("The same from a terminal"):
        st.code(terminal, language="bash", wrap_lines=True)
