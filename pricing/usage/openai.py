"""OpenAI's arithmetic, and that of everybody who copies its shape: each part inside its whole.

Cached, written and media tokens are inside the prompt, reasoning and media inside the output.

>>> openai_chat({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
...              "prompt_cache_hit_tokens": 60}).counts["input_uncached"]
40
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pricing.json_types import JsonList, JsonObject
from pricing.usage.parts import outputs, reasoning_of, writes
from pricing.usage.values import (
    Counts,
    Reading,
    UsageError,
    count,
    first,
    part,
    shown,
    stated_cost,
    text,
)


def openai_chat(usage: Mapping[str, Any]) -> Reading:
    """Chat Completions: cached, written, audio and image tokens are subsets of `prompt_tokens`;
    reasoning and audio are subsets of `completion_tokens`. DeepSeek, Mistral, Groq, OpenRouter and
    LiteLLM keep the arithmetic and add spellings."""
    details = part(usage, "prompt_tokens_details", "input_tokens_details")
    prompt = count(usage.get("prompt_tokens"), "prompt_tokens")
    hit = count(usage.get("prompt_cache_hit_tokens"), "prompt_cache_hit_tokens")
    miss = count(usage.get("prompt_cache_miss_tokens"), "prompt_cache_miss_tokens")
    if prompt is None and (hit is not None or miss is not None):
        prompt = (hit or 0) + (miss or 0)
    cached = first(
        (details, "cached_tokens"),
        (usage, "prompt_cache_hit_tokens"),
        (usage, "num_cached_tokens"),
        (usage, "cached_tokens"),
        (usage, "cache_read_input_tokens"),
    )
    return _inclusive(
        usage,
        api="openai-chat",
        whole=prompt,
        whole_name="prompt_tokens",
        cached=cached,
        details=details,
        output=count(usage.get("completion_tokens"), "completion_tokens"),
        output_name="completion_tokens",
        output_details=part(usage, "completion_tokens_details", "output_tokens_details"),
    )


def openai_responses(usage: Mapping[str, Any]) -> Reading:
    """Responses, embeddings under that name, Codex: as Chat Completions, with other names."""
    details = part(usage, "input_tokens_details", "input_token_details")
    cached = first(
        (details, "cached_tokens"), (usage, "cached_input_tokens"), (usage, "input_cached_tokens")
    )
    return _inclusive(
        usage,
        api="openai-responses",
        whole=count(usage.get("input_tokens"), "input_tokens"),
        whole_name="input_tokens",
        cached=cached,
        details=details,
        output=count(usage.get("output_tokens"), "output_tokens"),
        output_name="output_tokens",
        output_details=part(usage, "output_tokens_details", "output_token_details"),
    )


def openai_duration(usage: Mapping[str, Any]) -> Reading:
    """A transcription billed by the second: `{"type": "duration", "seconds": 8.47}`.

    OpenAI bills the nearest second; a fraction is rounded half up and flagged. Older bodies state
    the seconds as text.
    """
    value = usage.get("seconds")
    if value is None:
        return Reading({}, "openai-duration", flags=["the response states no usage"])
    try:
        seconds = Decimal(str(value))
    except ArithmeticError as error:
        raise UsageError("seconds is not a number") from error
    if isinstance(value, bool) or not seconds.is_finite() or not 0 <= seconds < 10**9:
        raise UsageError(f"seconds = {shown(value)} is not a duration")
    whole = int(seconds.to_integral_value(ROUND_HALF_UP))
    flags = [] if whole == seconds else [f"{seconds} seconds rounded to {whole}"]
    return Reading({"audio_seconds": whole}, "openai-duration", flags=flags)


def _inclusive(
    usage: Mapping[str, Any],
    *,
    api: str,
    whole: int | None,
    whole_name: str,
    cached: int | None,
    details: Mapping[str, Any],
    output: int | None,
    output_name: str,
    output_details: Mapping[str, Any],
) -> Reading:
    """Disjoint counts from an API that counts every part inside the whole."""
    flags: list[str] = []
    counts: Counts = {}
    by_lifetime = writes(usage, details)
    written = sum(v or 0 for v in by_lifetime.values())
    audio = count(details.get("audio_tokens"), "audio_tokens")
    image = count(details.get("image_tokens"), "image_tokens")
    video = count(details.get("video_tokens"), "video_tokens")
    parts = (cached or 0) + written
    if whole is None:
        if parts:
            raise UsageError(f"cached tokens without {whole_name}")
    else:
        if parts > whole:
            name = "cached" if (cached or 0) > whole else "cached and cache-write"
            raise UsageError(f"{name} tokens ({parts}) above {whole_name} ({whole})")
        media = (audio or 0) + (image or 0) + (video or 0)
        if media > whole:
            raise UsageError(
                f"audio, image and video tokens ({media}) above {whole_name} ({whole})"
            )
        # The Realtime API says how much of the cached part is audio or image: in both lists.
        held = part(details, "cached_tokens_details")
        both = {k: count(held.get(f"{k}_tokens"), f"cached {k}_tokens") for k in ("audio", "image")}
        fits = (both["audio"] or 0) <= (audio or 0) and (both["image"] or 0) <= (image or 0)
        stated = sum(v or 0 for v in both.values())
        if stated and fits and stated <= (cached or 0):
            counts |= {f"cache_read_{k}": v for k, v in both.items() if v}
            cached, media = (cached or 0) - stated, media - stated
            audio = None if audio is None else audio - (both["audio"] or 0)
            image = None if image is None else image - (both["image"] or 0)
        left = whole - parts - media
        if left < 0:
            # Cached media is counted in both lists; the overlap is cached media.
            flags.append("cached media inferred from overlapping counts")
            cached, audio, image, video = _overlap(-left, cached, audio, image, video, counts)
            left = 0
        counts["input_uncached"] = left
    counts |= {"cache_read": cached, **by_lifetime}
    counts |= {"input_audio": audio, "input_image": image, "input_video": video}
    total = count(usage.get("total_tokens"), "total_tokens")
    reasoning = reasoning_of(output_details, usage)
    cited = count(usage.get("citation_tokens"), "citation_tokens")
    if cited is not None:
        # Perplexity's deep research: what it read and thought is in neither count nor the total.
        counts["citation"] = cited
        output = None if output is None else output + (reasoning or 0)
        total = None if total is None else total + (reasoning or 0)
    else:
        output = _with_reasoning(whole, output, reasoning, total)
    seconds = count(usage.get("prompt_audio_seconds"), "prompt_audio_seconds")
    if seconds:
        # Mistral bills audio by the second; its tokens are in the total alone.
        counts["audio_seconds"] = seconds
        heard = (total or 0) - (whole or 0) - (output or 0)
        if heard > 0:
            flags.append(f"{heard} audio tokens are billed by the second, not by the token")
            total = (total or 0) - heard
    outputs(counts, output, output_name, output_details, flags, usage)
    tools = part(usage, "server_tool_use", "server_tool_use_details")
    counts["web_search"] = first((tools, "web_search_requests"), (usage, "num_search_queries"))
    sources = count(usage.get("num_sources_used"), "num_sources_used")
    if sources:
        flags.append(f"{sources} search sources are billed beside the tokens: no meter counts them")
    used = part(usage, "server_side_tool_usage_details")
    calls = sum(count(value, name) or 0 for name, value in used.items())
    if calls:
        flags.append(f"{calls} server-side tool calls are billed beside the tokens, uncounted here")
    size = text(usage, "search_context_size")
    if size not in (None, "low"):
        # Perplexity's fee per request grows with it; the price in force is that of `low`.
        flags.append(f"search context {size}: its fee per request is above the one priced here")
    return Reading(
        counts,
        api,
        total_reported=total,
        tier=text(usage, "service_tier"),
        cost_usd=stated_cost(usage),
        flags=flags,
    )


def _with_reasoning(
    whole: int | None, output: int | None, reasoning: int | None, total: int | None
) -> int | None:
    """The output with its reasoning inside. xAI (and servers after it) count reasoning beside
    `completion_tokens`; only there does the stated total need all three."""
    if not reasoning or output is None or total is None:
        return output
    beside = (whole or 0) + output + reasoning == total
    return output + reasoning if beside else output


def _overlap(
    both: int,
    cached: int | None,
    audio: int | None,
    image: int | None,
    video: int | None,
    counts: Counts,
) -> tuple[int | None, int | None, int | None, int | None]:
    """Move `both` tokens that stand in the cached and in a media count to the cached media."""
    if both > (cached or 0):
        raise UsageError(f"parts exceed the whole by {both} tokens, more than are cached")
    rest = both
    media = {"audio": audio, "image": image, "video": video}
    for kind, value in media.items():
        moved = min(rest, value or 0)
        if moved:
            counts[f"cache_read_{kind}"] = moved
            media[kind] = (value or 0) - moved
            rest -= moved
    return (cached or 0) - both, media["audio"], media["image"], media["video"]


def hosted_searches(body: Mapping[str, Any], counts: Counts) -> list[str]:
    """Set the searches of a Responses body that OpenAI ran itself, billed by the call beside the
    tokens: what `tool_usage` states; where it is missing (bodies before summer 2026), the calls in
    `output`. Opening a page or finding a text in it is no search. Returns findings to show.

    >>> counts = {}
    >>> hosted_searches({"output": [{"type": "web_search_call", "action": {"type": "search"}},
    ...                             {"type": "web_search_call", "action": {"type": "open_page"}},
    ...                             {"type": "file_search_call"}]}, counts)
    ['1 web_search and 1 file_search counted from the output']
    >>> counts
    {'web_search': 1, 'file_search': 1}
    """
    stated = part(body, "tool_usage").get("web_search")
    searches = first((stated, "num_requests")) if isinstance(stated, JsonObject) else None
    if searches:
        counts["web_search"] = searches
    items = body.get("output")
    calls = (
        [item for item in items if isinstance(item, JsonObject)]
        if isinstance(items, JsonList)
        else []
    )
    found = {
        "web_search": 0 if searches is not None else sum(map(_is_search, calls)),
        "file_search": sum(c.get("type") == "file_search_call" and _ran(c) for c in calls),
    }
    made = {name: number for name, number in found.items() if number}
    counts |= made
    told = " and ".join(f"{number} {name}" for name, number in made.items())
    return [f"{told} counted from the output"] if made else []


def _is_search(item: Mapping[str, Any]) -> bool:
    action = item.get("action")
    kind = action.get("type") if isinstance(action, JsonObject) else "search"
    return item.get("type") == "web_search_call" and kind == "search" and _ran(item)


def _ran(item: Mapping[str, Any]) -> bool:
    return item.get("status") in (None, "completed")
