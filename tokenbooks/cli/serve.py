"""`tokenbooks serve`: dashboards (and, when enabled, the collector) on one port."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenbooks.cli.common import Db, database, settings
from tokenbooks.cli.output import MISUSE, UNREADABLE, fail


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to bind; other than loopback needs a token.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port.")] = None,
    db: Db = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
) -> None:
    """Open the dashboards on http://127.0.0.1:8765 until stopped with Ctrl-C."""
    from tokenbooks import live, service

    chosen = settings(db)
    try:
        service.run(
            host=host or chosen.serve.host,
            port=port or chosen.serve.port,
            db=database(db, chosen),
            settings=chosen,
            routes=live.routes(chosen),
            open_browser=open_,
        )
    except service.ServiceError as error:
        fail(str(error), MISUSE if isinstance(error, service.AddressError) else UNREADABLE)
