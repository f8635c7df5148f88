"""Bodies inside documents of other shapes: an application's log lines, queues, containers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.importer import ImportOptions, recognise
from ingest.readers.base import ReadContext, Result
from ingest.record import UsageRecord
from tests.readers.probe import calls, counts, rejects

BODY: dict[str, Any] = {
    "id": "chatcmpl-Nested00000000000000001",
    "object": "chat.completion",
    "created": 1773000000,
    "model": "gpt-5.2",
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 800},
    },
}
WANTED = {"input_uncached": 200, "cache_read": 800, "output_text": 50}


def read(text: str) -> tuple[str, list[Result]]:
    """Recognise a file by its content and read it, as an import does."""
    source = look_at_bytes(text.encode())
    reader, _, why = recognise(source, ImportOptions())
    assert reader is not None, why
    return reader.name, list(reader.read(source, ReadContext(source)))


def only(document: Any) -> UsageRecord:
    name, results = read(json.dumps(document))
    assert name == "bodies"
    assert len(results) == 1
    assert counts(calls(results)[0]) == WANTED
    return calls(results)[0]


@pytest.mark.parametrize(
    "document",
    [
        {"data": BODY},
        {"event": "llm.response", "level": "info", "payload": BODY},
        {"log": json.dumps(BODY) + "\n", "stream": "stdout"},
        {"message": json.dumps(BODY)},
        {"log": {"response": {"parsed": {"raw": BODY}}}},
        {"raw": BODY, "parsed": BODY},
        {"attempts": [{"error": "timeout"}, {"answer": BODY}]},
    ],
)
def test_a_body_is_found_once_wherever_it_stands(document: dict[str, Any]) -> None:
    assert only(document).call_key == f"openai:{BODY['id']}"


def test_what_surrounds_it_is_its_time_team_and_request() -> None:
    timeless = {k: v for k, v in BODY.items() if k != "created"}
    document = {
        "@timestamp": "2026-03-01T12:00:00+02:00",
        "team": "search",
        "call": {"input": {"model": "gpt-5.2", "service_tier": "flex"}, "output": timeless},
    }
    record = only(document)
    assert str(record.occurred_at) == "2026-03-01 10:00:00"
    assert (record.tier, record.dimensions) == ("flex", {"team": "search"})


def test_a_wrapped_pair_inside_a_message_keeps_its_own_request() -> None:
    pair = {"request": {"model": "gpt-5.2", "service_tier": "priority"}, "response": BODY}
    record = only({"timestamp": 1773000000123, "message": json.dumps(pair)})
    assert record.tier == "priority"


def test_several_bodies_of_one_document_are_several_calls() -> None:
    second = {**BODY, "id": "chatcmpl-Nested00000000000000002"}
    _, results = read(json.dumps({"job": 7, "answers": {"a": BODY, "b": second}}))
    assert [r.call_key[-1] for r in calls(results)] == ["1", "2"]


def test_objects_without_usage_are_no_calls() -> None:
    source = look_at_bytes(json.dumps({"a": {"id": "chatcmpl-1", "choices": []}}).encode())
    assert recognise(source, ImportOptions())[0] is None


def test_a_loggers_words_before_the_object_give_its_time() -> None:
    timeless = json.dumps({k: v for k, v in BODY.items() if k not in ("created", "id")})
    lines = [
        "2026-03-01 10:00:00,250 INFO llm.client: starting",
        f"2026-03-01 10:00:01,250 INFO llm.client: answer {timeless}",
        f"2026-03-01T10:00:02.5Z stdout F {timeless}",
        f"2026-03-01 10:00:03 answer {timeless[:60]}",
    ]
    name, results = read("\n".join(lines))
    assert name == "bodies"
    assert [str(r.occurred_at) for r in calls(results)] == [
        "2026-03-01 10:00:01.250000",
        "2026-03-01 10:00:02.500000",
    ]
    assert [r.line for r in rejects(results)] == [1, 4]


def test_an_object_in_the_last_cell_of_a_table_is_no_log_line() -> None:
    source = look_at_bytes(b'time\tmodel\tmeta\n2026-03-01\tgpt-5.2\t{"a": 1}\n')
    assert source.kind == "csv"
