"""What the mock answers: whole bodies of Chat Completions and Responses.

The text says that it is simulated and has as many tokens as were drawn (up to 2,000; a longer one
is cut, its usage is not). Where the request asks for content of a certain form, it gets the
smallest that is valid: an instance of the JSON schema, a call of the tool it insists on.

>>> instance({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
{'n': 0}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.mock.simulator import WRITES, Call, Simulator
from pricing.counting import encoder
from pricing.counting.families import openai_family
from pricing.json_types import JsonList, JsonObject
from pricing.variants import candidates

_MARK = "[simulated by tokenbooks]"
_FILLER = " simulated"
_LONGEST = 2000
_DEEPEST = 12


@dataclass(slots=True)
class Choice:
    """One answer: text, or a call of a tool."""

    text: str
    tool: str = ""
    cut: bool = False
    reasoning: int = 0


@dataclass(slots=True)
class Answer:
    """A decided call with the content of its choices."""

    call: Call
    choices: list[Choice] = field(default_factory=list)


def answer(simulator: Simulator, call: Call) -> Answer:
    """Give a call its content; lengths of asked-for content are counted, not drawn."""
    tool, schema = _asked(call.request, call.endpoint)
    family = openai_family(call.model) or next(
        (f for name in candidates(call.model) if (f := openai_family(name))), None
    )
    count = encoder(family.encoding if family else "o200k_base").count
    made = Answer(call)
    if tool or schema is not None:
        text = json.dumps(instance(schema or {}), ensure_ascii=False)
        lengths = [min(count(text), n) if cut else count(text)
                   for n, cut in zip(call.texts, call.cut, strict=True)]  # fmt: skip
        simulator.settle(call, lengths)
        made.choices = [Choice(text, tool, reasoning=r) for r in call.reasonings]
        return made
    for tokens, reasoning, cut in zip(call.texts, call.reasonings, call.cut, strict=True):
        mark = count(_MARK)
        if tokens <= mark:
            text = _FILLER.strip() + _FILLER * (tokens - 1) if tokens else ""
        else:
            text = _MARK + _FILLER * (min(tokens, _LONGEST) - mark)
        made.choices.append(Choice(text, cut=cut, reasoning=reasoning))
    return made


def _asked(request: Mapping[str, Any], endpoint: str) -> tuple[str, Mapping[str, Any] | None]:
    """The tool a request insists on and its schema, or the schema of the answer, if any."""
    tools: dict[str, Any] = {}
    listed = request.get("tools")
    for tool in listed if isinstance(listed, JsonList) else ():
        if isinstance(tool, JsonObject) and tool.get("type") == "function":
            inner = tool.get("function") if endpoint == "chat.completions" else tool
            if isinstance(inner, JsonObject) and inner.get("name"):
                tools[str(inner["name"])] = inner.get("parameters") or {}
    wanted = request.get("tool_choice")
    if isinstance(wanted, JsonObject):
        named = wanted.get("function", wanted)
        name = str(named.get("name")) if isinstance(named, JsonObject) else ""
        if name in tools:
            return name, tools[name]
    if wanted == "required" and tools:
        name = next(iter(tools))
        return name, tools[name]
    place = request.get("response_format")
    if endpoint == "responses":
        text = request.get("text")
        place = text.get("format") if isinstance(text, JsonObject) else None
    if isinstance(place, JsonObject):
        if place.get("type") == "json_object":
            return "", {}
        if place.get("type") == "json_schema":
            inner = place.get("json_schema", place)
            schema = inner.get("schema") if isinstance(inner, JsonObject) else None
            return "", schema if isinstance(schema, JsonObject) else {}
    return "", None


def instance(
    schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0
) -> Any:
    """The smallest value of a JSON schema (the subset that structured outputs allow)."""
    root = schema if root is None else root
    if depth > _DEEPEST or not isinstance(schema, JsonObject):
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        found: Any = root
        for part in reference.lstrip("#/").split("/") if reference != "#" else []:
            found = found.get(part, {}) if isinstance(found, JsonObject) else {}
        return instance(found, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), JsonList) and schema["enum"]:
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), JsonList) and schema[name]:
            return instance(schema[name][-1] if depth > _DEEPEST // 2 else schema[name][0], root,
                            depth + 1)  # fmt: skip
    kind = schema.get("type", "object" if depth == 0 or "properties" in schema else "string")
    if isinstance(kind, JsonList):
        kind = kind[-1] if depth > _DEEPEST // 2 else kind[0]
    if kind == "object":
        held = schema.get("properties")
        properties: Mapping[str, Any] = held if isinstance(held, JsonObject) else {}
        wanted = schema.get("required", list(properties))
        return {name: instance(properties.get(name, {}), root, depth + 1) for name in wanted}
    if kind == "array":
        return [
            instance(schema.get("items", {}), root, depth + 1)
            for _ in range(min(int(schema.get("minItems", 0)), 20))
        ]
    if kind in ("integer", "number"):
        return max(0, schema.get("minimum", 0))
    return {"boolean": False, "null": None}.get(str(kind), "simulated")


# --- Chat Completions ---------------------------------------------------------------------------


def chat_usage(call: Call) -> dict[str, Any]:
    """The usage object of Chat Completions: cached inside prompt, reasoning inside completion."""
    return {
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
        "prompt_tokens_details": {"cached_tokens": call.counts["cache_read"], "audio_tokens": 0}
        | _written(call),
        "completion_tokens_details": {
            "reasoning_tokens": call.counts["reasoning"], "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


def _written(call: Call) -> dict[str, Any]:
    written = {n.removeprefix("cache_write_"): call.counts.get(n) for n in WRITES}
    split = {f"ttl_{life}_tokens": n for life, n in written.items() if n is not None}
    if not split:
        return {}
    return {"cache_write_tokens": sum(split.values()), "cache_write_tokens_details": split}


def chat_head(call: Call, kind: str) -> dict[str, Any]:
    """What a completion and each of its chunks begin with."""
    return {
        "id": call.id, "object": kind, "created": int(call.at.timestamp()), "model": call.model,
        "service_tier": call.tier, "system_fingerprint": "simulated", "simulated": True,
    }  # fmt: skip


def finish(choice: Choice) -> str:
    """Why a choice ended."""
    return "tool_calls" if choice.tool else "length" if choice.cut else "stop"


def tool_call(choice: Choice, call: Call, index: int) -> dict[str, Any]:
    """A function call in the shape of Chat Completions."""
    return {
        "id": f"call_{call.id[-24:]}{index}", "type": "function",
        "function": {"name": choice.tool, "arguments": choice.text},
    }  # fmt: skip


def chat_body(made: Answer) -> dict[str, Any]:
    """A whole completion."""
    choices: list[dict[str, Any]] = []
    for index, choice in enumerate(made.choices):
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
        if choice.tool:
            message |= {"content": None, "tool_calls": [tool_call(choice, made.call, index)]}
        choices.append(
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish(choice)}
        )
    head = chat_head(made.call, "chat.completion")
    return head | {"choices": choices, "usage": chat_usage(made.call)}


# --- Responses ----------------------------------------------------------------------------------


def output_items(made: Answer) -> list[dict[str, Any]]:
    """The output of a response: reasoning (without its text), then a message or a tool's call."""
    call, choice = made.call, made.choices[0]
    tail = call.id.removeprefix("resp_")
    status = "incomplete" if choice.cut else "completed"
    items: list[dict[str, Any]] = []
    if choice.reasoning:
        items.append({"type": "reasoning", "id": f"rs_{tail}", "summary": []})
    if choice.tool:
        items.append(
            {"type": "function_call", "id": f"fc_{tail}", "call_id": f"call_{tail[-24:]}",
             "name": choice.tool, "arguments": choice.text, "status": status}
        )  # fmt: skip
    elif choice.text:
        part: dict[str, Any] = {
            "type": "output_text",
            "text": choice.text,
            "annotations": [],
            "logprobs": [],
        }
        items.append(
            {"type": "message", "id": f"msg_{tail}", "role": "assistant", "status": status,
             "content": [part]}
        )  # fmt: skip
    return items


