"""Jaeger's JSON: traces downloaded from its page or API, and spans as its index keeps them.

| field | becomes |
| --- | --- |
| `data[].spans[]`, or a trace, or a span alone (`_source` of an index's dump) | a span |
| `traceID`, `spanID` (older versions drop leading zeros) | the span's ids, filled up |
| `references[]` with `refType` CHILD_OF, else `parentSpanID` | its parent; others are links |
| `startTime`, `duration` (microseconds) | start and end |
| `tags[]` {`key`, `type`, `value`}; `tag` with `@` for dots | attributes, in their type |
| `processes[processID]` or `process`: `serviceName`, `tags` | the resource |
| `result` (the API's version 3) | OTLP in a wrapping, read as such |
| tags `otel.scope.name` (`otel.library.name`), `otel.status_code`, `error` | scope, failure |

What a span says of a call, and which spans tell one call again, is `otel`'s: names, arithmetic and
keys are the same, so that a trace read from Jaeger and from OTLP is counted once. A span that
*follows from* another is not inside it. Source: OpenTelemetry's "Transformation to Jaeger".

    {"data": [{"traceID": "…", "processes": {"p1": {"serviceName": "api"}}, "spans": [{
      "spanID": "b1", "operationName": "chat gpt-5.2", "startTime": 1770000000000000,
      "duration": 1500000, "processID": "p1", "tags": [
        {"key": "gen_ai.usage.input_tokens", "type": "int64", "value": 1200}, …]}]}]}

is a call with 1,200 input tokens that took 1,500 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import Source
from ingest.readers.base import ReadContext, Result
from ingest.readers.otel_documents import hex_id, lasting, read_documents
from ingest.readers.otel_wire import Span, json_spans
from pricing.json_types import JsonList, JsonObject


class Jaeger:
    """Reader of Jaeger's traces."""

    name = "jaeger"
    title = "Jaeger traces with GenAI spans (JSON of its page, API or index)"
    recognised_by = "traces of spans with `traceID`, `spanID`, `operationName`"

    def identify(self, source: Source) -> float:
        """Certain: nobody else writes these names."""
        if source.kind not in ("json", "jsonl") or not source.sample:
            return 0.0
        known = sum(1 for d in source.sample if spans_of(d, 1) is not None)
        return 0.97 * known / len(source.sample)

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Each call once."""
        yield from read_documents(source, context, spans_of, self.name, "a trace of Jaeger")


def spans_of(document: Any, line: int) -> list[Span] | None:
    """The spans of a page of traces, of a trace or a span; None for anything else."""
    if not isinstance(document, JsonObject):
        return None
    otlp = document.get("result")
    if isinstance(otlp, JsonObject) and isinstance(otlp.get("resourceSpans"), JsonList):
        return list(json_spans(otlp, line))
    inner = document.get("_source")
    if isinstance(inner, JsonObject):
        document = inner
    data = document.get("data")
    traces = data if isinstance(data, JsonList) else [document]
    found: list[Span] = []
    known = False
    for trace in traces:
        if not isinstance(trace, JsonObject) or not isinstance(trace.get("traceID"), str):
            continue
        spans = trace.get("spans")
        alone = [trace] if isinstance(trace.get("spanID"), str) else []
        known = known or isinstance(spans, JsonList) or bool(alone)
        for span in _objects(spans) if isinstance(spans, JsonList) else alone:
            found.append(_span(span, trace, line))
    return found if known else None


def _span(span: Mapping[str, Any], trace: Mapping[str, Any], line: int) -> Span:
    attributes = _tags(span)
    processes = trace.get("processes")
    named = processes.get(str(span.get("processID"))) if isinstance(processes, JsonObject) else None
    process = named if isinstance(named, JsonObject) else span.get("process")
    resource: dict[str, Any] = {}
    if isinstance(process, JsonObject):
        resource = {"service.name": process.get("serviceName"), **_tags(process)}
    start, end = lasting(span.get("startTime"), span.get("duration"))
    scope = attributes.get("otel.scope.name", attributes.get("otel.library.name"))
    name = span.get("operationName")
    trace_id = hex_id(span.get("traceID") or trace.get("traceID"), 32)
    return Span(
        trace_id=trace_id,
        span_id=hex_id(span.get("spanID"), 16),
        parent_id=_parent(span, trace_id),
        name=name if isinstance(name, str) else "",
        scope=scope if isinstance(scope, str) else "",
        start=start,
        end=end,
        failed=attributes.get("error") in (True, "true")
        or attributes.get("otel.status_code") == "ERROR",
        attributes=attributes,
        resource=resource,
        line=line,
    )


def _parent(span: Mapping[str, Any], trace_id: str) -> str:
    for reference in _objects(span.get("references")):
        of = reference.get("traceID")
        if reference.get("refType") == "CHILD_OF" and (not of or hex_id(of, 32) == trace_id):
            return hex_id(reference.get("spanID"), 16)
    return hex_id(span.get("parentSpanID"), 16)


def _tags(holder: Mapping[str, Any]) -> dict[str, Any]:
    """A span's or process's tags in their types; an index may keep them as fields of `tag`."""
    fields = holder.get("tag")
    found = (
        {str(k).replace("@", "."): v for k, v in fields.items()}
        if isinstance(fields, JsonObject)
        else {}
    )
    for tag in _objects(holder.get("tags")):
        if isinstance(tag.get("key"), str):
            found[tag["key"]] = _value(tag.get("type"), tag.get("value"))
    return found


def _value(kind: Any, value: Any) -> Any:
    """A tag's value; an index writes every type as text. What does not fit its type stays as it
    is, so that whoever needs a number says what is wrong with it."""
    if not isinstance(value, str):
        return value if isinstance(value, int | float) else None
    if kind == "bool":
        return value == "true"
    if kind == "int64" and value.lstrip("-").isdecimal() and len(value) < 25:
        return int(value)
    return value


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, JsonObject)] if isinstance(value, JsonList) else []


READER = Jaeger()
