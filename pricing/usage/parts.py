"""The parts several APIs split in the same way: cache writes by lifetime, output by kind.

>>> writes({"cache_creation_input_tokens": 30,
...         "cache_creation": {"ephemeral_5m_input_tokens": 10}}, {})["cache_write_unknown"]
20
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricing.usage.values import Counts, UsageError, count, first, part


def writes(usage: Mapping[str, Any], details: Mapping[str, Any]) -> Counts:
    """Cache writes by lifetime; what has no lifetime goes to `cache_write_unknown`.

    OpenAI splits 30m and 12h, Anthropic (and LiteLLM for it) 5m and 1h; Alibaba has Anthropic's
    names, inside the details of the prompt.
    """
    whole = first(
        (details, "cache_write_tokens"),
        (details, "cache_creation_tokens"),
        (details, "cache_creation_input_tokens"),
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
        part(details, "cache_write_tokens_details", "cache_creation_token_details"),
        part(details, "cache_creation"),
        part(usage, "cache_creation"),
    ):
        if not parent:  # nearly every call: nothing to look up
            continue
        for name, held in split.items():
            life = name.removeprefix("cache_write_")
            value = first(
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


def outputs(
    counts: Counts,
    output: int | None,
    name: str,
    details: Mapping[str, Any],
    flags: list[str],
    usage: Mapping[str, Any],
) -> None:
    """Split an output total that includes reasoning and media."""
    reasoning = reasoning_of(details, usage)
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


def reasoning_of(details: Mapping[str, Any], usage: Mapping[str, Any]) -> int | None:
    """The reasoning tokens, under whichever of their names."""
    return first(
        (details, "reasoning_tokens"), (usage, "reasoning_tokens"),
        (usage, "reasoning_output_tokens"), (details, "thinking_tokens"),
    )  # fmt: skip
