"""Langfuse exports: inside or beside, once each, calls only."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.readers import langfuse
from ingest.readers.base import ReadContext
from ingest.readers.parts import Parts, settle
from ingest.record import UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

HERE = FIXTURES / "langfuse"
needs_samples = pytest.mark.skipif(
    not (SAMPLES / "langfuse").is_dir(), reason="../shared/samples is not here"
)


def calls(results: list[Any]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


@pytest.mark.parametrize("name", ["trace.json", "blob.jsonl", "observations.csv"])
def test_golden(name: str) -> None:
    check_golden(langfuse, HERE / name, HERE / f"{name}.golden.json")


def test_camel_snake_and_csv_say_the_same() -> None:
    trace, blob, table = (
        {r.call_key: (r.counts, r.model, r.source_cost_usd, r.occurred_at, r.latency_ms)
         for r in calls(read_all(langfuse, HERE / name))}
        for name in ("trace.json", "blob.jsonl", "observations.csv")
    )  # fmt: skip
    assert blob.items() <= trace.items()
    assert {k: v[:1] + v[2:] for k, v in table.items()} == {
        k: trace[k][:1] + trace[k][2:] for k in table
    }


def test_texts_are_not_kept() -> None:
    for name in ("trace.json", "blob.jsonl", "observations.csv"):
        assert "secret" in (HERE / name).read_text()
        assert "secret" not in repr(read_all(langfuse, HERE / name))


@pytest.mark.parametrize(
    ("total", "text", "uncached", "flags"),
    [
        (150, 40, 20, []),  # input + output: both inside
        (240, 50, 100, []),  # all parts: both beside
        (230, 40, 100, []),  # cache beside, reasoning inside
        (160, 50, 20, []),  # cache inside, reasoning beside
    ],
)
def test_the_total_decides_each_side(total: int, text: int, uncached: int, flags: list) -> None:
    reading = settle(Parts(input=100, output=50, cached=80, reasoning=10, total=total))
    assert reading.counts["output_text"] == text
    assert reading.counts["input_uncached"] == uncached
    assert reading.flags == flags


def test_a_total_that_nothing_makes_is_flagged() -> None:
    reading = settle(Parts(input=800, output=50, total=2023), doubtful=True)
    assert reading.flags == ["parts add up to 850, reported total is 2023"]


def test_without_a_total_the_assumption_holds_and_is_flagged() -> None:
    parts = Parts(input=100, output=50, cached=80)
    assert settle(parts).counts["input_uncached"] == 20
    assert settle(parts, cache_inside=False).counts["input_uncached"] == 100
    assert settle(parts, doubtful=True).flags == [
        "input details taken as inside input: nothing in the log proves it"
    ]
    assert settle(Parts(input=79, output=50, cached=80), doubtful=True).flags == []


@needs_samples
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trace-google-gemini-2025-08-01.json", [(6, 951, 1104)]),
        ("trace-openai-agents-2025-09-30.json", [(55, 15, 0), (85, 29, 0)]),
    ],
)
def test_recorded_traces(name: str, expected: list[tuple[int, int, int]]) -> None:
    found = calls(read_all(langfuse, SAMPLES / "langfuse" / name))
    told = [
        (r.counts["input_uncached"], r.counts["output_text"], r.counts["reasoning"]) for r in found
    ]
    assert sorted(told) == expected  # type: ignore[type-var]
    assert all(not r.flags for r in found)


@pytest.mark.parametrize(
    "details",
    [
        {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cachedInputTokens": 4}
        | {"reasoningTokens": 2},
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        | {"prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0}}
        | {"completion_tokens_details": {"reasoning_tokens": 2}},
        {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        | {"input_tokens_details": {"cached_tokens": 4}}
        | {"output_tokens_details": {"reasoning_tokens": 2}},
    ],
)
def test_spellings_of_the_providers_own_object(details: dict[str, Any]) -> None:
    reading = langfuse.read_details(dict(details))
    assert {k: v for k, v in reading.counts.items() if v} == {
        "input_uncached": 6, "cache_read": 4, "output_text": 3, "reasoning": 2,
    }  # fmt: skip
    assert reading.flags == []


def test_a_table_with_flat_counts_and_a_page_of_whole_traces() -> None:
    text = "id,traceId,type,name,startTime,model,inputTokens,outputTokens,totalTokens,totalCost\n"
    text += "o1,t1,GENERATION,x,2026-03-08T20:00:00.000Z,gpt-5.2,10,5,15,0.1\n"
    table = look_at_bytes(text.encode())
    assert langfuse.READER.identify(table) > 0.8
    observation = {
        "id": "o1", "traceId": "t1", "type": "GENERATION", "startTime": "2026-03-08T20:00:00Z",
        "model": "gpt-5.2", "usageDetails": {"input": 10, "output": 5, "total": 15},
    }  # fmt: skip
    page = look_at_bytes(
        json.dumps({"data": [{"id": "t1", "observations": [observation]}]}).encode()
    )
    for source in (table, page):
        (record,) = calls(list(langfuse.READER.read(source, ReadContext(source))))
        assert record.call_key == "langfuse:o1"
        assert {k: v for k, v in record.counts.items() if v} == {
            "input_uncached": 10, "output_text": 5,
        }  # fmt: skip
