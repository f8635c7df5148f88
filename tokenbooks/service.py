"""The service: dashboards and whatever else speaks HTTP, in one process that owns the store.

`streamlit.App` is an ASGI application that serves the pages; our Starlette routes (health, sign
in, the collector, the mock endpoint) stand beside them on the same port. The process opens the
DuckDB file read-write for as long as it runs: pages ask through cursors of that one connection,
other processes leave their batches in the inbox, which is absorbed every other second, and read
the snapshots published after each change.

    run(host="127.0.0.1", port=8765, db=Path("data/tokenbooks.duckdb"))

Loopback needs no password. Any other address needs a token (`TOKENBOOKS_TOKEN`): programs send it
as `Authorization: Bearer …`, people type it once into the sign-in page.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import webbrowser
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tokenbooks.gate import Gate, is_loopback, sign_in_routes

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from streamlit.starlette import App

    from ingest.store.database import Store
    from pricing.catalogue import Catalogue
    from tokenbooks.settings import Settings

log = logging.getLogger("tokenbooks.service")

ABSORB_EVERY = 2.0
"""Seconds between looks into the inbox."""

PUBLISH_EVERY = 10.0
"""Seconds at least between two snapshots: each is a copy of the file."""

MAIN = Path("app") / "main.py"


class ServiceError(Exception):
    """The service cannot start: the message says why and what to do."""


class AddressError(ServiceError):
    """The address must not, or cannot, be listened on: a matter of settings."""


class Owner:
    """The one holder of the store in this process.

    Readers take `cursor()`; writers take `writing()`, one at a time; `generation` counts changes.
    """

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self.store = store
        self.catalogue = catalogue
        self.generation = 0
        self._write = threading.RLock()
        self._published = -1
        self._published_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def cursor(self) -> Any:
        """A fresh connection to the open file, for one thread and one question."""
        return self.store.con.cursor()

    @contextmanager
    def writing(self) -> Generator[Store]:
        """A store to write through; writers wait for each other, readers for nobody."""
        with self._write:
            store = self.store.cursor()
            try:
                yield store
            finally:
                store.close()
                self.generation += 1

    def tend(self) -> None:
        """One round of upkeep: absorb the inbox, publish a snapshot if something changed."""
        from ingest.store import handover

        if _batches_wait(self.store.path):
            with self.writing() as store:
                for report in handover.absorb(store, self.catalogue):
                    if report.state == "failed":
                        log.warning("%s: %s", report.path, report.error)
        due = time.monotonic() - self._published_at >= PUBLISH_EVERY
        if self.generation != self._published and due:
            self.publish()

    def publish(self) -> None:
        """Publish a snapshot of the present state for readers in other processes."""
        from ingest.store.database import publish_snapshot

        with self._write:
            store = self.store.cursor()
            try:
                publish_snapshot(store)
            finally:
                store.close()
            self._published, self._published_at = self.generation, time.monotonic()

    def start(self) -> None:
        """Begin upkeep in a thread of its own."""
        self._thread = threading.Thread(target=self._upkeep, name="tokenbooks-upkeep", daemon=True)
        self._thread.start()

    def _upkeep(self) -> None:
        while not self._stop.is_set():
            try:
                self.tend()
            except Exception:  # the next round may do better; the pages go on
                log.exception("upkeep failed; trying again in %s s", ABSORB_EVERY)
            self._stop.wait(ABSORB_EVERY)

    def close(self) -> None:
        """Stop upkeep and close the file."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
        with self._write:
            self.store.close()


