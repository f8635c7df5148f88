"""One shape for the bodies of both OpenAI endpoints: a list of turns, tools and a schema.

Chat Completions says ``messages``, ``tools[].function`` and ``response_format``; Responses says
``input``, ``instructions``, ``tools[]`` and ``text.format``. Both become a :class:`Conversation`.
What only the server can count (its own tools, files, audio, stored state, replayed reasoning) is
listed by name in ``unknown``, by rule from the request alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pricing.counting.result import RequestError
from pricing.counting.typescript import Tool

_T = TypeVar("_T")


@dataclass(frozen=True)
class Message:
    """Text of one role. Several text parts are already joined, as they are billed."""

    role: str
    text: str
    name: str | None = None


@dataclass(frozen=True)
class Call:
    """An earlier function call; ``arguments`` is the JSON text as sent."""

    name: str
    arguments: str
    stored: bool = False  # carries the item id the server gave it


@dataclass(frozen=True)
class Calls:
    """The calls of one assistant turn (more than one: parallel)."""

    calls: tuple[Call, ...]


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave back."""

    text: str


@dataclass(frozen=True)
class Image:
    """One image: where it is (URL, data URL or file id) and its ``detail``."""

    source: str
    detail: str


@dataclass(frozen=True)
class Format:
    """A JSON schema the answer must follow."""

    name: str
    description: str
    schema: Mapping[str, Any]


Turn = Message | Calls | ToolResult


@dataclass
class Conversation:
    """A request in one shape; ``unknown`` names what cannot be counted from it."""

    turns: list[Turn] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    format: Format | None = None
    forced: str | None = None  # the tool named by tool_choice
    required: bool = False  # tool_choice asks for some tool
    parallel: bool = True  # parallel_tool_calls
    pro: bool = False  # reasoning.mode is "pro"
    images: list[Image] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def doubt(self, what: str) -> None:
        """Note something that only the server can count, once."""
        if what not in self.unknown:
            self.unknown.append(what)


def read(reader: Callable[[Mapping[str, Any]], _T], request: Mapping[str, Any]) -> _T:
    """Read a body, turning a value of an unexpected type into a :class:`RequestError`."""
    try:
        return reader(request)
    except (AttributeError, KeyError, TypeError) as error:
        raise RequestError(f"The request body has a value of the wrong type: {error}.") from error


