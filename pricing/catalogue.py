"""The catalogue: every seller's cards in one place, and the road from a call to its card.

It joins the shipped card files, a user's own files and discounts, and the genai-prices package.
Our own file for a (seller, variant) replaces what the package says of it: one table decides.

A *route* is the answer to "which card prices this call?", found once for each distinct
(provider, seller, model, tier, region) and then reused for millions of calls:

>>> route = default_catalogue().route("openai", "gpt-5.2-2025-12-11", tier="default")
>>> route.variant, route.card.tier, route.status
('gpt-5.2', 'standard', 'exact')
>>> default_catalogue().route("openai", "gpt-5.2-turbo").reason
"model 'gpt-5.2-turbo' is on no card of seller 'openai' (the nearest name there is 'gpt-35-turbo')"
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pricing import genai
from pricing.cards import Card, Offer, Source, load_card, shipped_texts
from pricing.meters import normal_tier
from pricing.naming import Names, dashed
from pricing.rates import EPOCH, FOREVER, Rate, RateVector, compile_card
from pricing.shelf import Shelf
from pricing.variants import Variant, candidates, cloud_region, normal_seller

Status = Literal["exact", "assumed", "fallback", "unpriced"]

_GOVERNMENT = "us-gov"
# A region's first syllable, and the area its seller prices: ap-northeast-1 lies in `apac`.
_AREAS = {"ap": "apac"}


class CardKey(NamedTuple):
    """Which card: a seller's price of a variant on a tier, in a region ("" = everywhere else)."""

    seller: str
    variant: str
    tier: str
    region: str


@dataclass(frozen=True, slots=True)
class Route:
    """How calls with one (provider, seller, model, tier, region) are priced.

    `card` is None exactly when `status` is "unpriced"; `reason` says in words why the status is
    not "exact".
    """

    provider: str
    seller: str
    model: str
    tier: str | None
    region: str | None
    variant: str | None
    card: CardKey | None
    status: Status
    reason: str = ""


