"""Published traces: exact columns, relative clocks, exact sums."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ingest.files import look
from ingest.readers import traces
from ingest.readers.base import ReadContext
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

HERE = FIXTURES / "traces"
SHARED = SAMPLES.parent / "traces"
needs_traces = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/traces is not here")
START = {"start": "2026-01-01T00:00:00Z", "model": "gpt-5.2"}


@pytest.mark.parametrize(
    "name",
    [
        "azure.csv",
        "burstgpt-6.csv",
        "burstgpt-8.csv",
        "mooncake.jsonl",
        "servegen.csv",
        "rates.csv",
    ],
)
def test_golden(name: str) -> None:
    options = {"start": "2026-01-01T00:00:00+02:00"}
    check_golden(traces, HERE / name, HERE / f"{name}.golden.json", options=options)


def test_without_a_start_the_time_is_assumed_and_said_once() -> None:
    source = look(HERE / "burstgpt-6.csv")
    context = ReadContext(source)
    found = list(traces.READER.read(source, context))
    assert all(r.time_assumed for r in found if isinstance(r, UsageRecord))
    assert len(context.notes) == 1
    assert context.notes[0].endswith("Set start=2026-01-01T00:00:00Z")


def test_a_start_that_is_none_is_refused() -> None:
    (bad,) = read_all(traces, HERE / "mooncake.jsonl", options={"start": "soon"})
    assert bad == Reject("start = 'soon' is no instant; write 2026-01-01T00:00:00Z", None)


def test_equal_rows_are_calls_of_their_own_and_the_same_again() -> None:
    keys = [
        r.call_key for r in read_all(traces, HERE / "burstgpt-6.csv") if isinstance(r, UsageRecord)
    ]
    assert len(keys) == len(set(keys)) == 4
    again = [
        r.call_key for r in read_all(traces, HERE / "burstgpt-6.csv") if isinstance(r, UsageRecord)
    ]
    assert keys == again


def test_equal_rows_of_two_relative_traces_are_different_calls(tmp_path: Path) -> None:
    keys = set()
    for extra in ("9", "8"):
        path = tmp_path / f"{extra}.csv"
        path.write_text(f"t_ms,input_tokens,output_tokens\n0,100,10\n{extra},1,1\n")
        keys |= {r.call_key for r in read_all(traces, path) if isinstance(r, UsageRecord)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("header", "sure"),
    [
        ("TIMESTAMP,ContextTokens,GeneratedTokens", 0.9),
        ("TIMESTAMP,ContextTokens,GeneratedTokens,Team", 0.0),
        ("ContextTokens,GeneratedTokens", 0.0),
        ("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type", 0.9),
        ("Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,"
         "Log Type", 0.9),
        ("model,client,t_s,req_per_s,iat_cv", 0.6),
    ],
)  # fmt: skip
def test_columns_must_be_exact(tmp_path: Path, header: str, sure: float) -> None:
    path = tmp_path / "x.csv"
    path.write_text(header + "\n" + ",".join("1" for _ in header.split(",")) + "\n")
    assert traces.READER.identify(look(path)) == sure


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "x.parquet"
    table = {"t_ms": [0, 1500], "input_tokens": [10, 20], "output_tokens": [1, None]}
    pq.write_table(pa.table(table), path)
    first, second = read_all(traces, path, options=START)
    assert isinstance(first, UsageRecord)
    assert isinstance(second, UsageRecord)
    assert second.occurred_at == datetime(2026, 1, 1, 0, 0, 1, 500_000)
    assert second.counts == {"input_uncached": 20, "output_text": None}
    assert (first.provider, first.model) == ("openai", "gpt-5.2")


def test_a_damaged_parquet_file_is_a_reject(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1" + b"x" * 100)
    assert traces.READER.identify(look(path)) == 0.0
    (bad,) = read_all(traces, path)
    assert isinstance(bad, Reject)


@needs_traces
@pytest.mark.parametrize(
    ("name", "number", "into", "out"),
    [
        ("azure_llm_2023_code", 8_819, 18_059_974, 245_896),
        ("mooncake_conversation", 12_031, 144_793_823, 4_122_048),
        ("ragpulse_requests", 7_106, 20_917_099, 2_012_676),
    ],
)
def test_sums_of_real_traces(name: str, number: int, into: int, out: int) -> None:
    found = read_all(traces, SHARED / f"{name}.parquet", options=START)
    records = [r for r in found if isinstance(r, UsageRecord)]
    assert len(records) == len(found) == number
    assert len({r.call_key for r in records}) == number
    assert sum(r.input_total for r in records) == into
    assert sum(r.counts["output_text"] or 0 for r in records) == out
