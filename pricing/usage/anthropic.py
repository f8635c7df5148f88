"""Anthropic's arithmetic: cached tokens beside the input, thinking inside the output.

>>> anthropic({"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}
...           ).counts["input_uncached"]
10
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricing.json_types import JsonList, JsonObject
from pricing.usage.parts import outputs, writes
from pricing.usage.values import Counts, Item, Reading, count, part, stated_cost, text


def anthropic(usage: Mapping[str, Any]) -> Reading:
    """Messages: `input_tokens` is the uncached part only; thinking is inside `output_tokens`.

    `iterations` holds further passes: entries of type `message` are already in the top-level
    counts, compaction, advisor and fallback passes are not, and may run on another model.
    """
    flags: list[str] = []
    reading = Reading(
        _anthropic_counts(usage, flags),
        "anthropic",
        region=text(usage, "inference_geo"),
        cost_usd=stated_cost(usage),
        flags=flags,
    )
    tier = text(usage, "service_tier")
    speed = text(usage, "speed")
    reading.tier = "fast" if speed == "fast" and tier != "batch" else tier
    tools = part(usage, "server_tool_use")
    reading.counts["web_search"] = count(tools.get("web_search_requests"), "web_search_requests")
    iterations = usage.get("iterations")
    if isinstance(iterations, JsonList):
        for entry in iterations:
            if not isinstance(entry, JsonObject) or entry.get("type") == "message":
                continue
            reading.items.append(
                Item(
                    str(entry.get("type") or "iteration"),
                    _anthropic_counts(entry, flags),
                    text(entry, "model"),
                )
            )
    return reading


def _anthropic_counts(usage: Mapping[str, Any], flags: list[str]) -> Counts:
    counts: Counts = {
        "input_uncached": count(usage.get("input_tokens"), "input_tokens"),
        "cache_read": count(usage.get("cache_read_input_tokens"), "cache_read_input_tokens"),
        **writes(usage, {}),
    }
    outputs(
        counts,
        count(usage.get("output_tokens"), "output_tokens"),
        "output_tokens",
        part(usage, "output_tokens_details"),
        flags,
        {},
    )
    return counts
