"""What if, on the Forecast page: prices that change, traffic that moves, a launch.

Each is asked in plain fields that live in the address, and written as the command line writes it,
so that the page and `tokenbooks forecast` compute one thing:

    asked = ask(books, base)
    asked.options()       # ('--price-change gpt-5.2=-50%@2026-04-10', …)
    changed = asked.applied(base, books.catalogue)
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboards.app import parts
from dashboards.app.scenarios import packed, unpacked, uploaded_scenario
from dashboards.app.source import Source
from dashboards.app.targets import target_names
from dashboards.forecasting import scenarios
from dashboards.forecasting.outlook import Outlook
from pricing.catalogue import Catalogue
from pricing.meters import METERS

QUERY: Any = "query-params"
MOST = 5
ALL_METERS = "everything"
BY_PERCENT, NEW_PRICE = "by percent", "to a new price"


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What was asked, as the command line writes it; a launch with its scenario's own text."""

    price_changes: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    launch: tuple[str, str, date] | None = None
    """Scenario text, variant ("": the scenario's first), first day."""

    def __bool__(self) -> bool:
        return bool(self.price_changes or self.moves or self.launch)

    def options(self) -> tuple[str, ...]:
        """The same as options of `tokenbooks forecast`."""
        said = [("--price-change", text) for text in self.price_changes]
        said += [("--move", text) for text in self.moves]
        if self.launch:
            _, variant, on = self.launch
            said.append(("--launch", f"scenario.toml{f':{variant}' if variant else ''}@{on}"))
        return tuple(f"{name} {shlex.quote(text)}" for name, text in said)

    def applied(self, base: Outlook, catalogue: Catalogue) -> Outlook:
        """The forecast with all of it. Raises `ForecastError`, or the scenario's own error."""
        made = base
        for text in self.price_changes:
            made = scenarios.apply_price_change(made, text)
        for text in self.moves:
            made = scenarios.apply_move(made, catalogue, text)
        if self.launch:
            text, variant, on = self.launch
            made = scenarios.launch_scenario(made, catalogue, uploaded_scenario(text), variant, on)
        return made


def in_words(message: str) -> str:
    """An error of the command line for somebody who typed no option."""
    return re.sub(r"^--[a-z-]+:? ", "", message)


def ask(books: Source, base: Outlook) -> WhatIf:
    """Draw the fields and read them. What is not filled in asks for nothing."""
    used = sorted({f.card.variant for f in base.units if f.card and base.prices[f] is not None})
    meters = sorted({f.meter for f in base.units if base.prices[f] is not None}, key=_place)
    linked = any(name in st.query_params for name in ("price_changes", "moves", "launch"))
    with st.expander("What if …", expanded=linked, icon=":material/alt_route:"):
        with st.container(horizontal=True):
            prices = _number("Price changes", "price_changes")
            moves = _number("Moves of traffic", "moves")
            launching = st.toggle(
                "A launch", key="launch", bind=QUERY,
                help="Adds what a scenario of the Simulate page costs.",
            )  # fmt: skip
        changes = [c for n in range(1, prices + 1) if (c := _price(n, used, meters, base))]
        moved = [m for n in range(1, moves + 1) if (m := _move(n, used, books, base))]
        launch = _launch(books, base) if launching else None
    return WhatIf(tuple(changes), tuple(moved), launch)


def _place(meter: str) -> int:
    return list(METERS).index(meter)


def _number(label: str, key: str) -> int:
    return int(st.number_input(label, 0, MOST, 0, key=key, bind=QUERY))


def _day(label: str, key: str, base: Outlook) -> date:
    """A day within the forecast, the second by default."""
    last = base.dates[-1].astype(object)
    first = min(base.start + timedelta(days=1), last)
    chosen = st.date_input(label, first, key=key, bind=QUERY, format="YYYY-MM-DD")
    return chosen if isinstance(chosen, date) else first


