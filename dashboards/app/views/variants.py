"""Variants: the same traffic on other variants, tiers and sellers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboards.app import charts, parts, source
from dashboards.app.filters import sidebar, tested_notice
from dashboards.app.parts import Column
from dashboards.app.targets import target_names
from dashboards.queries.compare import CompareRow, Comparison, compare
from dashboards.queries.scope import show_calls
from dashboards.queries.spend import spend
from pricing.meters import TIERS

books = source.current()
choice = sidebar(books)


def label(row: CompareRow) -> str:
    """A target as it can be typed again."""
    home = books.catalogue.sellers_of(row.target.variant)[:1] == [row.target.seller]
    return row.target.label if home else f"{row.target.seller}:{row.target.label}"


def show(answer: Comparison) -> None:
    """The chart and the table of a comparison."""
    base = answer.base_pico
    drawn: list[dict[str, Any]] = [
        {
            "name": "as logged", "value": base / 1e12, "label": parts.money(base),
            "kind": "as logged", "whole": True, "note": show_calls(answer.calls),
        }
    ]  # fmt: skip
    rows: list[dict[str, Any]] = [
        {
            "target": "as logged", "seller": "", "cost": base, "difference": None,
            "per_thousand": base * 1000 // answer.calls if answer.calls else None,
            "carried": 1.0, "notes": "",
        }
    ]  # fmt: skip
    for row in sorted(answer.rows, key=lambda r: (r.cost_pico is None, r.cost_pico or 0)):
        name = label(row)
        part = row.carried_calls / row.calls if row.calls else 0.0
        rows.append(
            {
                "target": name, "seller": row.target.seller, "cost": row.cost_pico,
                "difference": None if row.cost_pico is None else row.cost_pico - row.base_pico,
                "per_thousand": None
                if row.cost_pico is None or not row.carried_calls
                else row.cost_pico * 1000 // row.carried_calls,
                "carried": part, "notes": "; ".join(row.notes),
            }
        )  # fmt: skip
        if row.cost_pico is not None:
            drawn.append(
                {
                    "name": name, "value": row.cost_pico / 1e12,
                    "label": parts.money(row.cost_pico),
                    "kind": "cheaper" if row.cost_pico < row.base_pico
                    else "dearer" if row.cost_pico > row.base_pico else "the same",
                    "whole": row.carried_calls == row.calls,
                    "note": f"{row.carried_calls:,} of {show_calls(row.calls)}"
                    f" ({parts.share(part)})",
                }
            )  # fmt: skip
    best = next((r for r in rows[1:] if r["difference"] is not None and r["carried"] == 1.0), None)
    if best is not None and best["difference"] < 0:
        st.markdown(
            (
                f"**{best['target']}** is the cheapest of these with a price for every call: "
                f"{parts.money(best['cost'])} instead of {parts.money(base)} "
                f"({parts.change(base, best['cost'])})."
                + (f" Mind: {best['notes']}." if best["notes"] else "")
            ).replace("$", "\\$")
        )
    parts.draw(
        charts.against_base(drawn, base / 1e12), key="chart_compare",
        alt="Bars of what the traffic would cost on each target: "
        + ", ".join(f"{d['name']} {d['label']}" for d in drawn[:6]) + ".",
    )  # fmt: skip
    same = show_calls(answer.calls).replace(" ", " priced ")
    st.caption(
        f"Cost of the same {same} on each target; the dashed line is what they cost as logged."
        " A pale bar covers only part of the calls, so compare it with the"
        " difference in the table, which is over the same calls on both sides."
    )
    parts.table(
        rows,
        [
            Column("target", "Target"), Column("seller", "Seller"), Column("cost", "Cost", "usd"),
            Column("difference", "Difference", "usd", "Target less as logged, over the same calls"),
            Column("per_thousand", "Per 1,000 calls", "usd"),
            Column("carried", "Carried over", "share", "Calls the target has a price for"),
            Column("notes", "What could not be carried over"),
        ],
        "variants",
        alt="The comparison by target",
    )  # fmt: skip
    for note in answer.notes:
        st.caption(f"{note[:1].upper()}{note[1:]}.")


options = target_names(books)
targets = st.multiselect(
    "Targets", options, key="targets", bind="query-params", accept_new_options=True,
    placeholder="The variants in the traffic; pick or type others",
    help=f"`[seller:]variant[@tier]`, such as `gpt-5-mini`, `cometapi:gpt-5.2` or "
    f"`gpt-5.2@batch`. Tiers: {', '.join(TIERS)}.",
)  # fmt: skip
today = st.toggle(
    "At today's rates", key="today", bind="query-params",
    help="Price the targets as of now instead of as of each call: for variants newer than the "
    "traffic.",
)  # fmt: skip
at = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0) if today else None
result = books.ask_priced(compare, list(targets), choice.scope, at=at)
tested_notice(books, choice.scope)
if not result.calls and not result.unpriced_calls:
    parts.nothing()
elif not result.calls:
    tokens = books.ask(spend, (), choice.scope).total.unpriced_tokens
    parts.unpriced_notice(result.unpriced_calls, result.unpriced_calls, tokens)
    st.info("Nothing here has a price as logged, so there is nothing to compare with.")
else:
    show(result)
