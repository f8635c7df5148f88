"""Ollama's own API: `/api/chat`, `/api/generate`, `/api/embed`, and their streams.

| field | becomes |
| --- | --- |
| `model` (`name:tag`), `created_at` | model, time of the answer |
| `prompt_eval_count` | input; left out by servers that found the whole prompt in their cache |
| `eval_count` | output, thinking included |
| `total_duration` (nanoseconds) | latency |

Arithmetic: the two counts are all there is. Ollama reuses a prompt it has evaluated and charges
nothing, so there is no cached part; a body without `prompt_eval_count` states no input, which is
not zero. A stream is one JSON object a line: all but the last have `done: false` and no counts.
Answers carry no id: two that agree in model, time and counts are one call seen twice only where
their text says so, and are otherwise two. Its OpenAI-compatible bodies are read by `openai_chat`.

    {"model": "llama3.2:3b", "created_at": "2026-01-01T00:00:00.5Z", "done": true,
     "done_reason": "stop", "total_duration": 1500000000, "prompt_eval_count": 26,
     "eval_count": 282, "message": {…}}

is 26 input and 282 output tokens of a model that has no list price: unpriced until a card of
yours says what the machine costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.readers.cells import milliseconds
from ingest.record import instant, short_text
from pricing.usage import Reading, UsageError, count

_COUNTS = ("prompt_eval_count", "eval_count")
_TIMES = ("total_duration", "eval_duration", "load_duration", "prompt_eval_duration")


def _is_answer(body: Mapping[str, Any]) -> bool:
    """A chunk of a stream, or a whole answer."""
    return isinstance(body.get("done"), bool) and isinstance(body.get("model"), str)


class OllamaBody:
    """Bodies of Ollama's native API."""

    name = "ollama"
    order = 35

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By its counts beside `done`, or beside embeddings and a duration."""
        if _is_answer(body):
            return body["done"] is True
        return any(n in body for n in _COUNTS) and any(n in body for n in _TIMES)

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record; an answer without counts is kept, uncounted."""
        try:
            counts = {
                "input_uncached": count(body.get("prompt_eval_count"), "prompt_eval_count"),
                "output_text": count(body.get("eval_count"), "eval_count"),
            }
        except UsageError as error:
            yield reject(error, envelope.line, {n: body.get(n) for n in _COUNTS})
            return
        reading = Reading(counts, "ollama")
        counted = any(v is not None for v in counts.values())
        if not counted:
            reading.flags.append("the response states no usage")
        elif counts["input_uncached"] is None:
            reading.flags.append("no prompt_eval_count: only its output is counted")
        nanoseconds = body.get("total_duration")
        if envelope.latency_ms is None and isinstance(nanoseconds, int | float):
            envelope.latency_ms = milliseconds(nanoseconds / 10**6)
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider="ollama",
            model=short_text(body.get("model")),
            response_id=None,
            time=instant(body.get("created_at")),
            final=counted,
            content=[body.get(n) for n in ("model", "created_at", *_COUNTS, *_TIMES)],
        )


class OllamaStream:
    """Lines of a streamed answer: the last one, with `done: true`, has the counts."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """By `done` beside the model."""
        return _is_answer(event)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Only a line that says more is to come: the last is a body that can stand alone."""
        return _is_answer(document) and document.get("done") is False

    def closes(self, document: Mapping[str, Any]) -> bool:
        """Whether a document is the last line of the stream whose first lines came before it."""
        return _is_answer(document) and document.get("done") is True

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """The closing body of each answer; an opening that no closing follows was cut off."""
        cut: tuple[int, Mapping[str, Any]] | None = None
        for line, event in events:
            if self.closes(event):
                yield line, event, []
                cut = None
            else:
                cut = cut or (line, event)
        if cut is not None:
            yield cut[0], {**cut[1], "done": True}, ["the stream ended without usage"]


BODY = OllamaBody()
STREAM = OllamaStream()
