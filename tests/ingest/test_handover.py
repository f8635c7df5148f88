"""Nobody fails because somebody else has the store open, and nothing handed over is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from ingest.importer import ImportOptions, import_paths
from ingest.record import ReportedRow
from ingest.store import book, handover, ledger, load
from ingest.store.database import Store, StoreError, beside, open_reader, open_store
from pricing.catalogue import Catalogue
from tests.books import chat, dump, lines, small_catalogue
from tests.chaos import chaos, child, write_logs

BOOK = small_catalogue()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    store = open_store(tmp_path / "books.duckdb")
    book.sync(store, BOOK)
    store.close()
    return tmp_path / "books.duckdb"


def log(folder: Path, start: int, count: int, name: str = "") -> Path:
    path = folder / (name or f"log-{start}.jsonl")
    bodies = (chat(n, model="plain", provider="acme") for n in range(start, start + count))
    path.write_text(lines(bodies))
    return path


def hand_over(db: Path, *paths: Path, **options: object) -> list[handover.FileReport]:
    from ingest.files import look

    return [
        handover.hand_over(db, look(p), ImportOptions(**options))  # type: ignore[arg-type]
        for p in paths
    ]


def absorbed(db: Path) -> tuple[list[str], int]:
    store = open_store(db)
    try:
        states = [r.state for r in handover.absorb(store, BOOK)]
        return states, store.con.execute("SELECT count(*) FROM calls").fetchall()[0][0]
    finally:
        store.close()


def test_a_free_store_is_written_directly(db: Path, tmp_path: Path) -> None:
    reports = handover.import_or_hand_over(db, BOOK, [log(tmp_path, 0, 3)])
    assert [(r.state, r.added) for r in reports] == [("imported", 3)]
    assert not beside(db, "inbox").exists()


def test_a_batch_is_the_import_delayed(db: Path, tmp_path: Path) -> None:
    path = log(tmp_path, 0, 5)
    path.write_text(path.read_text() + "broken\n")
    direct = open_store(tmp_path / "direct.duckdb")
    book.sync(direct, BOOK)
    stamps = {"team": "search"}
    report = import_paths(direct, BOOK, [path], ImportOptions(stamps=stamps))[0]
    handed = hand_over(db, path, stamps=stamps)[0]
    assert (handed.state, handed.records, handed.rejected) == ("handed over", 5, 1)
    assert len(handover.batches(db)) == 1
    owner = open_store(db)
    taken = handover.absorb(owner, BOOK)[0]
    assert (taken.state, taken.added, taken.rejected) == ("imported", 5, 1)
    assert dump(owner) == dump(direct)
    columns = "* EXCLUDE (imported_at)"
    for table in (f"SELECT {columns} FROM imports", "SELECT * FROM rejects"):
        assert owner.con.execute(table).fetchall() == direct.con.execute(table).fetchall()
    assert report.added == taken.added
    assert handover.batches(db) == []
    owner.close()
    direct.close()


def test_a_batch_taken_twice_changes_nothing(db: Path, tmp_path: Path) -> None:
    path = log(tmp_path, 0, 4)
    hand_over(db, path)
    batch = handover.batches(db)[0]
    copy = batch.read_bytes()
    assert absorbed(db) == (["imported"], 4)
    batch.write_bytes(copy)
    assert absorbed(db) == (["unchanged"], 4)
    assert handover.batches(db) == []
    assert handover.import_or_hand_over(db, BOOK, [path])[0].state == "unchanged"


def test_the_same_file_handed_over_twice_is_one_batch(db: Path, tmp_path: Path) -> None:
    path = log(tmp_path, 0, 4)
    hand_over(db, path, path)
    assert len(handover.batches(db)) == 1
    hand_over(db, path, stamps={"team": "x"})
    assert len(handover.batches(db)) == 2
    assert absorbed(db) == (["imported", "imported"], 4)


def test_report_rows_travel_with_their_batch(db: Path, tmp_path: Path) -> None:
    from datetime import datetime
    from decimal import Decimal

    row = ReportedRow(
        "costs", "acme", "cost", datetime(2026, 1, 1), datetime(2026, 1, 2),
        counts={"input_uncached": 5}, amount=Decimal("0.123456789012345678"), tags={"a": "b"},
    )  # fmt: skip
    facts = json.loads(handover._facts(ledger.Entry("", "", "", "", 0), [row]))
    assert handover._reported_row(facts["reported"][0]) == row


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: len(data) // 2], "not a readable batch"),
        (lambda data: b"", "not a readable batch"),
        (lambda data: b"PAR1" * 30, "not a readable batch"),
    ],
)
def test_a_damaged_batch_is_set_aside_and_the_rest_is_taken(
    db: Path,
    tmp_path: Path,
    damage,
    reason: str,  # type: ignore[no-untyped-def]
) -> None:
    hand_over(db, log(tmp_path, 0, 4), log(tmp_path, 10, 3))
    first = handover.batches(db)[0]
    first.write_bytes(damage(first.read_bytes()))
    assert absorbed(db) == (["failed", "imported"], 3)
    bad = beside(db, "inbox") / "bad"
    assert (bad / first.name).exists()
    assert reason in (bad / f"{first.name}.reason.txt").read_text()
    assert absorbed(db) == ([], 3)


def test_a_batch_of_other_columns_is_set_aside(db: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = beside(db, "inbox")
    folder.mkdir()
    pq.write_table(pa.table({"call_key": ["k"]}), folder / "1-x.parquet")
    pq.write_table(handover._empty(), folder / "2-y.parquet")
    assert absorbed(db) == (["failed", "failed"], 0)
    reasons = [p.read_text() for p in sorted((folder / "bad").glob("*.txt"))]
    assert "another version" in reasons[0]
    assert "lacks its ledger facts" in reasons[1]


def test_a_failure_while_absorbing_leaves_the_batch(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(db, log(tmp_path, 0, 4))

    def full(*_: object) -> None:
        raise duckdb.IOException("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "commit", full)
        with pytest.raises(duckdb.IOException):
            absorbed(db)
    assert absorbed(db) == (["imported"], 4)


def test_drafts_are_not_batches_and_old_ones_are_swept(db: Path) -> None:
    import os

    folder = beside(db, "inbox")
    folder.mkdir()
    old, new = folder / ".1-a.parquet.7.tmp", folder / ".2-b.parquet.8.tmp"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    assert absorbed(db) == ([], 0)
    assert not old.exists() and new.exists()


def test_a_bad_file_is_not_handed_over(db: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(range(256)))
    assert hand_over(db, path)[0].state == "failed"
    assert handover.batches(db) == []


def test_a_foreign_file_is_an_error_for_the_writer_too(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    path.write_text("this is no database, but long enough to look at" * 10)
    with pytest.raises(StoreError, match="not a tokenbooks database"):
        handover.import_or_hand_over(path, BOOK, [log(tmp_path, 0, 1)])


def hold(db: Path, mode: str, seconds: float) -> subprocess.Popen[str]:
    """Another process that has the store open for a while."""
    code = (
        "import duckdb, sys, time\n"
        f"con = duckdb.connect({str(db)!r}, read_only={mode == 'reader'})\n"
        f"print('open', flush=True); time.sleep({seconds})"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    return holder


@pytest.mark.parametrize("mode", ["reader", "writer"])
def test_a_store_held_for_long_gets_a_batch(db: Path, tmp_path: Path, mode: str) -> None:
    holder = hold(db, mode, 30)
    try:
        began = time.monotonic()
        reports = handover.import_or_hand_over(db, BOOK, [log(tmp_path, 0, 3)], patience_s=0.3)
        assert [r.state for r in reports] == ["handed over"]
        assert time.monotonic() - began < 5
    finally:
        holder.kill()
        holder.wait()
    assert absorbed(db) == (["imported"], 3)


def test_a_store_held_for_a_moment_is_waited_for(db: Path, tmp_path: Path) -> None:
    holder = hold(db, "reader", 0.5)
    reports = handover.import_or_hand_over(db, BOOK, [log(tmp_path, 0, 3)], patience_s=10)
    holder.wait()
    assert [r.state for r in reports] == ["imported"]


def test_what_an_owner_left_behind_is_taken_by_the_next_import(db: Path, tmp_path: Path) -> None:
    hand_over(db, log(tmp_path, 0, 3))
    assert handover.import_or_hand_over(db, BOOK, [log(tmp_path, 10, 2)])[0].added == 2
    reader = open_reader(db)
    assert reader.con.execute("SELECT count(*) FROM calls").fetchall() == [(5,)]
    reader.close()


def test_two_importers_beside_an_owner(db: Path, tmp_path: Path) -> None:
    paths = write_logs(tmp_path / "logs", files=4, calls=200)
    owner: Store = open_store(db)
    workers = [child(db, paths[:3], 0.2), child(db, paths[1:], 0.2)]
    out = [w.communicate(timeout=180)[0] for w in workers]
    assert [w.returncode for w in workers] == [0, 0]
    assert all(o.endswith("handed over,handed over,handed over\n") for o in out)
    handover.absorb(owner, BOOK)
    found = dump(owner)
    owner.close()
    calm: Store = open_store(tmp_path / "calm.duckdb")
    book.sync(calm, BOOK)
    import_paths(calm, BOOK, paths)
    assert found == dump(calm)
    assert len(found) == 4 * 200 - 3 * 20
    calm.close()


def test_importers_that_meet_on_a_free_store(db: Path, tmp_path: Path) -> None:
    paths = write_logs(tmp_path / "logs", files=3, calls=200)
    workers = [child(db, [path], 0.1) for path in paths]
    states = {w.communicate(timeout=180)[0].split()[-1] for w in workers}
    assert [w.returncode for w in workers] == [0, 0, 0]
    assert states <= {"imported", "over"}
    assert absorbed(db)[1] == 3 * 200 - 2 * 20


def test_killed_imports_leave_whole_files_only(tmp_path: Path) -> None:
    progress = chaos(tmp_path, 4, seed=int(time.time()), files=4, calls=300)
    assert len(progress) == 4


def test_columns_of_a_batch_are_the_stage(prices: Catalogue) -> None:
    assert handover._empty().schema.names == [n for n, _ in load.STAGE_COLUMNS]
