"""What the Simulate page shows: figures, fan, variants, tornado, levers, and what to take along.

Everything is computed from one scenario text, so that what is downloaded is what was simulated.
"""

from __future__ import annotations

import importlib
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboards.app import parts, traffic_charts
from dashboards.app.parts import Column
from dashboards.app.scenarios import (
    fan,
    lever_rows,
    lifetime_rows,
    result_csv,
    tornado_centre,
    tornado_rows,
    variant_rows,
)
from ingest.traffic import CataloguePrices, simulate
from pricing.money import show_usd

if TYPE_CHECKING:
    from dashboards.app.source import Source
    from ingest.traffic import Scenario

Computed = tuple[dict[str, Any], list[dict[str, Any]]]


def words(amount: Decimal | str | None) -> str:
    """An estimate in USD: no cents from a hundred dollars up."""
    if amount is None:
        return "unpriced"
    value = Decimal(amount)
    return f"${value:,.0f}" if abs(value) >= 100 else show_usd(value)


def png(drawing: Any) -> bytes:
    """A chart as a picture, at twice the screen's size."""
    # An optional library, perhaps not there for a type checker to look at.
    vl_convert: Any = importlib.import_module("vl_convert")
    made = drawing.properties(width=800).to_json()
    return vl_convert.vegalite_to_png(made, scale=2)


def headline(first: dict[str, Any], answer: dict[str, Any]) -> None:
    """The bill in words and four figures."""
    cost = first["cost_usd"]
    with st.container(horizontal=True):
        st.metric(f"{answer['days']:g} days on {first['variant']}", words(cost["p50"]),
                  help="P50: as likely more as less.")  # fmt: skip
        st.metric("80 % confidence", f"{words(cost['p10'])} – {words(cost['p90'])}",
                  help="P10 to P90.")  # fmt: skip
        st.metric("A session", words(first["cost_per_session_usd"]))
        _task_metric(first)
        st.metric("From the cache", parts.share(first["cached_share"]),
                  help="Share of input tokens.")  # fmt: skip
    if answer["cheapest"] != first["variant"]:
        best = next(v for v in answer["variants"] if v["variant"] == answer["cheapest"])
        st.markdown(
            f"**{best['variant']}** would be the cheapest of these: "
            f"{words(best['cost_usd']['p50'])}.".replace("$", "\\$")
        )


def _task_metric(first: dict[str, Any]) -> None:
    """What a solved task costs, where that is more than a session."""
    task, ends = first["cost_per_successful_task_usd"], first.get("successful_task_usd")
    if ends:
        st.metric("A successful task", f"{words(ends['p10'])} – {words(ends['p90'])}",
                  help=f"P10 to P90; {words(task)} in the middle.")  # fmt: skip
    elif task != first["cost_per_session_usd"]:
        st.metric("A successful task", words(task), help="All sessions over those that solve it.")


