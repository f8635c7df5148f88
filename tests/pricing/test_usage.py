"""Each API's arithmetic, its boundaries, and conservation: no token twice, none lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.meters import COUNTED
from pricing.usage import UsageError, count, read_usage, shown, total_input, total_output


def counts(usage: dict[str, Any], provider: str = "") -> dict[str, int]:
    """The counts that are there and not zero."""
    return {k: v for k, v in read_usage(usage, provider).counts.items() if v}


N = st.integers(0, 10**6)


@given(N, N, N, N, N)
def test_openai_parts_are_inside_their_totals(
    fresh: int, cached: int, written: int, answer: int, reasoning: int
) -> None:
    usage = {
        "prompt_tokens": fresh + cached + written,
        "completion_tokens": answer + reasoning,
        "total_tokens": fresh + cached + written + answer + reasoning,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    reading = read_usage(usage)
    assert reading.flags == []
    assert reading.counts["input_uncached"] == fresh
    assert reading.counts["cache_write_unknown"] == written
    assert reading.counts["output_text"] == answer
    assert total_input(reading.counts) == usage["prompt_tokens"]
    assert total_output(reading.counts) == usage["completion_tokens"]
    renamed = {
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "input_tokens_details": usage["prompt_tokens_details"],
        "output_tokens_details": usage["completion_tokens_details"],
    }
    assert read_usage(renamed).counts == reading.counts


@given(N, N, N, N, N)
def test_anthropic_parts_are_beside_each_other(
    fresh: int, cached: int, short: int, long: int, answer: int
) -> None:
    usage = {
        "input_tokens": fresh,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": answer,
    }
    reading = read_usage(usage)
    assert total_input(reading.counts) == fresh + cached + short + long
    assert (reading.counts["cache_write_5m"], reading.counts["cache_write_1h"]) == (short, long)
    assert not reading.counts["cache_write_unknown"]
    assert total_output(reading.counts) == answer


@given(N, N, N, N, N)
def test_gemini_thoughts_and_tools_are_beside_their_totals(
    prompt: int, cached: int, tool: int, answer: int, thoughts: int
) -> None:
    usage = {
        "promptTokenCount": prompt + cached,
        "cachedContentTokenCount": cached,
        "toolUsePromptTokenCount": tool,
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt + cached + tool + answer + thoughts,
    }
    reading = read_usage(usage)
    assert reading.flags == []
    assert reading.counts["input_uncached"] == prompt + tool
    assert reading.counts["cache_read"] == cached
    assert (reading.counts["output_text"], reading.counts["reasoning"]) == (answer, thoughts)


@pytest.mark.parametrize("part", ["cached_tokens", "audio_tokens", "image_tokens"])
def test_a_part_may_equal_its_whole_but_not_exceed_it(part: str) -> None:
    def usage(size: int) -> dict[str, Any]:
        details = {part: size}
        return {"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": details}

    assert total_input(read_usage(usage(10)).counts) == 10
    with pytest.raises(UsageError, match="11"):
        read_usage(usage(11))


def test_cached_audio_is_counted_once() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 50},
    }
    assert counts(usage) == {"cache_read": 50, "cache_read_audio": 10, "input_audio": 40}


def test_reasoning_larger_than_the_output_drops_the_detail_and_says_so() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 5,
             "completion_tokens_details": {"reasoning_tokens": 6}}  # fmt: skip
    reading = read_usage(usage)
    assert (reading.counts["output_text"], reading.counts["reasoning"]) == (5, None)
    assert "reasoning_tokens (6)" in reading.flags[0]
    usage["completion_tokens_details"] = {"reasoning_tokens": 5}
    assert counts(usage) == {"input_uncached": 1, "reasoning": 5}


def test_null_is_unknown_and_zero_is_zero() -> None:
    reading = read_usage({"input_tokens": 0, "output_tokens": None})
    assert reading.counts["input_uncached"] == 0
    assert "output_text" not in reading.counts or reading.counts["output_text"] is None


def test_a_total_that_does_not_fit_is_flagged_not_clamped() -> None:
    reading = read_usage({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 16})
    assert total_input(reading.counts) + total_output(reading.counts) == 15
    assert reading.flags == ["parts add up to 15, reported total is 16"]


@pytest.mark.parametrize(
    "value", [-1, 1.5, True, "12", float("nan"), float("inf"), 2**53, [], Decimal("0.1")]
)
def test_a_count_that_cannot_be_raises(value: Any) -> None:
    with pytest.raises(UsageError, match="prompt_tokens"):
        read_usage({"prompt_tokens": value, "completion_tokens": 1})


def test_counts_at_the_edge_of_the_possible() -> None:
    assert count(2**53 - 1, "n") == 2**53 - 1
    assert (count(12.0, "n"), count(Decimal(7), "n"), count(None, "n")) == (12, 7, None)


@pytest.mark.parametrize("usage", [{}, {"a": 1}, [], None, "text", 3])
def test_what_is_no_usage_raises(usage: Any) -> None:
    with pytest.raises(UsageError):
        read_usage(usage)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
KEYS = (
    "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens",
    "prompt_tokens_details", "output_tokens_details", "cache_creation", "iterations",
    "promptTokenCount", "promptTokensDetails", "totalTokenCount", "inputTokens", "cacheDetails",
    "billed_units", "cost", "service_tier", "server_tool_use", "cached_tokens",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_object_is_read_or_refused_never_crashed_on(usage: dict[str, Any]) -> None:
    try:
        reading = read_usage(usage)
    except UsageError:
        return
    assert set(reading.counts) <= set(COUNTED)
    assert all(v is None or (type(v) is int and v >= 0) for v in reading.counts.values())


def test_an_error_never_quotes_a_text() -> None:
    with pytest.raises(UsageError, match="28 characters of text"):
        read_usage({"prompt_tokens": "Dear doctor, my left foot is", "completion_tokens": 1})
    assert shown("2026-13-01 10:00:00") == "'2026-13-01 10:00:00'"
    assert shown("x" * 24) == repr("x" * 24)
    assert shown("x" * 25) == "25 characters of text"


def test_a_body_states_its_tier_beside_the_usage() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    assert read_usage({"service_tier": "flex", "usage": usage}).tier == "flex"
    assert read_usage({"usage": usage}).tier is None
    # What the usage itself states is nearer to the bill than what stands around it.
    inner = {**usage, "service_tier": "priority"}
    assert read_usage({"service_tier": "flex", "usage": inner}).tier == "priority"


def test_an_output_without_an_input_is_said() -> None:
    reading = read_usage({"prompt_tokens": None, "completion_tokens": 10})
    assert reading.flags == ["the response states no prompt tokens: only its output is counted"]
    assert not read_usage({"prompt_tokens": 0, "completion_tokens": 10}).flags


def test_xai_states_its_charge_in_ticks() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cost_in_usd_ticks": 318_319_000}
    assert read_usage(usage).cost_usd == Decimal("0.0318319")
    assert read_usage({**usage, "cost": 0.5}).cost_usd == Decimal("0.5")
    assert read_usage({**usage, "cost_in_usd_ticks": -1}).cost_usd is None
    assert read_usage({**usage, "num_sources_used": 3}).flags == [
        "3 search sources are billed beside the tokens: no meter counts them"
    ]
    tools = {"server_side_tool_usage_details": {"web_search_calls": 0, "x_search_calls": 3}}
    assert read_usage({**usage, **tools}).flags == [
        "3 server-side tool calls are billed beside the tokens, uncounted here"
    ]


def test_deep_research_thinks_and_cites_beside_its_answer() -> None:
    """Perplexity's total is prompt and answer alone; thought, citations and searches are billed."""
    reading = read_usage({
        "prompt_tokens": 20, "completion_tokens": 900, "total_tokens": 920,
        "citation_tokens": 5_000, "num_search_queries": 12, "reasoning_tokens": 70_000,
    })  # fmt: skip
    assert {k: v for k, v in reading.counts.items() if v is not None} == {
        "input_uncached": 20, "output_text": 900, "reasoning": 70_000, "citation": 5_000,
        "web_search": 12,
    }  # fmt: skip
    assert reading.flags == []


