"""Rate sheets from the price catalogue: the bridge between traffic and `pricing`.

The variant may name its seller (`bedrock/claude-opus-4-5`); otherwise its maker sells it.
"""

from __future__ import annotations

from datetime import date, datetime, time
from difflib import get_close_matches
from functools import lru_cache

from ingest.traffic.prices import Band, RateSheet
from pricing.catalogue import Catalogue, default_catalogue

_MAKERS = ("openai", "anthropic", "google", "x-ai", "deepseek", "mistral", "meta")
# Windowed prices (peak hours) are taken at midday UTC and the sheet is marked as assumed.
_HOUR = time(12)


class CataloguePrices:
    """`ingest.traffic.prices.Prices` over a catalogue (the shipped one by default)."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = catalogue
        self.sheet = lru_cache(maxsize=1024)(self._sheet)

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, loaded when first needed."""
        if self._catalogue is None:
            self._catalogue = default_catalogue()
        return self._catalogue

    def _seller(self, variant: str) -> tuple[str, str] | None:
        catalogue = self.catalogue
        if "/" in variant:
            head, rest = variant.split("/", 1)
            if catalogue.resolve(head, rest) is not None:
                return head, rest
        for maker in _MAKERS:
            if catalogue.resolve(maker, variant) is not None:
                return maker, variant
        for seller in catalogue.sellers():
            if catalogue.resolve(seller, variant) is not None:
                return seller, variant
        return None

    def sellers_of(self, variant: str, besides: str | None = None) -> list[str]:
        """Sellers that list the variant, but not `besides` (None: the one it is priced at)."""
        own = self._seller(variant)
        if own is None:
            return []
        return [s for s in self.catalogue.sellers_of(own[1]) if s != (besides or own[0])]

    def why_unpriced(self, variant: str, day: date, tier: str = "standard") -> str:
        """Why `sheet` has no price, for a person: a name nobody sells, the tier, or the day."""
        if self._seller(variant) is not None:
            if tier != "standard" and self.sheet(variant, day) is not None:
                return f"{variant} has no {tier} price on {day}"
            return f"{variant} has no price on {day}"
        head, _, rest = variant.rpartition("/")
        catalogue = self.catalogue
        if head and head not in catalogue.sellers():
            near = get_close_matches(head, catalogue.sellers(), 1)
            return f"no price list of a seller {head!r}" + (
                f"; did you mean '{near[0]}/{rest}'?" if near else ""
            )
        sold = [v for s in ([head] if head else _MAKERS) for v in catalogue.listed(s)]
        near = get_close_matches(rest, sold, 1)
        meant = f"{head}/{near[0]}" if head and near else "".join(near)
        return f"{variant!r} is in no price list" + (f"; did you mean {meant!r}?" if near else "")

    def _sheet(
        self, variant: str, day: date, tier: str = "standard", seller: str | None = None
    ) -> RateSheet | None:
        found = self._seller(variant)
        if seller is None and found is None:
            return None
        if found is not None and self.catalogue.resolve(seller or found[0], found[1]) is not None:
            # Another seller's price of `bedrock/claude-opus-4-5` is that of `claude-opus-4-5`.
            seller, variant = seller or found[0], found[1]
        assert seller is not None
        route = self.catalogue.route(seller, variant, tier=tier)
        if route.card is None or route.variant is None:
            return None
        at = datetime.combine(day, _HOUR)
        vectors = [v for v in self.catalogue.vectors(route.card) if v.covers(at, v.min_input)]
        if not vectors:
            return None
        windowed = any((v.weekdays, v.minute_from, v.minute_to) != (127, 0, 1440) for v in vectors)
        known = self.catalogue.variant(route.variant, seller)
        return RateSheet(
            variant=route.variant,
            bands=tuple(
                Band(v.min_input, v.max_input, {m: p.price for m, p in v.prices.items()})
                for v in vectors
            ),
            tier=tier,
            seller=seller,
            status="assumed" if windowed and route.status == "exact" else route.status,
            context_window=known.context_window if known else None,
            max_output=known.max_output if known else None,
            retired=known.retired if known else None,
            efforts=known.efforts if known else (),
        )
