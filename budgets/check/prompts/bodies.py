"""A request body written for one maker's API, as the same request to another's.

A check compares one prompt on several models. An Anthropic body keeps its system prompt beside the
messages and names a tool's schema `input_schema`; read as Chat Completions both would be passed
over in silence. Example: `{"system": "Be brief.", "messages": […]}` on an OpenAI model is a chat
whose first message is the system's.

What has no counterpart (a document, a thinking block) is an error, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts.tools import tools_of
from pricing.json_types import JsonList, JsonObject

_ANTHROPIC_BLOCKS = {"tool_use", "tool_result", "image", "thinking", "redacted_thinking"}


def is_anthropic(request: Mapping[str, Any]) -> bool:
    """Whether a body is in the shape of Anthropic's Messages."""
    if "messages" not in request:
        return False
    if "system" in request:
        return True
    tools = request.get("tools")
    offered: list[Any] = tools if isinstance(tools, JsonList) else []
    if any(isinstance(each, JsonObject) and "input_schema" in each for each in offered):
        return True
    return any(
        isinstance(block, JsonObject) and block.get("type") in _ANTHROPIC_BLOCKS
        for message in request["messages"] if isinstance(message, JsonObject)
        for block in _blocks(message.get("content"))
    )  # fmt: skip


def as_chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """The Chat Completions body of an Anthropic or Gemini one; any other comes back as it is.

    Raises :class:`PromptError` unknown-shape for what has no counterpart there.
    """
    if is_anthropic(request):
        system, said = request.get("system"), _anthropic(request["messages"])
        schema = _field(_field(request, "output_config"), "format") or _field(
            request, "output_format"
        )
        shape = schema.get("schema")
    elif isinstance(request.get("contents"), JsonList):
        told = request.get("systemInstruction") or request.get("system_instruction")
        system = _field({"it": told}, "it").get("parts")
        said = _gemini(request["contents"])
        config = _field(request, "generationConfig")
        shape = config.get("responseJsonSchema") or config.get("responseSchema")
    else:
        return dict(request)
    made: dict[str, Any] = {"messages": said}
    text = "\n".join(_text(block) for block in _blocks(system))
    if text:
        said.insert(0, {"role": "system", "content": text})
    if request.get("tools"):
        made["tools"] = tools_of(request["tools"]) or _refuse("its tools")
    if isinstance(shape, JsonObject):
        made["response_format"] = {
            "type": "json_schema", "json_schema": {"name": "answer", "schema": shape},
        }  # fmt: skip
    return made


def _anthropic(messages: Iterable[Any]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for message in messages:
        parts: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for block in _blocks(message.get("content")):
            kind = block.get("type")
            if kind == "tool_use":
                calls.append(_call(block.get("name"), block.get("input")))
            elif kind == "tool_result":
                inner = "\n".join(_text(each) for each in _blocks(block.get("content")))
                out.append({"role": "tool", "tool_call_id": "c", "content": inner})
            elif kind == "image":
                parts.append(_image(block))
            else:
                parts.append({"type": "text", "text": _text(block)})
        out += _message(str(message.get("role")), parts, calls)
    return out


def _gemini(contents: Iterable[Any]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for content in contents:
        parts: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for part in _blocks(content.get("parts")):
            call = part.get("functionCall") or part.get("function_call")
            answer = part.get("functionResponse") or part.get("function_response")
            if isinstance(call, JsonObject):
                calls.append(_call(call.get("name"), call.get("args")))
            elif isinstance(answer, JsonObject):
                result = json.dumps(answer.get("response"), ensure_ascii=False)
                out.append({"role": "tool", "tool_call_id": "c", "content": result})
            else:
                parts.append({"type": "text", "text": _text(part)})
        role = "assistant" if content.get("role") == "model" else "user"
        out += _message(role, parts, calls)
    return out


def _message(
    role: str, parts: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    if not parts and not calls:
        return []
    made: dict[str, Any] = {"role": role, "content": parts or None}
    if calls:
        made["tool_calls"] = calls
    return [made]


def _call(name: object, arguments: object) -> dict[str, Any]:
    text = json.dumps(arguments if arguments is not None else {}, ensure_ascii=False)
    return {"id": "c", "type": "function", "function": {"name": str(name), "arguments": text}}


def _image(block: Mapping[str, Any]) -> dict[str, Any]:
    source = _field(block, "source")
    if source.get("type") == "base64":
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    elif isinstance(source.get("url"), str):
        url = source["url"]
    else:
        return _refuse("an image by its id")
    return {"type": "image_url", "image_url": {"url": url}}


def _blocks(content: object) -> list[Any]:
    """The blocks of a content, which may be a text or a lone block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, JsonObject):
        return [content]
    return content if isinstance(content, JsonList) else []


def _text(block: Any) -> str:
    if isinstance(block, str):
        return block
    text = block.get("text") if isinstance(block, JsonObject) else None
    if not isinstance(text, str) or block.get("type") not in (None, "text"):
        kind = block.get("type") if isinstance(block, JsonObject) else type(block).__name__
        return _refuse(f"a part of the kind {kind or ', '.join(block)}")
    return text


def _field(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, JsonObject) else {}


def _refuse(what: str) -> Any:
    raise PromptError(
        "unknown-shape", f"the body was written for another maker's API, and {what} has no "
        "counterpart on this model: check it on the models it is meant for.",
    )  # fmt: skip
