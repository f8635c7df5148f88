"""Writing the lake: incrementally, whole files only, and nothing twice."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import fast
from ingest.importer import ImportOptions, import_paths
from ingest.lake import LakeError, LakeFolder, export_store, ingest_to_lake
from ingest.store import book
from ingest.store.database import open_reader, open_store
from pricing.catalogue import default_catalogue

Run = Callable[..., tuple[int, str, str]]


def body(number: int, created: int, prompt: int = 1000) -> str:
    usage = {"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5}
    return json.dumps(
        {
            "id": f"chatcmpl-{number:024}", "object": "chat.completion", "created": created,
            "model": "gpt-5.2", "choices": [], "usage": usage, "service_tier": "default",
        }
    )  # fmt: skip


MIDNIGHT = 1772409600  # 2026-03-02


@pytest.fixture
def copy(demo_db: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(demo_db, tmp_path / "t.duckdb"))


def files(lake: Path) -> dict[str, bytes]:
    return {str(p.relative_to(lake)): p.read_bytes() for p in lake.rglob("*") if p.is_file()}


def live(lake: Path) -> set[str]:
    """The files that count."""
    return {p for b in LakeFolder(lake).batches() for p in (*b.usage, *b.rates)}


def test_a_second_export_writes_nothing(copy: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store = open_reader(copy)
    first = export_store(store, lake)
    held = files(lake)
    again = export_store(store, lake)
    calls = store.con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
    store.close()
    assert first.calls == calls
    assert (again.written, again.calls, again.unchanged) == (0, 0, first.written)
    assert files(lake) == held
    assert sorted(p.name for p in (lake / "usage").iterdir())[:2] == [
        "date=2026-03-01", "date=2026-03-02",
    ]  # fmt: skip


def test_only_a_changed_date_is_written_again(copy: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store = open_store(copy)
    export_store(store, lake)
    held = files(lake)
    store.con.execute(
        "UPDATE calls_stored SET team = 'moved' WHERE occurred_at::DATE = DATE '2026-03-05'"
    )
    report = export_store(store, lake)
    store.close()
    assert (report.written, report.replaced) == (1, 1)
    now = files(lake)
    changed = {n.split("/")[1] for n in set(held) ^ set(now)}
    assert changed == {"date=2026-03-05"}
    # The old file stays for readers that began before, but no longer counts.
    assert len(now) == len(held) + 1
    (old,) = [n for n in held if n.startswith("usage/date=2026-03-05/")]
    assert old not in live(lake)
    assert len(live(lake)) == len(held) - 2  # without the batch and its columns


def test_a_date_that_vanished_goes(copy: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store = open_store(copy)
    export_store(store, lake)
    store.con.execute("DELETE FROM calls_stored WHERE occurred_at::DATE = DATE '2026-03-05'")
    report = export_store(store, lake)
    store.close()
    assert (report.written, report.replaced) == (0, 1)
    assert not [n for n in live(lake) if "2026-03-05" in n]


def test_logs_go_to_the_date_they_tell_and_a_replay_changes_nothing(tmp_path: Path) -> None:
    log, lake = tmp_path / "a.jsonl", tmp_path / "lake"
    log.write_text("\n".join([body(1, MIDNIGHT - 1), body(2, MIDNIGHT), "{cut"]) + "\n")
    (report,) = ingest_to_lake(lake, [log], ImportOptions(stamps={"team": "search"}))
    assert (report.state, report.added, report.rejected) == ("imported", 2, 1)
    held = files(lake)
    assert sorted(n.split("/")[1] for n in held if n.startswith("usage/")) == [
        "date=2026-03-01", "date=2026-03-02",
    ]  # fmt: skip
    (again,) = ingest_to_lake(lake, [log], ImportOptions(stamps={"team": "search"}))
    assert (again.state, again.added) == ("unchanged", 0)
    assert files(lake) == held
    (other,) = ingest_to_lake(lake, [log], ImportOptions(stamps={"team": "other"}))
    assert other.added == 2
    rows = duckdb.sql(
        f"SELECT team, count(*), sum(kinds) FROM read_parquet('{lake}/usage/*/*.parquet')"
        " GROUP BY team ORDER BY team"
    ).fetchall()
    assert rows == [("other", 2, rows[0][2]), ("search", 2, rows[0][2])]


def exported(db: Path, lake: Path) -> None:
    store = open_reader(db)
    try:
        export_store(store, lake)
    finally:
        store.close()


def content(lake: Path) -> list[tuple[object, ...]]:
    """What counts, read from the files that the batches name: calls and tokens of each date."""
    paths = [f"{lake}/{p}" for b in LakeFolder(lake).batches() for p in b.usage]
    if not paths:
        return []
    return duckdb.sql(
        "SELECT occurred_at::DATE AS d, team, count(*), sum(input_total)"
        f" FROM read_parquet({paths}, hive_partitioning = false) GROUP BY ALL ORDER BY ALL"
    ).fetchall()


class Died(BaseException):
    """The process is gone: nothing of it runs any more."""


STEPS = ("move", "delete_file", "open_output_stream", "create_dir")


def dies_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the lake's file system die at its nth change, for good; what was begun is listed."""
    from pyarrow import fs

    begun: list[str] = []

    class Mortal:
        type_name = "local"

        def __init__(self) -> None:
            self.real = fs.LocalFileSystem()

        def __getattr__(self, name: str) -> object:
            if name not in STEPS:
                return getattr(self.real, name)

            def change(*args: object, **options: object) -> object:
                begun.append(name)
                if len(begun) > step:
                    raise Died
                return getattr(self.real, name)(*args, **options)

            return change

    real = LakeFolder.__init__

    def made(self: LakeFolder, where: str | Path) -> None:
        real(self, where)
        self.files = Mortal()

    monkeypatch.setattr(LakeFolder, "__init__", made)
    return begun


