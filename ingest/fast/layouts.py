"""Where the values of a body stand in a line: the places of the two layouts, and what occurs.

A file's *layout* is either the plain body a line, or a body under `response` with the request and
the log's own fields beside it. A layout knows some seventy places where a value may stand; the
lines of one file use about ten. A `Scope` is a layout with the paths that occur, so that the SQL
made from it takes out nothing else. The SQL of any scope says the same of a line that has no other
paths than the scope's.

>>> scope = Scope("plain", frozenset({"id", "usage", "usage.prompt_tokens"}))
>>> scope.structure(), scope.at("id"), scope.has("usage.completion_tokens")
({'id': 'JSON', 'usage': {'prompt_tokens': 'JSON'}}, 'CAST(j."id" AS VARCHAR)', False)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ingest.fast.lines import member
from ingest.readers.wrapping import DIMENSION_KEYS, DURATION_KEYS, SESSION_KEYS, TIME_KEYS

Layout = Literal["plain", "pair"]


def _leaves(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, "JSON")


_INPUT = _leaves("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens") | {
    "cache_write_tokens_details": _leaves("ttl_30m_tokens", "ttl_12h_tokens")
}
_OUTPUT = _leaves("reasoning_tokens", "thinking_tokens", "audio_tokens")
_USAGE = _leaves(
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens",
    "prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "cache_read_input_tokens",
    "cache_creation_input_tokens", "service_tier", "inference_geo", "speed", "cost", "iterations",
) | {
    "prompt_tokens_details": _INPUT,
    "input_tokens_details": _INPUT,
    "completion_tokens_details": _OUTPUT,
    "output_tokens_details": _OUTPUT,
    "cache_creation": _leaves("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
    "server_tool_use": _leaves("web_search_requests"),
}  # fmt: skip
_BODY = _leaves(
    "id", "object", "type", "role", "status", "created", "created_at", "model", "service_tier",
    "reasoning", "reasoning_effort", "provider", "metadata", "tool_usage", "conversation",
) | {"usage": _USAGE}  # fmt: skip
_REQUEST = _leaves("url", "uri", "model", "service_tier", "reasoning_effort", "reasoning")
_BESIDE = _leaves(*DIMENSION_KEYS, *SESSION_KEYS, *DURATION_KEYS, *TIME_KEYS, "url", "seller")
_AROUND = _BESIDE | _leaves("provider", "vendor", "metadata", "tags", "labels", "object", "type")

_STRUCTURES: dict[Layout, dict[str, Any]] = {
    "plain": {**_BODY, **_BESIDE},
    "pair": {**_AROUND, "request": _REQUEST, "response": _BODY | _leaves("content", "text")},
}
_WITHIN: dict[Layout, tuple[str, ...]] = {"plain": (), "pair": ("response",)}
_PLACES: dict[Layout, dict[str, tuple[str, ...]]] = {
    layout: {
        "top": (),
        **({"request": ("request",), "body": body} if body else {}),
        "usage": (*body, "usage"),
        "input": (*body, "usage", "prompt_tokens_details"),
        "input:2": (*body, "usage", "input_tokens_details"),
        "writes": (*body, "usage", "prompt_tokens_details", "cache_write_tokens_details"),
        "writes:2": (*body, "usage", "input_tokens_details", "cache_write_tokens_details"),
        "output": (*body, "usage", "completion_tokens_details"),
        "output:2": (*body, "usage", "output_tokens_details"),
        "creation": (*body, "usage", "cache_creation"),
        "tools": (*body, "usage", "server_tool_use"),
    }
    for layout, body in _WITHIN.items()
}  # fmt: skip
_METADATA: dict[Layout, tuple[str, ...]] = {
    "plain": ("metadata",),
    "pair": ("metadata", "tags", "labels", "response.metadata"),
}
# The values that decide how a line is read: part of its shape.
_BODY_DECIDES = (
    "object", "type", "role", "status", "model", "service_tier", "reasoning", "reasoning_effort",
    "provider", "tool_usage", "usage.service_tier", "usage.inference_geo", "usage.speed",
    "metadata",
)  # fmt: skip
_DECIDING: dict[Layout, tuple[str, ...]] = {
    "plain": (*_BODY_DECIDES, "url", "seller"),
    "pair": (
        *(f"response.{name}" for name in _BODY_DECIDES), *(f"request.{name}" for name in _REQUEST),
        "url", "provider", "vendor", "seller", "metadata", "tags", "labels", "object", "type",
    ),
}  # fmt: skip


def place_names(layout: Layout) -> tuple[str, ...]:
    """The places whose keys are listed, in the order of the lists."""
    return tuple(name.partition(":")[0] for name in _PLACES[layout])


def place_paths(layout: Layout) -> tuple[tuple[str, ...], ...]:
    """The steps to each place of `place_names`."""
    return tuple(_PLACES[layout].values())


def known_keys(layout: Layout) -> dict[str, set[str]]:
    """The keys that are taken out at each place."""
    found: dict[str, set[str]] = {}
    for name, path in _PLACES[layout].items():
        found.setdefault(name.partition(":")[0], set()).update(_within(layout, path))
    if layout == "pair":
        found["body"] |= {"request_id"}
    return found


def paths_of(layout: Layout, lists: Sequence[Sequence[str] | None]) -> Iterator[str]:
    """The known paths of a line with these lists of keys, one a place."""
    for path, keys in zip(_PLACES[layout].values(), lists, strict=True):
        known = _within(layout, path)
        yield from (".".join((*path, key)) for key in keys or () if key in known)


def _within(layout: Layout, path: Sequence[str]) -> dict[str, Any]:
    structure: Any = _STRUCTURES[layout]
    for step in path:
        structure = structure[step]
    return structure


@dataclass(frozen=True, slots=True)
class Scope:
    """A layout with the paths that occur (None: any may)."""

    layout: Layout
    paths: frozenset[str] | None = None

    @property
    def body(self) -> str:
        """What comes before a body's own paths."""
        return "response." if self.layout == "pair" else ""

    @property
    def deciding(self) -> tuple[str, ...]:
        """The paths whose values decide how a line is read."""
        return _DECIDING[self.layout]

    @property
    def metadata(self) -> tuple[str, ...]:
        """The paths of the objects that hold labels."""
        return _METADATA[self.layout]

    def has(self, path: str) -> bool:
        """Whether a line may have this path."""
        return self.paths is None or path in self.paths

    def at(self, path: str, root: str = "j") -> str:
        """The JSON text at a path of the parsed line, in SQL."""
        if not self.has(path):
            return "CAST(NULL AS VARCHAR)"
        sql = root
        for step in path.split("."):
            sql = member(sql, step)
        return f"CAST({sql} AS VARCHAR)"

    def structure(self) -> dict[str, Any]:
        """What a line is parsed into: the paths as nested objects."""
        return self._pruned(_STRUCTURES[self.layout], "")

    def _pruned(self, structure: dict[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, inner in structure.items():
            if not self.has(prefix + name):
                continue
            kept = inner if inner == "JSON" else self._pruned(inner, f"{prefix}{name}.")
            if kept:
                found[name] = kept
        return found
