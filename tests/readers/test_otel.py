"""OpenTelemetry spans: every dialect and encoding, each call once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.files import look, look_at_bytes
from ingest.readers import otel
from ingest.readers.base import ReadContext, Result
from ingest.readers.otel_wire import OtlpError, Signal, parse_request
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

HERE = FIXTURES / "otel"
OTEL = SAMPLES / "otel-genai"


def read_bytes(data: bytes) -> list[Result]:
    source = look_at_bytes(data)
    assert otel.READER.identify(source) > 0.9
    return list(otel.READER.read(source, ReadContext(source)))


def calls(results: list[Result]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


def span(attributes: dict[str, Any], *, id: int = 1, parent: int = 0, scope: str = "x") -> dict:
    def value(v: Any) -> dict[str, Any]:
        return {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v}

    one = {
        "traceId": "ab" * 16,
        "spanId": f"{id:016x}",
        "name": "s",
        "startTimeUnixNano": "1767607200000000000",
        "attributes": [{"key": k, "value": value(v)} for k, v in attributes.items()],
    }
    if parent:
        one["parentSpanId"] = f"{parent:016x}"
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": [one]}]}]}


def read(*requests: dict) -> list[UsageRecord]:
    lines = "\n".join(json.dumps(r) for r in requests)
    return calls(read_bytes(lines.encode()))


@pytest.mark.parametrize(
    "name", ["dialects.otlp.jsonl", "claude-code.otlp.jsonl", "dumped-spans.json"]
)
def test_golden(name: str) -> None:
    check_golden(otel, HERE / name, HERE / f"{name}.golden.json")


def test_prompts_and_answers_are_not_kept() -> None:
    for path in HERE.glob("*.json*"):
        if ".golden." not in path.name:
            assert "secret" in path.read_text() or path.name == "dumped-spans.json"
            assert "secret" not in repr(read_all(otel, path))


def test_a_call_seen_as_agent_framework_and_sdk_span_is_one() -> None:
    results = read_all(otel, HERE / "dialects.otlp.jsonl")
    keys = [r.call_key for r in calls(results)]
    assert len(keys) == len(set(keys))
    assert keys.count("anthropic:msg_01UnderAFrameworkBBBB") == 1
    assert "otel:" + "0" * 31 + "4:" + f"{41:016x}" not in keys


def test_nested_calls_with_their_own_ids_are_both_kept() -> None:
    # A tool inside a call may itself call a model.
    outer = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "msg_outer_000000000001",
             "gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 10}  # fmt: skip
    inner = {**outer, "gen_ai.response.id": "msg_inner_000000000001"}
    found = read(span(outer, id=1), span(inner, id=2, parent=1))
    assert sorted(r.call_key for r in found) == [
        "anthropic:msg_inner_000000000001", "anthropic:msg_outer_000000000001",
    ]  # fmt: skip


def test_the_id_of_a_parent_moves_to_the_child_with_the_same_counts() -> None:
    outer = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "chatcmpl-parent-00000001",
             "gen_ai.system": "openai", "gen_ai.usage.input_tokens": 10}  # fmt: skip
    inner = {k: v for k, v in outer.items() if k != "gen_ai.response.id"}
    assert [r.call_key for r in read(span(outer, id=1), span(inner, id=2, parent=1))] == [
        "openai:chatcmpl-parent-00000001"
    ]
    differs = {**inner, "gen_ai.usage.input_tokens": 11}
    assert len(read(span(outer, id=1), span(differs, id=2, parent=1))) == 2


def test_parents_after_children_and_cycles() -> None:
    child = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}
    late = read(span(child, id=2, parent=1), span(child, id=1))
    assert [r.call_key[-1] for r in late] == ["2"]
    # Broken links that go in a circle must neither hang nor lose the call.
    assert len(read(span(child, id=2, parent=1), span(child, id=1, parent=2))) == 1


def test_a_framework_span_that_comes_in_a_later_batch() -> None:
    child = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "chatcmpl-child-000000001",
             "gen_ai.system": "openai", "gen_ai.usage.input_tokens": 5}  # fmt: skip
    parent = {k: v for k, v in child.items() if k != "gen_ai.response.id"}
    recent = otel.Recent()
    batches = (span(child, id=3, parent=2), span(parent, id=2, parent=1), span(parent, id=1))
    found = [calls(list(otel.read_export_request(b, recent=recent))) for b in batches]
    assert [len(f) for f in found] == [1, 0, 0]
    # A place that was forgotten is counted again: the window is bounded.
    small = otel.Recent(0)
    found = [calls(list(otel.read_export_request(b, recent=small))) for b in batches]
    assert [len(f) for f in found] == [1, 1, 1]


def test_langfuse_and_unknown_spans() -> None:
    usage = '{"input": 10, "output": 5, "output_reasoning": 3, "total": 18}'
    (record,) = read(
        span({
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-5.2",
            "langfuse.observation.usage_details": usage,
        })
    )  # fmt: skip
    assert (record.provider, record.model) == ("openai", "gpt-5.2")
    assert (record.counts["output_text"], record.counts["reasoning"]) == (5, 3)
    assert read(span({"langfuse.observation.type": "agent", "gen_ai.usage.input_tokens": 5})) == []
    assert read(span({"http.method": "GET"})) == []


@pytest.mark.parametrize(
    ("cached", "uncached"), [(9, 1), (10, 0), (11, 10)],
)  # fmt: skip
def test_cache_is_inside_until_it_cannot_be(cached: int, uncached: int) -> None:
    usage = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": cached,
    }
    (record,) = read(span(usage))
    assert record.counts["input_uncached"] == uncached
    assert record.counts["cache_read"] == cached
    # Above the input it cannot be inside: proven, so no flag.
    assert bool(record.flags) == (cached <= 10)


def test_a_total_decides_where_reasoning_stands() -> None:
    usage = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gemini",
             "gen_ai.usage.input_tokens": 6, "gen_ai.usage.output_tokens": 2055,
             "gen_ai.usage.reasoning_tokens": 1104}  # fmt: skip
    (inside,) = read(span({**usage, "gen_ai.usage.total_tokens": 2061}))
    (beside,) = read(span({**usage, "gen_ai.usage.total_tokens": 3165}))
    assert (inside.counts["output_text"], inside.counts["reasoning"]) == (951, 1104)
    assert (beside.counts["output_text"], beside.counts["reasoning"]) == (2055, 1104)
    assert inside.flags == beside.flags == []


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens", "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens", "gen_ai.usage.prompt_details.cache_read",
        "gen_ai.usage.input_cached_tokens", "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens",
    ],
)  # fmt: skip
def test_spellings_of_cache_reads(name: str) -> None:
    (record,) = read(
        span({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, name: 64})
    )
    assert (record.counts["input_uncached"], record.counts["cache_read"]) == (36, 64)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens", "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.prompt_details.cache_write",
        "gen_ai.usage.input_cache_creation", "gen_ai.usage.input_tokens.cache_write",
    ],
)  # fmt: skip
def test_spellings_of_cache_writes(name: str) -> None:
    (record,) = read(
        span({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, name: 64})
    )
    assert (record.counts["input_uncached"], record.counts["cache_write_unknown"]) == (36, 64)


# --- encodings ----------------------------------------------------------------------------------


def sdk_request(count: int = 3) -> tuple[bytes, list[str]]:
    """A request as the real SDK and its exporter encode it."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource.create({"service.name": "sdk", "deployment.environment.name": "ci"})
    )
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    ids = []
    for n in range(count):
        ids.append(f"chatcmpl-FromTheRealSdk{n:04}")
        with tracer.start_as_current_span("chat gpt-5.2") as one:
            one.set_attribute("gen_ai.operation.name", "chat")
            one.set_attribute("gen_ai.provider.name", "openai")
            one.set_attribute("gen_ai.response.model", "gpt-5.2")
            one.set_attribute("gen_ai.response.id", ids[-1])
            one.set_attribute("gen_ai.usage.input_tokens", 100 + n)
            one.set_attribute("gen_ai.usage.cache_read.input_tokens", 64)
            one.set_attribute("gen_ai.usage.output_tokens", 7)
    return encode_spans(memory.get_finished_spans()).SerializeToString(), ids