def response_body(made: Answer, *, finished: bool = True) -> dict[str, Any]:
    """A response: whole, or as its stream announces it."""
    call, request = made.call, made.call.request
    cut = finished and made.choices[0].cut
    status = "in_progress" if not finished else "incomplete" if cut else "completed"
    usage = {
        "input_tokens": call.input_tokens,
        "input_tokens_details": {"cached_tokens": call.counts["cache_read"]} | _written(call),
        "output_tokens": call.output_tokens,
        "output_tokens_details": {"reasoning_tokens": call.counts["reasoning"]},
        "total_tokens": call.input_tokens + call.output_tokens,
    }
    metadata = request.get("metadata")
    return {
        "id": call.id, "object": "response", "created_at": int(call.at.timestamp()),
        "status": status, "error": None, "model": call.model, "service_tier": call.tier,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "metadata": metadata if isinstance(metadata, JsonObject) else {},
        "output": output_items(made) if finished else [],
        "parallel_tool_calls": bool(request.get("parallel_tool_calls", True)),
        "previous_response_id": request.get("previous_response_id"),
        "reasoning": {"effort": call.effort, "summary": None},
        "store": request.get("store", True) is not False,
        "temperature": request.get("temperature"), "top_p": request.get("top_p"),
        "text": request.get("text") or {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice") or "auto",
        "tools": request.get("tools") or [], "truncation": "disabled",
        "usage": usage if finished else None, "simulated": True,
    }  # fmt: skip
