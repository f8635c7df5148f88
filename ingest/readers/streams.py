"""Streams' events: which API wrote them, and gathering those that stand a line each in a log.

An API's module says how its events become bodies (`STREAM.assemble`) and which documents can only
be events of its streams (`STREAM.is_event`); nothing here knows an API by name, but that Google's
chunks are bodies too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ingest.readers import body_modules
from ingest.readers.gemini import STREAM as gemini_stream
from ingest.readers.gemini import is_nameless
from pricing.json_types import JsonObject

SAMPLED = 40
"""How many events are looked at to tell whose stream it is."""


def stream_reader(sample: list[Any]) -> Any:
    """The assembler of the API whose stream these events are, or None."""
    events = [d for d in sample if isinstance(d, JsonObject)]
    return next((s for s in _streams() if any(map(s.matches, events))), None)


def event_stream(document: Mapping[str, Any]) -> Any:
    """The assembler an event that stands alone on a line belongs to; None for anything else."""
    return next((s for s in _streams() if s.is_event(document)), None)


@cache
def _streams() -> tuple[Any, ...]:
    return tuple(m.STREAM for m in body_modules() if hasattr(m, "STREAM"))


class EventLines:
    """Stream events written a line each, among other lines: gathered until all are there."""

    def __init__(self) -> None:
        self._events: dict[Any, list[tuple[int, Mapping[str, Any]]]] = {}
        self._last: tuple[Any, Any] = (None, None)
        self._parted = False

    def take(self, line: int, event: Mapping[str, Any]) -> bool:
        """Whether a document is a stream's event: then it is kept here."""
        stream = own = event_stream(event)
        if stream is None and self._parted and is_nameless(event):
            stream = gemini_stream  # the last chunk of an answer without an id
        self._parted = own is gemini_stream
        if stream is None:
            if self._events:
                self._close(event)
            return False
        name = (stream, event.get("id"))
        # Of the pieces of an answer's text the first is enough: a long file has many.
        if any(event.get(k) for k in _TELLING) or ("choices" in event and name != self._last):
            self._events.setdefault(stream, []).append((line, event))
        self._last = name
        return True

    def _close(self, document: Mapping[str, Any]) -> None:
        """A document that is a body of its own may be the end of the events before it, which then
        have nothing more to say (Ollama's)."""
        for stream in [s for s in self._events if hasattr(s, "closes") and s.closes(document)]:
            same = getattr(stream, "same", None)  # several streams at once are told apart by ids
            left = [e for e in self._events[stream] if not same(e[1], document)] if same else []
            if left:
                self._events[stream] = left
            else:
                del self._events[stream]

    def apart(self) -> None:
        """Other documents stood between the last event and the next."""
        self._parted = False

    def bodies(self) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """The bodies the gathered events make."""
        for stream, events in self._events.items():
            yield from stream.assemble(events)


_TELLING = ("usage", "response", "message", "x_groq", "candidates", "metadata", "interaction")
