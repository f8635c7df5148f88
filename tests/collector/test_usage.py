"""POST /v1/usage and /v1/litellm: what is accepted, once each; what is refused, and why."""

from __future__ import annotations

import gzip
import json
import socket
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ingest.collector import Limits
from tests.collector.serving import Served, serving

NOW = "2026-03-01T12:00:00Z"


def chat(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:029d}",
        "object": "chat.completion",
        "created": 1772366400 + number,
        "model": "gpt-5.2-2025-12-11",
        "service_tier": "default",
        "choices": [{"message": {"role": "assistant", "content": "the answer"}}],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1050,
            "prompt_tokens_details": {"cached_tokens": 800},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
        **more,
    }


def post(served: Served, body: Any, path: str = "/v1/usage", **headers: str) -> httpx.Response:
    return httpx.post(f"{served.url}{path}", json=body, headers=headers)


def stored(served: Served, key: str) -> list[tuple[Any, ...]]:
    return served.rows(
        "SELECT input_uncached, cache_read, output_text, reasoning, team, cost_usd, status"
        f" FROM calls WHERE call_key = '{key}'"
    )


def test_a_response_body_is_stored_and_priced_when_the_answer_comes(served: Served) -> None:
    answer = post(served, {"team": "search", "response": chat(1)})
    assert (answer.status_code, answer.json()) == (
        200,
        {"accepted": 1, "rejected": 0, "ignored": 0, "errors": []},
    )
    # gpt-5.2: 1.75, 0.175 and 14 USD per million.
    cost = Decimal("0.00035") + Decimal("0.00014") + Decimal("0.0007")
    assert stored(served, f"openai:chatcmpl-{1:029d}") == [
        (200, 800, 30, 20, "search", cost, "exact")
    ]


def test_the_same_request_again_doubles_nothing(served: Served) -> None:
    batch = [chat(10), chat(11), {**chat(12), "id": None}, {**chat(12), "id": None}]
    before = served.rows("SELECT count(*) FROM calls")[0][0]
    for _ in range(3):
        assert post(served, batch).json()["accepted"] == 4
    # The two without an id are equal: two calls of one request, and the same two every time.
    assert served.rows("SELECT count(*) FROM calls")[0][0] == before + 4


def test_equal_documents_without_ids_are_told_apart_by_an_idempotency_key(served: Served) -> None:
    document = {"provider": "openai", "model": "gpt-5.2", "input": 10, "output": 5}
    before = served.rows("SELECT count(*) FROM calls")[0][0]
    for key in ("a", "b", "a"):
        assert post(served, document, **{"Idempotency-Key": key}).status_code == 200
    assert served.rows("SELECT count(*) FROM calls")[0][0] == before + 2


def test_bodies_without_ids_and_with_equal_counts_are_two_calls(served: Served) -> None:
    before = served.rows("SELECT count(*) FROM calls")[0][0]
    for latency in (310, 311, 310):
        answer = post(served, {**chat(0), "id": None, "metrics": {"latencyMs": latency}})
        assert answer.status_code == 200, answer.text
    assert served.rows("SELECT count(*) FROM calls")[0][0] == before + 2


def test_an_own_record_has_the_key_its_row_has_in_a_file(served: Served, tmp_path: Path) -> None:
    from ingest.importer import ImportOptions, import_paths
    from pricing.catalogue import default_catalogue

    record = {
        "occurred_at": NOW, "provider": "openai", "model": "gpt-5.2", "input": 1000,
        "cache_read": 800, "output": 50, "reasoning": 20, "team": "own", "tags": {"run": "7"},
    }  # fmt: skip
    assert post(served, [record, record]).json()["accepted"] == 2
    assert served.rows("SELECT count(*), sum(cache_read) FROM calls WHERE team = 'own'") == [
        (2, 1600)
    ]
    log = tmp_path / "own.jsonl"
    log.write_text(f"{json.dumps(record)}\n{json.dumps(record)}\n")
    cursor = served.store.cursor()
    report = import_paths(cursor, default_catalogue(), [log], ImportOptions())[0]
    cursor.close()
    assert (report.added, report.duplicates) == (0, 2)


