"""The mock with the official client: sync, async and streaming, both endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from pricing.counting import count_request, count_text
from tests.mock.conftest import Mock

Start = Callable[..., Mock]
HELLO: list[Any] = [{"role": "user", "content": "Say hello to the auditors."}]


def test_chat_completion_is_answered_marked_and_booked(mock: Start) -> None:
    running = mock()
    answer = running.client.chat.completions.create(
        model="gpt-5.2", messages=HELLO, reasoning_effort="medium", service_tier="flex",
        metadata={"team": "search", "run": "7"},
    )  # fmt: skip
    expected = count_request({"messages": HELLO}, "gpt-5.2").total
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == expected
    assert answer.usage.completion_tokens == 300  # the fixed profile: 100 text, 200 reasoning
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 200
    text = answer.choices[0].message.content
    assert text is not None
    assert text.startswith("[simulated by tokenbooks]")
    assert count_text(text, "gpt-5.2").total == 100
    assert answer.choices[0].finish_reason == "stop"
    assert answer.service_tier == "flex"
    assert answer.model_extra == {"simulated": True}
    rows = running.rows(
        "SELECT call_key, source_format, variant, tier, effort, input_uncached, cache_read,"
        " output_text, reasoning, team, tags['simulated'], tags['run'], status,"
        f" cost_pico = {expected} * 875000 + 300 * 7000000 FROM calls"
    )
    assert rows == [
        (f"openai:{answer.id}", "mock", "gpt-5.2", "flex", "medium", expected, 0, 100, 200,
         "search", "true", "7", "exact", True)
    ]  # fmt: skip


def test_streaming_with_and_without_usage(mock: Start) -> None:
    client = mock().client
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, n=2,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert [count_text(t, "gpt-4o").total for t in texts.values()] == [100, 100]
    usage = chunks[-1].usage
    assert usage is not None
    assert (chunks[-1].choices, usage.completion_tokens) == ([], 200)
    assert usage.prompt_tokens == count_request({"messages": HELLO}, "gpt-4o").total
    assert all(chunk.usage is None for chunk in chunks[:-1])
    bare = list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert bare[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in bare)


def test_responses_whole_and_streamed(mock: Start) -> None:
    running = mock()
    whole = running.client.responses.create(
        model="gpt-5.2", input="Hello", instructions="Be short.", reasoning={"effort": "high"}
    )
    assert whole.output_text.startswith("[simulated by tokenbooks]")
    assert whole.status == "completed"
    assert whole.usage is not None
    body = {"input": "Hello", "instructions": "Be short."}
    assert whole.usage.input_tokens == count_request(body, "gpt-5.2", "responses").total
    # Effort scales reasoning by the sourced table: 1.79 from medium to high.
    assert whole.usage.output_tokens_details.reasoning_tokens == 358
    assert whole.usage.output_tokens == 458
    with running.client.responses.stream(model="gpt-5.2", input="Hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == whole.output_text
    assert final.usage is not None
    assert final.usage.output_tokens == 100  # gpt-5.2 does not reason unless asked
    assert running.rows("SELECT effort, reasoning FROM usage ORDER BY reasoning") == [
        ("none", 0),
        ("high", 358),
    ]


def test_a_continued_conversation_is_billed_whole(mock: Start) -> None:
    running = mock()
    first = running.client.responses.create(model="gpt-5.2", input="Hello")
    second = running.client.responses.create(
        model="gpt-5.2", input="And now?", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    assert first.usage is not None
    assert second.usage is not None
    sent = {"input": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "And now?"},
    ]}  # fmt: skip
    assert second.usage.input_tokens == count_request(sent, "gpt-5.2", "responses").total
    with pytest.raises(openai.BadRequestError, match="not found"):
        running.client.responses.create(
            model="gpt-5.2", input="x", previous_response_id="resp_unknown"
        )


def test_async_calls_at_once(mock: Start) -> None:
    running = mock(profile="chat", seed=3)

    async def many() -> list[int]:
        async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="none") as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-5.2", messages=[{"role": "user", "content": f"Number {n}"}]
                    )
                    for n in range(20)
                )
            )
            stream = await client.chat.completions.create(
                model="gpt-5.2", messages=HELLO, stream=True
            )
            text = "".join([c.choices[0].delta.content or "" async for c in stream])
            assert text.startswith(("[simulated", "simulated"))
            return [a.usage.completion_tokens for a in answers if a.usage]

    drawn = asyncio.run(many())
    assert len(set(drawn)) > 10  # drawn, not constant
    assert running.rows("SELECT count(*), count(DISTINCT call_key) FROM usage") == [(21, 21)]
    # The draw depends on seed and request alone: a fresh mock repeats it.
    assert drawn == [
        running.simulator.__class__(running.simulator.catalogue, running.simulator.behaviour)
        .call({"model": "gpt-5.2", "messages": [{"role": "user", "content": f"Number {n}"}]},
              "chat.completions").output_tokens
        for n in range(20)
    ]  # fmt: skip


def test_maximum_cuts_reasoning_first(mock: Start) -> None:
    client = mock().client
    for most, reasoning, text in ((300, 200, 100), (299, 200, 99), (150, 150, 0)):
        answer = client.chat.completions.create(
            model="gpt-5", messages=HELLO, max_completion_tokens=most, reasoning_effort="medium"
        )
        assert answer.usage is not None
        assert answer.usage.completion_tokens_details is not None
        assert answer.usage.completion_tokens_details.reasoning_tokens == reasoning
        assert answer.usage.completion_tokens == reasoning + text
        assert answer.choices[0].finish_reason == ("stop" if most == 300 else "length")


class Verdict(BaseModel):
    fine: bool
    reasons: list[str]
    score: int


def test_structured_outputs_and_tools(mock: Start) -> None:
    client = mock().client
    parsed = client.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Verdict)
    assert parsed.choices[0].message.parsed == Verdict(fine=False, reasons=[], score=0)
    other = client.responses.parse(model="gpt-5.2", input="Hello", text_format=Verdict)
    assert other.output_parsed == Verdict(fine=False, reasons=[], score=0)
    tool: Any = {
        "type": "function",
        "function": {
            "name": "refund",
            "parameters": {
                "type": "object", "properties": {"order": {"type": "string"}},
                "required": ["order"],
            },
        },
    }  # fmt: skip
    forced = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, tools=[tool], tool_choice="required"
    )
    call = forced.choices[0].message.tool_calls
    assert call is not None
    assert call[0].type == "function"
    assert (call[0].function.name, call[0].function.arguments) == (
        "refund", '{"order": "simulated"}',
    )  # fmt: skip
    assert forced.choices[0].finish_reason == "tool_calls"


def test_models_and_refusals(mock: Start) -> None:
    running = mock()
    names = {model.id for model in running.client.models.list()}
    assert {"gpt-5.2", "gpt-4o"} <= names
    with pytest.raises(openai.NotFoundError, match="on no rate card"):
        running.client.chat.completions.create(model="gpt-5.2-turbo", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="has no effort"):
        running.client.chat.completions.create(
            model="gpt-5", messages=HELLO, reasoning_effort="xhigh"
        )
    with pytest.raises(openai.BadRequestError, match="not sold on tier"):
        running.client.chat.completions.create(
            model="gpt-5.2-chat-latest", messages=HELLO, service_tier="flex"
        )
    with pytest.raises(openai.BadRequestError, match="messages is empty"):
        running.client.chat.completions.create(model="gpt-5.2", messages=[])
    assert running.rows("SELECT count(*), sum(input_total), bool_and(failed) FROM usage") == [
        (4, 0, True)
    ]


def test_a_token_is_the_api_key(mock: Start) -> None:
    running = mock(token="s3cret")
    with pytest.raises(openai.AuthenticationError):
        running.client.models.list()
    with pytest.raises(openai.AuthenticationError):
        running.client.chat.completions.create(model="gpt-4o", messages=HELLO)
    allowed = running.client.with_options(api_key="s3cret")
    assert allowed.chat.completions.create(model="gpt-4o", messages=HELLO).choices
