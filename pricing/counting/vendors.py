"""Estimate requests to models whose vocabulary is not at hand, with an honest interval.

The texts are counted in o200k_base and multiplied by a ratio measured for the model's family; what
its API adds (a frame, a hidden tool prompt) comes from ``vendors.toml``. Example: a Claude Sonnet
4.5 request of 100 o200k tokens of text is 100 x 1.2 + 7 = 127, between 98 and 156. Only an exact
name is known: a model that is not in the table is an error, not a relative of one that is.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from pricing.counting.encode import encoder
from pricing.counting.result import Basis, RequestTokens, TextTokens, UnknownModelError
from pricing.counting.shapes import Pieces, pieces_of

REFERENCE = "o200k_base"
# What gateways and clouds write before and after a model's own name.
_BEFORE = re.compile(
    r"^(openrouter/|models/|@cf/|(us|eu|apac|global|jp|au)\.)?"
    r"([a-z0-9-]+/)?(anthropic\.|openai\.|meta\.)?"
)
_AFTER = re.compile(
    r"(:free|:thinking|:nitro|-v\d+:\d+|-latest|-preview|-exp|-\d{8}|-\d{4}-\d{2}-\d{2}"
    r"|-\d{2}-\d{2}|-\d{4}|-\d{3}|@\d{8})$"
)


@dataclass(frozen=True)
class Vendor:
    """A row of ``vendors.toml``; units are tokens, or tokens a reference token."""

    name: str
    text: float
    once: int
    message: int
    tools: float
    tools_once: int
    schema: float
    schema_once: int
    forced: int
    call: int
    thinking: int
    within: float
    within_tools: float
    plus: int
    found: str


@lru_cache(maxsize=1)
def _by_model() -> Mapping[str, Vendor]:
    text = (resources.files("pricing.counting") / "vendors.toml").read_text("utf-8")
    models: dict[str, Vendor] = {}
    for name, row in tomllib.loads(text)["vendor"].items():
        vendor = Vendor(name=name, **{k: v for k, v in row.items() if k != "models"})
        models.update(dict.fromkeys(row["models"], vendor))
    return models


def vendor_of(model: str) -> Vendor:
    """The row of a model. Raises :class:`UnknownModelError` when no listed name fits exactly.

    Gateway prefixes (``anthropic/``, ``us.anthropic.``), dates and ``-latest`` are removed one by
    one; every shortened form must itself be a listed name.
    """
    known = _by_model()
    name = model.strip().lower()
    for candidate in (name, _BEFORE.sub("", name, count=1)):
        left = candidate
        while True:
            if left in known:
                return known[left]
            shorter = _AFTER.sub("", left)
            if shorter == left:
                break
            left = shorter
    raise UnknownModelError(model)


def text_tokens(text: str, model: str, vendor: Vendor) -> TextTokens:
    """A bare text in a vendor's tokens: reference tokens times the ratio, with the interval."""
    reference = encoder(REFERENCE).count(text)
    total = round(reference * vendor.text)
    # The ratio varies more by kind of text than the constants do: 5th to 95th percentile.
    low, high = math.floor(total * 0.85), math.ceil(total * 1.25)
    note = f"Counted in {REFERENCE} times {vendor.text} ({vendor.name})."
    return TextTokens(total, low, high, Basis.RATIO, REFERENCE, model, (note,))


def count_request(request: Mapping[str, Any], model: str, endpoint: str) -> RequestTokens:
    """Estimate a whole request. Errors as :func:`pricing.counting.count_request`."""
    vendor = vendor_of(model)
    pieces = pieces_of(request, endpoint)
    parts = _parts(pieces, vendor, _forces(request), bare=endpoint in ("embeddings", "completions"))
    total = sum(parts.values())
    built = parts["tools"] + parts["tool_calls"] + parts["schema"]
    room = vendor.within * (total - built) + vendor.within_tools * built
    room = math.ceil(room) + vendor.plus
    low, high = max(0, total - room), total + room
    notes = [f"Counted in {REFERENCE} times {vendor.text} ({vendor.name}): {vendor.found}"]
    basis = Basis.RATIO
    if pieces.unknown:
        basis = Basis.UNKNOWN
        high = max(high, total * 3)
        notes.insert(0, f"Only the server can count: {', '.join(pieces.unknown)}.")
    return RequestTokens(
        total, low, high, basis, {k: v for k, v in parts.items() if v}, model, vendor.name,
        endpoint, REFERENCE, tuple(notes),
    )  # fmt: skip


def _parts(pieces: Pieces, vendor: Vendor, forced: bool, bare: bool) -> dict[str, int]:
    count = encoder(REFERENCE).count

    def counted(texts: list[str]) -> int:
        return sum(count(text) for text in texts)

    frame = 0 if bare else vendor.once + vendor.message * max(0, pieces.messages - 1)
    hidden = 0
    if pieces.tools:
        hidden += vendor.tools_once + (vendor.forced if forced else 0)
    elif pieces.thinking:
        hidden += vendor.thinking
    return {
        "frame": frame,
        "messages": round(counted(pieces.texts) * vendor.text),
        "tool_calls": round(counted(pieces.calls) * vendor.text) + vendor.call * len(pieces.calls),
        "tools": round(counted(pieces.tools) * vendor.tools),
        "schema": (
            round(counted(pieces.schema) * vendor.schema) + vendor.schema_once
            if pieces.schema
            else 0
        ),
        "hidden": hidden,
    }


def _forces(request: Mapping[str, Any]) -> bool:
    choice = request.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, Mapping) else choice
    return kind not in (None, "auto", "none")
