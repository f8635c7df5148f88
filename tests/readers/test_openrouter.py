"""OpenRouter: the charge it states is the charge."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ingest.files import look_at_bytes
from ingest.readers import bodies, openrouter
from ingest.readers.base import ReadContext
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, rejects, rows, sample


def test_bodies() -> None:
    found = calls(golden(bodies, "openrouter", "bodies.jsonl"))
    assert {(r.provider, r.source_format) for r in found} == {("openrouter", "openrouter")}
    assert [r.source_cost_usd for r in found] == [
        Decimal("0.00004"), Decimal("0.025265"), Decimal("0.0005"), None, Decimal("0.001"),
    ]  # fmt: skip
    assert counts(found[1]) == {
        "input_uncached": 8, "cache_write_unknown": 4012, "output_text": 5,
    }  # fmt: skip
    assert found[2].tags["byok"] == "true"
    assert counts(found[4]) == {"input_uncached": 9, "cache_read": 20, "output_text": 3}


@pytest.mark.parametrize("name", ["statistics.json", "activity.csv", "daily.json"])
def test_golden(name: str) -> None:
    golden(openrouter, "openrouter", name)


def test_one_generation_is_one_call_in_every_source() -> None:
    body, *_ = calls(golden(bodies, "openrouter", "bodies.jsonl"))
    (statistics,) = calls(golden(openrouter, "openrouter", "statistics.json"))
    row, *_ = calls(golden(openrouter, "openrouter", "activity.csv"))
    assert body.call_key == statistics.call_key == row.call_key
    assert counts(statistics) == {
        "input_uncached": 80, "cache_read": 200, "output_text": 30, "reasoning": 10,
    }  # fmt: skip


def test_activity_rejects_what_cannot_be() -> None:
    found = golden(openrouter, "openrouter", "activity.csv")
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (4, "cost_total = 'abc' is not an amount"),
        (5, "cached tokens (101) above prompt_tokens (100)"),
    ]


def test_days_are_reports_of_usage_and_of_cost() -> None:
    found = rows(golden(openrouter, "openrouter", "daily.json"))
    assert [(r.kind, r.line_item, r.amount) for r in found] == [
        ("usage", None, None),
        ("cost", "usage", Decimal("0.015")),
        ("cost", "byok_usage_inference", Decimal("0.012")),
    ]
    assert (found[0].requests, counts(found[0])) == (
        5,
        {"input_uncached": 50, "output_text": 100, "reasoning": 25},
    )


def test_sample_costs_are_the_stated_ones() -> None:
    path = sample("openrouter/responses-with-cost.jsonl")
    stated = [
        Decimal(str(json.loads(line)["usage"]["cost"])) for line in path.read_text().splitlines()
    ]
    assert [r.source_cost_usd for r in calls(read_all(bodies, path))] == stated


def test_the_activity_exports_free_variant_is_not_the_paid_model() -> None:
    head = "generation_id,created_at,cost_total,model_permaslug,variant,tokens_prompt,"
    head += "tokens_completion,tokens_reasoning,tokens_cached,provider_name\n"
    row = "gen-177300000{n}-AAAAAAAAAAAAAAAA,2026-03-08 20:00:00,0,{m},{v},10,5,0,0,Chutes\n"
    text = head + row.format(n=1, m="deepseek/deepseek-r1", v="free")
    text += row.format(n=2, m="deepseek/deepseek-r1:free", v="free")
    text += row.format(n=3, m="openai/gpt-5.2", v="standard")
    source = look_at_bytes(text.encode())
    found = calls(openrouter.READER.read(source, ReadContext(source)))
    assert [r.model for r in found] == [
        "deepseek/deepseek-r1:free", "deepseek/deepseek-r1:free", "openai/gpt-5.2",
    ]  # fmt: skip
