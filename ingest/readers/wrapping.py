"""What surrounds a body in a log: the wrapping is taken off and becomes an `Envelope`.

Wrappings: a request beside its response (with or without `status_code`, `headers`, `body`; bodies
may be objects, JSON as text, a stream as text or a list of its events), `{"url": …, "body": …}`,
lines of OpenAI's, Anthropic's, Google's and Amazon's batches, boto3's `ResponseMetadata`.

>>> envelope, body = unwrap({"team": "search", "ts": 1767225600, "response": '{"id": "r1"}'}, 1)
>>> body, envelope.tags, str(envelope.time)
({'id': 'r1'}, {'team': 'search'}, '2026-01-01 00:00:00')
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.files import BadLine, look_at_bytes, parse
from ingest.readers.base import Envelope
from ingest.readers.cells import json_object
from ingest.readers.streams import SAMPLED, stream_reader
from ingest.record import instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import shown

TIME_KEYS = (
    "timestamp", "time", "ts", "occurred_at", "created_at", "date", "startedDateTime", "start_time",
    "startTime", "processed_time", "@timestamp", "asctime", "datetime", "logging_time",
)  # fmt: skip
DURATION_KEYS = ("latency_ms", "duration_ms", "response_time_ms")
DIMENSION_KEYS = (
    "team", "project", "feature", "customer", "environment", "env", "user", "api_key_id", "app",
)  # fmt: skip
SESSION_KEYS = ("session", "session_id", "conversation_id", "trace_id")


USAGE_NAMES = ("usage", "usageMetadata", "usage_metadata")
_COUNT_HEADERS = "x-amzn-bedrock-"

_INLINED = ("inlinedResponses", "inlined_responses")


def inlined(document: Mapping[str, Any]) -> list[Any]:
    """The lines of a Gemini batch job that keeps its answers in itself, as its files have them."""
    meta = document.get("metadata")
    about = meta if isinstance(meta, JsonObject) else document
    for place in (document.get("response"), document.get("dest"), about.get("output")):
        inner: Any = place
        while isinstance(inner, JsonObject):  # the API's own form has the name twice
            inner = next((inner[n] for n in _INLINED if n in inner), None)
        if isinstance(inner, JsonList) and inner is not place:
            time = about.get("createTime", about.get("create_time"))
            return [_inlined_line(i, n, time) for n, i in enumerate(inner, 1)]
    return []


def _inlined_line(item: Any, number: int, time: Any) -> dict[str, Any]:
    item = item if isinstance(item, JsonObject) else {}
    meta = item.get("metadata")
    key = meta.get("key") if isinstance(meta, JsonObject) else None
    line = {k: item[k] for k in ("response", "error") if item.get(k) is not None}
    return {"response": None, **line, "key": str(key or number), "timestamp": time}


Body = Mapping[str, Any] | list[Any] | None


def unwrap(document: Mapping[str, Any], line: int) -> tuple[Envelope, Body]:
    """Separate a body from what surrounds it. The body is None when the call failed or was
    canceled before there was one (`envelope.flags` then says so), and a list of events where the
    wrapping holds a stream."""
    envelope = Envelope(line)
    _surroundings(document, envelope)
    if _is_batch_line(document) or _is_google_batch(document):
        return _batch_line(document, envelope)
    for name in _REQUEST_NAMES:
        if name not in document:
            continue
        request = json_object(document.get(name))
        if request:
            envelope.url = str(request.get("url") or request.get("uri") or envelope.url)
            inner = json_object(request.get("body", request.get("json")))
            envelope.request = inner or request
            break
    for name in _BODY_NAMES:
        if name not in document:
            continue
        inner = content(document[name])
        if isinstance(inner, JsonList) and stream_reader(inner[:SAMPLED]) is not None:
            return envelope, inner
        if isinstance(inner, JsonObject) and not _is_api_field(document, name):
            return _response(inner, envelope)
    return envelope, document


def is_wrapped(document: Mapping[str, Any]) -> bool:
    """Whether a document that is a call holds its body instead of being it."""
    return any(n in document and not _is_api_field(document, n) for n in _BODY_NAMES) or (
        _is_batch_line(document) or _is_google_batch(document)
    )


_REQUEST_NAMES = ("request", "request_body", "kwargs")
_BODY_NAMES = (
    "response", "body", "response_body", "raw_response", "completion", "result", "chunks", "events",
)  # fmt: skip


def content(value: Any) -> Any:
    """A body as it is, or the one its text holds: JSON, or a stream's events."""
    if not isinstance(value, str):
        return value
    start = value.lstrip()[:6]
    if start[:1] in ("{", "["):
        found = parse(value)
        return None if isinstance(found, BadLine) else found
    return events_of(value) if start.startswith(("data:", "event:", "id:", ":")) else None


