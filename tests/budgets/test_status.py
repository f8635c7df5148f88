"""How a budget is judged: exact borders, chances and dates off the same paths."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from budgets.spend.model import Budget, read_budgets
from budgets.spend.periods import Span
from budgets.spend.status import Status, as_json, judge

MARCH = Span(date(2026, 3, 1), date(2026, 4, 1))
USD = 10**12


def budget(**fields: Any) -> Budget:
    return read_budgets([{"name": "b", "amount": "100 USD", **fields}])[0]


def status(made: Budget, spent: int, **fields: Any) -> Status:
    return judge(made, MARCH, limit=100 * USD, spent=spent, today=date(2026, 3, 11), **fields)


@pytest.mark.parametrize(
    ("spent", "crossed", "state"),
    [
        (50 * USD, [], "ok"),
        (50 * USD + 1, ["50 %"], "warn"),
        (80 * USD, ["50 %"], "warn"),
        (80 * USD + 1, ["80 %", "50 %"], "warn"),
        (100 * USD, ["80 %", "50 %"], "warn"),
        (100 * USD + 1, ["100 %", "80 %", "50 %"], "fail"),
    ],
)
def test_on_a_threshold_is_within_and_one_pico_dollar_above_is_not(
    spent: int, crossed: list[str], state: str
) -> None:
    made = status(budget(), spent)
    assert [str(c.threshold) for c in made.crossings] == crossed
    assert made.state == state


def test_thirds_are_exact() -> None:
    """A share that no binary fraction holds still has its border at the pico-dollar."""
    third = budget(warn=[], fail=["33.3 %"])
    assert status(third, 33_300_000_000_000).state == "ok"
    assert status(third, 33_300_000_000_001).state == "fail"


def test_the_forecast_is_read_off_the_paths() -> None:
    dates = np.datetime64("2026-03-11") + np.arange(2)
    paths = np.array([[10.0, 10.0], [20.0, 30.0], [0.0, 60.0], [5.0, 5.0]])
    made = status(budget(fail=["P50"], warn=["P90 70 %"]), 60 * USD, paths=paths, dates=dates)
    # Ends: 80, 110, 120, 70.
    assert made.chance == 0.5
    assert made.ends is not None
    assert made.ends[1] == 95.0
    assert made.state == "warn"  # P50 is 95, within; P90 is above 70
    assert made.exhaustion is not None
    assert made.exhaustion.not_exhausted == 0.5
    assert str(made.exhaustion.early) == "2026-03-12"
    assert made.exhaustion.late is None


def test_exactly_on_the_amount_is_within_on_a_path() -> None:
    dates = np.datetime64("2026-03-11") + np.arange(1)
    made = status(budget(), 60 * USD, paths=np.array([[40.0], [40.0]]), dates=dates)
    assert made.chance == 0.0


def test_without_a_forecast_only_the_actual_counts() -> None:
    made = status(budget(fail=["P50", "P90 10 %"], warn=[]), 99 * USD)
    assert (made.crossings, made.chance, made.ends, made.exhaustion) == ((), None, None, None)


def test_the_burn_down_runs_to_today_and_finds_the_day() -> None:
    daily = [(date(2026, 3, 1), 60 * USD), (date(2026, 3, 3), 40 * USD), (date(2026, 3, 9), 1)]
    made = status(budget(), 100 * USD + 1, daily=daily)
    assert len(made.burn) == 11
    assert made.burn[2].spent == 100 * USD
    assert made.exhausted_on == date(2026, 3, 9)
    assert made.burn[0].even == 100 * USD // 31
    late = judge(budget(), MARCH, limit=100 * USD, spent=0, today=date(2026, 6, 1), daily=daily)
    assert len(late.burn) == 31
    assert late.burn[-1].even == 100 * USD


def test_tokens_are_tokens() -> None:
    made = judge(
        budget(amount="1000 tokens"), MARCH, limit=1000, spent=800, today=date(2026, 3, 11),
        paths=np.array([[100.0], [300.0]]), dates=np.array(["2026-03-11"], "datetime64[D]"),
    )  # fmt: skip
    assert made.chance == 0.5
    answer = as_json(made)
    assert answer["spent_tokens"] == 800
    assert answer["left_tokens"] == 200
    assert answer["forecast"]["p50_tokens"] == 1000


def test_json_has_exact_money() -> None:
    answer = as_json(status(budget(), 1, unpriced_tokens=7))
    assert answer["spent_usd"] == "0.000000000001"
    assert answer["left_usd"] == "99.999999999999"
    assert answer["unpriced_tokens"] == 7
    assert answer["forecast"] is None


def test_no_amount_is_no_budget() -> None:
    with pytest.raises(ValueError, match="above 0"):
        judge(budget(), MARCH, limit=0, spent=0, today=date(2026, 3, 2))
