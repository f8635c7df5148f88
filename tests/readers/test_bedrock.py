"""Bedrock: Converse and InvokeModel bodies, the invocation log."""

from __future__ import annotations

from ingest.files import look_at_bytes
from ingest.readers import bedrock, bodies
from ingest.readers.base import ReadContext
from tests.readers.golden import FIXTURES, read_all
from tests.readers.probe import calls, counts, golden, rejects, sample


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
