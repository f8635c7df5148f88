"""OpenAI Agents SDK traces."""

from __future__ import annotations

from ingest.readers import openai_agents
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(openai_agents, "openai_agents", "trace.jsonl")
    chat, response, claude, failed, mini = calls(found)
    assert counts(chat) == {
        "input_uncached": 100, "cache_read": 800, "cache_write_unknown": 100,
        "output_text": 30, "reasoning": 20,
    }  # fmt: skip
    assert (chat.effort, chat.latency_ms, chat.session) == ("high", 2500, "thread-9")
    # The trace came after its spans; its `tier` is metadata, no service tier.
    assert (chat.tier, chat.dimensions) == (None, {"team": "support"})
    assert chat.tags == {"tier": "gold", "workflow": "Refunds"}
    assert (response.call_key, response.model) == ("openai:resp_0123456789abcdef0123456789", None)
    assert (claude.provider, claude.model) == ("anthropic", "claude-opus-4-5")
    assert counts(claude) == {"input_uncached": 803, "cache_read": 9000, "output_text": 10}
    assert (failed.failed, failed.finality) == (True, "partial")
    assert (mini.tags, counts(mini)) == (
        {"workflow": "Batch"}, {"input_uncached": 5, "output_text": 6},
    )  # fmt: skip
    assert [r.reason for r in rejects(found)] == ["cached tokens (80) above input_tokens (10)"]
