"""From a call's names to its card: tiers, regions, sellers, discounts, what was known when."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from pricing import genai
from pricing.cards import parse_card
from pricing.catalogue import CardKey, Catalogue, default_catalogue
from pricing.estimator import price_call
from pricing.rates import compile_card
from tests.books import ACME, small_catalogue

DAY = datetime(2026, 2, 20)
MILLION = {"prompt_tokens": 1_000_000, "completion_tokens": 0}


@pytest.mark.parametrize(
    ("tier", "card", "status"),
    [
        (None, "standard", "assumed"),
        ("auto", "standard", "assumed"),
        ("default", "standard", "assumed"),
        ("batch", "batch", "assumed"),
        ("slow", "flex", "assumed"),
        ("turbo", None, "unpriced"),
    ],
)
def test_tiers(tier: str | None, card: str | None, status: str) -> None:
    # Every route of this variant is at most `assumed`: no region is stated and eu has a price.
    route = small_catalogue().route("acme", "tiered", tier=tier)
    assert (route.card.tier if route.card else None, route.status) == (card, status)
    assert ("tier" in route.reason) == (tier in (None, "auto", "turbo"))


@pytest.mark.parametrize(
    ("region", "place", "status"),
    [(None, "", "assumed"), ("eu", "eu", "exact"), ("EU-west-1", "eu", "exact"),
     ("us", "", "exact")],
)  # fmt: skip
def test_regions(region: str | None, place: str, status: str) -> None:
    route = small_catalogue().route("acme", "tiered", tier="standard", region=region)
    assert route.card == CardKey("acme", "tiered", "standard", place)
    assert route.status == status


def test_names_resolve_by_rule_and_never_by_likeness() -> None:
    book = small_catalogue()
    for name in ("plain", "PLAIN", "plain-latest", "plain-2026-01-01", "acme/plain"):
        assert book.resolve("acme", name) == "plain"
    for name in ("plain2", "plai", "plain-mini", "", " "):
        assert book.resolve("acme", name) is None


def test_an_unknown_name_says_what_is_unknown() -> None:
    book = small_catalogue()
    assert book.route("acme", "x").reason == "model 'x' is on no card of seller 'acme'"
    assert book.route("nobody", "x").reason == "no card for seller 'nobody'"
    assert book.route("acme", None).reason == "the record names no model"
    assert book.route("acme", " ").reason == "the record names no model"
    assert "ft:" in book.route("acme", "ft:plain:org::1").reason


def test_an_offer_covers_what_it_names() -> None:
    book = small_catalogue()
    assert book.route("gate", "plain").status == "exact"
    assert book.route("gate", "hourly").status == "unpriced"
    assert "hourly" not in book.listed("gate")


def test_a_discount_holds_from_its_date_and_list_prices_stay_visible() -> None:
    book = small_catalogue(factor="0.85")
    before, after = (
        price_call("acme", "plain", MILLION, at, catalogue=book).cost_usd
        for at in (datetime(2026, 2, 9, 23, 59, 59), datetime(2026, 2, 10))
    )
    assert (before, after) == (Decimal("1.75"), Decimal("1.4875"))
    card = CardKey("acme", "plain", "standard", "")
    listed = {v.price("input_uncached") for v in book.vectors(card, list_prices=True)}
    assert listed == {1_750_000, 1_250_000}


def test_a_user_card_of_a_known_seller_is_a_negotiated_price() -> None:
    own = ACME.replace('"1.75"', '"1.5"').replace("recorded = 2026-01-01", "recorded = 2026-01-02")
    book = Catalogue([parse_card(ACME, "a")], user_cards=[parse_card(own, "mine")], packaged=False)
    assert price_call("acme", "plain", MILLION, DAY, catalogue=book).cost_usd == Decimal("1.5")


def test_as_known_then() -> None:
    later = """
schema = 1
seller = "acme"
recorded = 2026-02-15
[[variant]]
id = "late"
  [[variant.price]]
  from = 2026-01-01
  source = "https://acme.example"
  input = "3"
