"""Copilot CLI sessions: sums of a session, by model."""

from __future__ import annotations

from ingest.readers import copilot, otel
from tests.readers.probe import calls, counts, golden, read_lines, rejects, rows


def test_golden() -> None:
    found = golden(copilot, "copilot", "events.jsonl")
    assert not calls(found)  # a sum is no call
    haiku, mini, resumed = rows(found)
    assert (haiku.model, haiku.requests, haiku.provider) == (
        "claude-haiku-4.5",
        4,
        "github-copilot",
    )
    assert counts(haiku) == {
        "input_uncached": 25, "cache_read": 86021, "cache_write_unknown": 25483,
        "output_text": 650, "reasoning": 251,
    }  # fmt: skip
    assert counts(mini) == {
        "input_uncached": 30, "cache_read": 60, "cache_write_unknown": 10,
        "output_text": 15, "reasoning": 5,
    }  # fmt: skip
    # Only what the session's second part added; the repeated shutdown added nothing.
    assert (resumed.requests, counts(resumed)) == (2, {
        "input_uncached": 3975, "cache_read": 3979, "cache_write_unknown": 517,
        "output_text": 25, "reasoning": 24,
    })  # fmt: skip
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (8, "cached tokens (50) above input_tokens (10)"),
        (8, "no usage of model gpt-5-mini at the session's end"),
    ]


def test_copilots_own_spans_are_calls() -> None:
    span = {
        "type": "span", "traceId": "a" * 32, "spanId": "b" * 16, "name": "chat gpt-5-mini",
        "startTime": [1767607200, 0], "endTime": [1767607201, 500_000_000],
        "attributes": {
            "gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-5-mini",
            "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 60,
        },
    }  # fmt: skip
    (call,) = calls(read_lines(otel, [span]))
    assert counts(call) == {"input_uncached": 40, "cache_read": 60, "output_text": 20}
    assert (call.latency_ms, call.call_key) == (1500, f"otel:{'a' * 32}:{'b' * 16}")
