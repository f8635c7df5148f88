"""Budgets: spend against amount, forecast, chance to exceed, burn-down; a form for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import streamlit as st

from budgets.spend.edit import append, as_toml
from budgets.spend.model import Budget, BudgetError, read_budgets
from budgets.spend.status import Status
from dashboards.app import finance_charts, outlooks, parts, source
from dashboards.app.filters import NONE, time_zone
from dashboards.app.parts import Column
from dashboards.queries.budgets import budget_statuses
from dashboards.queries.periods import tag_names, values
from pricing.currency import CurrencyError, Exchange

books = source.current()
with st.sidebar:
    zone = time_zone(books)
    looked_from = outlooks.as_of()

SIGNS = {
    "ok": ":green-badge[:material/check_circle: within]",
    "warn": ":orange-badge[:material/warning: warning]",
    "fail": ":red-badge[:material/error: over]",
    "unpriced": ":gray-badge[:material/help: unpriced]",
}
WORDS = {"ok": "within", "warn": "warning", "fail": "over", "unpriced": "unpriced"}
SCOPES = ("team", "project", "feature", "customer", "environment", "variant", "seller", "tier")
PICO = 10**12


# --- how the budgets stand -----------------------------------------------------------------


def shown(status: Status, value: float) -> str:
    """An amount in the budget's own terms: its currency, or tokens."""
    return parts.count(round(value)) if status.budget.amount.in_tokens else status.words(value)


def spent_of(status: Status) -> str:
    """What was spent; what has no price is not nothing."""
    return "unpriced" if status.unknown else shown(status, status.spent)


def gone(status: Status) -> str:
    """When the amount is used up, in a few words."""
    if status.exhausted_on is not None:
        return f"{status.exhausted_on} (passed)"
    when = status.exhaustion
    if when is None:
        return "–"
    return "after the period" if when.median is None else str(when.median)[:10]


def foreign(status: Status) -> str:
    """What a chart in USD says beside an amount in another currency."""
    if status.budget.amount.unit in ("USD", "tokens"):
        return ""
    return f" Drawn in USD: {status.limit_words} is {parts.money(status.limit)}.".replace(
        "$", "\\$"
    )


def unit_of(status: Status) -> int:
    """Smallest units in one displayed unit."""
    return 1 if status.budget.amount.in_tokens else PICO


def overview(statuses: Sequence[Status]) -> None:
    """All budgets in a table, the worst first."""
    order = {"fail": 0, "warn": 1, "unpriced": 2, "ok": 3}
    rows = [
        {
            "name": s.budget.name, "state": WORDS[s.state],
            "spent": spent_of(s), "amount": shown(s, s.limit),
            "share": None if s.unknown else s.share,
            "ends": "–" if s.ends is None else shown(s, s.ends[1]),
            "chance": s.chance, "gone": gone(s),
            "crossed": ", ".join(f"{c.threshold} ({c.action})" for c in s.crossings),
        }
        for s in sorted(statuses, key=lambda s: (order[s.state], -(s.chance or 0)))
    ]  # fmt: skip
    parts.table(
        rows,
        [
            Column("name", "Budget"), Column("state", "State"), Column("spent", "Spent"),
            Column("amount", "Amount"), Column("share", "Used", "share", "Spent over the amount"),
            Column("ends", "Expected", help="P50 of the period's end"),
            Column("chance", "Chance to exceed", "share", "Share of paths that end above it"),
            Column("gone", "Gone on", help="The day half of the paths have passed the amount"),
            Column("crossed", "Crossed", help="Thresholds that spend or forecast are above"),
        ],
        "budgets",
        alt="Budgets with spend, forecast, chance to exceed and thresholds crossed",
    )  # fmt: skip


