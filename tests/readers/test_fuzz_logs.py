"""Whatever a file holds, no reader of logs and reports raises or counts below zero."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.files import Source, UnreadableFile, look_at_bytes
from ingest.readers import (
    anthropic_admin,
    azure,
    bedrock,
    bodies,
    claude_code,
    codex,
    deepseek,
    openai_org,
    openrouter,
)
from ingest.readers.base import ReadContext
from ingest.record import Reject, ReportedRow, UsageRecord
from tests.readers.golden import FIXTURES

READERS = {
    m.READER.name: m.READER
    for m in (
        anthropic_admin,
        azure,
        bedrock,
        bodies,
        claude_code,
        codex,
        deepseek,
        openai_org,
        openrouter,
    )
}
FOLDERS = (
    "anthropic_admin", "anthropic_messages", "azure", "bedrock", "claude_code", "codex", "cohere",
    "dashscope", "deepseek", "gemini", "ollama", "openai_batch", "openai_chat", "openai_compatible",
    "openai_media", "openai_org", "openai_responses", "openrouter",
)  # fmt: skip
PATHS = [
    p for name in FOLDERS for p in sorted((FIXTURES / name).iterdir()) if ".golden." not in p.name
]
QUICK = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(10**320), 10**320),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "1e999999", "-1", "NaN", "sNaN", "2026-01-05T10:00:00Z", "{}", "\ud800"]),
    st.just([]),
    st.just({}),
    st.just([None, 1, "x", {}]),
    st.just({"a": {"b": [1]}, "type": "message", "usage": 3}),
)


def check(source: Source) -> None:
    for reader in READERS.values():
        assert 0 <= reader.identify(source) <= 1
        try:
            results = list(reader.read(source, ReadContext(source)))
        except UnreadableFile:  # one JSON document that is not text: the importer says so
            continue
        for result in results:
            if isinstance(result, Reject):
                assert result.reason
                assert len(result.reason) < 400
                continue
            assert isinstance(result, UsageRecord | ReportedRow)
            assert all(
                v is None or (type(v) is int and 0 <= v < 2**60) for v in result.counts.values()
            )
            if isinstance(result, UsageRecord):
                assert result.call_key
                assert result.occurred_at is not None
                assert result.occurred_at.tzinfo is None
                assert result.source_cost_usd is None or result.source_cost_usd >= 0
                assert result.latency_ms is None or result.latency_ms >= 0
            else:
                assert result.period_start < result.period_end
                assert result.slice_key


def documents(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return [json.loads(text)]
    if path.suffix == ".sse":
        text = "\n".join(x[5:] for x in text.splitlines() if x.startswith("data:"))
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        found += places(value[key])
    return found


def as_lines(found: list[Any]) -> bytes:
    return "\n".join(json.dumps(d) for d in found).encode()


def as_events(found: list[Any]) -> bytes:
    return "".join(f"data: {json.dumps(d)}\n\n" for d in found).encode()


def as_array(found: list[Any]) -> bytes:
    return json.dumps(found).encode()


@pytest.mark.parametrize("path", [p for p in PATHS if p.suffix != ".csv"], ids=lambda p: p.name)
@QUICK
@given(
    st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=4),
    st.sampled_from([as_lines, as_events, as_array]),
)
def test_fixtures_with_values_exchanged(
    path: Path, changes: list[tuple[int, Any]], written: Callable[[list[Any]], bytes]
) -> None:
    found = copy.deepcopy(documents(path))
    for number, value in changes:
        spots = places(found)
        container, key = spots[number % len(spots)]
        container[key] = copy.deepcopy(value)
    check(look_at_bytes(written(found)))


@pytest.mark.parametrize("path", [p for p in PATHS if p.suffix == ".csv"], ids=lambda p: p.name)
@QUICK
@given(st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=4))
def test_tables_with_cells_exchanged(path: Path, changes: list[tuple[int, Any]]) -> None:
    lines = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines()]
    for number, value in changes:
        row = lines[number % len(lines)]
        row[number % len(row)] = str(value).replace("\ud800", "?")
    check(look_at_bytes("\n".join(",".join(row) for row in lines).encode()))


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name)
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_files_cut_and_with_bytes_exchanged(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(look_at_bytes(bytes(content[: data.draw(st.integers(0, len(content)))])))


trees = st.recursive(
    odd,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "usage", "message", "data", "results", "payload", "type", "info", "input", "output",
                "body", "response", "result", "iterations", "id", "start_time", "object", "choices",
                "candidates", "usageMetadata", "metadata", "requestId", "modelId", "properties",
            ]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=15,
)  # fmt: skip


@QUICK
@given(trees)
def test_any_structure(tree: Any) -> None:
    check(look_at_bytes(json.dumps(tree).encode()))
    check(look_at_bytes(as_events([tree])))
