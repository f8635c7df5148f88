"""Gemini bodies, SDK dumps, streams as events and as one array, batch output."""

from __future__ import annotations

from datetime import datetime

import pytest

from ingest.readers import bodies
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects, sample


@pytest.mark.parametrize(
    "name",
    [
        "bodies.jsonl", "array-stream.json", "array-stream-without-ids.json", "stream.sse",
        "batch.jsonl",
    ],
)  # fmt: skip
def test_golden(name: str) -> None:
    golden(bodies, "gemini", name)


def test_bodies() -> None:
    found = golden(bodies, "gemini", "bodies.jsonl")
    by_line = {r.line: r for r in calls(found)}
    assert counts(by_line[1]) == {"input_uncached": 100, "output_text": 20, "reasoning": 30}
    assert counts(by_line[2]) == {"input_uncached": 90, "output_text": 5}
    assert counts(by_line[3]) == {
        "input_uncached": 20, "cache_read": 10, "input_audio": 20, "cache_read_audio": 50,
        "output_text": 5,
    }  # fmt: skip
    assert by_line[4].flags == ["the response states no prompt tokens: only its output is counted"]
    assert (by_line[5].finality, by_line[5].flags) == ("partial", [])
    assert counts(by_line[6]) == {"input_uncached": 10, "input_image": 20, "output_text": 4}
    assert by_line[6].occurred_at == datetime(2026, 1, 5, 8, 0, 1)
    assert by_line[8].counts["input_uncached"] == 0
    assert [r.line for r in rejects(found)] == [9, 10, 11]


def test_an_array_of_chunks_is_one_call() -> None:
    (only,) = calls(golden(bodies, "gemini", "array-stream.json"))
    assert counts(only) == {"input_uncached": 8, "output_text": 437, "reasoning": 2027}


def test_chunks_without_ids_end_where_the_answer_does() -> None:
    found = calls(golden(bodies, "gemini", "array-stream-without-ids.json"))
    assert [counts(r) for r in found] == [
        {"input_uncached": 8, "output_text": 30},
        {"input_uncached": 9, "output_text": 1},
    ]


def test_batch_lines_of_either_service_are_batch() -> None:
    found = golden(bodies, "gemini", "batch.jsonl")
    assert [r.tier for r in calls(found)] == ["batch"] * 3
    assert [r.line for r in rejects(found)] == [4]


def test_sample_stream() -> None:
    (only,) = calls(read_all(bodies, sample("gemini/stream-sse-plain.sse")))
    assert counts(only) == {"input_uncached": 8, "output_text": 437, "reasoning": 2027}
    assert only.total_reported == 2472


def test_a_live_turn_counts_thoughts_beside_its_total() -> None:
    (turn,) = calls(golden(bodies, "gemini", "live.jsonl"))
    assert counts(turn) == {
        "input_uncached": 357, "input_audio": 165, "output_audio": 42, "reasoning": 136,
    }  # fmt: skip
    assert not turn.flags


def test_vertex_batch_lines_name_a_default_version_and_why_a_call_failed() -> None:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 133, "totalTokenCount": 142}
    done = {"modelVersion": "gemini-2.5-flash@default", "usageMetadata": usage}
    wrong = 'Bad Request: {"error": {"message": "SECRET"}}'
    base = {"status": "", "processed_time": "2026-03-01T18:13:16.826+00:00", "request": {}}
    found = read_lines(
        bodies, [{**base, "response": done}, {**base, "status": wrong, "response": {}}]
    )
    (call,) = calls(found)
    assert (call.model, call.tier) == ("gemini-2.5-flash", "batch")
    assert [r.reason for r in rejects(found)] == [
        "batch request ? made no billed call: Bad Request"
    ]
