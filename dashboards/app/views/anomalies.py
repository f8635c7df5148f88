"""Anomalies: days that cost far more than usual, who caused them, and what was announced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboards.anomalies.find import MIN_HISTORY, Anomaly
from dashboards.app import finance_charts, parts, source
from dashboards.app.filters import sidebar, tested_notice
from dashboards.app.parts import Column
from dashboards.queries.anomalies import Found, Rules, store_anomalies, usual_by_day
from dashboards.queries.spend import spend

books = source.current()
choice = sidebar(books)
rules = Rules.from_settings(getattr(books.settings, "anomalies", None) or {})
since, until = choice.period.since.date(), choice.period.covered.date()
until = max(until, since + timedelta(days=1))
found = books.ask_priced(
    store_anomalies, rules, since=since, until=until, zone=choice.zone, where=choice.where
)


def named(anomaly: Anomaly) -> str:
    """The scope of a finding."""
    return " / ".join(anomaly.scope.values()) or "everything"


def short(dimension: str) -> str:
    """A cause dimension as a heading."""
    return dimension.removeprefix("tags.").replace("_", " ").capitalize()


def days_chart(seen: Found) -> None:
    """Every day of the period beside what was usual, findings marked."""
    days = [since + timedelta(days=n) for n in range((until - since).days)]
    begun = since - timedelta(days=28)
    cost = {day: pico for day, pico in seen.cost.items() if pico and day >= begun}
    usual = usual_by_day(cost, days)
    marks: dict[date, str] = {}
    for state, held in (
        ("announced", [a for a, _ in seen.announced]), ("unusual", seen.reported),
    ):  # fmt: skip
        for a in held:
            for n in range((a.last - a.first).days + 1):
                marks[a.first + timedelta(days=n)] = state
    rows: list[dict[str, Any]] = [
        {
            "day": day, "cost": cost.get(day, 0), "usual": usual[day],
            "state": marks.get(day, "as usual"),
        }
        for day in days
    ]  # fmt: skip
    drawn = [
        {
            "day": f"{r['day']:%m-%d}" if len(days) <= 366 else str(r["day"]),
            "value": r["cost"] / 1e12, "state": r["state"], "label": parts.money(r["cost"]),
            "usual": None if r["usual"] is None else r["usual"] / 1e12,
            "usual_label": "too little history" if r["usual"] is None else parts.money(r["usual"]),
        }
        for r in rows
    ]  # fmt: skip
    unusual = sum(state == "unusual" for state in marks.values())
    parts.chart(
        finance_charts.out_of_line(drawn),
        rows,
        [
            Column("day", "Day", "date"), Column("cost", "Cost", "usd"),
            Column("usual", "Usual", "usd", "Mean of the same weekday in the four weeks before"),
            Column("state", "State"),
        ],
        "anomaly-days",
        caption="Cost of priced calls by day (bars), and what the same weekdays of the four weeks "
        "before cost on average (ticks). A day is marked when one of the watched scopes stands "
        "out, so the whole may look quiet.",
        alt=f"Cost by day from {since} until {until}, {unusual} days unusual.",
    )  # fmt: skip


def findings(held: Sequence[Anomaly]) -> None:
    """Each finding in a sentence, all of them in a table, and the causes of one in full."""
    for a in held[:5]:
        causes = [
            f"{short(name).lower()} **{parts.plain_text(ranked[0][0])}** "
            f"({parts.money(ranked[0][1], signed=True)})"
            for name, ranked in a.causes.items()
            if ranked and name not in a.scope
        ]
        days = f"on {a.first}" if a.first == a.last else f"from {a.first} to {a.last}"
        st.markdown(
            f"- {days}, {parts.plain_text(named(a))} cost {parts.money(a.actual)} instead of "
            f"{parts.money(a.expected)}: **{parts.money(a.excess, signed=True)}** "
            f"({a.kind}). Mostly {', '.join(causes)}.".replace("$", "\\$")
        )
    parts.table(
        [
            {
                "first": a.first, "last": a.last, "scope": named(a),
                "kind": a.kind, "cost": a.actual, "usual": a.expected, "excess": a.excess,
                **{f"by_{d.removeprefix('tags.')}": r[0][0] for d, r in a.causes.items() if r},
            }
            for a in held
        ],
        [
            Column("first", "First day", "date"), Column("last", "Last day", "date"),
            Column("scope", "Scope"), Column("kind", "Kind"), Column("cost", "Cost", "usd"),
            Column("usual", "Usual", "usd"), Column("excess", "Excess", "usd"),
            *(Column(f"by_{d.removeprefix('tags.')}", f"Mostly: {short(d)}")
              for d in held[0].causes),
        ],
        "anomalies",
        alt="Unusual days with their cost and main causes",
    )  # fmt: skip
    st.caption("Mostly: the value with the largest part of the excess, in each dimension.")
    with st.expander("All causes, with their part of the excess"):
        parts.table(
            [
                {"first": a.first, "scope": named(a), "dimension": short(name), "value": value,
                 "excess": pico}
                for a in held
                for name, ranked in a.causes.items()
                for value, pico in ranked
            ],
            [
                Column("first", "First day", "date"), Column("scope", "Scope"),
                Column("dimension", "By"), Column("value", "Value"),
                Column("excess", "Part of the excess", "usd"),
            ],
            "anomaly-causes",
            alt="Every cause of every finding; within a dimension they add up to the excess",
        )  # fmt: skip


st.caption(
    f"Watched: each {' and '.join(rules.by) or 'day of everything'}. Reported from "
    f"{parts.money(rules.floor_pico)} above what the same weekdays of the four weeks before cost. "
    f"{choice.words()}".replace("$", "\\$")
)
held = books.ask(spend, (), choice.scope).total
parts.unpriced_notice(held.unpriced_calls, held.calls, held.unpriced_tokens)
tested_notice(books, choice.scope)
if not held.calls:
    parts.nothing()
    st.stop()
if held.wholly_unpriced:
    st.info("Nothing here has a price, so no day can be called usual or not.")
    st.stop()
if found.days < 15:
    days = "day" if found.days == 1 else "days"
    st.info(
        f"Only {found.days} {days} of priced history: 15 are needed to call a day unusual.",
        icon=":material/hourglass_top:",
    )
elif (judged := until - timedelta(days=found.days) + timedelta(days=MIN_HISTORY)) > since:
    st.caption(
        f":material/hourglass_top: The books are young: days before {judged} have less than "
        f"{MIN_HISTORY} days behind them and are not judged."
    )
if found.days >= 15 and not found.reported:
    st.success("Nothing unusual in this period.", icon=":material/verified:")
if found.days:
    days_chart(found)
if found.reported:
    st.header("What stood out")
    findings(found.reported)
if found.announced:
    st.header("Announced")
    st.caption("Set aside: a launch or price change of their main variant came just before.")
    parts.table(
        [
            {"first": a.first, "scope": named(a), "excess": a.excess, "why": why}
            for a, why in found.announced
        ],
        [Column("first", "Day", "date"), Column("scope", "Scope"),
         Column("excess", "Excess", "usd"), Column("why", "Announced by")],
        "announced",
        alt="Unusual days that a launch or price change had announced",
    )  # fmt: skip