def small_store(path: Path, *, second: bool) -> Path:
    """Three calls on two dates; with `second`, both dates change and a third comes."""
    log = path.with_suffix(".jsonl")
    log.write_text("\n".join([body(1, MIDNIGHT - 1), body(2, MIDNIGHT), body(3, MIDNIGHT)]) + "\n")
    store = open_store(path)
    catalogue = default_catalogue()
    book.sync(store, catalogue)
    import_paths(store, catalogue, [log])
    if second:
        log.write_text("\n".join([body(4, MIDNIGHT - 2), body(5, MIDNIGHT + 86400)]) + "\n")
        import_paths(store, catalogue, [log])
        store.con.execute("UPDATE calls_stored SET team = 'moved' WHERE line = 2")
    store.close()
    return path


def test_a_killed_export_leaves_the_old_lake_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = small_store(tmp_path / "t.duckdb", second=False)
    first = tmp_path / "first"
    exported(db, first)
    small_store(db, second=True)
    whole = tmp_path / "whole"
    shutil.copytree(first, whole)
    exported(db, whole)
    old, new = content(first), content(whole)
    assert len(old) == 2
    assert len(new) == 4
    seen = set()
    for step in range(100):
        lake = tmp_path / f"lake-{step}"
        shutil.copytree(first, lake)
        with monkeypatch.context() as patch:
            dies_at(step, patch)
            try:
                exported(db, lake)
                finished = True
            except Died:
                finished = False
        found = content(lake)
        assert found in (old, new)
        seen.add(str(found))
        exported(db, lake)  # and the next export completes it
        assert content(lake) == new
        if finished:
            break
    assert finished
    assert seen == {str(old), str(new)}


def test_a_full_disk_leaves_no_half_file(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    real = pq.ParquetWriter.write_batch
    written: list[int] = []

    def dies(self: pq.ParquetWriter, rows: object) -> None:
        written.append(1)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        real(self, rows)

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", dies)
    lake = tmp_path / "lake"
    with pytest.raises(OSError, match="No space left"):
        exported(copy, lake)
    whole = files(lake)
    assert len(whole) == 2
    assert not live(lake)
    monkeypatch.setattr(pq.ParquetWriter, "write_batch", real)
    exported(copy, lake)
    later = files(lake)
    assert whole.items() <= later.items()
    assert not [n for n in later if n.endswith(".tmp")]


def test_what_no_batch_names_goes_when_it_is_old(copy: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    exported(copy, lake)
    (name,) = [b.name for b in LakeFolder(lake).batches()]
    day = lake / "usage" / "date=2026-03-05"
    old, draft, fresh, other = (
        day / f"{name}-dead.parquet", day / ".log-2.parquet.1.tmp",
        day / f".{name}-x.parquet.1.tmp", day / "log-1.parquet",
    )  # fmt: skip
    for path in (old, draft, fresh, other):
        path.write_bytes(b"half")
    for path in (old, draft, other):
        os.utime(path, (1, 1))
    store = open_store(copy)
    store.con.execute("UPDATE calls_stored SET team = 'moved' WHERE line = 1")
    store.close()
    exported(copy, lake)
    # Another writer may be about to name what it finds whole, but nobody finishes an old draft.
    assert [p.exists() for p in (old, draft, fresh, other)] == [False, False, True, True]


def test_many_machines_append_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lake = tmp_path / "lake"
    logs = []
    for machine in range(4):
        log = tmp_path / f"{machine}.jsonl"
        # Every machine has two calls of its own and one that all of them saw.
        mine = [body(10 * machine + n, MIDNIGHT + n) for n in (1, 2)]
        log.write_text("\n".join([*mine, body(99, MIDNIGHT)]) + "\n")
        logs.append(log)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda log: ingest_to_lake(lake, [log])[0].state, logs * 2))
    assert set(done) <= {"imported", "unchanged"}
    assert len(LakeFolder(lake).batches()) == 4
    assert sum(row[2] for row in content(lake)) == 12  # sightings; asked, they are nine calls
    held = files(lake)
    assert {r.state for r in ingest_to_lake(lake, logs)} == {"unchanged"}
    assert files(lake) == held


