"""OTLP on the wire and in files: every encoding becomes plain `Span`s.

Encodings: OTLP/JSON (one export request a line, or one document), OTLP protobuf bodies, the
Collector's file exporter (a 4-byte big-endian length before each message, messages protobuf, JSON
or zstd of either), a JavaScript `ReadableSpan` dump, the Python SDK's `span.to_json()`. Compression
of the whole file is `ingest.files`' business. OTLP/JSON writes 64-bit integers as text and ids in
hex, so it is read as plain JSON and not by protobuf's JSON reader.

>>> request = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "a1", "spanId": "b2",
...     "startTimeUnixNano": "1767225600000000000",
...     "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}}]}]}]}]}
>>> [(s.span_id, s.attributes, s.start) for s in parse_request(request)]
[('b2', {'gen_ai.usage.input_tokens': 12}, datetime.datetime(2026, 1, 1, 0, 0))]

Log records come as spans too (`log` is their event name): Claude Code reports calls that way.
Metrics are aggregates without call ids and are left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ingest.files import BadLine, parse
from ingest.record import instant
from pricing.json_types import JsonList, JsonObject

Signal = Literal["traces", "logs"]
_MAX_MESSAGE = 256 * 1024 * 1024
_ZSTD = b"\x28\xb5\x2f\xfd"
_DEEPEST = 6


class OtlpError(ValueError):
    """A body is no OTLP export request: the message says why."""


@dataclass(slots=True)
class Span:
    """One span or log record: who, when, its attributes and its resource's, in plain values."""

    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    name: str = ""
    scope: str = ""
    start: datetime | None = None
    end: datetime | None = None
    failed: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    line: int = 1


def parse_request(
    body: bytes | Mapping[str, Any], line: int = 1, signal: Signal = "traces"
) -> list[Span]:
    """The spans of one export request (protobuf or JSON bytes, or parsed JSON).

    `signal` matters for protobuf only, where a body does not name itself; a body that cannot be
    traces is tried as logs. Raises `OtlpError` for anything else.
    """
    if isinstance(body, bytes):
        if body[:4] == _ZSTD:
            body = _unzstd(body)
        if body.lstrip()[:1] == b"{":
            text = body.decode("utf-8", "replace")
            document = parse(text)
            if isinstance(document, BadLine) or not isinstance(document, JsonObject):
                if body[:1] == b"{":
                    raise OtlpError("not an OTLP export request: broken JSON")
            else:
                return parse_request(document, line)
        return _protobuf(body, line, signal)
    if body and not is_request(body):
        raise OtlpError("not an OTLP export request: no resourceSpans, resourceLogs or span in it")
    return list(json_spans(body, line))


# --- JSON ---------------------------------------------------------------------------------------

# Tempo's answers name the resources of a trace `batches`.
_RESOURCES = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "batches")
_METRICS = ("resourceMetrics", "resource_metrics")


def is_request(document: Any) -> bool:
    """Whether a JSON document is an export request or a dumped span."""
    if not isinstance(document, JsonObject):
        return False
    return any(isinstance(document.get(k), JsonList) for k in (*_RESOURCES, *_METRICS)) or _dumped(
        document
    )


def _dumped(document: Mapping[str, Any]) -> bool:
    """A span written by an SDK's own exporter: JavaScript's shape or Python's, or (GitHub
    Copilot's file) JavaScript's with the ids at the top."""
    return _context(document) is not None and isinstance(document.get("attributes"), JsonObject)


