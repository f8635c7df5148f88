"""The front door of counting: choose the vendor's rules for a model and report the result.

Example::

    count_request({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
    RequestTokens(total=8, low=8, high=8, basis=Basis.EXACT, parts={"frame": 7, "messages": 1}, …)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pricing.counting import openai, vendors
from pricing.counting.conversation import (
    AddedTools,
    Calls,
    from_chat,
    read,
)
from pricing.counting.encode import encoder
from pricing.counting.families import Family, openai_family, rules_of, through_gateway
from pricing.counting.responses import from_responses
from pricing.counting.result import (
    Basis,
    RequestError,
    RequestTokens,
    TextTokens,
    UnknownModelError,
)
from pricing.json_types import JsonList, JsonObject

ENDPOINTS = {
    "chat.completions": "chat.completions",
    "chat/completions": "chat.completions",
    "responses": "responses",
    "messages": "messages",
    "anthropic.messages": "messages",
    "generateContent": "generateContent",
    "gemini.generateContent": "generateContent",
    "anthropic.count_tokens": "messages",
    "responses.input_tokens": "responses",
    "embeddings": "embeddings",
    "completions": "completions",
}


ASSUMED = 0.15  # a new vocabulary of the same maker: gpt-4o's is 1 to 20 % shorter than gpt-4's


def _assumed(family: Family) -> str:
    return f"{family.name}: its encoding is not published, {family.encoding} is assumed."


def endpoint_of(request: Mapping[str, Any], model: str | None = None) -> str:
    """The endpoint a body was written for, told by the keys it has; for commands that read files.

    ``contents`` is Gemini, ``input`` Responses (or embeddings, by the model), ``prompt`` the old
    completions, ``messages`` Anthropic for Claude models and Chat Completions otherwise. Raises
    :class:`RequestError` when none of them is there.
    """
    name = str(model or request.get("model") or "").lower()
    if "contents" in request:
        return "generateContent"
    if "messages" in request:
        # Gateways sell Claude in the shape of Chat Completions; Anthropic's own body must state
        # max_tokens and keeps the system prompt beside the messages.
        own = "claude" in name and "max_tokens" in request and not name.startswith("anthropic/")
        return "messages" if own or "system" in request else "chat.completions"
    if "input" in request:
        return "embeddings" if "embed" in name else "responses"
    if "prompt" in request and not isinstance(request["prompt"], JsonObject):
        return "completions"
    raise RequestError(
        "Not a request body: it has none of 'messages', 'input', 'contents' and 'prompt'."
    )


def count_text(text: str, model: str) -> TextTokens:
    """Tokens of a bare text (no message around it) for a model.

    Exact where the model's own vocabulary is at hand (OpenAI), else o200k_base times a measured
    ratio with its interval. Raises :class:`UnknownModelError` for a model that is not in the
    tables, :class:`VocabularyError` when a vocabulary cannot be trusted.
    """
    family = openai_family(model)
    if family is not None:
        total = encoder(family.encoding).count(text)
        if family.assumed:
            room = max(2, round(ASSUMED * total))
            return TextTokens(
                total, max(0, total - room), total + room, Basis.RATIO, family.encoding, model,
                (_assumed(family),),
            )  # fmt: skip
        return TextTokens(total, total, total, Basis.EXACT, family.encoding, model)
    vendor = vendors.vendor_of(model)
    return vendors.text_tokens(text, model, vendor)


def count_request(
    request: Mapping[str, Any],
    model: str | None = None,
    endpoint: str = "chat.completions",
    at: datetime | date | str | None = None,
) -> RequestTokens:
    """Input tokens of a whole request as it will be billed.

    ``request`` is the body as sent, ``model`` overrides its ``model``; ``endpoint`` is one of
    ``chat.completions``, ``responses``, ``messages`` (Anthropic), ``generateContent`` (Gemini),
    ``embeddings``, ``completions``. ``at`` is when the request was sent (a naive instant is UTC; a
    string is ISO 8601): some APIs added other hidden text earlier. Without it the newest dated item
    id in the body tells, else today's rules hold.

    Raises :class:`UnknownModelError`, :class:`RequestError` (the body is not of that endpoint's
    shape) or :class:`VocabularyError`; never returns a guess of 0.
    """
    if not isinstance(request, JsonObject):
        raise RequestError(f"A request body is an object, not {type(request).__name__}.")
    where = ENDPOINTS.get(endpoint)
    if where is None:
        known = ", ".join(sorted(set(ENDPOINTS.values())))
        raise RequestError(f"Unknown endpoint {endpoint!r}. Known: {known}.")
    name = model or request.get("model")
    if not isinstance(name, str) or not name:
        raise UnknownModelError(None)
    family = openai_family(name)
    if family is None:
        return vendors.count_request(request, name, where)
    if where == "embeddings":
        return _bare(request, "input", name, family, where)
    if where == "completions":
        return _bare(request, "prompt", name, family, where)
    if where not in ("chat.completions", "responses"):
        raise RequestError(f"{name} is an OpenAI model and has no endpoint {endpoint!r}.")
    return _openai(request, name, family, where, _utc_day(at))


def _utc_day(at: datetime | date | str | None) -> date | None:
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if isinstance(at, datetime):
        return (at.astimezone(UTC) if at.tzinfo else at).date()
    return at


def _bare(
    request: Mapping[str, Any], key: str, model: str, family: Family, endpoint: str
) -> RequestTokens:
    """Embeddings and old completions: plainly encoded; a list of token ids is its length."""
    given = request.get(key)
    items = [given] if isinstance(given, str) else given
    if not isinstance(items, JsonList):
        raise RequestError(f"The request needs {key!r}, a text or a list.")
    count = encoder(family.encoding).count
    total = 0
    for item in items:
        if isinstance(item, str):
            total += count(item)
        else:
            total += len(item) if isinstance(item, JsonList) else 1
    return RequestTokens(
        total, total, total, Basis.EXACT, {"messages": total}, model, family.name, endpoint,
        family.encoding,
    )  # fmt: skip


def _openai(
    request: Mapping[str, Any], model: str, family: Family, endpoint: str, at: date | None
) -> RequestTokens:
    if family.rules is None:
        raise UnknownModelError(model)
    talk = read(from_chat if endpoint == "chat.completions" else from_responses, request)
    day = at or (datetime.fromtimestamp(talk.told_at, UTC).date() if talk.told_at else None)
    rules = rules_of(family.rules, endpoint, day)
    if talk.searches and rules.roles:
        talk.doubt("web search")
    if talk.reasoned and family.keeps_reasoning:
        talk.doubt("replayed reasoning")
    if rules.added_tools < 0 and any(isinstance(turn, AddedTools) for turn in talk.turns):
        talk.doubt("item additional_tools")
    count = encoder(family.encoding).count
    parts, below, above, notes = openai.count_parts(talk, family, rules, count)
    total = sum(parts.values())
    basis, margin = Basis.EXACT, 0
    held = openai.features(talk)
    rare = sorted(what for what in held if rules.seen.get(what, openai.FEW) < openai.FEW)
    if rare or held - {"text", "assistant"}:
        basis, margin = Basis.RECONSTRUCTED, openai.margin(total, held, rules)
        notes += [f"{what}: a rule found on {rules.seen[what]} recordings." for what in rare]
    low, high = total - below - margin, total + above + margin
    if family.assumed:
        basis, room = Basis.RATIO, round(ASSUMED * total) + 12
        low, high = low - room, high + room
        notes.append(_assumed(family))
    if through_gateway(model) and basis is not Basis.EXACT:
        # OpenRouter asks by the Responses API: no preamble, up to 8 more a call (5 recordings).
        low -= rules.preamble if talk.tools else 0
        high += 8 * sum(len(turn.calls) for turn in talk.turns if isinstance(turn, Calls))
        notes.append("Sold by a gateway, which may ask through another endpoint.")
    if talk.unknown:
        basis = Basis.UNKNOWN
        notes = [f"Only the server can count: {', '.join(talk.unknown)}.", *notes]
        room, shrinks = openai.server_room(talk)
        low, high = 0 if shrinks else low, high + room
    return RequestTokens(
        total, max(0, low), high, basis, {k: v for k, v in parts.items() if v}, model,
        family.name, endpoint, family.encoding, tuple(notes),
    )  # fmt: skip
