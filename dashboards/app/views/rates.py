"""Rates: the pricing table, and one card with its history, conditions and sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.parts import Column
from dashboards.queries.pricing import conditions, dates, listing, published
from pricing.meters import TIERS, priced
from pricing.rates import EPOCH

books = source.current()
catalogue = books.catalogue
now = datetime.now(UTC).replace(tzinfo=None)


def prices(day: datetime, tiers: tuple[str, ...]) -> list[dict[str, Any]]:
    """The whole table of a day, worked out once."""
    return books.remember(
        ("rates", catalogue.version, day, tiers),
        lambda: list(listing(catalogue, at=day, tiers=tiers)),
    )


def matches(row: dict[str, Any], words: list[str]) -> bool:
    """Whether every word is in the variant, its seller or its role."""
    text = f"{row['seller']} {row['variant']} {row['tier']} {row['role'] or ''}".lower()
    return all(word in text for word in words)


with st.sidebar:
    day = st.date_input(
        "Prices in force on", now.date(), key="on", bind="query-params", format="YYYY-MM-DD"
    )
    tiers = st.multiselect(
        "Tier", list(TIERS), default=["standard"], key="rate_tier", bind="query-params"
    )
    sellers = st.multiselect(
        "Seller", catalogue.sellers(), key="rate_seller", bind="query-params", placeholder="All"
    )
noon = datetime(day.year, day.month, day.day, 12)
search = st.text_input(
    "Search", key="q", bind="query-params", placeholder="gpt-5.2, claude opus, pro batch …",
    type="search", help="Every word must be in the variant, seller, tier or role.",
)  # fmt: skip
listed = [
    row
    for row in prices(noon, tuple(t for t in TIERS if t in (tiers or TIERS)))
    if (not sellers or row["seller"] in sellers) and matches(row, search.lower().split())
]
cards = [f"{row['seller']}:{row['variant']}" for row in listed]


def pick() -> None:
    """Take the clicked row as the card to show."""
    chosen = st.session_state["table_rates"].selection.rows
    if chosen:
        st.session_state["card"] = cards[chosen[0]]


if not listed:
    st.info(
        "No price matches. Search for fewer words, another day or tier, or look at all sellers.",
        icon=":material/search_off:",
    )
else:
    shown = [
        {
            **row,
            "steps": ", ".join(f"from {n:,}" for n in row["steps"]),
            "context": row["context_window"],
        }
        for row in listed
    ]
    parts.table(
        shown,
        [
            Column("variant", "Variant"), Column("seller", "Seller"), Column("tier", "Tier"),
            Column("input", "Input", "price"), Column("cached", "Cached", "price"),
            Column("cache_write", "Cache write", "price"), Column("output", "Output", "price"),
            Column("context", "Context", "count", "Tokens of prompt and answer together"),
            Column("max_output", "Max. output", "count"),
            Column("steps", "Other price", help="Prompt sizes at which another price begins"),
            Column("retired", "Retires", "date"),
        ],
        "rates",
        alt="Prices in USD for 1,000,000 tokens by variant, seller and tier",
        height=380,
        on_select=pick,
    )  # fmt: skip
    st.caption(
        f"{len(listed):,} prices in USD for 1,000,000 tokens, in force on {day:%Y-%m-%d} for small"
        " prompts. A dash is no price of its own: a cached token is then charged as plain input."
        " Click a row for its history and sources."
    )


def history(seller: str, name: str) -> None:
    """Every rate ever recorded of one variant at one seller."""
    variant = catalogue.variant(name, seller)
    rates = catalogue.rates(seller, name)
    st.header(f"{name} at {seller}")
    if variant is not None:
        facts = [
            f"role {variant.role}" if variant.role else "",
            f"context {variant.context_window:,} tokens" if variant.context_window else "",
            f"answers up to {variant.max_output:,} tokens" if variant.max_output else "",
            f"retires {variant.retired:%Y-%m-%d}" if variant.retired else "",
            f"successor {variant.successor}" if variant.successor else "",
        ]
        st.markdown("; ".join(f for f in facts if f) or "No facts besides its prices are recorded.")
    if not rates:
        st.info("No rate is recorded for this variant at this seller.")
        return
    rows = [
        {
            "meter": r.meter,
            "price": published(r.meter, r.price),
            "per": meter.per_units if (meter := priced(r.meter)) else "",
            "tier": r.tier,
            "holds": dates(r),
            "conditions": conditions(r),
            "state": "in force"
            if r.in_force and r.valid_from <= noon < r.valid_to
            else "claim, not in force"
            if not r.in_force
            else "later"
            if r.valid_from > noon
            else "past",
            "source": r.source,
            "checked": r.checked,
            "recorded": None if r.recorded_at == EPOCH else r.recorded_at,
            "note": r.note,
        }
        for r in sorted(rates, key=lambda r: (r.tier, r.valid_from, r.min_input, r.meter))
    ]
    parts.table(
        rows,
        [
            Column("meter", "Meter"), Column("price", "Price", "price"), Column("per", "For"),
            Column("tier", "Tier"), Column("holds", "Holds"), Column("conditions", "Conditions"),
            Column("state", f"On {day:%Y-%m-%d}"), Column("source", "Source"),
            Column("checked", "Checked", "date"), Column("recorded", "Recorded", "time"),
            Column("note", "Note"),
        ],
        "rate-history",
        alt=f"Every recorded rate of {name} at {seller} with dates, conditions and sources",
    )  # fmt: skip
    st.caption(
        f"All {len(rows)} rates ever recorded, claims that contradict each other included. Rates"
        " are only ever added; which one is in force is stated, and each names its source and the"
        " day it was checked."
    )


every = sorted(set(cards))
asked = st.selectbox(
    "History and sources of", every, index=None, key="card", bind="query-params",
    placeholder="Click a row above, or type a variant", accept_new_options=True,
)  # fmt: skip
if asked:
    at_seller, _, of_variant = asked.partition(":")
    history(at_seller, of_variant)
