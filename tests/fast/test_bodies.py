"""Bodies read in bulk are what their reader makes of them, whatever keys and values they have."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.importer import ImportOptions
from tests.fast.both import SHARED, same

CHAT: dict[str, Any] = {
    "id": "chatcmpl-BI9zeX5oxGehJnciAiPXRPREee0001", "object": "chat.completion",
    "created": 1767225600, "model": "gpt-5.2", "service_tier": "default",
    "choices": [{"message": {"role": "assistant", "content": "hi [there, {you}] \"friend\" \\ é"}}],
    "usage": {
        "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
    },
}  # fmt: skip
RESPONSE: dict[str, Any] = {
    "id": "resp_1234567890123456789012", "object": "response", "created_at": 1767225600.0,
    "status": "completed", "model": "gpt-5.2", "service_tier": "flex", "metadata": {},
    "reasoning": {"effort": "high", "summary": None}, "user": None, "error": None,
    "usage": {
        "input_tokens": 500, "output_tokens": 900, "total_tokens": 1400,
        "input_tokens_details": {
            "cached_tokens": 100, "cache_write_tokens": 300,
            "cache_write_tokens_details": {"ttl_30m_tokens": 300, "ttl_12h_tokens": 0},
        },
        "output_tokens_details": {"reasoning_tokens": 640},
    },
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "msg_01234567890123456789", "type": "message", "role": "assistant",
    "model": "claude-opus-4-5", "content": [], "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 3, "cache_read_input_tokens": 9000, "cache_creation_input_tokens": 800,
        "cache_creation": {"ephemeral_5m_input_tokens": 800, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 120, "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 1},
    },
}  # fmt: skip
BODIES = [CHAT, RESPONSE, MESSAGE]


def _words() -> list[str]:
    """Every text in the code that reads bodies: all names that could mean something to it."""
    root = Path(__file__).parents[2]
    names = ["bodies", "openai_chat", "openai_responses", "anthropic_messages", "openrouter",
             "gemini", "bedrock", "cohere", "base", "wrapping", "streams"]  # fmt: skip
    files = [root / f"ingest/readers/{name}.py" for name in names]
    files += sorted((root / "pricing/usage").glob("*.py"))
    found: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return sorted(w for w in found if 0 < len(w) < 40 and w.isprintable())


VALUES = st.one_of(
    st.sampled_from(_words()),
    st.sampled_from(
        [None, True, False, 0, 1, 7, -1, 1.5, 800.0, 10**12, 2**53, 1767225600, 1767225600.5,
         "2026-03-01T12:00:00Z", "2026-03-01T12:00:00+01:00", {}, [], [{}], "",
         " x ", "ü", "x" * 300, "a,]",
         "gen-123456789012345678", "grok-4", "https://api.x.ai/v1", "https://openrouter.ai/api",
         "https://x.openai.azure.com/a", {"effort": "low"}, {"team": "a"}, {"id": "c"},
         {"web_search": {"num_requests": 3}}, {"image_gen": {"input_tokens": 5}},
         {"cached_tokens": 5}, {"prompt_tokens": 1}, {"usage": {"input_tokens": 2}},
         {"content_filter_results": {}}, [{"content_filter_results": {}}], {"date": "x"},
         [{"type": "compaction", "input_tokens": 5}], [{"type": "message"}], "failed", "queued"]
    ),
)  # fmt: skip


@st.composite
def body(draw: st.DrawFn) -> dict[str, Any]:
    """A body with a few of its values, at any depth, changed, added or taken away."""
    made = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    if draw(st.booleans()):
        made["id"] = f"{made['id'][:24]}{draw(st.integers(0, 99)):04}"
    for _ in range(draw(st.integers(0, 3))):
        place = made
        while draw(st.booleans()):
            inner = [v for v in place.values() if isinstance(v, dict)]
            if not inner:
                break
            place = draw(st.sampled_from(inner))
        name = draw(st.sampled_from([*place, "usage"]) | st.sampled_from(_words()))
        if draw(st.integers(0, 4)):
            place[name] = draw(VALUES)
        else:
            place.pop(name, None)
    return made


AROUND: dict[str, Any] = {
    "timestamp": "2026-03-01T12:00:00.250Z", "team": "search", "session_id": "s1",
    "latency_ms": 850, "user": "u7",
    "request": {"model": "gpt-5.2", "service_tier": "auto", "reasoning_effort": "low"},
}  # fmt: skip


@st.composite
def document(draw: st.DrawFn) -> dict[str, Any]:
    """A body, perhaps beside its request."""
    inner = draw(body())
    if draw(st.booleans()):
        return inner
    made = json.loads(json.dumps(AROUND)) | {"response": inner}
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from([made, made["request"]]))
        if isinstance(place, dict):
            name = draw(st.sampled_from(_words()) | st.sampled_from(list(place) or ["a"]))
            place[name] = draw(VALUES)
        if not isinstance(made.get("request"), dict):
            break
    return made


@st.composite
def line(draw: st.DrawFn) -> str:
    """A document as a line of JSON, now and then broken, doubled or escaped."""
    text = json.dumps(draw(document()), ensure_ascii=draw(st.booleans()))
    match draw(st.integers(0, 12)):
        case 0:
            return text[: draw(st.integers(0, len(text)))]
        case 1:
            return text.replace('"usage"', draw(st.sampled_from(
                ['"usage": null, "usage"', '"\\u0075sage"', '"usage": {"prompt_tokens": 5}, "x"']
            )))  # fmt: skip
        case 2:
            return text.replace("}", ",}", 1)
        case 3:
            return text.replace("800", draw(st.sampled_from(["800.0", "8e2", "NaN", "nan", "-0"])))
        case _:
            return text


EXAMPLES = 15
RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@given(
    st.lists(line(), max_size=8), st.booleans(), st.sampled_from(range(3)),
    st.sampled_from([{}, {"team": "ops"}, {"tier": "batch", "origin": "x"}]),
    st.sampled_from([0, 3000]),
)  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=RELAXED)
def test_bodies(
    tmp_path: Path, lines: list[str], pairs: bool, first: int, stamps: dict[str, str], block: int
) -> None:
    path = tmp_path / "x.jsonl"
    plain = BODIES[first]
    head = json.dumps({**AROUND, "response": plain} if pairs else plain)
    path.write_text("\n".join([head] * (len(lines) + 2) + lines), "utf-8")
    # In small blocks most lines meet a shape that is known by then.
    same(path, ImportOptions(format="bodies", stamps=stamps), block)


@pytest.mark.parametrize("plain", BODIES, ids=["chat", "responses", "messages"])
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("block", [0, 3000])
def test_plain_bodies_are_all_read_in_bulk(
    tmp_path: Path, plain: dict[str, Any], pairs: bool, block: int
) -> None:
    path = tmp_path / "x.jsonl"
    made = [{**plain, "id": plain["id"][:-4] + f"{n:04}"} for n in range(40)]
    made[7]["usage"] = {**plain["usage"], "service_tier": 5}
    made[8]["model"] = "gpt-5-mini"
    made[9]["usage"] = "none"
    lines = [json.dumps({**AROUND, "response": b} if pairs else b) for b in made]
    path.write_text("\n".join(lines), "utf-8")
    outcome = same(path, block=block)
    assert outcome.in_bulk == 39  # all but the one whose usage is no object
    (row,) = [r for r in outcome.rows if r[0].endswith("0008")]
    assert "gpt-5-mini" in row


@pytest.mark.parametrize(
    ("content", "in_bulk"),
    [
        (", information [INFO] (nan) : Infinite, nancy", 3),
        ("[inf], or so", 2),  # might be a number: the reader looks
        ("a list [1, 2,]", 2),
    ],
)
def test_words_in_a_text_that_look_like_numbers(tmp_path: Path, content: str, in_bulk: int) -> None:
    path = tmp_path / "x.jsonl"
    texts = ["hello", content, "hello"]
    made = [
        {**CHAT, "id": f"{CHAT['id']}{n}", "choices": [{"message": {"content": text}}]}
        for n, text in enumerate(texts)
    ]
    path.write_text("\n".join(map(json.dumps, made)), "utf-8")
    assert same(path).in_bulk == in_bulk


@pytest.mark.parametrize("number", ["nan", "-inf", "Infinity", "INF", "+nan", "1" * 300])
def test_numbers_that_python_and_duckdb_read_apart_are_left(tmp_path: Path, number: str) -> None:
    path = tmp_path / "x.jsonl"
    lines = [
        json.dumps({**CHAT, "id": f"{CHAT['id']}{n}", "choices": [{"logprob": "HERE"}]})
        for n in range(3)
    ]
    lines[1] = lines[1].replace('"HERE"', number)
    path.write_text("\n".join(lines), "utf-8")
    assert same(path).in_bulk == 2


def test_every_sample_both_ways() -> None:
    if not SHARED.is_dir():
        pytest.skip("the samples are not here")
    bulk = 0
    for path in sorted(p for p in SHARED.rglob("*") if p.suffix in (".jsonl", ".csv", ".parquet")):
        try:
            bulk += same(path, block=50_000).in_bulk
        except AssertionError as error:
            if "no known log format" not in str(error):
                raise AssertionError(path.name) from error
    assert bulk > 20
