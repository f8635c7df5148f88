"""OpenTelemetry GenAI spans: OTLP files and bodies, in every dialect, each call once.

Attribute names and arithmetic are in `otel_attributes`, encodings in `otel_wire`, the choice of
the spans that are calls in `otel_calls`. This module opens files and makes records.

Claude Code's `api_request` log events are calls too, keyed by the request id its spans carry.

    chat claude-opus-4-5 (OpenInference, no id, 9,803 input)
    └─ anthropic.messages (Anthropic SDK, id msg_1…, 9,803 input of which 9,000 cached)

is one record `anthropic:msg_1…`. A span's key is its response id, else trace and span id, so an
exporter's retry is the same call. `read_export_request` serves the collector.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result, item_records
from ingest.readers.cells import amount, milliseconds
from ingest.readers.otel_attributes import Call, tags_of
from ingest.readers.otel_calls import Recent, Spans, key_of
from ingest.readers.otel_wire import (
    OtlpError,
    Signal,
    Span,
    bare,
    framed,
    frames,
    is_request,
    json_spans,
    parse_request,
)
from ingest.record import Reject, UsageRecord, call_key, short_text, split_tags
from pricing.usage import UsageError, read_usage

_MAX_BODY = 512 * 1024 * 1024


# --- records ------------------------------------------------------------------------------------


def records(spans: Spans, context: ReadContext) -> Iterator[Result]:
    """Records of everything gathered."""
    calls = spans.settled()
    events = [_claude_code(event, context) for event in spans.events]
    # Claude Code's event says more of the same call than its span: cost, session, speed.
    told = {event.call_key for event in events if isinstance(event, UsageRecord)}
    for call in calls:
        if key_of(call) not in told:
            yield from _records(call, context)
    yield from events
    yield from spans.rejects
    spans.note(context, calls)


def _records(call: Call, context: ReadContext) -> Iterator[UsageRecord]:
    span, reading = call.span, call.reading
    key = key_of(call)
    if key == "otel::":
        key = context.keys.key([span.name, str(span.start), reading.counts])
    dimensions, rest = split_tags(call.tags)
    record = UsageRecord(
        call_key=key,
        occurred_at=span.start or span.end or context.assumed_time,
        time_assumed=span.start is None and span.end is None,
        source_format="otel",
        provider=call.provider,
        model=call.model,
        counts=reading.counts,
        tier=call.tier,
        region=reading.region,
        effort=call.effort,
        total_reported=reading.total_reported,
        source_cost_usd=call.cost,
        finality="final" if call.counted else "partial",
        failed=span.failed and not call.counted,
        latency_ms=_latency(span),
        session=call.session,
        dimensions=dimensions,
        tags=rest,
        flags=list(reading.flags),
        line=span.line,
    )
    yield record
    yield from item_records(record, reading.items)


def _latency(span: Span) -> int | None:
    if span.start is None or span.end is None or span.end <= span.start:
        return None
    return round((span.end - span.start).total_seconds() * 1000)


def _claude_code(event: Span, context: ReadContext) -> Result:
    """A call from Claude Code's own telemetry: Anthropic's arithmetic, cache beside input."""
    a = event.attributes
    usage: dict[str, Any] = {
        "input_tokens": _whole(a.get("input_tokens")),
        "output_tokens": _whole(a.get("output_tokens")),
        "cache_read_input_tokens": _whole(a.get("cache_read_tokens")),
        "cache_creation_input_tokens": _whole(a.get("cache_creation_tokens")),
        "speed": a.get("speed"),
    }
    try:
        reading = read_usage(usage, "anthropic")
    except UsageError as error:
        return Reject(f"log event api_request: {error}", event.line)
    request_id = short_text(a.get("request_id"))
    session = short_text(a.get("session.id"))
    sequence = short_text(a.get("event.sequence"))
    if request_id:
        key = call_key("anthropic", request_id)
    elif session and sequence:
        key = f"claude-code:{session}:{sequence}"
    else:
        key = context.keys.key([str(event.start), a.get("model"), usage])
    when = event.start
    dimensions, rest = split_tags(
        {**tags_of(event), "query_source": a.get("query_source"), "request_id": request_id}
    )
    return UsageRecord(
        call_key=key,
        occurred_at=when or context.assumed_time,
        time_assumed=when is None,
        source_format="otel",
        provider="anthropic",
        model=short_text(a.get("model")),
        counts=reading.counts,
        tier=reading.tier,
        source_cost_usd=amount(a.get("cost_usd")),
        latency_ms=milliseconds(a.get("duration_ms")),
        session=session,
        dimensions=dimensions,
        tags=rest,
        flags=list(reading.flags),
        line=event.line,
    )


def _whole(value: Any) -> Any:
    """Counts in log events come as numbers or text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


