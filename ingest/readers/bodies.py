"""Logs of provider bodies, however they are wrapped: one reader for every API's plain bodies.

Recognised wrappings, alone or in lines of JSON: the body itself; a request beside its response
(`{"request": …, "response": …}`, the response with or without `status_code`, `headers`, `body`);
`{"url": …, "body": …}`; OpenAI and Anthropic batch lines; a saved stream of server-sent events.
The wrapping becomes an `Envelope`; the API's own module reads the body. A file may mix APIs.

    {"timestamp": "2026-03-01T12:00:00Z", "team": "search",
     "request": {"model": "gpt-5.2", "service_tier": "flex"},
     "response": {"id": "chatcmpl-…", "object": "chat.completion", "usage": {…}}}

is one Chat Completions record of team `search` at that time, on the tier the response says was
served, else the one the request asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.files import BadLine, Source, look_at_bytes, parse
from ingest.readers import body_modules
from ingest.readers.base import (
    BodyReader,
    Envelope,
    ReadContext,
    Result,
    make_records,
    reject,
)
from ingest.readers.cells import json_object
from ingest.readers.gemini import STREAM as gemini_stream
from ingest.readers.gemini import is_chunk, is_nameless
from ingest.readers.hosts import provider_of
from ingest.record import Reject, UsageRecord, instant, short_text
from pricing.usage import Reading


def body_readers() -> tuple[BodyReader, ...]:
    """APIs in the order they are asked: the most distinctive body first."""
    return tuple(module.BODY for module in body_modules())


_TIME_KEYS = (
    "timestamp", "time", "ts", "occurred_at", "created_at", "date", "startedDateTime", "start_time",
    "startTime", "processed_time",
)  # fmt: skip
_DURATION_KEYS = ("latency_ms", "duration_ms", "response_time_ms")
_DIMENSION_KEYS = (
    "team", "project", "feature", "customer", "environment", "env", "user", "api_key_id", "app",
)  # fmt: skip
_SESSION_KEYS = ("session", "session_id", "conversation_id", "trace_id")


_USAGE_NAMES = ("usage", "usageMetadata", "usage_metadata")
_COUNT_HEADERS = "x-amzn-bedrock-"


class Bodies:
    """Reader of plain provider bodies in any wrapping."""

    name = "bodies"
    title = "Provider response bodies, request/response pairs, batch output, streams"
    recognised_by = "an API's own keys in the body, wrapped or not"

    def identify(self, source: Source) -> float:
        """Sure when most sampled documents hold a body some API reader knows."""
        if source.kind == "sse":
            return 0.9 if stream_reader(source.sample) is not None else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        known = sum(1 for d in source.sample for inner in _inner(d) if _known(inner))
        share = known / len(source.sample) if source.sample else 0.0
        # A few bodies among other lines are still bodies: the rest is named in rejects.
        return max(_SOME, 0.85 * min(share, 1.0)) if known else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Unwrap each document and let its API's reader read it."""
        if source.kind == "sse":
            yield from _read_stream(source, context)
            return
        if source.kind == "json" and len(source.sample) > 1 and all(map(is_chunk, source.sample)):
            # Google's stream may be one JSON array of chunks, each with cumulative usage.
            chunks = [(n, d) for n, d in source.documents() if isinstance(d, Mapping)]
            yield from _read_bodies(gemini_stream.assemble(chunks), context)
            return
        streams = EventLines()
        for line, outer in source.documents():
            if isinstance(outer, BadLine):
                yield reject(outer, line)
                continue
            for document in _inner(outer):
                if not isinstance(document, Mapping):
                    yield Reject("not a JSON object", line)
                elif not streams.take(line, document):
                    yield from read_document(document, line, context)
        yield from _read_bodies(streams.bodies(), context)


_SOME = 0.35
"""Confidence that a file with a few bodies among other lines is this reader's."""

_LISTS = ("data", "records", "items", "responses")
_INLINED = ("inlinedResponses", "inlined_responses")


def _inner(document: Any) -> list[Any]:
    """The documents inside a page or a list of them; else the document itself."""
    if not isinstance(document, Mapping) or any(name in document for name in _USAGE_NAMES):
        return [document]
    inline = _inlined(document)
    if inline:
        return inline
    for name in _LISTS:
        inner = document.get(name)
        if isinstance(inner, list) and inner and all(map(_known, inner)):
            return inner
    return [document]


