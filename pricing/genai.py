"""The genai-prices catalogue as rates and variants: 47 sellers, some 2,300 models.

The package stores a model's price as a list of dated entries (the last that matches wins) and
overlays for tiers. Here each becomes plain `Rate` rows. Three of its habits are not taken over:
its loose matching (a `starts_with` clause makes `gpt-4o-mini-foo` a known model; here a clause's
text is only another spelling of the id), its inheritance of one price by differently named
products (each name becomes a variant of its own), and float remnants such as 0.18000000000000002
(repaired to 0.18, and marked).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

from pricing.json_types import JsonList
from pricing.meters import LISTED_ONLY
from pricing.money import InexactPrice, pico_per_unit_rounded, published_pico
from pricing.rates import DAY_MINUTES, EPOCH, Rate, close_open_ends
from pricing.variants import Variant, spelling_key

_METER_OF = {
    "input_mtok": ("input_uncached", 1_000_000),
    "input_audio_mtok": ("input_audio", 1_000_000),
    "input_image_mtok": ("input_image", 1_000_000),
    "input_video_mtok": ("input_video", 1_000_000),
    "cache_read_mtok": ("cache_read", 1_000_000),
    "cache_audio_read_mtok": ("cache_read_audio", 1_000_000),
    "cache_image_read_mtok": ("cache_read_image", 1_000_000),
    "cache_write_mtok": ("cache_write_unknown", 1_000_000),
    "cache_write_5m_mtok": ("cache_write_5m", 1_000_000),
    "cache_write_1h_mtok": ("cache_write_1h", 1_000_000),
    "output_mtok": ("output_text", 1_000_000),
    "output_reasoning_mtok": ("reasoning", 1_000_000),
    "output_audio_mtok": ("output_audio", 1_000_000),
    "output_image_mtok": ("output_image", 1_000_000),
    "output_video_mtok": ("output_video", 1_000_000),
    "web_searches_kcount": ("web_search", 1_000),
    "storage_searches_kcount": ("file_search", 1_000),
    "requests_kcount": ("request", 1_000),
    # `input_audio_hours` repeats `audio_hours` where a model has both.
    "audio_hours": ("audio_seconds", 3_600),
    "input_mchars": ("characters", 1_000_000),
    "input_document_kpages": ("pages", 1_000),
    "input_annotated_document_kpages": ("pages_annotated", 1_000),
    "output_citation_mtok": ("citation", 1_000_000),
} | {name: (name, meter.per) for name, meter in LISTED_ONLY.items()}

# The package writes down when a price began only where it changed; its own release is when this
# table learnt of all of it.
_RELEASED = {"0.2.3": datetime(2026, 10, 14)}

_SELLER_OF_PROVIDER = {"aws": "bedrock"}
_PROVIDER_OF_SELLER = {v: k for k, v in _SELLER_OF_PROVIDER.items()}


@dataclass(slots=True)
class SellerListing:
    """Everything the catalogue says of one seller.

    `names` maps exact ids, `spellings` maps `spelling_key`s, both to variant ids local to the
    seller; `copies` says which listed model a differently named product takes its prices from.
    """

    seller: str
    name: str
    source: str
    variants: dict[str, Variant] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)

    def find(self, names: list[str]) -> str | None:
        """The variant the first known of `names` stands for."""
        for name in names:
            if name in self.names:
                return self.names[name]
        for name in names:
            found = self.spellings.get(spelling_key(name))
            if found is not None:
                return found
        return None

    def rates(self, variant: str, seller_variant: str) -> list[Rate]:
        """All rates of one listed variant, under the variant id the catalogue gave it."""
        return model_rates(self.seller, seller_variant, self.models[variant], self.source)


@cache
def catalogue_version() -> str:
    """The installed package's version."""
    from importlib.metadata import version

    return version("genai-prices")


@cache
def _providers() -> dict[str, Any]:
    from genai_prices.data_snapshot import get_snapshot

    return {p.id: p for p in get_snapshot().providers}


def sellers() -> list[str]:
    """Seller ids the catalogue lists."""
    return sorted(_SELLER_OF_PROVIDER.get(p, p) for p in _providers())


@cache
def listing(seller: str) -> SellerListing | None:
    """What the catalogue says of `seller`, or None when it does not list it."""
    provider = _providers().get(_PROVIDER_OF_SELLER.get(seller, seller))
    if provider is None:
        return None
    urls: list[str] = provider.pricing_urls or []
    found = SellerListing(
        seller, provider.name, urls[0] if urls else "https://github.com/pydantic/genai-prices"
    )
    exact: list[tuple[str, Any]] = []
    for model in provider.models:
        # One id is written as the prefix it stands for: `ft:gpt-3.5-turbo-`.
        _add_variant(found, model.id.rstrip("-"), model)
        exact += [(text, model) for kind, text in _leaves(model.match) if kind == "equals"]
    for text, model in exact:
        if text in found.names:
            continue
        if spelling_key(text) == spelling_key(model.id):
            found.names[text] = model.id
        else:
            known = found.spellings.get(spelling_key(text))
            # A differently named product: a variant of its own at the same price.
            if known is not None and found.models[known] is model:
                found.names[text] = known
            else:
                _add_variant(found, text, model)
    for model in provider.models:
        for kind, text in _leaves(model.match):
            if kind in ("starts_with", "contains", "ends_with"):
                found.spellings.setdefault(spelling_key(text), model.id)
    return found


