"""Estimate requests to other vendors' models, with an honest interval.

Where the vocabulary is public and the extra ``fast`` brings it (Gemma, Llama, DeepSeek, Qwen, GLM,
Mistral), texts are counted in it; else in o200k_base, multiplied by a ratio measured for the
model's family. What the API adds (a frame, a hidden tool prompt) comes from ``vendors.toml``.
Example: a Claude Sonnet 4.5 request of 100 o200k tokens of text is 100 x 1.2 + 7 = 127, between 98
and 156. Only an exact name is known: a model that is not in the table is an error, not a relative
of one that is.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pricing.counting.encode import encoder, vendor_encoder
from pricing.counting.families import vendor_table
from pricing.counting.images import ImageTokens, vendor_image_tokens
from pricing.counting.result import Basis, RequestTokens, TextTokens, UnknownModelError
from pricing.counting.shapes import Pieces, pieces_of
from pricing.json_types import JsonObject

REFERENCE = "o200k_base"
# What gateways and clouds write before and after a model's own name.
_BEFORE = re.compile(
    r"^(openrouter/|models/|@cf/|(us|eu|apac|global|jp|au)\.)?"
    r"([a-z0-9-]+/)?(anthropic\.|openai\.|meta\.)?"
)
_AFTER = re.compile(
    r"(:free|:thinking|:nitro|-v\d+:\d+|-latest|-preview|-exp|-\d{8}|-\d{4}-\d{2}-\d{2}"
    r"|-\d{2}-\d{2}|-\d{4}|-\d{3}|@\d{8}|@\d{3}|@default|@latest)$"
)


_HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Vendor:
    """A row of ``vendors.toml``; units are tokens, or tokens a reference token."""

    name: str
    text: float
    found: str
    chinese: float | None = None
    text_least: float | None = None
    text_most: float | None = None
    vocabulary: str | None = None
    once: float = 0
    system: float = 0
    user: float = 0
    assistant: float = 0
    tool: float = 0
    tools: float = 1.3
    tools_own: float = 1.0
    tools_once: float = 0
    tools_each: float = 0
    property: float = 0
    optional: float = 0
    object: float = 0
    array: float = 0
    schema: float = 0
    schema_own: float = 0
    schema_once: float = 0
    forced: float = 0
    call: float = 0
    result: float = 0
    thinking: float = 0
    responses: float = 0
    within: float = 0.15
    within_tools: float = 0.2
    within_own: float = 0.01
    within_tools_own: float = 0.1
    plus: int = 12
    plus_own: int = 3
    less: float = 0
    alone: float = 0
    none_drops: bool = False
    image: str | None = None
    bare_elsewhere: bool = False


@lru_cache(maxsize=1)
def _by_model() -> Mapping[str, Vendor]:
    models: dict[str, Vendor] = {}
    for name, row in vendor_table()["vendor"].items():
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


@dataclass(frozen=True)
class _Words:
    """Who counts for a vendor, and the ratios that turn its counts into the vendor's tokens."""

    count: Callable[[str], int]
    encoding: str
    own: bool
    text: float
    chinese: float
    tools: float
    schema: float

    def said(self, text: str) -> float:
        """Tokens of a text; the ratio of Chinese applies to the share of it that is."""
        counted = self.count(text)
        if self.chinese == self.text:
            return counted * self.text
        share = chinese_share(text)
        return counted * (self.text + (self.chinese - self.text) * share)


def _counter(vendor: Vendor) -> _Words:
    own = vendor_encoder(vendor.vocabulary) if vendor.vocabulary else None
    if own is not None:
        return _Words(own.count, own.name, True, 1.0, 1.0, vendor.tools_own, vendor.schema_own)
    chinese = vendor.text if vendor.chinese is None else vendor.chinese
    return _Words(
        encoder(REFERENCE).count, REFERENCE, False, vendor.text, chinese, vendor.tools,
        vendor.schema,
    )  # fmt: skip


def chinese_share(text: str) -> float:
    """About which share of a text's tokens are Chinese, 0 to 1, told by its characters.

    o200k_base has 1.4 characters of Chinese to a token, and 4.5 of English.
    """
    han = len(_HAN.findall(text))
    if not han:
        return 0.0
    rest = len(text) - han
    return (han / 1.4) / (han / 1.4 + rest / 4.5)


def text_tokens(text: str, model: str, vendor: Vendor) -> TextTokens:
    """A bare text in a vendor's tokens, with the interval.

    In the vendor's own vocabulary when splintr-rs is there and has it, else reference tokens times
    the ratio.
    """
    counter = _counter(vendor)
    counted = counter.count(text)
    if counter.own:
        # Public vocabularies are re-implemented there: 0.06 % of tokens differ at most.
        room = math.ceil(0.01 * counted)
        return TextTokens(
            counted, counted - room, counted + room, Basis.RECONSTRUCTED, counter.encoding, model,
            (f"Counted in the public vocabulary {counter.encoding} ({vendor.name}).",),
        )  # fmt: skip
    total = round(counter.said(text))
    # The ratio varies more by kind of text than the constants do: 5th to 95th percentile.
    least = 0.85 * vendor.text if vendor.text_least is None else vendor.text_least
    most = 1.25 * vendor.text if vendor.text_most is None else vendor.text_most
    low, high = math.floor(counted * least), math.ceil(counted * most)
    low, high = min(low, total), max(high, total)
    note = f"Counted in {REFERENCE} times {vendor.text} ({vendor.name})."
    return TextTokens(total, low, high, Basis.RATIO, REFERENCE, model, (note,))


