"""CSV and Parquet: every file adds up to the report, and no file is ever half written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dashboards.exports.tables import ROWS, Rows, export_table
from dashboards.exports.write import ExportError, copy_query
from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from ingest.store.database import open_reader

Run = Callable[..., tuple[int, str, str]]
SCOPES = [
    Scope(),
    Scope(since=datetime(2026, 3, 7), until=datetime(2026, 3, 20), zone="Asia/Kolkata"),
    Scope(where={"team": ["search"]}, zone="America/New_York"),
]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("scope", SCOPES)
def test_the_sum_of_a_file_is_the_report(
    demo_db: Path, tmp_path: Path, rows: Rows, scope: Scope
) -> None:
    store = open_reader(demo_db)
    total = spend(store.con, scope=scope).total
    for kind in ("csv", "parquet"):
        path = tmp_path / f"t.{kind}"
        made = export_table(store.con, kind, path, scope, rows=rows)
        read = f"read_csv('{path}', all_varchar=true)" if kind == "csv" else f"'{path}'"
        count, money = duckdb.sql(
            f"SELECT count(*), sum(cost_usd::DECIMAL(38,12)) FROM {read}"
        ).fetchall()[0]
        assert money == made.cost_usd == total.cost_usd
        assert count == made.rows
        assert made.unpriced_calls == total.unpriced_calls
    store.close()


def test_what_has_no_price_is_empty_not_zero(demo_db: Path, tmp_path: Path) -> None:
    store = open_reader(demo_db)
    export_table(store.con, "csv", tmp_path / "c.csv", Scope())
    store.close()
    with (tmp_path / "c.csv").open(newline="") as file:
        unpriced = [r for r in csv.DictReader(file) if r["status"] == "unpriced"]
    assert len(unpriced) == 40
    assert {r["cost_usd"] for r in unpriced} == {""}


def test_a_month_is_the_readers_month(demo_db: Path, tmp_path: Path) -> None:
    store = open_reader(demo_db)
    export_table(store.con, "csv", tmp_path / "g.csv", Scope(), rows="groups", by=["month", "team"])
    store.close()
    with (tmp_path / "g.csv").open(newline="") as file:
        assert {r["month"] for r in csv.DictReader(file)} == {"2026-03-01"}


def test_a_failed_export_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("older")
    con = duckdb.connect()
    with pytest.raises(duckdb.Error):
        copy_query(con, "SELECT error('no')", [], path)
    assert path.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    with pytest.raises(ExportError, match="folder"):
        copy_query(con, "SELECT 1", [], tmp_path)


def test_the_command(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks("report", "--db", demo_db, "--json")
    total = json.loads(out)["total"]
    code, out, _ = tokenbooks("export", "focus", "--db", demo_db, "--out", "f.csv", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["cost_usd"] == total["cost_usd"]
    assert sum(u["units"] for u in made["unpriced"]) == total["unpriced_tokens"]
    assert (workdir / "f.csv").is_file()
    code, out, err = tokenbooks(
        "export", "csv", "--db", demo_db, "--out", "g.csv", "--rows", "groups", "--by", "team",
        "--where", "team=search", "--strict",
    )  # fmt: skip
    assert code == 1  # the search team has calls without a price
    assert Decimal(out.split()[-2]) > 0
    assert "45,214 units" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["focus", "--version", "1.3"], "1.2 and 1.4"),
        (["csv", "--by", "team"], "--rows groups"),
        (["csv", "--rows", "groups", "--by", "taem"], "'team'"),
        (["focus", "--tags", "teem"], "'team'"),
    ],
)
def test_wrong_questions_are_explained(
    tokenbooks: Run, demo_db: Path, arguments: list[str], words: str
) -> None:
    code, _, err = tokenbooks("export", *arguments, "--db", demo_db, "--out", "x")
    assert code == 2
    assert words in err


def test_a_folder_that_cannot_be_made(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    (workdir / "file").write_text("")
    code, _, err = tokenbooks("export", "csv", "--db", demo_db, "--out", "file/x.csv")
    assert code == 2
    assert "cannot be written" in err
