"""MLflow traces: `Trace.to_json`, the `traces.json` artifact, rows of `search_traces`.

A document holds spans under `data.spans`, `spans`, or a `trace` with either; its `info` (or the row
itself) knows the session, the user and the tags. Two shapes of span are read: the one of MLflow 3
(ids in base64, `start_time_unix_nano`) and the one of MLflow 2 (`context`, `start_time`).

| attribute (JSON text, or the value) | as in `otel_attributes` |
| --- | --- |
| `mlflow.spanType` CHAT_MODEL, LLM, EMBEDDING | a call; any other type is a group |
| `mlflow.spanOutputs` | the body: its id and raw usage, nothing else |
| `mlflow.chat.tokenUsage` | input, output, total, cache read, cache creation |
| `mlflow.llm.model`, else the body's or the request's `model` | model |
| `mlflow.llm.provider`, `mlflow.message.format` | provider |
| `mlflow.llm.cost` `total_cost` | the charge as MLflow estimates it |
| `mlflow.trace.session`, `mlflow.trace.user` | session, tag `user` |

Arithmetic: the raw usage of the body decides; without it `tokenUsage` is read as a span's counts
are, inside or beside as the numbers prove. A framework's span above the SDK's own is the same call,
and so is a span that came by OTLP: ids are its hexadecimal ones. `mlflow.trace.tokenUsage` is the
sum over the spans and is not read.

    {"trace_id": "AAECAwQFBgcICQoLDA0ODw==", "span_id": "AAECAwQFBgc=", "name": "Completions",
     "start_time_unix_nano": 1767225600000000000, "attributes": {"mlflow.spanType": "\\"LLM\\"",
       "mlflow.llm.model": "\\"gpt-5.2\\"", "mlflow.chat.tokenUsage":
         "{\\"input_tokens\\": 27, \\"output_tokens\\": 641, \\"total_tokens\\": 668}"}}

is 27 input and 641 output tokens. (Names from MLflow's own `tracing/constant.py`.)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result
from ingest.readers.cells import json_list, json_object
from ingest.readers.otel import records
from ingest.readers.otel_calls import Spans
from ingest.readers.otel_wire import Span, json_spans
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, short_text
from pricing.json_types import JsonObject
from pricing.variants import normal_seller

_CALL_TYPES = {"CHAT_MODEL": "chat", "LLM": "text_completion", "EMBEDDING": "embeddings"}
_USAGE = "mlflow.chat.tokenUsage"
_COUNTS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_creation_input_tokens": "gen_ai.usage.cache_creation.input_tokens",
}
_REQUEST = ("model", "service_tier", "reasoning_effort", "reasoning")
_ROW_COLUMNS = {"trace_id", "request_id"}


class MLflow:
    """Reader of MLflow's traces."""

    name = "mlflow"
    title = "MLflow traces (JSON, traces.json, search_traces rows)"
    recognised_by = "spans with `mlflow.` attributes, under `data`, `trace` or `spans`"

    def identify(self, source: Source) -> float:
        """By MLflow's own attributes in a span of the first documents."""
        if source.kind in ("csv", "parquet"):
            names = set(columns(source))
            return 0.8 if names & _ROW_COLUMNS and names & {"spans", "trace"} else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        return 0.97 if any(map(_is_ours, source.sample)) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Gather the spans of the file, then yield each call once."""
        spans = Spans()
        try:
            for line, document in rows(source):
                if isinstance(document, BadLine):
                    yield Reject(document.reason, line)
                    continue
                found = _spans(document)
                if not found:
                    yield Reject("no spans of an MLflow trace", line)
                about = _about(document)
                for raw in found:
                    span = _span(raw, about, line)
                    if span is None:
                        yield Reject("not a span of an MLflow trace", line)
                    else:
                        spans.add([span])
        except UnreadableFile as error:
            yield Reject(str(error), None)
        for result in records(spans, context):
            if isinstance(result, UsageRecord):
                result.source_format = self.name
            yield result


def _trace(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return json_object(document.get("trace")) or document


def _spans(document: Any) -> list[Any]:
    """The spans of a trace, a list of spans, or a span that stands alone."""
    if not isinstance(document, JsonObject):
        return []
    trace = _trace(document)
    for place in (json_object(trace.get("data")), trace, document):
        listed = json_list(place.get("spans"))
        if listed:
            return listed
    return [document] if _has_marks(document) else []


def _has_marks(span: Any) -> bool:
    attributes: Mapping[str, Any] = (
        json_object(span.get("attributes")) if isinstance(span, JsonObject) else {}
    )
    return any(str(name).startswith("mlflow.") for name in attributes)


def _is_ours(document: Any) -> bool:
    return any(map(_has_marks, _spans(document)))


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the trace knows of all its spans, as attributes of theirs."""
    trace = _trace(document)
    info = json_object(trace.get("info")) or trace
    meta = {
        **json_object(info.get("request_metadata")),
        **json_object(info.get("trace_metadata")),
        **json_object(document.get("trace_metadata")),
    }
    tags = info.get("tags")
    told = {
        f"tokenbooks.{name}": value
        for name, value in json_object(tags).items()
        if not str(name).startswith("mlflow.")
    }
    told["session.id"] = short_text(meta.get("mlflow.trace.session"))
    told["user.id"] = short_text(meta.get("mlflow.trace.user"))
    return {name: value for name, value in told.items() if value is not None}


