"""Small hand-made stores, and pages run without a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboards.app import source
from ingest.importer import ImportOptions, import_bytes
from ingest.store import book
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue

MAIN = Path(source.__file__).parent / "main.py"


def body(
    number: int,
    at: datetime,
    *,
    model: str = "gpt-5.2-2025-12-11",
    prompt: int = 1000,
    cached: int = 0,
    answer: int = 100,
    tier: str | None = "default",
) -> dict[str, Any]:
    """A Chat Completions response as logged; `at` is naive UTC."""
    made: dict[str, Any] = {
        "id": f"chatcmpl-handmade{number:016}",
        "object": "chat.completion",
        "created": int(at.replace(tzinfo=UTC).timestamp()),
        "model": model,
        "choices": [],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }
    return made if tier is None else {**made, "service_tier": tier}


def add(store: Store, bodies: Sequence[dict[str, Any]], **stamps: str) -> None:
    """Import bodies as one file."""
    data = "\n".join(json.dumps(b) for b in bodies).encode() + b"\n"
    name = "-".join(["calls", *stamps.values()]) + ".jsonl"
    report = import_bytes(store, default_catalogue(), data, ImportOptions(stamps=stamps), name)
    assert report.state == "imported", report.error


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with prices and no calls, to be copied: writing the prices takes a second."""
    path = tmp_path_factory.mktemp("blank") / "books.duckdb"
    store = open_store(path)
    book.sync(store, default_catalogue())
    store.close()
    return path


@pytest.fixture
def empty(blank: Path, tmp_path: Path) -> Iterator[Store]:
    """A store without calls."""
    store = open_store(Path(shutil.copy(blank, tmp_path)))
    yield store
    store.close()


@pytest.fixture
def store(empty: Store) -> Store:
    """March 2026, by hand. gpt-5.2 costs 1.75 / 0.175 / 14 USD per million tokens.

    search: two calls of 1,000 + 100 tokens on 2 and 9 March: 0.00315 USD each;
    assistant: 1,000 of which 800 cached, + 100, on 9 March: 0.00189 USD;
    batch: 1,000 + 100 on the batch tier on 10 March: half of 0.00315 = 0.001575 USD;
    unpriced: one call of a model on no card, 500 + 50 tokens, on 10 March.
    """
    add(
        empty,
        [body(1, datetime(2026, 3, 2, 9)), body(2, datetime(2026, 3, 9, 9))],
        team="search",
    )
    add(empty, [body(3, datetime(2026, 3, 9, 17), cached=800)], team="assistant", feature="chat")
    add(empty, [body(4, datetime(2026, 3, 10, 3), tier="batch")], team="assistant")
    add(
        empty,
        [body(5, datetime(2026, 3, 10, 4), model="nobody-knows-1", prompt=500, answer=50)],
    )
    return empty


def install(store: Store, zone: str = "UTC") -> source.Source:
    """Let the pages ask this store."""
    made = source.Source(store.path, default_catalogue(), store.con.cursor, zone=zone)
    source.install(made)
    return made


@pytest.fixture
def page() -> Iterator[Callable[..., Any]]:
    """Run a page over a store as a session would: `page(store, "variants", tz="UTC")`."""
    from streamlit.testing.v1 import AppTest

    def run(store: Store, name: str, *, zone: str = "UTC", **query: str | list[str]) -> Any:
        install(store, zone)
        app = AppTest.from_file(str(MAIN), default_timeout=90)
        for key, value in query.items():
            app.query_params[key] = value
        if name != "overview":
            app.switch_page(f"views/{name}.py")
        app.run()
        return app

    yield run
    source._installed.clear()