def _price(number: int, used: list[str], meters: list[str], base: Outlook) -> str | None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        variant = st.selectbox("Price of", used, key=f"price_of_{number}", bind=QUERY)
        meter = st.selectbox(
            "For", [ALL_METERS, *meters], key=f"price_for_{number}", bind=QUERY,
            format_func=lambda m: m.replace("_", " "),
        )  # fmt: skip
        how = st.selectbox("Changes", [BY_PERCENT, NEW_PRICE], key=f"price_how_{number}",
                           bind=QUERY)  # fmt: skip
        if how == BY_PERCENT:
            value = st.number_input("Percent", -100.0, 1000.0, -20.0, step=5.0,
                                    key=f"price_by_{number}", bind=QUERY)  # fmt: skip
        else:
            per = METERS[meter].per_units if meter in METERS else "1M tokens"
            value = st.number_input(f"USD per {per}", 0.0, 1e6, 1.0, key=f"price_to_{number}",
                                    bind=QUERY, format="%.4f")  # fmt: skip
        on = _day("From", f"price_on_{number}", base)
    name = variant if meter == ALL_METERS else f"{variant}/{meter}"
    if how == BY_PERCENT:
        return f"{name}={_plain(value, signed=True)}%@{on}"
    if meter == ALL_METERS:
        st.caption("Say what the new price is for: a price of everything at once is no price.")
        return None
    return f"{name}={_plain(value)}@{on}"


def _plain(value: float, *, signed: bool = False) -> str:
    """A number without exponent or needless zeros: `-20`, `+7.5`, `0.125`."""
    text = f"{value:+.6f}" if signed else f"{value:.6f}"
    return text.rstrip("0").rstrip(".")


def _move(number: int, used: list[str], books: Source, base: Outlook) -> str | None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.selectbox("Traffic of", used, key=f"move_from_{number}", bind=QUERY)
        target = st.selectbox(
            "Goes to", target_names(books), None, key=f"move_to_{number}", bind=QUERY,
            accept_new_options=True, placeholder="variant, seller:variant or variant@tier",
        )  # fmt: skip
        share = st.number_input("Share, %", 0.0, 100.0, 100.0, step=10.0,
                                key=f"move_share_{number}", bind=QUERY)  # fmt: skip
        on = _day("From", f"move_on_{number}", base)
    if not target:
        st.caption("Choose where the traffic goes.")
        return None
    return f"{source}={target}:{_plain(share)}%@{on}"


def _take_upload() -> None:
    """Put the uploaded scenario into the editor."""
    file = st.session_state.get("launch_file")
    if file is not None:
        st.session_state["launch_text"] = file.getvalue().decode("utf-8", "replace")


def _launch(books: Source, base: Outlook) -> tuple[str, str, date] | None:
    if "launch_text" not in st.session_state:
        st.session_state["launch_text"] = unpacked(st.query_params.get("scenario", "")) or ""
    st.file_uploader("Scenario (TOML)", ["toml"], key="launch_file", max_upload_size=1,
                     on_change=_take_upload,
                     help="Download one from the Simulate page.")  # fmt: skip
    text = st.text_area("Scenario", key="launch_text", height=160,
                        placeholder="Upload a scenario, or paste it here.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        variant = st.selectbox(
            "On variant", target_names(books), None, key="launch_variant", bind=QUERY,
            accept_new_options=True, placeholder="the scenario's first",
        )  # fmt: skip
        on = _day("Launched on", "launch_on", base)
    link = packed(text) if text.strip() else None
    if link is None:
        st.query_params.pop("scenario", None)
        if text.strip():
            st.caption("The scenario is too long for an address: share the file with the link.")
    elif st.query_params.get("scenario") != link:
        st.query_params["scenario"] = link
    if not text.strip():
        parts.nothing_yet("Upload or paste a scenario to see what its launch would add.")
        return None
    return text, variant or "", on
