"""Other vendors: a ratio and constants by exact name, an interval, and every part named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import Basis, UnknownModelError, count_request
from pricing.counting.vendors import vendor_of

TEXT = "word " * 100  # 101 tokens of o200k_base
CLAUDE = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": TEXT}]}


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("claude-sonnet-4-5-20250929", "claude-4.5"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "claude-3"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3"),
        ("models/gemini-2.5-flash-preview-05-20", "gemini"),
        ("google/gemini-2.5-flash", "gemini"),
        ("mistral-large-latest", "mistral"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3"),
    ],
)
def test_names_resolve_by_table(model, row):
    assert vendor_of(model).name == row


@pytest.mark.parametrize("model", ["claude", "gemini-99", "claude-sonnet-4-5-turbo", "mistral"])
def test_a_name_that_is_not_listed_is_an_error(model):
    with pytest.raises(UnknownModelError, match=model):
        vendor_of(model)


def test_an_anthropic_request_and_its_parts():
    tokens = count_request(CLAUDE, endpoint="messages")
    assert tokens.parts == {"frame": 7, "messages": 121}
    assert (tokens.total, tokens.basis) == (128, Basis.RATIO)
    assert tokens.low < 128 < tokens.high
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert count_request({**CLAUDE, "thinking": thinking}, endpoint="messages").total == 128 + 28
    system = count_request({**CLAUDE, "system": TEXT}, endpoint="messages")
    assert system.total == round(202 * 1.2) + 7


def test_tools_bring_a_hidden_prompt():
    tool = {"name": "f", "description": "Do it.", "input_schema": {"type": "object"}}
    auto = count_request({**CLAUDE, "tools": [tool]}, endpoint="messages")
    assert auto.parts["hidden"] == 500
    named = {**CLAUDE, "tools": [tool], "tool_choice": {"type": "any"}}
    assert count_request(named, endpoint="messages").total == auto.total + 92
    old = count_request({**CLAUDE, "tools": [tool]}, "claude-3-5-haiku-latest", "messages")
    assert old.parts["hidden"] == 295


def test_a_gemini_request_has_no_frame_for_turns_and_no_schema_cost():
    turn = {"role": "user", "parts": [{"text": TEXT}]}
    one = count_request({"contents": [turn]}, "gemini-2.5-flash", "generateContent")
    assert one.parts == {"frame": 1, "messages": round(101 * 1.06)}
    schema = {"generationConfig": {"responseSchema": {"type": "STRING"}}, "contents": [turn]}
    assert count_request(schema, "gemini-2.5-flash", "generateContent").total == one.total


@pytest.mark.parametrize(
    ("request_", "model", "endpoint"),
    [
        ({**CLAUDE, "tools": [{"type": "web_search_20250305"}]}, "claude-opus-4-6", "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            "claude-opus-4-6",
            "messages",
        ),
        ({"contents": [{"parts": [{"fileData": {}}]}]}, "gemini-2.5-pro", "generateContent"),
        ({"contents": [], "tools": [{"googleSearch": {}}]}, "gemini-2.5-pro", "generateContent"),
    ],
)
def test_what_only_the_server_counts_is_named(request_, model, endpoint):
    tokens = count_request(request_, model, endpoint)
    assert tokens.basis is Basis.UNKNOWN
    assert tokens.notes[0].startswith("Only the server can count: ")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text(max_size=40), min_size=1, max_size=4),
    st.sampled_from(["claude-opus-4-8", "mistral-small", "deepseek-v4-flash", "grok-4.3"]),
)
def test_more_text_never_costs_less(texts, model):
    messages = [{"role": "user", "content": text} for text in texts]
    endpoint = "messages" if model.startswith("claude") else "chat.completions"
    longer = [*messages, {"role": "user", "content": "and more"}]
    first = count_request({"messages": messages}, model, endpoint)
    second = count_request({"messages": longer}, model, endpoint)
    assert second.total > first.total
    assert sum(first.parts.values()) == first.total
    assert 0 <= first.low <= first.total <= first.high
