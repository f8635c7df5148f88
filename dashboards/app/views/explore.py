"""Explore: spend by any dimension, when, how it is spread, and the calls themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboards.app import charts, parts, source
from dashboards.app.filters import NONE, sidebar, tested_notice
from dashboards.app.measures import MEASURES, Measure
from dashboards.app.parts import Column
from dashboards.app.single_calls import calls_themselves
from dashboards.app.spread import concentration, cost_per_call
from dashboards.app.unit_costs import unit_costs
from dashboards.queries.periods import (
    end_of,
    grain,
    tag_names,
    values,
    variants_in_order,
)
from dashboards.queries.scope import PERIODS, show_value
from dashboards.queries.spend import Spend, SpendRow, spend

books = source.current()
choice = sidebar(books)

GROUPS = (
    "variant", "team", "feature", "project", "customer", "environment", "seller", "provider",
    "model", "tier", "region", "effort", "session", "format", "status", "failed",
)  # fmt: skip
MOST_ROWS = 1000
MOST_COLOURS = 12
OTHER = "(all others)"


def lasting_order(name: str) -> Sequence[str]:
    """The order colours hang on: of first use for variants, else of the alphabet."""
    if name == "variant":
        return books.ask(variants_in_order)
    if name.startswith("tags.") or name == "status":
        return ()
    found = books.ask(values, name)
    return sorted(NONE if value is None else value for value, _ in found)


def spend_columns(names: Sequence[str]) -> list[Column]:
    """The columns of a breakdown."""
    return [
        *(Column(f"key{n}", name.replace("_", " ").capitalize()) for n, name in enumerate(names)),
        Column("cost", "Cost", "usd", "Priced calls; empty where nothing has a price"),
        Column("calls", "Calls", "count"),
        Column("per_thousand", "Per 1,000 calls", "usd", "Priced calls only"),
        Column("input", "Input tokens", "count"),
        Column("cached", "Cached share", "share", "Of all input tokens"),
        Column("output", "Output tokens", "count"),
        Column("reasoning", "Reasoning", "count", "Part of the output tokens"),
        Column("savings", "Cache savings", "usd"),
        Column("unpriced", "Unpriced calls", "count"),
        Column("assumed", "Assumed", "count", "Calls priced with an assumption"),
        Column("failed", "Failed", "count"),
        Column("stated", "Stated by source", "price", "What the logs themselves say it cost"),
    ]


def spend_row(row: SpendRow, names: Sequence[str]) -> dict[str, Any]:
    """One line of a breakdown."""
    priced = row.calls - row.unpriced_calls
    keys = zip(row.keys, names, strict=True)
    return {
        **{f"key{n}": show_value(key, name) for n, (key, name) in enumerate(keys)},
        "cost": None if row.wholly_unpriced else row.cost_pico,
        "calls": row.calls,
        "per_thousand": row.cost_pico * 1000 // priced if priced else None,
        "input": row.input_tokens, "cached": row.cached_share, "output": row.output_tokens,
        "reasoning": row.reasoning_tokens, "savings": row.cache_savings_pico,
        "unpriced": row.unpriced_calls, "assumed": row.assumed_calls, "failed": row.failed_calls,
        "stated": row.source_cost_usd,
    }  # fmt: skip


def top(answer: Spend, measure: Measure) -> list[tuple[str, int]]:
    """The largest groups of a one-dimensional answer by a measure, zero and unknown left out."""
    found = [(show_value(r.keys[0], answer.by[0]), measure.of(r)) for r in answer.rows]
    return sorted([(n, v) for n, v in found if v], key=lambda item: (-item[1], item[0]))


def breakdown(by: str, measure: Measure) -> None:
    """The groups of one dimension as bars, and as a table with all figures."""
    second = st.selectbox(
        "And by", ["–", *(g for g in groups if g != by), *PERIODS], key="and",
        bind="query-params", help="A second dimension for the table",
    )  # fmt: skip
    answer = books.ask(spend, [by], choice.scope, limit=MOST_ROWS)
    found = top(answer, measure)
    drawn = [
        {"name": name, "value": measure.plotted(value), "label": measure.words(value)}
        for name, value in found[:20]
    ]
    if drawn:
        parts.draw(
            charts.ranking(drawn, lasting_order(by), what=measure.kind),
            key="chart_breakdown",
            alt=f"{measure.label} by {by}: "
            + ", ".join(f"{d['name']} {d['label']}" for d in drawn[:6]) + ".",
        )  # fmt: skip
        st.caption(
            f"{measure.says.capitalize()} by {by}, largest first"
            + (f"; 20 of {len(found):,} groups." if len(found) > 20 else ".")
        )
    else:
        st.info(f"No group has a {measure.label.lower()} to show; the table has the rest.")
    names = [by] if second == "–" else [by, second]
    whole = answer if second == "–" else books.ask(spend, names, choice.scope, limit=MOST_ROWS)
    total = spend_row(replace(whole.total, keys=tuple(None for _ in names)), names)
    total |= {"key0": "Total", **({"key1": ""} if len(names) > 1 else {})}
    parts.table(
        [*(spend_row(r, names) for r in whole.rows), total],
        spend_columns(names),
        "breakdown",
        alt=f"Spend by {' and '.join(names)}",
    )
    if len(whole.rows) >= MOST_ROWS:
        st.caption(f"The {MOST_ROWS:,} dearest groups; the total covers all.")


def timeline(by: str, measure: Measure) -> None:
    """A dimension's largest groups over time, the others as one, so that bars reach the total."""
    unit = st.segmented_control(
        "Cut by", ["auto", *PERIODS], default="auto", required=True, key="cut",
        bind="query-params",
    )  # fmt: skip
    step = grain(choice.period) if unit == "auto" else unit
    hours = (choice.period.covered - choice.period.since) / timedelta(hours=1)
    if step == "hour" and hours > 24 * 62:
        parts.problem(
            "More than 62 days in hours is too fine to draw; cut by days, or narrow the period."
        )
        return
    found = top(books.ask(spend, [by], choice.scope, limit=MOST_ROWS), measure)
    leading = [name for name, _ in found[:MOST_COLOURS]]
    rank = {name: n for n, name in enumerate([*leading, OTHER])}
    if by in choice.scope.where or by == "status" or len(found) <= MOST_COLOURS:
        answer = books.ask(spend, [step, by], choice.scope)
    else:
        wanted = ["" if n == NONE else n for n in leading]
        where = {**choice.scope.where, by: wanted}
        answer = books.ask(spend, [step, by], replace(choice.scope, where=where))
    sums: dict[Any, int] = {}
    rows: list[dict[str, Any]] = []
    for row in answer.rows:
        name, value = show_value(row.keys[1], by), measure.of(row)
        if name in rank and value:
            rows.append({"period": row.keys[0], "name": name, "value": value})
            sums[row.keys[0]] = sums.get(row.keys[0], 0) + value
    for row in books.ask(spend, [step], choice.scope).rows:
        rest = (measure.of(row) or 0) - sums.get(row.keys[0], 0)
        if rest:
            rows.append({"period": row.keys[0], "name": OTHER, "value": rest})
    if not rows:
        parts.nothing(f"Nothing here has a {measure.label.lower()}.")
        return
    drawn = [
        {
            "start": r["period"].isoformat(),
            "end": charts.bar_end(r["period"], end_of(r["period"], step)),
            "name": r["name"], "value": measure.plotted(r["value"]), "rank": rank[r["name"]],
            "when": show_value(r["period"], step), "label": measure.words(r["value"]),
        }
        for r in rows
    ]  # fmt: skip
    parts.chart(
        charts.over_time(
            drawn, lasting_order(by), unit=step, what=measure.kind, group=by.capitalize(),
            span=(choice.period.since, choice.period.covered),
        ),
        sorted(rows, key=lambda r: (r["period"], rank[r["name"]])),
        [
            Column("period", step.capitalize(), "time"), Column("name", by.capitalize()),
            Column("value", measure.label, measure.kind),
        ],
        "over-time",
        caption=f"{measure.says.capitalize()} by {by} and {step}, cut in {choice.zone}; the bars"
        " add up to the total of the period.",
        alt=f"Stacked bars of {measure.label.lower()} per {step} by {by}, {choice.words()}.",
    )  # fmt: skip


