"""The cache simulator against hand-worked streams, a plain dictionary loop, and real traces."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.traffic.traces.load import load_trace
from pricing.caching import BlockStream, apply_floor, cached_tokens, chain, number

SHARED = Path(os.environ.get("TOKENBOOKS_SHARED", Path(__file__).parents[2].parent / "shared"))


def stream(rows, *, times, inputs=None, sessions=None, size=100):
    ids = np.array([i for r in rows for i in r], dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    if inputs is None:
        inputs = [len(r) * size for r in rows]
    return BlockStream(
        np.array([round(t * 1_000_000) for t in times], dtype=np.int64),
        np.array(inputs, dtype=np.int64),
        ids,
        offsets,
        size,
        sessions=None if sessions is None else np.array(sessions, dtype=np.int64),
    )


def cached(s, ttl, scope="all"):
    return cached_tokens(s, [ttl], scope)[0].tolist()


def test_age_equal_to_the_lifetime_still_counts_and_one_microsecond_more_does_not():
    assert cached(stream([[1], [1]], times=[0, 300]), 300) == [0, 100]
    assert cached(stream([[1], [1]], times=[0, 300.000001]), 300) == [0, 0]


def test_each_use_renews_the_lifetime():
    assert cached(stream([[1], [1], [1]], times=[0, 200, 400]), 300) == [0, 100, 100]


def test_a_miss_renews_too_because_it_writes():
    assert cached(stream([[1], [1], [1]], times=[0, 400, 600]), 300) == [0, 0, 100]


def test_only_the_leading_run_counts():
    # Block 3 is known, but 9 before it is not.
    assert cached(stream([[1, 2, 3], [1, 9, 3]], times=[0, 1]), 300) == [0, 100]


def test_an_expired_first_block_hides_fresh_later_ones():
    rows = [[1, 2], [5, 2], [1, 2]]
    assert cached(stream(rows, times=[0, 250, 400]), 300) == [0, 0, 0]


def test_a_block_repeated_inside_one_request_is_not_its_own_hit():
    assert cached(stream([[4, 4], [4, 4]], times=[0, 1]), 300) == [0, 200]


def test_cached_never_exceeds_the_input():
    # The second block is partial: 150 tokens in two blocks of 100.
    s = stream([[1, 2], [1, 2]], times=[0, 1], inputs=[150, 150])
    assert cached(s, 300) == [0, 150]


def test_session_scope_hides_other_sessions_and_keeps_time_order_within_one():
    rows = [[1], [1], [1], [1]]
    s = stream(rows, times=[10, 20, 30, 0], sessions=[0, 1, 0, 1])
    assert cached(s, 300) == [0, 100, 100, 100]
    # Session 1 ran at 0 and 20, although its rows stand the other way round.
    assert cached(s, 300, "session") == [0, 100, 100, 0]


def test_empty_requests_and_an_empty_stream():
    assert cached(stream([[], [1], []], times=[0, 1, 2]), 300) == [0, 0, 0]
    assert cached(stream([], times=[]), 300) == []


def test_component_lengths_are_summed():
    s = BlockStream(
        np.array([0, 1]),
        np.array([60, 60]),
        np.array([1, 2, 1, 3]),
        np.array([0, 2, 4]),
        block_tokens=np.array([40, 20, 40, 20]),
    )
    assert cached(s, 300) == [0, 40]


def test_wrong_use_is_refused():
    s = stream([[1]], times=[0])
    with pytest.raises(ValueError, match="session"):
        cached(s, 300, "session")
    with pytest.raises(ValueError, match="scope"):
        cached(s, 300, "team")
    with pytest.raises(ValueError, match="lifetime"):
        cached(s, -1)
    with pytest.raises(ValueError, match="offsets"):
        BlockStream(np.array([0]), np.array([1]), np.array([1]), np.array([0]), 512)


def test_floor_boundaries():
    given_tokens = np.array([0, 1023, 1024, 1151, 1152])
    assert apply_floor(given_tokens, 1024, 128).tolist() == [0, 0, 1024, 1024, 1152]
    # The step comes first: 1,100 in steps of 1,000 is 1,000, which is below the minimum.
    assert apply_floor(np.array([1100]), 1024, 1000).tolist() == [0]


def test_numbering_keeps_identity_for_any_ids():
    big = np.array([2**62, -5, 2**62, 7])
    codes = number(big)
    assert codes[0] == codes[2]
    assert len(set(codes.tolist())) == 3
    assert codes.max() < 4


def test_chain_tells_a_piece_behind_another_beginning_apart():
    ids = np.array([1, 2, 3, 2, 1, 2])
    out = chain(ids, np.array([0, 2, 4, 6])).tolist()
    assert out[0] == out[4] and out[1] == out[5]
    assert out[3] != out[1]


def plain(rows, times, inputs, ttl, size, sessions=None):
    """The rule as one would write it down, request by request."""
    last, out = {}, []
    for i, row in enumerate(rows):
        scope = None if sessions is None else sessions[i]
        run = 0
        for block in row:
            if (scope, block) in last and times[i] - last[scope, block] <= ttl:
                run += 1
            else:
                break
        for block in row:
            last[scope, block] = times[i]
        out.append(min(run * size, inputs[i]))
    return out


requests = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.lists(st.integers(0, 6), max_size=6),
        st.integers(0, 700),
        st.integers(0, 2),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(requests, st.integers(0, 60), st.booleans(), st.sampled_from([1, 10**12]))
def test_agrees_with_the_plain_loop(raw, ttl, by_session, stretch):
    raw = sorted(raw, key=lambda r: r[0])
    times = [r[0] for r in raw]
    rows = [[b * stretch for b in r[1]] for r in raw]
    inputs = [r[2] for r in raw]
    sessions = [r[3] for r in raw]
    s = stream(rows, times=times, inputs=inputs, sessions=sessions)
    scope = "session" if by_session else "all"
    both = cached_tokens(s, [ttl, ttl + 7], scope)
    for limit, got in zip((ttl, ttl + 7), both, strict=True):
        want = plain(rows, times, inputs, limit, 100, sessions if by_session else None)
        assert got.tolist() == want
    assert (both[1] >= both[0]).all()


def trace(name):
    path = SHARED / "traces" / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the repository (../shared/traces)")
    return load_trace(path)


def test_golden_mooncake():
    conversation = trace("mooncake_conversation.parquet")
    total = conversation.input_tokens.sum()
    runs = cached_tokens(conversation.stream(), [300, 600, 3600])
    assert [round(100 * r.sum() / total, 2) for r in runs] == [29.34, 35.01, 37.36]
    floored = [apply_floor(r, 1024, 128) for r in runs]
    # 26.363 %: the published 26.36 is the same figure.
    assert [round(100 * f.sum() / total, 2) for f in floored] == [26.36, 32.30, 34.73]


def test_golden_ragpulse_components():
    rag = trace("ragpulse_requests.parquet")
    total = rag.input_tokens.sum()
    runs = cached_tokens(rag.stream(), [300, 600, 3600, 86400])
    assert [round(100 * r.sum() / total, 2) for r in runs] == [24.21, 27.66, 30.77, 31.43]