def test_audio_that_mistral_bills_by_the_second_is_not_billed_by_the_token_too() -> None:
    reading = read_usage({
        "prompt_audio_seconds": 203, "prompt_tokens": 4, "total_tokens": 3_264,
        "completion_tokens": 635,
    })  # fmt: skip
    assert {k: v for k, v in reading.counts.items() if v is not None} == {
        "input_uncached": 4, "output_text": 635, "audio_seconds": 203,
    }  # fmt: skip
    assert reading.flags == ["2625 audio tokens are billed by the second, not by the token"]


@pytest.mark.parametrize(
    ("stated", "billed", "flags"),
    [
        (93, 93, []),
        (8.49, 8, ["8.49 seconds rounded to 8"]),
        (8.5, 9, ["8.5 seconds rounded to 9"]),
        ("60.0", 60, []),
        (0, 0, []),
    ],
)
def test_a_duration_is_billed_by_the_nearest_second(
    stated: Any, billed: int, flags: list[str]
) -> None:
    reading = read_usage({"type": "duration", "seconds": stated})
    assert (reading.counts, reading.flags) == ({"audio_seconds": billed}, flags)


@pytest.mark.parametrize("stated", [-1, "soon", True, float("nan"), 10**9])
def test_a_duration_that_cannot_be_is_refused(stated: Any) -> None:
    with pytest.raises(UsageError, match="seconds"):
        read_usage({"type": "duration", "seconds": stated})
