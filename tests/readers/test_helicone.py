"""Helicone rows, by its published field list."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingest.readers import helicone
from ingest.record import UsageRecord
from tests.readers.golden import FIXTURES, check_golden, read_all

HERE = FIXTURES / "helicone"


@pytest.mark.parametrize("name", ["requests.jsonl", "requests.csv"])
def test_golden(name: str) -> None:
    check_golden(helicone, HERE / name, HERE / f"{name}.golden.json")


def test_costs_in_dollars_and_in_billionths() -> None:
    first, second, *_ = read_all(helicone, HERE / "requests.csv")
    assert isinstance(first, UsageRecord)
    assert isinstance(second, UsageRecord)
    assert first.source_cost_usd == Decimal("0.00105")
    assert second.source_cost_usd == Decimal("0.00457")
    assert second.flags == ["cost read as billionths of a dollar"]
