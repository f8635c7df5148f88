"""A parsed card file becomes a card: its variants, their prices and the offers on other cards.

Published prices come first, then those that multiply them: tiers are factors on the standard
price, regions factors on every tier, so half price in a region that costs 1.1 times is 0.55.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from pricing.cards.model import Card, Offer, Source
from pricing.cards.values import Values
from pricing.meters import BY_PRICE_KEY, METERS
from pricing.money import EXACT, InexactPrice, pico_per_unit_rounded, published_pico
from pricing.rates import EPOCH, Rate, close_open_ends
from pricing.variants import Variant

_TOP_KEYS = {
    "schema", "seller", "name", "kind", "recorded", "tier_aliases", "sources", "variant", "offer",
    "note",
}  # fmt: skip
_VARIANT_KEYS = {
    "id", "maker", "family", "role", "name", "aliases", "context", "max_output", "efforts",
    "endpoints", "cache", "released", "retired", "successor", "note", "price",
}  # fmt: skip
_PRICE_KEYS = {
    "from", "to", "tier", "tiers", "region", "regions", "above", "at_least", "weekdays", "hours",
    "source", "checked", "recorded", "in_force", "assumed", "note", "multiply", "meters",
    "negotiated",
} | set(BY_PRICE_KEY)  # fmt: skip
_SOURCE_KEYS = {"url", "checked", "note"}
_OFFER_KEYS = {
    "of", "factor", "variants", "tiers", "meters", "from", "to", "source", "checked", "recorded",
    "in_force", "negotiated", "note",
}  # fmt: skip


class CardReader(Values):
    """Reads one parsed file."""

    def card(self, lazy: bool) -> Card:
        """The whole file; with `lazy`, prices are read when they are asked for."""
        self.keys(self.data, _TOP_KEYS)
        if self.data.get("schema") != 1:
            raise self.fail("the first line must say `schema = 1`")
        seller = self.data.get("seller")
        if not isinstance(seller, str) or not seller:
            raise self.fail("`seller` is missing")
        self.recorded = self.instant(self.data.get("recorded", EPOCH.date()), "recorded")
        for name, s in self.tables("sources", dict).items():
            self.place = f"source {name}"
            self.keys(s, _SOURCE_KEYS)
            self.sources[name] = Source(s.get("url", ""), s.get("checked"), s.get("note", ""))
        self.place = ""
        card = Card(
            seller,
            self.data.get("name", seller),
            self.origin,
            self.data.get("kind", "maker"),
            dict(self.data.get("tier_aliases", {})),
        )
        for table in self.tables("variant", list):
            name = self.variant(card, table)
            card.waiting[name] = partial(self.rates, card.seller, name, table)
            if not lazy:
                card.rates_of(name)
        for number, table in enumerate(self.tables("offer", list), 1):
            self.place = f"offer {number}"
            card.offers.append(self.offer(card, table))
        self.place = ""
        return card

    def variant(self, card: Card, table: dict[str, Any]) -> str:
        """Add a variant and its names to the card; its id."""
        name = table.get("id")
        if not isinstance(name, str) or not name:
            raise self.fail("a [[variant]] has no `id`")
        self.place = f"variant {name}"
        self.keys(table, _VARIANT_KEYS)
        if name in card.variants:
            raise self.fail("is listed twice")
        card.variants[name] = Variant(
            id=name,
            maker=table.get("maker", card.seller),
            family=table.get("family", ""),
            role=table.get("role", ""),
            name=table.get("name", name),
            context_window=table.get("context"),
            max_output=table.get("max_output"),
            efforts=tuple(table.get("efforts", ())),
            endpoints=tuple(table.get("endpoints", ())),
            cache_rule=table.get("cache", ""),
            released=table.get("released"),
            retired=table.get("retired"),
            successor=table.get("successor", ""),
            note=table.get("note", ""),
            origin=self.origin,
        )
        for alias in (name, *table.get("aliases", ())):
            held = card.aliases.setdefault(alias.lower(), name)
            if held != name:
                raise self.fail(f"alias {alias!r} already belongs to {held}")
        return name

    def rates(self, seller: str, name: str, table: dict[str, Any]) -> list[Rate]:
        """All rates of a [[variant]]: the published ones, then those derived from them."""
        published: list[Rate] = []
        derived: list[tuple[int, dict[str, Any]]] = []
        for number, block in enumerate(table.get("price", []), 1):
            self.place = f"variant {name}, price {number}"
            self.keys(block, _PRICE_KEYS)
            self.exclusive(block)
            if "multiply" in block:
                derived.append((number, block))
            else:
                published += self.prices(seller, name, block)
        published = close_open_ends(published)
        rates = list(published)
        # Tiers are factors on the standard price, regions factors on every tier: in that order.
        derived.sort(key=lambda item: "regions" in item[1] or "region" in item[1])
        for number, block in derived:
            self.place = f"variant {name}, price {number}"
            rates += self.multiplied(block, published, rates)
        return rates

    def exclusive(self, block: dict[str, Any]) -> None:
        """Refuse keys that would be passed over in silence beside others."""
        if "multiply" in block:
            barred = [*BY_PRICE_KEY, "above", "at_least", "weekdays", "hours"]
            why = "a factor keeps the meters, prompt sizes and hours of the prices it multiplies"
        else:
            barred, why = ["meters"], "`meters` chooses what `multiply` multiplies"
        for key in barred:
            if key in block:
                raise self.fail(f"`{key}` does not belong here: {why}")
        for one, many in (("tier", "tiers"), ("region", "regions"), ("above", "at_least")):
            if one in block and many in block:
                raise self.fail(f"`{one}` and `{many}` exclude each other")

    def prices(self, seller: str, variant: str, block: dict[str, Any]) -> list[Rate]:
        """A published price block's rates: one a meter, tier and region."""
        common = self.conditions(block)
        tiers = self.tiers(block) or ("standard",)
        regions = self.regions(block) or ("",)
        found = [(BY_PRICE_KEY[k], v) for k, v in block.items() if k in BY_PRICE_KEY]
        if not found:
            raise self.fail("states no price")
        out: list[Rate] = []
        for meter, text in found:
            try:
                price, rounded = published_pico(self.decimal(text, meter.price_key), meter.per)
            except InexactPrice as error:
                raise self.fail(
                    f"{meter.price_key} = {text!r} is finer than a pico-dollar a {meter.unit}: "
                    f"{error}"
                ) from error
            out += [
                Rate(
                    seller,
                    variant,
                    meter.name,
                    price,
                    tier=tier,
                    region=region,
                    rounded=rounded,
                    **common,
                )
                for tier in tiers
                for region in regions
            ]
        return out

    def multiplied(
        self, block: dict[str, Any], published: Sequence[Rate], so_far: Sequence[Rate]
    ) -> list[Rate]:
        """Rates that a factor makes of those in force: of the published standard prices for a tier,
        of all so far for a region."""
        factor = self.decimal(block["multiply"], "multiply")
        window = self.conditions(block)
        regions = self.regions(block)
        tiers = self.tiers(block)
        meters = self.meters(block)
        base = [
            r
            for r in (so_far if regions else published)
            if r.region == "" and r.in_force and METERS[r.meter].direction != "extra"
            and (not meters or r.meter in meters)
            and ((not tiers or r.tier in tiers) if regions else r.tier == "standard")
        ]  # fmt: skip
        out: list[Rate] = []
        for rate in base:
            start = max(rate.valid_from, window["valid_from"])
            end = min(rate.valid_to, window["valid_to"])
            if start >= end:
                continue
            amount = EXACT.multiply(EXACT.scaleb(Decimal(rate.price), -12), factor)
            price, rounded = pico_per_unit_rounded(amount, 1)
            for tier in (rate.tier,) if regions else tiers or ("standard",):
                for region in regions or ("",):
                    out.append(
                        replace(
                            rate, price=price, rounded=rounded, tier=tier, region=region,
                            valid_from=start, valid_to=end, source=window["source"],
                            checked=window["checked"], recorded_at=window["recorded_at"],
                            in_force=window["in_force"], assumed=window["assumed"],
                            note=window["note"] or f"{factor} x standard",
                            negotiated=window["negotiated"], rate_id="",
                        )
                    )  # fmt: skip
        if not out:
            raise self.fail("multiplies nothing: no published price overlaps its dates")
        return out

    def offer(self, card: Card, table: dict[str, Any]) -> Offer:
        """An [[offer]]: a dated factor on another seller's card."""
        self.keys(table, _OFFER_KEYS)
        for key in ("of", "factor", "from"):
            if key not in table:
                raise self.fail(f"`{key}` is missing")
        window = self.conditions(table)
        return Offer(
            seller=card.seller,
            of=table["of"],
            factor=self.decimal(table["factor"], "factor"),
            variants=tuple(v.lower() for v in table.get("variants", ("*",))),
            tiers=self.tiers(table),
            meters=self.meters(table),
            valid_from=window["valid_from"],
            valid_to=window["valid_to"],
            source=Source(window["source"], window["checked"]),
            recorded_at=window["recorded_at"],
            in_force=window["in_force"],
            negotiated=window["negotiated"],
            origin=self.origin,
            note=window["note"],
        )
