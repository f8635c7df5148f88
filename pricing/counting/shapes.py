"""Read any vendor's request body into plain counts of text: what is said, called, offered.

Models without rules of their own are counted as *pieces*: the tokens of their texts in one
reference encoding, and how many messages, calls and tools carry them. A vendor's table row turns
pieces into an estimate. Example: an Anthropic body with a system prompt and one user message is
two texts and one message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pricing.counting.conversation import Calls, Message, from_chat, read
from pricing.counting.responses import from_responses
from pricing.counting.result import RequestError
from pricing.counting.schema import prune


@dataclass
class Pieces:
    """Texts by kind, in the order of the body, and what cannot be counted from it."""

    texts: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    schema: list[str] = field(default_factory=list)
    messages: int = 0
    thinking: bool = False
    unknown: list[str] = field(default_factory=list)

    def doubt(self, what: str) -> None:
        """Note something that only the server can count, once."""
        if what not in self.unknown:
            self.unknown.append(what)


def pieces_of(request: Mapping[str, Any], endpoint: str) -> Pieces:
    """Read a body of ``endpoint``. Raises :class:`RequestError` when it has another shape."""
    reader = _READERS.get(endpoint)
    if reader is None:
        raise RequestError(f"No reader for endpoint {endpoint!r} and this model.")
    return read(reader, request)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _anthropic(request: Mapping[str, Any]) -> Pieces:
    if not isinstance(request.get("messages"), list):
        raise RequestError("An Anthropic request needs a list 'messages'.")
    pieces = Pieces()
    _blocks(pieces, request.get("system"))
    for message in request["messages"]:
        pieces.messages += 1
        _blocks(pieces, message.get("content"))
    for tool in _list(request.get("tools")):
        if tool.get("type") in (None, "custom"):
            if tool.get("defer_loading"):
                pieces.doubt("deferred tools")
            kept = ("name", "description", "input_schema")
            pieces.tools.append(_json({k: tool[k] for k in kept if tool.get(k)}))
        else:
            pieces.doubt(f"tool {tool.get('type')}")
    output = request.get("output_config") or request.get("output_format")
    shape = output.get("format", output) if isinstance(output, Mapping) else None
    if isinstance(shape, Mapping) and shape.get("schema"):
        pieces.schema.append(_json(shape["schema"]))
    thinking = request.get("thinking")
    pieces.thinking = isinstance(thinking, Mapping) and thinking.get("type") != "disabled"
    for key in ("mcp_servers", "container", "context_management"):
        if request.get(key):
            pieces.doubt(key)
    return pieces


def _blocks(pieces: Pieces, content: object) -> None:
    if isinstance(content, str):
        pieces.texts.append(content)
        return
    for block in _list(content):
        kind = block.get("type")
        if kind == "text":
            pieces.texts.append(str(block.get("text") or ""))
        elif kind == "tool_use":
            pieces.calls.append(_json({"name": block.get("name"), "input": block.get("input")}))
        elif kind == "tool_result":
            pieces.calls.append("")
            _blocks(pieces, block.get("content"))
        elif kind in ("thinking", "redacted_thinking"):
            pieces.doubt("replayed reasoning")
        else:
            pieces.doubt(str(kind))


def _gemini(request: Mapping[str, Any]) -> Pieces:
    contents = request.get("contents")
    if isinstance(contents, str):
        contents = [{"parts": [{"text": contents}]}]
    if not isinstance(contents, list):
        raise RequestError("A Gemini request needs a list 'contents'.")
    pieces = Pieces()
    system = request.get("systemInstruction") or request.get("system_instruction")
    if isinstance(system, Mapping):
        _parts(pieces, system.get("parts"))
    for content in contents:
        pieces.messages += 1
        _parts(pieces, content.get("parts"))
    for tool in _list(request.get("tools")):
        for key, value in tool.items():
            if key in ("functionDeclarations", "function_declarations"):
                pieces.tools += [_json(prune(each)) for each in _list(value)]
            elif value is not None:
                pieces.doubt(f"tool {key}")
    config = request.get("generationConfig") or {}
    for key in ("responseSchema", "responseJsonSchema", "response_schema", "response_json_schema"):
        if isinstance(config, Mapping) and config.get(key):
            pieces.schema.append(_json(config[key]))
    if request.get("cachedContent"):
        pieces.doubt("cached content")
    return pieces


def _parts(pieces: Pieces, parts: object) -> None:
    for part in [parts] if isinstance(parts, Mapping) else _list(parts):
        call = part.get("functionCall") or part.get("function_call")
        answer = part.get("functionResponse") or part.get("function_response")
        if part.get("thoughtSignature") or part.get("thought"):
            pieces.doubt("replayed thoughts")
        if isinstance(part.get("text"), str):
            pieces.texts.append(part["text"])
        elif isinstance(call, Mapping):
            pieces.calls.append(_json({"name": call.get("name"), "args": call.get("args")}))
        elif isinstance(answer, Mapping):
            pieces.calls.append(_json([answer.get("name"), answer.get("response")]))
        else:
            pieces.doubt(next((k for k in part if k != "thoughtSignature"), "empty part"))


def _openai_shape(
    read: Callable[[Mapping[str, Any]], Any],
) -> Callable[[Mapping[str, Any]], Pieces]:
    def reader(request: Mapping[str, Any]) -> Pieces:
        talk = read(request)
        pieces = Pieces(unknown=list(talk.unknown))
        for turn in talk.turns:
            if isinstance(turn, Message):
                pieces.messages += 1
                pieces.texts.append(turn.text)
            elif isinstance(turn, Calls):
                pieces.messages += 1
                pieces.calls += [
                    f'{{"name":"{c.name}","arguments":{c.arguments}}}' for c in turn.calls
                ]
            else:
                pieces.messages += 1
                pieces.texts.append(turn.text)
        pieces.tools = [
            _json({"name": t.name, "description": t.description, "parameters": t.parameters})
            for t in talk.tools
        ]
        if talk.format:
            pieces.schema.append(_json(talk.format.schema))
        if talk.images:
            pieces.doubt("image")
        return pieces

    return reader


def _bare(key: str) -> Callable[[Mapping[str, Any]], Pieces]:
    def reader(request: Mapping[str, Any]) -> Pieces:
        given = request.get(key)
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise RequestError(f"The request needs {key!r}, a text or a list of texts.")
        return Pieces(texts=texts)

    return reader


_READERS: dict[str, Callable[[Mapping[str, Any]], Pieces]] = {
    "messages": _anthropic,
    "generateContent": _gemini,
    "chat.completions": _openai_shape(from_chat),
    "responses": _openai_shape(from_responses),
    "embeddings": _bare("input"),
    "completions": _bare("prompt"),
}
