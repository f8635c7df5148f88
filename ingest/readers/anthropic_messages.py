"""Anthropic Messages: bodies, batch results, streams.

Fields read: `id`, `model`, `usage`. There is no time in a body: it comes from the wrapping (the
HTTP Date header, the log's own clock), else it is assumed and the record says so. Arithmetic:
`input_tokens` is the uncached part only, cache reads and writes stand beside it (writes split by
lifetime where `cache_creation` is given), thinking is inside `output_tokens`. Entries of
`usage.iterations` other than `message` are further passes, perhaps on another model: each is a
record of its own.

In a stream `message_start` holds the input and a first output count, `message_delta` the
cumulative, final one: it replaces, it does not add.

    {"id": "msg_1…", "type": "message", "model": "claude-opus-4-5",
     "usage": {"input_tokens": 3, "cache_read_input_tokens": 9000, "output_tokens": 120,
               "cache_creation": {"ephemeral_5m_input_tokens": 800}}}

is 3 uncached, 9,000 cached, 800 written for 5 minutes and 120 output tokens: a prompt of 9,803.
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
from ingest.readers.hosts import model_in, provider_of, region_of
from ingest.readers.makers import maker_of
from ingest.record import instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import UsageError, read_usage

_CLOUDS = {"msg_bdrk_": "bedrock", "msg_vrtx_": "google"}
"""Prefixes of message ids of calls a cloud served, and who bills them."""


def cloud_of(message_id: str | None) -> str | None:
    """The cloud that served a message, by its id; None where Anthropic did."""
    return next((s for p, s in _CLOUDS.items() if (message_id or "").startswith(p)), None)


class MessagesBody:
    """Bodies of the Messages API, direct or through a cloud."""

    name = "anthropic-messages"
    order = 20

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """`type` = message with usage, or usage with this API's cache names."""
        usage = body.get("usage")
        if body.get("type") == "message" and body.get("role") == "assistant":
            return "usage" in body
        return (
            isinstance(usage, JsonObject)
            and "input_tokens" in usage
            and body.get("type") != "message_delta"
            and (
                "cache_read_input_tokens" in usage
                or "cache_creation_input_tokens" in usage
                or str(body.get("id") or "").startswith("msg_")
                or maker_of(short_text(body.get("model"))) == "anthropic"
            )
        )

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record, and one for each further pass in `iterations`."""
        usage = body.get("usage")
        try:
            reading = (
                read_usage(usage, "anthropic")
                if isinstance(usage, JsonObject) and usage
                else empty_reading("anthropic", "the response states no usage")
            )
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        # A cloud's answer says nothing of the place that its address names.
        reading.region = region_of(envelope.url) or reading.region
        model = body.get("model")
        if envelope.seller is None and not provider_of(envelope.url):
            envelope.seller = cloud_of(short_text(body.get("id")))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name if envelope.tier != "batch" else "anthropic-batch",
            provider=provider_of(envelope.url) or "anthropic",
            model=model if isinstance(model, str) else model_in(envelope.url),
            response_id=short_text(body.get("id")),
            time=instant(body.get("created_at")),
            tier="batch" if envelope.tier == "batch" else reading.tier,
            final=bool(reading.counts),
            content=None if body.get("id") else [model, usage, str(envelope.time)],
        )


_EVENTS = (
    "message_start", "message_delta", "message_stop", "content_block_start",
    "content_block_delta", "content_block_stop", "ping",
)  # fmt: skip


class MessagesStream:
    """Events of a Messages stream."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Event types of this API."""
        return event.get("type") in ("message_start", "message_delta", "content_block_start")

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Every event type of this API; none is also a body's."""
        return document.get("type") in _EVENTS

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a `message_start`; the last `message_delta` overrides the counts it states."""
        current: dict[str, Any] | None = None
        start, finished = 0, False
        for line, event in events:
            if event.get("type") == "message_start" and isinstance(
                event.get("message"), JsonObject
            ):
                if current is not None:
                    yield start, current, _cut(finished)
                current, start, finished = dict(event["message"]), line, False
                first = current.get("usage")
                current["usage"] = dict(first) if isinstance(first, JsonObject) else {}
            elif event.get("type") == "message_delta" and current is not None:
                usage = event.get("usage")
                if isinstance(usage, JsonObject):
                    stated = {k: v for k, v in usage.items() if v is not None}
                    written = stated.get("cache_creation_input_tokens")
                    known = current["usage"].get("cache_creation_input_tokens")
                    if written != known and written is not None:
                        # The split of the first count says nothing of the final one.
                        current["usage"].pop("cache_creation", None)
                    current["usage"] |= stated
                    finished = True
        if current is not None:
            yield start, current, _cut(finished)


def _cut(finished: bool) -> list[str]:
    return [] if finished else ["the stream ended before its final usage: output is partial"]


BODY = MessagesBody()
STREAM = MessagesStream()
