"""One server for the tests of the doors: each test uses calls and days of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue
from tests.collector.serving import Served, serving


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store with today's rates; copy it instead of making another."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    store = open_store(path)
    book.sync(store, default_catalogue())
    store.con.execute("CHECKPOINT")
    store.close()
    return path


@pytest.fixture
def db(empty_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_store, tmp_path / "t.duckdb"))


@pytest.fixture(scope="module")
def served(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("served") / "t.duckdb"))
    with serving(path) as running:
        yield running