def test_bodies_of_the_real_sdk() -> None:
    body, ids = sdk_request()
    found = calls(list(otel.read_export_request(body)))
    assert [r.call_key for r in found] == [f"openai:{i}" for i in ids]
    assert [r.counts["input_uncached"] for r in found] == [36, 37, 38]
    assert {r.dimensions["environment"] for r in found} == {"ci"}
    assert {r.tags["service"] for r in found} == {"sdk"}


def test_one_request_in_every_file_form(tmp_path: Path) -> None:
    import pyarrow as pa
    from google.protobuf.json_format import MessageToJson
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body, ids = sdk_request()
    text = MessageToJson(ExportTraceServiceRequest.FromString(body)).encode()
    frame = len(body).to_bytes(4, "big") + body
    packed = pa.Codec("zstd").compress(body, asbytes=True)
    forms = {
        "body": body,
        "gzip body": gzip.compress(body),
        "frames": frame + frame,
        "zstd frames": len(packed).to_bytes(4, "big") + packed,
        "JSON frames": len(text).to_bytes(4, "big") + text,
        "zstd file": pa.Codec("zstd").compress(frame, asbytes=True),
    }
    for name, data in forms.items():
        path = tmp_path / "export"
        path.write_bytes(data)
        assert otel.READER.identify(look(path)) > 0.9, name
        found = calls(read_all(otel, path))
        assert [r.call_key for r in found] == [f"openai:{i}" for i in ids], name


