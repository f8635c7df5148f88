"""Stored calls as traces: rebuilt prompts share what the log says, and traces survive a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.traffic import load_trace, trace_from_store, write_trace
from ingest.traffic.replaying import AppliedRule, cached_under
from ingest.traffic.scenarios.numbers import ScenarioError
from ingest.traffic.simulation.synth import count_file
from ingest.traffic.traces.stored import blocks_of
from ingest.traffic.traces.trace import Trace, TraceError

FOREVER = AppliedRule(1e9, 0, 1, "none", "given")


def replayed(sessions: list[int], inputs: list[int], cached: list[int]) -> list[int]:
    ids, offsets, lengths = blocks_of(np.array(sessions), np.array(inputs), np.array(cached))
    assert np.add.reduceat(lengths, offsets[:-1]).tolist() == inputs
    n = len(inputs)
    trace = Trace(
        time_us=np.arange(n) * 1_000_000, input_tokens=np.array(inputs),
        output_tokens=np.ones(n, dtype=np.int64), ids=ids, offsets=offsets, block_tokens=lengths,
        sessions=np.array(sessions),
    )  # fmt: skip
    return cached_under(trace, [FOREVER])[FOREVER].tolist()


def test_a_session_shares_what_was_cached() -> None:
    assert replayed([0, 0, 0], [1000, 1500, 1400], [0, 900, 1300]) == [0, 900, 1300]


def test_sessions_share_their_common_beginning() -> None:
    # The first to send it cannot have read it within the log; the others did.
    assert replayed([0, 1, 2], [1000, 1000, 1000], [600, 600, 500]) == [0, 600, 500]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 5000), st.floats(0, 1)),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_replaying_gives_back_the_logged_cache(calls: list[tuple[int, int, float]]) -> None:
    sessions, inputs, cached = [], [], []
    before: dict[int, int] = {}
    for session, size, part in calls:
        sessions.append(session)
        inputs.append(size)
        cached.append(int(part * min(size, before.get(session, 0))))
        before[session] = size
    assert replayed(sessions, inputs, cached) == cached


def test_a_trace_survives_its_file(tmp_path: Path) -> None:
    ids, offsets, lengths = blocks_of(np.array([0, 0, 1]), np.array([10, 20, 30]),
                                      np.array([0, 7, 0]))  # fmt: skip
    trace = Trace(
        time_us=np.array([1_772_366_400_123_456, 1_772_366_401_000_001, 1_772_366_402_000_000]),
        input_tokens=np.array([10, 20, 30]), output_tokens=np.array([1, 2, 3]),
        reasoning_tokens=np.array([0, 1, 0]), ids=ids, offsets=offsets, block_tokens=lengths,
        sessions=np.array([0, 0, 1]), models=np.array([0, 1, 0]), model_names=("a", "b"),
    )  # fmt: skip
    write_trace(trace, tmp_path / "t.parquet")
    back = load_trace(tmp_path / "t.parquet")
    for name in ("time_us", "input_tokens", "output_tokens", "reasoning_tokens", "sessions",
                 "models", "block_tokens", "offsets"):  # fmt: skip
        assert getattr(back, name).tolist() == getattr(trace, name).tolist(), name
    assert back.model_names == ("a", "b")
    assert cached_under(back, [FOREVER])[FOREVER].tolist() == [0, 7, 0]
    with pytest.raises(TraceError, match="cannot be written"):
        write_trace(trace, tmp_path / "no" / "t.parquet")


def test_the_store_as_a_trace(demo_db: Path) -> None:
    from ingest.store.database import open_reader

    store = open_reader(demo_db)
    try:
        trace = trace_from_store(store.con, "u.team = ?", ["search"])
        inputs, outputs, calls = store.con.execute(
            "SELECT sum(input_total), sum(output_total), count(*) FROM usage"
            " WHERE team = 'search' AND requests = 1 AND input_total + output_total > 0"
        ).fetchall()[0]
        with pytest.raises(TraceError, match="no such calls"):
            trace_from_store(store.con, "u.team = 'nobody'")
    finally:
        store.close()
    assert trace.requests == calls
    assert int(trace.input_tokens.sum()) == inputs
    assert int(trace.output_tokens.sum()) == outputs
    assert (np.diff(trace.time_us) >= 0).all()


def test_prompt_files_are_counted_as_they_are_billed(tmp_path: Path) -> None:
    prompt, tools = tmp_path / "p.md", tmp_path / "t.json"
    prompt.write_text("hello world")
    assert count_file(str(prompt), "gpt-4o") == 2 + 4  # a message's frame besides its text
    assert count_file(str(prompt), "azure/gpt-4o") == 6
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    function = {"name": "get_weather", "description": "Weather now", "parameters": parameters}
    tool = {"type": "function", "function": function}
    tools.write_text(json.dumps([tool]))
    as_tools, as_text = (count_file(str(tools), "gpt-4o", kind) for kind in ("tools", "system"))
    assert 0 < as_tools < as_text  # the API renders tools shorter than their JSON
    with pytest.raises(LookupError, match="Unknown model 'gpt-9'"):
        count_file(str(prompt), "gpt-9")
    prompt.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        count_file(str(prompt), "gpt-4o")
