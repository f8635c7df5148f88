"""Cursor's usage export."""

from __future__ import annotations

from decimal import Decimal

from ingest.readers import cursor
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(cursor, "cursor", "usage-events.csv")
    included, first, second, own_key, errored, holds, odd = calls(found)
    assert counts(included) == {
        "input_uncached": 100, "cache_write_unknown": 10, "cache_read": 50, "output_text": 20,
    }  # fmt: skip
    assert (included.seller, included.source_cost_usd) == ("cursor", None)
    assert (first.source_cost_usd, second.source_cost_usd) == (Decimal("1.25"), Decimal("1.25"))
    assert first.call_key != second.call_key  # two rows that agree are two requests
    assert own_key.source_cost_usd is None
    assert own_key.flags == [
        "called with the user's own API key: its maker's log has this call as well",
        "0.22 USD of the plan used, not charged",
    ]
    assert (errored.failed, errored.counts["input_uncached"]) == (True, 0)
    assert counts(errored) == {}
    assert counts(holds)["cache_write_unknown"] == 30
    assert odd.flags == ["parts add up to 171, reported total is 500"]
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (9, "Input (w/ Cache Write) = -5 is negative"),
        (10, "Date = 'yesterday' is not a time"),
    ]
