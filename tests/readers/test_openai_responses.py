"""Responses bodies: polls of one id, compactions, streams."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.readers import bodies
from pricing.usage import read_usage
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects, sample


@pytest.mark.parametrize("name", ["bodies.jsonl", "stream.sse", "stream-cut.sse"])
def test_golden(name: str) -> None:
    golden(bodies, "openai_responses", name)


def test_polls_of_one_response_are_one_call() -> None:
    found = calls(golden(bodies, "openai_responses", "bodies.jsonl"))
    polls = [r for r in found if (r.line or 0) <= 4]
    assert len({r.call_key for r in polls}) == 1
    assert [r.finality for r in polls] == ["partial", "partial", "final", "final"]


def test_compaction_takes_its_model_from_the_request() -> None:
    found = calls(golden(bodies, "openai_responses", "bodies.jsonl"))
    asked, alone = [r for r in found if r.line in (9, 10)]
    assert asked.model == "gpt-5.2-codex"
    assert asked.flags == ["parts add up to 54897, reported total is 54912"]
    assert alone.model is None
    assert alone.flags == ["a compaction names no model: log the request beside it"]


def test_writes_by_lifetime() -> None:
    found = calls(golden(bodies, "openai_responses", "bodies.jsonl"))
    (written,) = [r for r in found if r.line == 6]
    assert counts(written) == {
        "input_uncached": 8, "cache_write_30m": 4000, "cache_write_12h": 12, "output_text": 5,
    }  # fmt: skip


def body(**usage: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": "completed", "usage": usage}


@pytest.mark.parametrize(("output", "reasoning", "kept"), [(5, 5, 5), (5, 0, 0), (5, 6, None)])
def test_reasoning_up_to_the_output(output: int, reasoning: int, kept: int | None) -> None:
    usage = {"input_tokens": 1, "output_tokens": output}
    (only,) = calls(
        read_lines(
            bodies.READER,
            [body(**usage, output_tokens_details={"reasoning_tokens": reasoning})],
        )
    )
    assert only.counts["reasoning"] == kept
    assert (only.counts["output_text"] or 0) + (kept or 0) == output


def test_cached_and_written_above_input_are_rejected() -> None:
    details = {"cached_tokens": 5, "cache_write_tokens": 6}
    fine = body(input_tokens=11, output_tokens=1, input_tokens_details=details)
    bad = body(input_tokens=10, output_tokens=1, input_tokens_details=details)
    assert calls(read_lines(bodies.READER, [fine]))[0].counts["input_uncached"] == 0
    assert len(rejects(read_lines(bodies.READER, [bad]))) == 1


def test_sample_poll_is_one_call() -> None:
    found = calls(read_all(bodies, sample("openai-responses/background-poll-plain.jsonl")))
    assert len({r.call_key for r in found}) == 1
    assert [counts(r) for r in found if r.finality == "final"] == [
        {"input_uncached": 15, "output_text": 9}
    ]


SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search"}}
OPENED = {**SEARCH, "action": {"type": "open_page"}}
FAILED_SEARCH = {**SEARCH, "status": "failed"}
FILES = {"type": "file_search_call", "status": "completed"}


@pytest.mark.parametrize(
    ("output", "tool_usage", "searches", "files"),
    [
        ([SEARCH, OPENED, SEARCH], None, 2, None),
        ([SEARCH, FAILED_SEARCH], {}, 1, None),
        ([SEARCH, SEARCH], {"web_search": {"num_requests": 1}}, 1, None),
        ([SEARCH], {"web_search": {"num_requests": 0}}, None, None),
        ([FILES, FILES], {"web_search": {"num_requests": 3}}, 3, 2),
        ([], None, None, None),
    ],
)
def test_searches_are_what_the_body_states_else_what_its_output_shows(
    output: list[dict[str, object]],
    tool_usage: dict[str, object] | None,
    searches: int | None,
    files: int | None,
) -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    body = {"id": "resp_Searches00000000000001", "object": "response", "created_at": 1773000000}
    body |= {"model": "gpt-5.2", "status": "completed", "output": output, "usage": usage}
    (record,) = calls(read_lines(bodies, [{**body, "tool_usage": tool_usage}]))
    assert record.counts.get("web_search") == searches
    assert record.counts.get("file_search") == files
    # `tokenbooks price` says the same of the whole body.
    reading = read_usage({**body, "tool_usage": tool_usage}, "openai")
    assert reading.counts.get("web_search") == searches
    assert reading.counts.get("file_search") == files


def test_an_empty_usage_object_states_no_usage() -> None:
    body = {"id": "resp_Searches00000000000002", "object": "response", "model": "gpt-5.2"}
    (record,) = calls(read_lines(bodies, [{**body, "usage": {}}]))
    assert (record.counts, record.finality) == ({}, "partial")
