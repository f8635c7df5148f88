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

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pricing.json_types import JsonObject
from pricing.meters import COUNTED, INPUT, OUTPUT
from pricing.usage.anthropic import anthropic
from pricing.usage.gemini import gemini, grounded, interaction, thoughts_beside
from pricing.usage.openai import (
    hosted_searches,
    openai_chat,
    openai_duration,
    openai_responses,
)
from pricing.usage.others import bedrock, cohere
from pricing.usage.values import (
    Counts,
    Item,
    Reading,
    UsageError,
    count,
    served_tier,
    shown,
    stated_cost,
    text,
    total_input,
    total_output,
)

__all__ = [
    "Api",
    "Counts",
    "Item",
    "Reading",
    "UsageError",
    "api_of",
    "count",
    "grounded",
    "hosted_searches",
    "read_usage",
    "served_tier",
    "shown",
    "stated_cost",
    "total_input",
    "total_output",
]


def read_usage(raw: Any, provider: str = "") -> Reading:
    """Read one raw usage object (a mapping, an SDK object, or a body that holds one).

    `provider` only decides where the keys leave it open. Raises `UsageError` for counts that
    cannot be and for objects that are no usage.
    """
    body = usage = _mapping(raw)
    for key in ("usage", "usageMetadata", "usage_metadata"):
        if isinstance(body.get(key), JsonObject):
            usage = body[key]
            break
    reading = _reader_for(usage, provider)(usage)
    if reading.tier is None and usage is not body:
        # OpenAI states the tier that served the call beside the usage, not in it.
        reading.tier = text(body, "service_tier")
    if usage is not body and reading.api == "openai-responses":
        reading.flags += hosted_searches(body, reading.counts)
    if reading.api == "openai-chat" and provider.lower() in _GOOGLE:
        thoughts_beside(reading)
    unknown = [k for k in reading.counts if k not in COUNTED]
    if unknown:  # pragma: no cover - a programming error, not an input error
        raise AssertionError(f"reader made unknown meters {unknown}")
    stated = {name for name, value in reading.counts.items() if value}
    if stated & _MADE and not any(reading.counts.get(name) is not None for name in INPUT):
        reading.flags.append("the response states no prompt tokens: only its output is counted")
    _check_total(reading)
    return reading


_MADE = frozenset(OUTPUT)
_GOOGLE = ("google", "gemini", "vertex", "vertex_ai", "vertex-ai", "google-vertex")


def _mapping(raw: Any) -> Mapping[str, Any]:
    if isinstance(raw, JsonObject):
        return raw
    dump = getattr(raw, "model_dump", None) or getattr(raw, "to_dict", None)
    if callable(dump):
        dumped = dump()
        if isinstance(dumped, JsonObject):
            return dumped
    raise UsageError(f"usage must be an object, not {type(raw).__name__}")


Api = Literal[
    "gemini",
    "interaction",
    "bedrock",
    "cohere",
    "openai-chat",
    "anthropic",
    "openai-responses",
    "openai-duration",
]


def api_of(usage: Mapping[str, Any], provider: str = "") -> Api | None:
    """Whose arithmetic a usage object follows, by its keys alone; None for no usage object.

    `provider` only decides where the keys leave it open.
    """
    if any(k in usage for k in _GEMINI_KEYS):
        return "gemini"
    if "total_input_tokens" in usage or "totalInputTokens" in usage:
        return "interaction"
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
    return "openai-duration" if usage.get("type") == "duration" else None


def _reader_for(usage: Mapping[str, Any], provider: str) -> Callable[[Mapping[str, Any]], Reading]:
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


_READERS: dict[Api, Callable[[Mapping[str, Any]], Reading]] = {
    "gemini": gemini, "interaction": interaction, "bedrock": bedrock, "cohere": cohere,
    "openai-chat": openai_chat, "anthropic": anthropic, "openai-responses": openai_responses,
    "openai-duration": openai_duration,
}  # fmt: skip


def _check_total(reading: Reading) -> None:
    """Flag a record whose parts do not make the total the API states."""
    if reading.total_reported is None:
        return
    parts = total_input(reading.counts) + total_output(reading.counts)
    if parts != reading.total_reported:
        reading.flags.append(f"parts add up to {parts}, reported total is {reading.total_reported}")
