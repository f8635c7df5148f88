"""Azure: the gateway's log, and the bodies' own marks."""

from __future__ import annotations

import pytest

from ingest.readers import azure, bodies
from tests.readers.golden import read_all
from tests.readers.probe import calls, counts, golden, rejects, sample


@pytest.mark.parametrize("name", ["gateway.csv", "gateway.jsonl"])
def test_golden(name: str) -> None:
    golden(azure, "azure", name)


def test_rows_of_one_correlation_are_one_call() -> None:
    found = golden(azure, "azure", "gateway.csv")
    assert [counts(r) for r in calls(found)] == [
        {"input_uncached": 1200, "output_text": 80},
        {"input_uncached": 30, "output_text": 4},
        {"input_uncached": 31, "output_text": 4},
    ]
    assert [len(r.flags) for r in calls(found)] == [1, 1, 2]
    assert [r.reason for r in rejects(found)] == ["prompttokens = 'x' is not a number"]


def test_a_stream_without_usage_counts_nothing() -> None:
    (only,) = calls(golden(bodies, "openai_chat", "stream-azure.sse"))
    assert (only.provider, counts(only), only.finality) == ("azure", {}, "partial")


def test_sample_bodies_are_azures() -> None:
    found = calls(read_all(bodies, sample("azure-openai/responses.jsonl")))
    assert [r.provider for r in found] == ["azure"] * 3
    assert sum(r.input_total for r in found) == 54


def test_a_log_without_counts_is_named_not_read_as_free() -> None:
    found = golden(azure, "azure", "diagnostic.jsonl")
    assert not calls(found)
    assert [r.line for r in rejects(found)] == [1, 2]
    assert "states no token counts" in rejects(found)[0].reason
