"""Portkey log exports."""

from __future__ import annotations

from decimal import Decimal

from ingest.readers import portkey
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(portkey, "portkey", "logs.jsonl")
    plain, body, hit, failed, foreign = calls(found)
    assert counts(plain) == {"input_uncached": 2000, "output_text": 50}
    assert plain.source_cost_usd == Decimal("0.00245")  # cents
    assert plain.flags == ["the row names no cache counts: cached tokens may be inside input"]
    assert (plain.session, plain.latency_ms) == ("tr-1", 812)
    assert body.call_key == "anthropic:msg_0123456789abcdefghijkl"
    assert counts(body) == {"input_uncached": 3, "cache_read": 9000, "output_text": 120}
    assert body.dimensions == {"team": "search", "environment": "prod"}
    assert (hit.counts, hit.call_key) == ({"input_uncached": 0, "output_text": 0}, "portkey:pk-3")
    assert (failed.provider, failed.failed) == ("azure", True)
    assert foreign.source_cost_usd is None  # EUR
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (5, "res_units = 2.5 is not a whole number")
    ]
