"""Why it moved: the effects between any two periods, exactly."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import streamlit as st

from dashboards.app import finance_charts, parts, source
from dashboards.app.filters import compared, sidebar, tested_notice
from dashboards.app.parts import Column
from dashboards.explain.effects import Explanation, explain
from dashboards.queries.explain import DEFAULT_BY, cells
from dashboards.queries.periods import Period, scope_of, tag_names
from pricing.money import plain, usd

MEANING = {
    "retired": "Groups that are gone, with the cost they had",
    "volume": "As many tokens as now, at the old shares and prices",
    "mix": "Shares of the groups, and of input against output, as now",
    "tier": "Shares of the service tiers as now",
    "cache": "Shares of cache reads, cache writes and uncached input as now",
    "price": "Prices of the rates in force now",
    "new": "Groups that were not there before",
}
GROUPS = ("team", "variant", "project", "feature", "customer", "environment", "seller")
books = source.current()
choice = sidebar(books)


def other_period(now: Period) -> Period | None:
    """The period to compare with, when the reader picks one: both ends, or none."""
    left, right = st.columns(2)
    first = left.date_input(
        "Compare with, from", None, key="from", bind="query-params", format="YYYY-MM-DD",
        help="Any other period. Empty: the period before.",
    )  # fmt: skip
    last = right.date_input(
        "to (inclusive)", None, key="to", bind="query-params", format="YYYY-MM-DD"
    )
    if not isinstance(first, date) or not isinstance(last, date) or last < first:
        return None
    since, final = (datetime.combine(d, datetime.min.time()) for d in (first, last))
    until = final + timedelta(days=1)
    return Period(since, until, until, now.zone)


def floor_of(low: int, high: int) -> int:
    """Where the axis begins: at 0, or, where the steps are small beside the totals, in whole cents
    below the lowest so that they can be seen."""
    return 0 if low < (high - low) * 4 else (low - (high - low)) // 10**10 * 10**10


def draw(made: Explanation) -> None:
    """The sentence, the waterfall and the table."""
    st.markdown(made.sentence().replace("$", r"\$"))
    ends = [made.before, made.after, *(at for _, *span in made.waterfall() for at in span)]
    base = floor_of(min(ends), max(ends)) / 1e12
    rows = [{"step": "before", "low": base, "high": made.before / 1e12, "kind": "total",
             "label": parts.money(made.before)}]  # fmt: skip
    for name, low, high in made.waterfall():
        rows.append(
            {
                "step": name, "low": low / 1e12, "high": high / 1e12,
                "kind": "up" if high > low else "down",
                "label": parts.money(high - low, signed=True) if high != low else "–",
            }
        )  # fmt: skip
    rows.append({"step": "now", "low": base, "high": made.after / 1e12, "kind": "total",
                 "label": parts.money(made.after)})  # fmt: skip
    difference = made.after - made.before
    parts.chart(
        finance_charts.waterfall(rows, base),
        [
            {"effect": "before", "value": made.before, "meaning": "Cost of the earlier period"},
            *({"effect": n, "value": v, "meaning": MEANING[n]} for n, v in made.effects.items()),
            {"effect": "now", "value": made.after, "meaning": "Cost of the later period"},
        ],
        [Column("effect", "Step"), Column("value", "Cost or effect", "usd"),
         Column("meaning", "What it counts")],
        "why",
        caption="Grey: cost of priced calls before and now. Red raises, green lowers. Effects are "
        "taken from left to right, quantities before prices. They add up to the difference of the "
        f"two totals, {plain(usd(difference))} USD, to the pico-dollar."
        + (f" The axis begins at ${base:,.2f}, not at 0." if base else ""),
        alt=made.sentence(),
    )  # fmt: skip
    moved = [("new", made.new), ("retired", made.retired)]
    rows_of = [
        {"what": what, "group": " / ".join(group), "cost": cost if what == "new" else -cost}
        for what, groups in moved
        for group, cost in groups.items()
    ]
    if rows_of:
        st.header("New and retired")
        parts.table(
            rows_of,
            [Column("group", "Group"), Column("what", "New or retired"),
             Column("cost", "Effect", "usd")],
            "new-and-retired",
            alt="Groups that came or went, with their effect on the cost",
        )  # fmt: skip


picked = other_period(choice.period)
by = st.multiselect(
    "Groups", [*GROUPS, *books.ask(tag_names)], default=list(DEFAULT_BY), key="groups",
    bind="query-params", help="What counts as mix, as new and as retired.",
)  # fmt: skip
before, now = (picked, choice.period) if picked is not None else compared(books, choice)
made = explain(
    books.ask(cells, scope_of(before, choice.where), tuple(by)),
    books.ask(cells, scope_of(now, choice.where), tuple(by)),
)
for span in (before, now):
    tested_notice(books, scope_of(span, choice.where), of=span.words())
st.caption(f"Before: {before.words()}. Now: {now.words()}. Days in {choice.zone}.")
if picked is None and now != choice.period:
    st.caption(
        ":material/info: The books begin with the chosen period, so its last seven days are "
        "compared with the seven before."
    )
if not (made.before or made.after or any(made.unpriced)):
    parts.nothing()
elif not (made.before or made.after):
    st.warning(
        f"Everything here is **unpriced**: {made.unpriced[0]:,} units before, "
        f"{made.unpriced[1]:,} now.", icon=":material/help:",
    )  # fmt: skip
else:
    draw(made)
