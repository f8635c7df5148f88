"""The mock's answers as server-sent events, chunk by chunk as the API sends them.

Chat Completions: a chunk with the role, chunks of text, one with the finish reason, with
`stream_options.include_usage` one without choices that has the usage, then `[DONE]`. Responses:
its named events from `response.created` to `response.completed`, numbered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.mock.answers import (
    Answer,
    chat_head,
    chat_usage,
    finish,
    response_body,
    tool_call,
)
from pricing.json_types import JsonObject

_PIECE = 8


def pieces(text: str) -> Iterator[tuple[str, int]]:
    """Text in pieces of a few words, with about how many tokens each has."""
    words = text.split(" ")
    for start in range(0, len(words), _PIECE):
        part = words[start : start + _PIECE]
        yield (" " if start else "") + " ".join(part), len(part)


def chat_events(made: Answer) -> Iterator[tuple[bytes, int]]:
    """Events of a streamed completion, each with the tokens it took to write."""
    call = made.call
    options = call.request.get("stream_options")
    told = isinstance(options, JsonObject) and options.get("include_usage") is True
    head = chat_head(call, "chat.completion.chunk") | ({"usage": None} if told else {})

    def chunk(index: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _data(head | {"choices": [choice]})

    for index, choice in enumerate(made.choices):
        start: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        if choice.tool:
            opened = tool_call(choice, call, index) | {"index": 0}
            opened["function"] = {"name": choice.tool, "arguments": ""}
            start |= {"content": None, "tool_calls": [opened]}
        yield chunk(index, start), choice.reasoning
        for piece, tokens in pieces(choice.text):
            delta: dict[str, Any] = {"content": piece}
            if choice.tool:
                delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            yield chunk(index, delta), tokens
        yield chunk(index, {}, finish(choice)), 0
    if told:
        yield _data(head | {"choices": [], "usage": chat_usage(call)}), 0
    yield b"data: [DONE]\n\n", 0


def response_events(made: Answer) -> Iterator[tuple[bytes, int]]:
    """Events of a streamed response, each with the tokens it took to write."""
    number = -1

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        body = {"type": kind, "sequence_number": number, **fields}
        return f"event: {kind}\n".encode() + _data(body)

    opening = response_body(made, finished=False)
    yield event("response.created", response=opening), 0
    yield event("response.in_progress", response=opening), 0
    whole = response_body(made)
    for place, item in enumerate(whole["output"]):
        tokens = made.choices[0].reasoning if item["type"] == "reasoning" else 0
        yield from _item_events(event, place, item, tokens)
    last = "response.incomplete" if whole["status"] == "incomplete" else "response.completed"
    yield event(last, response=whole), 0


def _item_events(
    event: Any, place: int, item: dict[str, Any], tokens: int
) -> Iterator[tuple[bytes, int]]:
    where = {"output_index": place, "item_id": item["id"]}
    started: dict[str, Any] = item | {"content": [], "arguments": "", "status": "in_progress"}
    empty = {k: v for k, v in started.items() if k in item}
    yield event("response.output_item.added", output_index=place, item=empty), tokens
    if item["type"] == "message":
        part = item["content"][0]
        where |= {"content_index": 0}
        yield event("response.content_part.added", **where, part=part | {"text": ""}), 0
        for piece, count in pieces(part["text"]):
            yield event("response.output_text.delta", **where, delta=piece, logprobs=[]), count
        yield event("response.output_text.done", **where, text=part["text"], logprobs=[]), 0
        yield event("response.content_part.done", **where, part=part), 0
    elif item["type"] == "function_call":
        for piece, count in pieces(item["arguments"]):
            yield event("response.function_call_arguments.delta", **where, delta=piece), count
        yield (
            event(
                "response.function_call_arguments.done",
                **where,
                name=item["name"],
                arguments=item["arguments"],
            ),
            0,
        )
    yield event("response.output_item.done", output_index=place, item=item), 0


def _data(body: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"
