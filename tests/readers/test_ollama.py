"""Ollama's own API: bodies, embeddings, streams of lines."""

from __future__ import annotations

from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, read_lines, rejects

OPEN = {"model": "m", "created_at": "2026-01-05T10:00:00Z", "response": "a", "done": False}
CLOSE = {**OPEN, "response": "", "done": True, "prompt_eval_count": 3, "eval_count": 4}


def test_golden() -> None:
    found = golden(bodies, "ollama", "answers.jsonl")
    chat, unread, streamed, embedded, paired = calls(found)
    assert (chat.provider, chat.model, chat.latency_ms) == ("ollama", "llama3.2:3b", 1500)
    assert counts(chat) == {"input_uncached": 26, "output_text": 282}
    assert str(unread.occurred_at) == "2026-01-05 10:00:01"
    assert unread.flags == ["no prompt_eval_count: only its output is counted"]
    assert counts(streamed) == {"input_uncached": 11, "output_text": 90}
    assert counts(embedded) == {"input_uncached": 8}
    assert paired.dimensions == {"team": "search"}
    assert [r.reason for r in rejects(found)] == ["prompt_eval_count = -1 is negative"]


def test_a_cut_stream_is_one_uncounted_call() -> None:
    (cut,) = calls(golden(bodies, "ollama", "stream-cut.jsonl"))
    assert (cut.finality, counts(cut)) == ("partial", {})
    assert "the stream ended without usage" in cut.flags


def test_the_last_of_several_streams_may_be_cut() -> None:
    found = calls(read_lines(bodies, [OPEN, OPEN, CLOSE, OPEN]))
    assert [(r.finality, counts(r)) for r in found] == [
        ("final", {"input_uncached": 3, "output_text": 4}),
        ("partial", {}),
    ]


def test_two_answers_that_differ_in_nothing_are_two() -> None:
    assert len({r.call_key for r in calls(read_lines(bodies, [CLOSE, CLOSE]))}) == 2
