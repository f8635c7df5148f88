"""What every API's arithmetic is written with: counts that may be missing, and what is impossible.

>>> count(12, "prompt_tokens"), count(None, "prompt_tokens")
(12, None)
>>> count(-1, "prompt_tokens")
Traceback (most recent call last):
    ...
pricing.usage.values.UsageError: prompt_tokens = -1 is negative
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from pricing.json_types import JsonDict, JsonObject
from pricing.meters import INPUT, OUTPUT, normal_tier

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


def part(parent: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first of `names` that holds an object; an empty one where none does."""
    for name in names:
        value = parent.get(name)
        if type(value) is JsonDict or isinstance(value, JsonObject):
            return value
    return {}


def first(*pairs: tuple[Mapping[str, Any], str]) -> int | None:
    """The first count that is reported among several spellings."""
    for parent, name in pairs:
        value = parent.get(name)
        if value is not None:
            return count(value, name)
    return None


def stated_cost(usage: Mapping[str, Any]) -> Decimal | None:
    """The charge in USD that a usage object states itself; None where it states none."""
    value = usage.get("cost")
    if isinstance(value, JsonObject):  # Perplexity itemises it
        value = value.get("total_cost")
    ticks = usage.get("cost_in_usd_ticks")
    if value is None and isinstance(ticks, int) and not isinstance(ticks, bool):
        # xAI's own unit: ten thousand millionths of a dollar.
        return Decimal(ticks).scaleb(-10) if 0 <= ticks < _TOO_LARGE else None
    if value is None or isinstance(value, bool | JsonObject):
        return None
    try:
        # repr of a JSON float is the shortest text that means it: what the source wrote.
        cost = Decimal(str(value))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and cost >= 0 else None


def text(parent: Mapping[str, Any], name: str) -> str | None:
    """A text that is there and not empty."""
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def served_tier(*reported: str | None) -> str | None:
    """The first stated tier: a response's own beats the request's; `auto` states none."""
    for tier in reported:
        if normal_tier(tier) is not None:
            return tier
    return None
