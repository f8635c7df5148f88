"""Stored calls as traces: rebuilt prompts share what the log says, and traces survive a file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.traffic import (
    CataloguePrices,
    fit,
    fit_scenario,
    load_trace,
    parse_scenario,
    stored_calls,
    write_trace,
)
from ingest.traffic.replaying import AppliedRule, cached_under
from ingest.traffic.scenarios.numbers import ScenarioError
from ingest.traffic.simulation.synth import count_file
from ingest.traffic.simulation.workloads import prepare
from ingest.traffic.traces.rebuilt import blocks_of
from ingest.traffic.traces.stored import LONGEST_SESSION, StoredCalls
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


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=2, max_size=120),
    st.integers(1, 6),
)
def test_many_lengths_of_the_shared_beginning_keep_their_sum(
    calls: list[tuple[int, int]], most: int
) -> None:
    cached = np.array([min(hit, 400) for _, hit in calls])
    inputs = np.full(len(calls), 1000)
    sessions = np.arange(len(calls))
    _, offsets, lengths = blocks_of(sessions, inputs, cached, most)
    assert np.add.reduceat(lengths, offsets[:-1]).tolist() == [1000] * len(calls)
    assert np.diff(offsets).max() <= most + 1  # the beginning's parts and the call's own rest
    begun = 1000 - lengths[offsets[1:] - 1]
    if len(np.unique(cached[cached > 0])) <= most:
        assert begun.tolist() == cached.tolist()
    assert abs(int(begun.sum() - cached.sum())) <= len(calls) / 2  # each mean is rounded
    order = np.argsort(cached, kind="stable")
    assert (np.diff(begun[order]) >= 0).all()


def stored(sizes: list[int], inputs: int = 2000, cached: int = 1500) -> StoredCalls:
    """Sessions of so many calls each, a minute apart, all with the same cached tokens."""
    sessions = np.repeat(np.arange(len(sizes)), sizes)
    n = len(sessions)
    trace = Trace(
        time_us=np.arange(n) * 60_000_000, input_tokens=np.full(n, inputs),
        output_tokens=np.full(n, 10), sessions=sessions, layout="store",
    )  # fmt: skip
    return StoredCalls(trace, np.full(n, cached))


def test_a_large_store_is_sampled_by_whole_sessions() -> None:
    calls = stored([1, 3, 2, 4] * 50)
    part = calls.drawn(most=100)  # of 500 calls
    sizes = np.unique(np.unique(part.sessions, return_counts=True)[1], return_counts=True)
    # One of every five in the order of size: ten of each kind, with all their calls.
    assert [s.tolist() for s in sizes] == [[1, 2, 3, 4], [10, 10, 10, 10]]
    assert part.requests == 100
    assert "40 of 200 sessions with 100 of 500 calls" in part.notes[0]
    assert part.sessions.tolist() == calls.drawn(most=100).sessions.tolist()
    assert part.sessions.tolist() != calls.drawn(most=100, seed=1).sessions.tolist()
    whole = calls.drawn(most=500)
    assert whole.requests == 500
    assert "drawn" not in whole.notes[0]


def test_a_sample_of_a_store_stays_small_and_says_so(tmp_path: Path) -> None:
    """Ten thousand calls with as many lengths of a shared beginning: few blocks each."""
    n = 10_000
    calls = stored([1] * n, inputs=20_000)
    calls = StoredCalls(calls.trace, np.arange(n) + 1)
    part = calls.drawn(most=2_000)
    assert part.requests == 2_000
    assert len(part.ids) < 2_000 * 130
    cached = cached_under(part, [FOREVER])[FOREVER]
    assert cached.sum() == pytest.approx(calls.cached.sum() / 5, rel=0.02)
    # The scenario made of it has the store's rate and rests on the sample.
    write_trace(part, tmp_path / "part.parquet")
    text, got = fit_scenario(part, str(tmp_path / "part.parquet"), measured=fit(calls.trace))
    assert got.sessions_per_day == pytest.approx(1440)
    assert "# 2,000 of 10,000 sessions" in text
    means = prepare(
        parse_scenario(text).workloads[0], "gpt-5.2", CataloguePrices(), date(2026, 12, 1), 0
    )
    assert means.fitted == pytest.approx(2_000)


@given(st.integers(1, 3 * LONGEST_SESSION), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_very_long_sessions_are_cut(size: int, others: int) -> None:
    calls = stored([size] + [2] * others)
    part = calls.drawn()
    pieces = -(-size // LONGEST_SESSION) if size > LONGEST_SESSION else 1
    assert part.session_count == pieces + others
    assert any("are cut" in n for n in part.notes) == (size > LONGEST_SESSION)
    assert part.requests == size + 2 * others


@pytest.mark.parametrize(
    ("named", "sessions", "origin"),
    [(["a", "", None, "a", "b"], [0, 2, 3, 0, 1], "column"), ([None] * 3, [0, 1, 2], "request")],
)
def test_calls_without_a_session_stand_alone(
    named: list[str | None], sessions: list[int], origin: str
) -> None:
    import duckdb

    con = duckdb.connect()
    con.execute("CREATE TABLE routes AS SELECT 7 AS route_id, NULL AS variant, 'm' AS model")
    con.execute(
        "CREATE TABLE calls_stored (call_key VARCHAR, occurred_at TIMESTAMP, route_id INTEGER,"
        " input_total BIGINT, output_total BIGINT, reasoning BIGINT, cache_read BIGINT,"
        " session VARCHAR, requests BIGINT)"
    )
    for i, name in enumerate(named):
        con.execute(
            "INSERT INTO calls_stored VALUES (?, TIMESTAMP '2026-03-01' + to_seconds(?), 7, 100, 5,"
            " NULL, 30, ?, 1)",
            [str(i), i, name],
        )
    got = stored_calls(con).trace
    # Which number a session has is chance; which calls share one is not.
    alike = np.array(sessions)[:, None] == np.array(sessions)
    assert ((got.sessions[:, None] == got.sessions) == alike).all()
    assert (got.session_origin, got.model_names) == (origin, ("m",))
    assert any("names no sessions" in n for n in got.notes) == (origin == "request")


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
        stored = stored_calls(store.con, "u.team = ?", ["search"])
        inputs, outputs, calls = store.con.execute(
            "SELECT sum(input_total), sum(output_total), count(*) FROM usage"
            " WHERE team = 'search' AND requests = 1 AND input_total + output_total > 0"
        ).fetchall()[0]
        with pytest.raises(TraceError, match="no such calls"):
            stored_calls(store.con, "u.team = 'nobody'")
    finally:
        store.close()
    trace = stored.drawn()
    assert trace.requests == stored.trace.requests == calls
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
