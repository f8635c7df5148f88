"""Other currencies: a dated rate with its source, or an error; never a guess."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.currency import CurrencyError, Exchange

RATES = {
    "show": "EUR",
    "rates": [
        {"currency": "EUR", "usd": "1.10", "on": date(2026, 3, 10), "source": "ECB"},
        {"currency": "EUR", "usd": "1.25", "on": date(2026, 3, 2), "source": "ECB"},
        {"currency": "JPY", "usd": "0.0065", "on": date(2026, 3, 2), "source": "BoJ"},
    ],
}
BOOK = Exchange.from_settings(RATES)


@pytest.mark.parametrize(
    ("on", "usd"),
    [(date(2026, 3, 2), "1.25"), (date(2026, 3, 9), "1.25"), (date(2026, 3, 10), "1.10"),
     (date(2027, 1, 1), "1.10")],
)  # fmt: skip
def test_the_last_rate_on_or_before_the_day(on: date, usd: str) -> None:
    assert BOOK.rate("EUR", on).usd == Decimal(usd)


def test_no_rate_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(CurrencyError, match="the first is of 2026-03-02"):
        BOOK.rate("EUR", date(2026, 3, 1))
    with pytest.raises(CurrencyError, match="no rate of GBP"):
        BOOK.rate("GBP", date(2026, 3, 5))


def test_dollars_are_dollars() -> None:
    assert Exchange().from_pico(1, "USD", date(1990, 1, 1)).amount == Decimal("1e-12")


def test_amounts() -> None:
    made = BOOK.from_pico(10 * 10**12, "EUR", date(2026, 3, 5))
    assert made.amount == 8
    assert made.show() == "8.00 EUR"
    assert made.as_json() == {
        "amount": "8.00",
        "rate": {"currency": "EUR", "usd": "1.25", "on": "2026-03-02", "source": "ECB"},
    }
    assert BOOK.to_pico(Decimal("1800"), "EUR", date(2026, 3, 5)) == 2250 * 10**12


@given(st.integers(-(10**24), 10**24))
def test_there_and_back_is_the_same_pico_dollar(pico: int) -> None:
    for currency in ("EUR", "JPY"):
        day = date(2026, 3, 12)
        assert BOOK.to_pico(BOOK.from_pico(pico, currency, day).amount, currency, day) == pico


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"shwo": "EUR"}, "did you mean 'show'"),
        ({"show": "EUR"}, "has no EUR"),
        ({"show": "euro"}, "no currency code"),
        ({"rates": [{"currency": "EUR", "usd": "1", "on": date(2026, 1, 1)}]}, "source missing"),
        ({"rates": [{**RATES["rates"][0], "usd": 1.1}]}, "in quotes"),
        ({"rates": [{**RATES["rates"][0], "usd": "0"}]}, "above 0"),
        ({"rates": [{**RATES["rates"][0], "usd": "NaN"}]}, "above 0"),
        ({"rates": [{**RATES["rates"][0], "on": "soon"}]}, "no date"),
        ({"rates": [RATES["rates"][0], {**RATES["rates"][0], "usd": "2"}]}, "keep one"),
    ],
)
def test_mistakes_are_named(raw: dict, words: str) -> None:
    with pytest.raises(CurrencyError, match=words):
        Exchange.from_settings(raw)