def hours_of_week(_: str, measure: Measure) -> None:
    """When in the week."""
    answer = books.ask(spend, ["weekday", "hour_of_day"], choice.scope)
    rows: list[dict[str, Any]] = [
        {
            "weekday": show_value(row.keys[0], "weekday"), "hour": f"{row.keys[1]:02}",
            "value": measure.of(row),
        }
        for row in answer.rows
    ]  # fmt: skip
    drawn = [
        {**r, "value": measure.plotted(r["value"]), "label": measure.words(r["value"])}
        for r in rows
        if r["value"] is not None
    ]
    parts.chart(
        charts.heatmap(drawn, what=measure.kind),
        rows,
        [
            Column("weekday", "Day"), Column("hour", "Hour"),
            Column("value", measure.label, measure.kind),
        ],
        "hours-of-week",
        caption=f"{measure.says.capitalize()} by hour of day and weekday in {choice.zone}, summed"
        " over the period. An empty cell had no calls, or none with a price.",
        alt=f"Heat map of {measure.label.lower()} by weekday and hour.",
    )  # fmt: skip


VIEWS: dict[str, Callable[[str, Measure], None]] = {
    "Breakdown": breakdown,
    "Over time": timeline,
    "Hours": hours_of_week,
    "Cost per call": lambda _by, _measure: cost_per_call(books, choice),
    "Pareto": lambda by, _measure: concentration(books, choice, by),
    "Unit costs": lambda _by, _measure: unit_costs(books, choice),
    "Calls": lambda _by, _measure: calls_themselves(books, choice),
}

total: SpendRow = books.ask(spend, (), choice.scope).total
if not total.calls:
    parts.nothing()
else:
    groups = [*GROUPS, *books.ask(tag_names)]
    view = st.segmented_control(
        "Show", list(VIEWS), default="Breakdown", required=True, key="view", bind="query-params"
    )
    first, second_box = st.columns(2)
    with first:
        grouped = st.selectbox(
            "By", groups, key="by", bind="query-params",
            disabled=view not in ("Breakdown", "Over time", "Pareto"),
        )  # fmt: skip
    with second_box:
        measured = st.selectbox(
            "Measure", list(MEASURES), key="measure", bind="query-params",
            format_func=lambda m: MEASURES[m].label,
            disabled=view not in ("Breakdown", "Over time", "Hours"),
        )  # fmt: skip
    parts.unpriced_notice(total.unpriced_calls, total.calls, total.unpriced_tokens)
    tested_notice(books, choice.scope)
    VIEWS[view](grouped, MEASURES[measured])
