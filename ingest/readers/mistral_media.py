"""Mistral's documents and transcriptions: what it bills by the page and by the second.

| body | recognised by | counts |
| --- | --- | --- |
| OCR | `usage_info` with `pages_processed` | pages, annotated where an annotation came back |
| transcription | `text` beside usage with `prompt_audio_seconds` | seconds of audio |
| `transcription.done` | the event's type | the same |

Arithmetic: a page is billed once, at the annotated price where the answer holds a
`document_annotation` or an image's annotation (asked for by `…_annotation_format`). A transcription
states tokens too; only its audio has a price, so they are said and not counted. Chat about audio
has both prices and is read by `openai_chat`. Neither body has an id: two are one call only where
all they say is the same.

    {"model": "mistral-ocr-2512", "pages": [{"index": 0, "markdown": "…"}],
     "document_annotation": null, "usage_info": {"pages_processed": 29, "doc_size_bytes": 17}}

is 29 pages. (Names from Mistral's own Python client.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.record import short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, count

_DONE = "transcription.done"


def _ocr(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    usage = body.get("usage_info")
    return usage if isinstance(usage, JsonObject) and "pages_processed" in usage else None


def _heard(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    usage = body.get("usage")
    spoken = isinstance(usage, JsonObject) and "prompt_audio_seconds" in usage
    return usage if spoken and isinstance(body.get("text"), str) else None


class MistralBody:
    """Bodies of `/v1/ocr` and `/v1/audio/transcriptions`."""

    name = "mistral-media"
    order = 7

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By usage that counts pages, or seconds beside a text."""
        return _ocr(body) is not None or _heard(body) is not None

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record."""
        usage = _ocr(body) or _heard(body)
        try:
            reading = _reading(body)
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider="mistral",
            model=short_text(body.get("model")),
            response_id=None,
            tier="batch" if envelope.tier == "batch" else None,
            content=[usage, _annotated(body), str(envelope.time)],
        )


def _reading(body: Mapping[str, Any]) -> Reading:
    """Pages or seconds. Raises `UsageError` for counts that cannot be."""
    pages = _ocr(body)
    if pages is not None:
        meter = "pages_annotated" if _annotated(body) else "pages"
        return Reading(
            {meter: count(pages.get("pages_processed"), "pages_processed")}, MistralBody.name
        )
    usage = _heard(body) or {}
    seconds = count(usage.get("prompt_audio_seconds"), "prompt_audio_seconds")
    tokens = count(usage.get("total_tokens"), "total_tokens")
    said = f"{tokens} tokens are stated and not billed: audio is, by the second"
    return Reading({"audio_seconds": seconds}, MistralBody.name, flags=[said] if tokens else [])


def _annotated(body: Mapping[str, Any]) -> bool:
    """Whether an annotation came back: of the document, or of an image in it."""
    if body.get("document_annotation"):
        return True
    pages = body.get("pages")
    images = (
        image
        for page in (pages if isinstance(pages, JsonList) else ())
        if isinstance(page, JsonObject)
        for image in (page["images"] if isinstance(page.get("images"), JsonList) else ())
    )
    return any(isinstance(image, JsonObject) and image.get("image_annotation") for image in images)


class MistralStream:
    """The stream of a transcription: its closing event is a body."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """By the event's type."""
        return str(event.get("type") or "").startswith("transcription.")

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Only events that are not a body: the closing one can stand alone."""
        return self.matches(document) and _heard(document) is None

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """The closing events; those before them have no usage."""
        for line, event in events:
            if event.get("type") == _DONE:
                yield line, event, []


BODY = MistralBody()
STREAM = MistralStream()
