"""`tokenbooks doctor`: it is quiet on a sound store and names what is wrong with another."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

Run = Callable[..., tuple[int, str, str]]


def found(text: str, state: str) -> list[tuple[str, str]]:
    return [(c["area"], c["text"]) for c in json.loads(text)["checks"] if c["state"] == state]


@pytest.fixture
def copy(demo_db: Path, workdir: Path) -> Path:
    return Path(shutil.copy(demo_db, workdir / "t.duckdb"))


@pytest.fixture(autouse=True)
def fresh_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """How old the shipped table is on the day the tests run is not what they are about."""
    monkeypatch.setattr("tokenbooks.cli.doctor.STALE_DAYS", 100_000)


def test_a_sound_store(tokenbooks: Run, copy: Path) -> None:
    code, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    assert found(out, "finding") == []
    assert (code, json.loads(out)["findings"]) == (0, 0)
    assert ("unpriced", "40 calls of openai nightjar-preview") in [
        (area, text.partition(":")[0]) for area, text in found(out, "remark")
    ]


def test_no_store_yet_is_no_finding(tokenbooks: Run, workdir: Path) -> None:
    code, out, _ = tokenbooks("doctor", "--db", workdir / "none.duckdb")
    assert code == 0
    assert "does not exist yet" in out
    assert "0 findings" in out


def test_a_call_stored_twice_and_one_without_a_route(tokenbooks: Run, copy: Path) -> None:
    con = duckdb.connect(copy)
    con.execute("INSERT INTO calls_stored SELECT * FROM calls_stored LIMIT 2")
    con.execute("UPDATE calls_stored SET route_id = 9999 WHERE line = 1 AND import_id = 1")
    con.close()
    code, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    texts = " ".join(text for _, text in found(out, "finding"))
    assert code == 1
    assert "2 calls stored twice" in texts
    assert "calls without a route" in texts


def test_overlapping_rates(tokenbooks: Run, copy: Path) -> None:
    con = duckdb.connect(copy)
    con.execute(
        "INSERT INTO rate_vectors SELECT * REPLACE (vector_id + 100000 AS vector_id)"
        " FROM rate_vectors LIMIT 1"
    )
    con.close()
    code, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    assert code == 1
    assert [t for _, t in found(out, "finding")] == [
        "1 rates that overlap: restore a backup or import anew"
    ]


def test_too_many_unpriced_calls(tokenbooks: Run, workdir: Path) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    body = {
        "id": "chatcmpl-1234567890abcdefghij",
        "object": "chat.completion",
        "created": 1772323200,
        "model": "nightjar-9",
        "choices": [],
        "usage": usage,
    }
    (workdir / "a.jsonl").write_text(json.dumps(body) + "\n")
    assert tokenbooks("ingest", "a.jsonl", "--db", "t.duckdb")[0] == 0
    code, out, _ = tokenbooks("doctor", "--db", "t.duckdb", "--json")
    assert code == 1
    assert [area for area, _ in found(out, "finding")] == ["unpriced"]
    assert "100.0% of calls" in found(out, "finding")[0][1]


def test_a_foreign_file(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "t.duckdb").write_bytes(b"not a database" * 1000)
    code, out, _ = tokenbooks("doctor", "--db", "t.duckdb", "--json")
    assert code == 1
    assert "is not a tokenbooks database" in found(out, "finding")[0][1]


def test_a_cut_file(tokenbooks: Run, copy: Path) -> None:
    os.truncate(copy, 1_000_000)
    code, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    assert code == 1
    assert "t.duckdb: the database file is damaged" in found(out, "finding")[0][1]
    code, _, err = tokenbooks("report", "--db", copy)
    assert (code, "the database file is damaged" in err) == (3, True)


def test_a_damaged_block_is_found_wherever_it_is(tokenbooks: Run, copy: Path) -> None:
    """Bytes of a block of calls are overwritten: the file opens, and only reading tells."""
    con = duckdb.connect(copy, read_only=True)
    blocks = con.execute(
        "SELECT DISTINCT block_id FROM pragma_storage_info('calls_stored')"
        " WHERE column_name = 'cost_pico' AND segment_type = 'BIGINT' AND block_id >= 0"
    ).fetchall()
    con.close()
    headers, block = 3 * 4096, 262_144
    with copy.open("r+b") as file:
        file.seek(headers + blocks[0][0] * block + block // 2)
        file.write(b"\xff" * 64)
    code, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    assert code == 1
    assert "the database file is damaged" in found(out, "finding")[0][1]
    code, _, err = tokenbooks("report", "--by", "team", "--db", copy)
    assert (code, "the database file is damaged" in err) == (3, True)


@pytest.mark.parametrize(("minutes", "state"), [(9, "remark"), (11, "finding")])
def test_batches_that_wait(tokenbooks: Run, copy: Path, minutes: int, state: str) -> None:
    inbox = copy.with_name(copy.name + ".inbox")
    inbox.mkdir()
    batch = inbox / "a.parquet"
    batch.write_bytes(b"")
    then = time.time() - minutes * 60
    os.utime(batch, (then, then))
    _, out, _ = tokenbooks("doctor", "--db", copy, "--json")
    assert [a for a, _ in found(out, state) if a == "inbox"] == ["inbox"]


def test_stale_prices(tokenbooks: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenbooks.cli.doctor.STALE_DAYS", -100_000)
    code, out, _ = tokenbooks("doctor", "--json", "--db", workdir / "none.duckdb")
    assert code == 1
    assert [area for area, _ in found(out, "finding")] == ["prices"]
