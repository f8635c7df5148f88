"""What a reader is, and the envelope a provider's body arrives in.

A *reader* turns one log format into usage records. It has a name, says how sure it is that a
file is its own (`identify`, by content and never by file name), and yields records and rejects
(`read`). A new format is one new module in this folder that ends in a `READER`, and its fixtures.

A *body reader* knows one API's response body. Bodies come wrapped in many ways (raw, beside their
request, in a batch line, in a HAR entry, as a stream): `ingest.readers.bodies` unwraps them, and
what it learns on the way (request, time, address) is the `Envelope`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from ingest.files import BadLine, Source
from ingest.record import (
    ContentKeys,
    Reject,
    ReportedRow,
    UsageRecord,
    call_key,
    instant,
    split_tags,
)
from pricing.json_types import JsonObject
from pricing.usage import Counts, Item, Reading, UsageError, served_tier, total_input, total_output

Result = UsageRecord | ReportedRow | Reject


@dataclass(slots=True)
class ReadContext:
    """What the importer tells a reader about this import.

    `mapping` and `options` are settings for formats that need them; `keys` makes keys for records
    without ids; `assumed_time` stands in where a log states no time.
    """

    source: Source
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: ContentKeys = field(default_factory=ContentKeys)
    notes: list[str] = field(default_factory=list)

    @property
    def assumed_time(self) -> datetime:
        """When the file was last written: the best guess for records without a time."""
        return datetime.fromtimestamp(self.source.modified, UTC).replace(tzinfo=None)


class Reader(Protocol):
    """One log format."""

    name: str
    title: str
    recognised_by: str

    def identify(self, source: Source) -> float:
        """How sure the reader is that the file is its own: 0 (not mine) to 1 (certainly)."""
        ...

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Yield a record or a reject for everything in the file; never raise for bad content."""
        ...


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(slots=True)
class Envelope:
    """What surrounds a provider's body in a log: everything the body itself may lack."""

    line: int
    request: Mapping[str, Any] = field(default_factory=_nothing)
    url: str = ""
    time: datetime | None = None
    unread_time: str | None = None
    request_id: str | None = None
    key: str | None = None
    tier: str | None = None
    provider: str | None = None
    seller: str | None = None
    model: str | None = None
    status: int | None = None
    latency_ms: int | None = None
    session: str | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    header_counts: dict[str, str] = field(default_factory=dict)


class BodyReader(Protocol):
    """One API's response body."""

    name: str

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """Whether the body is this API's, by its own keys."""
        ...

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """The records of one body (several when it holds several priced items)."""
        ...


SHORT_ID = 12
"""Ids shorter than this are no random ones: they come again for other calls."""


def make_records(
    reading: Reading,
    envelope: Envelope,
    context: ReadContext,
    *,
    source_format: str,
    provider: str,
    model: str | None,
    response_id: str | None,
    time: datetime | None = None,
    tier: str | None = None,
    effort: str | None = None,
    tags: Mapping[str, Any] | None = None,
    final: bool = True,
    failed: bool = False,
    content: Any = None,
) -> Iterator[UsageRecord]:
    """Build the record of one response, and one more for each further priced item in it.

    The tier is the one served (the body's), else the envelope's, else the request's.
    """
    provider = envelope.provider or provider
    occurred = time or envelope.time
    if response_id:
        key = call_key(provider, response_id)
        if len(response_id) < SHORT_ID and time is not None:
            # Some servers number their answers, and begin anew when they start.
            key += f"@{time.isoformat()}"
    elif envelope.key or envelope.request_id:
        key = envelope.key or call_key(provider, str(envelope.request_id))
    else:
        key = context.keys.key(content if content is not None else reading.counts)
    if occurred is None and envelope.unread_time:
        why = f"{envelope.unread_time} is no time this reads: the file's is assumed"
        envelope.flags.append(why)
    dimensions, rest = split_tags({**envelope.tags, **(tags or {})})
    requested = envelope.request.get("service_tier")
    record = UsageRecord(
        call_key=key,
        occurred_at=occurred or context.assumed_time,
        time_assumed=occurred is None,
        source_format=source_format,
        provider=provider,
        seller=envelope.seller,
        model=model or envelope.model or _text(envelope.request.get("model")),
        counts=reading.counts,
        tier=served_tier(tier, reading.tier, envelope.tier, _text(requested)),
        region=reading.region,
        effort=effort or request_effort(envelope.request),
        total_reported=reading.total_reported,
        source_cost_usd=reading.cost_usd,
        finality="final" if final else "partial",
        failed=failed,
        latency_ms=envelope.latency_ms,
        session=envelope.session,
        dimensions=dimensions,
        tags=rest,
        flags=[*reading.flags, *envelope.flags],
        line=envelope.line,
    )
    yield record
    yield from item_records(record, reading.items)


def item_records(record: UsageRecord, items: Iterable[Item]) -> Iterator[UsageRecord]:
    """A record for each further priced item in a response: as the response's own, with the item's
    counts and model, and without what is said of the response once (charge, total, latency)."""
    for number, item in enumerate(items, 1):
        yield replace(
            record,
            call_key=f"{record.call_key}#{item.kind}:{number}",
            model=item.model or record.model,
            counts=item.counts,
            total_reported=None,
            source_cost_usd=None,
            failed=False,
            latency_ms=None,
            dimensions=dict(record.dimensions),
            tags={**record.tags, "item": item.kind},
            flags=[],
        )


def request_effort(request: Mapping[str, Any]) -> str | None:
    """The reasoning effort a request asks for, in either OpenAI spelling."""
    effort = request.get("reasoning_effort")
    reasoning = request.get("reasoning")
    if effort is None and isinstance(reasoning, JsonObject):
        effort = reasoning.get("effort")
    return _text(effort)


def empty_reading(api: str, flag: str) -> Reading:
    """A reading of a response that states no usage: nothing counted, nothing priced at zero."""
    return Reading({}, api, flags=[flag])


def reject(error: UsageError | BadLine | str, line: int | None, raw: Any = None) -> Reject:
    """A reject from an error, with a short look at the usage object but never at the text."""
    if isinstance(error, BadLine):
        return Reject(error.reason, line, error.raw)
    return Reject(str(error), line, None if raw is None else str(raw)[:200])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def known_total(counts: Counts) -> int:
    """All tokens of a record: what decides between two sightings of one call."""
    return total_input(counts) + total_output(counts)


__all__ = [
    "BodyReader",
    "Envelope",
    "ReadContext",
    "Reader",
    "Result",
    "empty_reading",
    "instant",
    "known_total",
    "make_records",
    "reject",
    "request_effort",
]