def count_request(request: Mapping[str, Any], model: str, endpoint: str) -> RequestTokens:
    """Estimate a whole request. Errors as :func:`pricing.counting.count_request`."""
    vendor = vendor_of(model)
    counter = _counter(vendor)
    pieces = pieces_of(request, endpoint)
    bare = endpoint in ("embeddings", "completions")
    choice = _choice(request)
    if choice == "none" and vendor.none_drops:
        pieces.tools, pieces.offered = [], Counter(call=pieces.offered["call"])
    parts, added = _parts(pieces, vendor, counter, choice not in ("auto", "none"), bare)
    if endpoint == "responses":
        parts["hidden"] += round(vendor.responses)
    images = _images(pieces, vendor, request)
    parts["images"] = sum(image.total for image in images)
    total = sum(parts.values())
    built = parts["tools"] + parts["tool_calls"] + parts["schema"]
    said = total - built - parts["images"]
    if counter.own:
        room = vendor.within_own * said + vendor.within_tools_own * built + vendor.plus_own
    else:
        room = vendor.within * said + vendor.within_tools * built + vendor.plus
    if bare:
        room += 4  # some embedding models add marks of their own
    low, high = total - math.ceil(room + vendor.less), total + math.ceil(room)
    low -= sum(image.total - image.low for image in images)
    high += sum(image.high - image.total for image in images)
    if vendor.bare_elsewhere:
        low -= added  # another seller of the same model bills the words alone
    how = f"in {counter.encoding}" + ("" if counter.own else f" times {vendor.text}")
    notes = [f"Counted {how} ({vendor.name}): {' '.join(vendor.found.split())}"]
    basis = Basis.RECONSTRUCTED if counter.own else Basis.RATIO
    if pieces.unknown:
        basis = Basis.UNKNOWN
        high = max(high, total * 3)
        notes.insert(0, f"Only the server can count: {', '.join(pieces.unknown)}.")
    return RequestTokens(
        total, max(0, low), high, basis, {k: v for k, v in parts.items() if v}, model, vendor.name,
        endpoint, counter.encoding, tuple(notes),
    )  # fmt: skip


def _parts(
    pieces: Pieces, vendor: Vendor, counter: _Words, forced: bool, bare: bool
) -> tuple[dict[str, int], int]:
    """Tokens by part, and how many of them are constants the API adds."""

    def counted(texts: list[str]) -> int:
        return sum(counter.count(text) for text in texts)

    roles, offered = pieces.roles, pieces.offered
    frame = vendor.once + sum(
        roles[role] * getattr(vendor, role) for role in ("system", "user", "assistant", "tool")
    )
    hidden = 0.0
    if pieces.tools:
        hidden += vendor.tools_once + (vendor.forced if forced else 0)
        hidden += vendor.alone if pieces.alone else 0
    elif pieces.thinking:
        hidden += vendor.thinking
    declared = vendor.tools_each * offered["tool"] + sum(
        offered[what] * getattr(vendor, what)
        for what in ("property", "optional", "object", "array")
    )
    called = vendor.call * offered["call"] + vendor.result * offered["result"]
    schema = counted(pieces.schema) * counter.schema + vendor.schema_once if pieces.schema else 0
    parts = {
        "frame": 0 if bare else round(frame),
        "messages": round(sum(counter.said(text) for text in pieces.texts)),
        "tool_calls": round(sum(counter.said(text) for text in pieces.calls) + called),
        "tools": round(counted(pieces.tools) * counter.tools + declared),
        "schema": round(schema),
        "hidden": round(hidden),
    }
    return parts, parts["frame"] + parts["hidden"] + round(declared + called)


def _images(pieces: Pieces, vendor: Vendor, request: Mapping[str, Any]) -> list[ImageTokens]:
    """Every image by the vendor's rule; without one, or a size it needs, it is unknown."""
    if pieces.images and vendor.image is None:
        pieces.doubt("image")
        return []
    given = request.get("generationConfig")
    config: Mapping[str, Any] = given if isinstance(given, JsonObject) else {}
    wanted = str(config.get("mediaResolution") or config.get("media_resolution") or "")
    found = [vendor_image_tokens(vendor.image or "", each, wanted) for each in pieces.images]
    if any(image.high > 2 * image.low for image in found):
        pieces.doubt("image of unknown size")
    return found


def _choice(request: Mapping[str, Any]) -> str:
    """The tool choice in one word: auto, none, or whatever asks for a tool."""
    given = request.get("tool_choice")
    kind = given.get("type") if isinstance(given, JsonObject) else given
    return str(kind or "auto")
