"""DashScope's native API: bodies, embeddings, apps, streams of events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.importer import ImportOptions, recognise
from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, read_lines, rejects

ID = "7a1b0000-0000-4000-8000-00000000000{}"


def body(usage: dict[str, Any], number: int = 1, **output: Any) -> dict[str, Any]:
    finish = {"choices": [{"finish_reason": "stop", "message": {"content": "a"}}]}
    return {"request_id": ID.format(number), "output": output or finish, "usage": usage}


def test_golden() -> None:
    found = golden(bodies, "dashscope", "bodies.jsonl")
    by_model = {r.model: r for r in calls(found) if r.model}
    assert {r.provider for r in calls(found)} == {"alibaba"}
    plus = next(r for r in calls(found) if r.dimensions)
    assert (plus.call_key, plus.model) == ("alibaba:00000001-0000-4000-8000-000000000000",
                                           "qwen-plus")  # fmt: skip
    assert str(plus.occurred_at) == "2026-02-01 10:00:01"
    expected = {
        "input_uncached": 971, "cache_read": 2048, "output_text": 64, "reasoning": 40,
    }  # fmt: skip
    assert (counts(plus), plus.flags) == (expected, [])
    assert counts(by_model["qwen3-max"]) == {
        "input_uncached": 11, "cache_write_5m": 2048, "output_text": 201,
    }  # fmt: skip
    assert counts(by_model["qwen-vl-max"]) == {
        "input_uncached": 24, "input_image": 1247, "output_text": 55,
    }  # fmt: skip
    assert counts(by_model["qwen-audio-turbo"]) == {
        "input_uncached": 33, "input_audio": 85, "output_text": 10,
    }  # fmt: skip
    assert counts(by_model["qwen3-omni-flash"]) == {
        "input_uncached": 3, "input_image": 800, "input_audio": 100,
        "output_text": 10, "output_audio": 20,
    }  # fmt: skip
    assert counts(by_model["text-embedding-v4"]) == {"input_uncached": 26}
    assert counts(by_model["qwen3-vl-embedding"]) == {"input_uncached": 43, "input_image": 1247}
    assert [r.reason for r in rejects(found)] == ["input_tokens = -1 is negative"]


def test_a_retry_has_the_key_of_its_call() -> None:
    found = [r for r in calls(golden(bodies, "dashscope", "bodies.jsonl"))
             if r.counts.get("web_search")]  # fmt: skip
    assert [counts(r)["web_search"] for r in found] == [2, 2]
    assert len({r.call_key for r in found}) == 1


def test_an_app_is_a_call_of_each_of_its_models() -> None:
    found = [r for r in calls(golden(bodies, "dashscope", "bodies.jsonl")) if r.session]
    assert [(r.model, counts(r)) for r in found] == [
        ("qwen-max", {"input_uncached": 50, "output_text": 7}),
        ("qwen-turbo", {"input_uncached": 20, "output_text": 3}),
    ]
    assert [r.call_key.partition("#")[2] for r in found] == ["", "model:1"]


def test_a_refusal_is_not_billed_and_pictures_are_not_counted() -> None:
    found = calls(golden(bodies, "dashscope", "bodies.jsonl"))
    (refused,) = (r for r in found if r.failed)
    assert (refused.counts, refused.finality) == ({"input_uncached": 0, "output_text": 0}, "final")
    assert refused.flags == ["an error (Throttling.RateQuota): not billed"]
    (pictures,) = (r for r in found if r.model == "qwen-image")
    assert (counts(pictures), pictures.finality) == ({}, "partial")
    assert pictures.flags == ["billed by 2 images, not by tokens: no price here holds for it"]


def test_streams_among_lines_are_told_apart_by_their_ids() -> None:
    """The one that ended is its last event; the other counts as far as it came."""
    found = calls(golden(bodies, "dashscope", "bodies.jsonl"))
    streams = {r.call_key[8:16]: r for r in found if r.model is None and not r.failed}
    ended, cut = streams["0000000c"], streams["0000000d"]
    assert (counts(ended)["output_text"], ended.finality) == (9, "final")
    assert (counts(cut)["output_text"], cut.finality) == (6, "partial")
    assert len(streams) == 2


def test_a_stream_is_its_last_usage() -> None:
    (call,) = calls(golden(bodies, "dashscope", "stream.sse"))
    assert counts(call) == {
        "input_uncached": 478, "cache_read": 256, "output_text": 92, "reasoning": 171,
    }  # fmt: skip
    assert (call.finality, call.total_reported, call.flags) == ("final", 997, [])


def test_a_stream_that_was_cut_off() -> None:
    (call,) = calls(golden(bodies, "dashscope", "stream-cut.sse"))
    assert (counts(call), call.finality) == ({"input_uncached": 20, "output_text": 5}, "partial")
    assert call.flags == ["the stream was cut off: counted as far as it came"]


def test_a_request_beside_its_stream_names_the_model() -> None:
    event = body({"input_tokens": 3, "output_tokens": 4})
    text = f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{json.dumps(event)}\n\n"
    (call,) = calls(read_lines(bodies, [{"request": {"model": "qwen-plus"}, "response": text}]))
    assert (call.model, counts(call)) == ("qwen-plus", {"input_uncached": 3, "output_text": 4})


IMAGE = {"input_tokens": 100, "output_tokens": 5, "image_tokens": 40}
UNSETTLED = "audio tokens taken as beside input: nothing in the body proves it"


@pytest.mark.parametrize(
    ("usage", "output", "expected", "flags"),
    [
        (IMAGE, {}, {"input_uncached": 60, "input_image": 40, "output_text": 5}, []),
        (IMAGE | {"total_tokens": 105}, {},
         {"input_uncached": 60, "input_image": 40, "output_text": 5}, []),
        (IMAGE | {"total_tokens": 145}, {},
         {"input_uncached": 100, "input_image": 40, "output_text": 5}, []),
        # As many as input may be inside it, one more may not.
        (IMAGE | {"image_tokens": 100}, {}, {"input_image": 100, "output_text": 5}, []),
        (IMAGE | {"image_tokens": 101}, {},
         {"input_uncached": 100, "input_image": 101, "output_text": 5}, []),
        ({"input_tokens": 7, "image_tokens": 5, "image_count": 1}, {"embeddings": []},
         {"input_uncached": 7, "input_image": 5}, []),
        ({"input_tokens": 90, "output_tokens": 1, "audio_tokens": 90}, {},
         {"input_uncached": 90, "input_audio": 90, "output_text": 1}, [UNSETTLED]),
        ({"input_tokens": 90, "output_tokens": 1, "audio_tokens": 91}, {},
         {"input_uncached": 90, "input_audio": 91, "output_text": 1}, []),
        ({"input_tokens": 90, "output_tokens": 1, "audio_tokens": 80, "total_tokens": 91}, {},
         {"input_uncached": 10, "input_audio": 80, "output_text": 1}, []),
        ({"total_tokens": 12}, {"results": []}, {"input_uncached": 12}, []),
    ],
)  # fmt: skip
def test_where_media_stand(
    usage: dict[str, int], output: dict[str, Any], expected: dict[str, int], flags: list[str]
) -> None:
    (call,) = calls(read_lines(bodies, [body(usage, **output)]))
    assert (counts(call), call.flags) == (expected, flags)


def test_an_error_of_another_program_is_not_claimed() -> None:
    """Its three names are anybody's; only the address makes it Alibaba's."""
    error = {"code": "E42", "message": "no", "request_id": ID.format(1)}
    source = look_at_bytes(json.dumps(error).encode())
    assert recognise(source, ImportOptions())[0] is None


def test_the_compatible_api_writes_the_cache_inside_its_details() -> None:
    """`prompt_tokens_details.cache_creation_input_tokens`: 29,713 of 29,719 tokens were written."""
    compatible = {
        "id": "chatcmpl-6ada9ed2-7f33-9de2-8bb0-78bd4035025a", "object": "chat.completion",
        "created": 1767225600, "model": "qwen3-max", "choices": [],
        "usage": {
            "prompt_tokens": 29719, "completion_tokens": 435, "total_tokens": 30154,
            "completion_tokens_details": {"reasoning_tokens": 382, "text_tokens": 435},
            "prompt_tokens_details": {
                "text_tokens": 29719, "cache_creation": {"ephemeral_5m_input_tokens": 29713},
                "cache_creation_input_tokens": 29713, "cache_type": "ephemeral",
                "cached_tokens": 0,
            },
        },
    }  # fmt: skip
    (call,) = calls(read_lines(bodies, [compatible]))
    assert counts(call) == {
        "input_uncached": 6, "cache_write_5m": 29713, "output_text": 53, "reasoning": 382,
    }  # fmt: skip