def test_a_cut_collector_file_keeps_what_is_whole() -> None:
    body, ids = sdk_request(1)
    frame = len(body).to_bytes(4, "big") + body
    results = read_bytes(frame + frame[:-3])
    assert [r.call_key for r in calls(results)] == [f"openai:{ids[0]}"]
    (bad,) = [r for r in results if isinstance(r, Reject)]
    assert bad.reason == f"message 2 is cut off: {len(body) - 3} of {len(body)} bytes"


@pytest.mark.parametrize(
    "body", [b"", b"\x0a\x05hello", b"not otlp", b"{", b'{"a": 1}', b"\xff" * 50]
)
def test_what_is_no_request_says_so(body: bytes) -> None:
    if body == b"":
        assert list(otel.read_export_request(body)) == []
        return
    with pytest.raises(OtlpError, match="not an OTLP export request"):
        parse_request(body)
    (bad,) = otel.read_export_request(body)
    assert isinstance(bad, Reject)


@pytest.mark.parametrize(
    "data", [b"\nfoo,bar\n1,2\n", b"\n\n\n{}", b"\n", b"\x00\x00\x00\x05\nabcd"]
)
def test_other_files_are_not_claimed(data: bytes) -> None:
    assert otel.READER.identify(look_at_bytes(data)) == 0.0


def test_log_bodies_in_protobuf() -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    request = ExportLogsServiceRequest()
    log = request.resource_logs.add().scope_logs.add().log_records.add()
    log.time_unix_nano = 1767607200_000000000
    log.body.string_value = "claude_code.api_request"
    for name, number in (("input_tokens", 4), ("output_tokens", 9), ("cache_read_tokens", 90)):
        pair = log.attributes.add()
        pair.key, pair.value.int_value = name, number
    pair = log.attributes.add()
    pair.key, pair.value.string_value = "request_id", "req_011BBBBBBBBBBBBBBBBBBBBB"
    signals: tuple[Signal, ...] = ("logs", "traces")
    for signal in signals:
        (record,) = calls(
            list(otel.read_export_request(request.SerializeToString(), signal=signal))
        )
        assert record.call_key == "anthropic:req_011BBBBBBBBBBBBBBBBBBBBB"
        assert (record.counts["input_uncached"], record.counts["cache_read"]) == (4, 90)


# --- recorded exports ---------------------------------------------------------------------------

needs_samples = pytest.mark.skipif(not OTEL.is_dir(), reason="../shared/samples is not here")


@needs_samples
def test_three_encodings_of_one_export_agree() -> None:
    def told(name: str) -> list[tuple]:
        return sorted(
            (
                r.call_key,
                str(r.occurred_at),
                r.model or "",
                r.tier or "",
                sorted(r.counts.items(), key=str),
            )
            for r in calls(read_all(otel, OTEL / name))
        )

    lines = told("otel-openai-v2.otlp.jsonl")
    assert len(lines) == 6
    assert lines == told("otel-openai-v2.collector-proto.bin")
    assert lines == told("otel-openai-v2.otlp-http-body.pb")


@needs_samples
@pytest.mark.parametrize(
    ("name", "number", "uncached", "output"),
    [
        ("logfire.otlp.jsonl", 4, 109, 69),
        ("openinference.otlp.jsonl", 6, 175, 363),
        ("openllmetry.otlp.jsonl", 6, 175, 363),
        ("js-readablespan-ai-generateText-doGenerate.json", 2, 64, 29),
    ],
)
def test_recorded_exports(name: str, number: int, uncached: int, output: int) -> None:
    found = calls(read_all(otel, OTEL / name))
    assert len(found) == number
    assert sum(r.counts.get("input_uncached") or 0 for r in found) == uncached
    assert (
        sum((r.counts.get("output_text") or 0) + (r.counts.get("reasoning") or 0) for r in found)
        == output
    )


@needs_samples
def test_one_call_has_one_key_in_every_instrumentation() -> None:
    names = ("logfire", "openinference", "openllmetry", "otel-openai-v2")
    keys = [{r.call_key for r in calls(read_all(otel, OTEL / f"{n}.otlp.jsonl"))} for n in names]
    shared = set.intersection(*keys)
    assert "openai:chatcmpl-AbMH3rR6OBMN9hG5w0TRrezuiHLMr" in shared


def test_the_ai_sdks_step_is_also_in_the_operations_name() -> None:
    inner = {"operation.name": "ai.streamText.doStream search", "ai.model.id": "gpt-5.2"}
    inner |= {"ai.usage.inputTokens": 10, "ai.usage.outputTokens": 5}
    outer = {**inner, "operation.name": "ai.streamText search"}
    (record,) = read(span(outer), span(inner, id=2, parent=1))
    assert {k: v for k, v in record.counts.items() if v} == {"input_uncached": 10, "output_text": 5}


def test_a_trace_as_tempo_answers_it() -> None:
    one = span({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10})
    (record,) = read({"batches": one["resourceSpans"]})
    assert record.counts["input_uncached"] == 10
