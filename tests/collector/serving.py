"""A real server for the tests: uvicorn on a free loopback port, over a store of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from ingest.collector import Collector, Limits, own_cursor, routes
from ingest.store import book
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue


@dataclass
class Served:
    """A running collector: where it listens, its store, and the writer behind it."""

    url: str
    store: Store
    collector: Collector
    path: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        cursor = self.store.con.cursor()
        try:
            return cursor.execute(query).fetchall()
        finally:
            cursor.close()


def free_socket() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    return sock


@contextmanager
def listening(app: Any) -> Generator[str]:
    """Serve an application in a thread; yields its address."""
    sock = free_socket()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        for _ in range(500):
            if server.started:
                break
            time.sleep(0.01)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()


@contextmanager
def serving(
    path: Path, *, token: str = "", limits: Limits | None = None, more: Sequence[BaseRoute] = ()
) -> Generator[Served]:
    """A collector over a store at `path`."""
    catalogue = default_catalogue()
    store = open_store(path)
    book.sync(store, catalogue)
    collector = Collector(catalogue, own_cursor(store), limits)
    collector.start()
    try:
        with listening(Starlette(routes=[*routes(collector, token=token), *more])) as url:
            yield Served(url, store, collector, path)
    finally:
        collector.close()
        store.close()