def _inlined(document: Mapping[str, Any]) -> list[Any]:
    """The lines of a Gemini batch job that keeps its answers in itself, as its files have them."""
    meta = document.get("metadata")
    about = meta if isinstance(meta, Mapping) else document
    for place in (document.get("response"), document.get("dest"), about.get("output")):
        inner: Any = place
        while isinstance(inner, Mapping):  # the API's own form has the name twice
            inner = next((inner[n] for n in _INLINED if n in inner), None)
        if isinstance(inner, list) and inner is not place:
            time = about.get("createTime", about.get("create_time"))
            return [_inlined_line(i, n, time) for n, i in enumerate(inner, 1)]
    return []


def _inlined_line(item: Any, number: int, time: Any) -> dict[str, Any]:
    item = item if isinstance(item, Mapping) else {}
    meta = item.get("metadata")
    key = meta.get("key") if isinstance(meta, Mapping) else None
    line = {k: item[k] for k in ("response", "error") if item.get(k) is not None}
    return {"response": None, **line, "key": str(key or number), "timestamp": time}


def read_document(document: Mapping[str, Any], line: int, context: ReadContext) -> Iterator[Result]:
    """The records of one wrapped or plain body."""
    envelope, body = unwrap(document, line)
    if isinstance(body, list):
        yield from read_events(body, envelope, context)
        return
    if body is None:
        yield Reject(_why_no_body(document, envelope), line)
        return
    if _refused(body, envelope):
        yield failed_call(body, envelope, context)
        return
    reader = body_reader(body, envelope)
    if reader is None:
        keys = ", ".join(sorted(map(str, body))[:8])
        yield Reject(f"no usage that any known API would write (keys: {keys})", line)
        return
    yield from reader.records(body, envelope, context)


def _refused(body: Mapping[str, Any], envelope: Envelope) -> bool:
    """An error answer without usage: the call was made, and no API bills it."""
    if any(name in body for name in _USAGE_NAMES):
        return False
    error = body.get("error")
    return isinstance(error, Mapping) or (
        isinstance(error, str) and bool(error) and (envelope.status or 0) >= 400
    )


def failed_call(body: Mapping[str, Any], envelope: Envelope, context: ReadContext) -> UsageRecord:
    """A record of a call that failed before it was billed: zero tokens, not unknown ones."""
    error = body.get("error")
    kind = error.get("type") or error.get("code") if isinstance(error, Mapping) else error
    status = f"HTTP {envelope.status}" if envelope.status else "an error"
    zero = Reading({"input_uncached": 0, "output_text": 0}, "error")
    provider = envelope.provider or provider_of(envelope.url) or "openai"
    request_id = body.get("request_id")
    record = next(
        make_records(
            zero,
            envelope,
            context,
            source_format="error",
            provider=provider,
            model=None,
            response_id=None,
            failed=True,
            content=[str(envelope.time), envelope.request.get("model"), str(kind), request_id],
        )
    )
    record.flags.append(f"{status} ({short_text(kind) or 'no reason given'}): not billed")
    return record


def body_reader(body: Mapping[str, Any], envelope: Envelope) -> BodyReader | None:
    """The API reader whose body this is."""
    return next((r for r in body_readers() if r.matches(body, envelope)), None)


def _known(document: Any) -> bool:
    if not isinstance(document, Mapping):
        return False
    document = _bare_event(document)
    envelope, body = unwrap(document, 0)
    if isinstance(body, list):
        return stream_reader(body[:_SAMPLED]) is not None
    if body is None:
        return envelope.tier == "batch"
    return (
        body_reader(body, envelope) is not None
        or event_stream(body) is not None
        or (_refused(body, envelope) and bool(envelope.status or envelope.url))
    )


def _why_no_body(document: Mapping[str, Any], envelope: Envelope) -> str:
    if envelope.flags:
        return envelope.flags[0]
    keys = ", ".join(sorted(map(str, document))[:8]) or "none"
    return f"no response body in the document (keys: {keys})"


Body = Mapping[str, Any] | list[Any] | None


