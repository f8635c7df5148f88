"""Inside or beside: what comes out is disjoint, and adds up to what was proven."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.files import BadLine, look, look_at_bytes
from ingest.readers.cells import amount, json_list, json_object, milliseconds
from ingest.readers.makers import maker_of
from ingest.readers.parts import Parts, number, settle
from ingest.readers.rows import columns, rows
from pricing.usage import UsageError, total_input, total_output

counts = st.integers(0, 10_000)


@given(counts, counts, counts, counts, st.booleans(), st.booleans())
def test_a_total_made_either_way_is_met(
    into: int, out: int, cached: int, reasoning: int, inside: bool, within: bool
) -> None:
    """Whatever arithmetic a log follows, its own total is the sum of the disjoint counts."""
    if (inside and cached > into) or (within and reasoning > out):
        return
    total = into + out + (0 if inside else cached) + (0 if within else reasoning)
    reading = settle(Parts(input=into, output=out, cached=cached, reasoning=reasoning, total=total))
    assert total_input(reading.counts) + total_output(reading.counts) == total
    assert reading.flags == []
    assert all(v is None or v >= 0 for v in reading.counts.values())
    assert reading.counts["cache_read"] == cached
    assert reading.counts["reasoning"] == reasoning


@given(counts, counts, counts, counts, st.one_of(st.none(), counts), st.booleans())
def test_no_count_is_lost_or_negative(
    into: int, out: int, cached: int, reasoning: int, total: int | None, inside: bool
) -> None:
    parts = Parts(input=into, output=out, cached=cached, reasoning=reasoning, total=total)
    reading = settle(parts, cache_inside=inside, reasoning_inside=inside, doubtful=True)
    made = total_input(reading.counts) + total_output(reading.counts)
    assert into + out <= made <= into + out + cached + reasoning
    if total is not None and made != total:
        assert f"parts add up to {made}, reported total is {total}" in reading.flags


def test_lifetimes_of_writes_stand_in_their_total() -> None:
    reading = settle(Parts(input=1000, output=1, written=800, lives={"5m": 300, "1h": 400}))
    assert reading.counts["cache_write_5m"] == 300
    assert reading.counts["cache_write_1h"] == 400
    assert reading.counts["cache_write_unknown"] == 100
    assert reading.counts["input_uncached"] == 200


@pytest.mark.parametrize(
    ("value", "count"),
    [("12", 12), (" 12 ", 12), ("12.0", 12), (12.0, 12), ("", None), (None, None)],
)  # fmt: skip
def test_numbers_as_text(value: object, count: int | None) -> None:
    assert number(value, "x") == count


@pytest.mark.parametrize("value", ["1.5", "-1", "many", "nan", "inf", True, "9" * 30, "²"])
def test_what_is_no_count(value: object) -> None:
    with pytest.raises(UsageError, match="x = "):
        number(value, "x")


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("gpt-5.2", "openai"), ("o3-mini", "openai"), ("o3", "openai"), ("ollama", None),
        ("text-embedding-3-small", "openai"), ("text-embedding-004", "google"),
        ("claude-opus-4-5", "anthropic"), ("us.anthropic.claude-x-v1:0", "bedrock"),
        ("projects/p/locations/l/models/gemini-2.5-pro", "google"), ("", None), (None, None),
        ("my-gpt-5", None),
    ],
)  # fmt: skip
def test_makers(model: str | None, maker: str | None) -> None:
    assert maker_of(model) == maker


def test_cells() -> None:
    assert json_object("[1]") == json_object("{broken") == json_object(None) == {}
    assert json_list("{}") == json_list("[1") == []
    assert amount(True) is amount(float("nan")) is amount([]) is None
    assert amount(1e-7) == Decimal("0.0000001")
    assert milliseconds(True) is milliseconds(-1) is milliseconds("x") is None
    assert milliseconds(1e12) is None


# --- tables -------------------------------------------------------------------------------------


def test_csv_with_line_breaks_blank_rows_and_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        b'\xef\xbb\xbfa;b\r\n1;"two\r\nlines"\r\n;\r\n\r\n3\r\n4;\xff\r\n5;'
        + b"x" * 200_000
        + b"\r\n"
    )
    found = list(rows(look(path)))
    assert columns(look(path)) == ("a", "b")
    assert found[0] == (2, {"a": "1", "b": "two\nlines"})
    assert [line for line, row in found if isinstance(row, BadLine)] == [6, 7]
    line, last = found[-1]
    assert not isinstance(last, BadLine)
    assert (line, len(last["b"])) == (8, 200_000)


def test_json_rows() -> None:
    source = look_at_bytes(b'{"a": 1}\n[1]\n{"a"')
    assert columns(source) == ("a",)
    assert list(rows(source)) == [
        (1, {"a": 1}),
        (2, BadLine("not a JSON object", "")),
        (3, BadLine("cut off: the line is incomplete JSON", '{"a"')),
    ]
