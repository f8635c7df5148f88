"""Names that outlive their model, fees and regions: what a call was billed, hour by hour.

Each pair stands on both sides of a change: the last moment of one price, the first of the next.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pricing import price_call

MILLION = 1_000_000


def per_million(seller: str, model: str, at: datetime, *, cached: int = 0, output: int = 0) -> str:
    """The cost of one meter's small share, as USD per million tokens of it."""
    prompt = cached if cached else (0 if output else 1000)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    cost = price_call(seller, model, usage, at=at, tier="standard").cost_usd
    assert cost is not None
    return format((cost * MILLION / (prompt + output)).normalize(), "f")


def three(seller: str, model: str, at: datetime) -> tuple[str, str, str]:
    return (
        per_million(seller, model, at),
        per_million(seller, model, at, cached=1000),
        per_million(seller, model, at, output=1000),
    )


@pytest.mark.parametrize(
    ("model", "at", "prices"),
    [
        ("deepseek-chat", datetime(2025, 2, 8, 15, 59), ("0.14", "0.014", "0.28")),
        ("deepseek-chat", datetime(2025, 2, 8, 16, 0), ("0.27", "0.07", "1.1")),
        ("deepseek-chat", datetime(2025, 6, 2, 16, 29), ("0.27", "0.07", "1.1")),
        ("deepseek-chat", datetime(2025, 6, 2, 16, 30), ("0.135", "0.035", "0.55")),
        ("deepseek-chat", datetime(2025, 6, 3, 0, 29), ("0.135", "0.035", "0.55")),
        ("deepseek-chat", datetime(2025, 6, 3, 0, 30), ("0.27", "0.07", "1.1")),
        ("deepseek-reasoner", datetime(2025, 6, 2, 12), ("0.55", "0.14", "2.19")),
        ("deepseek-reasoner", datetime(2025, 6, 2, 20), ("0.135", "0.035", "0.55")),
        ("deepseek-chat", datetime(2025, 9, 5, 16, 0), ("0.56", "0.07", "1.68")),
        ("deepseek-reasoner", datetime(2025, 9, 5, 20), ("0.56", "0.07", "1.68")),
        ("deepseek-chat", datetime(2025, 9, 28, 23), ("0.56", "0.07", "1.68")),
        ("deepseek-chat", datetime(2025, 9, 29, 0), ("0.28", "0.028", "0.42")),
        ("deepseek-reasoner", datetime(2026, 4, 23, 23), ("0.28", "0.028", "0.42")),
        ("deepseek-reasoner", datetime(2026, 4, 24, 0), ("0.14", "0.0028", "0.28")),
    ],
)
def test_a_name_of_deepseek_is_billed_as_what_served_it(model, at, prices) -> None:
    assert three("deepseek", model, at.replace(tzinfo=UTC)) == prices


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        ("grok-4", ("3", "0.75", "15"), ("1.25", "0.2", "2.5")),
        ("grok-4-0709", ("3", "0.75", "15"), ("1.25", "0.2", "2.5")),
        ("grok-4-fast", ("0.2", "0.05", "0.5"), ("1.25", "0.2", "2.5")),
        ("grok-4-1-fast-non-reasoning", ("0.2", "0.05", "0.5"), ("1.25", "0.2", "2.5")),
        ("grok-3", ("3", "0.75", "15"), ("1.25", "0.2", "2.5")),
        ("grok-code-fast-1", ("0.2", "0.02", "1.5"), ("1", "0.2", "2")),
    ],
)
def test_retired_grok_names_are_billed_as_their_successor(model, before, after) -> None:
    assert three("xai", model, datetime(2026, 5, 15, 18, 59, tzinfo=UTC)) == before
    assert three("xai", model, datetime(2026, 5, 15, 19, 0, tzinfo=UTC)) == after


@pytest.mark.parametrize(("tokens", "usd"), [(127_999, "0.2"), (128_000, "0.4")])
def test_grok_of_2025_was_long_at_exactly_128_000(tokens, usd) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    call = price_call("xai", "grok-4-fast", usage, at=datetime(2025, 12, 1, tzinfo=UTC))
    assert call.cost_usd == Decimal(usd) * tokens / MILLION


def test_mistral_large_latest_moved_to_large_3() -> None:
    day = datetime(2025, 12, 2, tzinfo=UTC)
    before = datetime(2025, 12, 1, 23, 59, tzinfo=UTC)
    assert per_million("mistral", "mistral-large-latest", before) == "2"
    assert per_million("mistral", "mistral-large-latest", day) == "0.5"
    assert per_million("mistral", "mistral-large-2411", day) == "2"


def test_a_fee_of_perplexity_is_the_default_size_and_said_to_be_assumed() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    call = price_call("perplexity", "sonar-pro", usage)
    assert call.cost_usd == Decimal("0.0105")  # 0.003 + 0.0015 + 6 per 1,000 requests
    assert call.status == "assumed" and not call.flags
    assert not price_call("perplexity", "sonar-pro", {**usage, "search_context_size": "low"}).flags
    high = price_call("perplexity", "sonar-pro", {**usage, "search_context_size": "high"})
    assert high.flags == ("search context high: its fee per request is above the one priced here",)


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("gpt-4o-audio-preview", ("40", "80")),
        ("gpt-4o-audio-preview-2024-10-01", ("100", "200")),
        ("gpt-4o-mini-audio-preview-2024-12-17", ("10", "20")),
    ],
)
def test_audio_of_the_preview_models_is_not_billed_as_text(model, prices) -> None:
    heard = {
        "prompt_tokens": 1000,
        "completion_tokens": 0,
        "total_tokens": 1000,
        "prompt_tokens_details": {"audio_tokens": 1000},
    }
    said = {
        "prompt_tokens": 0,
        "completion_tokens": 1000,
        "total_tokens": 1000,
        "completion_tokens_details": {"audio_tokens": 1000},
    }
    costs = [price_call("openai", model, u).cost_usd for u in (heard, said)]
    assert costs == [Decimal(p) / 1000 for p in prices]


def test_a_tuned_model_reads_its_cache_at_the_tuned_price() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    assert three("openai", "ft:gpt-4o-2024-08-06:acme::1", at) == ("3.75", "1.875", "15")
    assert three("openai", "ft:gpt-4.1-2025-04-14:acme::2", at) == ("3", "0.75", "12")


@pytest.mark.parametrize(
    ("model", "region", "usd", "status"),
    [
        ("us.amazon.nova-pro-v1:0", None, "0.8", "exact"),
        ("eu.amazon.nova-pro-v1:0", None, "1.05", "exact"),
        ("amazon.nova-pro-v1:0", "eu-west-1", "1.05", "exact"),
        ("amazon.nova-pro-v1:0", "ap-northeast-1", "0.84", "exact"),
        ("amazon.nova-pro-v1:0", "us-gov-west-1", "0.96", "exact"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "3.6", "exact"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "3.3", "exact"),
        ("us-gov.openai.gpt-oss-120b-1:0", None, "0.15", "assumed"),
    ],
)
def test_bedrock_by_area_and_government_cloud(model, region, usd, status) -> None:
    usage = {"inputTokens": 1000, "outputTokens": 0, "totalTokens": 1000}
    call = price_call("bedrock", model, usage, region=region, tier="standard")
    assert call.cost_usd == Decimal(usd) / 1000
    assert call.status == status
