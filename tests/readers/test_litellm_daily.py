"""LiteLLM's daily sums."""

from __future__ import annotations

from decimal import Decimal

from ingest.readers import litellm_daily
from tests.readers.probe import calls, counts, golden, rejects, rows


def test_the_dashboards_csv() -> None:
    found = golden(litellm_daily, "litellm_daily", "daily-team.csv")
    assert not calls(found)
    usage, cost = rows(found)[:2]
    assert counts(usage) == {
        "input_uncached": 300, "cache_read": 600, "cache_write_unknown": 100, "output_text": 100,
    }  # fmt: skip
    assert (usage.requests, usage.tags) == (10, {"team": "search"})
    assert (cost.kind, cost.amount, cost.counts) == ("cost", Decimal("1234.5000"), {})
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (5, "cached tokens (20) above Prompt Tokens (10)"),
        (6, "Date = 'soon' is not a day"),
    ]


def test_a_whole_that_is_repeated_for_each_model_is_refused() -> None:
    found = golden(litellm_daily, "litellm_daily", "daily-models.csv")
    assert [(r.model, r.amount) for r in rows(found) if r.kind == "cost"] == [
        ("gpt-5.2", Decimal("3.0000")), ("gpt-5-mini", Decimal("1.0000")),
    ]  # fmt: skip
    assert [r.line for r in rejects(found)] == [4, 5]


def test_the_api_by_model_only_where_models_make_up_the_day() -> None:
    found = golden(litellm_daily, "litellm_daily", "daily-activity.json")
    assert [(r.model, r.amount) for r in rows(found) if r.kind == "cost"] == [
        ("gpt-5.2", Decimal("0.1")), ("gpt-5-mini", Decimal("0.2")), (None, Decimal("0.7")),
    ]  # fmt: skip
