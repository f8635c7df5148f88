"""Read a body of the Responses API into the one shape of :mod:`pricing.counting.conversation`.

``input`` is a list of items: messages, calls, results, reasoning, tools added on the way. Calls
that follow one another are one parallel turn. A reasoning item before the last user message is
dropped by the server and costs nothing; one after it stands in the running loop of calls, is
billed by its hidden length and therefore named as unknown. Example: user, reasoning, call, result,
user is countable; user, reasoning, call, result is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pricing.counting.conversation import (
    AddedTools,
    Call,
    Calls,
    Conversation,
    Message,
    ToolResult,
    format_of,
    read_choice,
    read_tools,
    text_of,
    tool_of,
)
from pricing.counting.result import RequestError
from pricing.json_types import JsonList, JsonObject

# Until summer 2025 the id of an item began with the second it was made, in hexadecimal.
_DATED_ID = re.compile(r"^[a-z]{2,4}_(6[78][0-9a-f]{6})[0-9a-f]{24,}$")


def told_at(item_id: object) -> int | None:
    """The instant an OpenAI item id tells (seconds since 1970), or None; newer ids tell none.

    Example: ``fc_67d1743683b4819192c2f0487f38fa280273f8a636c82b58`` was made on 2025-03-12.
    """
    found = _DATED_ID.match(item_id) if isinstance(item_id, str) else None
    return int(found[1], 16) if found else None


def _loop_start(items: Sequence[Any]) -> int:
    """Position of the last user message: what stands after it is the running loop of calls."""
    users = [
        position
        for position, item in enumerate(items)
        if isinstance(item, JsonObject)
        and item.get("type", "message") == "message"
        and item.get("role", "user") == "user"
    ]
    return users[-1] if users else 0


def _commentary(talk: Conversation) -> None:
    """Mark what an assistant said right before its own call."""
    for position, turn in enumerate(talk.turns[:-1]):
        ahead = talk.turns[position + 1]
        if isinstance(turn, Message) and turn.role == "assistant" and isinstance(ahead, Calls):
            talk.turns[position] = replace(turn, commentary=bool(turn.text))


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
    if not isinstance(given, JsonList):
        raise RequestError(
            "A Responses request needs 'input', a text or a list. "
            "For a Chat Completions body pass endpoint='chat.completions'."
        )
    wanted = request.get("reasoning")
    reasoning: Mapping[str, Any] = wanted if isinstance(wanted, JsonObject) else {}
    loop = _loop_start(given) if reasoning.get("context") != "all_turns" else 0
    for position, item in enumerate(given):
        if not isinstance(item, JsonObject):
            raise RequestError(f"input[{position}] is not an object.")
        if item.get("type") == "reasoning":
            if position >= loop:
                talk.doubt("replayed reasoning")
            else:
                talk.reasoned = reasoning.get("context") != "current_turn" or talk.reasoned
            continue
        told = told_at(item.get("id"))
        talk.told_at = max(talk.told_at or 0, told) if told else talk.told_at
        _responses_item(talk, item)
    _commentary(talk)
    read_tools(talk, request)
    read_choice(talk, request, request.get("tool_choice"))
    talk.pro = reasoning.get("mode") == "pro"
    text = request.get("text")
    shape = text.get("format") if isinstance(text, JsonObject) else None
    if isinstance(shape, JsonObject) and shape.get("type") == "json_schema":
        talk.format = format_of(shape)
    return talk


_STORED = {
    "previous_response_id": "stored conversation (previous_response_id)",
    "conversation": "stored conversation",
    "prompt": "stored prompt",
    "context_management": "context management",
}


def _responses_item(talk: Conversation, item: Mapping[str, Any]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        talk.turns.append(
            Message(str(item.get("role", "user")), text_of(talk, item.get("content")))
        )
    elif kind == "function_call":
        call = Call(
            str(item.get("name", "")),
            str(item.get("arguments") or ""),
            bool(item.get("id")),
            str(item.get("namespace") or "functions"),
        )
        last = talk.turns[-1] if talk.turns else None
        if isinstance(last, Calls):  # calls that follow one another are one parallel turn
            talk.turns[-1] = Calls((*last.calls, call))
        else:
            talk.turns.append(Calls((call,)))
    elif kind == "function_call_output":
        talk.turns.append(ToolResult(text_of(talk, item.get("output"))))
    elif kind == "additional_tools" and all(_is_function(t) for t in item.get("tools") or ()):
        talk.turns.append(AddedTools(tuple(tool_of(t) for t in item.get("tools") or ())))
    else:
        talk.doubt(f"item {kind}")


def _is_function(tool: object) -> bool:
    return isinstance(tool, JsonObject) and tool.get("type", "function") == "function"