def _context(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    context = document.get("spanContext", document.get("context"))
    if isinstance(context, JsonObject):
        return context
    alone = isinstance(document.get("spanId"), str) and isinstance(document.get("traceId"), str)
    return document if alone and "startTime" in document else None


def json_spans(document: Mapping[str, Any], line: int) -> Iterator[Span]:
    """Spans and log records of one JSON document. Parts of a wrong shape are passed over."""
    if _dumped(document):
        yield _from_dump(document, line)
        return
    for name in _RESOURCES:
        for resource in _objects(document.get(name)):
            about = _attributes(_object(resource.get("resource")).get("attributes"))
            scopes = [
                *_objects(resource.get("scopeSpans")), *_objects(resource.get("scope_spans")),
                *_objects(resource.get("instrumentationLibrarySpans")),
                *_objects(resource.get("scopeLogs")), *_objects(resource.get("scope_logs")),
            ]  # fmt: skip
            for scope in scopes:
                named = _object(scope.get("scope") or scope.get("instrumentationLibrary"))
                title = _string(named.get("name"))
                for span in _objects(scope.get("spans")):
                    yield _json_span(span, about, title, line)
                for log in _objects(scope.get("logRecords") or scope.get("log_records")):
                    yield _json_log(log, about, title, line)


def _json_span(span: Mapping[str, Any], about: dict[str, Any], scope: str, line: int) -> Span:
    status = _object(span.get("status"))
    return Span(
        trace_id=_string(span.get("traceId") or span.get("trace_id")),
        span_id=_string(span.get("spanId") or span.get("span_id")),
        parent_id=_string(span.get("parentSpanId") or span.get("parent_span_id")),
        name=_string(span.get("name")),
        scope=scope,
        start=_nanos(span.get("startTimeUnixNano", span.get("start_time_unix_nano"))),
        end=_nanos(span.get("endTimeUnixNano", span.get("end_time_unix_nano"))),
        failed=status.get("code") in (2, "2", "STATUS_CODE_ERROR"),
        attributes=_attributes(span.get("attributes")),
        resource=about,
        line=line,
    )


def _json_log(log: Mapping[str, Any], about: dict[str, Any], scope: str, line: int) -> Span:
    attributes = _attributes(log.get("attributes"))
    body = value_of(log.get("body"))
    event = log.get("eventName") or attributes.get("event.name") or body
    when = _nanos(log.get("timeUnixNano")) or _nanos(log.get("observedTimeUnixNano"))
    return Span(
        trace_id=_string(log.get("traceId")),
        parent_id=_string(log.get("spanId")),
        scope=scope,
        start=when,
        attributes=attributes,
        resource=about,
        log=_string(event)[:100] or "log",
        line=line,
    )


def _from_dump(document: Mapping[str, Any], line: int) -> Span:
    """A `ReadableSpan` as JavaScript or Python serialises it."""
    context = _object(_context(document))
    parent = _object(document.get("parentSpanContext"))
    resource = _object(document.get("resource"))
    about = resource.get("attributes", resource.get("_attributes"))
    raw = resource.get("_rawAttributes")
    if isinstance(raw, JsonList):
        about = dict(
            p for p in raw if isinstance(p, JsonList) and len(p) == 2 and isinstance(p[0], str)
        )
    scope = _object(
        document.get("instrumentationScope")
        or document.get("instrumentationLibrary")
        or document.get("scope")
    )
    status = _object(document.get("status"))
    return Span(
        trace_id=_id(context.get("traceId", context.get("trace_id"))),
        span_id=_id(context.get("spanId", context.get("span_id"))),
        parent_id=_id(
            document.get("parentSpanId") or parent.get("spanId") or document.get("parent_id")
        ),
        name=_string(document.get("name")),
        scope=_string(scope.get("name")),
        start=_nanos(document.get("startTime", document.get("start_time"))),
        end=_nanos(document.get("endTime", document.get("end_time"))),
        failed=status.get("code") == 2 or status.get("status_code") == "ERROR",
        attributes={str(k): v for k, v in _object(document.get("attributes")).items()},
        resource={str(k): v for k, v in _object(about).items()},
        line=line,
    )


def _attributes(items: Any) -> dict[str, Any]:
    if isinstance(items, JsonObject):  # some writers flatten them
        return {str(k): v for k, v in items.items()}
    return {
        item["key"]: value_of(item.get("value"))
        for item in _objects(items)
        if isinstance(item.get("key"), str)
    }


def value_of(value: Any, depth: int = 0) -> Any:
    """A typed OTLP value as a plain one; integers that came as text become integers."""
    if not isinstance(value, JsonObject) or depth > _DEEPEST:
        return value if isinstance(value, str | int | float) else None
    for kind in ("stringValue", "boolValue", "doubleValue", "intValue"):
        if kind in value or _snake(kind) in value:
            found = value.get(kind, value.get(_snake(kind)))
            if kind == "intValue" and isinstance(found, str):
                return int(found) if found.lstrip("-").isdecimal() and len(found) < 25 else found
            return found
    listed = _object(value.get("arrayValue", value.get("array_value")))
    if isinstance(listed.get("values"), JsonList):
        return [value_of(v, depth + 1) for v in listed["values"]]
    pairs = _object(value.get("kvlistValue", value.get("kvlist_value"))).get("values")
    if isinstance(pairs, JsonList):
        return {str(p.get("key")): value_of(p.get("value"), depth + 1) for p in _objects(pairs)}
    return None


def _snake(name: str) -> str:
    return name.replace("Value", "_value")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, JsonObject)] if isinstance(value, JsonList) else []


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, JsonObject) else {}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _id(value: Any) -> str:
    return _string(value).removeprefix("0x")


