"""Budgets as people write them: amounts, thresholds, periods, and mistakes that are explained."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.spend.model import (
    Amount,
    BudgetError,
    Threshold,
    parse_amount,
    parse_threshold,
    read_budgets,
)
from budgets.spend.periods import Span, add_months, period_of, span_of


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2500 USD", Amount(Decimal(2500), "USD")),
        ("1_800.50 eur", Amount(Decimal("1800.50"), "EUR")),
        ("1,000 USD", Amount(Decimal(1000), "USD")),
        ("40_000_000 tokens", Amount(Decimal(40_000_000), "tokens")),
    ],
)
def test_amounts(text: str, amount: Amount) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["2500", 2500, "USD 25", "0 USD", "1.5 tokens", "5 dollars", ""])
def test_no_amounts(text: object) -> None:
    with pytest.raises(ValueError, match=r"amount|tokens|currency"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("text", "threshold", "shown"),
    [
        ("80 %", Threshold(Fraction(4, 5)), "80 %"),
        ("62.5%", Threshold(Fraction(5, 8)), "62.5 %"),
        ("P90", Threshold(Fraction(1), 90), "P90"),
        ("p50 120 %", Threshold(Fraction(6, 5), 50), "P50 120 %"),
    ],
)
def test_thresholds(text: str, threshold: Threshold, shown: str) -> None:
    assert parse_threshold(text) == threshold
    assert str(threshold) == shown


@pytest.mark.parametrize("text", ["", "  ", "80", "P", "P100", "0 %", "P0", "-5 %", 80])
def test_no_thresholds(text: object) -> None:
    with pytest.raises(ValueError, match="threshold"):
        parse_threshold(text)


def test_a_budget_with_defaults() -> None:
    (budget,) = read_budgets([{"name": "a", "amount": "10 USD", "scope": {"team": "search"}}])
    assert budget.scope == {"team": ["search"]}
    assert budget.period == "month"
    assert [(a, str(t)) for a, t in budget.thresholds()] == [
        ("fail", "100 %"), ("warn", "80 %"), ("warn", "50 %"), ("warn", "P50"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"name": "a", "amount": "10 USD", "treshold": []}, r"budget 'a'.*'treshold'"),
        ({"name": "a", "amount": "10 USD", "perriod": "month"}, "did you mean 'period'"),
        ({"name": "a"}, "amount is missing"),
        ({"amount": "1 USD"}, "entry 1: name is missing"),
        ({"name": "a", "amount": "10"}, "10' is no amount"),
        ({"name": "a", "amount": "1 USD", "period": "custom"}, "since = and a later until"),
        ({"name": "a", "amount": "1 USD", "since": date(2026, 1, 1)}, "belong to period"),
        ({"name": "a", "amount": "1 USD", "fiscal_start": 13}, "fiscal_start"),
        ({"name": "a", "amount": "1 USD", "notify": [{"url": "x", "fromat": "slack"}]},
         "did you mean 'format'"),
        ({"name": "a", "amount": "1 USD", "warn": ["lots"]}, "'lots' is no threshold"),
    ],
)  # fmt: skip
def test_mistakes_are_named(raw: dict, words: str) -> None:
    with pytest.raises(BudgetError, match=words):
        read_budgets([raw])


def test_every_mistake_at_once_and_names_only_once() -> None:
    with pytest.raises(BudgetError) as error:
        read_budgets([{"name": "a", "amount": "x"}, {"name": "b", "amont": "1 USD"}])
    assert str(error.value).count("\n") == 2  # a: amount; b: amont unknown, amount missing
    with pytest.raises(BudgetError, match="used twice"):
        read_budgets([{"name": "a", "amount": "1 USD"}] * 2)


@pytest.mark.parametrize(
    ("day", "period", "fiscal", "since", "until"),
    [
        (date(2026, 3, 31), "month", 1, date(2026, 3, 1), date(2026, 4, 1)),
        (date(2026, 12, 31), "month", 7, date(2026, 12, 1), date(2027, 1, 1)),
        (date(2026, 3, 31), "quarter", 1, date(2026, 1, 1), date(2026, 4, 1)),
        (date(2026, 4, 1), "quarter", 1, date(2026, 4, 1), date(2026, 7, 1)),
        (date(2026, 1, 31), "quarter", 2, date(2025, 11, 1), date(2026, 2, 1)),
        (date(2026, 2, 1), "quarter", 2, date(2026, 2, 1), date(2026, 5, 1)),
        (date(2026, 9, 30), "year", 10, date(2025, 10, 1), date(2026, 10, 1)),
        (date(2026, 10, 1), "year", 10, date(2026, 10, 1), date(2027, 10, 1)),
    ],
)
def test_periods(day: date, period: str, fiscal: int, since: date, until: date) -> None:
    assert period_of(day, period, fiscal_start=fiscal) == Span(since, until)


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.sampled_from(["month", "quarter", "year"]),
    st.integers(1, 12),
)
def test_periods_hold_their_day_and_touch_each_other(day: date, period: str, fiscal: int) -> None:
    span = period_of(day, period, fiscal_start=fiscal)
    assert day in span
    assert span.until not in span
    assert period_of(span.until, period, fiscal_start=fiscal).since == span.until
    assert add_months(span.since, {"month": 1, "quarter": 3, "year": 12}[period]) == span.until


def test_a_custom_period_is_what_it_says() -> None:
    (budget,) = read_budgets(
        [{"name": "a", "amount": "1 USD", "period": "custom", "since": date(2026, 3, 5),
          "until": date(2026, 4, 2)}]
    )  # fmt: skip
    assert span_of(budget, date(2030, 1, 1)) == Span(date(2026, 3, 5), date(2026, 4, 2))
    assert span_of(budget, date(2030, 1, 1)).days == 28
