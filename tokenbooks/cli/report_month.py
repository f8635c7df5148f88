"""`tokenbooks report-month`: a month as one HTML or PDF file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Where,
    Zone,
    catalogue,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import FINDING, MISUSE, calls, fail, note, print_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report-month")(report_month)


def report_month(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .html, or .pdf.")],
    month: Annotated[
        str, typer.Option(help="2026-03, this-month or last-month (default: the newest call's).")
    ] = "",
    where: Where = None,
    tz: Zone = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """A month for people who open no dashboard: spend, causes, budgets, units, on paper."""
    from budgets.spend.model import read_budgets
    from budgets.spend.periods import period_of
    from dashboards.monthly.facts import gather
    from dashboards.monthly.page import render
    from dashboards.monthly.pdf import print_pdf
    from dashboards.queries.anomalies import Rules
    from dashboards.queries.spans import parse_span, scope_of, show_span
    from dashboards.queries.volume import first_and_last
    from pricing.currency import Exchange
    from pricing.money import plain

    if out.suffix.lower() not in (".html", ".htm", ".pdf"):
        fail(f"--out {out}: write .html or .pdf", MISUSE)
    chosen = settings(db)
    asked = scope(None, None, tz, where, chosen)
    with reading(db, chosen) as store:
        known = first_and_last(store.con, asked)
        if known is None:
            say("no calls: nothing to report")
            raise typer.Exit(FINDING)
        span = period_of(known[1].date(), "month")
        if month:
            span = parse_span(month, zone=asked.zone)
        facts = gather(
            store.con, catalogue(chosen), span, zone=asked.zone,
            budgets=read_budgets(chosen.budgets),
            exchange=Exchange.from_settings(chosen.currency),
            rules=Rules.from_settings(chosen.anomalies), where=asked.where,
        )  # fmt: skip
        held = {name: list(values) for name, values in asked.where.items()}
        apart = say_simulated(store, scope_of(span, asked.zone, held))
    html = render(facts)
    if out.suffix.lower() == ".pdf":
        print_pdf(html, out)
    else:
        _write(out, html)
    total = facts.teams.total
    if json_:
        print_json(
            {
                "path": out, "month": show_span(span), "calls": total.calls,
                "cost_usd": None if total.wholly_unpriced else total.cost_usd,
                "unpriced_calls": total.unpriced_calls,
                "anomalies": len(facts.anomalies.reported),
                "budgets": {s.budget.name: s.state for s in facts.budgets},
                **apart,
            }
        )  # fmt: skip
        return
    cost = "unpriced" if total.wholly_unpriced else f"{plain(total.cost_usd)} USD"
    say(f"{out}: {show_span(span)}, {calls(total.calls)}, {cost}")
    if total.unpriced_calls and not total.wholly_unpriced:
        note(f"{calls(total.unpriced_calls)} have no price and are in no figure of it")


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", MISUSE)
