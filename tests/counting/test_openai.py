"""Whole OpenAI requests: exact totals worked out by hand from the rules, and their parts."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import (
    Basis,
    RequestError,
    UnknownModelError,
    count_request,
    count_text,
    endpoint_of,
)
from pricing.counting.encode import encoder

HI = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
FLAT = {"type": "function", **TOOL["function"]}


def chat(model="gpt-4o", messages=HI, **more):
    return count_request({"model": model, "messages": messages, **more})


def responses(model="gpt-4o", given=HI, **more):
    return count_request({"model": model, "input": given, **more}, endpoint="responses")


def n(text, encoding="o200k_base"):
    return encoder(encoding).count(text)


@pytest.mark.parametrize(
    ("model", "total"),
    [
        ("gpt-3.5-turbo", 8),
        ("gpt-4", 8),
        ("gpt-4o", 8),
        ("gpt-4.1-nano", 8),
        ("o3", 7),
        ("gpt-5", 7),
    ],
)
def test_one_message(model, total):
    tokens = chat(model)
    assert (tokens.total, tokens.low, tokens.high) == (total, total, total)
    assert tokens.basis is Basis.EXACT
    assert tokens.parts == {"frame": total - 1, "messages": 1}
    assert responses(model).total == total
    assert responses(model, "hi").total == total


def test_instructions_are_a_system_message():
    with_role = responses(given=[{"role": "system", "content": "Be brief."}, *HI])
    assert responses(instructions="Be brief.").total == with_role.total == 8 + 4 + 3


def test_an_earlier_answer_costs_two_more_on_gpt_5():
    turns = [*HI, {"role": "assistant", "content": "hello"}, *HI]
    assert chat("gpt-4o", turns).total == 8 + 2 * 5
    assert chat("gpt-5", turns).total == 7 + 2 * 5 + 2


def test_a_name():
    named = [{"role": "user", "content": "hi", "name": "ann"}]
    assert chat("gpt-4", named).total == 8 + 1 + n("ann", "cl100k_base")
    assert chat("gpt-4o", named).total == 8 + n(":ann")
    # ":user" is one token of the newer vocabulary, ":ann" two: the colon is billed with the name.
    for name, tokens in (("user", 1), ("ann", 2)):
        assert chat(messages=[{**HI[0], "name": name}]).total == 8 + tokens


def test_text_parts_are_joined_before_encoding():
    parts = [{"type": "text", "text": "hello wo"}, {"type": "text", "text": "rld"}]
    assert chat(messages=[{"role": "user", "content": parts}]).parts["messages"] == 2


BLOCK = (
    "# Tools\n\n## functions\n\nnamespace functions {\n\n// Current weather.\n"
    "type get_weather = (_: { city: string }) => any;\n\n} // namespace functions"
)


def test_tools_alone_and_after_a_system_message():
    alone = chat(tools=[TOOL])
    assert alone.parts == {"frame": 7, "messages": 1, "tools": n(BLOCK) + 4 - 1}
    assert alone.basis is Basis.RECONSTRUCTED
    assert alone.low < alone.total < alone.high
    after = chat(messages=[{"role": "system", "content": "Be brief."}, *HI], tools=[TOOL])
    assert after.parts["tools"] == n(f"Be brief.\n\n{BLOCK}") - n("Be brief.") - 1


def test_tools_by_family_and_endpoint():
    assert responses(tools=[FLAT]).parts["tools"] == n(BLOCK) - 3
    five = chat("gpt-5", tools=[TOOL])
    assert (five.parts["tools"], five.parts["hidden"]) == (n(BLOCK) + 4, 81)
    five = responses("gpt-5", tools=[FLAT])
    assert five.parts["tools"] == n(BLOCK) + 4 - 1
    assert "hidden" not in five.parts
    bare = {**FLAT, "description": ""}
    without = BLOCK.replace("// Current weather.\n", "")
    assert responses("gpt-5", tools=[bare]).parts["tools"] == n(without) + 4 - 1 - 1


def test_a_named_tool_is_written_into_the_answers_header():
    named = {"type": "function", "function": {"name": "get_weather"}}
    forced = n("functions.get_weather") + 6
    assert chat(tools=[TOOL], tool_choice=named).total == chat(tools=[TOOL]).total + forced
    for choice in ("auto", "none", "required"):
        assert chat(tools=[TOOL], tool_choice=choice).total == chat(tools=[TOOL]).total
    plain = responses(tools=[FLAT]).total
    assert responses(tools=[FLAT], tool_choice="required").total == plain + forced
    two = [FLAT, {**FLAT, "name": "get_time"}]
    assert responses(tools=two, tool_choice="required").total == responses(tools=two).total


def call(arguments='{"city": "Paris"}', name="get_weather"):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(*calls):
    results = [{"role": "tool", "tool_call_id": "call_1", "content": "sunny"} for _ in calls]
    return [*HI, {"role": "assistant", "content": None, "tool_calls": list(calls)}, *results]


NAMES = n("functions.get_weather") + n("get_weather")
COMPACT = n('{"city":"Paris"}')


def test_a_call_and_its_result():
    once = NAMES + COMPACT + n("sunny")
    assert chat(messages=turn(call())).parts["tool_calls"] == once + 12
    assert chat("gpt-5", turn(call())).parts["tool_calls"] == once + 18
    # The spacing of the arguments as sent is not what is billed.
    assert chat(messages=turn(call('{"city":"Paris"}'))).total == chat(messages=turn(call())).total


def test_parallel_calls_are_one_object_in_chat_and_single_calls_in_responses():
    use = '{"recipient_name":"functions.get_weather","parameters":{"city":"Paris"}}'
    uses = n('{"tool_uses":[' + use + "," + use + "]}")
    assert chat(messages=turn(call(), call())).parts["tool_calls"] == uses + 24 + 2 * n("sunny")
    item = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "sunny"}
    each = NAMES + 1
    twice = responses(given=[*HI, item, item, result, result]).parts["tool_calls"]
    assert twice == 2 * (each + 10 + n("sunny"))
    five = responses("gpt-5", [*HI, item, item, result, result]).parts["tool_calls"]
    assert five == 22 + 2 * (each + 13 + n("sunny"))
    stored = responses(given=[*HI, {**item, "id": "fc_1"}, result]).parts["tool_calls"]
    assert stored == each + 10 + 3 + n("sunny")


SCHEMA = {
    "type": "object",
    "title": "Answer",
    "properties": {"required": {"type": "integer", "minimum": 0, "default": 3}},
    "required": ["required"],
    "additionalProperties": False,
}
# Keywords are dropped, a property that is called like one is not.
FORMAT_BLOCK = (
    "# Response Formats\n\n## answer\n\n"
    '{"type":"object","title":"Answer","properties":{"required":{"type":"integer"}}}'
)


def loop(*after, **more):
    """A body that replays a reasoning item, then a call and its result, then ``after``."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    item = {"type": "function_call", "call_id": "c", "name": "roll", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "4"}
    return {"input": [*HI, thought, item, result, *after], **more}


