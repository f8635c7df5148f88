"""A mock endpoint on a free port, and the official client to talk to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from starlette.applications import Starlette

from ingest.collector import Collector, own_cursor
from ingest.mock import Behaviour, Simulator, routes
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue
from tests.collector.conftest import empty_store as empty_store  # noqa: PLC0414 - a fixture
from tests.collector.serving import listening


class Mock:
    """A running mock: its address, its clock, its store."""

    def __init__(self, store: Store, collector: Collector, simulator: Simulator, url: str) -> None:
        self.store, self.collector, self.simulator, self.url = store, collector, simulator, url

    @property
    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        cursor = self.store.con.cursor()
        try:
            return cursor.execute(query).fetchall()
        finally:
            cursor.close()


@pytest.fixture
def mock(empty_store: Path, tmp_path: Path) -> Iterator[Callable[..., Mock]]:
    with ExitStack() as stack:

        def start(token: str = "", clock: Callable[[], float] | None = None, **given: Any) -> Mock:
            store = open_store(Path(shutil.copy(empty_store, tmp_path / "mock.duckdb")))
            stack.callback(store.close)
            collector = Collector(default_catalogue(), own_cursor(store))
            collector.start()
            stack.callback(collector.close)
            behaviour = Behaviour.of({"profile": "fixed", **given})
            more = {"clock": clock} if clock else {}
            simulator = Simulator(default_catalogue(), behaviour, **more)
            app = Starlette(routes=routes(simulator, collector, token=token))
            url = stack.enter_context(listening(app))
            return Mock(store, collector, simulator, url)

        yield start
