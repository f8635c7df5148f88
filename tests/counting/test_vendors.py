"""Other vendors: a ratio and constants by exact name, an interval, and every part named."""

import base64
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import Basis, RequestError, UnknownModelError, count_request, count_text
from pricing.counting.images import squares
from pricing.counting.vendors import chinese_share, vendor_of

TEXT = "word " * 100  # 101 tokens of o200k_base
CLAUDE = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": TEXT}]}


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("claude-sonnet-4-5-20250929", "claude-4.5"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "claude-3"),
        ("anthropic/claude-3.7-sonnet:thinking", "claude-3"),
        ("models/gemini-2.5-flash-preview-05-20", "gemini-2.5"),
        ("google/gemini-2.5-flash", "gemini-2.5"),
        ("gemini-2.0-flash-001", "gemini-2.0"),
        ("gemini-1.5-flash-002@default", "gemini-2.0"),
        ("gemini-3-flash-preview", "gemini-3"),
        ("deepseek-chat", "deepseek"),
        ("mistral-small-latest", "mistral-small"),
        ("claude-3-opus-20240229", "claude-3-opus"),
        ("claude-sonnet-5-5", "claude-5"),
        ("anthropic/claude-mythos-5.2", "claude-5"),
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


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gpt-5.2"])
def test_an_anthropic_body_is_not_counted_as_a_chat_without_its_system_prompt(model):
    body = {**CLAUDE, "model": model}
    count_request({**body, "system": ""})
    with pytest.raises(RequestError, match="endpoint='messages'"):
        count_request({**body, "system": TEXT})


def test_tools_bring_a_hidden_prompt():
    tool = {"name": "f", "description": "Do it.", "input_schema": {"type": "object"}}
    auto = count_request({**CLAUDE, "tools": [tool]}, endpoint="messages")
    assert auto.parts["hidden"] == 500
    named = {**CLAUDE, "tools": [tool], "tool_choice": {"type": "any"}}
    assert count_request(named, endpoint="messages").total == auto.total + 92
    old = count_request({**CLAUDE, "tools": [tool]}, "claude-3-5-haiku-latest", "messages")
    assert old.parts["hidden"] == 295


@pytest.fixture(params=["tiktoken", "splintr-rs"])
def counter(request, monkeypatch):
    """Both ways to count: by ratio, and in the models' own vocabularies (the extra ``fast``)."""
    if request.param == "tiktoken":
        monkeypatch.setenv("TOKENBOOKS_TOKENIZER", "tiktoken")
    else:
        pytest.importorskip("splintr", reason="the extra 'fast' is not installed")
    return request.param


def said(*texts, **more):
    """A Gemini body: the texts in turn of user and model."""
    roles = ("user", "model")
    turns = [{"role": roles[k % 2], "parts": [{"text": t}]} for k, t in enumerate(texts)]
    return {"contents": turns, **more}


def gemini(body, model="gemini-2.5-flash"):
    return count_request(body, model, "generateContent")


def test_a_gemini_turn_is_one_token_and_its_schema_free(counter):
    one = gemini(said(TEXT))
    words = 101 if counter == "splintr-rs" else round(101 * 1.06)
    assert one.parts == {"frame": 1, "messages": words}
    assert one.basis is (Basis.RECONSTRUCTED if counter == "splintr-rs" else Basis.RATIO)
    assert gemini(said(TEXT, TEXT, TEXT)).parts["frame"] == 3
    system = {"systemInstruction": {"parts": [{"text": "Be brief."}]}}
    assert gemini(said(TEXT, **system)).parts["frame"] == 2
    assert gemini(said(TEXT), "gemini-2.0-flash").parts == {"messages": words}
    config = {"generationConfig": {"responseSchema": {"type": "STRING"}}}
    assert gemini(said(TEXT, **config)).total == one.total


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def declared(schema, key="parameters", description="Current weather."):
    function = {"name": "get_weather", "description": description, key: schema}
    return {"tools": [{"functionDeclarations": [function]}]}


@pytest.mark.parametrize(
    ("model", "bare", "city", "optional"),
    [("gemini-2.0-flash", 2, 0, 0), ("gemini-2.5-pro", 18, 9, 5), ("gemini-3-pro", 13, 19, 5)],
)
def test_a_gemini_function_costs_its_words_and_a_frame(counter, model, bare, city, optional):
    def tools(schema, **more):
        return gemini(said("hi", **declared(schema, **more)), model).parts["tools"]

    # get, _, weather and Current, weather, "."; "_weather" is one token of o200k_base.
    words, ratio = (6, 1.0) if counter == "splintr-rs" else (5, 1.08)
    nothing = tools({"type": "object", "properties": {}})
    assert nothing == round(words * ratio) + bare
    # "city" stands among the properties and again in "required".
    assert tools(CITY) == round((words + 2) * ratio) + bare + city
    assert tools(CITY, key="parametersJsonSchema") == tools(CITY)
    free = {**CITY, "required": []}
    assert tools(free) == round((words + 1) * ratio) + bare + city + optional


def test_a_gemini_schema_follows_references_and_ends(counter):
    node = {"type": "object", "properties": {"city": {"$ref": "#/$defs/node"}}}
    loop = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/node"}},
        "$defs": {"node": node},
    }
    assert gemini(said("hi", **declared(loop))).parts["tools"] > 100


