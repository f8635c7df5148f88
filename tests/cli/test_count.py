"""`count` and `calibrate` as a user runs them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

HI = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def write(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(v) + "\n" for v in values))
    return path


def test_a_text_is_counted_exactly(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "p.md").write_text("hello world")
    code, out, _ = tokenbooks("count", "p.md", "--model", "gpt-5.2", "--json")
    got = json.loads(out)
    assert code == 0
    assert (got["total"], got["low"], got["high"], got["basis"]) == (2, 2, 2, "exact")
    assert (got["kind"], got["encoding"]) == ("text", "o200k_base")


def test_a_request_body_is_counted_with_its_frame(tokenbooks: Run, workdir: Path) -> None:
    file = write(workdir / "b.json", HI)
    code, out, _ = tokenbooks("count", file, "--json")
    got = json.loads(out)
    assert code == 0
    assert (got["kind"], got["total"], got["parts"]) == ("request", 8, {"frame": 7, "messages": 1})
    code, out, _ = tokenbooks("count", file)
    assert "8 tokens  exact, gpt-4o" in out
    assert "frame around the messages" in out
    # The same JSON as plain text is another number, and a list of messages is a body too.
    assert json.loads(tokenbooks("count", file, "--text", "--model", "gpt-4o", "--json")[1])[
        "total"
    ] > 8  # fmt: skip
    talk = write(workdir / "m.json", HI["messages"])
    assert json.loads(tokenbooks("count", talk, "--model", "gpt-4o", "--json")[1])["total"] == 8


def test_a_batch_line_is_its_body(tokenbooks: Run, workdir: Path) -> None:
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": HI}
    file = write(workdir / "batch.jsonl", line)
    assert json.loads(tokenbooks("count", file, "--json")[1])["total"] == 8


def test_json_that_is_no_body_is_said_to_be_text(tokenbooks: Run, workdir: Path) -> None:
    file = write(workdir / "tools.json", [{"type": "function", "function": {"name": "f"}}])
    code, _, err = tokenbooks("count", file, "--model", "gpt-4o")
    assert code == 0 and "no request body: counted as the plain text" in err
    assert "no request body" not in tokenbooks("count", file, "--model", "gpt-4o", "--text")[2]


def test_an_earlier_date_has_its_own_rules(tokenbooks: Run, workdir: Path) -> None:
    file = write(workdir / "r.json", {"model": "gpt-4o", "input": "hi"})

    def total(*more: str) -> int:
        return json.loads(tokenbooks("count", file, "--json", *more)[1])["total"]

    assert (total(), total("--at", "2025-03-12")) == (8, 26)
    code, _, err = tokenbooks("count", file, "--at", "spring")
    assert code == 2 and "is not a date" in err


def test_standard_input(tokenbooks: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(b"hello world")

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert tokenbooks("count", "-", "--model", "gpt-4o")[1].startswith("2 tokens")


def test_an_estimate_shows_its_interval_and_basis(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "p.md").write_text("hello world " * 50)
    _, out, _ = tokenbooks("count", "p.md", "--model", "claude-sonnet-4-5", "--json")
    got = json.loads(out)
    assert got["basis"] == "ratio"
    assert got["low"] < got["total"] < got["high"]
    assert got["notes"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("p.md", "--model", "gpt-9"), 3, "Unknown model 'gpt-9'"),
        (("p.md",), 2, "which model? give --model"),
        (("none.md", "--model", "gpt-4o"), 3, "none.md: no such file"),
        (("bad.bin", "--model", "gpt-4o"), 3, "is not UTF-8 text (byte 2)"),
        (("b.json", "--endpoint", "chat"), 3, "Unknown endpoint 'chat'"),
        (("nomodel.json",), 2, "the body names no model"),
    ],
)
def test_errors_say_what_to_do(
    tokenbooks: Run, workdir: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (workdir / "p.md").write_text("hello")
    (workdir / "bad.bin").write_bytes(b"ab\xff")
    write(workdir / "b.json", HI)
    write(workdir / "nomodel.json", {"messages": HI["messages"]})
    got, _, err = tokenbooks("count", *arguments)
    assert (got, words in err) == (code, True), err


def test_a_damaged_vocabulary_is_an_error(
    tokenbooks: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pricing.counting import encode
    from pricing.counting.vocab import VOCABULARIES

    monkeypatch.setenv("TOKENBOOKS_CACHE_DIR", str(workdir / "cache"))
    folder = workdir / "cache" / "vocabularies"
    folder.mkdir(parents=True)
    (folder / VOCABULARIES["o200k_base"].cache_name).write_text("tampered")
    encode._load.cache_clear()
    (workdir / "p.md").write_text("hello")
    code, _, err = tokenbooks("count", "p.md", "--model", "gpt-4o")
    assert (code, "has been changed or damaged" in err) == (3, True), err


def pair(text: str, billed: int, model: str = "gpt-4o") -> dict:
    request = {"model": model, "messages": [{"role": "user", "content": text}]}
    usage = {"prompt_tokens": billed, "completion_tokens": 1, "total_tokens": billed + 1}
    return {"request": request, "response": {"model": f"{model}-2024-08-06", "usage": usage}}


def test_calibrate_finds_ratio_and_hidden_constant(tokenbooks: Run, workdir: Path) -> None:
    # n words and 7 tokens of frame are counted; twice that and 50 are billed.
    rows = [pair("hello " * n, 2 * (n + 1 + 7) + 50) for n in range(10, 110, 10)]
    rows.append(pair("hello", 99, model="gpt-4"))
    file = write(workdir / "pairs.jsonl", *rows)
    code, out, err = tokenbooks("calibrate", file, "--model", "gpt-4o", "--json")
    got = json.loads(out)
    assert code == 0, err
    assert got["slope"] == pytest.approx(2)
    assert got["offset"] == pytest.approx(50)
    assert (got["n"], got["skipped"]) == (10, {"another model": 1})
    assert got["example"] == {"total": 2050, "low": 2050, "high": 2050}
    _, out, _ = tokenbooks("calibrate", file, "--model", "gpt-4o")
    assert "gpt-4o: billed = 2.0000 x counted +50.0 tokens" in out


def test_calibrate_says_what_is_missing(tokenbooks: Run, workdir: Path, demo_db: Path) -> None:
    file = write(workdir / "pairs.jsonl", pair("hello", 8), {"usage": {"prompt_tokens": 3}})
    code, _, err = tokenbooks("calibrate", file, "--model", "gpt-4o")
    assert code == 3
    assert "has 1 usable calls of gpt-4o; at least 3" in err
    assert "1 x a line without a request" in err
    code, _, err = tokenbooks("calibrate", "--model", "gpt-5.2", "--db", demo_db)
    assert code == 3
    assert "The store keeps no request bodies: tag calls with your own estimate" in err
    assert tokenbooks("calibrate", file)[0] == 2


def test_calibrate_from_tagged_calls_of_the_store(tokenbooks: Run, workdir: Path) -> None:
    rows = [
        {"call_key": f"k{n}", "occurred_at": "2026-03-01T00:00:00Z", "provider": "anthropic",
         "model": "claude-sonnet-4-5", "input": 3 * n, "output": 1,
         "tags.estimated_tokens": str(2 * n)}
        for n in (100, 200, 300, 400)
    ]  # fmt: skip
    tokenbooks("ingest", write(workdir / "a.jsonl", *rows), "--db", "t.duckdb", "--strict")
    code, out, err = tokenbooks(
        "calibrate", "--model", "claude-sonnet-4-5", "--db", "t.duckdb", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["slope"] == pytest.approx(1.5)


def test_a_folder_is_sent_to_check(tokenbooks: Run, tmp_path: Path) -> None:
    code, _, err = tokenbooks("count", str(tmp_path), "--model", "gpt-4o")
    assert code == 2 and "tokenbooks check" in err