def _nanos(value: Any) -> datetime | None:
    """Unix nanoseconds (number or text), a JavaScript `[seconds, nanoseconds]`, or RFC 3339."""
    if isinstance(value, JsonList):
        if len(value) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            return instant(value[0] * 10**9 + value[1]) if value[0] >= 0 else None
        return None
    if isinstance(value, str) and value.isdecimal():
        value = int(value) if len(value) < 25 else None
    return instant(value)


# --- protobuf and frames ------------------------------------------------------------------------


def _protobuf(body: bytes, line: int, signal: Signal) -> list[Span]:
    if signal == "traces":
        spans = _trace_request(body, line)
        if spans is not None:
            return spans
    logs = _log_request(body, line)
    if logs is None:
        raise OtlpError(
            "not an OTLP export request: the protobuf does not decode as traces or logs"
        )
    return logs


def _decode(message: Any, body: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(body)
    except (DecodeError, ValueError, RecursionError):
        return None
    return message


def _trace_request(body: bytes, line: int) -> list[Span] | None:
    """Spans of a protobuf trace request; None when the bytes are something else. Protobuf has no
    type on the wire, so ids of the right length are the proof."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = _decode(ExportTraceServiceRequest(), body)
    if request is None:
        return None
    found: list[Span] = []
    for resource in request.resource_spans:
        about = _pb_attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                if len(span.trace_id) != 16 or len(span.span_id) != 8:
                    return None
                found.append(
                    Span(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        name=span.name,
                        scope=scope.scope.name,
                        start=_nanos(span.start_time_unix_nano),
                        end=_nanos(span.end_time_unix_nano),
                        failed=span.status.code == 2,
                        attributes=_pb_attributes(span.attributes),
                        resource=about,
                        line=line,
                    )
                )
    if not request.resource_spans and body:
        return None
    return found


def _log_request(body: bytes, line: int) -> list[Span] | None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = _decode(ExportLogsServiceRequest(), body)
    if request is None or (body and not request.resource_logs):
        return None
    found: list[Span] = []
    for resource in request.resource_logs:
        about = _pb_attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            for log in scope.log_records:
                if not (log.time_unix_nano or log.observed_time_unix_nano):
                    return None
                attributes = _pb_attributes(log.attributes)
                event = log.event_name or attributes.get("event.name") or log.body.string_value
                found.append(
                    Span(
                        trace_id=log.trace_id.hex(),
                        parent_id=log.span_id.hex(),
                        scope=scope.scope.name,
                        start=_nanos(log.time_unix_nano or log.observed_time_unix_nano),
                        attributes=attributes,
                        resource=about,
                        log=_string(event)[:100] or "log",
                        line=line,
                    )
                )
    return found


def _pb_attributes(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key: _pb_value(item.value, 0) for item in items}


def _pb_value(value: Any, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return [_pb_value(v, depth + 1) for v in value.array_value.values]
    if kind == "kvlist_value":
        return {p.key: _pb_value(p.value, depth + 1) for p in value.kvlist_value.values}
    return getattr(value, kind)


def _unzstd(body: bytes) -> bytes:
    import pyarrow as pa

    try:
        return pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(_MAX_MESSAGE)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise OtlpError(f"the zstd message does not unpack: {error}") from error


def bare(head: bytes) -> bool:
    """Whether a file may be one protobuf request: a first field 1 whose content begins with a
    resource (or, without one, with scopes). Text that begins with a line break is neither."""
    at = 1
    while at < min(len(head), 6) and head[at] & 0x80:
        at += 1
    return head[:1] == b"\n" and head[at + 1 : at + 2] in (b"\x0a", b"\x12")


def framed(head: bytes) -> bool:
    """Whether a file begins with a length and a message, as the Collector writes files."""
    if len(head) < 6:
        return False
    size = int.from_bytes(head[:4], "big")
    return 0 < size <= _MAX_MESSAGE and (head[4:5] in (b"\x0a", b"{") or head[4:8] == _ZSTD)


def frames(stream: io.BufferedIOBase | Any) -> Iterator[tuple[int, bytes | BadLine]]:
    """Numbered messages of a Collector file; a cut-off end is a `BadLine`."""
    number = 0
    while prefix := stream.read(4):
        number += 1
        size = int.from_bytes(prefix, "big")
        if len(prefix) < 4 or size > _MAX_MESSAGE:
            yield number, BadLine(f"message {number}: not a length prefix, or cut off", "")
            return
        message = stream.read(size)
        if len(message) < size:
            yield (
                number,
                BadLine(f"message {number} is cut off: {len(message)} of {size} bytes", ""),
            )
            return
        yield number, message
