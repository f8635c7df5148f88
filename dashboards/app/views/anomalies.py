"""Anomalies: days that cost far more than usual, who caused them, and what was announced."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.filters import sidebar
from dashboards.app.parts import Column
from dashboards.queries.anomalies import Rules, store_anomalies

books = source.current()
choice = sidebar(books)
rules = Rules.from_settings(getattr(books.settings, "anomalies", None) or {})
since, until = choice.period.since.date(), choice.period.covered.date()
found = books.ask_priced(
    store_anomalies, rules, since=since, until=max(until, since + timedelta(days=1)),
    zone=choice.zone, where=choice.where,
)  # fmt: skip

st.caption(
    f"Watched: each {' and '.join(rules.by)}. Reported from {parts.money(rules.floor_pico)} above "
    f"what the same weekdays of the four weeks before cost. {choice.words()}"
)
if found.days < 15:
    st.info(
        f"Only {found.days} days of priced history: 15 are needed to call a day unusual.",
        icon=":material/hourglass_top:",
    )
elif not found.reported:
    st.success("Nothing unusual in this period.", icon=":material/verified:")
if found.reported:
    parts.table(
        [
            {
                "first": a.first, "last": a.last, "scope": "/".join(a.scope.values()) or "all",
                "kind": a.kind, "cost": a.actual, "usual": a.expected, "excess": a.excess,
                **{f"by_{d.removeprefix('tags.')}": r[0][0] for d, r in a.causes.items()},
            }
            for a in found.reported
        ],
        [
            Column("first", "First day", "date"), Column("last", "Last day", "date"),
            Column("scope", "Scope"), Column("kind", "Kind"), Column("cost", "Cost", "usd"),
            Column("usual", "Usual", "usd"), Column("excess", "Excess", "usd"),
            *(Column(f"by_{d.removeprefix('tags.')}", f"Mostly: {d.removeprefix('tags.')}")
              for d in found.reported[0].causes),
        ],
        "anomalies",
        alt="Unusual days with their cost and main causes",
    )  # fmt: skip
    st.caption("Mostly: the value with the largest part of the excess, in each dimension.")
if found.announced:
    st.subheader("Announced")
    parts.table(
        [
            {"first": a.first, "scope": "/".join(a.scope.values()), "excess": a.excess, "why": why}
            for a, why in found.announced
        ],
        [Column("first", "Day", "date"), Column("scope", "Scope"),
         Column("excess", "Excess", "usd"), Column("why", "Announced by")],
        "announced",
        alt="Unusual days that a launch or price change had announced",
    )  # fmt: skip
