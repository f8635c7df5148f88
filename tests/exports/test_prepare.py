"""Every file that is handed over adds up to the report, in every time zone, to the pico-dollar."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.exports.prepare import KINDS, Kind, Wish, command, prepare, sum_of
from dashboards.exports.write import ExportError
from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from ingest.store.database import open_reader
from pricing.catalogue import default_catalogue

Run = Callable[..., tuple[int, str, str]]
ZONES = ("UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe")


@pytest.fixture(scope="module")
def con(demo_db: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    store = open_reader(demo_db)
    yield store.con
    store.close()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("kind", [k for k in KINDS if not k.startswith("report")])
def test_the_sum_of_the_file_is_the_report(
    con: duckdb.DuckDBPyConnection, kind: Kind, zone: str
) -> None:
    scope = Scope(datetime(2026, 3, 7), datetime(2026, 3, 9, 17, 30), zone, {"team": ["search"]})
    made = prepare(con, default_catalogue(), Wish(kind), scope)
    assert made.equal
    assert made.report_pico == spend(con, scope=scope).total.cost_pico > 10**10


EDGES = st.datetimes(datetime(2026, 2, 27), datetime(2026, 4, 2))
FILTERS = st.fixed_dictionaries({}, optional={
    "team": st.sampled_from([["search"], ["assistant", "platform"], [""], ["nobody"]]),
    "variant": st.sampled_from([["gpt-5.2"], ["claude-opus-4-5", "nightjar-preview (unknown)"]]),
    "tier": st.sampled_from([["batch"], ["standard", "flex"]]),
    "status": st.sampled_from([["exact"], ["unpriced"], ["assumed", "exact"]]),
    "weekday": st.just(["1"]),
})  # fmt: skip
WISHES = st.builds(
    Wish,
    st.sampled_from(["csv", "parquet", "focus-1.2", "focus-1.4"]),
    rows=st.sampled_from(["groups", "calls", "meters"]),
    by=st.sampled_from([(), ("day",), ("hour", "team"), ("month", "variant", "status")]),
    period=st.sampled_from(["day", "hour"]),
    account=st.sampled_from(["seller", "team"]),
)


@given(
    st.tuples(EDGES, EDGES).filter(lambda p: p[0] < p[1]), st.sampled_from(ZONES), FILTERS, WISHES
)
@settings(max_examples=25)
def test_any_file_of_any_choice_is_the_report(
    con: duckdb.DuckDBPyConnection, span: tuple[datetime, datetime], zone: str,
    where: dict[str, list[str]], wish: Wish,
) -> None:  # fmt: skip
    scope = Scope(*span, zone, where)
    made = prepare(con, default_catalogue(), wish, scope)
    assert made.file_pico == made.report_pico == spend(con, scope=scope).total.cost_pico


def test_days_in_different_zones_are_different_money(con: duckdb.DuckDBPyConnection) -> None:
    """The zones above cut different calls (two alike), so that test would see a zone ignored."""
    found = {
        spend(con, scope=Scope(datetime(2026, 3, 7), datetime(2026, 3, 8), zone)).total.cost_pico
        for zone in ZONES
    }
    assert len(found) == 4


@pytest.mark.parametrize("rows", ["calls", "groups", "meters"])
def test_the_download_is_what_was_added_up(con: duckdb.DuckDBPyConnection, rows: str) -> None:
    scope = Scope(datetime(2026, 3, 1), datetime(2026, 4, 1))
    made = prepare(con, default_catalogue(), Wish("csv", rows=rows, by=("team", "day")), scope)  # type: ignore[arg-type]
    table = list(csv.DictReader(io.StringIO(made.data.decode())))
    assert len(table) == made.rows
    total = sum(Decimal(row["cost_usd"]) for row in table if row["cost_usd"])
    assert total == Decimal("139.30932164")
    assert (made.file_pico, made.unpriced_calls) == (139_309_321_640_000, 40)
    assert made.name == "tokenbooks-2026-03-01-2026-03-31.csv"
    assert made.head[0] == tuple(table[0])
    assert len(made.head[1]) == 10


def test_a_file_that_lost_a_row_is_found_out(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("cost_usd\n0.000000000001\n1.5\n\n")
    assert sum_of(con, path, "cost_usd") == 1_500_000_000_001
    path.write_text("cost_usd\n1.5\n")
    assert sum_of(con, path, "cost_usd") == 1_500_000_000_000
    path.write_text("cost_usd\n0.0000000000001\n")
    with pytest.raises(ExportError, match="finer than a pico-dollar"):
        sum_of(con, path, "cost_usd")


def test_the_month_report_states_the_report(con: duckdb.DuckDBPyConnection) -> None:
    made = prepare(con, default_catalogue(), Wish("report"), Scope(zone="America/New_York"))
    assert made.equal
    assert made.name == "tokenbooks-2026-03.html"  # the newest call's month, in that zone
    assert made.data.startswith(b"<!doctype html>")
    with pytest.raises(ExportError, match="no calls"):
        prepare(con, default_catalogue(), Wish("report"), Scope(until=datetime(2020, 1, 1)))


def test_the_terminal_command_makes_the_same_file(
    con: duckdb.DuckDBPyConnection, demo_db: Path, tokenbooks: Run, workdir: Path
) -> None:
    where = {"team": ["search", "assistant"]}
    scope = Scope(datetime(2026, 3, 7), datetime(2026, 3, 9, 17, 30), "Asia/Kathmandu", where)
    for wish in (
        Wish("csv", by=("hour", "tier")),
        Wish("csv", rows="calls"),
        Wish("focus-1.2", period="hour", tags=("team",), account="project"),
        Wish("focus-1.4"),
    ):
        words = shlex.split(command(wish, scope, demo_db))
        assert words[0] == "tokenbooks"
        code, _, said = tokenbooks(*words[1:])
        assert code == 0, said
        written = Path(words[words.index("--out") + 1])
        assert written.read_bytes() == prepare(con, default_catalogue(), wish, scope).data
