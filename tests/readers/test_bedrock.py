"""Bedrock: Converse and InvokeModel bodies, the invocation log."""

from __future__ import annotations

from ingest.files import look_at_bytes
from ingest.readers import bedrock, bodies
from ingest.readers.base import ReadContext
from tests.readers.golden import FIXTURES, read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects, sample


def test_bodies() -> None:
    found = golden(bodies, "bedrock", "bodies.jsonl")
    by_line = {r.line: r for r in calls(found)}
    assert counts(by_line[1]) == {
        "input_uncached": 3, "cache_read": 1712, "cache_write_5m": 200, "cache_write_1h": 36,
        "output_text": 121,
    }  # fmt: skip
    assert by_line[1].model == "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert by_line[1].call_key == "bedrock:5e9c1f5a-0000-4000-8000-000000000001"
    # Two bodies without any id are two calls, however equal.
    assert by_line[2].call_key != by_line[3].call_key
    assert counts(by_line[5]) == {"input_uncached": 9, "cache_read": 4, "output_text": 3}
    assert by_line[5].model == by_line[1].model
    assert counts(by_line[6]) == {"input_uncached": 12, "output_text": 4}
    assert counts(by_line[7]) == {"input_uncached": 6, "output_text": 9}
    assert counts(by_line[8]) == {"input_uncached": 31, "output_text": 8}
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (10, "cacheDetails (11) above cacheWriteInputTokens (10)"),
        (11, "inputTokens = -1 is negative"),
    ]


def test_log() -> None:
    found = golden(bedrock, "bedrock", "log.jsonl")
    by_line = {r.line: r for r in calls(found)}
    assert counts(by_line[1]) == {
        "input_uncached": 3, "cache_read": 1712, "cache_write_1h": 236, "output_text": 121,
    }  # fmt: skip
    assert by_line[1].dimensions == {"team": "search"}
    assert counts(by_line[2]) == {"input_uncached": 10, "cache_read": 40, "output_text": 8}
    # A streamed body states the same counts in its last chunk: they count once.
    assert counts(by_line[3]) == {"input_uncached": 10, "output_text": 8}
    assert counts(by_line[4]) == {"input_uncached": 11, "output_text": 9}
    assert counts(by_line[6]) == {"input_uncached": 1, "output_text": 2}
    assert counts(by_line[7])["input_uncached"] == 5
    assert by_line[7].flags == [
        "the logged body states other counts than the line: the line's are used"
    ]
    assert [r.line for r in rejects(found)] == [8, 9]


def test_failed_invocations_are_noted() -> None:
    source = look_at_bytes((FIXTURES / "bedrock" / "log.jsonl").read_bytes())
    context = ReadContext(source)
    list(bedrock.READER.read(source, context))
    assert context.notes == ["1 failed invocation(s) used no tokens"]


def test_samples_add_up_to_their_totals() -> None:
    found = calls(read_all(bodies, sample("bedrock/converse-with-url.jsonl")))
    assert len({r.call_key for r in found}) == 8
    for record in found:
        assert sum(counts(record).values()) == record.total_reported
    (only,) = calls(read_all(bedrock, sample("bedrock/model-invocation-log.jsonl")))
    assert counts(only) == {"input_uncached": 1, "output_text": 8}


def test_batch_output_is_batch_and_failed_lines_are_told() -> None:
    claude = {
        "id": "msg_bdrk_01Batch00000000000001", "type": "message", "role": "assistant",
        "model": "claude-3-5-sonnet-20240620",
        "usage": {"input_tokens": 100, "output_tokens": 50, "service_tier": "standard"},
    }  # fmt: skip
    found = read_lines(
        bodies,
        [
            {"recordId": "A1", "modelInput": {"messages": []}, "modelOutput": claude},
            {
                "recordId": "A2",
                "modelInput": {"inputText": "x"},
                "modelOutput": {
                    "inputTextTokenCount": 8, "results": [{"tokenCount": 3, "outputText": "y"}],
                },
            },
            {"recordId": "A3", "modelInput": {}, "error": {"errorCode": 400, "errorMessage": "x"}},
        ],
    )  # fmt: skip
    message, titan = calls(found)
    assert (message.tier, message.provider, message.tags["custom_id"]) == ("batch", "bedrock", "A1")
    assert counts(message) == {"input_uncached": 100, "output_text": 50}
    assert (titan.tier, counts(titan)) == ("batch", {"input_uncached": 8, "output_text": 3})
    assert [r.reason for r in rejects(found)] == ["batch request A3 made no billed call: 400"]


def test_what_boto3_adds_is_read_beside_and_inside_the_response() -> None:
    answer = {
        "ResponseMetadata": {
            "RequestId": "5e9c1f5a-0000-4000-8000-00000000000b",
            "HTTPHeaders": {"date": "Sun, 01 Mar 2026 10:00:00 GMT"},
        },
        "usage": {"inputTokens": 3, "outputTokens": 10, "totalTokens": 13},
    }
    model = "anthropic.claude-3-haiku-20240307-v1:0"
    inside, beside = calls(
        read_lines(
            bodies,
            [
                {"request": {"modelId": model}, "response": answer},
                {**answer, "modelId": model},
            ],
        )
    )
    assert inside.call_key == beside.call_key == "bedrock:5e9c1f5a-0000-4000-8000-00000000000b"
    assert inside.model == beside.model == model
    assert str(inside.occurred_at) == str(beside.occurred_at) == "2026-03-01 10:00:00"


def test_a_version_in_an_address_may_be_unescaped() -> None:
    host = "https://bedrock-runtime.us-east-1.amazonaws.com"
    body = {"generation": "x", "prompt_token_count": 9, "generation_token_count": 2}
    for path in ("meta.llama3-1-70b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1%3A0"):
        line = {"url": f"{host}/model/{path}/invoke", "response": body}
        (record,) = calls(read_lines(bodies, [line]))
        assert record.model == "meta.llama3-1-70b-instruct-v1:0"