def _span(raw: Any, about: Mapping[str, Any], line: int) -> Span | None:
    """One span, its attributes in OpenTelemetry's names."""
    raw = json_object(raw)
    if not raw or not isinstance(raw.get("name"), str):
        return None
    if isinstance(raw.get("context"), JsonObject):  # MLflow 2
        plain: dict[str, Any] = {**raw, "attributes": {}}
    else:
        plain = {
            "resourceSpans": [
                {
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    **raw,
                                    "attributes": {},
                                    "trace_id": _hex(raw.get("trace_id"), 16),
                                    "span_id": _hex(raw.get("span_id"), 8),
                                    "parent_span_id": _hex(raw.get("parent_span_id"), 8),
                                }
                            ]
                        }
                    ]
                }
            ]
        }
    span = next(json_spans(plain, line), None)
    if span is not None:
        attributes = json_object(raw.get("attributes"))
        span.attributes = {**about, **_named({k: _value(v) for k, v in attributes.items()})}
        span.failed = span.failed or "ERROR" in str(raw.get("status_code") or "")
    return span


def _hex(value: Any, size: int) -> str:
    """An id as OpenTelemetry writes it; MLflow 3 writes base64."""
    if not isinstance(value, str):
        return ""
    try:
        whole = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value.removeprefix("0x")
    return whole.hex() if len(whole) == size else value.removeprefix("0x")


def _value(value: Any) -> Any:
    """An attribute: MLflow stores each as JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _named(a: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes `otel_attributes` reads. Texts of prompts and answers are not among them,
    but for the body, of which it takes id and usage alone."""
    kind = str(a.get("mlflow.spanType") or "").upper()
    usage, inputs = json_object(a.get(_USAGE)), json_object(a.get("mlflow.spanInputs"))
    found: dict[str, Any] = {v: usage[k] for k, v in _COUNTS.items() if usage.get(k) is not None}
    found["gen_ai.operation.name"] = _CALL_TYPES.get(kind, "group")
    body = json_object(a.get("mlflow.spanOutputs"))
    if kind in _CALL_TYPES and body:
        found["output.value"] = json.dumps(
            {k: body[k] for k in ("id", "usage", "usageMetadata", "service_tier") if k in body}
        )
    asked = {k: inputs[k] for k in _REQUEST if k in inputs}
    found["llm.invocation_parameters"] = json.dumps(asked)
    for name in (a.get("mlflow.llm.model"), body.get("model"), inputs.get("model"), a.get("model")):
        if isinstance(name, str) and name:
            found["gen_ai.response.model"] = name
            break
    maker = short_text(a.get("mlflow.llm.provider") or a.get("mlflow.message.format"))
    if maker:
        found["gen_ai.provider.name"] = normal_seller(maker)
    cost = json_object(a.get("mlflow.llm.cost")).get("total_cost")
    if cost is not None:
        found["operation.cost"] = cost
    return found


READER = MLflow()
