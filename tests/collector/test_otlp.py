"""POST /v1/traces with the real OpenTelemetry SDK and exporter, and the protocol's own rules."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from tests.collector.serving import Served

PROTOBUF = {"Content-Type": "application/x-protobuf"}
START = 1772366400 * 10**9  # 2026-03-01T12:00:00Z


def genai(response_id: str, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.2", "gen_ai.response.model": "gpt-5.2-2025-12-11",
        "gen_ai.response.id": response_id, "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50, "gen_ai.usage.cache_read.input_tokens": 800,
        "openai.response.service_tier": "default",
        "gen_ai.input.messages": '[{"role":"user","content":"SECRET QUESTION"}]', **more,
    }  # fmt: skip


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_real_exporter(served: Served, compression: Compression) -> None:
    exporter = OTLPSpanExporter(
        endpoint=f"{served.url}/v1/traces", compression=compression, timeout=10
    )
    provider = TracerProvider(resource=Resource({"service.name": "shop", "team": "search"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2")
    name = compression.name.lower()
    with tracer.start_as_current_span("POST /chat"):  # no model call: accepted, not stored
        for number in range(3):
            span = tracer.start_span("chat gpt-5.2", start_time=START)
            span.set_attributes(genai(f"chatcmpl-{name}{number:024d}"))
            span.end(START + 10**9)
    assert provider.force_flush()
    provider.shutdown()
    rows = served.rows(
        "SELECT occurred_at, team, variant, tier, input_uncached, cache_read, output_total,"
        f" latency_ms, cost_usd FROM calls WHERE call_key LIKE 'openai:chatcmpl-{name}%'"
    )
    assert rows == [
        (
            datetime(2026, 3, 1, 12), "search", "gpt-5.2", "standard", 200, 800, 50, 1000,
            Decimal("0.00119"),
        )
    ] * 3  # fmt: skip


def request_of(build: Callable[[Any], None]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"t" * 16, b"s" * 8, "chat gpt-5.2"
    span.start_time_unix_nano, span.end_time_unix_nano = START, START + 10**9
    build(span)
    return request


def attributes(values: dict[str, Any]) -> Callable[[Any], None]:
    def build(span: Any) -> None:
        for key, value in values.items():
            kind = "int_value" if isinstance(value, int) else "string_value"
            setattr(span.attributes.add(key=key).value, kind, value)

    return build


def test_an_impossible_span_is_partial_success_in_kind(served: Served) -> None:
    good = genai("chatcmpl-partial00000000000000000001")
    request = request_of(attributes(good))
    bad = request.resource_spans[0].scope_spans[0].spans.add()
    bad.trace_id, bad.span_id, bad.name = b"t" * 16, b"u" * 8, "chat broken"
    attributes(genai("chatcmpl-broken", **{"gen_ai.usage.input_tokens": -5}))(bad)
    answer = httpx.post(
        f"{served.url}/v1/traces", content=request.SerializeToString(), headers=PROTOBUF
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    told = ExportTraceServiceResponse.FromString(answer.content)
    assert told.partial_success.rejected_spans == 1
    assert "negative" in told.partial_success.error_message
    assert len(served.rows("SELECT 1 FROM calls WHERE call_key LIKE '%partial0%'")) == 1


def as_json(values: dict[str, Any], span_id: str = "00000000000000a1") -> dict[str, Any]:
    listed = [
        {
            "key": k,
            "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v},
        }
        for k, v in values.items()
    ]
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": span_id,
        "name": "chat", "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 10**9),
        "attributes": listed,
    }  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_json_in_json_out(served: Served) -> None:
    good = as_json(genai("chatcmpl-json000000000000000000000001"))
    answer = httpx.post(f"{served.url}/v1/traces", json=good)
    assert (answer.status_code, answer.json()) == (200, {})
    bad = as_json(genai("chatcmpl-json2", **{"gen_ai.usage.output_tokens": -1}), "00000000000000a2")
    told = httpx.post(f"{served.url}/v1/traces", json=bad).json()["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert "negative" in told["errorMessage"]
    assert httpx.post(f"{served.url}/v1/traces", json={}).status_code == 200


def test_an_exporters_retry_is_the_same_call(served: Served) -> None:
    values = {k: v for k, v in genai("x").items() if k != "gen_ai.response.id"}
    body = gzip.compress(request_of(attributes(values)).SerializeToString())
    for _ in range(3):
        answer = httpx.post(
            f"{served.url}/v1/traces", content=body, headers=PROTOBUF | {"Content-Encoding": "gzip"}
        )
        assert (answer.status_code, answer.content) == (200, b"")
    key = f"otel:{(b't' * 16).hex()}:{(b's' * 8).hex()}"
    assert len(served.rows(f"SELECT 1 FROM calls WHERE call_key = '{key}'")) == 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\x0a\xff\xff", "application/x-protobuf", 400),
        (b"hello", "application/x-protobuf", 400),
        (b"\x28\xb5\x2f\xfd" + b"\0" * 8, "application/x-protobuf", 400),
        (b"[]", "application/json", 400),
        (b'{"resourceSpans": 5}', "application/json", 400),
        (b'{"resourceSpans": [', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"", "application/x-protobuf", 200),
    ],
)
def test_what_is_no_export_request(served: Served, body: bytes, kind: str, status: int) -> None:
    answer = httpx.post(f"{served.url}/v1/traces", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    if status != 200 and kind == "application/json":
        assert answer.json()["message"]
    elif status == 400:
        # google.rpc.Status: field 2, the message
        assert answer.content[:1] == b"\x12"
        assert b"OTLP" in answer.content or b"zstd" in answer.content


def test_claude_codes_log_events_are_calls(served: Served) -> None:
    event = {
        "input_tokens": 3, "output_tokens": 20, "cache_read_tokens": 9000,
        "cache_creation_tokens": 800, "model": "claude-opus-4-5", "cost_usd": "0.01",
        "request_id": "req_011CQzzzzzzzzzzzzzzzz", "session.id": "s1", "event.sequence": 1,
    }  # fmt: skip
    log = {
        "timeUnixNano": str(START), "body": {"stringValue": "claude_code.api_request"},
        "attributes": as_json(event)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"],
    }  # fmt: skip
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}
    answer = httpx.post(f"{served.url}/v1/logs", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert served.rows(
        "SELECT input_total, source_cost_usd FROM calls WHERE call_key LIKE '%req_011CQzz%'"
    ) == [(9803, Decimal("0.01"))]


def test_nothing_of_text_headers_or_keys_is_in_the_file(served: Served) -> None:
    secrets = ["SECRET QUESTION", "SECRET ANSWER", "sk-live-abcdef", "SECRET HEADER", "BROKEN TEXT"]
    httpx.post(f"{served.url}/v1/traces", json=as_json(genai("chatcmpl-secret0000000000000000001")))
    body = {
        "request": {
            "headers": {"authorization": "Bearer sk-live-abcdef"},
            "body": {"model": "gpt-5.2", "messages": [{"role": "user", "content": secrets[0]}]},
        },
        "response": {
            "status_code": 200, "headers": {"x-note": "SECRET HEADER"},
            "body": {
                "id": "chatcmpl-secret0000000000000000002", "object": "chat.completion",
                "created": 1772366400, "model": "gpt-5.2",
                "choices": [{"message": {"role": "assistant", "content": "SECRET ANSWER"}}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
            },
        },
    }  # fmt: skip
    headers = {"Authorization": "Bearer sk-live-abcdef", "X-Note": "SECRET HEADER"}
    assert httpx.post(f"{served.url}/v1/usage", json=body, headers=headers).status_code == 200
    broken = {"id": "y", "choices": [{"message": {"content": "BROKEN TEXT"}}]}
    good = {"provider": "openai", "model": "gpt-5.2", "input": 1, "output": 1}
    told = httpx.post(f"{served.url}/v1/usage", json=[broken, good]).json()
    assert (told["accepted"], told["rejected"]) == (1, 1)
    lines = b'{"content": "BROKEN TEXT\n' + b'{"provider": "openai", "model": "m", "input": 2}'
    httpx.post(
        f"{served.url}/v1/usage", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert len(served.rows("SELECT 1 FROM calls WHERE call_key LIKE '%secret0%'")) == 2
    cursor = served.store.con.cursor()
    cursor.execute("FORCE CHECKPOINT")
    cursor.close()
    files = b"".join(p.read_bytes() for p in served.path.parent.iterdir() if p.is_file())
    assert b"chatcmpl-secret0" in files
    assert [s for s in secrets if s.encode() in files] == []


def test_simple_processor_and_a_stopped_collector(served: Served) -> None:
    """A collector that is not running answers 503 with Retry-After: the SDK tries again."""
    served.collector.close()
    try:
        answer = httpx.post(f"{served.url}/v1/traces", json=as_json(genai("chatcmpl-late")))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    finally:
        served.collector.start()
    exporter = OTLPSpanExporter(endpoint=f"{served.url}/v1/traces", timeout=10)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = provider.get_tracer("openai").start_span("chat")
    span.set_attributes(genai("chatcmpl-again00000000000000000001"))
    span.end()
    assert len(served.rows("SELECT 1 FROM calls WHERE call_key LIKE '%again0%'")) == 1


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
def test_metrics_of_the_same_endpoint_are_taken_and_not_stored(served: Served, kind: str) -> None:
    before = served.rows("SELECT count(*) FROM usage")
    body = b"{}" if kind.endswith("json") else b""
    answer = httpx.post(f"{served.url}/v1/metrics", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert b"metrics are sums" in answer.content
    assert served.rows("SELECT count(*) FROM usage") == before
