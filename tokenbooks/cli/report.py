"""`tokenbooks report` and `tokenbooks compare`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Engine,
    Json,
    LakeDir,
    Since,
    Until,
    Where,
    Zone,
    asking,
    catalogue,
    lake_of,
    moment,
    names_of,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import calls, count, note, percent, print_json, say, table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("report")(report)
    app.command("compare")(compare)


def report(
    by: Annotated[
        str, typer.Option("--by", help="Dimensions, comma-separated: team,model,month,tags.NAME…")
    ] = "variant",
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    prices: Annotated[
        str,
        typer.Option(help="Prices of each call's own time (event), of now, or of a date."),
    ] = "event",
    known_at: Annotated[
        str | None, typer.Option(help="Prices as the table stood on this date.")
    ] = None,
    db: Db = None,
    lake: LakeDir = None,
    engine: Engine = None,
    json_: Json = False,
) -> None:
    """Spend by any dimensions and period, with cached share, cache savings and unpriced share."""
    from dashboards.queries.simulated import simulated
    from dashboards.queries.spend import reasons, spend

    chosen = settings(db)
    asked = scope(since, until, tz, where, chosen)
    names, known = names_of(by), moment(known_at, "--known-at")
    source = lake_of(lake, engine, db)
    with asking(db, source, chosen, names, asked, known_at=known) as store:
        vectors = "rate_vectors"
        if known is not None:
            from ingest.store.asof import vectors_as_known

            vectors = vectors_as_known(store, catalogue(chosen), known)
        answer = spend(store.con, names, asked, vectors=vectors, at=_at(prices))
        why = reasons(store.con, asked) if answer.total.unpriced_calls else []
        tested = simulated(store.con, asked)
        where_from = store.snapshot
    if json_:
        apart = {} if tested is None else {"simulated": tested.as_json()}
        print_json({**answer.as_json(), "unpriced": [r for r in why if r["status"] == "unpriced"],
                    "timezone": asked.zone, **apart})  # fmt: skip
        return
    print_spend(answer, why)
    if tested is not None:
        say(tested.words())
    if where_from:
        note("the database is in use; this is its newest snapshot")


def _at(prices: str) -> str:
    """The SQL instant that replaces each call's own, or "" for its own."""
    if prices == "event":
        return ""
    at = moment(prices, "--prices")
    assert at is not None
    return f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"


def print_spend(answer: Any, why: list[dict[str, Any]]) -> None:
    """A spend answer as a table with its total and what is missing from it."""
    from dashboards.queries.scope import show_value
    from pricing.money import show_usd, usd

    total = answer.total
    if not total.calls:
        say("no calls in that period")
        return
    columns = [(name, "left") for name in answer.by]
    columns += [("Calls", "right"), ("Input", "right"), ("Cached", "right"), ("Output", "right"),
                ("Cost", "right")]  # fmt: skip

    def cells(row: Any) -> list[str]:
        cost = "unpriced" if row.wholly_unpriced else show_usd(row.cost_usd)
        if row.unpriced_calls and not row.wholly_unpriced:
            cost += "*"
        return [
            *(show_value(k, n) for k, n in zip(row.keys, answer.by, strict=False)),
            count(row.calls), count(row.input_tokens),
            percent(row.cached_share), count(row.output_tokens), cost,
        ]  # fmt: skip

    footer = ["Total", *[""] * (len(answer.by) - 1), *cells(total)] if answer.by else None
    table(columns, [cells(r) for r in answer.rows] or [cells(total)], footer=footer)
    say(
        f"cache saved {show_usd(usd(total.cache_savings_pico))} "
        f"({percent(total.cached_share, 1)} of input tokens were cached)"
    )
    if total.assumed_calls:
        share = percent(total.assumed_calls / total.calls, 1)
        say(f"{calls(total.assumed_calls)} ({share}) priced with an assumption")
    if total.unpriced_calls:
        say(
            f"{calls(total.unpriced_calls)} ({percent(total.unpriced_share, 1)}, "
            f"{total.unpriced_tokens:,} tokens) are UNPRICED and not in the cost (*):"
        )
        for row in [r for r in why if r["status"] == "unpriced"][:5]:
            say(f"  {calls(row['calls'])}: {row['reason']}")
    if total.source_cost_usd is not None:
        say(f"the logs themselves state {show_usd(total.source_cost_usd)} (see `reconcile`)")


def compare(
    variants: Annotated[
        str, typer.Option("--variants", help="[seller:]variant[@tier], comma-separated.")
    ] = "",
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    at: Annotated[
        str | None,
        typer.Option(help="Price the targets at this date's rates (for calls older than them)."),
    ] = None,
    db: Db = None,
    lake: LakeDir = None,
    engine: Engine = None,
    json_: Json = False,
) -> None:
    """The same stored traffic on other variants, tiers and sellers, side by side.

    Without --variants, the variants of the traffic itself are compared.
    """
    from dashboards.queries import compare as question

    chosen = settings(db)
    asked = scope(since, until, tz, where, chosen)
    targets, when = names_of(variants), moment(at, "--at")
    source, book = lake_of(lake, engine, db), catalogue(chosen)
    wanted = [question.parse_target(t, book) for t in targets]
    if source is not None and not wanted:  # a lake is asked twice: what there is, then the rest
        with asking(db, source, chosen, ["variant"], asked) as store:
            wanted = question.seen_targets(store.con, book, asked)
    with asking(db, source, chosen, [], asked, targets=wanted) as store:
        answer = question.compare(store.con, book, targets, asked, at=when)
        apart = say_simulated(store, asked)
    if json_:
        print_json({**answer.as_json(), **apart})
        return
    print_comparison(answer)


def print_comparison(answer: Any) -> None:
    """A comparison as a table, and what could not be carried over."""
    from pricing.money import show_usd, usd

    if not answer.calls:
        say("no priced calls in that period")
        return
    rows: list[tuple[str, ...]] = []
    for row in answer.rows:
        share = ""
        if row.cost_pico is not None and row.base_pico:
            share = f"{(row.cost_pico - row.base_pico) * 100 / row.base_pico:+.0f} %"
        rows.append(
            (
                row.target.label, row.target.seller, show_usd(row.cost_usd),
                show_usd(row.difference_usd, signed=True) if row.cost_pico is not None else "-",
                share or "-",
                show_usd(row.per_thousand_usd) if row.per_thousand_usd is not None else "-",
            )
        )  # fmt: skip
    per = usd(answer.base_pico * 1000 // answer.calls)
    table(
        [("Variant", "left"), ("Seller", "left"), ("Cost", "right"), ("Change", "right"),
         ("", "right"), ("per 1,000", "right")],
        [("as logged", "", show_usd(usd(answer.base_pico)), "", "", show_usd(per)), *rows],
    )  # fmt: skip
    for row in answer.rows:
        for text in row.notes:
            say(f"{row.target.label} ({row.target.seller}): {text}")
    for text in answer.notes:
        note(text)
