"""One shape for the bodies of both OpenAI endpoints: a list of turns, tools and a schema.

Chat Completions says ``messages``, ``tools[].function`` and ``response_format``; Responses says
``input``, ``instructions``, ``tools[]`` and ``text.format``. Both become a :class:`Conversation`.
What only the server can count (its own tools, files, audio, stored state, replayed reasoning) is
listed by name in ``unknown``, by rule from the request alone. Example: a message of role "user"
whose content is two text parts and an image is one :class:`Message` of the joined text and one
:class:`Image`. Bodies of the Responses API are read by :mod:`pricing.counting.responses`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pricing.counting.result import RequestError
from pricing.counting.typescript import Tool
from pricing.json_types import JsonList, JsonObject, JsonSequence

_T = TypeVar("_T")


@dataclass(frozen=True)
class Message:
    """Text of one role. Several text parts are already joined, as they are billed."""

    role: str
    text: str
    name: str | None = None
    commentary: bool = False  # said on the way to a call, not as the answer


@dataclass(frozen=True)
class Call:
    """An earlier function call; ``arguments`` is the JSON text as sent."""

    name: str
    arguments: str
    stored: bool = False  # carries the item id the server gave it
    namespace: str = "functions"


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


@dataclass(frozen=True)
class AddedTools:
    """Function tools that were offered in the middle of the conversation."""

    tools: tuple[Tool, ...]


Turn = Message | Calls | ToolResult | AddedTools


@dataclass
class Conversation:
    """A request in one shape; ``doubts`` are what cannot be counted from it, and how often."""

    turns: list[Turn] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    format: Format | None = None
    forced: str | None = None  # the tool named by tool_choice
    required: bool = False  # tool_choice asks for some tool
    parallel: bool = True  # parallel_tool_calls
    pro: bool = False  # reasoning.mode is "pro"
    images: list[Image] = field(default_factory=list)
    searches: bool = False  # web_search_options of Chat Completions
    reasoned: bool = False  # holds reasoning items from before the last user message
    told_at: int | None = None  # newest instant an item id tells, seconds since 1970
    doubts: Counter[str] = field(default_factory=Counter)

    @property
    def unknown(self) -> list[str]:
        """What only the server can count, each once, in the order it was met."""
        return list(self.doubts)

    def doubt(self, what: str) -> None:
        """Note something that only the server can count."""
        self.doubts[what] += 1


def read(reader: Callable[[Mapping[str, Any]], _T], request: Mapping[str, Any]) -> _T:
    """Read a body, turning a value of an unexpected type into a :class:`RequestError`."""
    try:
        return reader(request)
    except (AttributeError, KeyError, TypeError) as error:
        raise RequestError(f"The request body has a value of the wrong type: {error}.") from error


def from_chat(request: Mapping[str, Any]) -> Conversation:
    """Read a Chat Completions body. Raises :class:`RequestError` without a list of messages."""
    messages = request.get("messages")
    if not isinstance(messages, JsonList):
        raise RequestError(
            "A Chat Completions request needs a list 'messages'. "
            "For a Responses body pass endpoint='responses'."
        )
    if request.get("system"):
        raise RequestError(
            "A Chat Completions request keeps its system prompt in 'messages', and this one has a "
            "'system' beside them: for an Anthropic body pass endpoint='messages'."
        )
    talk = Conversation()
    for position, message in enumerate(messages):
        if not isinstance(message, JsonObject) or not isinstance(message.get("role"), str):
            raise RequestError(f"messages[{position}] is not an object with a 'role'.")
        _chat_message(talk, message)
    read_tools(talk, request)
    if request.get("functions"):
        talk.tools += [tool_of(f) for f in request["functions"] if isinstance(f, JsonObject)]
    read_choice(talk, request, request.get("tool_choice") or request.get("function_call"))
    shape = request.get("response_format")
    if isinstance(shape, JsonObject) and shape.get("type") == "json_schema":
        talk.format = format_of(shape.get("json_schema"))
    talk.searches = request.get("web_search_options") is not None
    return talk


def _chat_message(talk: Conversation, message: Mapping[str, Any]) -> None:
    role = message["role"]
    text = text_of(talk, message.get("content"))
    if role in ("tool", "function"):
        talk.turns.append(ToolResult(text))
        return
    if not text and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    calls: list[Call] = []
    for made in message.get("tool_calls") or ():
        function = made.get("function") if isinstance(made, JsonObject) else None
        if isinstance(function, JsonObject):
            calls.append(Call(str(function.get("name", "")), str(function.get("arguments") or "")))
        else:
            talk.doubt(f"call of type {made.get('type') if isinstance(made, JsonObject) else '?'}")
    old = message.get("function_call")
    if isinstance(old, JsonObject):
        calls.append(Call(str(old.get("name", "")), str(old.get("arguments") or "")))
    if message.get("audio"):
        talk.doubt("audio")
    if text or not calls:
        name = message.get("name")
        talk.turns.append(Message(role, text, name if isinstance(name, str) else None))
    if calls:
        talk.turns.append(Calls(tuple(calls)))


def text_of(talk: Conversation, content: object) -> str:
    """Text of a message's content; images are collected, anything else is noted as unknown."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, JsonSequence):
        raise RequestError(f"A message content is neither a text nor a list: {type(content)}.")
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, JsonObject):
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
    if isinstance(where, JsonObject):
        detail = where.get("detail", detail)
        where = where.get("url")
    return Image(str(where or part.get("file_id") or ""), str(detail or "auto"))


def read_tools(talk: Conversation, request: Mapping[str, Any]) -> None:
    """Take the function tools of a body; every other kind of tool is noted as unknown."""
    for tool in request.get("tools") or ():
        if not isinstance(tool, JsonObject):
            raise RequestError("An entry of 'tools' is not an object.")
        kind = tool.get("type", "function")
        if kind != "function":
            talk.doubt(f"tool {kind}")
        elif tool.get("defer_loading"):
            talk.doubt("deferred tools")
        else:
            inner = tool.get("function")
            talk.tools.append(tool_of(inner if isinstance(inner, JsonObject) else tool))


def tool_of(function: Mapping[str, Any]) -> Tool:
    """A function tool from its name, description and parameters."""
    parameters = function.get("parameters")
    return Tool(
        str(function.get("name", "")),
        str(function.get("description") or ""),
        parameters if isinstance(parameters, JsonObject) else {},
    )


def read_choice(talk: Conversation, request: Mapping[str, Any], choice: object) -> None:
    """Take ``tool_choice`` and ``parallel_tool_calls``."""
    talk.required = choice == "required"
    talk.parallel = request.get("parallel_tool_calls") is not False
    if isinstance(choice, JsonObject):
        inner = choice.get("function", choice)
        name = inner.get("name") if isinstance(inner, JsonObject) else None
        talk.forced = name if isinstance(name, str) else None


def format_of(shape: object) -> Format:
    """A JSON schema format. Raises :class:`RequestError` when it has no name."""
    if not isinstance(shape, JsonObject) or not isinstance(shape.get("name"), str):
        raise RequestError("A JSON schema format needs a 'name' and a 'schema'.")
    schema = shape.get("schema")
    return Format(
        shape["name"],
        str(shape.get("description") or ""),
        schema if isinstance(schema, JsonObject) else {},
    )
