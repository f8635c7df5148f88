"""Nobody fails because somebody else has the store: readers, importers and the owner together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.files import look
from ingest.importer import ImportOptions, import_paths
from ingest.store import book, handover
from ingest.store.database import (
    Store,
    StoreHeld,
    beside,
    newest_snapshot,
    open_reader,
    open_store,
    publish_snapshot,
)
from pricing.catalogue import default_catalogue

CATALOGUE = default_catalogue()


def write_log(path: Path, first: int, count: int, tail: str = "") -> Path:
    rows = [
        {
            "id": f"chatcmpl-{n:029d}", "object": "chat.completion", "created": 1772366400 + n,
            "model": "gpt-5.2", "service_tier": "default",
            "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
        }
        for n in range(first, first + count)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(r) + "\n" for r in rows) + tail)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "t.duckdb")
    book.sync(opened, CATALOGUE)
    yield opened
    opened.close()


def other_process(code: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def test_an_import_beside_the_owner_is_handed_over(store: Store, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.jsonl", 0, 50, tail='{"broken')
    done = other_process(
        "import sys; from tokenbooks.cli import run; sys.exit(run(['ingest', *sys.argv[1:]]))",
        log, "--db", store.path, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"][0]["state"] == "handed over"
    notes = json.loads(done.stdout)["files"][0]["notes"]
    assert notes[0].startswith("handed to the owner of t.duckdb")
    assert store.con.execute("SELECT count(*) FROM calls_stored").fetchall() == [(0,)]
    reports = handover.absorb(store, CATALOGUE)
    assert [(r.state, r.added, r.rejected) for r in reports] == [("imported", 50, 1)]
    assert not list(beside(store.path, "inbox").glob("*.parquet"))
    assert store.con.execute("SELECT path, line FROM rejects").fetchall() == [(str(log), 51)]
    # Importing it directly now is a replay.
    assert import_paths(store, CATALOGUE, [log])[0].state == "unchanged"


def test_handing_over_twice_is_one_batch(store: Store, tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.jsonl", 0, 5)
    for _ in range(2):
        handover.hand_over(store.path, look(log), ImportOptions())
    assert len(list(beside(store.path, "inbox").glob("*.parquet"))) == 1
    assert handover.absorb(store, CATALOGUE)[0].added == 5
    # Killed after the commit and before the removal: the ledger knows the batch.
    handover.hand_over(store.path, look(log), ImportOptions())
    assert handover.absorb(store, CATALOGUE)[0].state == "unchanged"
    assert store.con.execute("SELECT count(*) FROM calls_stored").fetchall() == [(5,)]


def test_a_damaged_batch_is_set_aside_and_the_rest_absorbed(store: Store, tmp_path: Path) -> None:
    handover.hand_over(store.path, look(write_log(tmp_path / "a.jsonl", 0, 5)), ImportOptions())
    inbox = beside(store.path, "inbox")
    (inbox / "0000.parquet").write_bytes(b"PAR1 nonsense")
    (inbox / ".half.123.tmp").write_bytes(b"PAR1")
    reports = {r.state: r for r in handover.absorb(store, CATALOGUE)}
    assert reports["imported"].added == 5
    assert "not a readable batch" in reports["failed"].error
    assert (inbox / "bad" / "0000.parquet").exists()
    assert "not a readable batch" in (inbox / "bad" / "0000.parquet.txt").read_text()


def test_a_reader_beside_the_owner_sees_the_newest_snapshot(store: Store, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ingest.store.database import open_reader\n"
        "s = open_reader(Path(sys.argv[1]))\n"
        "n = s.con.execute('SELECT count(*) FROM calls').fetchall()[0][0]\n"
        "print(n, s.snapshot is not None)"
    )
    done = other_process(code, store.path)
    assert "has published no snapshot yet" in done.stderr
    import_paths(store, CATALOGUE, [write_log(tmp_path / "a.jsonl", 0, 7)])
    publish_snapshot(store)
    assert other_process(code, store.path).stdout.strip() == "7 True"
    import_paths(store, CATALOGUE, [write_log(tmp_path / "b.jsonl", 7, 3)])
    assert other_process(code, store.path).stdout.strip() == "7 True"
    publish_snapshot(store)
    assert other_process(code, store.path).stdout.strip() == "10 True"


def test_publishing_keeps_the_lock(store: Store) -> None:
    publish_snapshot(store)
    done = other_process(
        "import sys; from pathlib import Path; from ingest.store.database import open_store\n"
        "open_store(Path(sys.argv[1]))",
        store.path,
    )
    assert "StoreHeld" in done.stderr


def test_the_store_is_never_read_as_a_log(store: Store) -> None:
    assert import_paths(store, CATALOGUE, [store.path])[0].error.endswith("is the store itself")


def test_old_snapshots_are_swept(store: Store) -> None:
    for _ in range(4):
        publish_snapshot(store)
    kept = sorted(beside(store.path, "snapshots").glob("*.duckdb"))
    assert len(kept) == 2
    assert newest_snapshot(store.path) == kept[-1]


def test_the_second_owner_is_told_who_the_first_is(store: Store) -> None:
    done = other_process(
        "import sys; from pathlib import Path; from ingest.store.database import open_store\n"
        "open_store(Path(sys.argv[1]))",
        store.path,
    )
    assert "StoreHeld" in done.stderr
    assert "is open in another process (PID" in done.stderr
    assert issubclass(StoreHeld, Exception)


def test_reading_a_closed_store_needs_no_snapshot(tmp_path: Path) -> None:
    owner = open_store(tmp_path / "t.duckdb")
    owner.close()
    reader = open_reader(tmp_path / "t.duckdb")
    assert reader.snapshot is None
    reader.close()