def unwrap(document: Mapping[str, Any], line: int) -> tuple[Envelope, Body]:
    """Separate a body from what surrounds it. The body is None when the call failed or was
    canceled before there was one (`envelope.flags` then says so), and a list of events where the
    wrapping holds a stream."""
    envelope = Envelope(line)
    _surroundings(document, envelope)
    if _is_batch_line(document) or _is_google_batch(document):
        return _batch_line(document, envelope)
    for name in ("request", "request_body", "kwargs"):
        request = json_object(document.get(name))
        if request:
            envelope.url = str(request.get("url") or request.get("uri") or envelope.url)
            inner = json_object(request.get("body", request.get("json")))
            envelope.request = inner or request
            break
    for name in _BODY_NAMES:
        inner = _content(document.get(name))
        if isinstance(inner, list) and stream_reader(inner[:_SAMPLED]) is not None:
            return envelope, inner
        if isinstance(inner, Mapping) and not _is_api_field(document, name):
            return _response(inner, envelope)
    return envelope, document


_BODY_NAMES = (
    "response", "body", "response_body", "raw_response", "completion", "result", "chunks", "events",
)  # fmt: skip
_SAMPLED = 40


def _content(value: Any) -> Any:
    """A body as it is, or the one its text holds: JSON, or a stream's events."""
    if not isinstance(value, str):
        return value
    start = value.lstrip()[:6]
    if start[:1] in ("{", "["):
        found = parse(value)
        return None if isinstance(found, BadLine) else found
    return events_of(value) if start.startswith(("data:", "event:", ":")) else None


def events_of(text: str) -> list[Any]:
    """The events of a stream that was saved as text."""
    source = look_at_bytes(text.encode("utf-8", "surrogatepass"))
    return [data for _, _, data in source.events() if isinstance(data, Mapping)]


def _is_batch_line(document: Mapping[str, Any]) -> bool:
    """A line of a batch's output; one of its input has no outcome."""
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
    if isinstance(headers, Mapping):
        _headers(headers, envelope)
    for name in ("body", "json", "data", "text", "content"):
        body = _content(inner.get(name))
        if isinstance(body, list) and stream_reader(body[:_SAMPLED]) is not None:
            return envelope, body
        if isinstance(body, Mapping) and ("status_code" in inner or "usage" not in inner):
            return envelope, body
    if isinstance(inner.get("request_id"), str) and "status_code" in inner:
        envelope.request_id = inner["request_id"]
    return envelope, inner


def _batch_line(document: Mapping[str, Any], envelope: Envelope) -> tuple[Envelope, Body]:
    """One line of a batch output: nothing in the body says "batch", so the wrapping must."""
    envelope.tier = "batch"
    custom = short_text(document.get("custom_id", document.get("key")))
    if custom:
        envelope.tags.setdefault("custom_id", custom)
    line_id = short_text(document.get("id"))
    if line_id:
        envelope.key = f"openai:{line_id}"
    if isinstance(document.get("request"), Mapping):
        envelope.request = document["request"]
    outcome = document.get("result")
    if isinstance(outcome, Mapping) and "type" in outcome:  # Anthropic
        message = outcome.get("message")
        if isinstance(message, Mapping):
            return envelope, message
        return _no_call(envelope, custom, str(outcome.get("type")))
    response = document.get("response")
    if isinstance(response, Mapping):
        body = response.get("body", response)
        status = response.get("status_code")
        envelope.status = status if isinstance(status, int) else None
        if isinstance(body, Mapping) and any(name in body for name in _USAGE_NAMES):
            return envelope, body
        return _no_call(envelope, custom, f"HTTP status {status}" if status else "no usage")
    error = document.get("error") or document.get("status")
    what = error.get("code") or error.get("message") if isinstance(error, Mapping) else error
    return _no_call(envelope, custom, str(what or "no response"))


def _no_call(envelope: Envelope, custom: str | None, what: str) -> tuple[Envelope, None]:
    envelope.flags.append(f"batch request {custom or '?'} made no billed call: {what}")
    return envelope, None


