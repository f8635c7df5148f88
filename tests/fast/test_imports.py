"""A whole import, bulk or not, makes the same store: calls, costs, rejects and the ledger."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest import fast
from ingest.importer import import_paths
from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue
from tests.fast.test_bodies import CHAT, MESSAGE, RESPONSE

TABLES = {
    "usage": "* EXCLUDE (flags), flags",
    "costs": "*",
    "rejects": "*",
    "imports": "* EXCLUDE (imported_at)",
    "replacements": "* EXCLUDE (replaced_at)",
}


def _log(first: int, count: int) -> list[str]:
    bodies = (CHAT, RESPONSE, MESSAGE)
    lines = [
        json.dumps({**bodies[n % 3], "id": f"{bodies[n % 3]['id'][:20]}{n:06}"})
        for n in range(first, first + count)
    ]
    lines[5] = lines[5][:40]
    lines[6] = lines[7]
    return lines


def _stored(folder: Path, files: list[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    store = open_store(folder)
    try:
        book.sync(store, default_catalogue())
        reports = [
            report.as_json()
            for path in (*files, files[-1])
            for report in import_paths(store, default_catalogue(), [path])
        ]
        held = {
            name: sorted(store.con.execute(f"SELECT {what} FROM {name}").fetchall(), key=repr)
            for name, what in TABLES.items()
        }
    finally:
        store.close()
    return held, reports


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_a_log_that_grows_is_the_same_store_in_bulk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    files = [tmp_path / f"{name}.jsonl{packed}" for name in ("start", "grown")]
    for path, count in zip(files, (500, 900), strict=True):
        data = "\n".join(_log(0, count)).encode()
        assert len(data) > fast.WORTH_BYTES
        if packed == ".zst":
            data = pa.compress(data, "zstd", asbytes=True)
        path.write_bytes(gzip.compress(data) if packed == ".gz" else data)
    bulk, reports = _stored(tmp_path / "bulk.duckdb", files)
    used = []
    monkeypatch.setattr(fast, "prepare", lambda *_: used.append(1))
    alone, told = _stored(tmp_path / "alone.duckdb", files)
    assert used
    assert bulk == alone
    assert reports == told
    assert [r["state"] for r in reports] == ["imported", "imported", "unchanged"]
    assert [r["added"] for r in reports[:2]] == [498, 400]
