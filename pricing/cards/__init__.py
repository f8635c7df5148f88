"""Rate-card files: one TOML file a seller, read into rates, variants and offers.

A card file says who sells, from which sources, which variants, at which prices from when:

    schema = 1
    seller = "openai"
    recorded = 2026-11-21

    [sources.list]
    url = "https://openai.com/api/pricing/"
    checked = 2026-11-20

    [[variant]]
    id = "gpt-5.2"
    maker = "openai"
    context = 400_000
    aliases = ["gpt-5.2-2025-12-11"]

      [[variant.price]]              # USD per 1M tokens (per 1,000 searches), as strings
      from = 2025-12-11
      source = "list"
      input = "1.75"
      cache_read = "0.175"
      output = "14"

      [[variant.price]]              # half the standard price on two tiers
      tiers = ["batch", "flex"]
      from = 2025-12-11
      source = "list"
      multiply = "0.5"

A price block may carry `above = 272_000` or `at_least = 200_000` (total input tokens, moving the
whole request), `regions`, `weekdays` and `hours` (UTC), `to`, `in_force = false` (a claim that is
recorded but contradicted), `negotiated = true`. A reseller's file has `[[offer]]` blocks instead:
a dated factor on another seller's card. Prices are strings because TOML floats are binary.
"""

from __future__ import annotations

from pricing.cards.files import load_card, parse_card, shipped_cards, shipped_texts
from pricing.cards.model import Card, CardError, Offer, Source

__all__ = [
    "Card",
    "CardError",
    "Offer",
    "Source",
    "load_card",
    "parse_card",
    "shipped_cards",
    "shipped_texts",
]
