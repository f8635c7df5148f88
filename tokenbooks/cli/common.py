"""Options that commands share, and opening the store for them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenbooks.cli.output import MISUSE, fail

if TYPE_CHECKING:
    from dashboards.lake.engine import Lake
    from dashboards.queries.compare import Target
    from dashboards.queries.scope import Scope
    from ingest.store.database import Store
    from pricing.catalogue import Catalogue
    from tokenbooks.settings import Settings

Db = Annotated[
    Path | None,
    typer.Option("--db", help="The database file (default: TOKENBOOKS_DB or the settings)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="From: 2026-03-01, 2026-03, 30d, today, this-month, last-month."),
]
Until = Annotated[str | None, typer.Option("--until", help="Before (exclusive); same spellings.")]
Zone = Annotated[
    str | None, typer.Option("--tz", help="Time zone of days and months, such as Europe/Berlin.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only calls with DIMENSION=VALUE[,VALUE…]; repeatable."),
]

LakeDir = Annotated[
    str | None,
    typer.Option("--lake", help="Ask a lake (a folder or address) instead of the database."),
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", help="With --lake: duckdb (default), or sc://host:port (Spark)."),
]


def settings(db: Path | None = None) -> Settings:
    """The settings in force for a database; a wrong file ends the command with exit code 2."""
    from tokenbooks.settings import SettingsError, load_settings

    try:
        return load_settings(db=db)
    except SettingsError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error


def database(db: Path | None, chosen: Settings | None = None) -> Path:
    """The database path: the option, else the settings."""
    return db if db is not None else (chosen or settings()).db


def catalogue(chosen: Settings) -> Catalogue:
    """The catalogue of the settings; a wrong card ends the command with exit code 2."""
    from pricing.cards import CardError

    try:
        return chosen.catalogue()
    except CardError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error


@contextmanager
def reading(db: Path | None, chosen: Settings, *, sync: bool = True) -> Generator[Store]:
    """The store for reading, priced by today's catalogue.

    When the catalogue changed since the last import, the store is brought up to date first if
    it is free; if another process holds it, that process answers for its prices.
    """
    from ingest.store import book
    from ingest.store.database import StoreError, StoreHeld, open_reader, open_store

    path = database(db, chosen)
    try:
        store = open_reader(path)
        if sync and store.snapshot is None:
            held = store.con.execute(
                "SELECT value FROM meta WHERE key = 'catalogue_version'"
            ).fetchall()
            book_now = catalogue(chosen)
            if not held or held[0][0] != book_now.version:
                store.close()
                try:
                    owner = open_store(path)
                    book.sync(owner, book_now)
                    owner.close()
                except StoreHeld:
                    pass
                store = open_reader(path)
    except StoreError as error:
        fail(str(error))
        raise AssertionError from error
    try:
        yield store
    finally:
        store.close()


def lake_of(lake: str | None, engine: str | None, db: Path | None) -> Lake | None:
    """The lake that the options name, opened; None when they name none. What cannot be opened or
    does not fit together ends the command."""
    if lake is None:
        if engine is not None:
            fail(f"--engine {engine} needs --lake DIR: an engine reads a lake", MISUSE)
        return None
    if db is not None:
        fail("--db and --lake: ask one of them", MISUSE)
    from dashboards.lake.engine import EngineError, open_lake
    from ingest.lake.folder import LakeError

    try:
        return open_lake(lake, engine or "duckdb")
    except (EngineError, LakeError) as error:
        fail(str(error))
        raise AssertionError from error


@contextmanager
def asking(
    db: Path | None,
    lake: Lake | None,
    chosen: Settings,
    names: Sequence[str],
    asked: Scope,
    *,
    targets: Sequence[Target] = (),
    known_at: datetime | None = None,
) -> Generator[Store]:
    """What a question is asked of: the store, or a lake's calls by the dimensions it names."""
    if lake is None:
        with reading(db, chosen) as store:
            yield store
        return
    from dashboards.lake.book import cell_book

    with cell_book(
        lake, catalogue(chosen), names, asked, targets=targets, known_at=known_at
    ) as book:
        yield book.store


def pairs(items: Sequence[str] | None, what: str) -> dict[str, str]:
    """`k=v` options as a mapping; anything else ends the command with exit code 2."""
    found: dict[str, str] = {}
    for item in items or []:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            fail(f"{what} {item!r} must look like NAME=VALUE", MISUSE)
        found[name.strip()] = value.strip()
    return found


def names_of(text: str) -> list[str]:
    """Comma-separated names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def scope(
    since: str | None,
    until: str | None,
    zone: str | None,
    where: list[str] | None,
    chosen: Settings,
) -> Scope:
    """The scope that the shared options describe; wrong ones end the command with exit code 2."""
    from dashboards.queries.scope import Scope, ScopeError, dimension, parse_edge, zone_info

    place = zone or chosen.timezone
    try:
        zone_info(place)
        wanted = {k: v.split(",") for k, v in pairs(where, "--where").items()}
        for name in wanted:
            dimension(name, place)
        return Scope(
            parse_edge(since, zone=place) if since else None,
            parse_edge(until, zone=place) if until else None,
            place,
            wanted,
        )
    except ScopeError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error


def day_of(text: str | None, option: str, zone: str) -> date | None:
    """A day in the reader's zone from an option; None stays None."""
    from dashboards.queries.scope import ScopeError, parse_edge

    if text is None:
        return None
    try:
        return parse_edge(text, zone=zone).date()
    except ScopeError as error:
        fail(f"{option}: {error}", MISUSE)
        raise AssertionError from error


def moment(text: str | None, option: str) -> datetime | None:
    """An instant from an option as naive UTC; None stays None."""
    from dashboards.queries.scope import ScopeError, parse_edge

    if text is None:
        return None
    try:
        return parse_edge(text)
    except ScopeError as error:
        fail(f"{option}: {error}", MISUSE)
        raise AssertionError from error


def say_simulated(store: Store, asked: Scope, of: str = "") -> dict[str, Any]:
    """A remark on standard error where simulated calls are left out, or are all there is (`of`
    names the period it is about); the same for JSON, as `simulated`."""
    from dashboards.queries.simulated import simulated
    from tokenbooks.cli.output import note

    tested = simulated(store.con, asked)
    if tested is None:
        return {}
    note(f"{of}: {tested.words()}" if of else tested.words())
    return {"simulated": tested.as_json()}
