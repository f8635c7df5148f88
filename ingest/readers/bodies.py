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
from functools import cache
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers import body_modules
from ingest.readers.base import (
    BodyReader,
    Envelope,
    ReadContext,
    Result,
    make_records,
    reject,
)
from ingest.readers.gemini import STREAM as gemini_stream
from ingest.readers.gemini import is_chunk
from ingest.readers.hosts import provider_of
from ingest.readers.nested import bodies_in
from ingest.readers.streams import SAMPLED, EventLines, event_stream, stream_reader
from ingest.readers.wrapping import USAGE_NAMES, bare_event, inlined, unwrap
from ingest.record import Reject, UsageRecord, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading


@cache
def body_readers() -> tuple[BodyReader, ...]:
    """APIs in the order they are asked: the most distinctive body first."""
    return tuple(module.BODY for module in body_modules())


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
        if known:
            return max(_SOME, 0.85 * min(share, 1.0))
        return _SOME if any(map(_hidden, source.sample)) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Unwrap each document and let its API's reader read it."""
        if source.kind == "sse":
            yield from _read_stream(source, context)
            return
        if source.kind == "json" and len(source.sample) > 1 and all(map(is_chunk, source.sample)):
            # Google's stream may be one JSON array of chunks, each with cumulative usage.
            chunks: list[tuple[int, Mapping[str, Any]]] = [
                (n, d) for n, d in source.documents() if isinstance(d, JsonObject)
            ]
            yield from _read_bodies(gemini_stream.assemble(chunks), context)
            return
        streams, passed = EventLines(), 0
        for line, outer in source.documents():
            if isinstance(outer, BadLine):
                yield reject(outer, line)
                continue
            if source.passed != passed:  # bodies that were read in bulk stood in between
                passed = source.passed
                streams.apart()
            for document in _inner(outer):
                if not isinstance(document, JsonObject):
                    yield Reject("not a JSON object", line)
                elif not streams.take(line, bare_event(document)):
                    yield from read_document(document, line, context)
        yield from _read_bodies(streams.bodies(), context)


_SOME = 0.35
"""Confidence that a file with a few bodies among other lines is this reader's."""

_LISTS = ("data", "records", "items", "responses")


def _inner(document: Any) -> list[Any]:
    """The documents inside a page or a list of them; else the document itself."""
    if not isinstance(document, JsonObject) or any(name in document for name in USAGE_NAMES):
        return [document]
    inline = inlined(document)
    if inline:
        return inline
    for name in _LISTS:
        inner = document.get(name)
        if isinstance(inner, JsonList) and inner and all(map(_known, inner)):
            return inner
    return [document]


def _hidden(document: Any) -> list[dict[str, Any]]:
    """The bodies somewhere inside a document that is no call itself."""
    if not isinstance(document, JsonObject):
        return []
    return bodies_in(document, lambda inner: _counts(inner) and _known(inner))


def _counts(document: Mapping[str, Any]) -> bool:
    """Whether a body, or the one it wraps, states usage: a nested object without is no call."""
    _, body = unwrap(document, 0)
    return isinstance(body, JsonObject) and any(
        isinstance(body.get(name), JsonObject) for name in USAGE_NAMES
    )


def read_document(
    document: Mapping[str, Any], line: int, context: ReadContext, *, search: bool = True
) -> Iterator[Result]:
    """The records of one wrapped or plain body; with `search`, also of those deeper inside."""
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
        hidden = _hidden(document) if search else []
        for inner in hidden:
            yield from read_document(inner, line, context, search=False)
        if hidden:
            return
        keys = ", ".join(sorted(map(str, body))[:8])
        yield Reject(f"no usage that any known API would write (keys: {keys})", line)
        return
    yield from reader.records(body, envelope, context)


def _refused(body: Mapping[str, Any], envelope: Envelope) -> bool:
    """An error answer without usage: the call was made, and no API bills it."""
    if any(name in body for name in USAGE_NAMES):
        return False
    error = body.get("error")
    return isinstance(error, JsonObject) or (
        isinstance(error, str) and bool(error) and (envelope.status or 0) >= 400
    )


def failed_call(body: Mapping[str, Any], envelope: Envelope, context: ReadContext) -> UsageRecord:
    """A record of a call that failed before it was billed: zero tokens, not unknown ones."""
    error = body.get("error")
    kind = error.get("type") or error.get("code") if isinstance(error, JsonObject) else error
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
    if not isinstance(document, JsonObject):
        return False
    document = bare_event(document)
    envelope, body = unwrap(document, 0)
    if isinstance(body, list):
        return stream_reader(body[:SAMPLED]) is not None
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
        elif isinstance(data, JsonObject):
            events.append((line, data))
    yield from _read_bodies(stream.assemble(events), context)


def read_events(events: list[Any], envelope: Envelope, context: ReadContext) -> Iterator[Result]:
    """The records of a stream that some wrapping holds; the wrapping knows time and request."""
    stream = stream_reader(events[:SAMPLED])
    if stream is None:
        return
    found = [(envelope.line, event) for event in events if isinstance(event, JsonObject)]
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
