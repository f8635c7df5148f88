"""`tokenbooks anomalies` and `tokenbooks why`: what stood out, and why cost moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Where,
    Zone,
    catalogue,
    names_of,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import FINDING, fail, note, print_json, say, table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("anomalies")(anomalies)
    app.command("why")(why)


def anomalies(
    period: Annotated[
        str, typer.Option("--period", help="2026-03, 30d, last-month, 2026-03-01..2026-03-15.")
    ] = "",
    by: Annotated[
        str, typer.Option("--by", help="Dimensions that make the scopes watched; none: the whole.")
    ] = "",
    floor: Annotated[
        str, typer.Option(help="Least excess in USD (default: settings, else 1.00).")
    ] = "",
    where: Where = None,
    tz: Zone = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Spikes and sustained shifts above the usual, with their causes and cost; exit 1 if any.

    Days after a price change or launch of the variant behind it are set aside.
    """
    from dataclasses import replace

    from budgets.spend.periods import Span
    from dashboards.forecasting.outlook import starting_day
    from dashboards.queries.anomalies import Rules, as_json, store_anomalies
    from dashboards.queries.scope import Scope
    from dashboards.queries.spans import parse_span, scope_of

    chosen = settings(db)
    asked = scope(None, None, tz, where, chosen)
    rules = Rules.from_settings(chosen.anomalies)
    if floor:
        rules = replace(rules, floor_pico=Rules.from_settings({"floor": floor}).floor_pico)
    with reading(db, chosen) as store:
        start, remark = starting_day(store.con, Scope(zone=asked.zone))
        if period:
            span = parse_span(period, zone=asked.zone)
            since, until = span.since, min(span.until, start)
        else:
            since, until = start - timedelta(days=30), start
        if since >= until:
            fail(f"no complete day from {since} on: the newest complete one is before {start}", 3)
        found = store_anomalies(
            store.con, catalogue(chosen), rules, since=since, until=until, zone=asked.zone,
            where=asked.where, by=names_of(by) or None,
        )  # fmt: skip
        held = {k: list(v) for k, v in asked.where.items()}
        apart = say_simulated(store, scope_of(Span(since, until), asked.zone, held))
    if json_:
        print_json(
            {
                "since": found.since,
                "until": found.until,
                "anomalies": [as_json(a) for a in found.reported],
                "announced": [{**as_json(a), "because": why} for a, why in found.announced],
                "history_days": found.days,
                **apart,
            }
        )
    else:
        _print(found)
        if remark and not period:
            note(remark.replace("the forecast starts there, not today (--as-of changes it)",
                                "looked at the thirty days before that"))  # fmt: skip
    if found.reported:
        raise typer.Exit(FINDING)


def _print(found: Any) -> None:
    from pricing.money import show_usd, usd

    if found.days < 15:
        days = f"{found.days} day{'' if found.days == 1 else 's'}"
        note(f"only {days} of history: at least 15 are needed to call a day unusual")
    if not found.reported:
        say(f"nothing unusual from {found.since} until {found.until}")
    else:
        table(
            [("Days", "left"), ("Scope", "left"), ("", "left"), ("Cost", "right"),
             ("Usual", "right"), ("Excess", "right"), ("Mostly", "left")],
            [
                (
                    _days(a), _scope(a), a.kind, show_usd(usd(a.actual)),
                    show_usd(usd(a.expected)), show_usd(usd(a.excess), signed=True), _mostly(a),
                )
                for a in found.reported
            ],
        )  # fmt: skip
        for a in found.reported:
            say(_sentence(a))
    for a, why in found.announced:
        note(f"set aside: {_scope(a)} {_days(a)}, {show_usd(usd(a.excess), signed=True)}: {why}")


def _days(a: Any) -> str:
    return f"{a.first}" if a.first == a.last else f"{a.first} to {a.last:%m-%d}"


def _scope(a: Any) -> str:
    return "/".join(a.scope.values()) or "all"


def _mostly(a: Any) -> str:
    return a.causes["variant"][0][0] if a.causes.get("variant") else ""


def _sentence(a: Any) -> str:
    """The largest cause in each dimension that is not the scope, with its money."""
    from pricing.money import show_usd, usd

    parts: list[str] = []
    for name, ranked in a.causes.items():
        value, pico = ranked[0]
        if name not in a.scope and value != "(none)" and pico > 0:
            label = name.removeprefix("tags.").replace("_", " ")
            parts.append(f"{label} {value} ({show_usd(usd(pico), signed=True)})")
    return f"  {_scope(a)}, {_days(a)}: " + ", ".join(parts)


def why(
    before: Annotated[
        str, typer.Option("--from", help="The earlier period: 2026-02, 2026-Q1, last-month, A..B.")
    ],
    after: Annotated[str, typer.Option("--to", help="The later period.")],
    by: Annotated[
        str, typer.Option("--by", help="What counts as one kind of use (mix is between them).")
    ] = "team,variant",
    where: Where = None,
    tz: Zone = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Why cost moved: price, volume, mix, tier and cache effects that sum to the difference."""
    from dashboards.explain.effects import ORDER
    from dashboards.queries.explain import explain_periods
    from dashboards.queries.spans import parse_span, scope_of, show_span
    from pricing.money import plain, show_usd, usd

    chosen = settings(db)
    asked = scope(None, None, tz, where, chosen)
    old, new = (parse_span(text, zone=asked.zone) for text in (before, after))
    held = {k: list(v) for k, v in asked.where.items()}
    with reading(db, chosen) as store:
        made = explain_periods(store.con, old, new, zone=asked.zone, by=names_of(by), where=held)
        apart = [
            say_simulated(store, scope_of(span, asked.zone, held), show_span(span))
            for span in (old, new)
        ]
    if json_:
        print_json(
            {
                "from": {
                    "since": old.since,
                    "until": old.until,
                    "cost_usd": usd(made.before),
                    **apart[0],
                },
                "to": {
                    "since": new.since,
                    "until": new.until,
                    "cost_usd": usd(made.after),
                    **apart[1],
                },
                "difference_usd": usd(made.after - made.before),
                "effects_usd": {name: plain(usd(made.effects[name])) for name in ORDER},
                "new": {"/".join(g): plain(usd(v)) for g, v in made.new.items()},
                "retired": {"/".join(g): plain(usd(v)) for g, v in made.retired.items()},
                "unpriced_units": {"from": made.unpriced[0], "to": made.unpriced[1]},
                "sentence": made.sentence(),
                "timezone": asked.zone,
            }
        )
        return
    say(made.sentence())
    width = max(abs(v) for v in made.effects.values()) or 1
    rows = [(f"cost {show_span(old)}", "", show_usd(usd(made.before)), "")]
    for name, _, to in made.waterfall():
        value = made.effects[name]
        bar = ("+" if value > 0 else "-") * round(20 * abs(value) / width)
        rows.append((name, show_usd(usd(value), signed=True), show_usd(usd(to)), bar))
    rows.append((f"cost {show_span(new)}", show_usd(usd(made.after - made.before), signed=True),
                 show_usd(usd(made.after)), ""))  # fmt: skip
    table([("Step", "left"), ("Effect", "right"), ("Cost", "right"), ("", "left")], rows)
    if old.days != new.days:
        note(f"{show_span(old)} has {old.days} days, {show_span(new)} has {new.days}")
