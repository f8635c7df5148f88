"""Read any vendor's request body into plain counts of text: what is said, called, offered.

Models without rules of their own are counted as *pieces*: the tokens of their texts in one
reference encoding, and how many messages, calls and tools carry them. A vendor's table row turns
pieces into an estimate. Example: an Anthropic body with a system prompt and one user message is
two texts and one message.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pricing.counting.conversation import Calls, Message, ToolResult, from_chat, read
from pricing.counting.responses import from_responses
from pricing.counting.result import RequestError
from pricing.counting.typescript import resolve
from pricing.json_types import JsonList, JsonObject

_DEEPEST = 24  # a schema may refer to itself


@dataclass
class Pieces:
    """Texts by kind, in the order of the body, and what cannot be counted from it."""

    texts: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    schema: list[str] = field(default_factory=list)
    roles: Counter[str] = field(default_factory=Counter)  # messages of each role
    offered: Counter[str] = field(default_factory=Counter)  # tools, and what their schemas hold
    images: list[str] = field(default_factory=list)  # data URLs or addresses
    thinking: bool = False
    alone: bool = False  # parallel tool use is forbidden
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
    return value if isinstance(value, JsonList) else []


def _anthropic(request: Mapping[str, Any]) -> Pieces:
    if not isinstance(request.get("messages"), JsonList):
        raise RequestError("An Anthropic request needs a list 'messages'.")
    pieces = Pieces()
    _blocks(pieces, request.get("system"))
    pieces.roles["system"] += bool(request.get("system"))
    for message in request["messages"]:
        pieces.roles[str(message.get("role"))] += 1
        _blocks(pieces, message.get("content"))
    for tool in _list(request.get("tools")):
        if tool.get("type") in (None, "custom"):
            if tool.get("defer_loading"):
                pieces.doubt("deferred tools")
            kept = ("name", "description", "input_schema")
            pieces.tools.append(_json({k: tool[k] for k in kept if tool.get(k)}))
            pieces.offered["tool"] += 1
        else:
            pieces.doubt(f"tool {tool.get('type')}")
    output = request.get("output_config") or request.get("output_format")
    shape = output.get("format", output) if isinstance(output, JsonObject) else None
    if isinstance(shape, JsonObject) and shape.get("schema"):
        pieces.schema.append(_json(shape["schema"]))
    if isinstance(output, JsonObject) and output.get("task_budget"):
        pieces.doubt("task budget")
    choice = request.get("tool_choice")
    pieces.alone = isinstance(choice, JsonObject) and bool(choice.get("disable_parallel_tool_use"))
    thinking = request.get("thinking")
    pieces.thinking = isinstance(thinking, JsonObject) and thinking.get("type") != "disabled"
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
            pieces.offered["call"] += 1
            pieces.calls.append(_json({"name": block.get("name"), "input": block.get("input")}))
        elif kind == "tool_result":
            pieces.offered["result"] += 1
            _blocks(pieces, block.get("content"))
        elif kind == "image":
            pieces.images.append(_source(block.get("source")))
        elif kind in ("thinking", "redacted_thinking"):
            pieces.doubt("replayed reasoning")
        else:
            pieces.doubt(str(kind))


def _source(source: object) -> str:
    """An Anthropic image source as a data URL, or its address."""
    if not isinstance(source, JsonObject):
        return ""
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    return str(source.get("url") or source.get("file_id") or "")


def _gemini(request: Mapping[str, Any]) -> Pieces:
    contents = request.get("contents")
    if isinstance(contents, str):
        contents = [{"parts": [{"text": contents}]}]
    if not isinstance(contents, JsonList):
        raise RequestError("A Gemini request needs a list 'contents'.")
    pieces = Pieces()
    system = request.get("systemInstruction") or request.get("system_instruction")
    if isinstance(system, JsonObject):
        _parts(pieces, system.get("parts"))
        pieces.roles["system"] += 1
    for content in contents:
        pieces.roles["assistant" if content.get("role") == "model" else "user"] += 1
        _parts(pieces, content.get("parts"))
    for tool in _list(request.get("tools")):
        for key, value in tool.items():
            if key in ("functionDeclarations", "function_declarations"):
                for declared in _list(value):
                    _declaration(pieces, declared)
            elif value is not None:
                pieces.doubt(f"tool {key}")
    config: Mapping[str, Any] = request.get("generationConfig") or {}
    for key in ("responseSchema", "responseJsonSchema", "response_schema", "response_json_schema"):
        if isinstance(config, JsonObject) and config.get(key):
            pieces.schema.append(_json(config[key]))
    if request.get("cachedContent"):
        pieces.doubt("cached content")
    return pieces


def _declaration(pieces: Pieces, declared: Mapping[str, Any]) -> None:
    """Google counts the words of a declaration one by one: names, descriptions, keys, enums."""
    pieces.offered["tool"] += 1
    pieces.tools += [str(declared.get(k)) for k in ("name", "description") if declared.get(k)]
    keys = ("parameters", "parametersJsonSchema", "parameters_json_schema")
    none: Mapping[str, Any] = {}
    schema = next((declared[k] for k in keys if isinstance(declared.get(k), JsonObject)), none)
    _words(pieces, schema, schema, 0)


def _words(pieces: Pieces, given: object, root: Mapping[str, Any], depth: int) -> None:
    schema = resolve(given, root)
    if not schema or depth > _DEEPEST:
        return
    pieces.tools += [schema[k] for k in ("format", "description") if isinstance(schema.get(k), str)]
    needed = [str(each) for each in _list(schema.get("required"))]
    pieces.tools += [str(each) for each in _list(schema.get("enum"))] + needed
    properties = schema.get("properties")
    if isinstance(properties, JsonObject):
        pieces.offered["object"] += depth > 0
        for name, value in properties.items():
            pieces.tools.append(str(name))
            pieces.offered["property"] += 1
            pieces.offered["optional"] += name not in needed
            _words(pieces, value, root, depth + 1)
    pieces.offered["array"] += "items" in schema
    for inner in (schema.get("items"), *_list(schema.get("anyOf"))):
        _words(pieces, inner, root, depth + 1)


def _strings(value: object) -> list[str]:
    """Keys and strings of a JSON value; numbers and booleans are not counted by Google."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, JsonObject):
        return [text for key, inner in value.items() for text in (str(key), *_strings(inner))]
    return [text for inner in _list(value) for text in _strings(inner)]


