"""A store of calls written by a test: one dict a call, in the product's own format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ingest.importer import ImportOptions, import_paths
from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import Catalogue, default_catalogue


def call(number: int, at: str, model: str = "gpt-5.2", **fields: Any) -> dict[str, Any]:
    """One call at OpenAI's standard tier, unless the fields say otherwise."""
    return {
        "call_key": f"call-{number}", "occurred_at": at, "provider": "openai", "model": model,
        "tier": "standard", **fields,
    }  # fmt: skip


def make_store(
    folder: Path, calls: Iterable[dict[str, Any]], catalogue: Catalogue | None = None
) -> Path:
    """Write the calls and import them; the path of the database."""
    book_now = catalogue or default_catalogue()
    log = folder / "calls.jsonl"
    rows = list(calls)
    # A table has its columns in its head: every row names every field.
    fields = dict.fromkeys(name for row in rows for name in row)
    log.write_text("".join(json.dumps({**dict.fromkeys(fields), **c}) + "\n" for c in rows))
    path = folder / "books.duckdb"
    store = open_store(path)
    book.sync(store, book_now)
    reports = import_paths(store, book_now, [log], ImportOptions())
    assert not any(r.rejected for r in reports), reports
    store.close()
    return path


def daily(first: str, days: int, start: int = 0, **fields: Any) -> Iterable[dict[str, Any]]:
    """One call a day at noon."""
    begin = date.fromisoformat(first)
    for n in range(days):
        yield call(start + n, f"{begin + timedelta(days=n)}T12:00:00Z", **fields)
