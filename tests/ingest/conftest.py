"""A store on disk with the small catalogue, and a way to import text into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.importer import FileReport, ImportOptions, import_paths
from ingest.store import book
from ingest.store.database import Store, open_store
from pricing.catalogue import Catalogue, default_catalogue

Put = Callable[..., FileReport]


@pytest.fixture(scope="session")
def prices() -> Catalogue:
    return default_catalogue()


@pytest.fixture(scope="session")
def fresh_db(tmp_path_factory: pytest.TempPathFactory, prices: Catalogue) -> Path:
    """An empty store in step with the shipped cards: copied by tests, never opened by them."""
    path = tmp_path_factory.mktemp("fresh") / "fresh.duckdb"
    store = open_store(path)
    book.sync(store, prices)
    store.close()
    return path


@pytest.fixture
def db(tmp_path: Path, fresh_db: Path) -> Path:
    path = tmp_path / "books.duckdb"
    path.write_bytes(fresh_db.read_bytes())
    return path


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    opened = open_store(db)
    yield opened
    opened.close()


@pytest.fixture
def put_file(store: Store, prices: Catalogue, tmp_path: Path) -> Put:
    """Write content to a file and import it; returns the report of that file."""

    def put(content: str | bytes, name: str = "log.jsonl", **options: Any) -> FileReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        reports = import_paths(store, prices, [path], ImportOptions(**options))
        assert len(reports) == 1
        return reports[0]

    return put
