"""The catalogue: every seller's cards in one place, and the road from a call to its card.

It joins the shipped card files, a user's own files and discounts, and the genai-prices package.
Our own file for a (seller, variant) replaces what the package says of it: one table decides.

A *route* is the answer to "which card prices this call?", found once for each distinct
(provider, seller, model, tier, region) and then reused for millions of calls:

>>> route = default_catalogue().route("openai", "gpt-5.2-2025-12-11", tier="default")
>>> route.variant, route.card.tier, route.status
('gpt-5.2', 'standard', 'exact')
>>> default_catalogue().route("openai", "gpt-5.2-turbo").reason
"model 'gpt-5.2-turbo' is on no card of seller 'openai'"
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from pricing import genai
from pricing.cards import Card, Offer, Source, load_card, parse_card, shipped_texts
from pricing.meters import normal_tier
from pricing.rates import EPOCH, FOREVER, Rate, RateVector, compile_card
from pricing.variants import Variant, candidates, cloud_region, normal_seller, without_maker

Status = Literal["exact", "assumed", "fallback", "unpriced"]

_DASHED_VERSION = re.compile(r"(?<=-)(\d)-(\d)(?!\d)")
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


class _Shelf(Mapping[str, list[Card]]):
    """Cards by seller; a shipped card is parsed when somebody asks for its seller.

    Most commands price with one or two sellers, and parsing all of them is a tenth of a second.
    """

    def __init__(self, cards: Iterable[Card], texts: Mapping[str, tuple[str, str]]) -> None:
        self._texts = texts
        self._parsed: dict[str, list[Card]] = {}
        self._extra: dict[str, list[Card]] = {}
        for card in cards:
            self.add(card)

    def add(self, card: Card) -> None:
        """Another card of a seller, after those it has."""
        self._extra.setdefault(card.seller, []).append(card)

    def __getitem__(self, seller: str) -> list[Card]:
        if seller not in self._parsed:
            extra = self._extra.get(seller, [])
            if seller in self._texts:
                self._parsed[seller] = [_shipped(*self._texts[seller]), *extra]
            elif extra:
                self._parsed[seller] = extra
            else:
                raise KeyError(seller)
        return self._parsed[seller]

    def __contains__(self, seller: object) -> bool:
        return seller in self._texts or seller in self._extra

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._texts, *self._extra)))

    def __len__(self) -> int:
        return len({*self._texts, *self._extra})


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
        self._cards = _Shelf(cards, texts or {})
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
        self._discounts = list(discounts)
        self._fallbacks = {k: tuple(v) for k, v in (fallbacks or {}).items()}
        self._packaged = packaged
        self._resolved: dict[tuple[str, str], str | None] = {}
        self._hints: dict[tuple[str, str], str] = {}
        self._rates: dict[tuple[str, str], list[Rate]] = {}
        self._compiled: dict[tuple[CardKey, datetime | None, bool], tuple[RateVector, ...]] = {}

    # --- names -----------------------------------------------------------------------------

    def sellers(self) -> list[str]:
        """Every seller that has a card."""
        packaged = genai.sellers() if self._packaged else []
        return sorted({*self._cards, *packaged})

    def resolve(self, seller: str, model: str) -> str | None:
        """The variant that `model` means at `seller`, or None when no card lists it."""
        key = (seller, model)
        if key not in self._resolved:
            names = candidates(model)
            self._resolved[key] = self._resolve(seller, names) if names else None
        return self._resolved[key]

    def sellers_of(self, model: str) -> list[str]:
        """Sellers whose cards list a model under this name: its maker first, then by name."""
        named = [s for s in self.sellers() if self.resolve(s, model) is not None]
        return sorted(named, key=lambda s: (s not in _MAKERS, s))

    def _resolve(self, seller: str, names: list[str]) -> str | None:
        for card in self._cards.get(seller, ()):
            for name in names:
                if name in card.aliases:
                    return card.aliases[name]
        for offer in self._offers(seller):
            if offer.of == seller:
                continue
            found = self._resolve_at_maker(offer.of, names)
            if found is not None and offer.covers(found):
                return found
        packaged = genai.listing(seller) if self._packaged else None
        found = packaged.find(names) if packaged is not None else None
        if found is not None:
            return self._global_id(seller, found)
        # A direct seller's own name in front (`openai/gpt-5.2` sent to OpenAI) changes nothing.
        split = without_maker(names[0])
        if split is not None and split[0] == seller:
            return self._resolve(seller, candidates(split[1]))
        return self._resolve_behind_maker(seller, names) if split is None else None

    def _resolve_behind_maker(self, seller: str, names: list[str]) -> str | None:
        """A maker's own name at a gateway that puts the maker in front: `openai/gpt-5.2`.

        Gateways also write Claude's versions with a point: claude-opus-4-5 is
        `anthropic/claude-opus-4.5` there.
        """
        if seller in _MAKERS:
            return None
        for maker in _MAKERS:
            if any(name in card.aliases for card in self._cards.get(maker, ()) for name in names):
                for name in names:
                    for form in (name, _DASHED_VERSION.sub(r"\1.\2", name)):
                        found = self._resolve(seller, [f"{maker}/{form}"])
                        if found is not None:
                            return found
        return None

    def _resolve_at_maker(self, maker: str, names: list[str]) -> str | None:
        found = self._resolve(maker, names)
        if found is not None:
            return found
        split = without_maker(names[0])
        return self.resolve(maker, split[1]) if split is not None and split[0] == maker else None

    def _global_id(self, seller: str, local: str) -> str:
        """One id for a variant whoever sells it: `openai/gpt-5.2` at a gateway is `gpt-5.2`, and
        `anthropic/claude-opus-4.5` is `claude-opus-4-5`."""
        split = without_maker(local)
        if split is not None and split[0] != seller and ":" not in local:
            at_maker = self.resolve(split[0], split[1])
            if at_maker is not None and _dashed(at_maker) == _dashed(split[1]):
                return at_maker
        if split is None:
            for maker in _MAKERS:
                if maker != seller:
                    known = next(
                        (
                            c.aliases[local]
                            for c in self._cards.get(maker, ())
                            if local in c.aliases
                        ),
                        None,
                    )
                    if known == local:
                        return local
        return local

    def variant(self, name: str, seller: str | None = None) -> Variant | None:
        """What is known of a variant; `seller` decides between gateways that list it alone."""
        for maker in _MAKERS:
            for card in self._cards.get(maker, ()):
                if name in card.variants and card.variants[name].maker == maker:
                    return card.variants[name]
        for cards in self._cards.values():
            for card in cards:
                if name in card.variants and card.variants[name].maker == card.seller:
                    return card.variants[name]
        for cards in self._cards.values():
            for card in cards:
                if name in card.variants:
                    return card.variants[name]
        if not self._packaged:
            return None
        for where in [seller] if seller else [*_MAKERS, *genai.sellers()]:
            packaged = genai.listing(where)
            if packaged is not None:
                local = packaged.find(candidates(name))
                if local is not None and self._global_id(where, local) == name:
                    return packaged.variants[local]
        return None

    # --- rates -----------------------------------------------------------------------------

    def _offers(self, seller: str) -> list[Offer]:
        found = [o for card in self._cards.get(seller, ()) for o in card.offers]
        return found + [d for d in self._discounts if d.seller == seller]

    def rates(self, seller: str, variant: str) -> list[Rate]:
        """Every rate ever recorded of a variant at a seller, contradicted claims included."""
        key = (seller, variant)
        if key not in self._rates:
            self._rates[key] = self._collect(seller, variant)
        return self._rates[key]

    def _collect(self, seller: str, variant: str) -> list[Rate]:
        own = [r for card in self._cards.get(seller, ()) for r in card.rates_of(variant)]
        if not any(not r.negotiated for r in own):
            for offer in self._offers(seller):
                if offer.of != seller and offer.covers(variant):
                    listed = [r for r in self.rates(offer.of, variant) if not r.negotiated]
                    own += offer.apply(listed)
        if not any(not r.negotiated for r in own) and self._packaged:
            own += self._packaged_rates(seller, variant)
        for offer in self._offers(seller):
            if offer.of == seller:
                listed = [r for r in own if not r.negotiated]
                own += [replace(r, negotiated=True, rate_id="") for r in offer.apply(listed)]
        return own

    def _packaged_rates(self, seller: str, variant: str) -> list[Rate]:
        packaged = genai.listing(seller)
        if packaged is None:
            return []
        if variant in packaged.models and self._global_id(seller, variant) == variant:
            return packaged.rates(variant, variant)
        name = _dashed(variant)
        for local in packaged.models:
            if _dashed(local).endswith(name) and self._global_id(seller, local) == variant:
                return packaged.rates(local, variant)
        return []

    def listed(self, seller: str) -> list[str]:
        """The variants a seller's cards list (offers expanded), sorted."""
        names = {v for card in self._cards.get(seller, ()) for v in card.variants}
        for offer in self._offers(seller):
            if offer.of != seller:
                names |= {v for v in self.listed(offer.of) if offer.covers(v)}
        packaged = genai.listing(seller) if self._packaged else None
        if packaged is not None:
            shadowed = {a for card in self._cards.get(seller, ()) for a in card.aliases}
            names |= {self._global_id(seller, v) for v in packaged.models if v not in shadowed}
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
                variant = self._resolve_at_maker(other, candidates(model))
                if variant is not None:
                    billing, status = other, "fallback"
                    reasons.append(f"priced by the card of {other!r}, as the settings ask")
                    break
        if variant is None:
            if not self._cards.get(vendor) and vendor not in self.sellers():
                return unpriced(f"no card for seller {vendor!r}")
            kind = "fine-tuned model" if model.startswith("ft:") else "model"
            why = f"{kind} {model!r} is on no card of seller {vendor!r}"
            return unpriced(why + self._hint(vendor, model))
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

    def _hint(self, seller: str, model: str) -> str:
        """What an unknown name may have meant: told, never taken."""
        key = (seller, model)
        if key not in self._hints:
            makers = [m for m in _MAKERS if m != seller and self.resolve(m, model) is not None]
            names = {a for card in self._cards.get(seller, ()) for a in card.aliases}
            names |= set(self.listed(seller))
            near = difflib.get_close_matches(model.strip().lower(), sorted(names), 1, _CLOSE)
            self._hints[key] = (
                f" (it is on that of {makers[0]!r})"
                if makers
                else f" (the nearest name there is {near[0]!r})"
                if near
                else ""
            )
        return self._hints[key]

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
        digest.update(repr((self._discounts, sorted(self._fallbacks.items()))).encode())
        if self._packaged:
            digest.update(genai.catalogue_version().encode())
        return digest.hexdigest()[:16]


_CLOSE = 0.85
"""How alike two names have to be for one to be told as the other's nearest."""

_ROUTING = ("nitro", "floor", "exacto")
"""What OpenRouter takes after a model's name to sort its hosts: the model is the same."""

# Makers sell their own variants directly: a variant's id is the maker's id for it.
_MAKERS = (
    "openai", "anthropic", "google", "x-ai", "deepseek", "mistral", "meta", "cohere", "moonshotai",
    "zai", "minimax", "perplexity", "voyageai",
)  # fmt: skip


def _dashed(model: str) -> str:
    """An id with the points of its version written as dashes, as makers and gateways differ."""
    return model.lower().replace(".", "-")


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
def _shipped(text: str, origin: str) -> Card:
    return parse_card(text, origin, lazy=True)


@cache
def default_catalogue() -> Catalogue:
    """The shipped cards and genai-prices, without any user settings."""
    return build_catalogue()
