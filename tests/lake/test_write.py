"""Writing the lake: incrementally, whole files only, and nothing twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from ingest.importer import ImportOptions
from ingest.lake import export_store, ingest_to_lake
from ingest.store.database import open_reader, open_store

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
    assert len(now) == len(held)


def test_a_date_that_vanished_goes(copy: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store = open_store(copy)
    export_store(store, lake)
    store.con.execute("DELETE FROM calls_stored WHERE occurred_at::DATE = DATE '2026-03-05'")
    report = export_store(store, lake)
    store.close()
    assert (report.written, report.replaced) == (0, 1)
    assert not list((lake / "usage" / "date=2026-03-05").iterdir())


def test_logs_go_to_the_date_they_tell_and_a_replay_changes_nothing(tmp_path: Path) -> None:
    log, lake = tmp_path / "a.jsonl", tmp_path / "lake"
    log.write_text("\n".join([body(1, MIDNIGHT - 1), body(2, MIDNIGHT), "{cut"]) + "\n")
    (report,) = ingest_to_lake(lake, [log], ImportOptions(stamps={"team": "search"}))
    assert (report.state, report.added, report.rejected) == ("imported", 2, 1)
    held = files(lake)
    assert sorted(n.split("/")[1] for n in held) == ["date=2026-03-01", "date=2026-03-02"]
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


def test_a_writer_that_dies_leaves_no_half_file(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    real = pq.write_table
    written: list[int] = []

    def dies(table: object, path: Path, **options: object) -> None:
        written.append(1)
        if len(written) == 3:
            path.write_bytes(b"PAR1 half")
            raise OSError(28, "No space left on device")
        real(table, path, **options)

    monkeypatch.setattr(pq, "write_table", dies)
    lake = tmp_path / "lake"
    store = open_reader(copy)
    with pytest.raises(OSError, match="No space left"):
        export_store(store, lake)
    whole = files(lake)
    assert len(whole) == 2
    monkeypatch.setattr(pq, "write_table", real)
    export_store(store, lake)
    store.close()
    later = files(lake)
    assert whole.items() <= later.items()
    assert not [n for n in later if n.endswith(".tmp")]


def test_the_commands(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks("lake", "export", "lake", "--db", demo_db, "--json")
    assert (code, json.loads(out)["unchanged"]) == (0, 0)
    (workdir / "a.jsonl").write_text(body(1, MIDNIGHT) + "\n")
    code, out, _ = tokenbooks("lake", "ingest", "lake", "a.jsonl", "--json")
    assert (code, json.loads(out)["total"]["added"]) == (0, 1)
    assert tokenbooks("lake", "ingest", "lake", "none.jsonl")[0] == 3
