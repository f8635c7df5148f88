"""Google Gemini `generateContent`: bodies and streams, AI Studio and Vertex.

Fields read: `responseId`, `modelVersion`, `createTime` (Vertex only), `usageMetadata`.
Arithmetic: `promptTokenCount` includes cached tokens; `thoughtsTokenCount` is billed as output
beside `candidatesTokenCount`; `toolUsePromptTokenCount` is billed as input beside the prompt; the
total has all four. The modality lists split audio, image and video from text. In a stream (events,
or one JSON array of chunks) every chunk's usage is cumulative: the last one that has counts wins.
Dumps of the Python SDK are read as well: snake_case names, numbers for enums, and the time in
`sdk_http_response.headers.date`.

    {"responseId": "r1", "modelVersion": "gemini-2.5-flash",
     "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20,
                       "thoughtsTokenCount": 30, "totalTokenCount": 150}}

is 100 input, 20 output and 30 reasoning tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ingest.readers.base import (
    Envelope,
    ReadContext,
    Result,
    empty_reading,
    make_records,
    reject,
)
from ingest.readers.hosts import model_in
from ingest.record import call_key, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import UsageError, grounded, read_usage

_USAGE = ("usageMetadata", "usage_metadata")


def _usage(body: Mapping[str, Any]) -> Any:
    found = next((body[name] for name in _USAGE if body.get(name) is not None), None)
    # LangChain has a `usage_metadata` of its own, with OpenAI's names.
    foreign = isinstance(found, JsonObject) and (
        "input_tokens" in found or "output_tokens" in found
    )
    return None if foreign else found


class GeminiBody:
    """Bodies of `generateContent`."""

    name = "gemini"
    order = 30

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By its usage object, or by candidates with a model version."""
        return isinstance(_usage(body), JsonObject) or (
            "candidates" in body and ("modelVersion" in body or "model_version" in body)
        )

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record. The key is the response id, which all chunks of a stream share."""
        usage = _usage(body)
        try:
            reading = (
                read_usage(usage, "google")
                if isinstance(usage, JsonObject)
                else empty_reading("gemini", "the response states no usage")
            )
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        searches = _searches(body)
        if searches:
            reading.flags.append(grounded(searches))
        if envelope.time is None:
            envelope.time = _sdk_time(body)
        response_id = short_text(body.get("responseId", body.get("response_id")))
        model = body.get("modelVersion", body.get("model_version"))
        if response_id:
            envelope.key = call_key("google", response_id)
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name if envelope.tier != "batch" else "gemini-batch",
            provider="google",
            # Vertex names the version it took where none was asked for.
            model=model.removesuffix("@default")
            if isinstance(model, str)
            else model_in(envelope.url),
            response_id=None,
            time=instant(body.get("createTime", body.get("create_time"))),
            tier="batch" if envelope.tier == "batch" else reading.tier,
            final=any(v is not None for v in reading.counts.values()),
            content=None if response_id else [model, usage, str(envelope.time)],
        )


def _searches(body: Mapping[str, Any]) -> int:
    """Search queries that ground the answer."""
    candidates = body.get("candidates")
    found: set[str] = set()
    for candidate in candidates if isinstance(candidates, JsonList) else ():
        if not isinstance(candidate, JsonObject):
            continue
        about = candidate.get("groundingMetadata", candidate.get("grounding_metadata"))
        if isinstance(about, JsonObject):
            queries = about.get("webSearchQueries", about.get("web_search_queries"))
            found |= {str(q) for q in queries} if isinstance(queries, JsonList) else set()
    return len(found)


def _sdk_time(body: Mapping[str, Any]) -> datetime | None:
    """The Date header that the SDK's dump of a response keeps."""
    http = body.get("sdk_http_response", body.get("sdkHttpResponse"))
    headers = http.get("headers") if isinstance(http, JsonObject) else None
    date = (
        {str(k).lower(): v for k, v in headers.items()}.get("date")
        if (isinstance(headers, JsonObject))
        else None
    )
    if not isinstance(date, str):
        return None
    try:
        return instant(parsedate_to_datetime(date))
    except (TypeError, ValueError):
        return None


def is_chunk(document: Any) -> bool:
    """Whether a document is a body of this API that no wrapping surrounds."""
    return isinstance(document, JsonObject) and (
        "candidates" in document or isinstance(_usage(document), JsonObject)
    )


def is_nameless(document: Mapping[str, Any]) -> bool:
    """Whether a body of this API has no id that would tell it from others."""
    return is_chunk(document) and not (document.get("responseId") or document.get("response_id"))


def _finished(event: Mapping[str, Any]) -> bool:
    candidates = event.get("candidates")
    return isinstance(candidates, JsonList) and any(
        isinstance(c, JsonObject) and (c.get("finishReason") or c.get("finish_reason"))
        for c in candidates
    )


class GeminiStream:
    """Chunks of `streamGenerateContent`."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Chunks are bodies."""
        return is_chunk(event)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """A chunk is a body: those of one answer share its id, so that the last one counts; a
        chunk without an id that does not say why the answer finished is a part of one."""
        return (
            is_nameless(document) and bool(document.get("candidates")) and not _finished(document)
        )

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a response id, with the last usage that counts tokens. Chunks without ids
        belong together until one says why the answer finished."""
        bodies: dict[str, tuple[int, dict[str, Any]]] = {}
        nameless = 0
        for line, event in events:
            response = short_text(event.get("responseId", event.get("response_id")))
            key = response or f" {nameless}"
            if response is None and _finished(event):
                nameless += 1
            _, body = bodies.setdefault(key, (line, {**event, "candidates": []}))
            for name in ("modelVersion", "model_version", "createTime", "create_time"):
                if event.get(name):
                    body[name] = event[name]
            if _searches(event):
                body["candidates"] += event["candidates"]
            usage = _usage(event)
            if isinstance(usage, JsonObject) and any("oken" in str(k) for k in usage):
                body["usageMetadata"] = usage
        for line, body in bodies.values():
            yield line, body, [] if _usage(body) else ["the stream ended without usage"]


BODY = GeminiBody()
STREAM = GeminiStream()
