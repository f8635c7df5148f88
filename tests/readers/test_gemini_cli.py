"""Gemini CLI sessions."""

from __future__ import annotations

from ingest.readers import gemini_cli
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(gemini_cli, "gemini_cli", "session.json")
    first, put_back = calls(found)
    assert counts(first) == {
        "input_uncached": 200, "cache_read": 800, "output_text": 50, "reasoning": 30,
    }  # fmt: skip
    # Its total shows that the cached part had been taken out of `input`.
    assert counts(put_back) == {
        "input_uncached": 207, "cache_read": 800, "output_text": 50, "reasoning": 30,
    }  # fmt: skip
    assert not put_back.flags
    assert [r.reason for r in rejects(found)] == [
        "cachedContentTokenCount (800) above promptTokenCount (10)"
    ]


def test_a_message_written_twice_is_one_call_with_its_last_counts() -> None:
    found = golden(gemini_cli, "gemini_cli", "session.jsonl")
    (call,) = calls(found)
    assert counts(call) == {"input_uncached": 1000, "output_text": 60, "reasoning": 20}
    assert (call.session, call.tags["kind"]) == ("22222222-0000-4000-8000-000000000000", "subagent")
    (sums,) = rejects(found)
    assert sums.line == 7
    assert sums.reason.startswith("the sums of a session, no calls")
