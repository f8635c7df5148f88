"""`tokenbooks mock`: an OpenAI-compatible endpoint without a key or a bill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenbooks.cli.common import Db, catalogue, database, settings
from tokenbooks.cli.output import MISUSE, fail, note

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ingest.collector import Collector
    from ingest.mock import Behaviour
    from ingest.store.database import Store
    from tokenbooks.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mock")(mock)


def mock(
    port: Annotated[int, typer.Option(help="Port.", min=1, max=65535)] = 8766,
    host: Annotated[
        str, typer.Option(help="Address to bind; other than loopback needs TOKENBOOKS_TOKEN.")
    ] = "127.0.0.1",
    profile: Annotated[
        str | None, typer.Option(help="Lengths of answers: chat, extraction, agent, coding, fixed.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same draws.")] = None,
    latency: Annotated[
        float | None, typer.Option("--latency-ms", help="Wait before each answer.")
    ] = None,
    error_429: Annotated[
        float | None, typer.Option("--error-429", help="Share of calls answered 429.")
    ] = None,
    error_500: Annotated[
        float | None, typer.Option("--error-500", help="Share of calls answered 500.")
    ] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests a minute on the default tier.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens a minute on the default tier.")] = None,
    db: Db = None,
) -> None:
    """Serve simulated Chat Completions and Responses; every call is booked as simulated usage.

    Point a client at it with base_url=http://127.0.0.1:8766/v1 and any key. Without --db the
    calls go to mock.duckdb beside the usual database, so that they never mix with real spend.
    """
    from ingest.mock import Behaviour, BehaviourError

    chosen = settings()
    path = db if db is not None else database(None, chosen).with_name("mock.duckdb")
    given: dict[str, Any] = dict(chosen.mock)
    options = {
        "profile": profile, "seed": seed, "latency_ms": latency, "error_429": error_429,
        "error_500": error_500,
    }  # fmt: skip
    given |= {name: value for name, value in options.items() if value is not None}
    limit = {name: v for name, v in (("rpm", rpm), ("tpm", tpm)) if v is not None}
    if limit:
        limits = dict(given.get("limits", {}))
        given["limits"] = limits | {"default": {**limits.get("default", {}), **limit}}
    try:
        behaviour = Behaviour.of(given)
    except BehaviourError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error
    _serve(path, host, port, behaviour, chosen)


def _serve(path: Path, host: str, port: int, behaviour: Behaviour, chosen: Settings) -> None:
    import uvicorn

    from ingest.collector.routes import is_local
    from ingest.store import book
    from ingest.store.database import StoreError, StoreHeld, open_store

    if not is_local(host) and not chosen.token:
        fail(
            f"{host} is reachable from other machines: set TOKENBOOKS_TOKEN (it is the API key "
            "then), or listen on 127.0.0.1",
            MISUSE,
        )
    prices = catalogue(chosen)
    try:
        store = open_store(path)
        book.sync(store, prices)
    except StoreHeld as error:
        fail(f"{error}: choose another file with --db")
        raise AssertionError from error
    except StoreError as error:
        fail(str(error))
        raise AssertionError from error
    app, collector = application(store, behaviour, chosen)
    shown = f"[{host}]" if ":" in host else host
    note(f"mock on http://{shown}:{port}/v1  (profile {behaviour.profile.name}; Ctrl-C stops)")
    note(f"then: tokenbooks report --db {path}   tokenbooks compare --db {path}")
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
    finally:
        collector.close()
        store.close()


def application(
    store: Store, behaviour: Behaviour, chosen: Settings
) -> tuple[Starlette, Collector]:
    """The mock as an ASGI application over an open store, and its running writer: close the
    writer before the store."""
    from starlette.applications import Starlette

    from ingest.collector import Collector, Limits, own_cursor
    from ingest.mock import Simulator, routes

    prices = catalogue(chosen)
    limits = Limits(max_body=chosen.serve.max_body_mb * 1024 * 1024)
    collector = Collector(prices, own_cursor(store), limits)
    collector.start()
    made = routes(Simulator(prices, behaviour), collector, token=chosen.token)
    return Starlette(routes=made), collector
