"""What has no price is unpriced in every finance answer: never an amount of zero, never within."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from budgets.spend.model import read_budgets
from budgets.spend.periods import Span
from budgets.spend.status import judge
from tests.finance.books import call, make_store

Run = Callable[..., tuple[int, str, str]]
USD = 10**12


@pytest.fixture
def unknown(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two weeks of calls of a model nobody has a price for."""
    path = make_store(
        workdir,
        [
            call(n, f"2026-03-{n + 1:02}T12:00:00Z", "nobody-knows-1", team="search",
                 input_uncached=1000, output_text=10)
            for n in range(14)
        ],
    )  # fmt: skip
    (workdir / "tokenbooks.toml").write_text('[[budgets]]\nname = "All"\namount = "1 USD"\n')
    monkeypatch.setenv("TOKENBOOKS_DB", str(path))
    return path


def test_a_budget_is_not_within(tokenbooks: Run, unknown: Path) -> None:
    code, out, _ = tokenbooks("budget", "--json")
    (budget,) = json.loads(out)["budgets"]
    assert code == 3
    assert budget["state"] == "unpriced"
    assert (budget["spent_usd"], budget["left_usd"], budget["spent_share"]) == (None, None, None)
    assert (budget["forecast"], budget["chance_to_exceed"]) == (None, None)
    code, out, _ = tokenbooks("budget")
    assert code == 3
    assert "unpriced" in out
    assert "$0.00" not in out


def test_a_budget_in_tokens_needs_no_price(tokenbooks: Run, unknown: Path, workdir: Path) -> None:
    (workdir / "tokenbooks.toml").write_text('[[budgets]]\nname = "T"\namount = "14139 tokens"\n')
    code, out, _ = tokenbooks("budget", "--json")
    (budget,) = json.loads(out)["budgets"]
    assert (code, budget["state"], budget["spent_tokens"]) == (1, "fail", 14140)


def test_the_forecast_has_no_amount(tokenbooks: Run, unknown: Path) -> None:
    code, out, _ = tokenbooks("forecast", "--json")
    assert code == 0
    for period in json.loads(out)["periods"]:
        for row in (period["total"], *period["rows"]):
            assert [row[f"{k}_usd"] for k in ("spent", "p10", "p50", "p90")] == [None] * 4
    out = tokenbooks("forecast")[1]
    assert "unpriced" in out
    assert "$0.00" not in out


@pytest.mark.parametrize("command", ["unit", "showback"])
def test_nobody_answers_for_nothing(tokenbooks: Run, unknown: Path, command: str) -> None:
    code, out, _ = tokenbooks(command)
    assert code == 0
    table = [line for line in out.splitlines() if line.startswith(" ")]
    assert any("unpriced" in line for line in table)
    answer = json.loads(tokenbooks(command, "--json")[1])
    assert answer["cost_usd" if command == "unit" else "total_usd"] is None


def test_the_month_report_says_so(tokenbooks: Run, unknown: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks("report-month", "--out", "m.html")
    assert code == 0
    assert out.endswith("14 calls, unpriced\n")
    page = (workdir / "m.html").read_text()
    assert "No call has a price" in page
    assert "Nothing in its scope has a price" in page


def test_a_small_amount_is_no_zero(
    tokenbooks: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_store(workdir, [call(1, "2026-03-15T12:00:00Z", input_uncached=1000)])
    monkeypatch.setenv("TOKENBOOKS_DB", str(path))
    (workdir / "tokenbooks.toml").write_text('[[budgets]]\nname = "All"\namount = "1 USD"\n')
    assert "$0.0018" in tokenbooks("forecast")[1]
    out = tokenbooks("budget")[1]
    assert "$0.0018" in out
    assert "$0.00 " not in out


@pytest.mark.parametrize(
    ("amount", "limit", "spent", "words"),
    [
        ("50 EUR", 54_21 * USD // 100, 34_487_219_250_000, ("31.81 EUR", "50.00 EUR")),
        ("50 EUR", 54_21 * USD // 100, 54_21 * USD // 100, ("50.00 EUR", "50.00 EUR")),
        ("20000 JPY", 130 * USD, 13 * USD // 2000, ("1.00 JPY", "20,000.00 JPY")),
        ("20000 JPY", 130 * USD, 13 * USD // 20000, ("0.10 JPY", "20,000.00 JPY")),
        ("150 USD", 150 * USD, 4_550_000_000, ("$0.0046", "$150.00")),
        ("8_000_000 tokens", 8_000_000, 4_609_000, ("4,609,000 tokens", "8,000,000 tokens")),
    ],
)
def test_a_budget_speaks_its_own_currency(
    amount: str, limit: int, spent: int, words: tuple[str, str]
) -> None:
    (budget,) = read_budgets([{"name": "b", "amount": amount}])
    status = judge(budget, Span(date(2026, 3, 1), date(2026, 4, 1)), limit=limit, spent=spent,
                   today=date(2026, 3, 9))  # fmt: skip
    assert (status.spent_words, status.limit_words) == words
