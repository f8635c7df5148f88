"""The shapes that vendors document and programs write, each with the numbers worked out by hand.

A case is a file's content and what it must become: one (provider, model, counts) a call, and how
many lines are rejected. Formats are recognised by content, as `tokenbooks ingest` does it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.importer import ImportOptions, read_source, recognise
from ingest.record import Reject, UsageRecord
from tests.readers.probe import counts

CHAT_ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL"
RESPONSE_ID = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"


def lines(*documents: Any) -> str:
    return "\n".join(map(json.dumps, documents))


def sse(*events: Any, end: str = "\n\n", named: bool = False) -> str:
    head = "event: {}\n" if named else ""
    return "".join(head.format(e.get("type", "")) + f"data: {json.dumps(e)}{end}" for e in events)


# --- OpenAI Chat Completions and its copies -----------------------------------------------------

USAGE = {
    "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
COUNTS = {"input_uncached": 36, "cache_read": 64, "output_text": 15, "reasoning": 5}


def chat(number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": CHAT_ID + str(number or ""), "object": "chat.completion", "created": 1767225600,
        "model": "gpt-4o", "choices": [{"message": {"content": "a\u2028b"}}], "usage": USAGE,
    } | more  # fmt: skip


def chunk(**more: Any) -> dict[str, Any]:
    return chat(object="chat.completion.chunk", choices=[], usage=None) | more


PIECE = chunk(choices=[{"index": 0, "delta": {"content": "a"}}])
LAST = chunk(usage=USAGE)
ONE: list[tuple[str, str | None, dict[str, int]]] = [("openai", "gpt-4o", COUNTS)]
TWO = ONE * 2

# --- Anthropic ----------------------------------------------------------------------------------

MESSAGE: dict[str, Any] = {
    "id": MESSAGE_ID,
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
}
START: dict[str, Any] = {
    "type": "message_start",
    "message": MESSAGE
    | {
        "usage": {
            "input_tokens": 25, "cache_read_input_tokens": 1000, "output_tokens": 1,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        }
    },
}  # fmt: skip
STARTED = {
    "input_uncached": 25, "cache_read": 1000, "cache_write_5m": 100, "cache_write_1h": 200,
}  # fmt: skip


def delta(**usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


# --- OpenAI Responses ---------------------------------------------------------------------------

RESPONSE = {
    "id": RESPONSE_ID, "object": "response", "created_at": 1767225600, "status": "completed",
    "model": "gpt-5", "usage": {
        "input_tokens": 3600, "output_tokens": 87, "total_tokens": 3687,
        "input_tokens_details": {
            "cached_tokens": 1000, "cache_write_tokens": 500,
            "cache_write_tokens_details": {"ttl_30m_tokens": 200, "ttl_12h_tokens": 300},
        },
        "output_tokens_details": {"reasoning_tokens": 64},
    },
}  # fmt: skip
RESPONDED = {
    "input_uncached": 2100, "cache_read": 1000, "cache_write_30m": 200, "cache_write_12h": 300,
    "output_text": 23, "reasoning": 64,
}  # fmt: skip
PENDING = RESPONSE | {"status": "in_progress", "usage": None}
EVENTS = [
    {"type": "response.created", "response": PENDING},
    {"type": "response.in_progress", "response": PENDING},
    {"type": "response.output_text.delta", "delta": "a"},
    {"type": "response.completed", "response": RESPONSE},
]


# --- Gemini, Bedrock, Cohere --------------------------------------------------------------------


def gemini(reply: str = "r-AAAAAAAAAAAAAAA", *, finished: bool = True, **usage: Any) -> Any:
    candidate = {"content": {}} | ({"finishReason": "STOP"} if finished else {})
    body = {"candidates": [candidate], "modelVersion": "gemini-2.5-pro", "responseId": reply}
    if not reply:
        del body["responseId"]
    return body | ({"usageMetadata": usage} if usage else {})


THOUGHT: dict[str, Any] = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 7,
}
CONVERSE = {
    "inputTokens": 30, "outputTokens": 628, "totalTokens": 2758, "cacheReadInputTokens": 2000,
    "cacheWriteInputTokens": 100,
}  # fmt: skip
CONVERSED = {
    "input_uncached": 30, "cache_read": 2000, "cache_write_unknown": 100, "output_text": 628,
}  # fmt: skip
INVOCATION = {
    "schemaType": "ModelInvocationLog", "timestamp": "2026-01-01T00:00:00Z", "requestId": "q-1",
    "modelId": "us.amazon.nova-micro-v1:0", "operation": "Converse",
    "input": {"inputTokenCount": 12, "cacheReadInputTokenCount": 7},
    "output": {"outputTokenCount": 20},
}  # fmt: skip
INVOKED = [
    (
        "bedrock",
        "us.amazon.nova-micro-v1:0",
        {"input_uncached": 12, "cache_read": 7, "output_text": 20},
    )
]
FILTER = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
XAI = {
    "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
    "prompt_tokens_details": {"cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 94},
}  # fmt: skip
ACTIVITY = (
    "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,"
    "tokens_cached,model_permaslug,generation_time_ms\n"
    "gen-1784286312-abcdefghijklmnop,2026-06-28 03:46:57.713,0.0251,4020,5,0,1000,a/b,1234.5\n"
)
REALTIME = {
    "id": "resp_CCXHxcMy86rrKhBLDdqCh", "object": "realtime.response", "model": "gpt-realtime",
    "usage": {
        "total_tokens": 275, "input_tokens": 127, "output_tokens": 148,
        "input_token_details": {
            "text_tokens": 119, "audio_tokens": 8, "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 118},
    },
}  # fmt: skip


@dataclass
class Case:
    content: str | bytes
    wanted: Sequence[tuple[str, str | None, dict[str, int]]]
    rejected: int = 0
    tier: str | None = None


CASES: dict[str, Case] = {
    # files
    "stream with CRLF and comments": Case(
        ": hello\r\n\r\n" + sse(PIECE, LAST, end="\r\n\r\n") + "data: [DONE]\r\n\r\n", ONE
    ),
    "stream that begins with retry and id": Case("retry: 3000\nid: 1\n" + sse(PIECE, LAST), ONE),
    "stream without empty lines": Case(sse(PIECE, LAST, end="\n") + "data: [DONE]\n", ONE),
    "stream of two answers": Case(
        sse(PIECE, LAST) + sse(LAST | {"id": CHAT_ID + "2"}), TWO
    ),
    "stream with running usage": Case(
        sse(*(chunk(usage={"prompt_tokens": 7, "completion_tokens": n}) for n in (1, 2, 3))),
        [("openai", "gpt-4o", {"input_uncached": 7, "output_text": 3})],
    ),
    "chunks a line each": Case(lines(PIECE, PIECE, LAST), ONE),
    "chunks in one array": Case(json.dumps([PIECE, LAST], indent=1), ONE),
    "chunks inside a wrapping": Case(lines({"response": [PIECE, LAST]}), ONE),
    "a stream as text inside a wrapping": Case(
        lines({"response": {"status_code": 200, "body": sse(PIECE, LAST)}}), ONE
    ),
    "a body as text inside a wrapping": Case(
        lines({"request": json.dumps({"model": "x"}), "response_body": json.dumps(chat())}), ONE
    ),
    "a list of stored completions": Case(
        json.dumps({"object": "list", "data": [chat(1), chat(2)], "has_more": False}, indent=1), TWO
    ),
    "pretty-printed body": Case(json.dumps(chat(), indent=2), ONE),
    "pretty-printed bodies one after another": Case(
        json.dumps(chat(1), indent=2) + "\n" + json.dumps(chat(2), indent=2), TWO
    ),
    "array that is cut off": Case(json.dumps([chat(1), chat(2)], indent=1)[:-40], ONE, 1),
    "array of one object a line": Case(
        "[\n" + ",\n".join(json.dumps(chat(n)) for n in (1, 2)) + "\n]", TWO
    ),
    "line separators inside a text": Case(
        "\n".join(json.dumps(chat(n), ensure_ascii=False) for n in (1, 2)), TWO
    ),
    "UTF-16 with a mark": Case(lines(chat(1), chat(2)).encode("utf-16"), TWO),
    "UTF-16 without a mark": Case(lines(chat(1), chat(2)).encode("utf-16-le"), TWO),
    "UTF-8 with a mark": Case(b"\xef\xbb\xbf" + lines(chat(1), chat(2)).encode(), TWO),
    "NULs before, between and after": Case(
        b"\0" * 99 + lines(chat(1)).encode() + b"\n\0\0\n\0" + lines(chat(2)).encode() + b"\n\0\0",
        TWO, 2,
    ),
    "JSON text sequence": Case("\x1e" + json.dumps(chat(1)) + "\n\x1e" + json.dumps(chat(2)), TWO),
    "bodies of two makers among other lines": Case(
        "starting\n" + lines({"level": "info"}, chat(), MESSAGE | {"usage": START["message"]
        ["usage"]}), [*ONE, ("anthropic", "claude-sonnet-4-5", STARTED | {"output_text": 1})], 2,
    ),
    "short ids that come again": Case(
        lines(chat(id="1"), chat(id="1", created=1767225601)), TWO
    ),
    "the same short id polled": Case(lines(chat(id="1"), chat(id="1")), ONE),
    "usage and model alone": Case(
        lines(
            {"model": "gpt-5", "usage": RESPONSE["usage"], "timestamp": "2026-01-01T00:00:00Z"},
            {"model": "claude-opus-4-5", "usage": {"input_tokens": 5, "output_tokens": 6}},
        ),
        [
            ("openai", "gpt-5", RESPONDED),
            ("anthropic", "claude-opus-4-5", {"input_uncached": 5, "output_text": 6}),
        ],
    ),
    # Chat Completions' copies
    "Azure with filter frames": Case(
        sse(FILTER | {"prompt_filter_results": []}, PIECE, LAST,
            FILTER | {"choices": [{"content_filter_results": {}}]}),
        [("azure", "gpt-4o", COUNTS)],
    ),
    "xAI counts reasoning beside": Case(
        lines(chat(model="grok-4", usage=XAI)),
        [("x-ai", "grok-4",
          {"input_uncached": 26, "cache_read": 6, "output_text": 9, "reasoning": 94})],
    ),
    "Groq's last chunk": Case(
        sse(PIECE, chunk(x_groq={"id": "r", "usage": {"prompt_tokens": 18, "completion_tokens": 556,
                                                       "queue_time": 0.1}})),
        [("groq", "gpt-4o", {"input_uncached": 18, "output_text": 556})],
    ),
    "Cohere's second stream": Case(
        sse({"type": "message-start", "id": "29f14a5a-11de-4cae"},
            {"type": "content-delta", "delta": {}},
            {"type": "message-end", "delta": {"usage": {
                "billed_units": {"input_tokens": 3, "output_tokens": 57},
                "tokens": {"input_tokens": 69, "output_tokens": 57}}}}, named=True),
        [("cohere", None, {"input_uncached": 3, "output_text": 57})],
    ),
    "Cohere's first stream": Case(
        lines({"event_type": "stream-start", "generation_id": "g-1"},
              {"event_type": "text-generation", "text": "a"},
              {"event_type": "stream-end", "response": {"generation_id": "g-1", "meta": {
                  "billed_units": {"input_tokens": 5, "output_tokens": 9}}}}),
        [("cohere", None, {"input_uncached": 5, "output_text": 9})],
    ),
    "Realtime, cached audio in both lists": Case(
        lines({"type": "response.done", "response": REALTIME}),
        [("openai", "gpt-realtime", {"input_uncached": 59, "input_audio": 4, "cache_read": 60,
          "cache_read_audio": 4, "output_text": 30, "output_audio": 118})],
    ),
    "OpenRouter's activity with fractions of a millisecond": Case(
        ACTIVITY,
        [("openrouter", "a/b", {"input_uncached": 3020, "cache_read": 1000, "output_text": 5})],
    ),
    # Responses
    "Responses events": Case(sse(*EVENTS, named=True), [("openai", "gpt-5", RESPONDED)]),
    "Responses events a line each": Case(lines(*EVENTS), [("openai", "gpt-5", RESPONDED)]),
    "Responses events under their names": Case(
        lines(*({"event": e["type"], "data": e} for e in EVENTS)), [("openai", "gpt-5", RESPONDED)]
    ),
    "a batch of failures only": Case(
        lines(*({"id": f"batch_req_{n}", "custom_id": f"{n}", "error": {"code": "batch_expired"},
                 "response": None} for n in range(3))), [], 3,
    ),
    "a batch with a failure": Case(
        lines({"id": "batch_req_1", "custom_id": "a", "error": None,
               "response": {"status_code": 200, "body": RESPONSE}},
              {"id": "batch_req_2", "custom_id": "b", "error": None,
               "response": {"status_code": 400, "body": {"error": {"message": "m"}}}}),
        [("openai", "gpt-5", RESPONDED)], 1, "batch",
    ),
    # Messages
    "Messages stream": Case(
        sse(START, {"type": "ping"}, delta(output_tokens=15), named=True),
        [("anthropic", "claude-sonnet-4-5", STARTED | {"output_text": 15})],
    ),
    "Messages stream, deltas are running totals": Case(
        sse(START, delta(output_tokens=7), delta(output_tokens=15), named=True),
        [("anthropic", "claude-sonnet-4-5", STARTED | {"output_text": 15})],
    ),
    "Messages stream whose delta counts everything anew": Case(
        sse(START, delta(input_tokens=900, cache_creation_input_tokens=400,
                         cache_read_input_tokens=2000, output_tokens=510,
                         server_tool_use={"web_search_requests": 2}), named=True),
        [("anthropic", "claude-sonnet-4-5",
          {"input_uncached": 900, "cache_read": 2000, "cache_write_unknown": 400,
           "output_text": 510, "web_search": 2})],
    ),
    "Messages events a line each": Case(
        lines(START, {"type": "content_block_delta", "delta": {}}, delta(output_tokens=15),
              {"type": "message_stop"}),
        [("anthropic", "claude-sonnet-4-5", STARTED | {"output_text": 15})],
    ),
    "a Messages batch, mostly failures": Case(
        lines({"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE | {
                  "usage": {"input_tokens": 11, "output_tokens": 36}}}},
              {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error"}}},
              {"custom_id": "c", "result": {"type": "expired"}},
              {"custom_id": "d", "result": {"type": "canceled"}}),
        [("anthropic", "claude-sonnet-4-5", {"input_uncached": 11, "output_text": 36})], 3, "batch",
    ),
    # Gemini
    "Gemini stream, usage in the last chunk only": Case(
        sse(gemini(finished=False), gemini(**THOUGHT, totalTokenCount=20), end="\r\n\r\n"),
        [("google", "gemini-2.5-pro", {"input_uncached": 10, "output_text": 3, "reasoning": 7})],
    ),
    "Gemini chunks without ids a line each": Case(
        lines(gemini("", finished=False, promptTokenCount=10, candidatesTokenCount=1),
              gemini("", **THOUGHT),
              gemini("", promptTokenCount=4, candidatesTokenCount=1)),
        [("google", "gemini-2.5-pro", {"input_uncached": 10, "output_text": 3, "reasoning": 7}),
         ("google", "gemini-2.5-pro", {"input_uncached": 4, "output_text": 1})],
    ),
    "Gemini's parts by kind": Case(
        lines(gemini(promptTokenCount=1000, cachedContentTokenCount=400, candidatesTokenCount=100,
                     thoughtsTokenCount=400, toolUsePromptTokenCount=50, totalTokenCount=1550,
                     promptTokensDetails=[{"modality": "TEXT", "tokenCount": 700},
                                          {"modality": "AUDIO", "tokenCount": 300}],
                     cacheTokensDetails=[{"modality": "TEXT", "tokenCount": 350},
                                         {"modality": "AUDIO", "tokenCount": 50}])),
        [("google", "gemini-2.5-pro",
          {"input_uncached": 400, "input_audio": 250, "cache_read": 350, "cache_read_audio": 50,
           "output_text": 100, "reasoning": 400})],
    ),
    "Gemini's prepaid throughput is a tier": Case(
        lines(gemini(promptTokenCount=9, trafficType="PROVISIONED_THROUGHPUT")),
        [("google", "gemini-2.5-pro", {"input_uncached": 9})], 0, "PROVISIONED_THROUGHPUT",
    ),
    "Gemini's enum as Python prints it": Case(
        lines(gemini(promptTokenCount=9, trafficType="TrafficType.ON_DEMAND")),
        [("google", "gemini-2.5-pro", {"input_uncached": 9})], 0, "ON_DEMAND",
    ),
    "a Gemini batch job with its answers inside": Case(
        json.dumps({"name": "batches/1", "metadata": {"createTime": "2026-01-01T00:00:00Z"},
                    "response": {"inlinedResponses": {"inlinedResponses": [
                        {"response": gemini(**THOUGHT), "metadata": {"key": "k"}},
                        {"error": {"code": 3}}]}}}),
        [("google", "gemini-2.5-pro", {"input_uncached": 10, "output_text": 3, "reasoning": 7})],
        1, "batch",
    ),
    # Bedrock
    "a ConverseStream's events": Case(
        lines({"messageStart": {"role": "assistant"}}, {"contentBlockDelta": {"delta": {}}},
              {"messageStop": {}}, {"metadata": {"usage": CONVERSE}}),
        [("bedrock", None, CONVERSED)],
    ),
    "CloudWatch Insights as CSV": Case(
        '@timestamp,@message\n2026-01-01,"' + json.dumps(INVOCATION).replace('"', '""') + '"\n',
        INVOKED,
    ),
    "CloudWatch Insights as JSON": Case(
        json.dumps({"results": [[{"field": "@message", "value": json.dumps(INVOCATION)}]]}), INVOKED
    ),
    "CloudWatch's export wraps lines": Case(
        json.dumps({"events": [{"timestamp": 1, "message": json.dumps(INVOCATION)}]}), INVOKED
    ),
}  # fmt: skip


def read(content: str | bytes) -> tuple[list[UsageRecord], list[Reject]]:
    """Recognise and read; sightings of one call (equal keys) as the store would keep them."""
    source = look_at_bytes(content if isinstance(content, bytes) else content.encode())
    reader, confidence, why = recognise(source, ImportOptions())
    assert reader is not None, why
    assert confidence >= 0.3
    calls: dict[str, UsageRecord] = {}
    rejects: list[Reject] = []
    for result in read_source(source, reader, ImportOptions())[0]:
        if isinstance(result, Reject):
            rejects.append(result)
        elif isinstance(result, UsageRecord):
            calls[result.call_key] = result
    return list(calls.values()), rejects


@pytest.mark.parametrize("name", CASES)
def test_shape(name: str) -> None:
    case = CASES[name]
    calls, rejects = read(case.content)
    found = [(c.provider, c.model, counts(c)) for c in calls]
    assert sorted(found, key=repr) == sorted(case.wanted, key=repr)
    assert len(rejects) == case.rejected
    if case.tier is not None:
        assert {c.tier for c in calls} == {case.tier}


@pytest.mark.parametrize(
    "content",
    [
        lines({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "m"}}),
        lines({"custom_id": "a", "params": {"model": "m", "messages": []}}),
        json.dumps({"totalTokens": 31, "totalBillableCharacters": 96}),
    ],
    ids=["batch input", "Messages batch input", "a count of tokens"],
)  # fmt: skip
def test_what_is_no_call_is_not_recognised(content: str) -> None:
    assert recognise(look_at_bytes(content.encode()), ImportOptions())[0] is None


def test_a_log_of_its_own_keeps_the_time_beside_the_usage() -> None:
    calls, _ = read(lines({"model": "gpt-4o", "usage": USAGE, "timestamp": "2026-01-02T00:00:00Z"}))
    assert str(calls[0].occurred_at) == "2026-01-02 00:00:00"
    assert not calls[0].time_assumed


def test_boto3_says_when_and_which_request() -> None:
    meta = {"RequestId": "5f470d98-f7ac-45f3-a63a-e36cd2d8b1d5", "HTTPHeaders": {
        "date": "Tue, 04 Mar 2025 10:00:00 GMT"}}  # fmt: skip
    calls, _ = read(lines({"ResponseMetadata": meta, "usage": CONVERSE, "output": {}}))
    assert calls[0].call_key == "bedrock:5f470d98-f7ac-45f3-a63a-e36cd2d8b1d5"
    assert str(calls[0].occurred_at) == "2025-03-04 10:00:00"


@pytest.mark.parametrize(("prefix", "seller"), [("msg_bdrk_", "bedrock"), ("msg_vrtx_", "google")])
def test_a_message_that_a_cloud_served_is_billed_by_it(prefix: str, seller: str) -> None:
    body = MESSAGE | {"id": prefix + MESSAGE_ID, "usage": {"input_tokens": 1, "output_tokens": 2}}
    calls, _ = read(lines(body))
    assert calls[0].seller == seller
