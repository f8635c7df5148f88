"""`tokenbooks unit` and `tokenbooks showback`: what one costs, and who answers for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Since,
    Until,
    Where,
    Zone,
    pairs,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import MISUSE, calls, fail, note, percent, print_json, say, table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("unit")(unit)
    app.command("showback")(showback)


Currency = Annotated[
    str | None, typer.Option("--currency", help="Also show this currency, at a dated rate.")
]


def unit(
    task: Annotated[
        str, typer.Option(help="The dimension that names a task, such as tags.task.")
    ] = "",
    success: Annotated[
        list[str] | None,
        typer.Option(help="What makes a success: DIMENSION=VALUE[,VALUE…]; repeatable."),
    ] = None,
    user: Annotated[str, typer.Option(help="The dimension that names a user.")] = "tags.user",
    top_by: Annotated[str, typer.Option(help="Whose spending is ranked.")] = "customer",
    top: Annotated[int, typer.Option(min=1, help="How many of them.")] = 10,
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    currency: Currency = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Cost per call, session, user, task and success; cache savings; failures; top spenders."""
    from dashboards.queries.units import units
    from pricing.money import show_usd, usd

    chosen = settings(db)
    asked = scope(since, until, tz, where, chosen)
    won = {k: v.split(",") for k, v in pairs(success, "--success").items()}
    with reading(db, chosen) as store:
        made = units(store.con, asked, task=task, success=won, user=user, top_by=top_by, top=top)
        convert = _converter(currency, chosen, asked, store.con)
        apart = say_simulated(store, asked)
    if json_:
        answer = {**made.as_json(), **apart}
        if convert is not None:
            answer["converted"] = {
                "cost": convert(made.total.cost_pico).as_json(),
                "rate": convert.rate.as_json(),
            }
        print_json(answer)
        return
    if not made.total.calls:
        say("no calls in that period")
        return
    unknown = made.total.wholly_unpriced
    table(
        [("Unit", "left"), ("How many", "right"), ("Cost", "right"), ("Each", "right"),
         ("Named by", "right")],
        [
            (u.name, f"{u.count:,}", "unpriced" if unknown else show_usd(usd(u.cost_pico)),
             "-" if u.each_usd is None else show_usd(u.each_usd), _named(u))
            for u in made.units
        ],
    )  # fmt: skip
    earned, missed = (show_usd(usd(v)) for v in (made.cache_earned_pico, made.cache_missed_pico))
    say(f"cache: {earned} saved; at most {missed} missed, seen on the "
        f"{percent(made.session_share)} of calls that name a session")  # fmt: skip
    share = percent(made.failed_calls / made.total.calls, 1)
    say(f"failed: {calls(made.failed_calls)} ({share}), {show_usd(usd(made.failed_cost_pico))}")
    if made.top:
        table(
            [(f"Top {top_by}", "left"), ("Calls", "right"), ("Cost", "right"), ("Share", "right")],
            [
                (name, f"{row.calls:,}", show_usd(row.cost_usd),
                 percent(row.cost_pico / made.total.cost_pico if made.total.cost_pico else None))
                for name, row in made.top
            ],
        )  # fmt: skip
    if made.total.unpriced_calls:
        note(f"{calls(made.total.unpriced_calls)} have no price and are in no cost")
    if convert is not None:
        say(f"in all {convert(made.total.cost_pico).show()} ({convert.words})")


def _named(u: Any) -> str:
    return "" if u.coverage is None else f"{percent(u.coverage)} of cost"


class _Convert:
    """Pico-dollars to a currency at one dated rate."""

    def __init__(self, exchange: Any, currency: str, on: date) -> None:
        self.exchange, self.currency, self.on = exchange, currency, on
        self.rate = exchange.rate(currency, on)

    def __call__(self, pico: int) -> Any:
        return self.exchange.from_pico(pico, self.currency, self.on)

    @property
    def words(self) -> str:
        """The rate with its source and date."""
        r = self.rate
        return f"1 {r.currency} = {r.usd} USD, {r.source}, {r.on}"


