"""A raw usage object, as any API returned it, becomes disjoint counts.

Each API has its own arithmetic: OpenAI counts cached tokens inside input and reasoning inside
output; Anthropic counts cached tokens beside input; Gemini counts thoughts beside the answer and
tool prompts beside the prompt. `read_usage` knows which is which from the object's own keys.

>>> reading = read_usage({"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
...                       "prompt_tokens_details": {"cached_tokens": 800}})
>>> reading.counts["input_uncached"], reading.counts["cache_read"], reading.counts["output_text"]
(200, 800, 50)

A count the API did not report stays None; zero is zero. Counts that cannot be (negative, a part
above its whole) raise `UsageError`. Parts that merely do not add up to the stated total are kept
and flagged in `flags`: they are never clamped to fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pricing.meters import COUNTED, INPUT, OUTPUT, normal_tier

Counts = dict[str, int | None]
"""Tokens (or searches) by meter name; None is "not reported"."""


class UsageError(ValueError):
    """A usage object is impossible: the message names the count and why."""


@dataclass(slots=True)
class Item:
    """Another priced item inside one response: a compaction pass, an advisor on its own model.

    `model` is None when it ran on the response's own model.
    """

    kind: str
    counts: Counts
    model: str | None = None


@dataclass(slots=True)
class Reading:
    """What a usage object says.

    `counts` are disjoint; `total_reported` is the API's own total where it states one;
    `items` are further priced items of the same response; `tier`, `region` and `cost_usd` are
    what the object itself states of them; `flags` are findings a person should see.
    """

    counts: Counts
    api: str
    total_reported: int | None = None
    items: list[Item] = field(default_factory=list)
    tier: str | None = None
    region: str | None = None
    cost_usd: Decimal | None = None
    flags: list[str] = field(default_factory=list)


def total_input(counts: Mapping[str, int | None]) -> int:
    """Total input tokens: the prompt size that context thresholds compare with."""
    return sum(counts.get(name) or 0 for name in INPUT)


def total_output(counts: Mapping[str, int | None]) -> int:
    """Total output tokens, reasoning included."""
    return sum(counts.get(name) or 0 for name in OUTPUT)


def read_usage(raw: Any, provider: str = "") -> Reading:
    """Read one raw usage object (a mapping, an SDK object, or a body that holds one).

    `provider` only decides where the keys leave it open. Raises `UsageError` for counts that
    cannot be and for objects that are no usage.
    """
    body = usage = _mapping(raw)
    for key in ("usage", "usageMetadata", "usage_metadata"):
        if isinstance(body.get(key), Mapping):
            usage = body[key]
            break
    reading = _reader_for(usage, provider)(usage)
    if reading.tier is None and usage is not body:
        # OpenAI states the tier that served the call beside the usage, not in it.
        reading.tier = _text(body, "service_tier")
    unknown = [k for k in reading.counts if k not in COUNTED]
    if unknown:  # pragma: no cover - a programming error, not an input error
        raise AssertionError(f"reader made unknown meters {unknown}")
    stated = {name for name, value in reading.counts.items() if value}
    if stated & _MADE and not any(reading.counts.get(name) is not None for name in INPUT):
        reading.flags.append("the response states no prompt tokens: only its output is counted")
    _check_total(reading)
    return reading


_MADE = frozenset(OUTPUT)


def _mapping(raw: Any) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    dump = getattr(raw, "model_dump", None) or getattr(raw, "to_dict", None)
    if callable(dump):
        dumped = dump()
        if isinstance(dumped, Mapping):
            return dumped
    raise UsageError(f"usage must be an object, not {type(raw).__name__}")


Api = Literal["gemini", "bedrock", "cohere", "openai-chat", "anthropic", "openai-responses"]


def api_of(usage: Mapping[str, Any], provider: str = "") -> Api | None:
    """Whose arithmetic a usage object follows, by its keys alone; None for no usage object.

    `provider` only decides where the keys leave it open.
    """
    if any(k in usage for k in _GEMINI_KEYS):
        return "gemini"
    if "inputTokens" in usage or "outputTokens" in usage:
        return "bedrock"
    if "billed_units" in usage:
        return "cohere"
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return "openai-chat"
    if "input_tokens" in usage or "output_tokens" in usage:
        beside = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation")
        if any(k in usage for k in beside) or provider.lower().startswith("anthropic"):
            return "anthropic"
        return "openai-responses"
    return None


def _reader_for(usage: Mapping[str, Any], provider: str) -> Any:
    api = api_of(usage, provider)
    if api is not None:
        return _READERS[api]
    named = ", ".join(sorted(map(str, usage))[:6]) or "nothing"
    raise UsageError(f"no token counts in the usage object (it has {named})")


_GEMINI_KEYS = (
    "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "thoughtsTokenCount",
    "prompt_token_count", "candidates_token_count", "total_token_count", "trafficType",
    "responseTokenCount", "response_token_count",
)  # fmt: skip


_TOO_LARGE = 2**53


def count(value: Any, name: str) -> int | None:
    """A reported count as an int; None stays None. Raises `UsageError` for anything impossible."""
    if value is None:
        return None
    if type(value) is int and 0 <= value < _TOO_LARGE:  # nearly every count there is
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UsageError(f"{name} = {shown(value)} is not a number")
    # Integers are finite, and one of hundreds of digits would overflow the question.
    if not isinstance(value, int) and not math.isfinite(value):
        raise UsageError(f"{name} = {shown(value)} is not a count")
    if value != int(value):
        raise UsageError(f"{name} = {shown(value)} is not a whole number")
    if value < 0:
        raise UsageError(f"{name} = {shown(value)} is negative")
    if value >= _TOO_LARGE:
        raise UsageError(f"{name} = {shown(value)} is too large to be a token count")
    return int(value)


_SHOWABLE = re.compile(r"\S{1,24}|[\d\s:.,+/TZ%$-]*")


def shown(value: Any) -> str:
    """A wrong value as an error may show it: a word, a number or a date, but never a text (it could
    be a prompt).

    >>> shown("n/a"), shown("Dear doctor, I have"), shown([1])
    ("'n/a'", '19 characters of text', 'a list')
    """
    if isinstance(value, str):
        safe = len(value) <= 40 and _SHOWABLE.fullmatch(value)
        return repr(value) if safe else f"{len(value)} characters of text"
    if value is None or isinstance(value, bool | int | float | Decimal):
        return repr(value)[:40]
    return f"a {type(value).__name__}"


def _object(parent: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        value = parent.get(name)
        if type(value) is dict or isinstance(value, Mapping):
            return value
    return {}


def _first(*pairs: tuple[Mapping[str, Any], str]) -> int | None:
    """The first count that is reported among several spellings."""
    for parent, name in pairs:
        value = parent.get(name)
        if value is not None:
            return count(value, name)
    return None


def stated_cost(usage: Mapping[str, Any]) -> Decimal | None:
    """The charge in USD that a usage object states itself; None where it states none."""
    value = usage.get("cost")
    if isinstance(value, Mapping):  # Perplexity itemises it
        value = value.get("total_cost")
    ticks = usage.get("cost_in_usd_ticks")
    if value is None and isinstance(ticks, int) and not isinstance(ticks, bool):
        # xAI's own unit: ten thousand millionths of a dollar.
        return Decimal(ticks).scaleb(-10) if 0 <= ticks < _TOO_LARGE else None
    if value is None or isinstance(value, bool | Mapping):
        return None
    try:
        # repr of a JSON float is the shortest text that means it: what the source wrote.
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and cost >= 0 else None


# --- OpenAI and everybody who copies its shape --------------------------------------------------


def _openai_chat(usage: Mapping[str, Any]) -> Reading:
    """Chat Completions: cached, written, audio and image tokens are subsets of `prompt_tokens`;
    reasoning and audio are subsets of `completion_tokens`. DeepSeek, Mistral, Groq, OpenRouter and
    LiteLLM keep the arithmetic and add spellings."""
    details = _object(usage, "prompt_tokens_details", "input_tokens_details")
    prompt = count(usage.get("prompt_tokens"), "prompt_tokens")
    hit = count(usage.get("prompt_cache_hit_tokens"), "prompt_cache_hit_tokens")
    miss = count(usage.get("prompt_cache_miss_tokens"), "prompt_cache_miss_tokens")
    if prompt is None and (hit is not None or miss is not None):
        prompt = (hit or 0) + (miss or 0)
    cached = _first(
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
        output_details=_object(usage, "completion_tokens_details", "output_tokens_details"),
    )


def _openai_responses(usage: Mapping[str, Any]) -> Reading:
    """Responses, embeddings under that name, Codex: as Chat Completions, with other names."""
    details = _object(usage, "input_tokens_details", "input_token_details")
    cached = _first(
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
        output_details=_object(usage, "output_tokens_details", "output_token_details"),
    )


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
    writes = _writes(usage, details)
    written = sum(v or 0 for v in writes.values())
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
        held = _object(details, "cached_tokens_details")
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
    counts |= {"cache_read": cached, **writes}
    counts |= {"input_audio": audio, "input_image": image, "input_video": video}
    total = count(usage.get("total_tokens"), "total_tokens")
    output = _with_reasoning(whole, output, _reasoning(output_details, usage), total)
    _outputs(counts, output, output_name, output_details, flags, usage)
    tools = _object(usage, "server_tool_use", "server_tool_use_details")
    counts["web_search"] = _first((tools, "web_search_requests"), (usage, "num_search_queries"))
    sources = count(usage.get("num_sources_used"), "num_sources_used")
    if sources:
        flags.append(f"{sources} search sources are billed beside the tokens: no meter counts them")
    return Reading(
        counts,
        api,
        total_reported=total,
        tier=_text(usage, "service_tier"),
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


def _writes(usage: Mapping[str, Any], details: Mapping[str, Any]) -> Counts:
    """Cache writes by lifetime; what has no lifetime goes to `cache_write_unknown`.

    OpenAI splits 30m and 12h, Anthropic (and LiteLLM for it) 5m and 1h.
    """
    whole = _first(
        (details, "cache_write_tokens"),
        (details, "cache_creation_tokens"),
        (usage, "cache_creation_input_tokens"),
        (usage, "cache_write_input_tokens"),
        (usage, "input_cache_write_tokens"),
    )
    split: Counts = {
        "cache_write_5m": None,
        "cache_write_30m": None,
        "cache_write_1h": None,
        "cache_write_12h": None,
    }
    for parent in (
        _object(details, "cache_write_tokens_details", "cache_creation_token_details"),
        _object(usage, "cache_creation"),
    ):
        for name, held in split.items():
            life = name.removeprefix("cache_write_")
            value = _first(
                (parent, f"ttl_{life}_tokens"), (parent, f"ephemeral_{life}_input_tokens")
            )
            if value is not None and held is None:
                split[name] = value
    known = sum(v or 0 for v in split.values())
    if whole is not None and known > whole:
        raise UsageError(f"cache writes by lifetime ({known}) above their total ({whole})")
    rest = None if whole is None else whole - known
    if rest == 0 and any(v is not None for v in split.values()):
        rest = None
    return {**split, "cache_write_unknown": rest}


def _outputs(
    counts: Counts,
    output: int | None,
    name: str,
    details: Mapping[str, Any],
    flags: list[str],
    usage: Mapping[str, Any],
) -> None:
    """Split an output total that includes reasoning and media."""
    reasoning = _reasoning(details, usage)
    audio = count(details.get("audio_tokens"), "audio_tokens")
    image = count(details.get("image_tokens"), "image_tokens")
    media = (audio or 0) + (image or 0)
    if output is None:
        if media or reasoning:
            raise UsageError(f"output details without {name}")
        return
    if media > output:
        raise UsageError(f"audio and image tokens ({media}) above {name} ({output})")
    if media + (reasoning or 0) > output:
        # Reasoning is a detail of a total that is billed whole: keep the total, drop the detail.
        flags.append(f"reasoning_tokens ({reasoning}) do not fit into {name} ({output}): dropped")
        reasoning = None
    counts["output_text"] = output - media - (reasoning or 0)
    counts["reasoning"] = reasoning
    counts["output_audio"] = audio
    counts["output_image"] = image


def _reasoning(details: Mapping[str, Any], usage: Mapping[str, Any]) -> int | None:
    return _first(
        (details, "reasoning_tokens"), (usage, "reasoning_tokens"),
        (usage, "reasoning_output_tokens"), (details, "thinking_tokens"),
    )  # fmt: skip


def _text(parent: Mapping[str, Any], name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


# --- Anthropic ----------------------------------------------------------------------------------


def _anthropic(usage: Mapping[str, Any]) -> Reading:
    """Messages: `input_tokens` is the uncached part only; thinking is inside `output_tokens`.

    `iterations` holds further passes: entries of type `message` are already in the top-level
    counts, compaction, advisor and fallback passes are not, and may run on another model.
    """
    flags: list[str] = []
    reading = Reading(
        _anthropic_counts(usage, flags),
        "anthropic",
        region=_text(usage, "inference_geo"),
        cost_usd=stated_cost(usage),
        flags=flags,
    )
    tier = _text(usage, "service_tier")
    speed = _text(usage, "speed")
    reading.tier = "fast" if speed == "fast" and tier != "batch" else tier
    tools = _object(usage, "server_tool_use")
    reading.counts["web_search"] = count(tools.get("web_search_requests"), "web_search_requests")
    iterations = usage.get("iterations")
    if isinstance(iterations, list):
        for entry in iterations:
            if not isinstance(entry, Mapping) or entry.get("type") == "message":
                continue
            reading.items.append(
                Item(
                    str(entry.get("type") or "iteration"),
                    _anthropic_counts(entry, flags),
                    _text(entry, "model"),
                )
            )
    return reading


def _anthropic_counts(usage: Mapping[str, Any], flags: list[str]) -> Counts:
    counts: Counts = {
        "input_uncached": count(usage.get("input_tokens"), "input_tokens"),
        "cache_read": count(usage.get("cache_read_input_tokens"), "cache_read_input_tokens"),
        **_writes(usage, {}),
    }
    _outputs(
        counts,
        count(usage.get("output_tokens"), "output_tokens"),
        "output_tokens",
        _object(usage, "output_tokens_details"),
        flags,
        {},
    )
    return counts


# --- Google -------------------------------------------------------------------------------------

# Python dumps of the enum carry its number.
_MODALITIES: dict[Any, str] = {
    "TEXT": "text", "IMAGE": "image", "VIDEO": "video", "AUDIO": "audio", "DOCUMENT": "text",
    "MODALITY_UNSPECIFIED": "text", 0: "text", 1: "text", 2: "image", 3: "video", 4: "audio",
    5: "text",
}  # fmt: skip


def _gemini(usage: Mapping[str, Any]) -> Reading:
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
    for entry in details if isinstance(details, list) else []:
        if not isinstance(entry, Mapping):
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


# --- Amazon and Cohere --------------------------------------------------------------------------


def _bedrock(usage: Mapping[str, Any]) -> Reading:
    """Converse: cache counts stand beside `inputTokens`; `cacheDetails` gives the lifetimes."""
    written = _first((usage, "cacheWriteInputTokens"), (usage, "cacheWriteInputTokenCount"))
    counts: Counts = {
        "input_uncached": count(usage.get("inputTokens"), "inputTokens"),
        "cache_read": _first((usage, "cacheReadInputTokens"), (usage, "cacheReadInputTokenCount")),
        "output_text": count(usage.get("outputTokens"), "outputTokens"),
    }
    known = 0
    details = usage.get("cacheDetails")
    for entry in details if isinstance(details, list) else []:
        name = f"cache_write_{entry.get('ttl')}" if isinstance(entry, Mapping) else ""
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


def _cohere(usage: Mapping[str, Any]) -> Reading:
    """Cohere bills `billed_units`, which leave out its own preamble; `tokens` is information, and
    so is `cached_tokens`: cached input is billed as the units say. Reranking is billed by search
    units, classification by classifications: neither is a token."""
    billed = _object(usage, "billed_units")
    counts: Counts = {
        "input_uncached": count(billed.get("input_tokens"), "billed_units.input_tokens"),
        "output_text": count(billed.get("output_tokens"), "billed_units.output_tokens"),
    }
    image = count(billed.get("image_tokens"), "billed_units.image_tokens")
    if image:
        counts["input_image"] = image
    flags = [
        f"billed by {number} {name.replace('_', ' ')}, not by tokens: no price here holds for it"
        for name in ("search_units", "classifications", "images")
        if (number := count(billed.get(name), f"billed_units.{name}"))
    ]
    return Reading(counts, "cohere", flags=flags)


_READERS = {
    "gemini": _gemini, "bedrock": _bedrock, "cohere": _cohere, "openai-chat": _openai_chat,
    "anthropic": _anthropic, "openai-responses": _openai_responses,
}  # fmt: skip


def _check_total(reading: Reading) -> None:
    """Flag a record whose parts do not make the total the API states."""
    if reading.total_reported is None:
        return
    parts = total_input(reading.counts) + total_output(reading.counts)
    if parts != reading.total_reported:
        reading.flags.append(f"parts add up to {parts}, reported total is {reading.total_reported}")


def served_tier(*reported: str | None) -> str | None:
    """The first stated tier: a response's own beats the request's; `auto` states none."""
    for tier in reported:
        if normal_tier(tier) is not None:
            return tier
    return None
