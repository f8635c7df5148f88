"""Whatever JSON a file holds, counting answers with a number or a named error, never a crash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import CountingError, count_request

KEYS = st.sampled_from(
    ["role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "parts",
     "input", "schema", "image_url", "url", "output", "functionCall", "source", "parameters"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["user", "assistant", "text", "image_url", "function_call", "message", "tool_use", "x", "tool",
     "tool_result", "json_schema", "function", "required"]
)  # fmt: skip
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
TOP = st.sampled_from(
    ["messages", "input", "contents", "tools", "tool_choice", "response_format", "text", "system",
     "instructions", "functions", "reasoning", "generationConfig", "systemInstruction", "prompt"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [
        ("gpt-4o", "chat.completions"),
        ("gpt-5", "responses"),
        ("text-embedding-3-small", "embeddings"),
        ("claude-opus-4-8", "messages"),
        ("gemini-2.5-flash", "generateContent"),
        ("mistral-small", "chat.completions"),
    ],
)
@settings(deadline=None, max_examples=150)
@given(request_=st.dictionaries(TOP, VALUE, max_size=4))
def test_any_body_gives_a_number_or_a_named_error(model, endpoint, request_):
    try:
        tokens = count_request(request_, model, endpoint)
    except CountingError as error:
        assert str(error)
    else:
        assert 0 <= tokens.low <= tokens.total <= tokens.high
        assert sum(tokens.parts.values()) == tokens.total
