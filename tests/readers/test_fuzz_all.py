"""Garbage in, nothing priced out: every reader meets bytes, text and tables that mean nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.files import Source, UnreadableFile, look_at_bytes
from ingest.importer import ImportOptions, recognise
from ingest.readers import all_readers
from ingest.readers.base import ReadContext, Result
from ingest.readers.mapping import FIELDS
from ingest.record import UsageRecord
from tests.readers import test_fuzz, test_fuzz_logs
from tests.readers.golden import FIXTURES

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip


def test_every_reader_is_fuzzed() -> None:
    structured = {*test_fuzz.READERS, *test_fuzz_logs.READERS, "table"}
    assert structured == set(all_readers())


def results(reader: Any, source: Source) -> list[Result]:
    try:
        return list(reader.read(source, ReadContext(source)))
    except UnreadableFile:
        return []


def no_call(source: Source) -> None:
    """No reader makes a countable call of it, and none claims it."""
    assert recognise(source, ImportOptions())[0] is None
    for name, reader in all_readers().items():
        for result in results(reader, source):
            if isinstance(result, UsageRecord):
                assert not any(result.counts.values()), name
                assert result.source_cost_usd is None, name


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    no_call(look_at_bytes(b"\x7f" + data))


@QUICK
@given(st.text(max_size=200), st.sampled_from(["", "data: ", "{", "[", "a,b\n", "event: x\n"]))
def test_any_text(text: str, start: str) -> None:
    no_call(look_at_bytes((start + text).encode("utf-8", "replace")))


def numbers(value: Any) -> int:
    """The sum of all numbers in a document that could be counts, those in its texts too."""
    if isinstance(value, dict):
        return sum(map(numbers, value.values()))
    if isinstance(value, list):
        return sum(map(numbers, value))
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return abs(value) if abs(value) < 2**53 else 0  # larger ones are refused
    if isinstance(value, float):
        return math.ceil(abs(value)) if abs(value) < 2**53 else 0
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return numbers(json.loads(value))
        except ValueError:
            return 0
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else 0


FILES = [
    path
    for path in sorted(FIXTURES.rglob("*.jsonl"))
    if path.parent.name in ("openai_chat", "openai_responses", "anthropic_messages", "gemini",
                            "bedrock", "claude_code", "codex", "openrouter", "cohere")
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_tokens_come_from_numbers_in_the_file(path: Any, data: st.DataObject) -> None:
    """Whatever is exchanged, no reader counts more tokens than the file has numbers for."""
    found = test_fuzz_logs.documents(path)
    for _ in range(data.draw(st.integers(1, 3))):
        spots = test_fuzz_logs.places(found)
        holder, key = spots[data.draw(st.integers(0, len(spots) - 1))]
        holder[key] = data.draw(test_fuzz_logs.odd)
    # Running totals: the differences of one thread are no more than its numbers.
    most = sum(map(numbers, found))
    source = look_at_bytes("\n".join(map(json.dumps, found)).encode())
    reader = recognise(source, ImportOptions())[0]
    for result in results(reader, source) if reader is not None else []:
        if isinstance(result, UsageRecord):
            assert sum(v or 0 for v in result.counts.values()) <= most


cells = st.one_of(
    st.sampled_from(["", "12", "-1", "1e400", "NaN", "31,422.0", "gpt-5.2", "2026-01-05T10:00:00Z",
                     "true", "0x10", "1_000", "\u0663"]),
    st.text(max_size=6),
)  # fmt: skip


@QUICK
@given(st.lists(st.lists(cells, min_size=6, max_size=6), min_size=1, max_size=5), st.data())
def test_any_table_in_our_own_columns(rows: list[list[str]], data: st.DataObject) -> None:
    names = ["occurred_at", "provider", "model", *data.draw(
        st.lists(st.sampled_from(FIELDS), min_size=3, max_size=3, unique=True)
    )]  # fmt: skip
    clean = [[c.replace(",", "").replace('"', "").replace("\n", "").replace("\r", "") for c in row]
             for row in rows]  # fmt: skip
    text = "\n".join(",".join(row) for row in [names, *clean])
    source = look_at_bytes(text.encode("utf-8", "replace"))
    for result in results(all_readers()["table"], source):
        if isinstance(result, UsageRecord):
            test_fuzz.check([result])
            assert result.occurred_at is not None
