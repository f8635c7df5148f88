"""Jaeger's and Zipkin's JSON: the same calls as in OTLP, each once, under the same keys."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ingest.files import look, look_at_bytes
from ingest.importer import ImportOptions, recognise
from ingest.readers import jaeger, otel, zipkin
from ingest.readers.base import ReadContext
from ingest.readers.otel_documents import lasting
from tests.readers.golden import FIXTURES, read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects

FILES = [(jaeger, "jaeger", "traces.json"), (zipkin, "zipkin", "spans.json")]
CLAUDE = {"input_uncached": 53, "cache_read": 450, "output_text": 40}
GPT = {"input_uncached": 176, "cache_read": 1024, "output_text": 16, "reasoning": 64}
KEYS = [
    "anthropic:msg_01SpanStoresAAAAAAAA",
    "otel:0000000000000000463ac35c9f6413ad:00000000000000b1",
    "otel:0000000000000000463ac35c9f6413ad:00000000000000b2",
]


@pytest.mark.parametrize(("module", "folder", "name"), FILES)
def test_golden(module: Any, folder: str, name: str) -> None:
    """Of an agent, a framework's view, a call and its tool, only the call counts."""
    found = golden(module, folder, name)
    claude, gpt, failed = calls(found)
    assert [claude.call_key, gpt.call_key, failed.call_key] == KEYS
    assert {r.source_format for r in calls(found)} == {folder}
    assert (counts(claude), claude.model, claude.session) == (CLAUDE, "claude-opus-4-5", "s-7")
    assert (str(claude.occurred_at), claude.latency_ms) == ("2026-02-02 10:00:00.002000", 2500)
    assert claude.dimensions == {"team": "search", "environment": "prod"}
    assert claude.tags == {"service": "shop"}
    assert (counts(gpt), gpt.tier, str(gpt.source_cost_usd)) == (GPT, "flex", "0.0125")
    assert (counts(failed), failed.failed, failed.finality) == ({}, True, "partial")
    assert len(rejects(found)) == 1
    assert "input_tokens = -5 is negative" in rejects(found)[0].reason


@pytest.mark.parametrize(("module", "folder", "name"), FILES)
def test_recognised_and_noted(module: Any, folder: str, name: str) -> None:
    source = look(FIXTURES / folder / name)
    assert recognise(source, ImportOptions())[0] is module.READER
    context = ReadContext(source)
    list(module.READER.read(source, context))
    assert context.notes[0].startswith("1 agent, workflow or tool spans left out")


def test_the_same_trace_in_otlp_is_the_same_calls() -> None:
    """Keys, counts and times agree, so that a trace imported from two places is counted once."""
    (trace, later) = json.loads((FIXTURES / "jaeger" / "traces.json").read_text())["data"]
    kinds = {"string": "stringValue", "int64": "intValue", "float64": "doubleValue",
             "bool": "boolValue"}  # fmt: skip
    spans = [
        {
            "traceId": s["traceID"].rjust(32, "0"), "spanId": s["spanID"].rjust(16, "0"),
            "parentSpanId": next((r["spanID"] for r in s["references"]
                                  if r["refType"] == "CHILD_OF"), ""),
            "name": s["operationName"], "startTimeUnixNano": str(s["startTime"] * 1000),
            "endTimeUnixNano": str((s["startTime"] + s["duration"]) * 1000),
            "attributes": [{"key": t["key"], "value": {kinds[t["type"]]: t["value"]}}
                           for t in s["tags"]],
        }
        for s in trace["spans"] + later["spans"]
    ]  # fmt: skip
    request = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    # Version 3 of Jaeger's own API answers with OTLP in a wrapping.
    wrapped = look_at_bytes(json.dumps({"result": request}).encode())
    assert recognise(wrapped, ImportOptions())[0] is jaeger.READER
    assert [r.call_key for r in calls(jaeger.READER.read(wrapped, ReadContext(wrapped)))] == KEYS
    told = [(r.call_key, r.counts, r.occurred_at, r.latency_ms, r.model)
            for r in calls(read_lines(otel, [request]))]  # fmt: skip
    for module, folder, name in FILES:
        found = calls(read_all(module, FIXTURES / folder / name))
        assert told == [(r.call_key, r.counts, r.occurred_at, r.latency_ms, r.model) for r in found]


