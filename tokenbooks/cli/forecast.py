"""`tokenbooks forecast`: where the month and the quarter will end, and what would change it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Where,
    Zone,
    catalogue,
    day_of,
    names_of,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import MISUSE, fail, note, percent, print_json, say, table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forecast")(forecast)


def forecast(
    by: Annotated[
        str, typer.Option("--by", help="Dimensions of the rows, comma-separated.")
    ] = "team,variant",
    horizon: Annotated[
        str, typer.Option(help="month-end, quarter-end, both, or a number of days.")
    ] = "both",
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Forecast from this day, what it brought so far included."),
    ] = None,
    price_change: Annotated[
        list[str] | None,
        typer.Option(help="What if: gpt-5.2=-50%@2026-04-10, gpt-5.2/output_text=10@2026-04-10."),
    ] = None,
    move: Annotated[
        list[str] | None,
        typer.Option(help="What if: gpt-5.2=gpt-5-mini:30%@2026-04-10 ([seller:]variant[@tier])."),
    ] = None,
    launch: Annotated[
        list[str] | None, typer.Option(help="What if: scenario.toml:gpt-5-mini@2026-04-10.")
    ] = None,
    fiscal_start: Annotated[
        int, typer.Option(min=1, max=12, help="The month quarters are counted from.")
    ] = 1,
    where: Where = None,
    tz: Zone = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """P10, P50 and P90 of the month's and the quarter's end; volume first, then dated prices."""
    from budgets.spend.periods import Span, period_of
    from dashboards.forecasting import scenarios
    from dashboards.forecasting.outlook import look_ahead, starting_day
    from dashboards.queries.scope import Scope

    names = names_of(by)
    chosen = settings(db)
    asked = scope(None, None, tz, where, chosen)
    book = catalogue(chosen)
    with reading(db, chosen) as store:
        start, remark = day_of(as_of, "--as-of", asked.zone), ""
        if start is None:
            start, remark = starting_day(store.con, Scope(zone=asked.zone))
        month = period_of(start, "month")
        quarter = period_of(start, "quarter", fiscal_start=fiscal_start)
        if horizon.isdigit():
            spans = {f"{horizon} days": Span(start, start + timedelta(days=int(horizon)))}
        elif horizon in ("month-end", "quarter-end", "both"):
            both = {"month": month, "quarter": quarter}
            spans = both if horizon == "both" else {horizon[:-4]: both[horizon[:-4]]}
        else:
            fail(f"--horizon {horizon!r}: month-end, quarter-end, both or days", MISUSE)
            raise AssertionError
        last = max(s.until for s in spans.values())
        base = look_ahead(
            store.con, book, names, asked, horizon=(last - start).days, start=start,
            since=min(s.since for s in spans.values()),
        )  # fmt: skip
        apart = say_simulated(store, base.history(asked))
    changed = base
    for text in price_change or []:
        changed = scenarios.apply_price_change(changed, text)
    for text in move or []:
        changed = scenarios.apply_move(changed, book, text)
    for text in launch or []:
        changed = scenarios.apply_launch(changed, book, text)
    answer = _answer(base, names, spans, changed if changed is not base else None)
    answer["timezone"] = asked.zone
    answer |= apart
    answer["notes"] = [*([remark] if remark else []), *base.notes]
    if json_:
        print_json(answer)
    else:
        _print(answer, names, start)


def _answer(base: Any, names: list[str], spans: dict[str, Any], changed: Any) -> dict[str, Any]:
    import numpy as np

    at = [base.seen.by.index(name) for name in names]
    groups = [
        dict(zip(names, keys, strict=True))
        for keys in sorted({tuple(leaf.keys[n] for n in at) for leaf in base.units})
    ]
    periods: list[dict[str, Any]] = []
    for name, span in spans.items():
        rows = [{**group, **_figures(base, span, group)} for group in groups]
        rows.sort(key=lambda r: (r["p50_usd"] is None, -float(r["p50_usd"] or 0)))
        period: dict[str, Any] = {
            "name": name, "since": span.since, "until": span.until, "rows": rows,
            "total": _figures(base, span, None),
        }  # fmt: skip
        if changed is not None and base.priced():
            within = base.ahead(span)
            effect = (changed.money() - base.money())[:, within].sum(axis=1)
            low, middle, high = np.quantile(effect, [0.1, 0.5, 0.9])
            period["what_if"] = {
                **_figures(changed, span, None),
                "effect_usd": {"p10": f"{low:.2f}", "p50": f"{middle:.2f}", "p90": f"{high:.2f}"},
            }
        periods.append(period)
    return {
        "from": base.start,
        "periods": periods,
        "coupling": round(base.portfolio.coupling, 4),
        "calibration": round(base.portfolio.calibration, 4),
        "calibration_windows": base.portfolio.windows,
    }


def _figures(outlook: Any, span: Any, where: dict[str, str] | None) -> dict[str, Any]:
    from pricing.money import plain, usd

    spent = outlook.spent(span, where)
    ends: tuple[float | None, ...] = outlook.end_of(span, where)
    if not outlook.priced(where):
        ends = (None, None, None)
    low, middle, high = (None if v is None else f"{v:.2f}" for v in ends)
    return {
        "spent_usd": None if middle is None and not spent else plain(usd(spent)),
        "p10_usd": low,
        "p50_usd": middle,
        "p90_usd": high,
        "stands_on": [
            {"history": rung.value, "share": round(share, 4)}
            for rung, share in outlook.rungs(where).items()
        ],
    }


def _print(answer: dict[str, Any], names: list[str], start: date) -> None:
    for period in answer["periods"]:
        last = period["until"] - timedelta(days=1)
        title = f"{period['name'].capitalize()} to {last}, forecast from {start}"
        priced = [r for r in period["rows"] if r["p90_usd"] is not None]  # the rest is in the notes
        shown = [r for r in priced if float(r["p90_usd"]) >= 0.005]
        table(
            [*((n, "left") for n in names), ("So far", "right"), ("P10", "right"),
             ("P50", "right"), ("P90", "right"), ("History", "left")],
            [(*(str(r[n]) for n in names), *_cells(r)) for r in shown[:25]],
            title=title,
            footer=["Total", *[""] * (len(names) - 1), *_cells(period["total"])],
        )  # fmt: skip
        if rest := len(priced) - min(len(shown), 25):
            note(f"{rest} smaller row{'' if rest == 1 else 's'}: --json has them all")
        what_if = period.get("what_if")
        if what_if:
            effect = what_if["effect_usd"]
            say(
                f"what if: ${float(what_if['p50_usd']):,.2f} "
                f"(P10 ${float(what_if['p10_usd']):,.2f}, P90 ${float(what_if['p90_usd']):,.2f}), "
                f"{float(effect['p50']):+,.2f} USD "
                f"({float(effect['p10']):+,.2f} to {float(effect['p90']):+,.2f})"
            )
    windows = answer["calibration_windows"]
    own = (
        f"stretched x {answer['calibration']:.2f} after {windows} past windows of your own"
        if windows
        else "not yet tuned to your own past (that takes six weeks)"
    )
    say("P10 to P90 is meant to hold four times in five;")
    say(own)
    for text in answer["notes"]:
        note(text)


def _cells(row: dict[str, Any]) -> list[str]:
    money = [_money(row[k]) for k in ("spent_usd", "p10_usd", "p50_usd", "p90_usd")]
    stands = row["stands_on"]
    text = stands[0]["history"] if stands else "unpriced"
    if len(stands) > 1:
        text += f" ({percent(stands[0]['share'])})"
    return [*money, text]


def _money(text: str | None) -> str:
    from pricing.money import show_usd

    return show_usd(None if text is None else Decimal(text))
