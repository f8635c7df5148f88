"""Whatever a file holds, a reader neither raises nor counts below zero."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.files import Source, look_at_bytes
from ingest.readers import (
    copilot,
    cursor,
    gemini_cli,
    har,
    helicone,
    jaeger,
    langfuse,
    litellm,
    litellm_daily,
    mlflow,
    openai_agents,
    otel,
    portkey,
    traces,
    zipkin,
)
from ingest.readers.base import ReadContext, Result
from ingest.record import Reject, ReportedRow, UsageRecord
from tests.readers.golden import FIXTURES

READERS = {
    m.READER.name: m.READER
    for m in (
        copilot,
        cursor,
        gemini_cli,
        har,
        helicone,
        jaeger,
        langfuse,
        litellm,
        litellm_daily,
        mlflow,
        openai_agents,
        otel,
        portkey,
        traces,
        zipkin,
    )
}
FOLDERS = {name.replace("-", "_"): reader for name, reader in READERS.items()}
FIXED = [
    p for name in FOLDERS for p in sorted((FIXTURES / name).iterdir()) if ".golden." not in p.name
]

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20),
    st.sampled_from(["GENERATION", "2026-01-05T10:00:00Z", "resp_AAAA", "{\"a\":1}", "[", "NaN"]),
)  # fmt: skip


def words() -> list[str]:
    """Every key the fixtures use: structure that readers look for."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(key)
                walk(inner)
            if isinstance(value.get("key"), str):
                found.add(value["key"])
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    for path in FIXED:
        for document in documents(path):
            walk(document)
    return sorted(found)


def documents(path: Path) -> list[Any]:
    text = path.read_text()
    if path.suffix == ".csv":
        return []
    try:
        return [json.loads(text)]
    except ValueError:
        found = []
        for line in text.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(words()), inner, max_size=8),
    ),
    max_leaves=30,
)


def check(results: list[Result]) -> None:
    for result in results:
        assert isinstance(result, UsageRecord | ReportedRow | Reject)
        if isinstance(result, UsageRecord):
            assert result.call_key
            assert result.occurred_at is not None
            assert result.occurred_at.tzinfo is None
            assert all(v is None or (type(v) is int and v >= 0) for v in result.counts.values())
            assert result.source_cost_usd is None or result.source_cost_usd >= 0
            assert result.latency_ms is None or result.latency_ms >= 0
        if isinstance(result, Reject):
            assert result.reason


def read(reader: Any, source: Source) -> list[Result]:
    assert 0 <= reader.identify(source) <= 1
    return list(reader.read(source, ReadContext(source, options={"start": "2026-01-01T00:00:00Z"})))


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(trees)
def test_any_json(name: str, document: Any) -> None:
    source = look_at_bytes(json.dumps(document).encode())
    if source.kind != "empty":
        check(read(READERS[name], source))


@pytest.mark.parametrize("path", FIXED, ids=lambda p: f"{p.parent.name}-{p.name}")
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.integers(0, 2**32), st.lists(scalars, min_size=3, max_size=3))
def test_a_fixture_with_values_exchanged(path: Path, seed: int, values: list[Any]) -> None:
    choose = random.Random(seed)
    found = copy.deepcopy(documents(path))
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    walk(found)
    for value in values:
        if places:
            holder, key = choose.choice(places)
            holder[key] = value
    text = "\n".join(json.dumps(d) for d in found) if found else path.read_text()
    check(read(FOLDERS[path.parent.name], look_at_bytes(text.encode("utf-8", "surrogatepass"))))


@pytest.mark.parametrize("path", FIXED, ids=lambda p: f"{p.parent.name}-{p.name}")
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(st.integers(0, 2**32))
def test_a_fixture_with_bytes_damaged(path: Path, seed: int) -> None:
    choose = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(data) or 1)
        match choose.randrange(3):
            case 0:
                data[at : at + 1] = choose.randbytes(1)
            case 1:
                del data[at : at + choose.randrange(1, 40)]
            case _:
                data[at:at] = choose.randbytes(choose.randrange(1, 10))
    source = look_at_bytes(bytes(data))
    check(read(FOLDERS[path.parent.name], source))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_telemetry_body(body: bytes) -> None:
    check(list(otel.read_export_request(body)))
    if body:
        check(read(otel.READER, look_at_bytes(b"\x00\x00\x00" + bytes([len(body) % 256]) + body)))


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(st.dictionaries(st.sampled_from(words()), trees, max_size=12))
def test_any_callback_payload(payload: dict[str, Any]) -> None:
    check(list(litellm.read_payload(payload)))
    row = {"call_type": "acompletion", "response_cost": None, "model": "m", **payload}
    check(list(litellm.read_payload(row)))