def test_spans_as_an_index_keeps_them() -> None:
    """Text for every type, or fields of `tag` with @ for dots; the framework's view is left out."""
    found = golden(jaeger, "jaeger", "index.jsonl")
    claude, gpt, failed = calls(found)
    assert (counts(claude), claude.session, counts(gpt)) == (CLAUDE, "s-7", GPT)
    assert claude.dimensions == {"team": "search", "environment": "prod"}
    assert failed.failed
    assert len(rejects(found)) == 2
    assert "not a trace of Jaeger" in {r.reason for r in rejects(found)}


def span(number: int, **more: Any) -> dict[str, Any]:
    tags = [{"key": "gen_ai.operation.name", "type": "string", "value": "chat"},
            {"key": "gen_ai.usage.input_tokens", "type": "int64", "value": 10 * number},
            {"key": "gen_ai.request.model", "type": "string", "value": "m"}]  # fmt: skip
    return {
        "traceID": "t1", "spanID": f"a{number}", "operationName": "chat", "tags": tags,
        "startTime": 1770026400000000, "duration": 1000,
    } | more  # fmt: skip


def test_what_follows_from_a_call_is_not_inside_it() -> None:
    """A span without a response id above one with usage repeats it; one before it does not."""
    for kind, expected in (("CHILD_OF", [20]), ("FOLLOWS_FROM", [10, 20])):
        reference = [{"refType": kind, "traceID": "t1", "spanID": "a1"}]
        found = calls(read_lines(jaeger, [span(1), span(2, references=reference)]))
        assert [counts(r)["input_uncached"] for r in found] == expected
    below = span(2, parentSpanID="a1")
    assert [counts(r)["input_uncached"] for r in calls(read_lines(jaeger, [span(1), below]))] == [
        20
    ]


def test_zipkin_traces_in_a_list_and_a_span_a_line() -> None:
    spans = json.loads((FIXTURES / "zipkin" / "spans.json").read_text())
    keys = {r.call_key for r in calls(read_all(zipkin, FIXTURES / "zipkin" / "spans.json"))}
    for text in (json.dumps([spans[:5], spans[5:]]), "\n".join(map(json.dumps, spans))):
        source = look_at_bytes(text.encode())
        assert recognise(source, ImportOptions())[0] is zipkin.READER
        assert {r.call_key for r in calls(zipkin.READER.read(source, ReadContext(source)))} == keys


@pytest.mark.parametrize(
    ("start", "duration", "expected"),
    [
        (1770026400000000, 10**13, 10**13),
        (1770026400000000, 10**13 + 1, None),
        ("1770026400000000", "1500", 1500),
        (1770026400000000, -1, None),
        (1770026400000000, 1.5, None),
        (1770026400000000, True, None),
        (0, 1500, None),
        (None, 1500, None),
    ],
)
def test_how_long_a_span_lasted(start: Any, duration: Any, expected: int | None) -> None:
    begun, end = lasting(start, duration)
    assert (begun is None) == (start in (0, None))
    took = None if begun is None or end is None else (end - begun) // timedelta(microseconds=1)
    assert took == expected


def test_other_tools_that_name_ids_so_are_not_zipkin() -> None:
    """Observations have times as text and tags as a list; a time in milliseconds is no Zipkin's."""
    ids = {"traceId": "5982fe77008310cc80f1da5e10147519", "id": "80f1da5e10147519"}
    micros = {**ids, "tags": {}, "timestamp": 10**14 + 1}
    assert zipkin.spans_of(micros, 1) is not None
    for other in (
        {**ids, "type": "GENERATION", "startTime": "2026-01-05T10:00:00Z"},
        {**ids, "tags": ["a"], "localEndpoint": {}},
        {**ids, "id": "not hexadecimal", "localEndpoint": {}},
        {**micros, "timestamp": 10**14},
        {**ids, "timestamp": "2026-01-05T10:00:00Z", "tags": {}},
    ):
        assert zipkin.spans_of(other, 1) is None


@pytest.mark.parametrize("error", [("", True), ("429", True), ("false", False)])
def test_zipkins_error_tag_says_failed_by_being_there(error: tuple[str, bool]) -> None:
    (found,) = zipkin.spans_of({"traceId": "a", "id": "b", "localEndpoint": {},
                                "tags": {"error": error[0]}}, 1) or []  # fmt: skip
    assert found.failed is error[1]