def test_reasoning_before_the_last_user_message_costs_nothing():
    running = count_request(loop(), "gpt-5", "responses")
    assert "replayed reasoning" in running.notes[0]
    assert running.high > running.total + 1000
    done = count_request(loop(*HI), "gpt-5", "responses")
    assert done.countable
    assert done.total == 7 + 5 + 2 * n("functions.roll") + 15 + 1 + 1
    kept = loop(*HI, reasoning={"context": "all_turns"})
    assert not count_request(kept, "gpt-5.4", "responses").countable
    # From GPT-5.6 on the request may choose, and what is chosen for it is not documented.
    assert not count_request(loop(*HI), "gpt-5.6", "responses").countable
    dropped = loop(*HI, reasoning={"context": "current_turn"})
    assert count_request(dropped, "gpt-5.6", "responses").countable


def test_the_header_of_a_result_names_the_function_in_full_in_responses():
    # "functions.dice" is three tokens although "dice" is one and "functions." two.
    item = {"type": "function_call", "call_id": "c", "name": "dice", "arguments": "{}"}
    given = [*HI, item, {"type": "function_call_output", "call_id": "c", "output": "4"}]
    assert n("functions.dice") == 3
    assert responses("gpt-5.4", given).parts["tool_calls"] == 2 * 3 + 1 + 18 + 1
    assert responses("gpt-5", given).parts["tool_calls"] == 2 * 3 + 1 + 15 + 1
    assert responses("gpt-4o", given).parts["tool_calls"] == 2 * 3 + 1 + 9 + 1
    assert chat("gpt-5", turn(call("{}", "dice"))).parts["tool_calls"] == 3 + 1 + 1 + 18 + n(
        "sunny"
    )


def test_what_is_said_before_a_call_is_commentary():
    says = {"role": "assistant", "content": "One moment."}
    item = {"type": "function_call", "call_id": "c", "name": "roll", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "4"}
    before = responses("gpt-5.4", [*HI, says, item, result])
    after = responses("gpt-5.4", [*HI, item, result, says])
    assert before.total == after.total + 1


