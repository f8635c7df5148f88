"""Bodies inside documents of a shape of their own: an application's log line, a queue's message, a
container's output with the line it took as text.

What the known wrappings (`ingest.readers.wrapping`) do not explain is searched, from the outside
in, for objects that an API would write. Each becomes a wrapped body: what the objects around it say
of time, session, labels and request stands beside it.

>>> line = {"ts": "2026-03-01T10:00:00Z", "event": {"payload": '{"usage": {"prompt_tokens": 1}}'}}
>>> bodies_in(line, lambda document: "usage" in document)
[{'ts': '2026-03-01T10:00:00Z', 'response': {'usage': {'prompt_tokens': 1}}}]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingest.files import parse
from ingest.readers.wrapping import (
    DIMENSION_KEYS,
    DURATION_KEYS,
    SESSION_KEYS,
    TIME_KEYS,
    is_wrapped,
)
from pricing.json_types import JsonList, JsonObject

_DEEPEST = 4
_WIDEST = 200
"""Objects looked at on one level: a log line has few, another format's file may have thousands."""

_KEPT = frozenset({
    *TIME_KEYS, *DIMENSION_KEYS, *SESSION_KEYS, *DURATION_KEYS, "url", "provider", "vendor",
    "seller", "metadata", "tags", "labels",
})  # fmt: skip
_ASKED = ("request", "request_body", "input", "params", "kwargs", "args", "body", "payload")
_ASKS = ("messages", "input", "prompt", "contents", "stream", "max_tokens", "service_tier")


def bodies_in(
    document: Mapping[str, Any], known: Callable[[Mapping[str, Any]], bool]
) -> list[dict[str, Any]]:
    """The bodies inside a document that is none itself, each wrapped in what surrounds it; one that
    stands there twice comes once. `known` says what a body (or a wrapped one) is."""
    found: list[dict[str, Any]] = []
    level: list[tuple[Mapping[str, Any], dict[str, Any]]] = [(document, {})]
    for _ in range(_DEEPEST):
        below: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
        for outer, around in level[:_WIDEST]:
            beside = around | {k: v for k, v in outer.items() if k in _KEPT and _says(v)}
            request = _request(outer)
            if request:
                beside["request"] = request
            for inner in _objects(outer):
                if not known(inner):
                    below.append((inner, beside))
                    continue
                whole = {**beside, **inner} if is_wrapped(inner) else {**beside, "response": inner}
                if whole not in found:
                    found.append(whole)
        if found or not below:
            break
        level = below
    return found


def _says(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, JsonList)


def _request(outer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was asked, where it stands beside the answer."""
    for name in _ASKED:
        value = outer.get(name)
        if (
            isinstance(value, JsonObject)
            and isinstance(value.get("model"), str)
            and ("usage" not in value and any(k in value for k in _ASKS))
        ):
            return value
    return {}


def _objects(outer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects one step inside: values, elements of lists, and those that are text."""
    found: list[Mapping[str, Any]] = []
    for value in outer.values():
        for one in value[:_WIDEST] if isinstance(value, JsonList) else (value,):
            text = isinstance(one, str) and one.lstrip()[:1] == "{"
            inner = parse(one.strip()) if text else one
            if isinstance(inner, JsonObject):
                found.append(inner)
    return found
