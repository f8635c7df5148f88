"""OpenAI's organization reports become rows to reconcile with, never calls."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from ingest.files import look, look_at_bytes
from ingest.readers import openai_org
from ingest.readers.base import ReadContext
from tests.readers.golden import FIXTURES, read_all
from tests.readers.probe import counts, golden, rejects, rows, sample

HERE = FIXTURES / "openai_org"
CENTS = "0.003400000000000000000000000000000001"
FILES = ["usage.csv", "cost.csv", "blank.csv", "page.json", "batch.json"]


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    golden(openai_org, "openai_org", name)


@pytest.mark.parametrize("name", FILES)
def test_recognised(name: str) -> None:
    assert openai_org.READER.identify(look(HERE / name)) >= 0.9


def test_usage_parts_are_disjoint_and_make_the_whole() -> None:
    found = golden(openai_org, "openai_org", "usage.csv")
    whole, batch = rows(found)
    assert counts(whole) == {
        "input_uncached": 400, "input_audio": 50, "input_image": 50, "cache_read": 300,
        "cache_read_audio": 50, "cache_read_image": 50, "cache_write_unknown": 100,
        "output_text": 400, "output_audio": 50, "output_image": 50,
    }  # fmt: skip
    assert (whole.requests, batch.tier) == (4, "batch")
    assert [r.reason for r in rejects(found)] == ["input_tokens = -1 is negative"]


def test_cost_uses_the_unix_column_and_keeps_every_decimal() -> None:
    cost, credit = rows(golden(openai_org, "openai_org", "cost.csv"))
    assert cost.period_start == datetime(2026, 1, 2)
    assert cost.amount == Decimal(CENTS)
    assert (cost.line_item, cost.currency) == ("gpt-5.2, input_tokens", "USD")
    assert credit.amount == Decimal("-0.5")


def test_page_kinds() -> None:
    found = golden(openai_org, "openai_org", "page.json")
    assert [(r.kind, r.line_item, r.requests) for r in rows(found)] == [
        ("usage", None, 5), ("usage", "embeddings", 2), ("usage", "web_searches", 3),
        ("cost", None, None),
    ]  # fmt: skip
    first, _, searches, _ = rows(found)
    assert counts(first) == {
        "input_uncached": 500, "cache_read": 400, "cache_write_30m": 60, "cache_write_12h": 40,
        "output_text": 500,
    }  # fmt: skip
    assert counts(searches) == {"web_search": 9}
    assert [r.reason for r in rejects(found)] == ["value = 'abc' is not an amount"]


def test_a_page_fetched_twice_counts_once_and_parts_of_a_slice_add_up() -> None:
    page = (HERE / "page.json").read_text().replace("\n", "")
    twice = look_at_bytes(f"{page}\n{page}\n".encode())
    assert len(rows(openai_org.READER.read(twice, ReadContext(twice)))) == 4
    lines = (HERE / "cost.csv").read_text().splitlines()
    parts = look_at_bytes("\n".join([lines[0], lines[2], lines[2].replace(CENTS, "1.5")]).encode())
    context = ReadContext(parts)
    (only,) = rows(openai_org.READER.read(parts, context))
    assert only.amount == Decimal("1.503400000000000000000000000000000001")
    assert len(context.notes) == 1


def test_slices_of_a_later_report_are_the_same() -> None:
    first, _ = rows(golden(openai_org, "openai_org", "cost.csv"))
    later = (HERE / "cost.csv").read_text().replace("0.0034", "0.0047")
    source = look_at_bytes(later.encode())
    again, _ = rows(openai_org.READER.read(source, ReadContext(source)))
    assert again.slice_key == first.slice_key
    assert again.amount != first.amount


def test_batch_object_is_a_check_of_totals() -> None:
    (only,) = rows(golden(openai_org, "openai_org", "batch.json"))
    assert (only.tags["batch_id"], only.requests, only.tier) == ("batch_1", 2, "batch")
    assert counts(only) == {
        "input_uncached": 200, "cache_read": 100, "output_text": 30, "reasoning": 20,
    }  # fmt: skip


def test_sample_csvs() -> None:
    (usage,) = rows(read_all(openai_org, sample("openai-org-usage/completions_usage_*.csv")))
    assert (usage.requests, counts(usage)) == (4, {"input_uncached": 31422, "output_text": 29})
    (cost,) = rows(read_all(openai_org, sample("openai-org-usage/cost_*.csv")))
    assert cost.amount == Decimal("0.0034")
    assert cost.period_start == usage.period_start == datetime(2026, 8, 31)
