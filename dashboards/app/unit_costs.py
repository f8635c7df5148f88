"""What one costs, and who answers for it: the unit economics and showback of a choice, on a page.

The figures of `tokenbooks unit` and `tokenbooks showback`, for the calls the page shows.
"""

from __future__ import annotations

import streamlit as st

from dashboards.app import parts
from dashboards.app.filters import Choice
from dashboards.app.parts import Column
from dashboards.app.source import Source
from dashboards.queries.periods import tag_names, values
from dashboards.queries.showback import RULES, Rule, ShowbackError, showback
from dashboards.queries.units import units
from pricing.money import PICO

DIMENSIONS = ("customer", "team", "project", "feature", "environment", "session")


def unit_costs(books: Source, choice: Choice) -> None:
    """Cost per call, session, user…, what caches saved and could have, and top spenders."""
    tags = books.ask(tag_names)
    left, right = st.columns(2)
    ranked = left.selectbox(
        "Top spenders by", [*DIMENSIONS, *tags], key="top_by", bind="query-params"
    )
    task = right.selectbox(
        "A task is named by", ["–", *DIMENSIONS, *tags], key="task", bind="query-params"
    )
    made = books.ask(units, choice.scope, task="" if task == "–" else task, top_by=ranked, top=20)
    with st.grid(4, min_column_width=150):
        each = made.per("call").each_usd
        st.metric(
            "Cost per call", "unpriced" if each is None else parts.money(round(each * PICO)),
            border=True, height="stretch", help="Priced cost over priced calls.",
        )  # fmt: skip
        st.metric(
            "Saved by caches", parts.money(made.cache_earned_pico), border=True, height="stretch",
            help="Cached tokens at the plain input price less what they cost, write premiums off.",
        )  # fmt: skip
        st.metric(
            "Missed, at most", parts.money(made.cache_missed_pico), border=True, height="stretch",
            help="In a session: what the call before had sent already and was not read from the "
            f"cache. {parts.share(made.session_share)} of the calls name a session.",
        )  # fmt: skip
        calls = made.total.calls
        st.metric(
            "Failed calls", parts.share(made.failed_calls / calls if calls else None),
            border=True, height="stretch",
            help=f"{made.failed_calls:,} calls that the log marks as failed: the least number of "
            f"retries. They cost {parts.money(made.failed_cost_pico)}.",
        )  # fmt: skip
    parts.table(
        [
            {
                "unit": u.name.capitalize(), "count": u.count, "cost": u.cost_pico,
                "each": None if u.each_usd is None else round(u.each_usd * PICO),
                "named": u.coverage,
            }
            for u in made.units
        ],
        [
            Column("unit", "Unit"), Column("count", "How many", "count", "That priced calls name"),
            Column("cost", "Cost", "usd"), Column("each", "Each", "usd"),
            Column("named", "Named by", "share", "Share of the cost on calls that name one"),
        ],
        "units",
        alt="Cost of one call, session, customer and so on",
    )  # fmt: skip
    st.caption("Cost of priced calls over the distinct things those calls name.")
    st.header(f"Top spenders by {ranked.removeprefix('tags.')}")
    if not made.top:
        st.info(f"No call names a {ranked.removeprefix('tags.')}.", icon=":material/info:")
    else:
        parts.table(
            [
                {
                    "name": name, "calls": row.calls, "cost": row.cost_pico,
                    "share": row.cost_pico / made.total.cost_pico if made.total.cost_pico else None,
                }
                for name, row in made.top
            ],
            [
                Column("name", ranked.removeprefix("tags.").capitalize()),
                Column("calls", "Calls", "count"), Column("cost", "Cost", "usd"),
                Column("share", "Share", "share", "Of the whole cost"),
            ],
            "top-spenders",
            alt=f"The largest spenders by {ranked}",
        )  # fmt: skip
    statement(books, choice)


def statement(books: Source, choice: Choice) -> None:
    """Showback: each team's own cost and its part of what is shared."""
    st.header("Showback")
    try:
        held = Rule.from_settings(getattr(books.settings, "showback", None) or {})
        names = ["(none)" if v is None else v for v, _ in books.ask(values, held.by)]
        left, right = st.columns(2)
        shared = left.multiselect(
            f"Shared by all: cost of {held.by}", names,
            default=[n for n in ("(none)" if s == "" else s for s in held.shared) if n in names],
            key="shared", bind="query-params", help="What everybody uses. (none) is unnamed cost.",
        )  # fmt: skip
        rules = [r for r in RULES if r != "fixed" or held.shares]
        how = right.segmented_control(
            "Split", rules, default=held.rule, required=True, key="split", bind="query-params",
            format_func=str.capitalize,
        )  # fmt: skip
        rule = Rule(
            held.by, tuple("" if s == "(none)" else s for s in shared), how,
            held.shares if how == "fixed" else None, held.among,
        )  # fmt: skip
        made = books.ask(showback, choice.scope, rule)
    except ShowbackError as error:
        parts.problem(str(error))
        return
    rows = [
        {"name": r.name, "own": r.own, "part": r.part, "total": r.total, "calls": r.calls}
        for r in made.rows
    ]
    total = {
        "name": "Total", "own": sum(r.own for r in made.rows), "part": made.shared,
        "total": made.total, "calls": sum(r.calls for r in made.rows),
    }  # fmt: skip
    parts.table(
        [*rows, total],
        [
            Column("name", held.by.capitalize()), Column("own", "Own", "usd"),
            Column("part", "Part of the shared", "usd"), Column("total", "Answers for", "usd"),
            Column("calls", "Own calls", "count"),
        ],
        "showback",
        alt="What each answers for: own cost and its part of the shared cost",
    )  # fmt: skip
    st.caption(
        f"{parts.money(made.shared)} shared, split {how}. The parts add up to the report's total, "
        "to the pico-dollar.".replace("$", "\\$")
    )
