"""OpenAI Responses: bodies, background polls, compactions, streams.

Fields read: `id`, `created_at`, `model`, `status`, `service_tier`, `reasoning.effort`, `usage`.
Arithmetic: `input_tokens` includes cached and cache-write tokens, `output_tokens` includes
reasoning, `total_tokens` is their sum. Usage is null until the response is final: a body with
status `queued` or `in_progress` is a *partial* sighting that a later one replaces.
`response.compaction` bodies (`/responses/compact`) have no model: it is the request's.

    {"id": "resp_1…", "object": "response", "created_at": 1767225600, "status": "completed",
     "model": "gpt-5.2", "service_tier": "flex", "reasoning": {"effort": "high"},
     "usage": {"input_tokens": 500, "output_tokens": 900, "total_tokens": 1400,
               "output_tokens_details": {"reasoning_tokens": 640}}}

is 500 uncached input, 260 output and 640 reasoning tokens on tier flex at effort high.
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
    request_effort,
)
from ingest.readers.hosts import region_of
from ingest.readers.makers import maker_of
from ingest.readers.openai_chat import vendor
from ingest.record import instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import Item, UsageError, hosted_searches, read_usage

_OBJECTS = ("response", "response.compaction", "realtime.response")
_PENDING = ("queued", "in_progress")
_FAILED = ("failed", "cancelled", "incomplete")


class ResponsesBody:
    """Bodies of the Responses API."""

    name = "openai-responses"
    order = 10

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By `object`; or by this API's usage names with its id, its details or its maker's model
        (a log may keep nothing else of a body). Images have the same names, and `data`."""
        if body.get("object") in _OBJECTS:
            return True
        usage = body.get("usage")
        if not isinstance(usage, JsonObject) or "input_tokens" not in usage or "data" in body:
            return False
        return (
            str(body.get("id") or "").startswith("resp_")
            or "input_tokens_details" in usage
            or (maker_of(short_text(body.get("model"))) == "openai" and "output_tokens" in usage)
        )

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record, and one of an unpriced model for each hosted image generation."""
        usage = body.get("usage")
        status = body.get("status")
        provider = vendor(body, envelope)
        pending = status in _PENDING
        try:
            reading = (
                read_usage(usage, provider)
                if isinstance(usage, JsonObject) and usage
                else empty_reading(
                    "openai-responses",
                    f"no usage yet: status {status}" if pending else "the response states no usage",
                )
            )
            _hosted_tools(body, reading)
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        reading.region = reading.region or region_of(envelope.url)
        served = body.get("service_tier")
        model = body.get("model")
        if body.get("object") == "response.compaction":
            envelope.tags.setdefault("item", "compaction")
            if not (model or envelope.model or envelope.request.get("model")):
                reading.flags.append("a compaction names no model: log the request beside it")
        metadata = body.get("metadata")
        conversation = body.get("conversation")
        if envelope.session is None and isinstance(conversation, JsonObject):
            envelope.session = short_text(conversation.get("id"))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name if envelope.tier != "batch" else "openai-batch",
            provider=provider,
            model=model if isinstance(model, str) else None,
            response_id=short_text(body.get("id")),
            time=instant(body.get("created_at")),
            tier="batch"
            if envelope.tier == "batch"
            else served
            if isinstance(served, str)
            else None,
            effort=request_effort(body),
            tags=metadata if isinstance(metadata, JsonObject) else None,
            final=any(v is not None for v in reading.counts.values()) and not pending,
            failed=status in _FAILED,
        )


def _hosted_tools(body: Mapping[str, Any], reading: Any) -> None:
    """Searches are meters of the call; hosted images run on a model the body does not name."""
    if reading.counts:
        reading.flags += hosted_searches(body, reading.counts)
    tools = body.get("tool_usage")
    if not isinstance(tools, JsonObject):
        return
    image = tools.get("image_gen")
    if isinstance(image, JsonObject) and (image.get("input_tokens") or image.get("output_tokens")):
        made = read_usage({**image, "total_tokens": None}, "openai")
        reading.items.append(Item("image_generation", made.counts, "image_generation"))


class ResponsesStream:
    """Events of a Responses stream: the last event carries the whole body."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Every event's type begins with `response.`."""
        return str(event.get("type") or "").startswith("response.")

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """As in a stream."""
        return self.matches(document)

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a response id: the latest snapshot, preferring one with usage."""
        bodies: dict[str, tuple[int, Mapping[str, Any]]] = {}
        for line, event in events:
            body = event.get("response")
            if not isinstance(body, JsonObject):
                continue
            key = str(body.get("id"))
            if key not in bodies or body.get("usage") or not bodies[key][1].get("usage"):
                bodies[key] = (line, body)
        for line, body in bodies.values():
            yield line, body, [] if body.get("usage") else ["the stream ended without usage"]


BODY = ResponsesBody()
STREAM = ResponsesStream()
