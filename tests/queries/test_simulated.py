"""Simulated calls stand in no total beside real ones, and no total hides that there are some."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dashboards.queries.compare import compare
from dashboards.queries.periods import values
from dashboards.queries.scope import Scope
from dashboards.queries.simulated import simulated
from dashboards.queries.spend import spend
from dashboards.queries.volume import volumes
from ingest.record import UsageRecord
from ingest.store import book
from ingest.store.database import Store, open_store
from pricing.catalogue import Catalogue, default_catalogue
from tests.books import memory_store, put, small_catalogue


def call(key: str, source: str, tokens: int = 1_000_000) -> UsageRecord:
    tags = {"simulated": "true"} if source == "mock" else {}
    return UsageRecord(
        key, datetime(2026, 1, 5, 12), source, "acme", "plain",
        {"input_uncached": tokens, "output_text": 0}, tier="standard", tags=tags,
        dimensions={"team": "tests" if source == "mock" else "search"},
    )  # fmt: skip


@pytest.fixture
def prices() -> Catalogue:
    return small_catalogue()


@pytest.fixture
def store(prices: Catalogue) -> Iterator[Store]:
    opened = memory_store(prices)
    yield opened
    opened.con.close()


REAL_COST, MOCK_COST = 1_750_000_000_000, 2 * 1_750_000_000_000


def test_beside_real_calls_they_are_left_out(store: Store, prices: Catalogue) -> None:
    put(store, prices, [call("a", "openai-chat"), call("m1", "mock"), call("m2", "mock")])
    assert spend(store.con).total.cost_pico == REAL_COST
    assert [r.keys for r in spend(store.con, ["team"]).rows] == [("search",)]
    assert values(store.con, "team") == [("search", 1)]
    days = volumes(store.con, (), Scope(), since=date(2026, 1, 5), until=date(2026, 1, 6))
    assert sum(sum(series) for series in days.cost.values()) == REAL_COST
    assert compare(store.con, prices, ["plain"]).calls == 1


def test_what_is_left_out_is_said(store: Store, prices: Catalogue) -> None:
    put(store, prices, [call("a", "openai-chat"), call("m1", "mock"), call("m2", "mock")])
    found = simulated(store.con)
    assert found is not None
    assert (found.total.calls, found.total.cost_pico, found.apart) == (2, MOCK_COST, True)
    assert found.words() == (
        "2 simulated calls ($3.50) not counted here: see them with --where format=mock"
    )
    assert found.as_json() == {"calls": 2, "cost_usd": "3.50", "in_total": False}


@pytest.mark.parametrize("where", [{"format": ["mock"]}, {"tags.simulated": ["true"]}])
def test_asked_for_they_are_answered(
    store: Store, prices: Catalogue, where: dict[str, list[str]]
) -> None:
    put(store, prices, [call("a", "openai-chat"), call("m1", "mock"), call("m2", "mock")])
    assert spend(store.con, scope=Scope(where=where)).total.cost_pico == MOCK_COST
    assert simulated(store.con, Scope(where=where)) is None


def test_a_store_of_a_test_run_shows_what_it_would_have_cost(
    store: Store, prices: Catalogue
) -> None:
    put(store, prices, [call("m1", "mock"), call("m2", "mock")])
    assert spend(store.con).total.cost_pico == MOCK_COST
    found = simulated(store.con)
    assert found is not None and not found.apart
    assert found.words().startswith("2 simulated calls, from the mock endpoint")


def test_without_simulated_calls_nothing_is_said(store: Store, prices: Catalogue) -> None:
    put(store, prices, [call("a", "openai-chat")])
    assert simulated(store.con) is None


BUDGET = """
[[budgets]]
name = "All"
amount = "1 USD"
"""
ASKED: dict[str, list[str]] = {
    "report": [], "compare": ["--variants", "gpt-5-mini"], "unit": [], "showback": [],
    "export": ["csv", "--out", "e.csv"], "report-month": ["--out", "m.html"],
    "anomalies": ["--period", "2026-03-01..2026-03-05"],
    "forecast": ["--as-of", "2026-03-04", "--horizon", "5"],
    "budget": ["--as-of", "2026-03-04"],
    "why": ["--from", "2026-03-02", "--to", "2026-03-03"],
    "reconcile": [],
}  # fmt: skip


@pytest.fixture
def beside_real(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a real and a simulated call on 2 March, and another pair on 3 March."""
    (workdir / "tokenbooks.toml").write_text(BUDGET)
    path, prices = workdir / "books.duckdb", default_catalogue()
    store = open_store(path)
    book.sync(store, prices)
    put(store, prices, [
        UsageRecord(f"{kind}{day}", datetime(2026, 3, day, 12), kind, "openai", "gpt-5.2",
                    {"input_uncached": 1000, "output_text": 0}, tier="standard",
                    source_cost_usd=Decimal("0.00175") if kind == "table" else None)
        for kind in ("table", "mock") for day in (2, 3)
    ])  # fmt: skip
    store.close()
    monkeypatch.setenv("TOKENBOOKS_DB", str(path))
    return path


@pytest.mark.parametrize("command", ASKED)
def test_no_answer_hides_them(
    tokenbooks: Callable[..., tuple[int, str, str]], beside_real: Path, command: str
) -> None:
    code, out, err = tokenbooks(command, *ASKED[command])
    assert code == 0
    said = "1 simulated call (" if command == "why" else "2 simulated calls ("
    assert said in out + err
    code, out, _ = tokenbooks(command, *ASKED[command], "--json")
    assert code == 0
    found = json.loads(out)
    alone = {"calls": 2, "cost_usd": "0.0035", "in_total": False}
    if command == "why":  # each period says its own
        one = {**alone, "calls": 1, "cost_usd": "0.00175"}
        assert [found[side]["simulated"] for side in ("from", "to")] == [one, one]
    elif command == "budget":
        assert found["budgets"][0]["spent_usd"] == "0.0035"
        (note,) = found["notes"]
        assert note == "budget 'All': 2 simulated calls ($0.0035) not counted here"
    else:
        assert found["simulated"] == alone


def test_the_months_report_says_it_on_paper(
    tokenbooks: Callable[..., tuple[int, str, str]], beside_real: Path, workdir: Path
) -> None:
    assert tokenbooks("report-month", "--out", "m.html")[0] == 0
    page = (workdir / "m.html").read_text()
    assert "2 simulated calls ($0.0035) not counted here.</p>" in page
    assert "Exactly 0.0035 USD." in page


def test_a_budget_of_a_test_run_says_that_nothing_is_billed(
    tokenbooks: Callable[..., tuple[int, str, str]], workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / "tokenbooks.toml").write_text(BUDGET)
    path, prices = workdir / "books.duckdb", default_catalogue()
    store = open_store(path)
    book.sync(store, prices)
    put(store, prices, [
        UsageRecord("m", datetime(2026, 3, 2, 12), "mock", "openai", "gpt-5.2",
                    {"input_uncached": 1000, "output_text": 0}, tier="standard")
    ])  # fmt: skip
    store.close()
    monkeypatch.setenv("TOKENBOOKS_DB", str(path))
    code, _, said = tokenbooks("budget", "--as-of", "2026-03-04")
    assert code == 0
    assert "budget 'All': 1 simulated call, from the mock endpoint" in said
    assert "not a bill" in said
