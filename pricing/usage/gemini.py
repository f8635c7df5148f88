"""Google's arithmetic: cached tokens inside the prompt, thoughts beside the answer.

>>> gemini({"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 7,
...         "thoughtsTokenCount": 3, "totalTokenCount": 110}).counts["output_text"]
7
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricing.json_types import JsonList, JsonObject
from pricing.meters import INPUT, OUTPUT
from pricing.usage.values import Counts, Reading, UsageError, count

# Python dumps of the enum carry its number.
_MODALITIES: dict[Any, str] = {
    "TEXT": "text", "IMAGE": "image", "VIDEO": "video", "AUDIO": "audio", "DOCUMENT": "text",
    "MODALITY_UNSPECIFIED": "text", 0: "text", 1: "text", 2: "image", 3: "video", 4: "audio",
    5: "text",
}  # fmt: skip


_INTERACTION = {
    "total_input_tokens": "promptTokenCount", "total_cached_tokens": "cachedContentTokenCount",
    "total_output_tokens": "candidatesTokenCount", "total_thought_tokens": "thoughtsTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount", "total_tokens": "totalTokenCount",
    "input_tokens_by_modality": "promptTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
    "output_tokens_by_modality": "candidatesTokensDetails",
}  # fmt: skip


def interaction(usage: Mapping[str, Any]) -> Reading:
    """The Interactions API: the counts of generateContent under names of its own, which Vertex AI
    writes in camel case. Searches have a free quota a day, so they are told and not counted.

    >>> interaction({"total_input_tokens": 100, "total_cached_tokens": 40, "total_output_tokens": 7,
    ...              "total_thought_tokens": 3, "total_tokens": 110}).counts["input_uncached"]
    60
    """
    named: dict[str, Any] = {}
    for own, name in _INTERACTION.items():
        value = usage.get(own, usage.get(_camel(own)))
        if isinstance(value, JsonList):
            value = [
                {"modality": str(e.get("modality")).upper(), "tokenCount": e.get("tokens")}
                for e in value
                if isinstance(e, JsonObject)
            ]
        named[name] = value
    reading = gemini(named)
    tools = usage.get("grounding_tool_count", usage.get("groundingToolCount"))
    for tool in tools if isinstance(tools, JsonList) else ():
        number = count(tool.get("count"), "count") if isinstance(tool, JsonObject) else None
        if number:
            reading.flags.append(grounded(number))
    return reading


def grounded(number: int) -> str:
    """What to say of searches that Google grounded an answer in."""
    return f"{number} grounding searches are billed beyond Google's free quota: not counted here"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def thoughts_beside(reading: Reading) -> None:
    """Through its OpenAI-compatible address Google leaves the thoughts out of `completion_tokens`,
    and in `total_tokens`: they are billed as output, and so counted."""
    stated = sum(v or 0 for k, v in reading.counts.items() if k in (*INPUT, *OUTPUT))
    gap = (reading.total_reported or 0) - stated
    if gap > 0 and not reading.counts.get("reasoning") and reading.counts.get("output_text"):
        reading.counts["reasoning"] = gap
        reading.flags.append(f"{gap} tokens that only the total has are counted as thoughts")


def gemini(usage: Mapping[str, Any]) -> Reading:
    """generateContent: cached is inside `promptTokenCount`; thoughts and tool-use prompts are
    beside `candidatesTokenCount` and `promptTokenCount`, and the total has all four. The
    per-modality lists may fall short of their total: the rest is text. The Live API says
    `responseTokenCount` for the answer, and leaves the thoughts out of its total."""

    def get(camel: str) -> Any:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in camel)
        return usage.get(camel, usage.get(snake))

    prompt = count(get("promptTokenCount"), "promptTokenCount")
    cached = count(get("cachedContentTokenCount"), "cachedContentTokenCount")
    tool = count(get("toolUsePromptTokenCount"), "toolUsePromptTokenCount")
    live = get("responseTokenCount") is not None and get("candidatesTokenCount") is None
    made = "response" if live else "candidates"
    answer = count(get(f"{made}TokenCount"), f"{made}TokenCount")
    thoughts = count(get("thoughtsTokenCount"), "thoughtsTokenCount")
    total = count(get("totalTokenCount"), "totalTokenCount")
    if live and total is not None and total == (prompt or 0) + (answer or 0) + (tool or 0):
        total += thoughts or 0
    if (cached or 0) > (prompt or 0):
        raise UsageError(f"cachedContentTokenCount ({cached}) above promptTokenCount ({prompt})")
    flags: list[str] = []
    counts: Counts = {}
    if prompt is not None:
        details = get("promptTokensDetails") or get("promptTokenDetails")
        by_kind = _modalities(details, prompt, "promptTokensDetails", flags)
        cached_kind = _modalities(
            get("cacheTokensDetails"), cached or 0, "cacheTokensDetails", flags
        )
        if any(cached_kind.get(k, 0) > by_kind.get(k, 0) for k in cached_kind):
            flags.append("cached tokens by modality do not fit the prompt's; taken as text")
            by_kind, cached_kind = {"text": prompt}, {"text": cached or 0}
        for kind in ("text", "audio", "image", "video"):
            fresh = by_kind.get(kind, 0) - cached_kind.get(kind, 0)
            name = "input_uncached" if kind == "text" else f"input_{kind}"
            if fresh or kind == "text":
                counts[name] = fresh
            if kind != "text" and cached_kind.get(kind):
                counts[f"cache_read_{kind}"] = cached_kind[kind]
        counts["cache_read"] = None if cached is None else cached_kind.get("text", 0)
    if tool:
        counts["input_uncached"] = (counts.get("input_uncached") or 0) + tool
    if answer is not None:
        out_kind = _modalities(get(f"{made}TokensDetails"), answer, f"{made}TokensDetails", flags)
        counts["output_text"] = out_kind.get("text", 0)
        for kind in ("audio", "image"):
            if out_kind.get(kind):
                counts[f"output_{kind}"] = out_kind[kind]
        if out_kind.get("video"):
            counts["output_video"] = out_kind["video"]
    counts["reasoning"] = thoughts
    tier = get("serviceTier") or get("trafficType")
    return Reading(
        counts,
        "gemini",
        total_reported=total,
        # A dumped enum is `TrafficType.ON_DEMAND`. Provisioned throughput is prepaid: a tier
        # without a price, so that it is shown as unpriced and not as standard.
        tier=tier.rpartition(".")[2] if isinstance(tier, str) else None,
        flags=flags,
    )


def _modalities(details: Any, whole: int, name: str, flags: list[str]) -> dict[str, int]:
    """Tokens by modality; what the list leaves out is text."""
    found: dict[str, int] = {}
    for entry in details if isinstance(details, JsonList) else ():
        if not isinstance(entry, JsonObject):
            continue
        modality = entry.get("modality")
        known = isinstance(modality, str | int)
        kind = _MODALITIES.get(modality, "text") if known else "text"
        tokens = count(entry.get("tokenCount", entry.get("token_count")), f"{name}.tokenCount")
        found[kind] = found.get(kind, 0) + (tokens or 0)
    listed = sum(found.values())
    if listed > whole:
        flags.append(f"{name} adds up to {listed}, above its total {whole}; taken as text")
        return {"text": whole}
    found["text"] = found.get("text", 0) + whole - listed
    return found
