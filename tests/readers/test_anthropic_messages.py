"""Messages bodies: counts beside one another, further passes, batch results, streams."""

from __future__ import annotations

import pytest

from ingest.readers import bodies
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, read_lines, rejects, sample


@pytest.mark.parametrize("name", ["bodies.jsonl", "batch.jsonl", "stream.sse", "stream-cut.sse"])
def test_golden(name: str) -> None:
    golden(bodies, "anthropic_messages", name)


def test_iterations_are_items_and_message_entries_are_not() -> None:
    found = [r for r in calls(golden(bodies, "anthropic_messages", "bodies.jsonl")) if r.line == 3]
    assert [(r.model, counts(r)) for r in found] == [
        ("claude-opus-4-5", {"input_uncached": 220, "output_text": 8}),
        (
            "claude-opus-4-5",
            {"input_uncached": 100, "cache_write_unknown": 55096, "output_text": 125},
        ),
        ("claude-opus-4-8", {"input_uncached": 2518, "output_text": 22}),
    ]
    assert len({r.call_key for r in found}) == 3


def test_lifetimes_up_to_their_total() -> None:
    found = golden(bodies, "anthropic_messages", "bodies.jsonl")
    (fine,) = [r for r in calls(found) if r.line == 4]
    assert (fine.counts["cache_write_5m"], fine.counts["cache_write_unknown"]) == (10, None)
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (5, "cache writes by lifetime (11) above their total (10)"),
        (6, "input_tokens = -1 is negative"),
        (7, "input_tokens = 1.5 is not a whole number"),
    ]


def test_the_last_count_of_a_stream_replaces_the_first() -> None:
    (only,) = calls(golden(bodies, "anthropic_messages", "stream.sse"))
    assert counts(only) == {"input_uncached": 19, "cache_read": 7, "output_text": 9}
    (cut,) = calls(golden(bodies, "anthropic_messages", "stream-cut.sse"))
    assert (cut.finality, cut.counts["output_text"]) == ("partial", 1)


def test_sample_streams() -> None:
    (only,) = calls(read_all(bodies, sample("anthropic-messages/stream-cache-1.sse")))
    assert counts(only) == {"input_uncached": 4, "cache_write_unknown": 1167, "output_text": 289}
    both = calls(read_all(bodies, sample("anthropic-messages/stream-iterations-1.sse")))
    assert [r.model for r in both] == ["claude-sonnet-5", "claude-opus-4-8"]


def test_vertex_names_the_region_in_its_address() -> None:
    body = {
        "id": "msg_vrtx_01Region0000000000001", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-5-20250929", "usage": {"input_tokens": 10, "output_tokens": 5},
    }  # fmt: skip
    path = "v1/projects/p/locations/{0}/publishers/anthropic/models/claude-sonnet-4-5:rawPredict"
    for name, place in (("us-east5-", "us-east5"), ("", "global")):
        url = f"https://{name}aiplatform.googleapis.com/{path.format(place)}"
        (record,) = calls(read_lines(bodies, [{"url": url, "response": body}]))
        assert (record.provider, record.region) == ("google", place)