def test_lines_of_json_gzip_and_a_records_object(served: Served) -> None:
    lines = "\n".join(json.dumps(chat(n)) for n in (20, 21)).encode()
    answer = httpx.post(
        f"{served.url}/v1/usage",
        content=gzip.compress(lines[:90]) + gzip.compress(lines[90:]),
        headers={"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
    )
    assert answer.json()["accepted"] == 2
    assert post(served, {"records": [chat(22)]}).json()["accepted"] == 1
    assert len(served.rows("SELECT 1 FROM calls WHERE call_key LIKE '%00000000002_'")) == 3


def test_good_records_of_a_batch_are_kept_and_bad_ones_named(served: Served) -> None:
    bad = {"provider": "openai", "model": "gpt-5.2", "input": 10, "cache_raed": 8, "output": 1}
    answer = post(served, [chat(30), bad, 7, {**chat(31), "usage": {"prompt_tokens": -1}}])
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (1, 3)
    assert told["errors"][0] == {
        "index": 1,
        "reason": "unknown field 'cache_raed'; did you mean 'cache_read'?",
    }
    assert told["errors"][1] == {"index": 2, "reason": "not a JSON object"}
    assert told["errors"][2]["index"] == 3
    assert "negative" in told["errors"][2]["reason"]
    # Kept once a day with the reason, without the text, counted in the ledger's row.
    assert served.rows("SELECT count(*) FROM rejects WHERE reason LIKE 'unknown field%'") == [(1,)]
    assert served.rows("SELECT count(*) FROM rejects WHERE raw IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b'{"id": "chatcm', "application/json", 400, "the body is incomplete JSON"),
        (b"[1, 2,, 3]", "application/json", 400, "not JSON"),
        (b"", "application/json", 400, "the body is empty"),
        (b"[]", "application/json", 400, "the list is empty"),
        (b"\xff\xfe\xff", "application/json", 400, "not UTF-8 (byte 0)"),
        (b"[" * 100_000, "application/json", 400, "nested too deeply"),
        (b'{"a": 1}', "application/json", 400, "no usage"),
        (b'{"a": 1}', "text/plain", 415, "application/json"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
def test_malformed_bodies(served: Served, body: bytes, kind: str, status: int, reason: str) -> None:
    answer = httpx.post(
        f"{served.url}/v1/usage", content=body, headers={"Content-Type": kind}, timeout=20
    )
    assert answer.status_code == status
    assert reason in answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"occurred_at": "2014-12-31"}, "before 2015"),
        ({"occurred_at": "2999-01-01"}, "future"),
        ({"occurred_at": "soon"}, "is not a time"),
        ({"requests": 2**31}, "requests"),
        ({"source_cost_usd": "1e30"}, "charge"),
        ({"input": 10**60}, "too large"),
        ({"input": 10**400}, "input = 1000"),
        ({"provider": ""}, "'provider' is missing"),
    ],
)
def test_records_the_store_cannot_hold(served: Served, change: dict[str, Any], reason: str) -> None:
    record = {"provider": "openai", "model": "gpt-5.2", "input": 10, "output": 1, **change}
    answer = post(served, record)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_odd_text_is_stored_readably(served: Served) -> None:
    record = {
        "provider": "openai", "model": "gpt-5.2", "call_key": "odd\ud800\x00", "input": 1,
        "output": 1, "source_cost_usd": "0.12345678901234567", "team": "x" * 999,
    }  # fmt: skip
    body = json.dumps(record).encode()
    answer = httpx.post(
        f"{served.url}/v1/usage", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    assert served.rows(
        "SELECT length(team), source_cost_usd FROM usage WHERE starts_with(call_key, 'odd')"
    ) == [(200, Decimal("0.123456789012"))]


def test_litellm_payloads_and_alerts(served: Served) -> None:
    payload = {
        "id": "chatcmpl-litellm0000000000000001", "call_type": "acompletion", "model": "gpt-5.2",
        "custom_llm_provider": "openai", "response_cost": 0.0012, "startTime": 1772366400.0,
        "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
        "metadata": {"user_api_key_team_id": "ml"}, "messages": [{"content": "SECRET"}],
    }  # fmt: skip
    alert = {"event": "budget_crossed", "event_group": "key", "spend": 3.5, "token": "hash"}
    answer = post(served, [payload, alert], "/v1/litellm")
    assert answer.json() == {"accepted": 1, "rejected": 0, "ignored": 1, "errors": []}
    assert post(served, payload, "/v1/litellm").status_code == 200
    assert post(served, alert, "/v1/litellm").json()["ignored"] == 1
    assert served.rows(
        "SELECT team, input_total, source_cost_usd FROM calls WHERE call_key LIKE '%litellm0%'"
    ) == [("ml", 100, Decimal("0.0012"))]
    assert post(served, {"model": "x"}, "/v1/litellm").status_code == 400


def test_the_ledger_has_one_row_a_day(served: Served) -> None:
    post(served, chat(40))
    post(served, chat(40))
    rows = served.rows(
        "SELECT path, format, records - added - replaced - duplicates FROM imports"
        " WHERE format = 'collector'"
    )
    assert len(rows) in (1, 2)  # two when the tests run over midnight
    assert all(path.startswith("collector:") and rest == 0 for path, _, rest in rows)


def test_tokens_and_hosts(db: Path) -> None:
    with serving(db, token="s3cret") as running:
        assert post(running, chat(1)).status_code == 401
        assert post(running, chat(1), Authorization="Bearer wrong").status_code == 401
        assert post(running, chat(1), Authorization="Bearer s3cret").status_code == 200
        export = httpx.post(
            f"{running.url}/v1/traces", headers={"Content-Type": "application/x-protobuf"}
        )
        assert export.status_code == 401
        assert export.headers["www-authenticate"] == "Bearer"


def test_a_foreign_name_for_this_machine_is_turned_away(served: Served) -> None:
    assert post(served, chat(1), Host="rebound.example").status_code == 403


def test_limits_hold_packed_and_unpacked(db: Path) -> None:
    limit = 2000
    with serving(db, limits=Limits(max_body=limit)) as running:

        def send(body: bytes, **headers: str) -> int:
            headers = {"Content-Type": "application/json", **headers}
            return httpx.post(f"{running.url}/v1/usage", content=body, headers=headers).status_code

        exactly = json.dumps(chat(1)).encode().ljust(limit)
        assert send(exactly) == 200
        assert send(exactly + b" ") == 413
        packed = {"Content-Encoding": "gzip"}
        assert send(gzip.compress(exactly), **packed) == 200
        assert send(gzip.compress(exactly + b" "), **packed) == 413
        assert send(gzip.compress(b" " * 1_000_000)[:limit], **packed) == 413
        assert send(gzip.compress(b" " * limit) + gzip.compress(b" "), **packed) == 413
        assert send(gzip.compress(exactly)[:-4], **packed) == 400
        assert send(b"plain", **packed) == 400
        assert send(exactly, **{"Content-Encoding": "br"}) == 415
        chunks = iter([b" "] * 100 + [b" " * 2000])
        answer = httpx.post(
            f"{running.url}/v1/usage", content=chunks, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413


def test_a_misspelt_count_is_named_though_it_is_the_only_one(served: Served) -> None:
    answer = post(served, {"provider": "openai", "model": "gpt-5.2", "inputt": 5})
    assert answer.status_code == 400
    assert answer.json()["error"] == "unknown field 'inputt'; did you mean 'input'?"


def test_a_door_is_for_posting(served: Served) -> None:
    answer = httpx.get(f"{served.url}/v1/usage")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": "send it with POST"}


def test_the_lines_of_a_stream_that_count_nothing_are_no_calls(served: Served) -> None:
    opening = {"model": "m", "created_at": "2026-01-05T10:00:00Z", "response": "a", "done": False}
    closing = {**opening, "response": "", "done": True, "prompt_eval_count": 3, "eval_count": 4}
    answer = post(served, [opening, opening, closing])
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 2)


def test_a_sender_that_dawdles_is_let_go_and_holds_up_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("ingest.collector.routes"), "_PATIENCE", 1.0)
    port = urlsplit(served.url).port
    head = b"POST /v1/usage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port or 0), timeout=10) as slow:
        slow.sendall(head + b"Content-Length: 100\r\n\r\n{")
        assert post(served, chat(771)).status_code == 200
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    with socket.create_connection(("127.0.0.1", port or 0), timeout=10) as leaver:
        leaver.sendall(head + b"Content-Length: 100\r\n\r\n{")
    assert post(served, chat(772)).status_code == 200