def _parts(pieces: Pieces, parts: object) -> None:
    for part in [parts] if isinstance(parts, JsonObject) else _list(parts):
        call = part.get("functionCall") or part.get("function_call")
        answer = part.get("functionResponse") or part.get("function_response")
        data = part.get("inlineData") or part.get("inline_data")
        inline: Mapping[str, Any] = data if isinstance(data, JsonObject) else {}
        kind = str(inline.get("mimeType") or inline.get("mime_type") or "")
        if part.get("thoughtSignature") or part.get("thought"):
            pieces.doubt("replayed thoughts")
        if isinstance(part.get("text"), str):
            pieces.texts.append(part["text"])
        elif isinstance(call, JsonObject):
            pieces.offered["call"] += 1
            pieces.calls += [str(call.get("name") or ""), *_strings(call.get("args"))]
        elif isinstance(inline, JsonObject) and kind.startswith("image/"):
            pieces.images.append(f"data:{kind};base64,{inline.get('data')}")
        elif isinstance(answer, JsonObject):
            pieces.offered["call"] += 1
            pieces.calls += [str(answer.get("name") or ""), *_strings(answer.get("response"))]
            for media in _list(answer.get("parts")):
                pieces.doubt(next(iter(media), "part") if isinstance(media, JsonObject) else "part")
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
                pieces.roles["system" if turn.role == "developer" else turn.role] += 1
                pieces.texts.append(turn.text)
            elif isinstance(turn, Calls):
                pieces.roles["assistant"] += 1
                pieces.offered["call"] += len(turn.calls)
                pieces.calls += [
                    f'{{"name":"{c.name}","arguments":{c.arguments}}}' for c in turn.calls
                ]
            elif isinstance(turn, ToolResult):
                pieces.roles["tool"] += 1
                pieces.texts.append(turn.text)
            else:
                pieces.doubt("item additional_tools")
        pieces.tools = [
            _json({"name": t.name, "description": t.description, "parameters": t.parameters})
            for t in talk.tools
        ]
        pieces.offered["tool"] = len(talk.tools)
        if talk.format:
            pieces.schema.append(_json(talk.format.schema))
        pieces.images = [image.source for image in talk.images]
        if talk.reasoned:  # only OpenAI is known to drop it
            pieces.doubt("replayed reasoning")
        if talk.searches:
            pieces.doubt("web search")
        # OpenRouter's way of asking a model to think.
        reasoning = request.get("reasoning")
        pieces.thinking = isinstance(reasoning, JsonObject) and bool(
            reasoning.get("enabled") or reasoning.get("effort") or reasoning.get("max_tokens")
        )
        return pieces

    return reader


def _bare(key: str) -> Callable[[Mapping[str, Any]], Pieces]:
    def reader(request: Mapping[str, Any]) -> Pieces:
        given = request.get(key)
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, JsonList) or not all(isinstance(t, str) for t in texts):
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
