"""The shipped card files: the prices of the family the product grew from, edges and dates."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources

import pytest

from pricing import price_call
from pricing.cards import Card, Offer, shipped_cards
from pricing.lint import lint
from pricing.meters import METERS
from pricing.money import usd_per
from pricing.rates import Rate, RateVector, compile_card
from pricing.variants import Variant, normal_seller

NOW = datetime(2026, 11, 20, 12)
SHORT = {
    "input": "input_uncached",
    "read": "cache_read",
    "write": "cache_write_unknown",
    "write_1h": "cache_write_1h",
    "output": "output_text",
    "search": "web_search",
    "files": "file_search",
}


@cache
def cards() -> dict[str, Card]:
    return {c.seller: c for c in shipped_cards()}


def vector(
    seller: str, model: str, tier: str = "standard", at: datetime = NOW, tokens: int = 1000,
    region: str = "",
) -> RateVector | None:  # fmt: skip
    card = cards()[seller]
    found = [r for r in card.rates if r.variant == card.aliases[model]]
    own = [r for r in found if (r.tier, r.region) == (tier, region)]
    base = [r for r in found if (r.tier, r.region) == ("standard", "")]
    if (tier, region) == ("standard", ""):
        base = []
    return next((v for v in compile_card(own, base) if v.covers(at, tokens)), None)


def usd(found: RateVector | None, *names: str) -> tuple[str | None, ...] | None:
    """USD per million tokens (per 1,000 searches) of the named meters; None without a card."""
    if found is None:
        return None
    out = []
    for name in names:
        meter = METERS[SHORT[name]]
        price = found.price(meter.name)
        out.append(None if price is None else str(usd_per(price, meter.per)))
    return tuple(out)


def list_price(
    seller: str, model: str, tier: str = "standard", at: datetime = NOW, tokens: int = 9
):
    return usd(vector(seller, model, tier, at, tokens), "input", "read", "output")


# --- the files as a whole ----------------------------------------------------------------------


def test_sellers_are_spelled_as_the_rules_spell_them() -> None:
    assert {normal_seller(s) for s in cards()} == set(cards())
    assert {"openai", "anthropic", "google", "azure", "bedrock", "x-ai", "deepseek", "cometapi",
            "evolink", "groq", "deepinfra", "fireworks", "together"} <= set(cards())  # fmt: skip


def test_every_price_names_its_source_and_the_day_it_was_checked() -> None:
    for card in cards().values():
        for rate in card.rates:
            assert rate.source.startswith("https://"), rate
            assert rate.checked is not None and rate.checked <= date(2026, 11, 21), rate
            assert rate.recorded_at == datetime(2026, 11, 21)
        for offer in card.offers:
            assert offer.source.url.startswith("https://")
            assert offer.source.checked is not None


def test_no_shipped_price_is_rounded() -> None:
    assert [r for c in cards().values() for r in c.rates if r.rounded] == []


def test_a_claim_out_of_force_says_why() -> None:
    claims = [r for c in cards().values() for r in c.rates if not r.in_force]
    assert len(claims) > 20
    assert [r for r in claims if not r.note] == []


def test_lint_finds_no_error_in_the_shipped_cards() -> None:
    rates: list[Rate] = []
    facts: dict[str, Variant] = {}
    for card in cards().values():
        rates += card.rates
        for name, about in card.variants.items():
            if name not in facts or about.maker == card.seller:
                facts[name] = about
    findings = lint(rates, facts, today=date(2026, 11, 21))
    assert [f for f in findings if f.severity == "error"] == []
    # Published tables leave these three tiers without a long-context price.
    assert {(f.rule, f.variant) for f in findings if f.severity == "warning"} == {
        ("threshold-not-carried", "gpt-5.4"),
        ("threshold-not-carried", "gpt-5.5"),
        ("threshold-not-carried", "gpt-5.5-pro"),
    }


# --- GPT-5.2 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "role", "prices", "context"),
    [
        ("gpt-5.2", "Thinking", ("1.75", "0.175", "14"), 400_000),
        ("gpt-5.2-chat-latest", "Instant", ("1.75", "0.175", "14"), 128_000),
        ("gpt-5.2-codex", "Codex", ("1.75", "0.175", "14"), 400_000),
        # Pro has no cached price: a cached token is an input token.
        ("gpt-5.2-pro", "Pro", ("21", "21", "168"), 400_000),
    ],
)
def test_gpt_5_2_is_four_variants_of_one_family(model, role, prices, context) -> None:
    about = cards()["openai"].variants[model]
    assert (about.family, about.role, about.context_window) == ("gpt-5.2", role, context)
    assert list_price("openai", model) == prices
    launch = datetime(2025, 12, 11)
    assert list_price("openai", model, at=launch) == prices
    assert list_price("openai", model, at=launch - timedelta(hours=1)) is None


@pytest.mark.parametrize("alias", ["gpt-5.2-2025-12-11", "gpt-5-2"])
def test_aliases_of_gpt_5_2(alias) -> None:
    assert cards()["openai"].aliases[alias] == "gpt-5.2"


def test_reasoning_is_billed_as_output() -> None:
    found = vector("openai", "gpt-5.2")
    assert found is not None
    assert found.price("reasoning") == found.price("output_text") == 14_000_000


@pytest.mark.parametrize(
    ("tier", "prices"),
    [
        ("batch", ("0.875", "0.0875", "7")),
        ("flex", ("0.875", "0.0875", "7")),
        ("priority", ("3.5", "0.35", "28")),
    ],
)
def test_tiers_of_gpt_5_2_hold_since_its_launch(tier, prices) -> None:
    assert list_price("openai", "gpt-5.2", tier, datetime(2025, 12, 11)) == prices
    assert list_price("openai", "gpt-5.2", tier) == prices
    assert list_price("openai", "gpt-5.2", tier, datetime(2025, 12, 10, 23)) is None
    assert usd(vector("openai", "gpt-5.2", tier), "search", "files") == ("10", "2.5")


def test_pro_has_batch_alone() -> None:
    assert list_price("openai", "gpt-5.2-pro", "batch") == ("10.5", "10.5", "84")
    assert list_price("openai", "gpt-5.2-pro", "flex") is None
    assert list_price("openai", "gpt-5.2-pro", "priority") is None


@pytest.mark.parametrize("model", ["gpt-5.2-chat-latest", "gpt-5.2-codex"])
@pytest.mark.parametrize("tier", ["batch", "flex", "priority"])
def test_tiers_one_catalogue_lets_a_name_inherit_are_not_in_force(model, tier) -> None:
    assert list_price("openai", model, tier) is None
    assert [r for r in cards()["openai"].rates if (r.variant, r.tier) == (model, tier)]


def test_retirements_and_successors() -> None:
    about = cards()["openai"].variants
    assert about["gpt-5.2-codex"].retired == date(2026, 7, 23)
    assert about["gpt-5.2-chat-latest"].retired == date(2026, 8, 10)
    assert about["gpt-5.2"].retired is None
    assert not about["gpt-5.2-codex"].retired_on(date(2026, 7, 22))
    assert about["gpt-5.2-codex"].retired_on(date(2026, 7, 23))
    for variant in about.values():
        assert not variant.successor or variant.successor in about


def test_efforts_of_the_thinking_variant() -> None:
    efforts = cards()["openai"].variants["gpt-5.2"].efforts
    assert efforts == ("none", "low", "medium", "high", "xhigh")


# --- OpenAI's other variants -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "tier", "prices"),
    [
        ("gpt-5.1", "standard", ("1.25", "0.125", "10")),
        ("gpt-5.1-codex", "standard", ("1.25", "0.125", "10")),
        ("gpt-5.1-codex-max", "standard", ("1.25", "0.125", "10")),
        ("gpt-5", "batch", ("0.625", "0.0625", "5")),
        ("gpt-5-mini", "priority", ("0.45", "0.045", "3.6")),
        ("gpt-5-nano", "flex", ("0.025", "0.0025", "0.2")),
        ("gpt-4o", "standard", ("2.5", "1.25", "10")),
        # Batch lists no cached price of its own: the standard one holds.
        ("gpt-4o", "batch", ("1.25", "1.25", "5")),
        ("gpt-4.1", "batch", ("1", "0.5", "4")),
        ("gpt-4o-2024-05-13", "standard", ("5", "5", "15")),
        ("gpt-3.5-turbo-0125", "batch", ("0.25", "0.25", "0.75")),
        ("o4-mini", "flex", ("0.55", "0.138", "2.2")),
        ("gpt-6-astra", "ultrafast", ("60", "6", "300")),
    ],
)
def test_list_prices(model, tier, prices) -> None:
    assert list_price("openai", model, tier) == prices


def test_the_first_gpt_4o_snapshot_is_a_variant_of_its_own() -> None:
    aliases = cards()["openai"].aliases
    assert aliases["gpt-4o-2024-05-13"] == "gpt-4o-2024-05-13"
    assert aliases["gpt-4o-2024-08-06"] == "gpt-4o"


@pytest.mark.parametrize(
    ("model", "tier", "day"),
    [
        ("gpt-4-turbo", "batch", datetime(2024, 4, 15)),
        ("o3", "flex", datetime(2025, 4, 17)),
        ("gpt-4o", "priority", datetime(2025, 6, 1)),
        ("gpt-5", "priority", datetime(2025, 8, 7)),
    ],
)
def test_tiers_hold_since_the_tier_or_the_variant_exists(model, tier, day) -> None:
    assert list_price("openai", model, tier, day - timedelta(hours=1)) is None
    assert list_price("openai", model, tier, day) is not None


@pytest.mark.parametrize(
    ("model", "day", "before", "after"),
    [
        ("o3", datetime(2025, 6, 10), ("10", "0.5", "40"), ("2", "0.5", "8")),
        ("gpt-5.6-luna", datetime(2026, 7, 30), ("1", "0.1", "6"), ("0.2", "0.02", "1.2")),
        ("gpt-5.6-terra", datetime(2026, 7, 30), ("2.5", "0.25", "15"), ("2", "0.2", "12")),
        ("gpt-5.6-sol", datetime(2026, 8, 21), ("5", "0.5", "30"), ("4", "0.4", "20")),
    ],
)
def test_dated_cuts(model, day, before, after) -> None:
    assert list_price("openai", model, at=day - timedelta(hours=1)) == before
    assert list_price("openai", model, at=day) == after
    halves = tuple(str(Decimal(p) / 2) for p in (before[0], before[2]))
    batch = usd(vector("openai", model, "batch", day - timedelta(hours=1)), "input", "output")
    assert batch is not None
    assert tuple(map(Decimal, filter(None, batch))) == tuple(map(Decimal, halves))


@pytest.mark.parametrize(
    ("tier", "short", "long"),
    [
        ("standard", ("4", "0.4", "5", "20"), ("8", "0.8", "10", "30")),
        ("batch", ("2", "0.2", "2.5", "10"), ("4", "0.4", "5", "15")),
        ("priority", ("8", "0.8", "10", "40"), ("16", "1.6", "20", "60")),
    ],
)
def test_above_272_000_the_whole_request_is_long(tier, short, long) -> None:
    names = ("input", "read", "write", "output")
    assert usd(vector("openai", "gpt-5.6-sol", tier, NOW, 272_000), *names) == short
    assert usd(vector("openai", "gpt-5.6-sol", tier, NOW, 272_001), *names) == long


def test_writes_are_free_before_gpt_5_6_and_dearer_since() -> None:
    assert usd(vector("openai", "gpt-5.2"), "input", "write") == ("1.75", "1.75")
    assert usd(vector("openai", "gpt-6-sol"), "input", "write") == ("2", "2.5")


def test_residency_costs_a_tenth_more_for_models_since_march_2026() -> None:
    names = ("input", "read", "output")
    assert usd(vector("openai", "gpt-5.4", region="eu"), *names) == ("2.75", "0.275", "16.5")
    long = vector("openai", "gpt-5.4", region="us", tokens=272_001)
    assert usd(long, *names) == ("5.5", "0.55", "24.75")
    assert usd(vector("openai", "gpt-6-sol", "batch", region="eu"), *names) == (
        "1.1",
        "0.11",
        "5.5",
    )
    regional = {r.variant for r in cards()["openai"].rates if r.region}
    assert "gpt-5.2" not in regional and "gpt-4o" not in regional
    assert all(v.startswith(("gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-6")) for v in regional)


def test_fast_is_a_name_of_priority_at_openai_only() -> None:
    assert cards()["openai"].tier_aliases == {"fast": "priority"}
    assert cards()["anthropic"].tier_aliases == {}


def test_the_priority_slip_of_gpt_5_nano_is_kept_out() -> None:
    assert list_price("openai", "gpt-5-nano", "priority") is None


def test_embeddings_have_input_only() -> None:
    assert list_price("openai", "text-embedding-3-small", "batch") == ("0.01", "0.01", None)


# --- Anthropic ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("claude-opus-4-5", ("5", "0.5", "6.25", "10", "25")),
        ("claude-sonnet-4-5", ("3", "0.3", "3.75", "6", "15")),
        ("claude-3-7-sonnet", ("3", "0.3", "3.75", "6", "15")),
        ("claude-haiku-4-5", ("1", "0.1", "1.25", "2", "5")),
        ("claude-3-haiku", ("0.25", "0.03", "0.3", "0.5", "1.25")),
        ("claude-opus-5-5", ("4", "0.2", "5", "8", "20")),
    ],
)
def test_claude_prices_with_writes_by_lifetime(model, prices) -> None:
    found = vector("anthropic", model)
    assert usd(found, "input", "read", "write", "write_1h", "output") == prices
    assert found is not None
    assert found.price("cache_write_5m") == found.price("cache_write_unknown")


def test_message_batches_halve_everything_since_their_first_day() -> None:
    names = ("input", "read", "write", "write_1h", "output")
    day = datetime(2024, 10, 8)
    first = vector("anthropic", "claude-3-5-sonnet", "batch", day)
    assert usd(first, *names) == ("1.5", "0.15", "1.875", "3", "7.5")
    assert vector("anthropic", "claude-3-5-sonnet", "batch", day - timedelta(hours=1)) is None


@pytest.mark.parametrize(
    ("model", "tokens", "at", "prices"),
    [
        ("claude-haiku-5-5", 100_000, NOW, ("0.1", "0.01", "0.5")),
        ("claude-haiku-5-5", 100_001, NOW, ("0.5", "0.05", "2.5")),
        ("claude-sonnet-4-5", 200_000, NOW, ("3", "0.3", "15")),
        ("claude-sonnet-4-5", 200_001, NOW, ("6", "0.6", "22.5")),
        ("claude-opus-4-6", 200_000, datetime(2026, 3, 12, 23), ("5", "0.5", "25")),
        ("claude-opus-4-6", 200_001, datetime(2026, 3, 12, 23), ("10", "1", "37.5")),
        ("claude-opus-4-6", 200_001, datetime(2026, 3, 13), ("5", "0.5", "25")),
        ("claude-sonnet-4-6", 200_001, datetime(2026, 3, 12, 23), ("6", "0.6", "22.5")),
        ("claude-sonnet-4-6", 200_001, datetime(2026, 3, 13), ("3", "0.3", "15")),
    ],
)
def test_claude_thresholds(model, tokens, at, prices) -> None:
    assert list_price("anthropic", model, at=at, tokens=tokens) == prices


def test_both_claims_on_long_sonnet_4_5_are_kept() -> None:
    long = [
        r for r in cards()["anthropic"].rates
        if (r.variant, r.meter, r.tier) == ("claude-sonnet-4-5", "input_uncached", "standard")
        and r.min_input == 200_001
    ]  # fmt: skip
    assert {(r.price, r.in_force) for r in long} == {(6_000_000, True), (3_000_000, False)}
    assert "1M beta" in cards()["anthropic"].variants["claude-sonnet-4-5"].note


def test_fast_mode_and_us_inference_stack() -> None:
    names = ("input", "read", "output")
    assert usd(vector("anthropic", "claude-opus-4-8", "fast"), *names) == ("10", "1", "50")
    us = vector("anthropic", "claude-opus-4-8", region="us")
    assert usd(us, *names) == ("5.5", "0.55", "27.5")
    batch = vector("anthropic", "claude-opus-4-8", "batch", region="us")
    assert usd(batch, *names) == ("2.75", "0.275", "13.75")
    assert vector("anthropic", "claude-opus-4-5", region="us") is None


# --- Google, xAI, DeepSeek ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "short", "long"),
    [
        ("standard", ("1.25", "0.125", "10"), ("2.5", "0.25", "15")),
        ("batch", ("0.625", "0.125", "5"), ("1.25", "0.25", "7.5")),
        ("priority", ("2.25", "0.225", "18"), ("4.5", "0.45", "27")),
    ],
)
def test_gemini_2_5_pro(tier, short, long) -> None:
    assert list_price("google", "gemini-2.5-pro", tier, tokens=200_000) == short
    assert list_price("google", "gemini-2.5-pro", tier, tokens=200_001) == long


def test_gemini_3_pro_is_sold_by_size() -> None:
    assert list_price("google", "gemini-3-pro-preview", tokens=200_000) == ("2", "0.2", "12")
    assert list_price("google", "gemini-3-pro-preview", tokens=200_001) == ("4", "0.4", "18")


@pytest.mark.parametrize(
    ("model", "day", "before", "after"),
    [
        ("gemini-4-argon", datetime(2026, 12, 1), ("2", "0.1", "10"), ("4", "0.2", "20")),
        (
            "gemini-3.6-flash",
            datetime(2027, 1, 1),
            ("0.75", "0.075", "3.75"),
            ("1.5", "0.15", "7.5"),
        ),
        (
            "gemini-3.7-flash",
            datetime(2027, 1, 1),
            ("0.75", "0.075", "3.75"),
            ("1.5", "0.15", "7.5"),
        ),
        (
            "gemini-3.8-flash",
            datetime(2027, 1, 1),
            ("0.75", "0.075", "3.75"),
            ("1.5", "0.15", "7.5"),
        ),
    ],
)
def test_announced_prices(model, day, before, after) -> None:
    assert list_price("google", model, at=day - timedelta(hours=1)) == before
    assert list_price("google", model, at=day) == after
    later = vector("google", model, "priority", day)
    assert later is not None and later.prices["input_uncached"].assumed
    batch = vector("google", model, "batch", day)
    assert batch is not None and not batch.prices["input_uncached"].assumed


def test_grounding_and_audio() -> None:
    assert usd(vector("google", "gemini-2.5-flash"), "search") == ("35",)
    assert usd(vector("google", "gemini-4-argon"), "search") == ("14",)
    flash = vector("google", "gemini-2.5-flash")
    batch = vector("google", "gemini-2.5-flash", "batch")
    assert flash is not None and batch is not None
    assert flash.price("input_audio") == 1_000_000
    assert flash.price("cache_read_audio") == 100_000
    assert batch.price("input_audio") == 500_000


def test_grok_is_long_at_exactly_200_000() -> None:
    assert list_price("x-ai", "grok-4.7", tokens=199_999) == ("2", "0.5", "6")
    assert list_price("x-ai", "grok-4.7", tokens=200_000) == ("4", "1", "12")


@pytest.mark.parametrize(
    ("at", "prices"),
    [
        (datetime(2026, 8, 16, 15), ("0.14", "0.0028", "0.28")),
        (datetime(2026, 8, 16, 16), ("0.22", "0.007", "0.66")),
        (datetime(2026, 9, 9, 2), ("0.44", "0.014", "1.32")),  # a Wednesday, peak
        (datetime(2026, 9, 9, 23), ("0.22", "0.007", "0.66")),
        (datetime(2026, 9, 10), ("0.15", "0.003", "0.6")),
        (datetime(2026, 9, 10, 0, 59), ("0.15", "0.003", "0.6")),
        (datetime(2026, 9, 10, 1), ("0.3", "0.006", "1.2")),
        (datetime(2026, 9, 10, 3, 59), ("0.3", "0.006", "1.2")),
        (datetime(2026, 9, 10, 4), ("0.15", "0.003", "0.6")),
        (datetime(2026, 9, 10, 9, 59), ("0.3", "0.006", "1.2")),
        (datetime(2026, 9, 11, 2), ("0.3", "0.006", "1.2")),  # Friday
        (datetime(2026, 9, 12, 2), ("0.15", "0.003", "0.6")),  # Saturday: off-peak
        (datetime(2026, 9, 14, 2), ("0.3", "0.006", "1.2")),  # Monday
    ],
)
def test_deepseek_by_date_hour_and_weekday(at, prices) -> None:
    assert list_price("deepseek", "deepseek-v4-flash", at=at) == prices


def test_the_weekend_claim_on_deepseek_is_kept() -> None:
    claims = [
        r
        for r in cards()["deepseek"].rates
        if not r.in_force and r.variant.startswith("deepseek-v4")
    ]
    assert claims and all(r.weekdays == 127 and r.windowed for r in claims)


# --- clouds, hosts and gateways ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seller", "model", "prices"),
    [
        ("lambda", "llama-4-maverick", ("0.05", "0.1")),
        ("groq", "meta-llama/llama-4-maverick-17b-128e-instruct", ("0.2", "0.6")),
        ("deepinfra", "llama-4-maverick", ("0.2", "0.8")),
        ("fireworks", "accounts/fireworks/models/llama4-maverick-instruct-basic", ("0.22", "0.88")),
        ("bedrock", "meta.llama4-maverick-17b-instruct-v1:0", ("0.24", "0.97")),
        ("azure", "llama-4-maverick", ("0.25", "1")),
        ("google", "llama-4-maverick", ("0.35", "1.15")),
        ("oci", "llama-4-maverick", ("0.72", "0.72")),
        ("deepinfra", "llama-4-scout", ("0.1", "0.3")),
        ("groq", "llama-4-scout", ("0.11", "0.34")),
        ("together", "llama-4-scout", ("0.18", "0.59")),
        ("evolink", "gpt-5.2", ("1.75", "14")),
        ("evolink", "gpt-4o", ("1.25", "10")),
        ("evolink", "claude-3.7", ("1.5", "12")),
        ("evolink", "llama-4", ("0.5", "4")),
    ],
)
def test_sellers_have_their_own_price_for_a_variant(seller, model, prices) -> None:
    assert usd(vector(seller, model), "input", "output") == prices


def test_evolink_contexts_and_what_follows_from_its_table() -> None:
    card = cards()["evolink"]
    contexts = {v.id: v.context_window for v in card.variants.values()}
    assert contexts == {
        "gpt-5.2": 400_000, "gpt-4o": 128_000, "claude-3-7-sonnet": 200_000, "llama-4": 100_000,
    }  # fmt: skip
    dear, cheap = (
        usd(vector("evolink", "gpt-5.2"), "input", "output"),
        usd(vector("evolink", "gpt-4o"), "input", "output"),
    )
    assert dear is not None and cheap is not None
    assert [Decimal(str(a)) / Decimal(str(b)) for a, b in zip(dear, cheap, strict=True)] == [
        Decimal("1.4"), Decimal("1.4"),
    ]  # fmt: skip
    assert usd(vector("evolink", "gpt-4o", at=datetime(2025, 11, 30, 23)), "input") is None


def test_bedrock_is_a_tenth_dearer_without_the_global_profile() -> None:
    names = ("input", "read", "output")
    assert usd(vector("bedrock", "claude-sonnet-4-5"), *names) == ("3.3", "0.33", "16.5")
    wide = vector("bedrock", "claude-sonnet-4-5", region="global")
    assert usd(wide, *names) == ("3", "0.3", "15")
    assert usd(vector("bedrock", "claude-3-7-sonnet"), *names) == ("3", "0.3", "15")
    assert vector("bedrock", "claude-3-7-sonnet", region="global") is None


def offer(seller: str, factor: str) -> Offer:
    return next(o for o in cards()[seller].offers if o.factor == Decimal(factor))


def test_cometapi_has_three_claims_and_one_in_force() -> None:
    claims = {str(o.factor): o.in_force for o in cards()["cometapi"].offers}
    assert claims == {"0.2": True, "0.3": False, "0.8": False}
    assert all(o.valid_from == datetime(2025, 12, 17) for o in cards()["cometapi"].offers)
    assert len({o.note for o in cards()["cometapi"].offers}) == 3


def test_cometapi_sells_gpt_5_2_at_a_fifth() -> None:
    rates = offer("cometapi", "0.2").apply(cards()["openai"].rates)
    own = [r for r in rates if r.variant == "gpt-5.2" and r.tier == "standard"]
    day = datetime(2025, 12, 17)
    found = compile_card(own)
    now = next(v for v in found if v.covers(day, 5))
    assert usd(now, "input", "read", "output") == ("0.35", "0.035", "2.8")
    assert not any(v.covers(day - timedelta(hours=1), 5) for v in found)
    assert {r.variant for r in rates} == {
        "gpt-5.2", "gpt-5.2-chat-latest", "gpt-5.2-pro", "gpt-5.2-codex",
    }  # fmt: skip


def test_azure_sells_openai_at_openai_prices() -> None:
    offers = {o.of: o for o in cards()["azure"].offers}
    assert set(offers) == {"openai", "anthropic"}
    rates = offers["openai"].apply(cards()["openai"].rates)
    own = [r for r in rates if (r.variant, r.tier, r.region) == ("gpt-4o", "standard", "")]
    assert usd(compile_card(own)[-1], "input", "read", "output") == ("2.5", "1.25", "10")
    assert {r.seller for r in rates} == {"azure"}
    assert "flex" not in {r.tier for r in rates}


def test_openrouter_charges_of_july_are_met_to_the_dollar_fraction() -> None:
    """4,012 written, 8 plain and 5 output tokens were charged 0.025265 USD."""
    july = vector("openrouter", "openai/gpt-5.6-sol", at=datetime(2026, 7, 15), tokens=4020)
    assert july is not None
    counts = {"cache_write_unknown": 4012, "input_uncached": 8, "output_text": 5}
    cost = sum(n * (july.price(meter) or 0) for meter, n in counts.items())
    assert cost == 25_265_000_000
    assert list_price("openrouter", "openai/gpt-5.6-sol") == ("4", "0.4", "20")


def test_every_source_a_file_lists_is_used_by_a_price() -> None:
    folder = resources.files("pricing") / "cards_data"
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            data = tomllib.loads(file.read_text("utf-8"))
            blocks = [p for v in data.get("variant", []) for p in v.get("price", [])]
            used = {b["source"] for b in [*blocks, *data.get("offer", [])]}
            assert used == set(data["sources"]), file.name


def test_sonnet_5_5_read_its_cache_at_twice_the_price_until_october() -> None:
    usage = {"input_tokens": 0, "cache_read_input_tokens": 1_000_000, "output_tokens": 0}
    day = datetime(2026, 10, 7)
    before = price_call("anthropic", "claude-sonnet-5-5", usage, at=day - timedelta(hours=1))
    after = price_call("anthropic", "claude-sonnet-5-5", usage, at=day)
    assert (before.cost_usd, after.cost_usd) == (Decimal("0.2"), Decimal("0.1"))


@pytest.mark.parametrize(
    ("model", "at", "cost"),
    [
        ("claude-opus-4-6", "2026-02-06T23:59:59Z", None),
        ("claude-opus-4-6", "2026-02-07T00:00:00Z", "15"),
        ("claude-opus-4-6", "2026-02-17T07:59:59Z", "15"),
        ("claude-opus-4-6", "2026-02-17T08:00:00Z", "30"),
        ("claude-opus-4-7", "2026-07-24T23:59:59Z", "30"),
        ("claude-opus-4-7", "2026-07-25T00:00:00Z", None),
        ("claude-opus-4-8", "2026-08-01T00:00:00Z", "10"),
    ],
)
def test_fast_mode_of_the_older_opus(model: str, at: str, cost: str | None) -> None:
    # Five messages of 200,000 tokens: one million, none of them a long prompt.
    usage = {"input_tokens": 200_000, "output_tokens": 0, "speed": "fast"}
    priced = price_call("anthropic", model, usage, at=at)
    assert priced.cost_usd == (None if cost is None else Decimal(cost) / 5)


@pytest.mark.parametrize(("prompt", "rate"), [(272_000, "2.5"), (272_001, "5")])
def test_writes_for_twelve_hours_cost_twice_the_input(prompt: int, rate: str) -> None:
    details = {"cache_write_tokens": 1000, "cache_write_tokens_details": {"ttl_12h_tokens": 1000}}
    usage = {"input_tokens": prompt, "output_tokens": 0, "input_tokens_details": details}
    priced = price_call("openai", "gpt-6.1-terra", usage, at="2026-11-10", tier="default")
    (line,) = [line for line in priced.lines if line.meter == "cache_write_12h"]
    assert (line.price_usd_per, line.status) == (f"{rate} per 1M", priced.status)


@pytest.mark.parametrize(
    ("model", "region", "cost", "status"),
    [
        ("claude-sonnet-4-5@20250929", "global", "0.3", "exact"),
        ("claude-sonnet-4-5@20250929", "us-east5", "0.33", "exact"),
        ("claude-sonnet-4-5@20250929", "europe-west1", "0.33", "exact"),
        ("claude-sonnet-4-5@20250929", "eu", "0.33", "exact"),
        ("claude-sonnet-4-5@20250929", None, "0.3", "assumed"),
        ("claude-3-7-sonnet@20250219", "us-east5", "0.3", "exact"),
        ("claude-opus-4-6", "global", "0.5", "exact"),
        ("gemini-2.5-flash", "us-central1", "0.03", "exact"),
    ],
)
def test_claude_in_a_region_of_vertex_costs_ten_percent_more(
    model: str, region: str | None, cost: str, status: str
) -> None:
    usage = {"input_tokens": 100_000, "output_tokens": 0}
    priced = price_call("google", model, usage, at="2026-05-01", tier="standard", region=region)
    assert (priced.cost_usd, priced.status) == (Decimal(cost), status)


def test_the_long_prompts_of_opus_on_vertex_end_with_their_tier() -> None:
    usage = {"input_tokens": 300_000, "output_tokens": 0}
    for at, cost in (("2026-03-12T23:59:59Z", "3"), ("2026-03-13T00:00:00Z", "1.5")):
        priced = price_call("google", "claude-opus-4-6", usage, at=at, region="global")
        assert priced.cost_usd == Decimal(cost)


@pytest.mark.parametrize(("tokens", "usd"), [(256_000, "0.0128"), (256_001, "0.06400025")])
def test_alibabas_prices_are_those_of_one_deployment_and_say_so(tokens: int, usd: str) -> None:
    call = price_call("dashscope", "qwen-flash", {"input_tokens": tokens, "output_tokens": 0})
    assert (call.cost_usd, call.status) == (Decimal(usd), "assumed")