def draw(number: int, status: Status) -> None:
    """One budget: where it stands in a sentence, and the burn-down with its fan and table."""
    unit = unit_of(status)
    scope = "; ".join(
        f"{k}: {', '.join(v or NONE for v in vs)}" for k, vs in status.budget.scope.items()
    )
    st.markdown(f"## {parts.plain_text(status.budget.name)} {SIGNS[status.state]}")
    last = status.span.until - timedelta(days=1)
    st.caption(f"{status.span.since} to {last} · {scope or 'everything'}")
    sentence = f"**{spent_of(status)}** of {shown(status, status.limit)} spent" + (
        "" if status.unknown else f" ({parts.share(status.share)})"
    )
    if status.ends is not None:
        low, middle, high = (shown(status, v) for v in status.ends)
        sentence += (
            f"; expected **{middle}** at the end ({low} to {high}), "
            f"{parts.share(status.chance)} chance to exceed"
        )
    if gone(status) not in ("–", "after the period"):
        sentence += f"; gone on {gone(status)}"
    st.markdown(f"{sentence}.".replace("$", "\\$"))
    if status.crossings:
        crossed = ", ".join(f"{c.threshold} ({c.action})" for c in status.crossings)
        st.caption(f":material/notifications: Crossed: {crossed}")
    if status.unpriced_tokens:
        st.caption(f"{status.unpriced_tokens:,} tokens have no price and are not counted.")
    if status.unknown:
        st.info("No call in its scope has a price: nothing can be drawn.", icon=":material/help:")
        return
    # The day looked from is not over: the fan closes it.
    whole = [
        (d.day, d.spent / unit) for d in status.burn if d.day < status.today or not status.coming
    ]
    actual, coming = outlooks.fan_rows(
        whole, [(c.day, c.low, c.middle, c.high) for c in status.coming]
    )
    kind: Any = "count" if unit == 1 else "usd"
    at = {c.day: c for c in status.coming}
    spent = {d.day: d for d in status.burn}

    def figure(value: float) -> int:
        return round(value) if unit == 1 else round(value * 100) * 10**10

    rows = [
        {
            "day": day,
            "spent": spent[day].spent if day in spent else None,
            "even": status.limit * (n + 1) // status.span.days,
            **({name: figure(getattr(at[day], name)) for name in ("low", "middle", "high")}
               if day in at else {}),
        }
        for n in range(status.span.days)
        if (day := status.span.since + timedelta(days=n))
    ]  # fmt: skip
    parts.chart(
        finance_charts.fan(
            actual, coming, status.limit / unit, unit="usd" if unit == PICO else "count",
            limit_name=str(status.budget.amount), height=230,
        ),
        rows,
        [
            Column("day", "By the end of", "date"), Column("spent", "Spent", kind),
            Column("low", "P10", kind), Column("middle", "P50", kind), Column("high", "P90", kind),
            Column("even", "Even pace", kind, "The amount spread evenly over the days"),
        ],
        f"budget-{number}",
        caption=f"Running {'tokens' if unit == 1 else 'cost of priced calls'} (line), forecast "
        f"from P10 to P90 with its middle (dashes), the amount (orange).{foreign(status)}",
        alt=f"Burn-down of the budget {status.budget.name}: {spent_of(status)} "
        f"of {shown(status, status.limit)} spent.",
    )  # fmt: skip


# --- a new budget --------------------------------------------------------------------------


def settings_file() -> Path:
    """Where a new budget goes: the file the settings came from, else one beside the database."""
    return getattr(books.settings, "file", None) or books.path.parent / "tokenbooks.toml"


def may_edit() -> bool:
    """Whether this service lets its pages write budgets (`[serve] edit`)."""
    serve = getattr(books.settings, "serve", None)
    return bool(getattr(serve, "edit", False))


