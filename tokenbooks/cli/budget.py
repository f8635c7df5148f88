"""`tokenbooks budget`: how each budget stands, where it will end, and who is told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Engine,
    Json,
    LakeDir,
    Zone,
    asking,
    catalogue,
    database,
    day_of,
    lake_of,
    settings,
)
from tokenbooks.cli.output import (
    FINDING,
    MISUSE,
    UNREADABLE,
    count,
    fail,
    note,
    percent,
    print_json,
    say,
    table,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("budget")(budget)


def budget(
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Only this budget; repeatable.")
    ] = None,
    notify: Annotated[
        bool, typer.Option("--notify", help="Post new crossings to the budgets' webhooks.")
    ] = False,
    webhook: Annotated[
        str | None, typer.Option(help="With --notify, also post to this address (or env:NAME).")
    ] = None,
    webhook_format: Annotated[str, typer.Option(help="json, slack or teams.")] = "json",
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Judge as of this day, what it brought so far included."),
    ] = None,
    tz: Zone = None,
    db: Db = None,
    lake: LakeDir = None,
    engine: Engine = None,
    json_: Json = False,
) -> None:
    """Spend, forecast, chance to exceed and exhaustion date of every [[budgets]] entry.

    Exit 1 when a `fail` threshold is crossed, 3 when nothing in a budget's scope has a price.
    """
    from budgets.spend.model import Target, read_budgets
    from dashboards.queries.budgets import budget_statuses, dimensions_of
    from dashboards.queries.scope import Scope, zone_info
    from pricing.currency import Exchange

    chosen = settings(db)
    budgets = read_budgets(chosen.budgets)
    if not budgets:
        fail("the settings hold no [[budgets]]: add one with name and amount", MISUSE)
    if name:
        unknown = sorted(set(name) - {b.name for b in budgets})
        if unknown:
            known = ", ".join(b.name for b in budgets)
            fail(f"no budget {unknown[0]!r}; known: {known}", MISUSE)
        budgets = [b for b in budgets if b.name in name]
    if webhook_format not in ("json", "slack", "teams"):
        fail(f"--webhook-format {webhook_format!r}: json, slack or teams", MISUSE)
    zone = tz or chosen.timezone
    zone_info(zone)
    exchange = Exchange.from_settings(chosen.currency)
    source = lake_of(lake, engine, db)
    with asking(db, source, chosen, dimensions_of(budgets, zone), Scope(zone=zone)) as store:
        judged = budget_statuses(
            store.con, catalogue(chosen), budgets, exchange, zone=zone,
            as_of=day_of(as_of, "--as-of", zone),
        )  # fmt: skip
    told = None
    if notify:
        from budgets.spend.notify import notify as post
        from ingest.store.database import beside

        targets = (
            [Target.model_validate({"url": webhook, "format": webhook_format})] if webhook else []
        )
        state = beside(database(db, chosen), "budgets.json")
        told = post(judged.statuses, state=state, targets=targets)
    if json_:
        from budgets.spend.status import as_json

        print_json(
            {
                "as_of": judged.as_of,
                "timezone": zone,
                "budgets": [as_json(s) for s in judged.statuses],
                "notes": list(judged.notes),
                "notified": None if told is None else _told_json(told),
            }
        )
    else:
        _print(judged, told)
    if any(s.state == "fail" for s in judged.statuses):
        raise typer.Exit(FINDING)
    if any(s.state == "unpriced" for s in judged.statuses) or (told is not None and told.failed):
        raise typer.Exit(UNREADABLE)


def _told_json(told: Any) -> dict[str, Any]:
    return {
        "sent": [{"budget": b, "threshold": t} for b, t in told.sent],
        "failed": [{"budget": b, "threshold": t, "reason": r} for b, t, r in told.failed],
        "already_sent": told.already,
    }


def _show(status: Any, value: float) -> str:
    return count(round(value)) if status.budget.amount.in_tokens else status.words(value)


def _print(judged: Any, told: Any) -> None:
    rows: list[tuple[str, ...]] = []
    for s in judged.statuses:
        rows.append(
            (
                s.budget.name, "unpriced" if s.unknown else _show(s, s.spent),
                "-" if s.unknown else percent(s.share), _show(s, s.limit),
                "-" if s.ends is None else _show(s, s.ends[1]), percent(s.chance), _gone(s),
                {"ok": "ok", "warn": "WARN", "fail": "FAIL"}.get(s.state, "?"),
            )
        )  # fmt: skip
    table(
        [("Budget", "left"), ("Spent", "right"), ("", "right"), ("of", "right"), ("P50", "right"),
         ("Over", "right"), ("Gone on", "left"), ("", "left")],
        rows,
    )  # fmt: skip
    for s in judged.statuses:
        _details(s)
    for text in judged.notes:
        note(text)
    if told is not None:
        say(f"{len(told.sent)} posted, {told.already} already posted earlier")
        for name, threshold, reason in told.failed:
            note(f"not posted: {name}, {threshold}: {reason}")


def _gone(s: Any) -> str:
    if s.exhausted_on is not None:
        return f"{s.exhausted_on:%d %b} (past)"
    if s.exhaustion is None or s.exhaustion.median is None:
        return "-"
    return f"{s.exhaustion.median.astype(object):%d %b}"


def _details(s: Any) -> None:
    """One paragraph a budget: the period, the pace, the range of the end, what is crossed."""
    gone = min(max((s.today - s.span.since).days, 0), s.span.days)
    say(
        f"{s.budget.name}: {s.span.since} until {s.span.until}, {gone} of {s.span.days} days gone, "
        + ("what was spent has no price" if s.unknown else f"{percent(s.share)} spent")
    )
    if s.ends is not None:
        low, _, high = (_show(s, v) for v in s.ends)
        say(f"  ends between {low} and {high} (P10 to P90); {percent(s.chance)} chance to exceed")
        if s.exhausted_on is not None:
            say(f"  gone on {s.exhausted_on}")
        elif s.exhaustion is not None and s.exhaustion.early is not None:
            early = str(s.exhaustion.early)[:10]
            late = "after the period" if s.exhaustion.late is None else str(s.exhaustion.late)[:10]
            say(f"  gone between {early} and {late}")
    if s.crossings:
        say("  crossed: " + ", ".join(f"{c.threshold} ({c.action})" for c in s.crossings))
    if s.unpriced_tokens:
        say(f"  {s.unpriced_tokens:,} tokens have no price and are not counted")
