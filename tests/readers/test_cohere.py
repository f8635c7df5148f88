"""Cohere's first API: billed units under `meta`."""

from __future__ import annotations

from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(bodies, "cohere", "bodies.jsonl")
    chat, embed = calls(found)
    assert (chat.model, counts(chat)) == ("command-r", {"input_uncached": 25, "output_text": 9})
    assert (embed.model, counts(embed)) == (None, {"input_uncached": 4})
    assert [r.reason for r in rejects(found)] == ["billed_units.input_tokens = -4 is negative"]
