"""What is no token: audio by the hour, reranking by the search, documents by the page."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import price_call
from pricing.meters import METERS, priced
from pricing.money import InexactPrice, published_pico, usd_per

AT = datetime(2026, 11, 1)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd", "price"),
    [
        ("openai", "whisper-1", {"type": "duration", "seconds": 90}, "0.009", "0.36 per hour"),
        ("cohere", "rerank-v3.5", {"billed_units": {"search_units": 3}}, "0.006", "2 per 1,000"),
        ("bedrock", "cohere.rerank-v3-5:0", {"billed_units": {"search_units": 1}}, "0.002",
         "2 per 1,000"),
    ],
)  # fmt: skip
def test_a_unit_has_its_price(
    provider: str, model: str, usage: dict[str, Any], usd: str, price: str
) -> None:
    call = price_call(provider, model, usage, AT, tier="standard")
    assert (call.cost_usd, call.status) == (Decimal(usd), "exact")
    assert [line.price_usd_per for line in call.lines] == [price]


def test_an_hours_price_is_shown_as_it_was_published() -> None:
    # 0.111 USD an hour is 30,833,333.3 pico-dollars a second: kept whole, shown as published.
    call = price_call(
        "groq", "whisper-large-v3", {"type": "duration", "seconds": 3_600}, AT, tier="standard"
    )
    (line,) = call.lines
    assert (line.price_pico, line.price_usd_per) == (30_833_333, "0.111 per hour")
    assert line.cost_pico == 3_600 * 30_833_333


@given(st.decimals("0.0001", "999", places=4))
def test_any_hourly_price_comes_back(price: Decimal) -> None:
    pico, _ = published_pico(price, 3_600)
    assert usd_per(pico, 3_600) == price
    assert abs(Decimal(pico) * 3_600 / 10**12 - price) <= Decimal("1.8e-9")


def test_a_price_a_million_is_never_rounded() -> None:
    assert published_pico(Decimal("0.000001"), 1_000_000) == (1, False)
    with pytest.raises(InexactPrice):
        published_pico(Decimal("0.0000001"), 1_000_000)


def test_an_annotated_page_without_a_price_of_its_own_is_a_page() -> None:
    assert METERS["pages_annotated"].parent == "pages"
    assert METERS["pages"].parent is None


@pytest.mark.parametrize(
    ("meter", "units", "per_units", "per_words"),
    [
        ("input_uncached", "tokens", "1M tokens", "1M"),
        ("web_search", "searches", "1,000 searches", "1,000"),
        ("request", "requests", "1,000 requests", "1,000"),
        ("audio_seconds", "seconds", "hour of audio", "hour"),
        ("characters", "characters", "1M characters", "1M characters"),
        ("pages", "pages", "1,000 pages", "1,000 pages"),
        ("input_text_messages_kcount", "messages", "1,000 messages", "1,000 messages"),
    ],
)
def test_what_a_price_is_for_is_said_in_one_place(
    meter: str, units: str, per_units: str, per_words: str
) -> None:
    found = priced(meter)
    assert found is not None
    assert (found.units, found.per_units, found.per_words) == (units, per_units, per_words)
