"""Servers that copy OpenAI's shape, each with its own spelling."""

from __future__ import annotations

import pytest

from ingest.readers import bodies
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, read_lines, sample


def test_golden() -> None:
    found = calls(golden(bodies, "openai_compatible", "bodies.jsonl"))
    providers = [r.provider for r in found]
    assert providers == [
        "deepseek", "mistral", "groq", "groq", "groq", "groq", "cohere", "huggingface", "x-ai",
        "azure", "cerebras", "bedrock",
    ]  # fmt: skip


def test_compound_models_are_priced_singly() -> None:
    found = calls(golden(bodies, "openai_compatible", "bodies.jsonl"))
    first, second = [r for r in found if r.line == 3]
    assert (first.model, counts(first)) == (
        "llama-3.3-70b-versatile",
        {"input_uncached": 100, "output_text": 10},
    )
    assert (second.model, counts(second)) == (
        "openai/gpt-oss-120b",
        {"input_uncached": 200, "output_text": 30},
    )
    (unequal,) = [r for r in found if r.line == 4]
    assert counts(unequal) == {"input_uncached": 300, "output_text": 40}
    assert unequal.flags == ["usage_breakdown adds up to 111 tokens, usage to 340"]


def test_reasoning_above_output_keeps_the_output() -> None:
    (only,) = calls(golden(bodies, "openai_compatible", "error-stream.sse"))
    assert counts(only) == {"input_uncached": 20, "output_text": 10}
    assert only.flags == ["reasoning_tokens (11) do not fit into completion_tokens (10): dropped"]


def test_sample_bills_cohere_by_billed_units() -> None:
    found = calls(read_all(bodies, sample("openai-compatible/responses.jsonl")))
    assert len(found) == 12
    assert counts(found[0]) == {"input_uncached": 25, "output_text": 9}


@pytest.mark.parametrize(
    ("marks", "provider"),
    [
        ({"model": "claude-sonnet-4-5", "id": "msg_01CompatibleCompatible"}, "anthropic"),
        ({"model": "gemini-2.5-flash"}, "google"),
        ({"model": "models/gemini-2.5-flash"}, "google"),
        ({"model": "sonar-pro"}, "perplexity"),
        ({"model": "llama-x", "citations": []}, "perplexity"),
        ({"model": "kimi-k2"}, "moonshotai"),
        ({"model": "accounts/fireworks/models/llama4-maverick"}, "fireworks"),
        ({"model": "codestral-2508"}, "mistral"),
        ({"model": "grok-4-0709"}, "x-ai"),
        ({"model": "my-own"}, "openai"),
        ({"model": "openai/gpt-oss-120b"}, "openai"),
    ],
)
def test_a_body_without_an_address_is_its_models_makers(
    marks: dict[str, object], provider: str
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    body = {"object": "chat.completion", "id": "0123456789abcdef", "usage": usage, **marks}
    (record,) = calls(read_lines(bodies, [body]))
    assert record.provider == provider