def show(
    answer: dict[str, Any], text: str, fan_rows: list[dict[str, Any]], cap: float, shared: str
) -> None:
    """Everything the simulation says; ``shared`` says how the view is passed on."""
    first = next((v for v in answer["variants"] if v["cost_usd"] is not None), None)
    for v in answer["variants"]:
        if v["cost_usd"] is None:
            st.warning(f"**{v['variant']}** has no price: {v.get('reason', 'unknown')}",
                       icon=":material/help:")  # fmt: skip
    if first is None:
        return
    headline(first, answer)
    for warning in dict.fromkeys(w for v in answer["variants"] for w in v.get("warnings", ())):
        st.warning(warning.replace("$", "\\$"), icon=":material/warning:")
    drawing = traffic_charts.fan(fan_rows, cap * answer["days"] / 30.4375 if cap else None)
    st.header("The bill so far", anchor=False)
    parts.draw(
        drawing, key="chart_fan",
        alt=f"Bill so far on {first['variant']}: at the end {words(first['cost_usd']['p50'])}.",
    )  # fmt: skip
    picture = "" if find_spec("vl_convert") else " The chart's corner downloads it as PNG."
    st.caption(f"The line is P50; the band holds 80 % of the simulated months.{picture}")
    st.header("Variants", anchor=False)
    rows = variant_rows(answer)
    parts.table(
        rows,
        [
            Column("variant", "Variant"), Column("p10", "P10", "usd"),
            Column("p50", "P50", "usd"), Column("p90", "P90", "usd"),
            Column("p99", "P99", "usd"), Column("session", "A session", "usd"),
            *_task_columns(rows),
            Column("cached", "Cached", "share"), Column("input", "Input tokens", "count"),
            Column("output", "Output tokens", "count"),
            Column("reasoning", "Reasoning", "count", "Part of the output"),
            Column("status", "Price"),
        ],
        "simulated", alt="Simulated cost by variant",
    )  # fmt: skip
    bars = tornado_rows(first)
    st.header("What the bill hangs on", anchor=False)
    parts.draw(
        traffic_charts.tornado(bars, tornado_centre(first)), key="chart_tornado",
        alt="; ".join(f"{b['name']} moves the bill by {b['label']}" for b in bars),
    )  # fmt: skip
    st.caption("One number at a time at its P10 and P90, the others in the middle.")
    for e in first["efforts"][:1]:
        st.caption(
            f"Effort {e['effort']}: output × {e['p50']:.2f} of {e['reference_effort']} "
            f"({e['p10']:.2f} to {e['p90']:.2f}). Source: {e['source']}."
        )
    _show_levers(lever_rows(answer["levers"]))
    if lives := lifetime_rows(first):
        st.header("If the cache forgets sooner or later", anchor=False)
        parts.table(
            lives,
            [Column("lifetime", "Entries live"), Column("cost", "The bill", "usd"),
             Column("assumed", "")],
            "cache_lifetimes", alt="The bill by how long cache entries live",
        )  # fmt: skip
        st.caption("As short and as long as the provider's words allow; not part of the interval.")
    with st.container(horizontal=True):
        st.download_button(
            "Scenario (TOML)", text, "scenario.toml", "application/toml", on_click="ignore",
            icon=":material/download:", help="For `tokenbooks simulate scenario.toml`.",
        )  # fmt: skip
        st.download_button(
            "Result (CSV)", result_csv(answer), "simulated.csv", "text/csv", on_click="ignore",
            icon=":material/table:", help="Costs and tokens of every variant.",
        )  # fmt: skip
        if find_spec("vl_convert") is not None:
            st.download_button(
                "Chart (PNG)", lambda: png(drawing), "tokenbooks-simulated.png", "image/png",
                on_click="ignore", icon=":material/image:",
            )  # fmt: skip
    st.caption(shared)


def _task_columns(rows: list[dict[str, Any]]) -> list[Column]:
    """Columns of a successful task, where it costs something else than a session."""
    if all(r["task"] == r["session"] for r in rows):
        return []
    sure = [Column("task", "A successful task", "usd")]
    if all(r["task_p10"] is None for r in rows):
        return sure
    return [*sure, Column("task_p10", "its P10", "usd"), Column("task_p90", "its P90", "usd")]


def _show_levers(levers: list[dict[str, Any]]) -> None:
    """The levers that save something; with the ends of a saving where its share is uncertain."""
    if not levers:
        return
    ends = [Column("p10", "P10", "usd"), Column("p90", "P90", "usd")]
    unsure = any(v["p10"] is not None for v in levers)
    st.header("What would lower it", anchor=False)
    parts.table(
        levers,
        [
            Column("lever", "Lever"), Column("saves", "Saves", "usd"), *(ends if unsure else []),
            Column("share", "Of the bill", "share"), Column("assumes", "Holds if"),
        ],
        "levers", alt="Levers by what they save, and what each assumes",
    )  # fmt: skip


def compute(books: Source, scenario: Scenario, question: str, *, levers: bool = True) -> Computed:
    """The simulation and its fan; remembered under ``question``, which tells scenarios apart."""

    def work() -> Computed:
        prices = CataloguePrices(books.catalogue)
        answer = simulate(scenario, prices, levers=levers)
        first = next((v for v in answer["variants"] if v["cost_usd"] is not None), None)
        return answer, fan(scenario, prices, first["variant"]) if first else []

    return books.remember(("simulate", books.catalogue.version, question), work)
