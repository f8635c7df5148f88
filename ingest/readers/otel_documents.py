"""Spans in another tool's JSON, read as `otel` reads its own: each call once, under the same keys.

A tool's module converts a document into `Span`s (`jaeger`, `zipkin`); what both need for it is
here: times in microseconds, ids that some write without their leading zeros.

>>> lasting(1767225600000000, 1500)[1]
datetime.datetime(2026, 1, 1, 0, 0, 0, 1500)
>>> hex_id("A1b2", 16), hex_id(None, 16)
('000000000000a1b2', '')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result
from ingest.readers.otel import records
from ingest.readers.otel_calls import Spans
from ingest.readers.otel_wire import Span
from ingest.record import Reject, UsageRecord, instant

_LONGEST = 10**13
"""Microseconds in a third of a year: no call takes longer."""


def read_documents(
    source: Source,
    context: ReadContext,
    spans_of: Callable[[Any, int], list[Span] | None],
    name: str,
    what: str,
) -> Iterator[Result]:
    """Records of a file of JSON documents.

    `spans_of(document, line)` converts one document, or says None when it is no `what`; `name` is
    the format the records come from.
    """
    spans = Spans()
    try:
        for line, document in source.documents():
            if isinstance(document, BadLine):
                yield Reject(document.reason, line)
                continue
            found = spans_of(document, line)
            if found is None:
                yield Reject(f"not {what}", line)
            else:
                spans.add(found)
    except (UnreadableFile, OSError, EOFError) as error:
        yield Reject(str(error), None)
    for result in records(spans, context):
        if isinstance(result, UsageRecord):
            result.source_format = name
        yield result


def lasting(start: Any, duration: Any) -> tuple[datetime | None, datetime | None]:
    """Start and end of a span that states microseconds since 1970, and how many it took (numbers
    or text); None for what it does not say."""
    begun, took = _micros(start), _micros(duration)
    when = instant(begun * 1000) if begun else None
    if when is None or took is None or took > _LONGEST:
        return when, None
    return when, when + timedelta(microseconds=took)


def _micros(value: Any) -> int | None:
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 25 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 and 0 <= value < 2**63 else None


def hex_id(value: Any, width: int) -> str:
    """An id in hexadecimal as OTLP writes it: lower case, with the leading zeros some leave out;
    "" where there is none."""
    found = value.removeprefix("0x").lower() if isinstance(value, str) else ""
    return found.rjust(width, "0") if found else ""