class Catalogue:
    """All cards, and how names find them. Immutable once built; safe to share between threads."""

    def __init__(
        self,
        cards: Iterable[Card],
        *,
        user_cards: Iterable[Card] = (),
        discounts: Iterable[Offer] = (),
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        packaged: bool = True,
        texts: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Build from card files, and from `texts` of card files (text, origin) by seller that are
        parsed when needed. `fallbacks` names sellers whose card may stand in, per seller:
        only then is a call ever priced by another seller's card. `packaged` adds genai-prices."""
        self._cards = Shelf(cards, texts or {}, discounts)
        for card in user_cards:
            known = card.seller in self._cards
            if known:
                card.priced = {
                    variant: [
                        replace(r, negotiated=True, rate_id="") for r in card.rates_of(variant)
                    ]
                    for variant in card.variants
                }
                card.offers = [replace(o, negotiated=True) for o in card.offers]
            self._cards.add(card)
        self._fallbacks = {k: tuple(v) for k, v in (fallbacks or {}).items()}
        self._packaged = packaged
        self._names = Names(self._cards, packaged=packaged)
        self._rates: dict[tuple[str, str], list[Rate]] = {}
        self._compiled: dict[tuple[CardKey, datetime | None, bool], tuple[RateVector, ...]] = {}

    # --- names -----------------------------------------------------------------------------

    def sellers(self) -> list[str]:
        """Every seller that has a card."""
        return self._names.sellers()

    def resolve(self, seller: str, model: str) -> str | None:
        """The variant that `model` means at `seller`, or None when no card lists it."""
        return self._names.resolve(seller, model)

    def sellers_of(self, model: str) -> list[str]:
        """Sellers whose cards list a model under this name: its maker first, then by name."""
        return self._names.sellers_of(model)

    def variant(self, name: str, seller: str | None = None) -> Variant | None:
        """What is known of a variant; `seller` decides between gateways that list it alone."""
        return self._names.variant(name, seller)

    # --- rates -----------------------------------------------------------------------------

    def rates(self, seller: str, variant: str) -> list[Rate]:
        """Every rate ever recorded of a variant at a seller, contradicted claims included."""
        key = (seller, variant)
        if key not in self._rates:
            self._rates[key] = self._collect(seller, variant)
        return self._rates[key]

    def _collect(self, seller: str, variant: str) -> list[Rate]:
        own = [r for card in self._cards.get(seller, ()) for r in card.rates_of(variant)]
        if not any(not r.negotiated for r in own):
            for offer in self._cards.offers(seller):
                if offer.of != seller and offer.covers(variant):
                    listed = [r for r in self.rates(offer.of, variant) if not r.negotiated]
                    own += offer.apply(listed)
        if not any(not r.negotiated for r in own) and self._packaged:
            own += self._packaged_rates(seller, variant)
        for offer in self._cards.offers(seller):
            if offer.of == seller:
                listed = [r for r in own if not r.negotiated]
                own += [replace(r, negotiated=True, rate_id="") for r in offer.apply(listed)]
        return own

    def _packaged_rates(self, seller: str, variant: str) -> list[Rate]:
        packaged = genai.listing(seller)
        if packaged is None:
            return []
        if variant in packaged.models and self._names.global_id(seller, variant) == variant:
            return packaged.rates(variant, variant)
        name = dashed(variant)
        for local in packaged.models:
            if dashed(local).endswith(name) and self._names.global_id(seller, local) == variant:
                return packaged.rates(local, variant)
        return []

    def listed(self, seller: str) -> list[str]:
        """The variants a seller's cards list (offers expanded), sorted."""
        names = {v for card in self._cards.get(seller, ()) for v in card.variants}
        for offer in self._cards.offers(seller):
            if offer.of != seller:
                names |= {v for v in self.listed(offer.of) if offer.covers(v)}
        packaged = genai.listing(seller) if self._packaged else None
        if packaged is not None:
            shadowed = {a for card in self._cards.get(seller, ()) for a in card.aliases}
            names |= {
                self._names.global_id(seller, v) for v in packaged.models if v not in shadowed
            }
        return sorted(names)

    def all_rates(self) -> Iterator[Rate]:
        """Every rate of every seller: some ten thousand rows."""
        for seller in self.sellers():
            for variant in self.listed(seller):
                yield from self.rates(seller, variant)

    def tiers(self, seller: str, variant: str) -> list[str]:
        """Tiers that have a price of their own, in force at some time."""
        return sorted({r.tier for r in self.rates(seller, variant) if r.in_force})

    def regions(self, seller: str, variant: str) -> list[str]:
        """Regions that have a price of their own; "" is not among them."""
        return sorted({r.region for r in self.rates(seller, variant) if r.in_force and r.region})

    def vectors(
        self, card: CardKey, *, known_at: datetime | None = None, list_prices: bool = False
    ) -> tuple[RateVector, ...]:
        """The compiled card. `known_at` ignores what was recorded later (naive UTC);
        `list_prices` ignores negotiated rates."""
        key = (card, known_at, list_prices)
        if key not in self._compiled:
            rates = [
                r
                for r in self.rates(card.seller, card.variant)
                if (known_at is None or r.recorded_at <= known_at)
                and not (list_prices and r.negotiated)
            ]
            own = [r for r in rates if (r.tier, r.region) == (card.tier, card.region)]
            base = [r for r in rates if (r.tier, r.region) == ("standard", "")]
            self._compiled[key] = tuple(
                compile_card(own, [] if (card.tier, card.region) == ("standard", "") else base)
            )
        return self._compiled[key]

    # --- routes ----------------------------------------------------------------------------

    def route(
        self,
        provider: str,
        model: str | None,
        *,
        seller: str | None = None,
        tier: str | None = None,
        region: str | None = None,
    ) -> Route:
        """Find the card for calls of this kind; see `Route`. Never raises for unknown names."""
        vendor = normal_seller(seller or provider)

        def unpriced(reason: str, variant: str | None = None) -> Route:
            return Route(
                provider, vendor, model or "", tier, region, variant, None, "unpriced", reason
            )

        if not model or not model.strip():
            return unpriced("the record names no model")
        if not vendor:
            return unpriced("the record names no provider")
        reasons: list[str] = []
        status: Status = "exact"
        billing = vendor
        variant = self.resolve(vendor, model)
        plain, _, shortcut = model.rpartition(":")
        if variant is None and vendor == "openrouter" and shortcut in _ROUTING:
            variant = self.resolve(vendor, plain)
            if variant is not None:
                status = "assumed"
                reasons.append(f"':{shortcut}' chooses among hosts: the model's base price assumed")
        if variant is None:
            for other in self._fallbacks.get(vendor, ()):
                variant = self._names.at_maker(other, candidates(model))
                if variant is not None:
                    billing, status = other, "fallback"
                    reasons.append(f"priced by the card of {other!r}, as the settings ask")
                    break
        if variant is None:
            if not self._cards.get(vendor) and vendor not in self.sellers():
                return unpriced(f"no card for seller {vendor!r}")
            kind = "fine-tuned model" if model.startswith("ft:") else "model"
            why = f"{kind} {model!r} is on no card of seller {vendor!r}"
            return unpriced(why + self._names.hint(vendor, model, self.listed))
        tiers = self.tiers(billing, variant)
        if not tiers:
            return unpriced(f"{variant!r} has no published price at {billing!r}", variant)
        wanted = normal_tier(tier)
        if wanted is not None:
            wanted = self._tier_alias(billing, wanted, tiers)
        if wanted is None:
            wanted = "standard"
            if tiers != ["standard"]:
                status = "assumed" if status == "exact" else status
                reasons.append("tier not stated, standard assumed")
        if wanted not in tiers:
            return unpriced(
                f"tier {wanted!r} has no price for {variant!r} at {billing!r} "
                f"(it has {', '.join(tiers)})",
                variant,
            )
        place, guess = self._region(billing, variant, wanted, region or cloud_region(model))
        if guess:
            status = "assumed" if status == "exact" else status
            reasons.append(guess)
        card = CardKey(billing, variant, wanted, place)
        return Route(
            provider, vendor, model, tier, region, variant, card, status, "; ".join(reasons)
        )

    def _tier_alias(self, seller: str, tier: str, tiers: list[str]) -> str:
        if tier in tiers:
            return tier
        for card in self._cards.get(seller, ()):
            if tier in card.tier_aliases:
                return card.tier_aliases[tier]
        return tier

    def _region(self, seller: str, variant: str, tier: str, region: str | None) -> tuple[str, str]:
        """The card's region for a reported one, and what had to be assumed about it ("": nothing).

        A region that the card does not name pays the price without a region: that is what the
        price means. A government cloud is the exception, since no seller charges there what it
        charges elsewhere.
        """
        name = (region or "").strip().lower()
        priced = {
            r.region
            for r in self.rates(seller, variant)
            if r.in_force and r.region and r.tier == tier
        }
        if name.startswith(_GOVERNMENT):
            if _GOVERNMENT in priced:
                return _GOVERNMENT, ""
            return "", "no price for the government cloud, the commercial one assumed"
        if not priced:
            return "", ""
        if name in ("", "not_available", "unknown"):
            return "", "region not stated, the seller's base price assumed"
        area = name.split("-")[0]
        for form in (name, area, _AREAS.get(area, area)):
            if form in priced:
                return form, ""
        return "", ""

    @property
    def version(self) -> str:
        """A short name of everything that decides prices: a store re-routes when it changes."""
        digest = hashlib.sha256()
        for seller in sorted(self._cards):
            for card in self._cards[seller]:
                for rate in card.rates:
                    digest.update(f"{rate.rate_id}{rate.negotiated}{rate.assumed}".encode())
                digest.update(repr((sorted(card.aliases.items()), card.tier_aliases)).encode())
                digest.update(repr(card.offers).encode())
        digest.update(repr((self._cards.discounts, sorted(self._fallbacks.items()))).encode())
        if self._packaged:
            digest.update(genai.catalogue_version().encode())
        return digest.hexdigest()[:16]


_ROUTING = ("nitro", "floor", "exacto")
"""What OpenRouter takes after a model's name to sort its hosts: the model is the same."""


def discount(seller: str, factor: Decimal, *, since: datetime = EPOCH) -> Offer:
    """A discount from the settings: all of a seller's token prices times `factor`."""
    return Offer(
        seller=seller, of=seller, factor=factor, variants=("*",), tiers=(), meters=(),
        valid_from=since, valid_to=FOREVER, source=Source("contract"), recorded_at=EPOCH,
        negotiated=True, origin="settings", note=f"{factor} of the list price (settings)",
    )  # fmt: skip


def build_catalogue(
    *,
    card_files: Iterable[Path] = (),
    discounts: dict[str, Decimal] | None = None,
    fallbacks: Mapping[str, Sequence[str]] | None = None,
) -> Catalogue:
    """The shipped cards plus a user's card files, discounts and allowed fallbacks."""
    return Catalogue(
        (),
        texts=_shipped_texts(),
        user_cards=[load_card(path) for path in card_files],
        discounts=[discount(s, f) for s, f in (discounts or {}).items()],
        fallbacks=fallbacks,
    )


@cache
def _shipped_texts() -> dict[str, tuple[str, str]]:
    return shipped_texts()


@cache
def default_catalogue() -> Catalogue:
    """The shipped cards and genai-prices, without any user settings."""
    return build_catalogue()
