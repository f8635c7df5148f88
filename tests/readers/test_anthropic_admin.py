"""Anthropic's organization reports: cents in the API, dollars in the console."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingest.files import look
from ingest.readers import anthropic_admin
from tests.readers.golden import FIXTURES, read_all
from tests.readers.probe import counts, golden, rejects, rows, sample

HERE = FIXTURES / "anthropic_admin"
FILES = ["usage.csv", "cost-2024.csv", "cost-2026.csv", "usage.json", "cost.json"]


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    golden(anthropic_admin, "anthropic_admin", name)


@pytest.mark.parametrize("name", FILES)
def test_recognised(name: str) -> None:
    assert anthropic_admin.READER.identify(look(HERE / name)) >= 0.9


def test_the_cost_report_is_in_cents() -> None:
    found = golden(anthropic_admin, "anthropic_admin", "cost.json")
    (only,) = rows(found)
    assert (only.amount, only.list_amount) == (Decimal("1.2378912"), Decimal("1.505"))
    assert [r.reason for r in rejects(found)] == ["amount = 'no' is not an amount"]


@pytest.mark.parametrize("name", ["cost-2024.csv", "cost-2026.csv"])
def test_console_costs_are_dollars_whatever_the_columns(name: str) -> None:
    found = rows(golden(anthropic_admin, "anthropic_admin", name))
    assert [r.line_item for r in found] == ["input_no_cache", "output"]
    assert sum(r.amount or 0 for r in found) == Decimal("2.00" if "2024" in name else "1.60")


def test_usage_counts_stand_beside_one_another() -> None:
    found = golden(anthropic_admin, "anthropic_admin", "usage.csv")
    first, fast = rows(found)
    assert counts(first) == {
        "input_uncached": 46981, "cache_write_5m": 15969, "cache_write_1h": 7, "cache_read": 3,
        "output_text": 16932, "web_search": 2,
    }  # fmt: skip
    assert first.tags == {"context_window": "0-200k"}
    assert (fast.tier, fast.tags) == ("fast", {"context_window": "200k-1M"})
    assert [r.line for r in rejects(found)] == [4]


def test_samples() -> None:
    (console,) = rows(read_all(anthropic_admin, sample("anthropic-admin/console-usage.csv")))
    assert counts(console) == {
        "input_uncached": 46981, "cache_write_5m": 15969, "output_text": 16932,
    }  # fmt: skip
    (api,) = rows(read_all(anthropic_admin, sample("anthropic-admin/usage-report-messages.json")))
    assert sum(counts(api).values()) == 1500 + 200 + 500 + 1000 + 500 + 10