def _converter(currency: str | None, chosen: Any, asked: Any, con: Any) -> _Convert | None:
    """The rate of the period's last day, or of today; None when nothing but USD is wanted."""
    from pricing.currency import Exchange, code

    exchange = Exchange.from_settings(chosen.currency)
    name = code(currency, "--currency") if currency else exchange.show
    if name == "USD":
        return None
    from dashboards.queries.volume import first_and_last

    ends = [datetime.now(UTC).date()]
    if asked.until is not None:
        ends.append(asked.until.date())
    known = first_and_last(con, asked)
    if known is not None:
        ends.append(known[1].date())
    return _Convert(exchange, name, min(ends))


def showback(
    by: Annotated[str, typer.Option(help="Who answers: a dimension (default: settings).")] = "",
    rule: Annotated[
        str, typer.Option(help="How shared cost is split: even, proportional or fixed.")
    ] = "",
    shared: Annotated[
        str | None, typer.Option(help="Whose cost is shared, comma-separated; none for unnamed.")
    ] = None,
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    currency: Currency = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Each team's own cost and its part of what is shared; the parts add up exactly."""
    from dashboards.queries.showback import RULES, Rule
    from dashboards.queries.showback import showback as statement
    from pricing.money import plain, show_usd, usd

    chosen = settings(db)
    asked = scope(since, until, tz, where, chosen)
    how = Rule.from_settings(chosen.showback)
    if by:
        how = replace(how, by=by)
    if rule:
        if rule not in RULES:
            fail(f"--rule {rule!r}: {', '.join(RULES)}", MISUSE)
        if rule == "fixed" and not how.shares:
            fail("--rule fixed needs [showback] shares in the settings", MISUSE)
        how = replace(how, rule=rule)
    if shared is not None:
        names = [n.strip() for n in shared.split(",")]
        how = replace(how, shared=tuple("" if n == "none" else n for n in names))
    with reading(db, chosen) as store:
        made = statement(store.con, asked, how)
        convert = _converter(currency, chosen, asked, store.con)
        apart = say_simulated(store, asked)
    if json_:
        answer = {**made.as_json(), **apart}
        if convert is not None:
            answer["currency"] = convert.rate.as_json()
            for row, held in zip(answer["rows"], made.rows, strict=True):
                amount = convert(held.total).as_json()["amount"]
                row[f"total_{convert.currency.lower()}"] = amount
        print_json(answer)
        return
    if not made.rows:
        say("no calls in that period")
        return
    other = [] if convert is None else [(convert.currency, "right")]

    def cells(own: int, part: int, unknown: bool) -> list[str]:
        if unknown:
            return ["unpriced", show_usd(usd(part)), show_usd(usd(part)) if part else "unpriced",
                    *([] if convert is None else [""])]  # fmt: skip
        shown = [show_usd(usd(own)), show_usd(usd(part)), show_usd(usd(own + part))]
        return shown if convert is None else [*shown, convert(own + part).show().split(" ")[0]]

    table(
        [(how.by.capitalize(), "left"), ("Own", "right"), ("Shared", "right"),
         ("Total", "right"), *other],
        [(r.name, *cells(r.own, r.part, r.wholly_unpriced)) for r in made.rows],
        footer=["Total", *cells(sum(r.own for r in made.rows), sum(r.part for r in made.rows),
                                made.wholly_unpriced)],
    )  # fmt: skip
    if made.shared:
        names = ", ".join(made.shared_names)
        say(f"{plain(usd(made.shared))} USD of {names} is shared, split {_words(how.rule)}")
    if made.unpriced_calls:
        note(f"{calls(made.unpriced_calls)} have no price and are in nobody's cost")
    if convert is not None:
        say(convert.words)


def _words(rule: str) -> str:
    return {"even": "evenly", "fixed": "by fixed shares"}.get(rule, "in proportion to own cost")
