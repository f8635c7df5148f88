"""`tokenbooks reconcile`: computed cost against what was charged, the difference by cause."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Since,
    Until,
    catalogue,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import FINDING, MISUSE, count, fail, note, print_json, say, table

if TYPE_CHECKING:
    from dashboards.queries.reconcile import Reconciled, Row

_TITLES = {
    "unpriced": "Unpriced", "assumed": "Assumed", "missing_calls": "Missing calls",
    "late_cost": "Late cost", "rounding": "Rounding", "unexplained": "Unexplained",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    by: Annotated[
        str,
        typer.Option("--by", help="Compare cost reports by variant, project or both as well."),
    ] = "",
    since: Since = None,
    until: Until = None,
    tolerance: Annotated[
        float,
        typer.Option(help="Unexplained share of the charges, in percent, above which to exit 1."),
    ] = 1.0,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Compare computed cost with charges: call by call where the source states one, and by UTC
    day with imported cost reports. The causes of each difference add up to it exactly."""
    from dashboards.queries.reconcile import reconcile_calls, reconcile_reports

    if tolerance < 0:
        fail(f"--tolerance {tolerance} must be zero or more", MISUSE)
    chosen = settings(db)
    asked = scope(since, until, "UTC", None, chosen)
    names = [n.strip() for n in by.split(",") if n.strip()]
    with reading(db, chosen) as store:
        calls = reconcile_calls(store.con, ("format", "seller"), asked)
        reports = reconcile_reports(store.con, catalogue(chosen), names, asked)
        apart = say_simulated(store, asked)
    if not calls.rows and not reports.rows:
        fail(
            "nothing to compare with: no call states its own charge, and no cost report is "
            "imported for this period (import an organisation's cost page or CSV)"
        )
    limit = Decimal(str(tolerance)) / 100
    over = [a for a in (calls, reports) if a.rows and a.unexplained_share > limit]
    if json_:
        print_json(
            {
                "calls": calls.as_json(),
                "reports": reports.as_json(),
                "tolerance_percent": str(tolerance),
                "within_tolerance": not over,
                **apart,
            }
        )
    else:
        _show(calls, "Calls that state their own charge")
        _show(reports, "Cost reports")
    if over:
        raise typer.Exit(FINDING)


def _show(answer: Reconciled, title: str) -> None:
    """The rows with the main cause of each, then all causes."""
    if not answer.rows:
        return
    if answer.by[0] == "source":  # reports of several accounts: a table for each, that it has room
        groups = sorted({r.keys[:2] for r in answer.rows})
        for group in groups:
            _rows(replace(answer, rows=tuple(r for r in answer.rows if r.keys[:2] == group)), title)
    else:
        _rows(answer, title)
    causes = [(n, v) for n, v in answer.total.causes.items() if _matters(answer, n)]
    if causes:
        table(
            [("Cause of the residual", "left"), ("USD", "right")],
            [(_TITLES[name], _signed(value)) for name, value in causes],
            footer=["Residual", _signed(answer.total.residual_pico)],
        )
    say(f"{answer.unexplained_share * 100:.2f} % of the charges unexplained")
    for text in answer.notes:
        note(text)


def _rows(answer: Reconciled, title: str) -> None:
    """One table. What every row shares is in the title, which leaves the columns their room."""
    from dashboards.queries.scope import show_value

    shared = [n for n in range(len(answer.by)) if len({r.keys[n] for r in answer.rows}) == 1]
    if len(shared) == len(answer.by):
        shared = shared[:-1]
    told = [show_value(answer.rows[0].keys[n]) for n in shared if answer.rows[0].keys[n]]
    kept = [n for n in range(len(answer.by)) if n not in shared]
    table(
        [
            *((_heading(answer.by[n]), "left") for n in kept),
            ("Calls", "right"), ("Charged", "right"), ("Computed", "right"), ("Residual", "right"),
            ("Mainly", "left"),
        ],
        [
            (*("(all)" if r.keys[n] is None else show_value(r.keys[n]) for n in kept),
             *_money(r), _TITLES.get(r.main_cause, ""))
            for r in answer.rows
        ],
        title=": ".join([title, ", ".join(told)]) if told else title,
        footer=["Total", *[""] * (len(kept) - 1), *_money(answer.total), ""],
    )  # fmt: skip


def _matters(answer: Reconciled, cause: str) -> bool:
    """Shown when any row has it, even where it nets to nothing (late cost does)."""
    return any(row.causes[cause] for row in answer.rows)


def _heading(name: str) -> str:
    return name[:1].upper() + name[1:]


def _money(row: Row) -> tuple[str, ...]:
    from pricing.money import show_usd, usd

    return (
        count(row.calls),
        show_usd(usd(row.charged_pico)),
        show_usd(usd(row.computed_pico)),
        _signed(row.residual_pico),
    )


def _signed(pico: int) -> str:
    from pricing.money import show_usd, usd

    return show_usd(usd(pico), signed=True)
