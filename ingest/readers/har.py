"""HAR recordings: what a browser, a proxy or a test recorder saw on the wire.

Fields read of `log.entries[]`: `startedDateTime`, `time` (ms), `request` {`url`, `method`,
`postData.text`}, `response` {`status`, `content` {`text`, `encoding`}}, and of the response's
headers only the date, the request id and the content type. A HAR holds credentials: every other
header, the cookies and the address's query are dropped before anything is read, and a reject
names the entry and never quotes it.

Bodies come as JSON, lines of JSON (batch output), server-sent events, a JSON array of stream
chunks, base64 of any of these, gzip under it, or as Polly.js stores compressed answers: base64
text that is a JSON array of base64 chunks of one gzip stream. The API's own reader reads what
comes out; this module only gives what bodies lack: time, latency, address and request.

    {"startedDateTime": "2026-01-05T10:00:00Z", "time": 900, "request": {"method": "POST",
      "url": "https://api.anthropic.com/v1/messages?key=…"}, "response": {"status": 200,
      "content": {"text": "{\\"type\\": \\"message\\", \\"usage\\": {…}}"}}}

is one Messages record of that moment with a latency of 900 ms. Lines are entry numbers.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ingest.files import BadLine, Source, UnreadableFile, look_at_bytes, parse
from ingest.readers.base import Envelope, ReadContext, Result
from ingest.readers.bodies import body_reader, read_document
from ingest.readers.cells import json_object, milliseconds
from ingest.readers.hosts import provider_of
from ingest.readers.streams import stream_reader
from ingest.record import Reject, UsageRecord, instant, short_text
from pricing.json_types import JsonList, JsonObject

_KEPT_HEADERS = ("date", "request-id", "x-request-id", "x-amzn-requestid", "apim-request-id")
_LARGEST_BODY = 256 * 1024 * 1024


class _Unreadable(Exception):
    """A body that cannot be unpacked: the message says why."""


class Har:
    """Reader of HAR files."""

    name = "har"
    title = "HAR recordings of API traffic"
    recognised_by = "log.entries with request and response"

    def identify(self, source: Source) -> float:
        """One document with a log of entries."""
        if source.kind in ("json", "jsonl") and source.sample and _entries(source.sample[0]):
            return 0.98
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """The records of every entry that is a model call."""
        other = failed = 0
        number = 0
        try:
            for line, document in source.documents():
                if isinstance(document, BadLine):
                    yield Reject(document.reason, line)
                    continue
                for entry in _entries(document):
                    number += 1
                    results = list(_entry(entry, number, context))
                    if results:
                        yield from results
                    elif _status(entry) >= 400:
                        failed += 1
                    else:
                        other += 1
        except UnreadableFile as error:
            yield Reject(str(error), None)
        if failed:
            context.notes.append(f"{failed} requests answered with an error: no usage")
        if other:
            context.notes.append(f"{other} entries are no model calls: left out")


def _entries(document: Any) -> list[Any]:
    log = document.get("log") if isinstance(document, JsonObject) else None
    entries = log.get("entries") if isinstance(log, JsonObject) else None
    return entries if isinstance(entries, JsonList) else []


def _status(entry: Any) -> int:
    response = _object(_object(entry).get("response"))
    status = response.get("status")
    return status if isinstance(status, int) and not isinstance(status, bool) else 0


def _entry(entry: Any, number: int, context: ReadContext) -> Iterator[Result]:
    """The records of one entry: nothing for traffic that is no model call."""
    entry = _object(entry)
    request, response = _object(entry.get("request")), _object(entry.get("response"))
    url = _address(request.get("url"))
    called = request.get("method") == "POST" and _provider(url) is not None
    if _status(entry) >= 400:
        return
    headers = _headers(response.get("headers"))
    try:
        text = body_text(_object(response.get("content")), _packing(response.get("headers")))
    except _Unreadable as error:
        if called:
            yield Reject(f"entry {number}: {error}", number)
        return
    if not text.strip():
        if called:
            yield Reject(f"entry {number}: the recording has no response body", number)
        return
    envelope = Envelope(
        number,
        request=json_object(_object(request.get("postData")).get("text")),
        url=url,
        time=instant(entry.get("startedDateTime")),
        status=_status(entry) or None,
        latency_ms=milliseconds(entry.get("time")),
        request_id=next((v for k, v in headers.items() if k != "date"), None),
    )
    yield from _bodies(text, envelope, called, context)


def _bodies(text: str, envelope: Envelope, called: bool, context: ReadContext) -> Iterator[Result]:
    number = envelope.line
    if text.lstrip()[:1] in ("{", "["):
        document = parse(text)
        if isinstance(document, JsonObject):
            reader = body_reader(document, envelope)
            if reader is not None and (called or _states_usage(document)):
                yield from reader.records(document, envelope, context)
            elif called and _generates(envelope.url):
                yield Reject(f"entry {number}: no usage that any known API would write", number)
            return
        if isinstance(document, JsonList):
            yield from _stream(
                [d for d in document if isinstance(d, JsonObject)], envelope, context
            )
            return
        lines = [parse(line) for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and any(isinstance(line, JsonObject) for line in lines):
            for line in lines:
                if isinstance(line, JsonObject):
                    yield from read_document(line, number, context)
            return
        if called:
            yield Reject(f"entry {number}: the recorded body is broken or cut-off JSON", number)
        return
    if "data:" in text:
        source = look_at_bytes(text.encode("utf-8", "surrogatepass"))
        source.kind = "sse"
        events: list[Mapping[str, Any]] = [
            data for _, _, data in source.events() if isinstance(data, JsonObject)
        ]
        yield from _stream(events, envelope, context)
        return
    if called and _generates(envelope.url):
        yield Reject(f"entry {number}: the body is neither JSON nor an event stream", number)


def _states_usage(document: Mapping[str, Any]) -> bool:
    return "usage" in document or "usageMetadata" in document


def _stream(
    events: list[Mapping[str, Any]], envelope: Envelope, context: ReadContext
) -> Iterator[Result]:
    """One record a response in the stream; without final usage it is partial."""
    stream = stream_reader(events[:40])
    if stream is None:
        return
    for _, body, flags in stream.assemble([(envelope.line, event) for event in events]):
        reader = body_reader(body, envelope)
        if reader is None:
            continue
        envelope.flags = list(flags)
        for record in reader.records(body, envelope, context):
            if isinstance(record, UsageRecord) and flags:
                record.finality = "partial"
            yield record


# --- unpacking ----------------------------------------------------------------------------------


def body_text(content: Mapping[str, Any], packing: str = "") -> str:
    """The text of a HAR content object. Raises `_Unreadable` with the reason."""
    text = content.get("text")
    if not isinstance(text, str):
        return ""
    if content.get("encoding") != "base64":
        return text
    return _unpack(_base64(text), packing, polly=True)


def _unpack(data: bytes, packing: str, polly: bool) -> str:
    if data[:2] == b"\x1f\x8b":
        data = _inflate(data)
    elif polly and data[:2] in (b'["', b"[\n", b"[]"):
        # A recorder's own form: chunks of the compressed stream as base64 (or hex) texts.
        try:
            chunks = json.loads(data)
        except ValueError:
            chunks = None
        if isinstance(chunks, JsonList) and all(isinstance(c, str) for c in chunks):
            return _unpack(b"".join(_base64(c) for c in chunks), packing, polly=False)
    elif packing in ("br", "zstd") and data.lstrip()[:1] not in (b"{", b"[", b"d", b"e"):
        raise _Unreadable(f"the body is stored compressed ({packing}), which is not read")
    elif packing == "deflate":
        data = _inflate(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("the body is binary, not text (an AWS event stream?)") from None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _Unreadable("the body says base64 and is not") from None


def _inflate(data: bytes) -> bytes:
    """Gzip or zlib, at most 256 MiB out."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        out = unpacker.decompress(data, _LARGEST_BODY)
    except zlib.error:
        raise _Unreadable("the compressed body is damaged") from None
    if unpacker.unconsumed_tail:
        raise _Unreadable("the body unpacks to over 256 MiB")
    return out