def _add_variant(found: SellerListing, name: str, model: Any) -> None:
    key = name.lower()
    found.names[key] = key
    found.spellings.setdefault(spelling_key(key), key)
    found.models[key] = model
    found.variants[key] = Variant(
        id=key,
        maker=found.seller,
        family=model.id if model.id != name else "",
        name=(model.name or name) if model.id == name else name,
        context_window=model.context_window,
        note="deprecated" if model.deprecated else "",
        origin=f"genai-prices {catalogue_version()}",
    )


def _leaves(clause: Any) -> Iterator[tuple[str, str]]:
    """The (kind, text) pairs of a match clause; conjunctions have no single spelling."""
    for kind in ("equals", "starts_with", "contains", "ends_with"):
        text = getattr(clause, kind, None)
        if isinstance(text, str):
            yield kind, text.lower()
            return
    for part in getattr(clause, "or_", None) or ():
        yield from _leaves(part)


def model_rates(seller: str, variant: str, model: Any, source: str) -> list[Rate]:
    """Rates of one model: dated entries for the standard tier, overlays for the others."""
    out: list[Rate] = []
    entries = model.prices if isinstance(model.prices, JsonList) else None
    if entries is None:
        out += _price_rates(seller, variant, model.prices, "standard", None, source, EPOCH)
    else:
        start = EPOCH
        for entry in entries:
            before = start
            start, rates = _entry_rates(seller, variant, entry, "standard", source, start)
            if start > before:
                # A dated entry replaces those before it whole: bands and meters it lacks end too.
                out = [replace(r, valid_to=min(r.valid_to, start), rate_id="") for r in out]
            out += rates
    for overlay in model.price_variants or ():
        tier = _tier_of(overlay.when)
        if tier is None:
            continue
        _, rates = _entry_rates(seller, variant, overlay, tier, source, EPOCH)
        out += rates
    return close_open_ends(out)


def _tier_of(when: dict[str, str]) -> str | None:
    """The tier an overlay is for; None for `default` (no change) and for conditions that no
    usage record states (a route, a kind of search)."""
    if when == {"processing": "batch"}:
        return "batch"
    if when == {"speed": "fast"}:
        return "fast"
    tier = when.get("service_tier")
    return tier if len(when) == 1 and tier in ("flex", "priority", "fast") else None


def _entry_rates(
    seller: str, variant: str, entry: Any, tier: str, source: str, last_start: datetime
) -> tuple[datetime, list[Rate]]:
    """Rates of one dated or timed entry, and the start that following timed entries inherit."""
    constraint = entry.constraint
    start_date = getattr(constraint, "start_date", None)
    if start_date is not None:
        start = datetime(start_date.year, start_date.month, start_date.day)
        return start, _price_rates(seller, variant, entry.prices, tier, None, source, start)
    begin, end = getattr(constraint, "start_time", None), getattr(constraint, "end_time", None)
    if begin is None or end is None:
        return last_start, _price_rates(
            seller, variant, entry.prices, tier, None, source, last_start
        )
    minutes = begin.hour * 60 + begin.minute, end.hour * 60 + end.minute
    pieces = [minutes] if minutes[0] < minutes[1] else [(minutes[0], DAY_MINUTES), (0, minutes[1])]
    rates: list[Rate] = []
    for piece in pieces:
        if piece[0] < piece[1]:
            rates += _price_rates(seller, variant, entry.prices, tier, piece, source, last_start)
    return last_start, rates


def _price_rates(
    seller: str,
    variant: str,
    prices: Any,
    tier: str,
    minutes: tuple[int, int] | None,
    source: str,
    start: datetime,
) -> list[Rate]:
    out: list[Rate] = []
    origin = f"genai-prices {catalogue_version()}"
    begin, end = minutes or (0, DAY_MINUTES)
    for key, (meter, per) in _METER_OF.items():
        value = getattr(prices, key, None)
        if value is None:
            continue
        bands = [(0, value)]
        if hasattr(value, "tiers"):
            # Stored as "more than `start` tokens"; the first priced token count is one above.
            bands = [(0, value.base), *((t.start + 1, t.price) for t in value.tiers)]
        for low, price in bands:
            pico, note = _unit_price(price, per)
            out.append(
                Rate(
                    seller, variant, meter, pico, tier=tier, min_input=low, minute_from=begin,
                    minute_to=end, valid_from=start, source=source, origin=origin,
                    recorded_at=_RELEASED.get(catalogue_version(), EPOCH), rounded=bool(note),
                    note=note,
                )
            )  # fmt: skip
    return out


def _unit_price(price: Decimal, per: int) -> tuple[int, str]:
    """Pico-dollars a unit, and what made them whole: nothing, rounding to the second, or the
    repair of a float remnant to the nearest price it stands for."""
    try:
        pico, rounded = published_pico(price, per)
        return pico, "an hour's price, to a whole pico-dollar a second" if rounded else ""
    except InexactPrice:
        tidy = price.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)
        pico, _ = pico_per_unit_rounded(tidy, per)
        return pico, "float remnant repaired"