"""
    book = Catalogue([parse_card(later, "later")], packaged=False)
    known = price_call("acme", "late", MILLION, DAY, catalogue=book).cost_usd
    then = price_call(
        "acme", "late", MILLION, DAY, catalogue=book, known_at=datetime(2026, 2, 14, 23)
    )
    assert known == Decimal(3)
    assert (then.cost_usd, then.status) == (None, "unpriced")
    assert "known" in then.reason


def test_the_version_changes_with_anything_that_decides_a_price() -> None:
    same, again = small_catalogue(), small_catalogue()
    assert same.version == again.version
    others = [
        small_catalogue(factor="0.85"),
        small_catalogue(factor="0.84"),
        small_catalogue(fallbacks=True),
        small_catalogue(cards=[ACME]),
        small_catalogue(cards=[ACME.replace('"1.75"', '"1.76"')]),
        small_catalogue(cards=[ACME.replace('"plain-latest"', '"plain-old"')]),
    ]
    assert len({same.version, *(o.version for o in others)}) == len(others) + 1


def test_vectors_never_overlap() -> None:
    for book, sellers in ((small_catalogue(), ["acme", "gate"]), (default_catalogue(), ["openai"])):
        for seller in sellers:
            for name in book.listed(seller):
                for tier in book.tiers(seller, name):
                    vectors = book.vectors(CardKey(seller, name, tier, ""))
                    for n, a in enumerate(vectors):
                        for b in vectors[n + 1 :]:
                            assert not (
                                a.valid_from < b.valid_to
                                and b.valid_from < a.valid_to
                                and a.min_input < b.max_input
                                and b.min_input < a.max_input
                                and a.weekdays & b.weekdays
                                and a.minute_from < b.minute_to
                                and b.minute_from < a.minute_to
                            ), (seller, name, tier, a, b)


def test_a_fine_tuned_model_has_the_fine_tuned_price_of_its_base() -> None:
    book = default_catalogue()
    for model, variant in (
        ("ft:gpt-4o-mini-2024-07-18:acme::7p4lURel", "ft:gpt-4o-mini"),
        ("ft:gpt-4o-2024-08-06:acme:support:7p4lURel", "ft:gpt-4o"),
        ("ft:gpt-3.5-turbo-0125:acme::7p4lURel", "ft:gpt-3.5-turbo"),
    ):
        assert book.route("openai", model).variant == variant
    # Never the price of the base itself, where no fine-tuned price is published.
    assert book.route("openai", "ft:gpt-5.2:acme::7p4lURel").status == "unpriced"


@pytest.mark.parametrize(
    ("seller", "model", "variant"),
    [
        ("openrouter", "gpt-5.2", "gpt-5.2"),
        ("openrouter", "openai/gpt-5.2", "gpt-5.2"),
        ("openrouter", "claude-opus-4-5", "claude-opus-4-5"),
        ("openrouter", "claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("openrouter", "anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("openrouter", "gpt-9-ultra", None),
        ("openai", "claude-opus-4-5", None),
    ],
)
def test_a_makers_own_name_at_a_gateway(seller, model, variant) -> None:
    assert default_catalogue().resolve(seller, model) == variant


@pytest.mark.parametrize(
    ("seller", "model", "hint"),
    [
        ("openai", "gpt-5.2o", "(the nearest name there is 'gpt-5.2')"),
        ("openai", "claude-sonnet-4-5", "(it is on that of 'anthropic')"),
        ("openai", "nightjar-preview", "on no card of seller 'openai'"),
    ],
)
def test_an_unknown_name_is_unpriced_and_told_what_it_may_mean(
    seller: str, model: str, hint: str
) -> None:
    priced = price_call(seller, model, MILLION, at=DAY)
    assert (priced.cost_usd, priced.status) == (None, "unpriced")
    assert priced.reason.endswith(hint)


def test_openrouters_shortcuts_are_the_model_and_assumed() -> None:
    plain = price_call("openrouter", "openai/gpt-5.2", MILLION, at=DAY)
    for shortcut in ("nitro", "floor", "exacto"):
        priced = price_call("openrouter", f"openai/gpt-5.2:{shortcut}", MILLION, at=DAY)
        assert (priced.cost_usd, priced.status) == (plain.cost_usd, "assumed")
    for other in ("online", "free", "nitrogen"):
        assert price_call("openrouter", f"openai/gpt-5.2:{other}", MILLION, at=DAY).cost_usd is None
    assert price_call("openai", "gpt-5.2:nitro", MILLION, at=DAY).cost_usd is None


def test_a_dated_entry_of_the_package_replaces_the_one_before_it_whole() -> None:
    from genai_prices.types import (
        ConditionalPrice,
        ModelPrice,
        StartDateConstraint,
        Tier,
        TieredPrices,
    )

    long = TieredPrices(base=Decimal(5), tiers=[Tier(start=200_000, price=Decimal(10))])
    entries = [
        ConditionalPrice(prices=ModelPrice(input_mtok=long, cache_read_mtok=Decimal(1))),
        ConditionalPrice(
            constraint=StartDateConstraint(start_date=date(2026, 3, 13)),
            prices=ModelPrice(input_mtok=Decimal(4)),
        ),
    ]
    model = SimpleNamespace(prices=entries, price_variants=None)
    rates = genai.model_rates("acme", "m", model, "source")
    vectors = compile_card(rates)
    for at, tokens, meter, price in [
        (datetime(2026, 3, 12, 23), 200_001, "input_uncached", 10_000_000),
        (datetime(2026, 3, 13), 200_001, "input_uncached", 4_000_000),
        (datetime(2026, 3, 12, 23), 1, "cache_read", 1_000_000),
        (datetime(2026, 3, 13), 1, "cache_read", 4_000_000),  # its parent's: none of its own
    ]:
        (vector,) = [v for v in vectors if v.covers(at, tokens)]
        assert vector.prices[meter].price == price