# --- what may be known of an entry ----------------------------------------------------------------


def _address(url: Any) -> str:
    """The address without user, query and fragment: keys live in all three."""
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{parts.path}" if host else ""


def _provider(url: str) -> str | None:
    try:
        return provider_of(url)
    except ValueError:
        return None


_GENERATING = (
    "/chat/completions", "/completions", "/responses", "/messages", "/embeddings", "/converse",
    "/invoke", ":generatecontent", ":streamgeneratecontent", ":embedcontent", "/chat",
)  # fmt: skip


def _generates(url: str) -> bool:
    """Whether the address is one whose answers carry usage."""
    return url.lower().rstrip("/").endswith(_GENERATING)


def _headers(items: Any) -> dict[str, str]:
    """The few response headers that are kept."""
    kept: dict[str, str] = {}
    for item in items if isinstance(items, JsonList) else ():
        if isinstance(item, JsonObject):
            name = str(item.get("name", "")).lower()
            value = short_text(item.get("value"))
            if name in _KEPT_HEADERS and value:
                kept.setdefault(name, value)
    return kept


def _packing(items: Any) -> str:
    for item in items if isinstance(items, JsonList) else ():
        if isinstance(item, JsonObject) and str(item.get("name", "")).lower() == "content-encoding":
            return str(item.get("value", "")).strip().lower()
    return ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, JsonObject) else {}


READER = Har()