def form() -> dict[str, Any]:
    """The fields of a budget, as the settings spell them."""
    left, middle, right = st.columns([2, 1, 1])
    held: dict[str, Any] = {"name": left.text_input("Name", placeholder="Search, production")}
    number = middle.text_input("Amount", placeholder="2500")
    unit = right.selectbox(
        "In", ["USD", "tokens", *currencies()], accept_new_options=True,
        help="A currency needs a dated rate under [currency] in the settings.",
    )  # fmt: skip
    held["amount"] = f"{number} {unit}" if number else ""
    dimensions = st.multiselect(
        "Only calls with a certain", [*SCOPES, *books.ask(tag_names)], placeholder="all calls count"
    )
    scope: dict[str, list[str]] = {}
    for name in dimensions:
        known = [NONE if v is None else v for v, _ in books.ask(values, name)]
        chosen = st.multiselect(
            name.capitalize(), known, accept_new_options=True, key=f"new_{name}"
        )
        if chosen:
            scope[name] = ["" if v == NONE else v for v in chosen]
    held["scope"] = scope
    left, right = st.columns(2)
    held["period"] = left.selectbox("Period", ["month", "quarter", "year", "custom"])
    if held["period"] in ("quarter", "year"):
        start = right.number_input("Fiscal year begins with month", 1, 12, 1)
        held["fiscal_start"] = int(start) if start != 1 else None
    elif held["period"] == "custom":
        first = right.date_input("First day", None, format="YYYY-MM-DD")
        last = right.date_input("Last day", None, format="YYYY-MM-DD")
        if isinstance(first, date) and isinstance(last, date):
            held["since"], held["until"] = first, last + timedelta(days=1)
    marks = ["50 %", "80 %", "100 %", "P50", "P90"]
    says = "A share of the amount spent, or a quantile of the forecast's end: 80 %, P90, P90 120 %."
    left, right = st.columns(2)
    held["warn"] = left.multiselect(
        "Warn at", marks, default=["50 %", "80 %", "P50"], accept_new_options=True, help=says
    )
    held["fail"] = right.multiselect(
        "Fail at", marks, default=["100 %"], accept_new_options=True,
        help="Makes `tokenbooks budget` exit with 1.",
    )  # fmt: skip
    left, right = st.columns([3, 1])
    url = left.text_input(
        "Tell a webhook", placeholder="env:BUDGET_WEBHOOK",
        help="An address, or env:NAME to keep it out of the file. `tokenbooks budget --notify` "
        "posts each crossing once.",
    )  # fmt: skip
    style = right.selectbox("As", ["json", "slack", "teams"])
    held["notify"] = [{"url": url, "format": style}] if url else []
    return held


def currencies() -> list[str]:
    """Currencies that have a dated rate in the settings."""
    currency: Mapping[str, Any] = getattr(books.settings, "currency", None) or {}
    rates: list[Any] = currency.get("rates", [])
    return sorted({str(r.get("currency")) for r in rates})


def new_budget(taken: Sequence[Budget], exchange: Exchange) -> None:
    """The form, what the budget would say today, its TOML, and (where allowed) the file."""
    held = form()
    if not held["name"] or not held["amount"]:
        st.caption("A name and an amount make a budget; what it would say appears here.")
        return
    if held["period"] == "custom" and not isinstance(held.get("since"), date):
        st.caption("Choose the first and the last day.")
        return
    text = as_toml(held)
    (budget,) = read_budgets([{k: v for k, v in held.items() if v not in (None, "", [], {})}])
    judged = books.ask_priced(budget_statuses, [budget], exchange, zone=zone, as_of=looked_from)
    status = judged.statuses[0]
    ends = "" if status.ends is None else f", expected {shown(status, status.ends[1])} at the end"
    st.markdown(
        f"It would stand at **{spent_of(status)}** of "
        f"{shown(status, status.limit)}{ends}: {SIGNS[status.state]}".replace("$", "\\$")
    )
    st.code(text, language="toml")
    path = settings_file()
    if any(b.name == budget.name for b in taken):
        parts.problem(f"A budget named {budget.name!r} exists already.")
    elif not may_edit():
        st.caption(f"Copy this into `{path}`, then start the service again.")
    elif st.button("Add to the settings file", type="primary", icon=":material/add:"):
        append(path, text)
        books.settings.budgets.append(
            {k: v for k, v in held.items() if v not in (None, "", [], {})}
        )
        st.toast(f"Added to {path}", icon=":material/check:")
        st.rerun()
    else:
        st.caption(f"Goes to the end of `{path}`; change or remove it there.")


try:
    held = read_budgets(getattr(books.settings, "budgets", None) or [])
    exchange = Exchange.from_settings(getattr(books.settings, "currency", None) or {})
    judged = None
    if held:
        judged = books.ask_priced(budget_statuses, held, exchange, zone=zone, as_of=looked_from)
except (BudgetError, CurrencyError) as error:
    parts.problem(str(error))
else:
    if judged is None:
        st.info(
            "There is no budget yet. Make one below, or write `[[budgets]]` in the settings.",
            icon=":material/savings:",
        )
    else:
        overview(judged.statuses)
        for text in judged.notes:
            said = text.replace(" (--as-of changes it)", "").replace("$", "\\$")
            st.caption(f":material/info: {said}")
        with st.grid(2, min_column_width=420):
            for number, status in enumerate(judged.statuses):
                with st.container(border=True):
                    draw(number, status)
    with st.expander("New budget", icon=":material/add:", expanded=judged is None):
        try:
            new_budget(held, exchange)
        except (BudgetError, CurrencyError) as error:
            parts.problem(str(error))
