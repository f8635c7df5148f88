"""Chat Completions bodies, their streams, and batch output."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.readers import bodies
from ingest.record import Reject
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects, sample


@pytest.mark.parametrize(
    "name",
    ["bodies.jsonl", "stream.sse", "stream-without-usage.sse", "stream-azure.sse"],
)
def test_golden(name: str) -> None:
    golden(bodies, "openai_chat", name)


def test_golden_batch() -> None:
    found = golden(bodies, "openai_batch", "output.jsonl")
    assert [r.tier for r in calls(found)] == ["batch"] * 3
    assert [r.line for r in rejects(found)] == [4, 5]


def body(prompt: Any, cached: Any = None, output: Any = 1) -> dict[str, Any]:
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return {"id": "chatcmpl-12345678901234567890", "object": "chat.completion", "usage": usage}


@pytest.mark.parametrize(
    ("prompt", "cached", "output", "reason"),
    [
        (10, 11, 1, "cached tokens (11) above prompt_tokens (10)"),
        (-1, None, 1, "prompt_tokens = -1 is negative"),
        (10, None, 1.5, "completion_tokens = 1.5 is not a whole number"),
        (10, None, True, "completion_tokens = True is not a number"),
        (2**53, None, 1, "prompt_tokens = 9007199254740992 is too large to be a token count"),
    ],
)
def test_impossible_counts_are_rejected(prompt: Any, cached: Any, output: Any, reason: str) -> None:
    (only,) = read_lines(bodies.READER, [body(prompt, cached, output)])
    assert isinstance(only, Reject)
    assert only.reason == reason


@pytest.mark.parametrize("cached", [0, 10])
def test_cached_up_to_the_whole_prompt_is_fine(cached: int) -> None:
    (only,) = calls(read_lines(bodies.READER, [body(10, cached)]))
    assert only.counts["input_uncached"] == 10 - cached


def test_a_float_that_is_whole_is_a_count() -> None:
    (only,) = calls(read_lines(bodies.READER, [body(31422.0)]))
    assert only.counts["input_uncached"] == 31422


def test_custom_ids_of_several_batches_are_different_calls() -> None:
    files = [sample("openai-batch/output-1.jsonl"), sample("openai-batch/output-3.jsonl")]
    found = [calls(read_all(bodies, path)) for path in files]
    same = [r.call_key for records in found for r in records if r.tags["custom_id"] == "2"]
    assert len(same) == len(set(same)) == 2


def test_sample_stream_with_and_without_usage() -> None:
    (only,) = calls(read_all(bodies, sample("openai-chat/stream-include-usage-1.sse")))
    assert counts(only) == {"input_uncached": 75, "output_text": 51}
    (only,) = calls(read_all(bodies, sample("openai-chat/stream-no-usage-5.sse")))
    assert (counts(only), only.finality) == ({}, "partial")


def test_a_time_that_is_none_is_said_not_hidden() -> None:
    body = {"id": "chatcmpl-0123456789abcdef0123", "usage": {"prompt_tokens": 1}}
    (call,) = calls(read_lines(bodies, [{"ts": "31/12/2025", "response": body}]))
    assert call.time_assumed
    assert call.flags == ["ts = '31/12/2025' is no time this reads: the file's is assumed"]


def test_a_search_models_fee_is_told() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    for model, told in (("gpt-4o-search-preview-2025-03-11", 1), ("gpt-4o", 0)):
        body = {"id": "chatcmpl-Search0000000000001", "object": "chat.completion", "model": model}
        (record,) = calls(read_lines(bodies, [{**body, "usage": usage}]))
        assert len(record.flags) == told


def test_an_empty_model_is_the_addresss_deployment() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    url = "https://my.openai.azure.com/openai/deployments/prod-gpt/chat/completions"
    line = {"url": url, "response": {"object": "chat.completion", "model": "", "usage": usage}}
    (record,) = calls(read_lines(bodies, [line]))
    assert record.model == "prod-gpt"
