"""Google's Interactions API: bodies and streams, AI Studio and Vertex.

Fields read: `id`, `model` (or `agent`), `status`, `created`, `usage`. Arithmetic, as
`generateContent` under other names: `total_input_tokens` includes `total_cached_tokens`;
`total_thought_tokens` is billed as output beside `total_output_tokens`, `total_tool_use_tokens` as
input beside the input; `total_tokens` has all four. A background interaction is polled until its
`status` is `completed`: the same id is one call.

    {"id": "v1_1…", "object": "interaction", "model": "gemini-3.6-flash", "status": "completed",
     "created": "2026-07-01T10:00:00Z",
     "usage": {"total_input_tokens": 100, "total_cached_tokens": 40, "total_output_tokens": 20,
               "total_thought_tokens": 30, "total_tokens": 150}}

is 60 uncached, 40 cached, 20 output and 30 reasoning tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import (
    Envelope,
    ReadContext,
    Result,
    empty_reading,
    make_records,
    reject,
)
from ingest.record import instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import UsageError, api_of, read_usage

_PENDING = ("in_progress", "queued", "requires_action")


class InteractionBody:
    """Bodies of interactions."""

    name = "gemini-interactions"
    order = 25

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By `object`, or by this API's own count names."""
        usage = body.get("usage")
        if isinstance(usage, JsonObject) and usage:
            return api_of(usage) == "interaction"
        return body.get("object") == "interaction" and "id" in body

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record; an agent's interaction names the agent where it names no model."""
        usage, status = body.get("usage"), body.get("status")
        try:
            reading = (
                read_usage(usage, "google")
                if isinstance(usage, JsonObject) and usage
                else empty_reading(self.name, f"no usage yet: status {short_text(status)}")
            )
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        tier = body.get("service_tier", body.get("serviceTier"))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider="google",
            model=short_text(body.get("model")) or short_text(body.get("agent")),
            response_id=short_text(body.get("id")),
            time=instant(body.get("created", body.get("createTime"))),
            tier="batch" if envelope.tier == "batch" else short_text(tier),
            final=bool(reading.counts) and status not in _PENDING,
            failed=status in ("failed", "cancelled"),
            content=[body.get("model"), usage, str(envelope.time)],
        )


class InteractionStream:
    """Events of an interaction: the last one holds it whole."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """By the event's type and what it holds."""
        kind = str(event.get("event_type") or event.get("type") or "")
        return kind.startswith("interaction.") and isinstance(event.get("interaction"), JsonObject)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """As in a stream."""
        return self.matches(document)

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body an interaction, from all its events; the last usage wins."""
        bodies: dict[str, tuple[int, dict[str, Any]]] = {}
        last = ""
        for line, event in events:
            inner = event.get("interaction")
            if not self.matches(event) or not isinstance(inner, JsonObject):
                continue
            last = short_text(inner.get("id")) or last
            _, body = bodies.setdefault(last, (line, {"object": "interaction"}))
            body |= {k: v for k, v in inner.items() if v is not None}
        for line, body in bodies.values():
            yield line, body, [] if body.get("usage") else ["the stream ended without usage"]


BODY = InteractionBody()
STREAM = InteractionStream()
