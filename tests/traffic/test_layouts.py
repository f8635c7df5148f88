"""Files as people have them: published recordings, other types, other order, other containers."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.traffic import fit, replay, validate
from ingest.traffic.traces.load import load_trace
from ingest.traffic.traces.trace import TraceError
from pricing.caching import cached_tokens
from tests.traffic.prices import PRICES

ROWS = [
    {"t_s": 0.0, "input_tokens": 1024, "output_tokens": 10, "hash_ids": [1, 2]},
    {"t_s": 1.5, "input_tokens": 1536, "output_tokens": 20, "hash_ids": [1, 2, 3]},
    {"t_s": 9.0, "input_tokens": 600, "output_tokens": 5, "hash_ids": [1, 9]},
]
TRACELAB_COLUMNS = ("id", "input_len", "output_len", "arrival_time", "round_idx",
                    "tool_wait_after_ms", "prefix_len")  # fmt: skip
FIELDS = ("time_us", "input_tokens", "output_tokens", "offsets")


def lines(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    return path


def cached_of(trace):
    return cached_tokens(trace.stream(), [300.0])[0].tolist()


def copilot(session: str, day: int, turns: list[list[tuple[int, int, int, int]]]) -> dict:
    """A session of turns of calls (second, prompt, cached, completion)."""
    return {
        "session_id": session, "date": f"2026-06-0{day}",
        "turns": [
            {"turn_id": f"{session}-{k}", "tool_batches": [], "llm_calls": [
                {"message_id": f"{session}-{k}-{i}", "model": "Model A", "result": "Success",
                 "timestamp": f"2026-06-0{day}T10:00:{second:02d}.250Z", "duration_ms": 900.0,
                 "initiator_type": "user", "message_metadata": [],
                 "tokens": {"total": p + o, "prompt": p, "completion": o, "cached": c,
                            "cached_pct": 0.0}}
                for i, (second, p, c, o) in enumerate(turn)
            ]}
            for k, turn in enumerate(turns)
        ],
    }  # fmt: skip


def round_of(session: str, index: int, second: int, total: int, prefix: int) -> dict:
    return {
        "provider": "claude", "project": "p", "session_id": session, "session_file": "f",
        "round_index": index, "round_id": f"r{index}", "model": "claude-x", "user": "u1",
        "input_tokens_total": total, "prefix_tokens": prefix,
        "newly_append_tokens": total - prefix, "output_tokens": 12,
        "reasoning_output_tokens": None,
        "timing_events": [
            {"event_type": "text", "timestamp": f"2026-05-31T12:00:{second + 1:02d}Z"},
            {"event_type": "user_message", "timestamp": f"2026-05-31T12:00:{second:02d}Z"},
        ],
        "tools": [{"tool_name": "Bash", "input": {"command": "ls"}}],
    }  # fmt: skip


def test_a_copilot_recording_is_known_by_its_content(tmp_path):
    session = copilot("s1", 1, [[(0, 1000, 0, 50), (5, 1400, 1000, 60)], [(30, 2000, 1400, 70)]])
    path = tmp_path / "part-0.jsonl.gz"
    path.write_bytes(gzip.compress((json.dumps(session) + "\n").encode()))
    trace = load_trace(path)
    assert (trace.layout, trace.requests) == ("copilot", 3)
    assert trace.input_tokens.tolist() == [1000, 1400, 2000]
    assert trace.output_tokens.tolist() == [50, 60, 70]
    assert trace.turns is not None
    assert trace.turns.tolist() == [1, 1, 2]
    assert trace.model_names == ("Model A",)
    assert np.diff(trace.time_us).tolist() == [5_000_000, 25_000_000]
    assert cached_of(trace) == [0, 1000, 1400]


def test_a_folder_of_copilot_shards_is_one_recording(tmp_path):
    for day in (1, 2):
        folder = tmp_path / f"date=2026-06-0{day}"
        folder.mkdir()
        lines(folder / "part-0.jsonl", [copilot(f"s{day}", day, [[(0, 500, 0, 5)]])])
    trace = load_trace(tmp_path)
    assert trace.requests == 2
    assert trace.span_s == 86_400


def test_tracelab_rounds_begin_with_their_first_event(tmp_path):
    rows = [round_of("a", 0, 0, 1000, 800), round_of("b", 0, 3, 900, 800),
            round_of("a", 1, 10, 1500, 1000)]  # fmt: skip
    trace = load_trace(lines(tmp_path / "t.jsonl", rows))
    assert trace.layout == "tracelab"
    assert np.diff(trace.time_us).tolist() == [3_000_000, 7_000_000]
    assert trace.sessions is not None
    assert trace.sessions.tolist() == [0, 1, 0]
    # The first session's beginning was cached before the recording: nothing earlier holds it here.
    assert cached_of(trace) == [0, 800, 1000]
    assert trace.client_names == ("u1",)


def test_tracelabs_csv_puts_rounds_after_the_tools_waits(tmp_path):
    path = tmp_path / "coding_trace.csv"
    with path.open("w", newline="") as out:
        write = csv.writer(out)
        write.writerow(TRACELAB_COLUMNS)
        write.writerow([7, 1000, 5, "100.0", 0, "250.0", 0])
        write.writerow([7, 300, 5, "100.0", 1, "50.0", 1000])
        write.writerow([7, 10, 5, "100.0", 2, "0.0", 1300])
        write.writerow([8, 400, 5, "120.0", 0, "0.0", 0])
    trace = load_trace(path)
    assert trace.input_tokens.tolist() == [1000, 400, 1300, 1310]
    assert trace.time_us.tolist() == [100_000, 120_000, 350_000, 400_000]
    assert cached_of(trace) == [0, 0, 1000, 1300]


def test_a_batch_without_times_is_one_moment(tmp_path):
    rows = [{"request_id": i, "type": "text", "input_length": 32, "hash_ids": [1, 2 + i]}
            for i in range(3)]  # fmt: skip
    trace = load_trace(lines(tmp_path / "trace_a.jsonl", rows))
    assert (trace.layout, trace.block_size) == ("servegen-offline", 16)
    assert trace.time_us.tolist() == [0, 0, 0]
    assert cached_of(trace) == [0, 16, 16]
    assert any("no output lengths" in n for n in trace.notes)
    stat = [{"request_id": 0, "type": "text", "input_length": 61, "output_length": 2370,
             "duration": 14000}]  # fmt: skip
    assert load_trace(lines(tmp_path / "d.jsonl", stat)).output_tokens.tolist() == [2370]
    with pytest.raises(TraceError, match="at one moment"):
        fit(trace)


def rates_and_lengths(tmp_path, rate=1.0):
    rates = [{"model": "m", "client": c, "t_s": 600 * w, "req_per_s": rate * (c + 1)}
             for c in range(2) for w in range(6)]  # fmt: skip
    path = tmp_path / "servegen_rates_10min.parquet"
    pq.write_table(pa.Table.from_pylist(rates), path)
    quantiles = [float(100 * (c + 1)) for c in range(2)]
    sizes = [
        {"model": "m", "client": c, "t_s": 0, "field": f,
         "quantiles_0_100": [quantiles[c] * k] * 101}
        for c in range(2) for f, k in (("input_tokens", 10), ("output_tokens", 1))
    ]  # fmt: skip
    return path, sizes


def test_rates_become_requests_with_the_lengths_of_their_client(tmp_path):
    path, sizes = rates_and_lengths(tmp_path)
    with pytest.raises(TraceError, match=r"request rates, not requests.*--components"):
        load_trace(path)
    pq.write_table(pa.Table.from_pylist(sizes), tmp_path / "servegen_length_quantiles.parquet")
    trace = load_trace(path)
    # 1 + 2 requests a second for an hour: 10,800, give or take Poisson.
    assert trace.weight == 1.0
    assert abs(trace.requests - 10_800) < 4 * 10_800**0.5
    assert trace.client_names == ("m/0", "m/1")
    assert set(zip(trace.clients, trace.input_tokens, strict=True)) == {(0, 1000), (1, 2000)}  # type: ignore[arg-type]
    got = fit(trace)
    assert got.requests_per_day == pytest.approx(3 * 86_400, rel=0.05)
    judged = validate(replace(trace, sessions=None), "gpt-5.2", PRICES, splits=4)
    assert judged["leave_one_client_out"]["by"] == "client"


def test_a_thinned_sample_keeps_the_rate(tmp_path):
    path, sizes = rates_and_lengths(tmp_path, rate=100.0)
    pq.write_table(pa.Table.from_pylist(sizes), tmp_path / "servegen_length_quantiles.parquet")
    trace = load_trace(path)
    assert trace.weight == pytest.approx(1_080_000 / 50_000)
    assert fit(trace).requests_per_day == pytest.approx(300 * 86_400, rel=0.03)


def variants(tmp_path):
    """The same three requests in other containers and types."""
    as_text = [{k: (v if k == "hash_ids" else str(v)) for k, v in r.items()} for r in ROWS]
    words = [{**r, "hash_ids": [f"x{i}" for i in r["hash_ids"]]} for r in ROWS]
    mixed = [{**r, "hash_ids": [str(i) if k else i for i in r["hash_ids"]]}
             for k, r in enumerate(ROWS)]  # fmt: skip
    huge = [{**r, "hash_ids": [2**63 + i for i in r["hash_ids"]]} for r in ROWS]
    yield lines(tmp_path / "text.jsonl", as_text)
    yield lines(tmp_path / "words.jsonl", words)
    yield lines(tmp_path / "mixed.jsonl", mixed)
    yield lines(tmp_path / "huge.jsonl", huge)
    yield lines(tmp_path / "no_suffix", ROWS)
    yield lines(tmp_path / "lines.json", ROWS)
    array = tmp_path / "array.json"
    array.write_text(json.dumps(ROWS, indent=1), "utf-8")
    yield array
    table = pa.table({
        "t_s": [r["t_s"] for r in ROWS],
        "input_tokens": pa.array([float(r["input_tokens"]) for r in ROWS]),
        "output_tokens": pa.array([r["output_tokens"] for r in ROWS], pa.int16()),
        "hash_ids": pa.array([r["hash_ids"] for r in ROWS], pa.large_list(pa.uint64())),
    })  # fmt: skip
    other = tmp_path / "parquet_without_a_name"
    pq.write_table(table, other)
    yield other
    comma = tmp_path / "t.csv"
    with comma.open("w", newline="") as out:
        write = csv.writer(out)
        write.writerow(ROWS[0])
        write.writerows([[*list(r.values())[:3], json.dumps(r["hash_ids"])] for r in ROWS])
    yield comma


def test_types_and_containers_do_not_matter(tmp_path):
    plain = load_trace(lines(tmp_path / "plain.jsonl", ROWS), block_size=512)
    for path in variants(tmp_path):
        got = load_trace(path, block_size=512)
        for field in FIELDS:
            assert getattr(got, field).tolist() == getattr(plain, field).tolist(), path.name
        assert cached_of(got) == cached_of(plain) == [0, 1024, 512], path.name


def test_numpy_lists_and_empty_ones_in_a_data_frame(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({
        "t_ms": [0, 10, 20], "input_tokens": [512, 512, 100], "output_tokens": [1, 1, 1],
        "hash_ids": [np.array([5]), np.array([5]), np.array([], dtype=np.int64)],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    assert cached_of(load_trace(tmp_path / "t.parquet", block_size=512)) == [0, 512, 0]


@given(order=st.permutations(range(12)))
def test_rows_in_any_order_are_the_same_trace(tmp_path_factory, order):
    rows = [{"t_s": 60.0 * i, "input_tokens": 512 * (i + 1), "output_tokens": i,
             "hash_ids": list(range(i + 1))} for i in range(12)]  # fmt: skip
    folder = tmp_path_factory.mktemp("order")
    got = load_trace(lines(folder / "t.jsonl", [rows[i] for i in order]), block_size=512)
    assert got.time_us.tolist() == [60_000_000 * i for i in range(12)]
    assert cached_of(got) == [512 * i for i in range(12)]


def test_one_step_back_in_many_rows_is_a_jitter_and_stays(tmp_path):
    times = [float(i) for i in range(200)]
    times[100], times[101] = times[101], times[100]
    rows = [{"t_s": t, "input_tokens": i, "output_tokens": 1} for i, t in enumerate(times)]
    trace = load_trace(lines(tmp_path / "t.jsonl", rows))
    assert trace.input_tokens.tolist() == list(range(200))
    assert any("file order" in n for n in trace.notes)


def test_reported_cached_tokens_stand_in_for_blocks(tmp_path):
    rows = [
        {"t_s": 0, "input_tokens": 1000, "cached_tokens": 0, "output_tokens": 1, "session": "a"},
        {"t_s": 9, "input_tokens": 1500, "cached_tokens": 900, "output_tokens": 1, "session": "a"},
    ]
    trace = load_trace(lines(tmp_path / "t.jsonl", rows))
    assert cached_of(trace) == [0, 900]
    answer = replay(trace, ["gpt-5.2"], PRICES, ttl=300)
    assert answer["cached_tokens"] == 900
    rows[1]["cached_tokens"] = 1501
    with pytest.raises(TraceError, match="row 2: more cached tokens than input tokens"):
        load_trace(lines(tmp_path / "t.jsonl", rows))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ('{"t_s": 1,\n', "line 1 is not JSON"),
        ("[1, 2]", "row 1 is no object"),
        ('{"t_s": 1, "input_tokens": "many", "output_tokens": 1}\n', "must be whole numbers"),
        ('{"t_s": 1, "input_tokens": 1.5, "output_tokens": 1}\n', "must be whole numbers"),
        ('{"t_s": "soon", "input_tokens": 1, "output_tokens": 1}\n', "t_s"),
        ('{"t_s": 1, "input_tokens": -4, "output_tokens": 1}\n', "row 1: input_tokens is -4"),
        ('{"t_s": 1, "input_tokens": 1, "output_tokens": 1, "hash_ids": 5}\n', "must be a list"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path, text, said):
    path = tmp_path / "t.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(TraceError, match=said):
        load_trace(path, block_size=512)
