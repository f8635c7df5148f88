"""`tokenbooks rates`: list, show, diff and lint the pricing table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pricing.meters import LISTED_ONLY, METERS
from tokenbooks.cli.common import Db, Json, catalogue, database, moment, reading, settings
from tokenbooks.cli.output import (
    FINDING,
    MISUSE,
    UNREADABLE,
    count,
    fail,
    note,
    print_json,
    say,
    table,
)

group = typer.Typer(no_args_is_help=True, help="The pricing table, its history and its sources.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="rates")


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@group.command("list")
def list_(
    search: Annotated[str, typer.Argument(help="Part of a variant's id, name or family.")] = "",
    seller: Annotated[list[str] | None, typer.Option(help="Only this seller; repeatable.")] = None,
    tier: Annotated[str, typer.Option(help="Which tier's prices.")] = "standard",
    at: Annotated[str | None, typer.Option(help="Prices in force on this date.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show (0: all).")] = 40,
    json_: Json = False,
) -> None:
    """List variants with the prices in force, USD per 1M tokens."""
    from dashboards.queries.pricing import listing

    book = catalogue(settings())
    when = moment(at, "--at") or _now()
    rows = list(
        listing(book, at=when, sellers=seller or _direct_first(book), search=search, tiers=(tier,))
    )
    if json_:
        print_json({"at": when, "rates": rows})
    else:
        _print_list(rows, limit)
    if not rows:
        fail(f"no price on tier {tier} in force at {when:%Y-%m-%d} matches {search!r}", UNREADABLE)


def _direct_first(book: Any) -> list[str]:
    first = ["openai", "anthropic", "google", "x-ai", "deepseek", "mistral"]
    return first + [s for s in book.sellers() if s not in first]


def _print_list(rows: list[dict[str, Any]], limit: int) -> None:
    shown = rows[:limit] if limit else rows
    table(
        [("Variant", "left"), ("Seller", "left"), ("Input", "right"), ("Cached", "right"),
         ("Write", "right"), ("Output", "right"), ("Context", "right")],
        [
            (
                r["variant"] + (" +" if r["steps"] else ""), r["seller"], _show(r["input"]),
                _show(r["cached"]), _show(r["cache_write"]), _show(r["output"]),
                count(r["context_window"]) if r["context_window"] else "-",
            )
            for r in shown
        ],
    )  # fmt: skip
    if len(shown) < len(rows):
        note(f"{len(rows) - len(shown):,} more: narrow the search, or --limit 0")
    if any(r["steps"] for r in shown):
        note("+ dearer above a prompt size: `tokenbooks rates show VARIANT`")


def _show(value: Any) -> str:
    return "-" if value is None else format(value, "f")


@group.command("show")
def show(
    variant: Annotated[str, typer.Argument(help="A variant, alias or dated snapshot.")],
    seller: Annotated[
        str | None, typer.Option(help="Only this seller (default: its maker).")
    ] = None,
    all_sellers: Annotated[bool, typer.Option("--all-sellers", help="Every seller.")] = False,
    json_: Json = False,
) -> None:
    """Show a variant: its facts, and every rate with history, conditions and source."""
    from dashboards.queries.pricing import conditions, dates, published, rate_json

    book = catalogue(settings())
    from pricing.variants import normal_seller

    sellers = [normal_seller(seller)] if seller else book.sellers_of(variant)
    if not sellers or not any(book.resolve(s, variant) for s in sellers):
        fail(f"{variant!r} is on no card{f' of {seller!r}' if seller else ''}: "
             "`tokenbooks rates list` searches what is", UNREADABLE)  # fmt: skip
    chosen = sellers if all_sellers else sellers[:1]
    name = book.resolve(chosen[0], variant) or variant
    facts = book.variant(name, chosen[0])
    rates = [r for s in chosen for r in book.rates(s, book.resolve(s, variant) or name)]
    if json_:
        print_json(
            {
                "variant": {f: getattr(facts, f) for f in facts.__slots__}
                if facts
                else {"id": name},
                "sellers": sellers,
                "rates": [rate_json(r) for r in rates],
            }
        )
        return
    if facts is not None:
        bits = [
            facts.name if facts.name != name else "",
            facts.role,
            facts.family and f"family {facts.family}",
        ]
        say(f"{name}  {', '.join(b for b in bits if b)}")
        window = f"{facts.context_window:,} context" if facts.context_window else "context unknown"
        longest = f", {facts.max_output:,} maximum output" if facts.max_output else ""
        say(
            f"  {window}{longest}"
            + (f"; efforts {', '.join(facts.efforts)}" if facts.efforts else "")
        )
        if facts.released or facts.retired:
            out = f", retired {facts.retired}" if facts.retired else ""
            after = f", successor {facts.successor}" if facts.successor else ""
            say(f"  released {facts.released or 'unknown'}{out}{after}")
    for where in chosen:
        held = [r for r in rates if r.seller == where]
        table(
            [("Meter", "left"), ("USD", "right"), ("Holds", "left"), ("Conditions", "left")],
            [
                (r.meter, _show(published(r.meter, r.price)), dates(r), conditions(r) or "standard")
                for r in sorted(held, key=_rate_order)
            ],
            title=f"{where} ({_units({r.meter for r in held})})",
        )
        for source in sorted({(r.source, str(r.checked or "date unknown")) for r in held}):
            say(f"  source {source[0]}, checked {source[1]}")
        for text in sorted({r.note for r in held if r.note}):
            say(f"  note: {text}")
    if len(sellers) > len(chosen):
        note(f"also sold by {', '.join(sellers[len(chosen) :])} (--seller NAME, --all-sellers)")


def _units(meters: set[str]) -> str:
    """What the prices of these meters are for: `per 1M tokens, 1,000 searches`."""
    known = [m for name, m in (METERS | LISTED_ONLY).items() if name in meters]
    return f"per {', '.join(dict.fromkeys(m.per_units for m in known))}"


def _rate_order(rate: Any) -> tuple[Any, ...]:
    tiers = ("standard", "batch", "flex", "priority", "fast", "ultrafast")
    place = tiers.index(rate.tier) if rate.tier in tiers else 9
    return (not rate.in_force, place, rate.region, rate.min_input, rate.meter, rate.valid_from)


@group.command("diff")
def diff_(
    before: Annotated[str, typer.Argument(help="A date, or a card file (.toml).")],
    after: Annotated[str, typer.Argument(help="A date, or a card file (.toml).")],
    known: Annotated[
        bool, typer.Option("--known", help="Compare what the table knew then, not what held then.")
    ] = False,
    seller: Annotated[str | None, typer.Option(help="Only this seller.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show (0: all).")] = 40,
    db: Db = None,
    json_: Json = False,
) -> None:
    """What changed between two dates or two card files, and what that does to your traffic.

    With a store, its traffic is priced at both dates' rates.
    """
    from dashboards.queries.pricing import diff

    chosen = settings()
    book = catalogue(chosen)
    sides = [_side(text, book, known) for text in (before, after)]
    changes = [c for c in diff(sides[0][0], sides[1][0]) if seller is None or c.seller == seller]
    impact = None
    if sides[0][1] and sides[1][1] and not known and database(db, chosen).exists():
        impact = _impact(db, chosen, sides[0][1], sides[1][1])
    if json_:
        print_json({"changes": [c.as_json() for c in changes], "on_stored_traffic": impact})
        return
    if not changes:
        say("no price differs")
    else:
        shown = changes[:limit] if limit else changes
        table(
            [("Variant", "left"), ("Seller", "left"), ("Meter", "left"), ("Before", "right"),
             ("After", "right"), ("", "right")],
            [
                (
                    c.variant + (f"@{c.tier}" if c.tier != "standard" else "")
                    + (f" ≥{c.step:,}" if c.step else ""),
                    c.seller, c.meter, _show(c.before), _show(c.after), _change(c.before, c.after),
                )
                for c in shown
            ],
        )  # fmt: skip
        if len(shown) < len(changes):
            note(f"{len(changes) - len(shown):,} more: --limit 0, --seller NAME, or --json")
    if impact is not None:
        _print_impact(impact, before, after)


def _side(text: str, book: Any, known: bool) -> tuple[Any, datetime | None]:
    """The price points of one side, and its instant when it is a date."""
    from dashboards.queries.pricing import price_points

    path = Path(text)
    if path.suffix == ".toml":
        from pricing.cards import CardError, load_card
        from pricing.catalogue import Catalogue

        try:
            return price_points(Catalogue([load_card(path)], packaged=False), _now()), None
        except CardError as error:
            fail(str(error), MISUSE)
    at = moment(text, "date")
    assert at is not None
    return price_points(book, _now() if known else at, at if known else None), at


def _change(before: Any, after: Any) -> str:
    if before is None:
        return "new"
    if after is None:
        return "gone"
    return f"{(after - before) * 100 / before:+.0f} %" if before else "-"


def _impact(db: Any, chosen: Any, first: datetime, second: datetime) -> list[dict[str, Any]]:
    """The stored traffic by variant, priced at the rates of both instants."""
    from dashboards.queries.spend import spend

    with reading(db, chosen) as store:
        sides = [
            {
                row.keys[0]: row
                for row in spend(
                    store.con, ["variant"], at=f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"
                ).rows
            }
            for at in (first, second)
        ]
    rows: list[dict[str, Any]] = []
    for name in sorted({*sides[0], *sides[1]}, key=str):
        one, two = (side.get(name) for side in sides)
        costs = [None if r is None or r.wholly_unpriced else r.cost_usd for r in (one, two)]
        rows.append({"variant": name, "before_usd": costs[0], "after_usd": costs[1]})
    return rows


def _print_impact(impact: list[dict[str, Any]], before: str, after: str) -> None:
    from pricing.money import show_usd

    changed = [r for r in impact if r["before_usd"] != r["after_usd"]]
    if not changed:
        say("your stored traffic costs the same at both dates' rates")
        return
    table(
        [("On your stored traffic", "left"), (f"at {before}", "right"), (f"at {after}", "right")],
        [(str(r["variant"]), show_usd(r["before_usd"]), show_usd(r["after_usd"])) for r in changed],
    )


@group.command("lint")
def lint_(
    card: Annotated[
        list[Path] | None, typer.Argument(help="Card files (default: every shipped and set card).")
    ] = None,
    packaged: Annotated[
        bool, typer.Option("--packaged", help="Also lint the genai-prices catalogue.")
    ] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="Also show notes: claims out of force, old checks…")
    ] = False,
    rule: Annotated[str | None, typer.Option(help="Explain one rule and stop.")] = None,
    json_: Json = False,
) -> None:
    """Look for what is wrong in price tables. Exit code 1 when an error is found."""
    from pricing.lint import explain, lint

    if rule is not None:
        try:
            say(explain(rule))
        except (KeyError, ValueError) as error:
            fail(str(error), MISUSE)
        return
    rates, variants = _lint_subject(card, packaged)
    found = lint(rates, variants)
    errors = [f for f in found if f.severity == "error"]
    if json_:
        print_json({"findings": [{n: getattr(f, n) for n in f.__slots__} for f in found]})
    else:
        shown = [f for f in found if notes or f.severity != "note"]
        table(
            [("Rule", "left"), ("", "left"), ("Where", "left"), ("What", "left")],
            [(f.rule, f.severity, f"{f.seller} {f.variant}", f.message) for f in shown[:60]],
        )
        if len(shown) > 60:
            note(f"{len(shown) - 60:,} more: --json")
        warnings = sum(f.severity == "warning" for f in found)
        say(
            f"{len(errors)} errors, {warnings} warnings, {len(found) - len(errors) - warnings} "
            f"notes in {len(rates):,} rates" + ("" if notes else " (--notes, --rule NAME)")
        )
    if errors:
        raise typer.Exit(FINDING)


def _lint_subject(card: list[Path] | None, packaged: bool) -> tuple[list[Any], dict[str, Any]]:
    from pricing.cards import CardError, load_card, shipped_cards

    try:
        chosen = settings()
        cards = [load_card(p) for p in card] if card else [
            *shipped_cards(), *(load_card(p) for p in chosen.cards)
        ]  # fmt: skip
    except CardError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error
    rates = [r for c in cards for r in c.rates]
    variants: dict[str, Any] = {}
    # The maker's entry of a variant knows most; a host's entry only fills what is missing.
    for c in sorted(cards, key=lambda c: c.kind != "maker"):
        for name, variant in c.variants.items():
            if name not in variants or variant.maker == c.seller:
                variants[name] = variant
    if packaged:
        rates = list(catalogue(settings()).all_rates())
    return rates, variants