def _surroundings(document: Mapping[str, Any], envelope: Envelope) -> None:
    """Time, address, latency, session and tags that a log writes beside a body."""
    body_like = any(name in document for name in _USAGE_NAMES)
    # A body's own time, where it has one, is its reader's to find, and goes before these.
    for name in _TIME_KEYS:
        envelope.time = envelope.time or instant(document.get(name))
    if not body_like:
        for name in ("metadata", "tags", "labels"):
            value = document.get(name)
            if isinstance(value, Mapping):
                envelope.tags.update(value)
    for name in _DIMENSION_KEYS:
        value = document.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            envelope.tags[name] = value
    for name in _SESSION_KEYS:
        envelope.session = envelope.session or short_text(document.get(name))
    for name in _DURATION_KEYS:
        value = document.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
            envelope.latency_ms = int(value)
    url = document.get("url")
    if isinstance(url, str):
        envelope.url = url
    headers = document.get("response_headers")
    if isinstance(headers, Mapping):
        _headers(headers, envelope)
    boto = document.get("ResponseMetadata")
    if isinstance(boto, Mapping):
        envelope.request_id = envelope.request_id or short_text(boto.get("RequestId"))
        _headers(json_object(boto.get("HTTPHeaders")), envelope)
    for name in ("provider", "vendor"):
        value = document.get(name)
        if isinstance(value, str) and not body_like:
            envelope.provider = value.lower()
    seller = document.get("seller")
    if isinstance(seller, str):
        envelope.seller = seller.lower()


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


# --- saved streams ------------------------------------------------------------------------------


def stream_reader(sample: list[Any]) -> Any:
    """The assembler of the API whose stream these events are, or None."""
    for module in body_modules():
        if hasattr(module, "STREAM") and any(
            isinstance(d, Mapping) and module.STREAM.matches(d) for d in sample
        ):
            return module.STREAM
    return None


def event_stream(document: Mapping[str, Any]) -> Any:
    """The assembler an event that stands alone on a line belongs to; None for anything else."""
    for module in body_modules():
        if hasattr(module, "STREAM") and module.STREAM.is_event(document):
            return module.STREAM
    return None


def _bare_event(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event, also from under the field names of the stream."""
    inner = _content(document.get("data")) if document.keys() <= _EVENT else None
    return inner if isinstance(inner, Mapping) else document


class EventLines:
    """Stream events written a line each, among other lines: gathered until all are there."""

    def __init__(self) -> None:
        self._events: dict[Any, list[tuple[int, Mapping[str, Any]]]] = {}
        self._last: tuple[Any, Any] = (None, None)
        self._parted = False

    def take(self, line: int, document: Mapping[str, Any]) -> bool:
        """Whether the document is a stream's event: then it is kept here."""
        event = _bare_event(document)
        stream = event_stream(event)
        if stream is None and self._parted and is_nameless(event):
            stream = gemini_stream  # the last chunk of an answer without an id
        self._parted = stream is gemini_stream and event_stream(event) is not None
        if stream is None:
            return False
        name = (stream, event.get("id"))
        # Of the pieces of an answer's text the first is enough: a long file has many.
        if any(event.get(k) for k in _TELLING) or ("choices" in event and name != self._last):
            self._events.setdefault(stream, []).append((line, event))
        self._last = name
        return True

    def bodies(self) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """The bodies the gathered events make."""
        for stream, events in self._events.items():
            yield from stream.assemble(events)


_EVENT = {"event", "data", "id", "retry"}
_TELLING = ("usage", "response", "message", "x_groq", "candidates", "metadata")


def _read_stream(source: Source, context: ReadContext) -> Iterator[Result]:
    """A saved stream: its API's assembler makes bodies of events, the body reader the records."""
    stream = stream_reader(source.sample)
    if stream is None:
        yield Reject("a stream whose events no known API would write", 1)
        return
    events: list[tuple[int, Mapping[str, Any]]] = []
    for line, _, data in source.events():
        if isinstance(data, BadLine):
            yield reject(data, line)
        elif isinstance(data, Mapping):
            events.append((line, data))
    yield from _read_bodies(stream.assemble(events), context)


def read_events(events: list[Any], envelope: Envelope, context: ReadContext) -> Iterator[Result]:
    """The records of a stream that some wrapping holds; the wrapping knows time and request."""
    stream = stream_reader(events[:_SAMPLED])
    if stream is None:
        return
    found = [(envelope.line, event) for event in events if isinstance(event, Mapping)]
    yield from _read_bodies(stream.assemble(found), context, envelope)


def _read_bodies(
    bodies: Iterator[tuple[int, Mapping[str, Any], list[str]]],
    context: ReadContext,
    around: Envelope | None = None,
) -> Iterator[Result]:
    for line, body, flags in bodies:
        envelope = replace(around, flags=list(flags)) if around else Envelope(line, flags=flags)
        reader = body_reader(body, envelope)
        if reader is None:
            yield Reject("a stream event that no known API would write", line)
            continue
        for record in reader.records(body, envelope, context):
            if isinstance(record, UsageRecord) and flags:
                record.finality = "partial"
            yield record


READER = Bodies()