def events_of(text: str) -> list[Any]:
    """The events of a stream that was saved as text."""
    source = look_at_bytes(text.encode("utf-8", "surrogatepass"))
    return [data for _, _, data in source.events() if isinstance(data, JsonObject)]


def _is_batch_line(document: Mapping[str, Any]) -> bool:
    """A line of a batch's output; one of its input has no outcome."""
    if "recordId" in document and "modelInput" in document:  # Bedrock
        return bool(document.keys() & {"modelOutput", "error"})
    return "custom_id" in document and bool(document.keys() & {"response", "result", "error"})


def _is_google_batch(document: Mapping[str, Any]) -> bool:
    """AI Studio's lines have a `key`, Vertex's the time they were processed."""
    if "key" in document and ("response" in document or "error" in document):
        return True
    return "processed_time" in document and "request" in document


def _is_api_field(document: Mapping[str, Any], name: str) -> bool:
    """A body's own field of that name is no wrapping: the body has usage beside it."""
    return "usage" in document and "usage" not in document.get(name, {})


def _response(inner: Mapping[str, Any], envelope: Envelope) -> tuple[Envelope, Body]:
    status = inner.get("status_code", inner.get("status"))
    if isinstance(status, int) and not isinstance(status, bool):
        envelope.status = status
    headers = inner.get("headers")
    if isinstance(headers, JsonObject):
        _headers(headers, envelope)
    _boto(inner, envelope)
    for name in ("body", "json", "data", "text", "content"):
        body = content(inner.get(name))
        if isinstance(body, JsonList) and stream_reader(body[:SAMPLED]) is not None:
            return envelope, body
        if isinstance(body, JsonObject) and ("status_code" in inner or "usage" not in inner):
            return envelope, body
    if isinstance(inner.get("request_id"), str) and "status_code" in inner:
        envelope.request_id = inner["request_id"]
    return envelope, inner


def _batch_line(document: Mapping[str, Any], envelope: Envelope) -> tuple[Envelope, Body]:
    """One line of a batch output: nothing in the body says "batch", so the wrapping must."""
    envelope.tier = "batch"
    custom = short_text(document.get("custom_id", document.get("key", document.get("recordId"))))
    if custom:
        envelope.tags.setdefault("custom_id", custom)
    line_id = short_text(document.get("id"))
    if line_id:
        envelope.key = f"openai:{line_id}"
    if isinstance(document.get("request"), JsonObject):
        envelope.request = document["request"]
    outcome = document.get("result")
    if isinstance(outcome, JsonObject) and "type" in outcome:  # Anthropic
        message = outcome.get("message")
        if isinstance(message, JsonObject):
            return envelope, message
        return _no_call(envelope, custom, str(outcome.get("type")))
    if "modelInput" in document:
        envelope.provider = "bedrock"
        answer = document.get("modelOutput")
        if isinstance(answer, JsonObject):
            return envelope, answer
    response = content(document.get("response"))  # BigQuery keeps it as text
    if isinstance(response, JsonObject):
        body = content(response.get("body", response))
        status = response.get("status_code")
        envelope.status = status if isinstance(status, int) else None
        if isinstance(body, JsonObject) and any(name in body for name in USAGE_NAMES):
            return envelope, body
        why = short_text(document.get("status")) or "no usage"
        why = f"HTTP status {status}" if status else why.partition(":")[0][:40]
        return _no_call(envelope, custom, why)
    error = document.get("error") or document.get("status")
    named = ("code", "errorCode", "message", "errorMessage")
    what = (
        next((error[n] for n in named if error.get(n)), None)
        if isinstance(error, JsonObject)
        else error
    )
    return _no_call(envelope, custom, str(what or "no response"))


