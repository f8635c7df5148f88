"""Claude Code sessions: one call an answer, however often its lines were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.readers import claude_code
from ingest.readers.base import ReadContext, Result
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

FIXTURE = FIXTURES / "claude_code" / "session.jsonl"


def read(lines: list[Any]) -> list[Result]:
    data = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines).encode()
    source = look_at_bytes(data)
    return list(claude_code.READER.read(source, ReadContext(source)))


def line(message_id: str | None, output: int, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": output, **more.pop("usage", {})}
    return {
        "type": "assistant",
        "sessionId": "s",
        "timestamp": "2026-01-02T03:04:05Z",
        "message": {"id": message_id, "model": "claude-opus-4-5", "usage": usage},
        **more,
    }


def calls(results: list[Result]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


def test_session_is_read_as_its_golden_file_says() -> None:
    results = check_golden(claude_code, FIXTURE, FIXTURE.with_suffix(".golden.json"))
    assert "SECRET" not in repr(results)
    assert [r.line for r in results if isinstance(r, Reject)] == [11, 14]


def test_sample_has_the_calls_its_readme_states() -> None:
    files = sorted(SAMPLES.glob("claude-code/*1af7fc5e*"))
    if not files:
        pytest.skip("../shared/samples is absent")
    found = calls(read_all(claude_code, files[0]))
    totals = {n: sum(r.counts.get(n) or 0 for r in found) for r in found for n in r.counts}
    assert len(found) == 7
    assert (totals["input_uncached"], totals["output_text"]) == (93, 953)
    assert totals["cache_write_5m"] + totals["cache_write_1h"] == 12_698
    assert totals["cache_read"] == 103_219


LONG = "msg_01" + "x" * 20


def test_most_tokens_win_whatever_the_order() -> None:
    for order in ([8, 322, 40], [322, 8, 40], [8, 40, 322]):
        (only,) = calls(read([line(LONG, n, requestId="req_1") for n in order]))
        assert only.counts["output_text"] == 322


def test_long_message_id_is_one_call_in_every_session() -> None:
    first = calls(read([line(LONG, 8, requestId="req_1", sessionId="a")]))
    again = calls(read([line(LONG, 8, requestId="req_2", sessionId="b")]))
    assert first[0].call_key == again[0].call_key == f"anthropic:{LONG}"


def test_short_message_ids_need_the_request_id() -> None:
    assert len(calls(read([line("7", 8, requestId="a"), line("7", 8, requestId="b")]))) == 2
    assert len(calls(read([line("7", 8, requestId="a"), line("7", 8, requestId="a")]))) == 1
    assert len(calls(read([line("7", 8), line("7", 8)]))) == 1


def test_sidechain_copy_of_a_short_id_is_the_parents_call() -> None:
    copy = line("7", 8, requestId="b", isSidechain=True)
    parent = line("7", 8, requestId="a")
    for lines in ([copy, parent], [parent, copy]):
        (only,) = calls(read(lines))
        assert "sidechain" not in only.tags
    assert len(calls(read([copy, line("8", 8, requestId="a")]))) == 2


def test_at_equality_the_line_with_speed_wins() -> None:
    (only,) = calls(read([line(LONG, 8), line(LONG, 8, usage={"speed": "fast"}), line(LONG, 8)]))
    assert only.tier == "fast"


def test_without_a_time_the_record_says_so() -> None:
    (only,) = calls(read([line(LONG, 8, timestamp=None)]))
    assert only.time_assumed


def test_a_lone_result_is_no_call() -> None:
    results = read([{"type": "result", "modelUsage": {}, "usage": {"input_tokens": 5}}])
    assert [type(r) for r in results] == [Reject]
    assert "sum" in results[0].reason  # type: ignore[union-attr]


def test_recognised_by_content(tmp_path: Path) -> None:
    assert claude_code.READER.identify(look_at_bytes(FIXTURE.read_bytes())) > 0.9
    other = b'{"id": "chatcmpl-1", "object": "chat.completion", "usage": {"prompt_tokens": 1}}\n'
    assert claude_code.READER.identify(look_at_bytes(other)) == 0
