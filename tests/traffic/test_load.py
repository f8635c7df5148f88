"""Reading traces: column names, times, lists, and what the messages say when something is off."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.traffic.traces.load import load_trace
from ingest.traffic.traces.sessions import with_sessions
from ingest.traffic.traces.trace import TraceError

ROWS = [
    {"t_s": 0.0, "input_tokens": 700, "output_tokens": 10, "hash_ids": [1, 2], "session": "a"},
    {"t_s": 1.5, "input_tokens": 1300, "output_tokens": 20, "hash_ids": [1, 2, 3], "session": "b"},
]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    return path


def test_json_lines(tmp_path):
    trace = load_trace(jsonl(tmp_path / "t.jsonl", ROWS), block_size=512)
    assert trace.time_us.tolist() == [0, 1_500_000]
    assert trace.input_tokens.tolist() == [700, 1300]
    assert trace.ids.tolist() == [1, 2, 1, 2, 3]
    assert trace.offsets.tolist() == [0, 2, 5]
    assert trace.sessions.tolist() == [0, 1]


def test_gzip_and_parquet_say_the_same(tmp_path):
    packed = tmp_path / "t.jsonl.gz"
    packed.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in ROWS).encode()))
    table = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), table)
    one, two = load_trace(packed, block_size=512), load_trace(table, block_size=512)
    for field in ("time_us", "input_tokens", "output_tokens", "ids", "offsets", "sessions"):
        assert getattr(one, field).tolist() == getattr(two, field).tolist()


def test_milliseconds_and_hash_strings(tmp_path):
    rows = [
        {"t_ms": 1500, "input_tokens": 5, "output_tokens": 1, "hash_ids": ["ab", "cd"]},
        {"t_ms": 1501, "input_tokens": 5, "output_tokens": 1, "hash_ids": ["ab"]},
    ]
    trace = load_trace(jsonl(tmp_path / "t.jsonl", rows), block_size=4)
    assert trace.time_us.tolist() == [1_500_000, 1_501_000]
    assert trace.ids[0] == trace.ids[2] != trace.ids[1]


def test_other_names_through_the_map(tmp_path):
    rows = [{"when": 3, "prompt": 8, "completion": 2}]
    trace = load_trace(
        jsonl(tmp_path / "t.jsonl", rows),
        rename={"t_s": "when", "input_tokens": "prompt", "output_tokens": "completion"},
    )
    assert trace.time_us.tolist() == [3_000_000]
    turned = load_trace(
        tmp_path / "t.jsonl",
        rename={"when": "t_s", "prompt": "input_tokens", "completion": "output_tokens"},
    )
    assert turned.input_tokens.tolist() == [8]
    assert not trace.has_blocks
    assert "no hash_ids" in trace.notes[0]


def test_missing_columns_are_named_together_with_the_way_out(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", [{"input_tokens": 5, "when": 1}])
    with pytest.raises(TraceError, match=r"missing columns t_s \(or t_ms\), output_tokens") as e:
        load_trace(path)
    assert "the file has input_tokens, when" in str(e.value)
    assert "--map output_tokens=THEIR_NAME" in str(e.value)


def test_a_map_to_a_column_that_is_not_there(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", ROWS)
    with pytest.raises(TraceError, match="names a column 'prompt' for input_tokens"):
        load_trace(path, rename={"input_tokens": "prompt"})
    with pytest.raises(TraceError, match="is not a column of ours"):
        load_trace(path, rename={"tokens": "prompt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_tokens": -1}, "row 2: input_tokens is -1"),
        ({"input_tokens": None}, "row 2: input_tokens is empty"),
        ({"input_tokens": 1.5}, "whole numbers"),
        ({"t_s": None}, "row 2: t_s is empty"),
        ({"reasoning_tokens": 21}, "more than output_tokens 20"),
    ],
)
def test_bad_values_name_their_row(tmp_path, change, message):
    rows = [{**ROWS[0], "reasoning_tokens": 0}, {**ROWS[1], "reasoning_tokens": 0, **change}]
    with pytest.raises(TraceError, match=message):
        load_trace(jsonl(tmp_path / "t.jsonl", rows), block_size=512)


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n{oops\n", "utf-8")
    with pytest.raises(TraceError, match="line 2 is not JSON"):
        load_trace(path)


def test_no_file_and_no_rows(tmp_path):
    with pytest.raises(TraceError, match="no such file"):
        load_trace(tmp_path / "nothing.parquet")
    empty = tmp_path / "t.jsonl"
    empty.write_text("", "utf-8")
    with pytest.raises(TraceError, match="empty"):
        load_trace(empty)


def test_the_block_size_is_read_off_and_refused_when_it_cannot_be(tmp_path):
    rows = [
        {"t_s": i, "input_tokens": n, "output_tokens": 1, "hash_ids": list(range(-(-n // 64)))}
        for i, n in enumerate((640, 700, 1000, 129))
    ]
    assert load_trace(jsonl(tmp_path / "t.jsonl", rows)).block_size == 64
    rows = [{**r, "hash_ids": [1, 2, 3]} for r in rows]
    with pytest.raises(TraceError, match="--block-size"):
        load_trace(jsonl(tmp_path / "t.jsonl", rows))


def test_azure_burstgpt_and_bailian_layouts(tmp_path):
    azure = tmp_path / "azure.csv"
    azure.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n"
    )
    trace = load_trace(azure)
    assert np.diff(trace.time_us).tolist() == [52_000]
    burst = tmp_path / "burst.csv"
    burst.write_text(
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,"
        "Log Type\n5,9,1.0,GPT-4,100,20,120,API log\n6,9,1.0,ChatGPT,7,0,7,API log\n"
    )
    trace = load_trace(burst)
    assert trace.model_names == ("GPT-4", "ChatGPT")
    assert trace.sessions.tolist() == [0, 0]
    rows = [
        {"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 20,
         "output_length": 3, "type": "text", "turn": 1, "hash_ids": [1, 2]},
        {"chat_id": 2, "parent_chat_id": -1, "timestamp": 0.6, "input_length": 20,
         "output_length": 3, "type": "text", "turn": 1, "hash_ids": [3, 4]},
        {"chat_id": 3, "parent_chat_id": 1, "timestamp": 9.0, "input_length": 40,
         "output_length": 3, "type": "text", "turn": 2, "hash_ids": [1, 2, 5]},
    ]  # fmt: skip
    trace = load_trace(jsonl(tmp_path / "b.jsonl", rows))
    assert trace.block_size == 16
    assert trace.sessions.tolist() == [0, 1, 0]


def test_components_become_prefixes(tmp_path):
    rows = [
        {"t_s": 0, "input_tokens": 60, "output_tokens": 5, "session": 1, "sys_prompt": [1],
         "passages_ids": [2, 3], "history": [], "web_search": [], "user_input": [4]},
        {"t_s": 1, "input_tokens": 60, "output_tokens": 5, "session": 1, "sys_prompt": [1],
         "passages_ids": [3, 2], "history": [], "web_search": [], "user_input": [4]},
    ]  # fmt: skip
    lengths = [{"hash_id": i, "tokens": 10 * i} for i in (1, 2, 3, 4)]
    path = jsonl(tmp_path / "q_requests.jsonl", rows)
    with pytest.raises(TraceError, match="--components"):
        load_trace(path)
    jsonl(tmp_path / "q_components.jsonl", lengths)
    trace = load_trace(path)
    assert trace.block_tokens.tolist() == [10, 20, 30, 40, 10, 30, 20, 40]
    # Only the first piece has the same beginning.
    assert (trace.ids[:4] == trace.ids[4:]).tolist() == [True, False, False, False]


def test_coding_agent_sessions(tmp_path):
    call = {"type": "n", "model": "m-1", "out": 7}
    for name, extra in (("a", 0), ("b", 1)):
        document = {
            "id": name,
            "block_size": 64,
            "requests": [
                {**call, "t": 0.0, "in": 100, "hash_ids": [0, 1]},
                {"t": 5.0, "type": "subagent",
                 "requests": [{**call, "t": 2.0, "in": 64, "hash_ids": [0]}]},
                {**call, "t": 6.0, "in": 200 + extra, "hash_ids": [0, 1, 2, 3]},
            ],
        }  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    trace = load_trace(tmp_path)
    assert trace.sessions.tolist() == [0, 0, 0, 1, 1, 1]
    # The sub-agent's clock starts with it: 5 + 2 is after the call at 6.
    assert trace.time_us[:3].tolist() == [0, 6_000_000, 7_000_000]
    assert trace.input_tokens.tolist() == [100, 200, 64, 100, 201, 64]
    # Ids are local to a session, so the two do not share blocks.
    assert set(trace.ids[:7].tolist()).isdisjoint(trace.ids[7:].tolist())


def test_sessions_from_prefix_chains(tmp_path):
    # Three users behind one system prompt (block 0); two of them come back.
    chats = [[0, 1], [0, 2], [0, 3], [0, 4], [0, 1, 5], [0, 2, 6], [0, 1, 5, 7]]
    rows = [
        {"t_s": i, "input_tokens": 512 * len(c), "output_tokens": 1, "hash_ids": c}
        for i, c in enumerate(chats)
    ]
    trace = with_sessions(load_trace(jsonl(tmp_path / "t.jsonl", rows), block_size=512))
    assert trace.sessions.tolist() == [0, 1, 2, 3, 0, 1, 0]
    assert trace.session_origin == "prefix"


def test_a_blank_session_is_one_of_its_own(tmp_path):
    rows = [{**ROWS[0], "session": s} for s in ("a", None, "a", None)]
    trace = load_trace(jsonl(tmp_path / "t.jsonl", rows), block_size=512)
    codes = trace.sessions.tolist()
    assert codes[0] == codes[2]
    assert len(set(codes)) == 3


def test_a_map_names_the_variants_of_unknown_models(tmp_path):
    rows = [
        {**ROWS[0], "model": "our-chat"},
        {**ROWS[1], "model": "gpt-5.2"},
        {**ROWS[1], "model": "x"},
    ]
    path = jsonl(tmp_path / "t.jsonl", rows)
    trace = load_trace(path, block_size=512, rename={"our-chat": "gpt-5.2", "session": "session"})
    # One variant, hence one cache.
    assert trace.model_names == ("gpt-5.2", "x")
    assert trace.models.tolist() == [0, 0, 1]
    with pytest.raises(TraceError, match="our-cat is not a column of ours, nor a model the trace"):
        load_trace(path, block_size=512, rename={"our-cat": "gpt-5.2"})


def test_categories_and_objects_as_sessions(tmp_path):
    table = pa.Table.from_pylist(
        [{**r, "session": {"user": r["session"], "tab": 1}, "model": "gpt-5.2"} for r in ROWS * 2]
    )
    table = table.set_column(
        table.column_names.index("model"), "model", table["model"].dictionary_encode()
    )
    pq.write_table(table, tmp_path / "t.parquet")
    trace = load_trace(tmp_path / "t.parquet", block_size=512)
    assert trace.sessions.tolist() == [0, 0, 1, 1]  # in order of time
    assert trace.model_names == ("gpt-5.2",)


def test_a_block_size_that_does_not_fit_is_said(tmp_path):
    rows = [
        {"t_s": i, "input_tokens": 64 * i + 30, "output_tokens": 1, "hash_ids": list(range(i + 1))}
        for i in range(1, 9)
    ]
    path = jsonl(tmp_path / "t.jsonl", rows)
    assert not any("hash_ids" in n for n in load_trace(path, block_size=64).notes)
    wrong = load_trace(path, block_size=512).notes
    assert any("only 0% of the rows" in n and "64 would fit" in n for n in wrong)