def test_a_log_goes_to_the_lake_in_bulk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    lines = [body(n, 1772323200 + 600 * (n % 500)) for n in range(1200)]
    log.write_text("\n".join([*lines, lines[3], '{"cut":']))
    bulk = ingest_to_lake(tmp_path / "bulk", [log])[0]
    assert (bulk.records, bulk.added, bulk.duplicates, bulk.rejected) == (1201, 1200, 1, 1)
    used: list[object] = []
    monkeypatch.setattr(fast, "prepare", lambda *_: used.append(1))
    assert ingest_to_lake(tmp_path / "alone", [log])[0].as_json() == bulk.as_json()
    assert used
    assert files(tmp_path / "bulk") == files(tmp_path / "alone")
    assert len(files(tmp_path / "bulk")) == 6  # four dates, a batch, its columns


def test_an_address_is_as_good_as_a_path(copy: Path, tmp_path: Path) -> None:
    exported(copy, tmp_path / "a")
    exported(copy, (tmp_path / "b").as_uri())  # type: ignore[arg-type]
    assert files(tmp_path / "a") == files(tmp_path / "b")
    with pytest.raises(LakeError, match="nosuch"):
        LakeFolder("nosuch://bucket/lake")


def test_the_commands(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks("export", "lake", "lake", "--db", demo_db, "--json")
    assert (code, json.loads(out)["unchanged"]) == (0, 0)
    code, out, _ = tokenbooks("export", "lake", "lake", "--db", demo_db)
    assert out.startswith("0 files written (0 calls), ")
    (workdir / "a.jsonl").write_text(body(1, MIDNIGHT) + "\n")
    code, out, _ = tokenbooks("ingest", "--lake", "lake", "a.jsonl", "--json")
    assert (code, json.loads(out)["total"]["added"]) == (0, 1)
    assert tokenbooks("ingest", "--lake", "lake", "none.jsonl")[0] == 3
    for wrong, why in (
        (("export", "lake"), "which lake"),
        (("export", "lake", "lake", "--out", "x"), "holds everything"),
        (("export", "csv", "lake", "--out", "x"), "belongs to export lake"),
        (("export", "csv"), "--out FILE"),
        (("ingest", "--lake", "lake", "--db", "x.duckdb", "a.jsonl"), "one of them"),
        (("report", "--engine", "sc://x:1"), "needs --lake"),
        (("report", "--lake", "lake", "--db", "x.duckdb"), "one of them"),
    ):
        code, _, err = tokenbooks(*wrong)
        assert (code, why in err) == (2, True), (wrong, err)


def test_the_columns_of_a_lake_are_known_without_opening_its_files(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    log = tmp_path / "a.jsonl"
    log.write_text(body(1, MIDNIGHT) + "\n")
    store = open_store(tmp_path / "t.duckdb")
    import_paths(store, default_catalogue(), [log])
    export_store(store, lake)
    store.close()
    log.write_text(body(2, MIDNIGHT + 86_400) + "\n")
    ingest_to_lake(lake, [log])
    folder = LakeFolder(lake)
    stated = folder.columns(folder.batches())
    usage = list((lake / "usage").rglob("*.parquet"))
    assert len(usage) == 2 and len(list((lake / "schemas").iterdir())) == 1
    assert [pq.read_schema(p).remove_metadata().equals(stated) for p in usage] == [True, True]
    held = [p.read_bytes() for p in usage]
    for path in usage:
        path.write_bytes(b"not opened")
    assert folder.columns(folder.batches()).equals(stated)
    for path, content in zip(usage, held, strict=True):
        path.write_bytes(content)

    # What an older program wrote says nothing of its columns: its files do, and only they.
    for batch in (lake / "batches").glob("log-*.json"):
        text = json.loads(batch.read_text())
        del text["schema"]
        batch.write_text(json.dumps(text))
    (older,) = [p for p in usage if p.name.startswith("log-")]
    rows = pq.read_table(older, partitioning=None)
    narrow = rows.set_column(
        rows.column_names.index("kinds"), "kinds", rows["kinds"].cast(pa.int32())
    )
    pq.write_table(narrow.append_column("once", pa.array([7])), older)
    found = folder.columns(folder.batches())
    assert found.names == [*stated.names, "once"]
    assert found.field("kinds").type == pa.int64()
    # A lake whose columns are lost is read like an older one.
    next((lake / "schemas").iterdir()).unlink()
    assert folder.columns(folder.batches()).names == [*stated.names, "once"]