def from_chat(request: Mapping[str, Any]) -> Conversation:
    """Read a Chat Completions body. Raises :class:`RequestError` without a list of messages."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise RequestError(
            "A Chat Completions request needs a list 'messages'. "
            "For a Responses body pass endpoint='responses'."
        )
    talk = Conversation()
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise RequestError(f"messages[{position}] is not an object with a 'role'.")
        _chat_message(talk, message)
    _tools(talk, request)
    if request.get("functions"):
        talk.tools += [_tool(f) for f in request["functions"] if isinstance(f, Mapping)]
    _chosen(talk, request, request.get("tool_choice") or request.get("function_call"))
    shape = request.get("response_format")
    if isinstance(shape, Mapping) and shape.get("type") == "json_schema":
        talk.format = _format(shape.get("json_schema"))
    if request.get("web_search_options") is not None:
        talk.doubt("web search")
    return talk


def from_responses(request: Mapping[str, Any]) -> Conversation:
    """Read a Responses body. Raises :class:`RequestError` when ``input`` has no known shape."""
    given = request.get("input")
    talk = Conversation()
    if isinstance(request.get("instructions"), str) and request["instructions"]:
        talk.turns.append(Message("system", request["instructions"]))
    for key, what in _STORED.items():
        if request.get(key):
            talk.doubt(what)
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if given is None and talk.unknown:
        given = []
    if not isinstance(given, list):
        raise RequestError(
            "A Responses request needs 'input', a text or a list. "
            "For a Chat Completions body pass endpoint='chat.completions'."
        )
    for position, item in enumerate(given):
        if not isinstance(item, Mapping):
            raise RequestError(f"input[{position}] is not an object.")
        _responses_item(talk, item)
    _tools(talk, request)
    _chosen(talk, request, request.get("tool_choice"))
    reasoning = request.get("reasoning")
    talk.pro = isinstance(reasoning, Mapping) and reasoning.get("mode") == "pro"
    text = request.get("text")
    shape = text.get("format") if isinstance(text, Mapping) else None
    if isinstance(shape, Mapping) and shape.get("type") == "json_schema":
        talk.format = _format(shape)
    return talk


_STORED = {
    "previous_response_id": "stored conversation (previous_response_id)",
    "conversation": "stored conversation",
    "prompt": "stored prompt",
    "context_management": "context management",
}


def _chat_message(talk: Conversation, message: Mapping[str, Any]) -> None:
    role = message["role"]
    text = _content(talk, message.get("content"))
    if role in ("tool", "function"):
        talk.turns.append(ToolResult(text))
        return
    calls = [
        Call(str(c["function"].get("name", "")), str(c["function"].get("arguments") or ""))
        for c in message.get("tool_calls") or ()
        if isinstance(c, Mapping) and isinstance(c.get("function"), Mapping)
    ]
    old = message.get("function_call")
    if isinstance(old, Mapping):
        calls.append(Call(str(old.get("name", "")), str(old.get("arguments") or "")))
    if message.get("audio"):
        talk.doubt("audio")
    if text or not calls:
        name = message.get("name")
        talk.turns.append(Message(role, text, name if isinstance(name, str) else None))
    if calls:
        talk.turns.append(Calls(tuple(calls)))


def _responses_item(talk: Conversation, item: Mapping[str, Any]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        talk.turns.append(
            Message(str(item.get("role", "user")), _content(talk, item.get("content")))
        )
    elif kind == "function_call":
        call = Call(
            str(item.get("name", "")), str(item.get("arguments") or ""), bool(item.get("id"))
        )
        last = talk.turns[-1] if talk.turns else None
        if isinstance(last, Calls):  # calls that follow one another are one parallel turn
            talk.turns[-1] = Calls((*last.calls, call))
        else:
            talk.turns.append(Calls((call,)))
    elif kind == "function_call_output":
        talk.turns.append(ToolResult(_content(talk, item.get("output"))))
    elif kind == "reasoning":
        talk.doubt("replayed reasoning")
    else:
        talk.doubt(f"item {kind}")


def _content(talk: Conversation, content: object) -> str:
    """Text of a message's content; images are collected, anything else is noted as unknown."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Sequence):
        raise RequestError(f"A message content is neither a text nor a list: {type(content)}.")
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, Mapping):
            raise RequestError("A part of a message's content is not an object.")
        kind = part.get("type")
        if kind in ("text", "input_text", "output_text", "refusal"):
            texts.append(str(part.get("text") or part.get("refusal") or ""))
        elif kind in ("image_url", "input_image"):
            talk.images.append(_image(part))
        else:
            talk.doubt({"input_audio": "audio"}.get(str(kind), "file" if kind else "unknown part"))
    return "".join(texts)


def _image(part: Mapping[str, Any]) -> Image:
    where = part.get("image_url")
    detail = part.get("detail")
    if isinstance(where, Mapping):
        detail = where.get("detail", detail)
        where = where.get("url")
    return Image(str(where or part.get("file_id") or ""), str(detail or "auto"))


def _tools(talk: Conversation, request: Mapping[str, Any]) -> None:
    for tool in request.get("tools") or ():
        if not isinstance(tool, Mapping):
            raise RequestError("An entry of 'tools' is not an object.")
        kind = tool.get("type", "function")
        if kind != "function":
            talk.doubt(f"tool {kind}")
        elif tool.get("defer_loading"):
            talk.doubt("deferred tools")
        else:
            inner = tool.get("function")
            talk.tools.append(_tool(inner if isinstance(inner, Mapping) else tool))


def _tool(function: Mapping[str, Any]) -> Tool:
    parameters = function.get("parameters")
    return Tool(
        str(function.get("name", "")),
        str(function.get("description") or ""),
        parameters if isinstance(parameters, Mapping) else {},
    )


def _chosen(talk: Conversation, request: Mapping[str, Any], choice: object) -> None:
    talk.required = choice == "required"
    talk.parallel = request.get("parallel_tool_calls") is not False
    if isinstance(choice, Mapping):
        inner = choice.get("function", choice)
        name = inner.get("name") if isinstance(inner, Mapping) else None
        talk.forced = name if isinstance(name, str) else None


def _format(shape: object) -> Format:
    if not isinstance(shape, Mapping) or not isinstance(shape.get("name"), str):
        raise RequestError("A JSON schema format needs a 'name' and a 'schema'.")
    schema = shape.get("schema")
    return Format(
        shape["name"],
        str(shape.get("description") or ""),
        schema if isinstance(schema, Mapping) else {},
    )
