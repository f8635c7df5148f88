"""Amazon's arithmetic (cache beside the input) and Cohere's (billed units, not tokens).

>>> bedrock({"inputTokens": 10, "cacheReadInputTokens": 90, "outputTokens": 5,
...          "totalTokens": 105}).counts["cache_read"]
90
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricing.json_types import JsonList, JsonObject
from pricing.meters import COUNTED
from pricing.usage.values import Counts, Reading, UsageError, count, first, part


def bedrock(usage: Mapping[str, Any]) -> Reading:
    """Converse: cache counts stand beside `inputTokens`; `cacheDetails` gives the lifetimes."""
    written = first((usage, "cacheWriteInputTokens"), (usage, "cacheWriteInputTokenCount"))
    counts: Counts = {
        "input_uncached": count(usage.get("inputTokens"), "inputTokens"),
        "cache_read": first((usage, "cacheReadInputTokens"), (usage, "cacheReadInputTokenCount")),
        "output_text": count(usage.get("outputTokens"), "outputTokens"),
    }
    known = 0
    details = usage.get("cacheDetails")
    for entry in details if isinstance(details, JsonList) else ():
        name = f"cache_write_{entry.get('ttl')}" if isinstance(entry, JsonObject) else ""
        if name in COUNTED:
            tokens = count(entry.get("inputTokens"), "cacheDetails.inputTokens") or 0
            counts[name] = (counts.get(name) or 0) + tokens
            known += tokens
    if written is not None:
        if known > written:
            raise UsageError(f"cacheDetails ({known}) above cacheWriteInputTokens ({written})")
        if written > known or not known:
            counts["cache_write_unknown"] = written - known
    return Reading(counts, "bedrock", total_reported=count(usage.get("totalTokens"), "totalTokens"))


def cohere(usage: Mapping[str, Any]) -> Reading:
    """Cohere bills `billed_units`, which leave out its own preamble; `tokens` is information, and
    so is `cached_tokens`: cached input is billed as the units say. Reranking is billed by search
    units; classifications and images per piece have no meter."""
    billed = part(usage, "billed_units")
    counts: Counts = {
        "input_uncached": count(billed.get("input_tokens"), "billed_units.input_tokens"),
        "output_text": count(billed.get("output_tokens"), "billed_units.output_tokens"),
    }
    image = count(billed.get("image_tokens"), "billed_units.image_tokens")
    if image:
        counts["input_image"] = image
    searches = count(billed.get("search_units"), "billed_units.search_units")
    if searches is not None:
        counts["rerank_search"] = searches
    flags = [
        f"billed by {number} {name.replace('_', ' ')}, not by tokens: no price here holds for it"
        for name in ("classifications", "images")
        if (number := count(billed.get(name), f"billed_units.{name}"))
    ]
    return Reading(counts, "cohere", flags=flags)
