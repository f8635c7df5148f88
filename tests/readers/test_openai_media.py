"""OpenAI's images, transcriptions, speech and embeddings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingest.readers import bodies
from tests.readers.probe import calls, counts, golden, read_lines, rejects


def test_golden() -> None:
    found = golden(bodies, "openai_media", "bodies.jsonl")
    image, drawn, svg, spoken, whisper, older, xai, realtime, embedding = calls(found)
    assert (image.model, counts(image)) == (
        "gpt-image-1", {"input_uncached": 10, "input_image": 40, "output_image": 4160},
    )  # fmt: skip
    assert counts(drawn) == {"input_uncached": 12, "output_text": 100, "output_image": 200}
    assert (svg.model, counts(svg)) == (
        "gpt-5.6-luna", {"input_uncached": 30, "output_text": 25, "reasoning": 15},
    )  # fmt: skip
    assert counts(spoken) == {"input_uncached": 4, "input_audio": 10, "output_text": 45}
    assert (whisper.model, counts(whisper)) == ("whisper-1", {"audio_seconds": 93})
    assert (counts(older), older.flags[0]) == ({"audio_seconds": 8}, "8.47 seconds rounded to 8")
    assert (xai.provider, xai.source_cost_usd, counts(xai)) == ("x-ai", Decimal("0.02"), {})
    assert counts(realtime) == {"input_audio": 17, "output_text": 9}
    assert counts(embedding) == {"input_uncached": 8}
    assert [(r.line, r.reason) for r in rejects(found)] == [
        (3, "no usage that any known API would write (keys: created, data)"),
        (7, "seconds = -3 is not a duration"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image.sse", {"input_uncached": 50, "output_image": 1056}),
        ("transcription.sse", {"input_uncached": 14, "output_text": 45}),
        ("speech.sse", {"input_uncached": 14, "output_audio": 101}),
    ],
)
def test_a_stream_ends_with_its_usage(name: str, expected: dict[str, int]) -> None:
    (call,) = calls(golden(bodies, "openai_media", name))
    assert counts(call) == expected
    assert call.model is None  # no event names it: unpriced, not free


def test_a_duration_is_counted() -> None:
    body = {"text": "x", "usage": {"type": "duration", "seconds": 60}}
    (call,) = calls(read_lines(bodies, [{"request": {"model": "whisper-1"}, "response": body}]))
    assert counts(call) == {"audio_seconds": 60}
