"""A whole import, bulk or not, makes the same store: calls, costs, rejects and the ledger."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingest import fast
from ingest.files import look
from ingest.importer import ImportOptions, import_paths
from ingest.store import book, database, handover, load
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


def _overlapping(folder: Path) -> list[Path]:
    """Two files that share calls: in the second some are as they were, some know more, some are
    better sightings; and each tells some of its own calls twice."""
    first, second = [], []
    for n in range(40):
        row = {"call_key": f"k{n}", "occurred_at": "2026-03-01T10:00:00Z", "provider": "openai",
               "model": "gpt-5.2", "input_uncached": 100 + n, "output_text": 5,
               "tags": {"a": str(n % 3)}}  # fmt: skip
        first.append(row)
        if n % 4 == 0:
            first.append({**row, "team": "search", "tags": {"b": "2"}})
        second.append(row if n % 2 else {**row, "output_text": 7, "project": "p"})
        if n % 5 == 0:
            second.append({**row, "session": "s1"})
    paths = [folder / "first.jsonl", folder / "second.jsonl"]
    for path, rows in zip(paths, (first, second), strict=True):
        path.write_text("\n".join(map(json.dumps, rows)))
    return paths


def test_calls_seen_often_are_folded_in_parts_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _overlapping(tmp_path)
    whole, told = _stored(tmp_path / "whole.duckdb", files)
    monkeypatch.setattr(load, "_FOLDED_AT_ONCE", 9)
    parts, again = _stored(tmp_path / "parts.duckdb", files)
    assert parts == whole
    assert again == told
    assert [(r["added"], r["replaced"], r["duplicates"]) for r in told[:2]] == [
        (40, 0, 10),
        (0, 20, 28),
    ]


def test_an_import_larger_than_its_memory_waits_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IMPORT_MEMORY", "80MiB")
    path, count = tmp_path / "calls.parquet", 150_000
    duckdb.execute(
        "COPY (SELECT md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS id, 'gpt-5.2' AS model,"
        " TIMESTAMP '2026-03-01' + to_seconds((i * 7919) % 2000000) AS time, 100 + i % 50 AS n,"
        f" i AS total FROM range({count}) AS t(i)) TO '{path}' (FORMAT parquet)"
    )
    fields = {"call_key": "id", "occurred_at": "time", "model": "model", "input": "n"}
    options = ImportOptions(mapping={**fields, "provider": '"openai"'})
    spilled: list[int] = []
    merge = load.merge

    def watched(con: duckdb.DuckDBPyConnection, *given: Any) -> load.Merged:
        done = merge(con, *given)
        spilled.append(sum(p.stat().st_size for p in (tmp_path / "books.duckdb.tmp").glob("*")))
        return done

    monkeypatch.setattr(load, "merge", watched)
    store = open_store(tmp_path / "books.duckdb")
    try:
        default = store.con.execute("SELECT current_setting('memory_limit')").fetchall()
        book.sync(store, default_catalogue())
        report = import_paths(store, default_catalogue(), [path], options)[0]
        assert (report.error, report.added) == ("", count)
        held = "SELECT count(DISTINCT call_key), sum(input_total) FROM calls_stored"
        assert store.con.execute(held).fetchall() == [(count, 124 * count + count // 2)]
        assert store.con.execute("SELECT current_setting('memory_limit')").fetchall() == default
    finally:
        store.close()
    assert spilled[0] > 0


def test_a_new_owner_removes_what_a_killed_one_spilled(tmp_path: Path) -> None:
    left = tmp_path / "books.duckdb.tmp" / "duckdb_temp_1_0_storage_DEFAULT-0.tmp"
    left.parent.mkdir()
    left.write_bytes(b"x")
    open_store(tmp_path / "books.duckdb").close()
    assert not left.exists()


def test_a_log_handed_over_in_bulk_is_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(_log(0, 500)))
    direct, _ = _stored(tmp_path / "direct.duckdb", [path])
    made: list[Any] = []
    prepare = fast.prepare
    monkeypatch.setattr(fast, "prepare", lambda *a: made.append(prepare(*a)) or made[-1])
    db = tmp_path / "handed.duckdb"
    report = handover.hand_over(db, look(path), ImportOptions())
    assert (report.state, report.records, report.rejected) == ("handed over", 499, 1)
    assert made[0].records > 400  # not one by one
    assert not list((tmp_path / "handed.duckdb.inbox").glob(".*"))
    store = open_store(db)
    try:
        book.sync(store, default_catalogue())
        absorbed = handover.absorb(store, default_catalogue())
    finally:
        store.close()
    assert [(r.state, r.added, r.duplicates) for r in absorbed] == [("imported", 498, 1)]
    handed, _ = _stored(db, [path])
    assert handed == direct