def _no_call(envelope: Envelope, custom: str | None, what: str) -> tuple[Envelope, None]:
    envelope.flags.append(f"batch request {custom or '?'} made no billed call: {what}")
    return envelope, None


def _surroundings(document: Mapping[str, Any], envelope: Envelope) -> None:
    """Time, address, latency, session and tags that a log writes beside a body."""
    body_like = any(name in document for name in USAGE_NAMES)
    # A body's own time, where it has one, is its reader's to find, and goes before these.
    for name in TIME_KEYS:
        if name in document:
            envelope.time = envelope.time or instant(document[name])
            if envelope.time is None and document[name] and not envelope.unread_time:
                envelope.unread_time = f"{name} = {shown(document[name])}"
    if not body_like:
        for name in ("metadata", "tags", "labels"):
            value = document.get(name)
            if isinstance(value, JsonObject):
                envelope.tags.update(value)
    for name in DIMENSION_KEYS:
        value = document.get(name)
        if value is not None and isinstance(value, str | int) and not isinstance(value, bool):
            envelope.tags[name] = value
    for name in SESSION_KEYS:
        if name in document:
            envelope.session = envelope.session or short_text(document[name])
    for name in DURATION_KEYS:
        value = document.get(name)
        if (
            value is not None
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value < 1e12
        ):
            envelope.latency_ms = int(value)
    url = document.get("url")
    if isinstance(url, str):
        envelope.url = url
    headers = document.get("response_headers")
    if isinstance(headers, JsonObject):
        _headers(headers, envelope)
    _boto(document, envelope)
    for name in ("provider", "vendor"):
        value = document.get(name)
        if isinstance(value, str) and not body_like:
            envelope.provider = value.lower()
    seller = document.get("seller")
    if isinstance(seller, str):
        envelope.seller = seller.lower()


def _boto(document: Mapping[str, Any], envelope: Envelope) -> None:
    """What boto3 adds to a response."""
    boto = document.get("ResponseMetadata")
    if isinstance(boto, JsonObject):
        envelope.request_id = envelope.request_id or short_text(boto.get("RequestId"))
        _headers(json_object(boto.get("HTTPHeaders")), envelope)
    envelope.model = envelope.model or short_text(document.get("modelId"))


def _headers(headers: Mapping[str, Any], envelope: Envelope) -> None:
    """The response headers that matter (time, request id, counts of a body that has none); every
    other one is left unread."""
    low = {str(k).lower(): v for k, v in headers.items()}
    date = low.get("date")
    if isinstance(date, str) and envelope.time is None:
        try:
            envelope.time = instant(parsedate_to_datetime(date))
        except (TypeError, ValueError):
            envelope.time = instant(date)
    for name in ("request-id", "x-request-id", "x-amzn-requestid"):
        value = low.get(name)
        if isinstance(value, str) and envelope.request_id is None:
            envelope.request_id = value
    for name, value in low.items():
        if name.startswith(_COUNT_HEADERS) and name.endswith("-count") and isinstance(value, str):
            envelope.header_counts[name.removeprefix(_COUNT_HEADERS)] = value


def bare_event(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event, also from under the field names of the stream."""
    inner = content(document.get("data")) if document.keys() <= _EVENT_FIELDS else None
    return inner if isinstance(inner, JsonObject) else document


_EVENT_FIELDS = {"event", "data", "id", "retry"}
