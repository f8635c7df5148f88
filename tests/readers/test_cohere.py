"""Cohere's first API: billed units under `meta`."""

from __future__ import annotations

from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, rejects


def test_golden() -> None:
    found = golden(bodies, "cohere", "bodies.jsonl")
    chat, embed, rerank, pictures = calls(found)
    assert (chat.model, counts(chat)) == ("command-r", {"input_uncached": 25, "output_text": 9})
    assert (embed.model, counts(embed)) == (None, {"input_uncached": 4})
    # Reranking is billed by searches: there are no tokens.
    assert counts(rerank) == {"rerank_search": 2}
    assert counts(pictures) == {"input_uncached": 4, "input_image": 500}
    assert [r.reason for r in rejects(found)] == ["billed_units.input_tokens = -4 is negative"]
