"""Chats as JSON or YAML, and whole request bodies.

A chat is a list of `{"role", "content"}`, alone or under `messages`; contents may hold Jinja. A
file that is JSON only after rendering (a loop over examples) is rendered first and parsed second. A
body with more than messages (tools, a schema, `input`, `contents`) is counted as a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts import tools
from budgets.check.prompts.base import Body, Context, Unit, constant
from budgets.check.prompts.jinja import Render, parse, renderer
from budgets.check.prompts.plain import hints
from pricing.json_types import JsonList, JsonObject

_BODY_KEYS = {
    "tools", "input", "contents", "response_format", "functions", "system", "instructions", "text",
    "systemInstruction", "system_instruction",
}  # fmt: skip


def is_messages(data: Any) -> bool:
    """Whether data is a list of role and content."""
    return (
        isinstance(data, JsonList)
        and bool(data)
        and all(isinstance(each, JsonObject) and isinstance(each.get("role"), str) for each in data)
    )


def is_request(data: Any) -> bool:
    """Whether data is a body as sent to an API."""
    if not isinstance(data, JsonObject):
        return False
    if is_messages(data.get("messages")):
        return True
    if "model" in data and isinstance(data.get("input"), str | JsonList):
        return True
    contents = data.get("contents")
    return isinstance(contents, JsonList) and bool(contents) and isinstance(contents[0], JsonObject)


def part(value: Any, path: str, context: Context, ident: str, line: int) -> Unit | None:
    """A chat, a request or a list of tools that stands inside a file; None where it is neither."""
    if is_messages(value) or is_request(value):
        return read(value, path, context, ident, line)
    found = tools.tools_of(value)
    if found:
        return Unit(ident, path, "tools", constant(Body(tools=tuple(found))), line=line)
    return None


def body_of(data: Any, path: str) -> Body:
    """The body of parsed chat data. Raises :class:`PromptError` for other shapes."""
    if is_messages(data):
        return _messages(data)
    if not is_request(data):
        raise PromptError(
            "unknown-shape", f"{path} holds no chat: expected a list of role and content.",
            path=path,
        )  # fmt: skip
    messages = data.get("messages")
    if is_messages(messages) and not _BODY_KEYS & data.keys():
        body = _messages(messages)
        if body.request is None:
            return body
    return Body(request=data)


def _messages(messages: list[Mapping[str, Any]]) -> Body:
    plain = all(
        isinstance(each.get("content"), str) and set(each) <= {"role", "content"}
        for each in messages
    )
    if plain:
        return Body(messages=tuple((each["role"], each["content"]) for each in messages))
    return Body(request={"messages": messages})


def read_text(source: str, path: str, context: Context, as_json: bool) -> list[Unit]:
    """A chat whose file can only be parsed once it is rendered."""
    unit = Unit(path, path, "chat", lambda _values: Body(), templated=True, notes=hints(source))
    render, unit.variables, unit.includes, _ = renderer(source, path, context, "jinja", unit.files)
    unit.render = lambda values: body_of(parse(render(values), path, as_json), path)
    return [unit]


def read(data: Any, path: str, context: Context, ident: str = "", line: int = 1) -> Unit:
    """A chat or request whose file is data already; texts in it may be templates."""
    body = body_of(data, path)
    request = body.request
    kind = "chat" if request is None else "request"
    unit = Unit(ident or path, path, kind, lambda _values: body, line=line)
    if request is not None:
        model = request.get("model")
        unit.model = model if isinstance(model, str) else None
        unit.max_output = output_cap(request)
    elif isinstance(data, JsonObject) and isinstance(data.get("model"), str):
        unit.model = data["model"]
        unit.max_output = output_cap(data)
    if request is None:
        # Whole bodies are samples of what was sent; only chats are templates.
        _templated(unit, body, path, context)
    return unit


def output_cap(data: Mapping[str, Any]) -> int | None:
    """The cap on output tokens that a body states, under any API's name for it."""
    config = data.get("generationConfig")
    places: list[Mapping[str, Any]] = [data, config if isinstance(config, JsonObject) else {}]
    for place in places:
        for key in ("max_completion_tokens", "max_output_tokens", "max_tokens", "maxOutputTokens"):
            if isinstance(place.get(key), int) and not isinstance(place[key], bool):
                return place[key]
    return None


def _templated(unit: Unit, body: Body, path: str, context: Context) -> None:
    how = context.template
    if how == "auto":
        how = "jinja" if any("{{" in t or "{%" in t for _, t in body.messages) else "none"
    if how == "none":
        return
    parts: list[tuple[str, Render]] = []
    names: set[str] = set()
    includes: set[str] = set()
    still = True
    for role, content in body.messages:
        render, used, files, static = renderer(content, path, context, how, unit.files)
        parts.append((role, render))
        names |= used
        includes |= files
        still = still and static
    unit.variables, unit.includes, unit.templated = frozenset(names), frozenset(includes), not still
    unit.render = lambda values: Body(
        messages=tuple((role, render(values)) for role, render in parts)
    )