class Part(Protocol):
    """Something that runs as long as the service does."""

    def start(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End, with nothing half done."""


def collector_parts(
    owner: Owner, settings: Settings, token: str
) -> tuple[Sequence[BaseRoute], Sequence[Part]]:
    """The collector's routes and its writer, where the settings ask for it (`[serve]`)."""
    if not settings.serve.collector:
        return (), ()
    from ingest.collector import Collector, Limits, routes

    limits = Limits(max_body=settings.serve.max_body_mb * 1024 * 1024)
    collector = Collector(owner.catalogue, owner.writing, limits)
    return routes(collector, token=token), (collector,)


def _batches_wait(path: Path) -> bool:
    """Whether another process left a finished batch beside the store."""
    from ingest.store.database import beside

    return any(beside(path, "inbox").glob("[!.]*.parquet"))


def open_owner(db: Path, catalogue: Catalogue) -> Owner:
    """Take the store for this process, made or migrated as needed, priced by the catalogue.

    Raises `ServiceError` when it is held elsewhere or is no store.
    """
    from ingest.store import book
    from ingest.store.database import StoreError, StoreHeld, open_store

    try:
        store = open_store(db)
    except StoreHeld as error:
        raise ServiceError(
            f"{error}: a service may be running on it already; stop it or choose another --db"
        ) from error
    except StoreError as error:
        raise ServiceError(str(error)) from error
    book.sync(store, catalogue)
    return Owner(store, catalogue)


def build_app(
    owner: Owner,
    *,
    settings: Settings | None = None,
    token: str = "",
    host: str = "127.0.0.1",
    routes: Sequence[BaseRoute] = (),
    parts: Sequence[Part] = (),
    on_start: Callable[[], None] = lambda: None,
) -> App:
    """The ASGI application: pages, health, sign-in and the given routes behind one gate.

    `routes` are Starlette routes of other parts (collector, mock endpoint); they are checked for
    the token like everything else. `parts` are started and closed with the application, which
    closes the owner last.
    """
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
    from streamlit import App

    import dashboards
    from dashboards.app import source

    source.install(
        source.Source(
            owner.store.path,
            owner.catalogue,
            owner.cursor,
            generation=lambda: owner.generation,
            zone=settings.timezone if settings else "UTC",
            settings=settings,
        )
    )

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "generation": owner.generation})

    @contextlib.asynccontextmanager
    async def lifespan(_: App) -> AsyncGenerator[dict[str, Any]]:
        owner.start()
        for part in parts:
            part.start()
        on_start()
        try:
            yield {"owner": owner}
        finally:
            for part in parts:
                part.close()
            owner.close()

    return App(
        Path(dashboards.__file__).parent / MAIN,
        lifespan=lifespan,
        routes=[Route("/healthz", health), *sign_in_routes(token), *routes],
        middleware=[Middleware(Gate, token=token, host=host)],
    )


def streamlit_config(host: str, port: int) -> dict[str, Any]:
    """Streamlit's settings, given in code: an installed wheel needs no folder of its own."""
    colours = {
        f"theme.{mode}.{name}": value
        for mode, palette in _THEME.items()
        for name, value in palette.items()
    }
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "logger.hideWelcomeMessage": True,
        "runner.magicEnabled": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "full" if is_loopback(host) else "none",
        "theme.baseRadius": "0.4rem",
        "theme.paddingTop": "3.5rem",
        "theme.paddingBottom": "2rem",
        "theme.metricValueFontSize": "1.6rem",
        # A page's sections are h2 below its h1, so that no level is left out; smaller than usual.
        "theme.headingFontSizes": ["2.5rem", "1.6rem", "1.2rem"],
        **colours,
    }


_THEME: dict[str, dict[str, str]] = {
    # Captions, axes and heads of tables have 0.6 of the text's colour: 4.5 to 1 needs it this dark.
    "light": {"primaryColor": "#1f6f5c", "linkColor": "#1f6f5c", "textColor": "#141414"},
    # White is written on it: 4.5 to 1.
    "dark": {"primaryColor": "#2a8569", "linkColor": "#6fd0b5"},
}


def check_address(host: str, port: int, token: str) -> None:
    """Raise `AddressError` for an address that must not or cannot be listened on."""
    if not is_loopback(host) and not token:
        raise AddressError(
            f"{host} is reachable from other machines, so a token is needed: set TOKENBOOKS_TOKEN "
            "to a long random text, or listen on 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
            ) from error


def run(
    host: str = "127.0.0.1",
    port: int = 8765,
    db: Path = Path("data/tokenbooks.duckdb"),
    *,
    settings: Settings | None = None,
    token: str | None = None,
    routes: Callable[[Owner], Sequence[BaseRoute]] = lambda _: (),
    open_browser: bool = False,
) -> None:
    """Serve until interrupted. `routes` makes further routes once the store is open.

    Raises `ServiceError` when the address or the store cannot be had.
    """
    from pricing.catalogue import default_catalogue

    secret = token if token is not None else settings.token if settings else ""
    check_address(host, port, secret)
    owner = open_owner(db, settings.catalogue() if settings else default_catalogue())
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def started() -> None:
        print(f"tokenbooks: {db} on {address}  (stop with Ctrl-C)", flush=True)
        if open_browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()

    further, running = collector_parts(owner, settings, secret) if settings else ((), ())
    app = build_app(
        owner,
        settings=settings,
        token=secret,
        host=host,
        routes=[*further, *routes(owner)],
        parts=running,
        on_start=started,
    )
    app.run(config=streamlit_config(host, port))
