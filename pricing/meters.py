"""The meters: every kind of unit a seller can charge a call for, disjoint from each other.

A call's usage is one count a meter. No token is in two meters, so a cost is a plain dot
product, and a total is a plain sum. Where a seller publishes no price of its own for a meter,
the price of its *parent* holds (a cached audio token is first of all a cached token, then an
input token): that is how sellers bill, and why nothing is ever charged twice or for free.

>>> METERS["cache_read"].parent
'input_uncached'
>>> METERS["reasoning"].parent
'output_text'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["input", "output", "extra"]


@dataclass(frozen=True, slots=True)
class Meter:
    """One kind of billable unit.

    `price_key` is the name in a rate-card file, `per` the number of units a published price is
    for, `unit` what one unit is called, `parent` the meter whose price holds when this one has
    none (None: without a price of its own it is unpriced).
    """

    name: str
    price_key: str
    direction: Direction
    parent: str | None
    unit: str = "token"
    per: int = 1_000_000
    cache: Literal["uncached", "read", "write"] = "uncached"
    modality: str = "text"

    @property
    def units(self) -> str:
        """Several of its units: `tokens`, `searches`."""
        return f"{self.unit}es" if self.unit.endswith("ch") else f"{self.unit}s"

    @property
    def per_units(self) -> str:
        """What a published price is for: `1M tokens`, `1,000 searches`, `hour of audio`."""
        return "hour of audio" if self.unit == "second" else f"{self._amount} {self.units}"

    @property
    def per_words(self) -> str:
        """The same in short, beside a count of the units: `1M`, `1,000`, `hour`."""
        if self.unit == "second":
            return "hour"
        return self._amount if self.unit in ("token", "search", "request") else self.per_units

    @property
    def _amount(self) -> str:
        return "1M" if self.per == 1_000_000 else f"{self.per:,}"


_ALL = (
    Meter("input_uncached", "input", "input", None),
    Meter("input_audio", "input_audio", "input", "input_uncached", modality="audio"),
    Meter("input_image", "input_image", "input", "input_uncached", modality="image"),
    Meter("input_video", "input_video", "input", "input_uncached", modality="video"),
    Meter("cache_read", "cache_read", "input", "input_uncached", cache="read"),
    Meter(
        "cache_read_audio",
        "cache_read_audio",
        "input",
        "cache_read",
        cache="read",
        modality="audio",
    ),
    Meter(
        "cache_read_image",
        "cache_read_image",
        "input",
        "cache_read",
        cache="read",
        modality="image",
    ),
    Meter(
        "cache_read_video",
        "cache_read_video",
        "input",
        "cache_read",
        cache="read",
        modality="video",
    ),
    # `cache_write` without a lifetime is both the price of the seller's default lifetime and the
    # meter of writes whose lifetime the log does not state.
    Meter("cache_write_unknown", "cache_write", "input", "input_uncached", cache="write"),
    Meter("cache_write_5m", "cache_write_5m", "input", "cache_write_unknown", cache="write"),
    Meter("cache_write_30m", "cache_write_30m", "input", "cache_write_unknown", cache="write"),
    Meter("cache_write_1h", "cache_write_1h", "input", "cache_write_unknown", cache="write"),
    Meter("cache_write_12h", "cache_write_12h", "input", "cache_write_unknown", cache="write"),
    Meter("output_text", "output", "output", None),
    Meter("reasoning", "reasoning", "output", "output_text"),
    Meter("output_audio", "output_audio", "output", "output_text", modality="audio"),
    Meter("output_image", "output_image", "output", "output_text", modality="image"),
    Meter("output_video", "output_video", "output", "output_text", modality="video"),
    Meter("web_search", "web_search", "extra", None, unit="search", per=1_000),
    Meter("file_search", "file_search", "extra", None, unit="search", per=1_000),
    # A fee per call where one is published; its count is one a call, and it is free elsewhere.
    Meter("request", "request", "extra", None, unit="request", per=1_000),
    # What is no token: speech recognition by the second, speech by the character read, documents
    # by the page, reranking by the query. None of it is part of the prompt size.
    Meter("audio_seconds", "audio_hour", "extra", None, unit="second", per=3_600, modality="audio"),
    Meter("characters", "characters", "extra", None, unit="character"),
    Meter("pages", "pages", "extra", None, unit="page", per=1_000),
    Meter("pages_annotated", "pages_annotated", "extra", "pages", unit="page", per=1_000),
    Meter("rerank_search", "rerank_search", "extra", None, unit="search", per=1_000),
    # Perplexity's deep research counts what it read to cite beside prompt and answer.
    Meter("citation", "citation", "extra", None),
)

METERS: dict[str, Meter] = {m.name: m for m in _ALL}
"""Every meter a usage record can count, in the order they are shown."""

BY_PRICE_KEY: dict[str, Meter] = {m.price_key: m for m in _ALL}

COUNTED: tuple[str, ...] = tuple(m.name for m in _ALL if m.name != "request")
"""Meters that are columns of a usage record."""

INPUT: tuple[str, ...] = tuple(m.name for m in _ALL if m.direction == "input")
"""Meters whose sum is the prompt size that context thresholds compare with."""

OUTPUT: tuple[str, ...] = tuple(m.name for m in _ALL if m.direction == "output")

CACHE_READ: tuple[str, ...] = tuple(m.name for m in _ALL if m.cache == "read")
CACHE_WRITE: tuple[str, ...] = tuple(m.name for m in _ALL if m.cache == "write")

TIERS: tuple[str, ...] = ("standard", "batch", "flex", "priority", "fast", "ultrafast")
"""Service tiers that have prices of their own somewhere."""


# Extra meters that only rate listings know: no log format here counts them.
LISTED_ONLY: dict[str, Meter] = {
    name: Meter(name, name, "extra", None, unit="message", per=1_000)
    for name in ("input_text_messages_kcount",)
}


def priced(name: str) -> Meter | None:
    """A meter that a rate may be for, by its name: one that is counted, or only listed."""
    return METERS.get(name) or LISTED_ONLY.get(name)


def normal_tier(reported: str | None) -> str | None:
    """The tier a reported spelling means, or None when it states nothing.

    OpenAI says `default` for standard and `auto` for "whatever the project is set to" (not a
    tier); Google and Bedrock write theirs in other cases and words. A spelling nobody documented
    is returned as it stands, lower-cased, so that it ends up *unpriced* and visible instead of
    standard and silent.
    """
    if reported is None:
        return None
    tier = reported.strip().lower().replace("-", "_")
    return _TIER_SPELLINGS.get(tier, tier)


_TIER_SPELLINGS: dict[str, str | None] = {
    "": None,
    "auto": None,
    "none": None,
    "not_available": None,
    "unspecified": None,
    "traffic_type_unspecified": None,
    "service_tier_unspecified": None,
    "default": "standard",
    "on_demand": "standard",
    "on_demand_standard": "standard",
    "standard_only": "standard",
    "on_demand_flex": "flex",
    "flex_discount": "flex",
    "on_demand_priority": "priority",
    "priority_on_demand": "priority",
}
