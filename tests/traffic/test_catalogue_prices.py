"""Rate sheets read from a catalogue built of a small card."""

from __future__ import annotations

from datetime import date

from ingest.traffic.catalogue_prices import CataloguePrices
from pricing.cards import parse_card
from pricing.catalogue import Catalogue

CARD = """
schema = 1
seller = "openai"
recorded = 2026-01-01
[sources.list]
url = "https://example.org/prices"
[[variant]]
id = "m-1"
maker = "openai"
context = 400_000
max_output = 128_000
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  input = "2"
  cache_read = "0.2"
  output = "10"
  [[variant.price]]
  above = 272_000
  from = 2026-01-01
  source = "list"
  input = "4"
  cache_read = "0.4"
  output = "15"
  [[variant.price]]
  tier = "batch"
  from = 2026-01-01
  source = "list"
  multiply = "0.5"
"""


def test_bands_tiers_and_facts():
    prices = CataloguePrices(Catalogue([parse_card(CARD, "card.toml")], packaged=False))
    sheet = prices.sheet("m-1", date(2026, 6, 1))
    assert sheet is not None
    assert (sheet.seller, sheet.context_window, sheet.max_output) == ("openai", 400_000, 128_000)
    small, large = sorted(sheet.bands, key=lambda b: b.min_input)
    assert (small.max_input, large.min_input) == (272_001, 272_001)
    assert small.price("cache_read") == 200_000
    assert large.price("input_uncached") == 4_000_000
    # No price of their own: writes cost input, reasoning costs output.
    assert small.price("cache_write_5m") == 2_000_000
    assert large.price("reasoning") == 15_000_000
    batch = prices.sheet("m-1", date(2026, 6, 1), "batch")
    assert batch is not None
    assert batch.bands[0].price("output_text") == 5_000_000


def test_what_is_not_priced_is_none():
    prices = CataloguePrices(Catalogue([parse_card(CARD, "card.toml")], packaged=False))
    assert prices.sheet("m-2", date(2026, 6, 1)) is None
    assert prices.sheet("m-1", date(2025, 6, 1)) is None
    assert prices.sheet("m-1", date(2026, 6, 1), "flex") is None


GATEWAY = CARD.replace('seller = "openai"', 'seller = "gate"').replace('input = "2"', 'input = "1"')


def test_other_sellers_are_all_that_list_the_variant_but_the_one_in_use():
    cards = [parse_card(CARD, "card.toml"), parse_card(GATEWAY, "gate.toml")]
    prices = CataloguePrices(Catalogue(cards, packaged=False))
    assert prices.sellers_of("m-1") == ["gate"]
    assert prices.sellers_of("m-1", "gate") == ["openai"]
    assert prices.sellers_of("gate/m-1") == ["openai"]
    assert prices.sellers_of("gate/m-1", "openai") == ["gate"]
    assert prices.sellers_of("m-2") == []


def test_a_seller_stated_apart_beats_the_one_in_the_name():
    cards = [parse_card(CARD, "card.toml"), parse_card(GATEWAY, "gate.toml")]
    prices = CataloguePrices(Catalogue(cards, packaged=False))
    day = date(2026, 6, 1)
    for variant, seller, input_price in (
        ("gate/m-1", None, 1_000_000), ("gate/m-1", "openai", 2_000_000),
        ("m-1", None, 2_000_000), ("m-1", "gate", 1_000_000),
    ):  # fmt: skip
        sheet = prices.sheet(variant, day, "standard", seller)
        assert sheet is not None
        assert min(b.price("input_uncached") or 0 for b in sheet.bands) == input_price
    assert prices.sheet("gate/m-1", day, "standard", "elsewhere") is None
