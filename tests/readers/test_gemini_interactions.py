"""Google's Interactions API, and what its other addresses say of thoughts and searches."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ingest.readers import bodies
from ingest.readers.base import ReadContext
from ingest.record import UsageRecord
from pricing import price_call
from tests.readers.probe import calls, counts, read_lines

USAGE = {
    "total_input_tokens": 1000,
    "input_tokens_by_modality": [
        {"modality": "text", "tokens": 400},
        {"modality": "audio", "tokens": 600},
    ],
    "total_cached_tokens": 100,
    "total_output_tokens": 20,
    "total_thought_tokens": 30,
    "total_tool_use_tokens": 5,
    "total_tokens": 1055,
}
DONE = {
    "id": "v1_Interaction000000001",
    "object": "interaction",
    "model": "gemini-2.5-flash",
    "status": "completed",
    "created": "2026-07-01T10:00:00Z",
    "usage": USAGE,
}
WANTED = {
    "input_uncached": 305,  # 400 text, 100 of them cached, and 5 of a tool's prompt
    "input_audio": 600,
    "cache_read": 100,
    "output_text": 20,
    "reasoning": 30,
}


def only(document: Mapping[str, object]) -> UsageRecord:
    (record,) = calls(read_lines(bodies, [document]))
    return record


def test_a_body() -> None:
    record = only(DONE)
    assert counts(record) == WANTED
    assert record.call_key == "google:v1_Interaction000000001"
    assert (record.model, record.total_reported, record.flags) == ("gemini-2.5-flash", 1055, [])
    assert str(record.occurred_at) == "2026-07-01 10:00:00"


def test_vertex_writes_it_in_camel_case() -> None:
    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(map(str.capitalize, rest))

    assert counts(only({**DONE, "usage": {camel(k): v for k, v in USAGE.items()}})) == WANTED


def test_a_polled_interaction_is_partial_until_it_is_completed() -> None:
    waiting = {k: v for k, v in DONE.items() if k != "usage"} | {"status": "in_progress"}
    first, last = calls(read_lines(bodies, [waiting, DONE]))
    assert (first.finality, last.finality) == ("partial", "final")
    assert first.call_key == last.call_key


def test_a_stream_is_one_call_with_its_last_usage() -> None:
    started = {"id": DONE["id"], "model": "gemini-2.5-flash", "status": "in_progress"}
    events = [
        {"event_type": "interaction.created", "interaction": started},
        {"event_type": "step.delta", "index": 0, "delta": {"text": "x"}},
        {"event_type": "interaction.completed", "interaction": {**DONE, "created": None}},
    ]
    text = "".join(f"event: {e['event_type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    from ingest.files import look_at_bytes

    source = look_at_bytes(text.encode())
    (record,) = calls(bodies.READER.read(source, ReadContext(source)))
    assert counts(record) == WANTED
    assert record.finality == "final"


def test_searches_have_a_free_quota_and_are_told() -> None:
    body = {
        "candidates": [{"groundingMetadata": {"webSearchQueries": ["a", "b", "a"]}}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
        "modelVersion": "gemini-2.5-flash",
    }
    assert only(body).flags == [
        "2 grounding searches are billed beyond Google's free quota: not counted here"
    ]
    usage = {**USAGE, "grounding_tool_count": [{"type": "google_search", "count": 3}]}
    assert [f[:1] for f in only({**DONE, "usage": usage}).flags] == ["3"]


def test_the_compatible_address_hides_thoughts_in_the_total() -> None:
    usage = {"prompt_tokens": 758, "completion_tokens": 102, "total_tokens": 1725}
    body = {"object": "chat.completion", "created": 1773000000, "model": "gemini-2.5-pro"}
    record = only({**body, "id": "abcdefghijkl1234", "usage": usage})
    assert record.provider == "google"
    assert counts(record) == {"input_uncached": 758, "output_text": 102, "reasoning": 865}
    priced = price_call("google", "gemini-2.5-pro", usage, at="2026-03-01")
    # 758 at 1.25 and 967 at 10 USD per million
    assert str(priced.cost_usd) == "0.010617500000"
    exact = {**usage, "total_tokens": 860}
    assert counts(only({**body, "usage": exact})) == {"input_uncached": 758, "output_text": 102}


def test_langchains_usage_metadata_is_not_googles() -> None:
    message = {
        "type": "ai",
        "usage_metadata": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    }
    assert not calls(read_lines(bodies, [message, DONE]))[1:]
