"""OpenAI's images, transcriptions and speech: bodies and stream events.

| body | recognised by | counts |
| --- | --- | --- |
| image | `data` beside usage in input and output tokens | text and image in; image out |
| `image_generation.completed`, `image_edit.completed` | the event's type | the same |
| transcription, translation | `text` beside usage with a `type` | audio and text in; text out |
| `transcript.text.done` | the event's type | the same |
| `conversation.item.input_audio_transcription.completed` | the event's type | the same |
| `speech.audio.done` | the event's type | text in; audio out |
| an older transcription | `task` and `duration` | seconds |

Arithmetic: `input_tokens` includes text, image and audio, which the details split; `output_tokens`
of an image are image tokens but for those the details call text; of speech they are audio. Where
`usage.type` is `duration` the call is billed by the nearest second and has no tokens. `svg_usage`
ran on a model of its own and is an item of its own. xAI's images state a charge
(`cost_in_usd_ticks`) and no tokens. None of these bodies names its model, but the request does:
`{"request": …, "response": …}` prices them, a bare
body is an unpriced record.

    {"request": {"model": "gpt-image-1"}, "response": {"created": 1767225600, "data": [{}],
     "usage": {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
               "output_tokens": 4160, "total_tokens": 4210}}}

is 10 text and 40 image tokens in, 4,160 image tokens out. (Names from the types of OpenAI's own
Python client, version 3.52.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.readers.hosts import provider_of
from ingest.record import instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Item, Reading, UsageError, read_usage, stated_cost

_IMAGE_EVENTS = ("image_generation.completed", "image_edit.completed")
_SPEECH_EVENT = "speech.audio.done"
_HEARD_EVENTS = (
    "transcript.text.done",
    "conversation.item.input_audio_transcription.completed",
)
_TICKS = "cost_in_usd_ticks"
_EVENTS = ("image_generation.", "image_edit.", "transcript.text.", "speech.audio.")
_UNNAMED = "the response names no model: log the request beside it"
_UNSPLIT = "the usage does not say how much of the input is audio: taken as text"


def _kind(body: Mapping[str, Any]) -> str | None:
    """`image`, `transcription` or `speech`; None for any other body."""
    event = body.get("type")
    if event in _IMAGE_EVENTS:
        return "image"
    if event == _SPEECH_EVENT:
        return "speech"
    if event in _HEARD_EVENTS:
        return "transcription"
    usage = body.get("usage")
    if "id" in body or "object" in body:
        return None
    if isinstance(usage, JsonObject):
        if isinstance(body.get("data"), JsonList) and usage.keys() & {"input_tokens", _TICKS}:
            return "image"
        if isinstance(body.get("text"), str) and usage.get("type") in ("tokens", "duration"):
            return "transcription"
        return None
    heard = body.get("task") in ("transcribe", "translate", "diarize") and "duration" in body
    return "transcription" if heard and isinstance(body.get("text"), str) else None


class MediaBody:
    """Bodies of the image, transcription and speech endpoints."""

    name = "openai-media"
    order = 8

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By the keys only these bodies have together."""
        return _kind(body) is not None

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record, and one more for an SVG's own model."""
        usage = body.get("usage")
        try:
            reading = _reading(body)
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        model = short_text(body.get("model"))
        if not (model or envelope.model or envelope.request.get("model")):
            reading.flags.append(_UNNAMED)
        # An event's id numbers it within a session of the Realtime API; nothing else has one.
        event_id = short_text(body.get("event_id"))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name if envelope.tier != "batch" else "openai-batch",
            provider=provider_of(envelope.url)
            or ("x-ai" if isinstance(usage, JsonObject) and _TICKS in usage else "openai"),
            model=model,
            response_id=event_id,
            time=instant(body.get("created", body.get("created_at"))),
            tier="batch" if envelope.tier == "batch" else reading.tier,
            final=isinstance(usage, JsonObject) or "audio_seconds" in reading.counts,
            content=[
                _kind(body),
                body.get("created"),
                usage,
                str(body.get("duration")),
                str(envelope.time),
            ],
        )


def _reading(body: Mapping[str, Any]) -> Reading:
    """The counts: tokens, or seconds of a call billed by duration. Raises `UsageError`."""
    usage, kind = body.get("usage"), _kind(body)
    if not isinstance(usage, JsonObject):
        usage = {"type": "duration", "seconds": body.get("duration")}
    if usage.get("type") == "duration":
        return read_usage(usage, "openai")
    if _TICKS in usage and "input_tokens" not in usage:
        return Reading({}, "openai-media", cost_usd=stated_cost(usage))
    reading = read_usage({k: v for k, v in usage.items() if k != "type"}, "openai")
    counts = reading.counts
    if kind in ("image", "speech"):
        made = "output_image" if kind == "image" else "output_audio"
        details = usage.get("output_tokens_details", usage.get("output_token_details"))
        if not isinstance(details, JsonObject) and counts.get(made) is None:
            counts[made], counts["output_text"] = counts.get("output_text"), None
    elif not usage.get("input_token_details"):
        reading.flags.append(_UNSPLIT)
    drawn = body.get("svg_usage")
    if isinstance(drawn, JsonObject):
        reading.items.append(
            Item("svg", read_usage(drawn, "openai").counts, short_text(drawn.get("model")))
        )
    return reading


class MediaStream:
    """Streams of images, transcriptions and speech: the closing event is a body."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """By the event's type."""
        return str(event.get("type") or "").startswith(_EVENTS)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Only events that are not a body: one that closes a stream can stand alone."""
        return self.matches(document) and _kind(document) is None

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """The closing events; those before them have no usage."""
        for line, event in events:
            if _kind(event) is not None:
                yield line, event, []


BODY = MediaBody()
STREAM = MediaStream()