def test_vertex_bills_the_words_alone_and_the_interval_reaches_down(counter):
    tokens = gemini(said("hi", **declared(CITY)))
    assert tokens.low <= tokens.total - 1 - 18 - 9


def test_own_vocabularies_make_texts_exact():
    pytest.importorskip("splintr", reason="the extra 'fast' is not installed")
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "hi"},
    ]
    # By the published templates: marks of each role, and those around the whole.
    for model, frame in (
        ("mistral-large-latest", 1 + 2 + 2 + 1 + 2),
        ("deepseek-v4-flash", 3 + 0 + 1 + 3 + 1),
        ("deepseek-chat", 2 + 0 + 1 + 2 + 1),
        ("llama-3.3-70b-instruct", 30 + 0 + 5 + 5 + 5),
        ("qwen3-32b", 3 + 5 * 4),
    ):
        tokens = count_request({"model": model, "messages": turns})
        assert tokens.parts == {"frame": frame, "messages": 6}, model
        assert tokens.basis is Basis.RECONSTRUCTED
        assert tokens.high - tokens.low <= 12
        assert "public vocabulary" in count_text("hi", model).notes[0]


def test_a_tool_choice_of_none_takes_the_tools_out_where_it_does():
    tool = {"type": "function", "function": {"name": "f", "parameters": CITY}}
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": [tool], "tool_choice": "none"}
    assert "tools" not in count_request(body, "mistral-large-latest").parts
    assert "tools" in count_request(body, "grok-4-fast").parts


def test_what_a_claude_request_says_about_thinking_and_parallel_tools():
    tool = {"name": "f", "input_schema": {"type": "object"}}
    auto = count_request({**CLAUDE, "tools": [tool]}, endpoint="messages")
    alone = {"type": "auto", "disable_parallel_tool_use": True}
    one = count_request({**CLAUDE, "tools": [tool], "tool_choice": alone}, endpoint="messages")
    assert auto.total - one.total == 195
    gateway = {**CLAUDE, "model": "anthropic/claude-sonnet-4.5"}
    thinks = count_request({**gateway, "reasoning": {"effort": "low"}})
    assert thinks.total == count_request(gateway).total + 28


def png(width, height):
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return base64.b64encode(header).decode()


@pytest.mark.parametrize(
    ("model", "width", "height", "tokens"),
    [
        ("claude-sonnet-4-5", 400, 301, 15 * 11 + 1),
        ("claude-sonnet-4-5", 597, 566, 22 * 21 + 1),
        ("claude-sonnet-4-5", 128, 128, 26),
        ("claude-sonnet-4-5", 28, 29, 3),
        ("claude-opus-4-8", 1568, 1568, 56 * 56 + 1),
    ],
)
def test_a_claude_image_is_squares_of_28_pixels(model, width, height, tokens):
    source = {"type": "base64", "media_type": "image/png", "data": png(width, height)}
    body = {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    counted = count_request(body, model, "messages")
    assert counted.parts["images"] == tokens
    assert counted.countable


def test_a_large_claude_image_is_scaled_down_first():
    for width, height in ((3000, 2000), (1568, 1568), (1568, 1569), (8000, 100)):
        assert squares(width, height, 1568, 1568) <= 1568
    assert squares(1120, 1092, 1568, 1568) == 40 * 39
    assert squares(3136, 56, 1568, 1568) == 56  # to 1568 x 28


def test_gemini_images(counter):
    def image(width, height, model, **config):
        data = {"inlineData": {"mimeType": "image/png", "data": png(width, height)}}
        body = {"contents": [{"parts": [data]}], "generationConfig": config}
        return count_request(body, model, "generateContent")

    small = image(384, 384, "gemini-2.5-flash")
    assert (small.parts["images"], small.countable) == (258, True)
    large = image(385, 384, "gemini-2.5-flash")
    assert large.high - large.total >= 258
    three = image(4000, 3000, "gemini-3-flash")
    assert three.parts["images"] == 1092 and three.countable
    low = image(4000, 3000, "gemini-3-flash", mediaResolution="MEDIA_RESOLUTION_LOW")
    assert low.parts["images"] == 273


@pytest.mark.parametrize(
    ("request_", "model", "endpoint"),
    [
        ({**CLAUDE, "tools": [{"type": "web_search_20250305"}]}, "claude-opus-4-6", "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
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


def test_the_ratio_follows_the_share_of_chinese(monkeypatch):
    monkeypatch.setenv("TOKENBOOKS_TOKENIZER", "tiktoken")
    chinese = "天气很好我们去公园吧" * 50
    reference = count_text(chinese, "gpt-4o").total
    tokens = count_text(chinese, "claude-sonnet-4-5")
    assert tokens.total == round(reference * 1.42)
    # Over documents of all kinds the ratio lies between 1.03 and 1.67 (5th and 95th percentile).
    assert tokens.low == math.floor(reference * 1.03)
    assert tokens.high == math.ceil(reference * 1.67)
    assert chinese_share("word " * 100) == 0.0
    assert chinese_share(chinese) == 1.0
    # 14 characters of each: 10 tokens of Chinese beside about 3 of English.
    assert chinese_share("天" * 14 + "a" * 14) == pytest.approx(10 / (10 + 14 / 4.5))
    body = {"messages": [{"role": "user", "content": chinese}], "max_tokens": 9}
    said = count_request(body, "claude-sonnet-4-5", "messages").parts["messages"]
    assert said == tokens.total