def test_tools_added_on_the_way_are_a_block_of_their_own():
    added = {"type": "additional_tools", "role": "developer", "tools": [FLAT]}
    extra = responses("gpt-5.4", [*HI, added]).total - responses("gpt-5.4").total
    assert extra == n(BLOCK) + 84 + n("get_weather")
    item = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    inside = [*HI, {**item, "namespace": "get_weather"}]
    more = responses("gpt-5.4", inside).total - responses("gpt-5.4", [*HI, item]).total
    assert more == 2 * (n("get_weather.get_weather") - n("functions.get_weather"))
    odd = {"type": "additional_tools", "tools": [{"type": "web_search"}]}
    assert "additional_tools" in responses("gpt-5.4", [*HI, odd]).notes[0]
    assert "additional_tools" in responses("gpt-4o", [*HI, added]).notes[0]


def test_the_responses_api_added_hidden_text_until_spring_2025():
    def on(day, **more):
        return count_request({"input": HI, **more}, "gpt-4o", "responses", at=day)

    assert on("2025-03-12").total == on("2025-06-01").total + 18 == 26
    assert on("2025-04-30T23:59:59-01:00").total == 8  # that is May in UTC
    early = on("2025-03-12", tools=[FLAT])
    assert (early.parts["tools"], early.parts["hidden"]) == (n(BLOCK), 18 + 195)
    assert on("2025-03-12", tools=[FLAT], parallel_tool_calls=False).parts["hidden"] == 18
    assert count_request({"messages": HI}, "gpt-4o", at="2025-03-12").total == 8
    # An old item id tells the time itself; newer ids tell none.
    for id_, total in (
        ("msg_67d1743683b4819192c2f0487f38fa280273f8a636c82b58", 18),
        ("msg_00b44a28ef26ca91006a70c8ff5e148197bc0aa1e9542abbf0", 0),
        ("msg_x", 0),
        (None, 0),
    ):
        said = {"type": "message", "id": id_, "role": "assistant", "content": "hello"}
        assert responses(given=[*HI, said]).total == 8 + 5 + total


def test_search_models_bill_the_text_alone():
    messages = [{"role": "system", "content": "Be brief."}, *HI]
    tokens = chat("gpt-4o-search-preview", messages, web_search_options={})
    assert (tokens.total, tokens.parts) == (4, {"messages": 4})
    assert tokens.basis is Basis.RECONSTRUCTED  # three recordings are not a proof
    assert tokens.notes == ("text: a rule found on 3 recordings.",)


def test_a_refusal_is_counted_and_a_custom_call_is_named():
    no = [*HI, {"role": "assistant", "content": None, "refusal": "I cannot."}]
    said = [*HI, {"role": "assistant", "content": "I cannot."}]
    assert chat(messages=no).total == chat(messages=said).total
    custom = {"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}
    odd = [*HI, {"role": "assistant", "content": None, "tool_calls": [custom]}]
    assert "call of type custom" in chat(messages=odd).notes[0]


def test_few_recordings_widen_the_interval_and_are_named():
    known, rare = chat(tools=[TOOL]), chat("o3", tools=[TOOL])
    assert (known.high - known.total, known.notes) == (2, ())
    assert rare.high - rare.total == 2 + 4
    assert rare.notes == ("tools: a rule found on 2 recordings.",)
    never = responses("o3", tools=[FLAT])
    assert never.high - never.total == 2 + 12


def test_a_bare_tool_costs_one_less_in_chats_of_gpt_5():
    bare = {"type": "function", "function": {**TOOL["function"], "description": ""}}
    without = BLOCK.replace("// Current weather.\n", "")
    assert chat("gpt-5", tools=[bare]).parts["tools"] == n(without) + 4 - 1


def test_structured_output():
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    forced = n("answer") + 2
    assert chat(response_format=shape).parts["schema"] == n(FORMAT_BLOCK) + 4 + forced
    assert chat("gpt-5", response_format=shape).parts["schema"] == n(FORMAT_BLOCK) + forced
    before = [*HI, {"role": "assistant", "content": "{}"}, *HI]
    assert chat("gpt-5", before, response_format=shape).parts["schema"] == (
        n(FORMAT_BLOCK) + 2 * forced
    )
    flat = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
    assert responses("gpt-5", text=flat).parts["schema"] == n(FORMAT_BLOCK)
    assert responses(text=flat).parts["schema"] == n(FORMAT_BLOCK) + 1
    for free in ("text", "json_object"):
        assert chat(response_format={"type": free}).total == chat().total


def test_schemas_are_billed_in_ascii():
    schema = {"type": "string", "description": "caf\u00e9"}
    shape = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    body = '{"type":"string","description":"caf\\u00e9"}'
    assert chat("gpt-5", response_format=shape).parts["schema"] == (
        n(f"# Response Formats\n\n## a\n\n{body}") + n("a") + 2
    )


@pytest.mark.parametrize(
    ("request_", "endpoint", "what"),
    [
        ({"input": "x", "tools": [{"type": "web_search"}]}, "responses", "web_search"),
        ({"input": "x", "previous_response_id": "resp_1"}, "responses", "stored"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "responses", "reasoning"),
        ({"messages": HI, "web_search_options": {}}, "chat.completions", "web search"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "chat.completions",
            "file",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "chat.completions",
            "audio",
        ),
    ],
)
def test_what_only_the_server_counts_is_named(request_, endpoint, what):
    tokens = count_request(request_, "gpt-4o", endpoint)
    assert tokens.basis is Basis.UNKNOWN
    assert not tokens.countable
    assert what in tokens.notes[0]
    assert tokens.high > tokens.total


@pytest.mark.parametrize(
    ("request_", "endpoint"),
    [
        ({"input": "x"}, "chat.completions"),
        ({"messages": HI}, "responses"),
        ({"messages": ["hi"]}, "chat.completions"),
        ({"messages": HI}, "poems"),
        ({"messages": HI}, "messages"),
    ],
)
def test_a_body_of_another_shape_is_an_error(request_, endpoint):
    with pytest.raises(RequestError):
        count_request(request_, "gpt-4o", endpoint)


def test_a_request_without_a_known_model_is_an_error():
    with pytest.raises(UnknownModelError, match="No model given"):
        count_request({"messages": HI})
    with pytest.raises(UnknownModelError, match="gpt-9"):
        count_request({"messages": HI, "model": "gpt-9"})


def test_embeddings_are_plain_text():
    body = {"model": "text-embedding-3-small", "input": ["hello world", [1, 2, 3]]}
    assert count_request(body, endpoint="embeddings").total == 5


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.text(max_size=30)}
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=60)
@given(messages=MESSAGES, model=st.sampled_from(["gpt-4", "gpt-4o", "o3", "gpt-5.4"]))
def test_parts_sum_to_the_total_and_the_request_is_left_alone(messages, model):
    request = {"model": model, "messages": messages, "tools": [TOOL]}
    before = copy.deepcopy(request)
    tokens = count_request(request)
    assert sum(tokens.parts.values()) == tokens.total
    assert tokens.low <= tokens.total <= tokens.high
    assert request == before
    # One more message costs its envelope and its text, whatever came before.
    more = count_request({**request, "messages": [*messages, *HI]})
    assert more.total - tokens.total == 3 + 1 + 1


