"""Cohere: chat of its first API, embedding and reranking of both; streams of both.

`meta.billed_units` {input_tokens, output_tokens, image_tokens, search_units, classifications} is
billed; `meta.tokens` counts the server's own preamble too and is information. `generation_id` (or
`id`) is the key; the model is in the request, the time in the wrapping. Chat bodies of the second
API have `usage.billed_units` and are read with the other compatible servers' (`openai_chat`).
Reranking is billed by search units: such a call has no tokens, but a count of searches.

    {"generation_id": "g1", "text": "…", "meta": {"billed_units": {"input_tokens": 25,
     "output_tokens": 9}, "tokens": {"input_tokens": 91, "output_tokens": 11}}}

is 25 input and 9 output tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.record import short_text
from pricing.json_types import JsonObject
from pricing.usage import UsageError, read_usage

_UNITS = ("input_tokens", "output_tokens", "search_units", "classifications", "images")


class CohereBody:
    """Bodies of Cohere's chat and generate, version 1, of embed and rerank in both."""

    name = "cohere"
    order = 45

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By the billed units under `meta`."""
        billed = _billed(body)
        return billed is not None and any(name in billed for name in _UNITS)

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record."""
        billed = _billed(body)
        try:
            reading = read_usage({"billed_units": billed}, "cohere")
        except UsageError as error:
            yield reject(error, envelope.line, billed)
            return
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider="cohere",
            model=short_text(body.get("model")),
            response_id=short_text(body.get("generation_id") or body.get("id")),
            content=[billed, str(envelope.time)],
        )


class CohereStream:
    """Events of both versions' streams: `message-start` … `message-end`, or lines with an
    `event_type` of which `stream-end` holds the whole body."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """The types are written with dashes."""
        kind = event.get("type", event.get("event_type"))
        return isinstance(kind, str) and kind.startswith(_STREAM_TYPES)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """As in a stream."""
        return self.matches(document)

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a stream; a stream that does not end has no usage."""
        open_at: tuple[int, dict[str, Any]] | None = None
        for line, event in events:
            kind = event.get("type", event.get("event_type"))
            delta = event.get("delta")
            if kind == "message-start":
                if open_at is not None:
                    yield *open_at, [_CUT]
                open_at = (line, {"id": event.get("id"), "usage": {"billed_units": {}}})
            elif kind == "message-end" and isinstance(delta, JsonObject):
                start = open_at or (line, {"id": event.get("id")})
                yield start[0], {**start[1], "usage": delta.get("usage")}, []
                open_at = None
            elif kind == "stream-end" and isinstance(event.get("response"), JsonObject):
                yield line, event["response"], []
        if open_at is not None:
            yield *open_at, [_CUT]


_STREAM_TYPES = ("message-", "content-", "stream-", "text-generation", "citation-", "tool-call")
_CUT = "the stream ended without usage"


def _billed(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    meta = body.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, JsonObject) else None
    return billed if isinstance(billed, JsonObject) else None


BODY = CohereBody()
STREAM = CohereStream()
