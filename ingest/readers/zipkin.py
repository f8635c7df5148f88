"""Zipkin's JSON, version 2: lists of spans, or of traces, as its API and exporters write them.

| field | becomes |
| --- | --- |
| `traceId` (64 or 128 bits), `id`, `parentId` | the span's ids |
| `timestamp`, `duration` (microseconds) | start and end |
| `tags` {name: text} | attributes: counts are read from text |
| `localEndpoint.serviceName` | the service |
| tags `otel.scope.name` (`otel.library.name`) | scope |
| tag `error` (there at all, but "false"), `otel.status_code` ERROR | failure |

What a span says of a call, and which spans tell one call again, is `otel`'s, as for `jaeger`.
Source: Zipkin's API description (`/api/v2/spans`), OpenTelemetry's "Transformation to Zipkin".

    [{"traceId": "463ac35c9f6413ad48485a3953bb6124", "id": "a2fb4a1d1a96d312",
      "name": "chat gpt-5.2", "timestamp": 1770000000000000, "duration": 1500000,
      "localEndpoint": {"serviceName": "api"},
      "tags": {"gen_ai.usage.input_tokens": "1200", "gen_ai.usage.output_tokens": "80", …}}]

is a call with 1,200 input and 80 output tokens that took 1,500 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import Source
from ingest.readers.base import ReadContext, Result
from ingest.readers.otel_documents import hex_id, lasting, read_documents
from ingest.readers.otel_wire import Span
from pricing.json_types import JsonList, JsonObject

_TRACE = re.compile(r"[0-9a-fA-F]{1,32}")
_SPAN = re.compile(r"[0-9a-fA-F]{1,16}")


class Zipkin:
    """Reader of Zipkin's spans."""

    name = "zipkin"
    title = "Zipkin v2 spans with GenAI tags (JSON)"
    recognised_by = "spans with `traceId`, `id`, `localEndpoint` or a `timestamp` in microseconds"

    def identify(self, source: Source) -> float:
        """By the ids, which are hexadecimal, beside what only a Zipkin span has."""
        if source.kind not in ("json", "jsonl") or not source.sample:
            return 0.0
        known = sum(1 for d in source.sample if spans_of(d, 1) is not None)
        return 0.95 * known / len(source.sample)

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Each call once."""
        yield from read_documents(source, context, spans_of, self.name, "a span of Zipkin")


def spans_of(document: Any, line: int) -> list[Span] | None:
    """The spans of a span, a list of them or of traces; None for anything else."""
    if isinstance(document, JsonList):
        inner = [spans_of(d, line) for d in document if not isinstance(d, JsonList) or d]
        known = [spans for spans in inner if spans is not None]
        return [span for spans in known for span in spans] if known else None
    return [_span(document, line)] if _is_span(document) else None


def _is_span(document: Any) -> bool:
    """Other tools name ids so, too; their times are texts, and their tags are lists."""
    if not isinstance(document, JsonObject):
        return False
    trace, own, tags = document.get("traceId"), document.get("id"), document.get("tags", {})
    if not (isinstance(trace, str) and isinstance(own, str) and isinstance(tags, JsonObject)):
        return False
    if not (_TRACE.fullmatch(trace) and _SPAN.fullmatch(own)):
        return False
    when = document.get("timestamp")
    placed = isinstance(document.get("localEndpoint"), JsonObject)
    return placed or ("tags" in document and type(when) is int and when > _EARLIEST)


_EARLIEST = 10**14
"""Microseconds since 1970 are above it (March 1973), milliseconds below (until the year 5138)."""


def _span(document: Mapping[str, Any], line: int) -> Span:
    tags = document.get("tags", {})
    attributes = {str(k): v for k, v in tags.items() if isinstance(v, str | int | float)}
    endpoint = document.get("localEndpoint")
    service = endpoint.get("serviceName") if isinstance(endpoint, JsonObject) else None
    start, end = lasting(document.get("timestamp"), document.get("duration"))
    scope = attributes.get("otel.scope.name", attributes.get("otel.library.name"))
    name = document.get("name")
    return Span(
        trace_id=hex_id(document.get("traceId"), 32),
        span_id=hex_id(document.get("id"), 16),
        parent_id=hex_id(document.get("parentId"), 16),
        name=name if isinstance(name, str) else "",
        scope=scope if isinstance(scope, str) else "",
        start=start,
        end=end,
        failed=attributes.get("error", "false") not in ("false", False)
        or attributes.get("otel.status_code") == "ERROR",
        attributes=attributes,
        resource={"service.name": service} if isinstance(service, str) else {},
        line=line,
    )


READER = Zipkin()