@settings(deadline=None, max_examples=60)
@given(schema=st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "anyOf", "enum", "title", "$ref"])
        | st.text(max_size=3),
        inner, max_size=4),
    max_leaves=8,
))  # fmt: skip
def test_any_json_as_a_schema_is_counted_without_a_crash(schema):
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert chat(tools=[tool]).parts["tools"] > 0
    json.dumps(schema)


def test_a_schema_that_refers_to_itself_ends():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    parameters = {"type": "object", "properties": {"n": {"$ref": "#/$defs/node"}}}
    parameters["$defs"] = {"node": node}
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    assert chat(tools=[tool]).parts["tools"] > 0


@pytest.mark.parametrize(
    ("request_", "endpoint"),
    [
        ({"model": "gpt-4o", "messages": HI}, "chat.completions"),
        ({"model": "gpt-4o", "input": "hi"}, "responses"),
        ({"model": "text-embedding-3-small", "input": "hi"}, "embeddings"),
        ({"model": "claude-opus-4-8", "messages": HI, "max_tokens": 9}, "messages"),
        (
            {"model": "anthropic/claude-opus-4.8", "messages": HI, "max_tokens": 9},
            "chat.completions",
        ),
        ({"contents": []}, "generateContent"),
        ({"model": "davinci-002", "prompt": "hi"}, "completions"),
    ],
)
def test_the_endpoint_of_a_body_is_told_by_its_keys(request_, endpoint):
    assert endpoint_of(request_) == endpoint


def test_a_body_without_known_keys_has_no_endpoint():
    with pytest.raises(RequestError, match="Not a request body"):
        endpoint_of({"text": "hi"})


def test_a_model_newer_than_the_recordings_is_assumed_and_says_so():
    tokens = chat("gpt-6-sol")
    assert (tokens.total, tokens.basis) == (7, Basis.RATIO)
    assert tokens.low < 7 < tokens.high
    assert tokens.notes == ("gpt-6: its encoding is not published, o200k_base is assumed.",)
    text = count_text("word " * 1000, "gpt-6.1-terra")
    assert (text.total, text.low, text.high) == (1001, 851, 1151)
    assert text.basis is Basis.RATIO
    with pytest.raises(UnknownModelError):
        chat("gpt-6")  # not a name that is sold
