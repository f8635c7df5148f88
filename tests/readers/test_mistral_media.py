"""Mistral's documents by the page, transcriptions by the second."""

from __future__ import annotations

from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(bodies, "mistral", "bodies.jsonl")
    lease, chart, heard = calls(found)
    assert (lease.model, counts(lease)) == ("mistral-ocr-2512", {"pages": 29})
    assert counts(chart) == {"pages_annotated": 2}
    assert (heard.model, counts(heard)) == ("voxtral-mini-2602", {"audio_seconds": 203})
    assert [r.reason for r in rejects(found)] == ["pages_processed = -1 is negative"]
