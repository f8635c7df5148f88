"""Tables read in bulk are what their reader makes of them, row by row and reject by reject."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.importer import ImportOptions
from tests.fast.both import same

MAPPING = {
    "response_id": "id", "occurred_at": "when", "provider": "by", "model": "model",
    "input": "in", "cache_read": "cached", "cache_write_5m": "written", "output": "out",
    "reasoning": "thought", "total": "sum", "source_cost_usd": "usd", "failed": "failed",
    "requests": "n", "latency_ms": "ms", "team": "team", "customer": "who", "tags.a b": "tag",
    "finality": "end", "session": "s",
}  # fmt: skip

WORDS = st.sampled_from(
    ["a", "gpt-5.2", " edge", "edge ", "", "Zürich", "\u00a0x", "x\u2003", "İ", "ſ", "tab\there",
     "q\"uote", "comma,", "new\nline", "back\\slash", "x" * 200, "x" * 201, "ü" * 200, "😀",
     "null", "None", "true", "\ufeff", "\u200b", "-", "'", "a;b", "NaN", "{}", "[]"]
)  # fmt: skip
IDS = st.sampled_from(
    ["chatcmpl-12345678901", "chatcmpl-1234567890", "resp_abc", "msg_0123456789abcdefg",
     "gen-1234567890123456", "7", "", " x", "cmpl-ü34567890123456"]
) | st.integers(0, 10**6).map(lambda n: f"call-{n}")  # fmt: skip
NUMBERS = st.sampled_from(
    ["0", "1", "17", "31422.0", "5.00", "1.5", "-1", "", " 3", "1e3", "1_000", "1,000", "007",
     "9007199254740991", "9007199254740992", "99999999999", "+4", "nan", "inf", "1.0000", "٣"]
) | st.integers(0, 5_000).map(str)  # fmt: skip
TIMES = st.sampled_from(
    ["2026-03-01T12:00:00Z", "2026-03-01 12:00:00", "2026-03-01T12:00:00.123Z",
     "2026-03-01T12:00:00.123456+00:00", "2026-03-01T12:00:00+02:00", "2026-02-30T00:00:00Z",
     "2026-03-01", "1767225600", "1767225600123", "1767225600.5", "99999999", "100000000", "",
     "yesterday", "2026-03-01T24:00:00Z", "2026-03-01T12:00:60Z", "0001-01-01T00:00:00Z",
     "2026-03-01T12:00", "2026-03-01T12:00:00.1234567Z", "2026-03-01t12:00:00z",
     "2026-03-01T12:00:00.123456789Z", "1767225600123456", " 2026-03-01T12:00:00Z"]
)  # fmt: skip
MONEY = st.sampled_from(
    ["0.25", "0", "$1.5", "1e-05", "-2", "", "12.123456789012", "0.1234567890125", "abc",
     "1,000.5", "123456789.5", "999.999999999999", "nan", "Infinity", ".5", "5."]
)  # fmt: skip
FLAGS = st.sampled_from(["true", "TRUE", "1", "yes", "no", "", "false", "'true'", " true"])
ENDS = st.sampled_from(["partial", "final", "", "Partial"])

CELLS = {
    "id": IDS, "when": TIMES, "by": WORDS, "model": WORDS, "in": NUMBERS, "cached": NUMBERS,
    "written": NUMBERS, "out": NUMBERS, "thought": NUMBERS, "sum": NUMBERS, "usd": MONEY,
    "failed": FLAGS, "n": NUMBERS, "ms": NUMBERS, "team": WORDS, "who": WORDS, "tag": WORDS,
    "end": ENDS, "s": WORDS, "unused": WORDS,
}  # fmt: skip
PLAIN = {
    "id": "call-1", "when": "2026-03-01T12:00:00Z", "by": "openai", "model": "gpt-5.2",
    "in": "1000", "cached": "800", "written": "", "out": "50", "thought": "20", "sum": "1050",
    "usd": "0.002", "failed": "false", "n": "1", "ms": "850", "team": "search", "who": "acme",
    "tag": "x", "end": "final", "s": "s1", "unused": "",
}  # fmt: skip
STAMPS = st.sampled_from(
    [{}, {"team": "ops"}, {"tier": "batch", "seller": "azure", "origin": "a'b"}, {"start": "x"}]
)
EXAMPLES = 12
NO_FIXTURE_CHECK = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@st.composite
def text_row(draw: st.DrawFn) -> dict[str, str]:
    """A plain row with some of its cells replaced by anything."""
    odd = draw(st.lists(st.sampled_from(list(CELLS)), max_size=3, unique=True))
    return {**PLAIN, "id": draw(IDS), **{name: draw(CELLS[name]) for name in odd}}


def _write_csv(path: Path, rows: list[dict[str, str]], quoting: Any, ending: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, list(PLAIN), quoting=quoting, lineterminator=ending)
        table.writeheader()
        table.writerows(rows)


@given(
    st.lists(text_row(), max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([0, 300]),
    STAMPS,
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
def test_csv(
    tmp_path: Path, rows: list[dict[str, str]], quoting: Any, ending: str, block: int,
    stamps: dict[str, str],
) -> None:  # fmt: skip
    path = tmp_path / "x.csv"
    _write_csv(path, [PLAIN, *rows], quoting, ending)
    same(path, ImportOptions(mapping=MAPPING, stamps=stamps), block)


BROKEN_LINES = st.sampled_from(
    [b"1,2\n", b"\n", b",,,\n", b'"open,1\n', b"\xff\xfe,x\n", b"a\rb\n", b'x"y,2\n', b"\x00\n",
     b"," * 19 + b"\n", b'"a\nb"' + b"," * 19 + b"\n", b"\xef\xbb\xbf" + b"," * 19 + b"\n"]
)  # fmt: skip


@given(st.lists(text_row() | BROKEN_LINES, max_size=10), st.sampled_from([0, 200]), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
def test_csv_with_broken_lines(
    tmp_path: Path, rows: list[dict[str, str] | bytes], block: int, mark: bool
) -> None:
    path = tmp_path / "x.csv"
    lines = [b"\xef\xbb\xbf" if mark else b"", ",".join(PLAIN).encode() + b"\n"]
    for row in (*[PLAIN] * 25, *rows):  # a zero byte further up would make the file binary
        if isinstance(row, bytes):
            lines.append(row)
        else:
            plain = [c if not set(c) & set(',"\n') else "-" for c in row.values()]
            lines.append(",".join(plain).encode() + b"\n")
    path.write_bytes(b"".join(lines))
    same(path, ImportOptions(mapping=MAPPING), block)


JSON_TEXT = WORDS.map(lambda t: json.dumps(t, ensure_ascii=False)) | WORDS.map(json.dumps)
JSON_ANY = st.sampled_from(
    ["null", "true", "false", "0", "1", "1.0", "1.5", "-1", "12345", '"12"', '"x"', "{}", "[]",
     '{"a": 1}', '["true"]', "NaN", "1e3", "1E-2", "0.25", "12345678901234567890", "1767225600",
     "1767225600123", "1767225600123456", "99999999", "99999999999999", '"\\ud800"', "-0", "-0.0",
     '"\\u0000"', '"partial"', '"\\u0070artial"', '"true"', '"YES"', '""', '" "',
     "9007199254740992", "10000000001", "0.1234567890123", "123.123456789012", "1" * 400]
)  # fmt: skip
JSON_TIMES = TIMES.map(json.dumps)
OWN = {
    "call_key": '"k1"', "occurred_at": '"2026-03-01T12:00:00.000Z"', "provider": '"openai"',
    "model": '"gpt-5.2"', "input_uncached": "200", "cache_read": "800", "output_text": "50",
    "reasoning": "0", "team": '"search"', "session": '"s"', "finality": '"final"',
}  # fmt: skip
OWN_KEYS = [
    *OWN, "input", "output", "input_beside", "total", "total_reported", "source_cost_usd",
    "requests", "latency_ms", "failed", "seller", "tier", "tags", "tags.x", "customer",
    "web_search", "cache_write_1h", "response_id", "Model", "unknown", "",
]  # fmt: skip
TAGS = st.sampled_from(
    ["{}", '{"a": "1"}', '{"a":"1","b":"x y"}', '{"a": 1}', '{"a": "1", "a": "2"}', '{"a": ""}',
     '{"\\u0061": "1"}', '{"a": {"b": "1"}}', '{" a ": " 1 "}', "null", '"x"', '{"a": "ü"}']
)  # fmt: skip


@st.composite
def own_line(draw: st.DrawFn) -> str:
    """A line of our own records with some values replaced, added or doubled."""
    pairs = list({**OWN, "call_key": json.dumps(f"k{draw(st.integers(0, 99))}")}.items())
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(OWN_KEYS))
        value = draw(TAGS if name == "tags" else JSON_ANY | JSON_TEXT | JSON_TIMES)
        if draw(st.booleans()):
            pairs = [p for p in pairs if p[0] != name]
        if draw(st.integers(0, 5)):
            pairs.append((name, value))
    space = draw(st.sampled_from(["", " ", "\t"]))
    body = f",{space}".join(f"{json.dumps(k)}:{space}{v}" for k, v in pairs)
    return "{" + body + draw(st.sampled_from(["}"] * 8 + [",}", "", "}}", "} "]))


LINES = own_line() | st.sampled_from(
    ["", " ", "[1]", "7", "null", "{}", "\ufeff{}", '{"a": nan}', '{"a": -inf}', '{"a":Infinity}',
     '{"x": ' * 2000 + "1" + "}" * 2000, '{"x": "' + "[" * 3000 + '"}', "x"]
)  # fmt: skip


@given(
    st.lists(LINES, max_size=12), st.sampled_from(["", ".gz"]), st.sampled_from([0, 250]), STAMPS
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
def test_our_own_lines(
    tmp_path: Path, lines: list[str], ending: str, block: int, stamps: dict[str, str]
) -> None:
    path = tmp_path / f"x.jsonl{ending}"
    first = "{" + ", ".join(f'"{k}": {v}' for k, v in OWN.items()) + "}"
    data = "\n".join([first, first, *lines]).encode()
    path.write_bytes(gzip.compress(data) if ending else data)
    same(path, ImportOptions(stamps=stamps), block)


@given(st.lists(LINES, max_size=8))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
def test_mapped_lines(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "x.jsonl"
    first = "{" + ", ".join(f'"{k}": {v}' for k, v in OWN.items()) + ', "tags": {"a": "b"}}'
    path.write_text("\n".join([first, first, *lines]), "utf-8")
    mapping = {
        "response_id": "call_key", "occurred_at": "occurred_at", "model": "model",
        "provider": '"Azure"', "input": "cache_read", "output": "output_text", "team": "team",
        "tags.m": "session",
    }  # fmt: skip
    same(path, ImportOptions(mapping=mapping))


FLOATS = st.sampled_from(
    [0.0, 1.0, 1.5, -1.0, 0.1, 1e-5, float("nan"), float("inf"), 9e15, 1e16, 123.25, 0.002]
)


@given(
    st.lists(
        st.tuples(
            IDS | st.none(),
            st.integers(-1, 2**53) | st.none(),
            FLOATS | st.none(),
            st.booleans() | st.none(),
            WORDS | st.none(),
            st.integers(-1, 2 * 10**15) | st.none(),
            st.decimals(Decimal(-5), Decimal(10**6), places=9) | st.none(),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(
        [pa.timestamp("us"), pa.timestamp("ms", "UTC"), pa.timestamp("ns"), pa.timestamp("s"),
         pa.timestamp("us", "Europe/Berlin"), pa.int64(), pa.date32()]
    ),
    st.sampled_from([pa.float64(), pa.float32()]),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=NO_FIXTURE_CHECK)
def test_parquet(
    tmp_path: Path, rows: list[tuple[Any, ...]], clock: Any, real: Any, dictionary: bool
) -> None:
    path = tmp_path / "x.parquet"
    ids, counts, floats, flags, words, ticks, amounts = map(list, zip(*rows, strict=True))
    per_second = {"us": 10**6, "ms": 10**3, "s": 1, "ns": 10**9}.get(getattr(clock, "unit", ""), 0)
    if per_second:
        ticks = [None if t is None else t % (2 * 10**9) * per_second + t % 1000 for t in ticks]
    elif clock == pa.date32():
        ticks = [None if t is None else t % 20_000 for t in ticks]
    team = pa.array(words, pa.string())
    table = pa.table(
        {
            "response_id": pa.array(ids, pa.string()),
            "occurred_at": pa.array(ticks, pa.int32() if clock == pa.date32() else pa.int64())
            .cast(clock),
            "provider": pa.array(["openai"] * len(rows)),
            "model": pa.array(words, pa.string()),
            "input": pa.array(counts, pa.int64()),
            "output": pa.array(floats, real),
            "source_cost_usd": pa.array(floats, real),
            "failed": pa.array(flags, pa.bool_()),
            "team": team.dictionary_encode() if dictionary else team,
            "tier": pa.array(flags, pa.bool_()),
            "region": pa.array(counts, pa.int64()),
            "tags.cost": pa.array(amounts, pa.decimal128(20, 9)),
        }
    )  # fmt: skip
    pq.write_table(table, path)
    same(path)
    same(path, ImportOptions(mapping={
        "call_key": "response_id", "input_uncached": "input", "source_cost_usd": "tags.cost",
    }))  # fmt: skip


def test_one_bad_row_costs_one_slow_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    rows = [{**PLAIN, "id": f"call-{n}"} for n in range(2_000)]
    rows[1_000]["in"] = "many"
    rows[1_500]["model"] = "with,comma"
    _write_csv(path, rows, csv.QUOTE_MINIMAL, "\n")
    outcome = same(path, ImportOptions(mapping=MAPPING), 20_000)
    assert (outcome.records, outcome.in_bulk) == (1_999, 1_999)
    (reject,) = outcome.rejects
    assert (reject.line, reject.reason) == (1_002, "input = 'many' is not a number")


@pytest.mark.parametrize("cut", [0.6, 0.9])
def test_a_file_cut_off_in_the_middle(tmp_path: Path, cut: float) -> None:
    noise = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(2_500)]
    body = ", ".join(f'"{k}": {v}' for k, v in OWN.items() if k != "call_key")
    lines = [f'{{"call_key": "{key}", {body}, "tags.x": "{key}"}}' for key in noise]
    packed = gzip.compress("\n".join(lines).encode())
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(packed[: int(len(packed) * cut)])
    outcome = same(path, block=65_536)
    assert outcome.rejects and outcome.in_bulk
    table = tmp_path / "y.csv.gz"
    rows = [",".join({**PLAIN, "id": key, "unused": key * 2}.values()) for key in noise]
    packed = gzip.compress("\n".join([",".join(PLAIN), *rows]).encode())
    table.write_bytes(packed[: int(len(packed) * cut)])
    outcome = same(table, ImportOptions(mapping=MAPPING), 65_536)
    assert outcome.rejects and outcome.in_bulk