# --- the collector's and the file reader's doors ------------------------------------------------


def read_export_request(
    body: bytes | Mapping[str, Any],
    context: ReadContext | None = None,
    signal: Signal = "traces",
    recent: Recent | None = None,
) -> Iterator[Result]:
    """Records of one OTLP export request (protobuf or JSON, not compressed).

    `signal` says which of `/v1/traces` and `/v1/logs` it came to; `recent` is what the collector
    keeps from one request to the next. A body that is no request gives a `Reject`; to answer 400
    instead, use `parse_request`, which raises `OtlpError`, then `Spans.add` and `records`.
    """
    context = context or ReadContext(Source(Path("otlp"), "binary", "", b"", modified=time.time()))
    spans = Spans(recent if recent is not None else Recent())
    try:
        spans.add(parse_request(body, 1, signal))
    except OtlpError as error:
        yield Reject(str(error), 1)
        return
    yield from records(spans, context)


class Otel:
    """Reader of span exports."""

    name = "otel"
    title = "OpenTelemetry GenAI spans (OTLP JSON, protobuf, Collector files)"
    recognised_by = "OTLP export requests, or spans with gen_ai, llm or ai attributes"

    def identify(self, source: Source) -> float:
        """Certain for an export request; in binary files the ids must have their length."""
        if source.kind in ("json", "jsonl") and source.sample:
            known = sum(1 for d in source.sample if is_request(d))
            if known:
                return 0.97 * known / len(source.sample)
        if bare(source.head) or framed(source.head):
            try:
                return 0.95 if any(self._messages(source, probe=True)) else 0.0
            except (OtlpError, OSError, EOFError, ValueError):
                return 0.0
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Gather all spans of the file, then yield each call once."""
        spans = Spans()
        text = source.kind in ("json", "jsonl") and any(is_request(d) for d in source.sample)
        try:
            if text:
                for line, document in source.documents():
                    if isinstance(document, BadLine):
                        yield Reject(document.reason, line)
                    elif is_request(document):
                        spans.add(json_spans(document, line))
                        spans.metrics += "resourceMetrics" in document
                    else:
                        yield Reject("not an OTLP export request or a span", line)
            else:
                for result in self._messages(source):
                    if isinstance(result, Reject):
                        yield result
                    else:
                        spans.add(result)
        except (OtlpError, UnreadableFile, OSError, EOFError) as error:
            yield Reject(str(error), None)
        yield from records(spans, context)

    def _messages(self, source: Source, probe: bool = False) -> Iterator[list[Span] | Reject]:
        """Spans by message of a binary file: length-prefixed, or one request body."""
        with source.open() as stream:
            if framed(source.head) and not bare(source.head):
                for number, message in frames(stream):
                    if isinstance(message, BadLine):
                        if not probe:
                            yield Reject(message.reason, number)
                        return
                    try:
                        yield parse_request(message, number)
                    except OtlpError as error:
                        if probe:
                            return
                        yield Reject(f"message {number}: {error}", number)
                return
            body = stream.read(_MAX_BODY + 1)
        if len(body) > _MAX_BODY:
            raise OtlpError("one request of over 512 MiB: split it")
        yield parse_request(body)


READER = Otel()
