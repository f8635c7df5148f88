"""Tables through a column mapping, as CSV, lines of JSON or Parquet, and our own records."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.readers.mapping import MappingError, check_mapping
from ingest.store.database import Store
from tests.books import lines
from tests.ingest.conftest import Put

MAPPING = {
    "occurred_at": "time", "model": "model_name", "input": "prompt_toks",
    "cache_read": "cached_toks", "output": "completion_toks", "provider": '"openai"',
    "team": "who", "tags.ticket": "ticket",
}  # fmt: skip
HEADER = "time,model_name,prompt_toks,cached_toks,completion_toks,who,ticket\n"
ROW = "2026-03-01T12:00:00Z,gpt-5.2,1000,800,50,search,T-1\n"
DOCUMENT = {
    "time": "2026-03-01T12:00:00Z", "model_name": "gpt-5.2", "prompt_toks": 1000,
    "cached_toks": 800, "completion_toks": 50, "who": "search", "ticket": "T-1",
}  # fmt: skip


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", HEADER + ROW),
        ("t.csv", "\ufeff" + (HEADER + ROW).replace("\n", "\r\n")),
        ("t.tsv", (HEADER + ROW).replace(",", "\t")),
        ("t.csv", (HEADER + ROW).replace(",", ";")),
        ("t.csv", HEADER + ROW.replace("1000", '"1,000"').replace("50", "50.0")),
        ("t.jsonl", lines([DOCUMENT])),
        ("t.json", f"[{lines([DOCUMENT]).strip()}]"),
        ("t.parquet", parquet([DOCUMENT])),
        ("t.parquet", parquet([{**DOCUMENT, "time": datetime(2026, 3, 1, 12, tzinfo=UTC)}])),
    ],
)
def test_one_row_in_every_kind_of_table(
    store: Store, put_file: Put, name: str, content: str | bytes
) -> None:
    report = put_file(content, name, mapping=MAPPING)
    assert (report.format, report.added, report.rejected) == ("table", 1, 0)
    assert store.con.execute(
        "SELECT occurred_at, input_uncached, cache_read, output_text, team, tags, cost_usd,"
        " provider FROM calls"
    ).fetchall() == [
        (datetime(2026, 3, 1, 12), 200, 800, 50, "search", {"ticket": "T-1"},
         Decimal("0.00119"), "openai"),
    ]  # fmt: skip


def test_a_missing_column_is_named_with_those_there_are(store: Store, put_file: Put) -> None:
    report = put_file(HEADER + ROW, "t.csv", mapping={**MAPPING, "session": "sess", "effort": "e"})
    assert report.state == "failed"
    assert "has no column 'e', 'sess'; it has time, model_name" in report.error
    assert store.con.execute("SELECT count(*) FROM imports").fetchall() == [(0,)]


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(MappingError, match=r"unknown field 'modl' .*did you mean 'model'"):
        check_mapping({"modl": "x"}, None, "here")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW.replace("1000", "-1"), "input = Decimal('-1') is negative"),
        (ROW.replace("1000", "799"), "cached and other input parts (800) above input (799)"),
        (ROW.replace("1000", "many"), "input = 'many' is not a number"),
        (ROW.replace("1000", "10.5"), "is not a whole number"),
        (ROW.replace("1000", "nan"), "is not a count"),
        (ROW.replace("2026-03-01T12", "yesterday"), "is not a time"),
        (ROW.replace("search,", ""), "6 cells where the header has 7"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line(
    store: Store, put_file: Put, row: str, reason: str
) -> None:
    report = put_file(HEADER + ROW + row + ROW, "t.csv", mapping=MAPPING)
    assert (report.added, report.rejected, report.rejects[0].line) == (2, 1, 3)
    assert reason in report.rejects[0].reason


def test_cached_may_equal_the_input(store: Store, put_file: Put) -> None:
    put_file(HEADER + ROW.replace("1000", "800"), "t.csv", mapping=MAPPING)
    assert store.con.execute("SELECT input_uncached, cache_read FROM calls").fetchall() == [
        (0, 800)
    ]


def test_input_beside_its_cached_part(store: Store, put_file: Put) -> None:
    mapping = {k: v for k, v in MAPPING.items() if k != "input"} | {"input_beside": "prompt_toks"}
    put_file(HEADER + ROW, "t.csv", mapping=mapping)
    assert store.con.execute("SELECT input_total FROM calls").fetchall() == [(1800,)]


def test_our_own_records_need_no_mapping(store: Store, put_file: Put) -> None:
    record = {
        "call_key": "mine:1", "occurred_at": 1772366400, "provider": "openai", "model": "gpt-5.2",
        "tier": "batch", "input_uncached": 10, "cache_read": 0, "output_text": 1, "reasoning": 2,
        "total_reported": 14, "team": "search", "source_cost_usd": "$0.10", "requests": 1,
        "tags": {"a": "b"}, "finality": "partial", "failed": True, "latency_ms": 7,
    }  # fmt: skip
    assert put_file(lines([record])).format == "table"
    assert store.con.execute(
        "SELECT call_key, occurred_at, tier, cache_read, reasoning, flags, source_cost_usd, tags,"
        " finality, failed, latency_ms FROM usage"
    ).fetchall() == [
        ("mine:1", datetime(2026, 3, 1, 12), "batch", 0, 2,
         "parts add up to 13, reported total is 14", Decimal("0.1"), {"a": "b"}, "partial", True,
         7),
    ]  # fmt: skip


def test_more_requests_than_any_row_can_have(put_file: Put) -> None:
    record = {"occurred_at": 1772366400, "provider": "openai", "model": "gpt-5.2", "input": 1}
    content = lines([{**record, "requests": n} for n in (0, 1, 10**8, 10**8 + 1, 10**12)])
    report = put_file(content)
    assert (report.added, [r.line for r in report.rejects]) == (2, [1, 4, 5])


def test_an_empty_cell_is_not_reported_and_zero_is_zero(store: Store, put_file: Put) -> None:
    put_file(HEADER + ROW.replace("800", ""), "a.csv", mapping=MAPPING)
    put_file(HEADER + ROW.replace("800", "0"), "b.csv", mapping=MAPPING)
    rows = store.con.execute("SELECT cache_read FROM usage ORDER BY import_id").fetchall()
    assert rows == [(None,), (0,)]
