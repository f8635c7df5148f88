"""OpenTelemetry GenAI spans: OTLP files and bodies, in every dialect, each call once.

Attribute names and arithmetic are in `otel_attributes`, encodings in `otel_wire`. This module
decides which spans are calls, because telemetry says the same call several times:

- agent, workflow and tool spans repeat the sum of their children: left out;
- a span without a response id above a span that carries usage is a framework's view of it: left
  out; with an id it is left out only for the same call (same id, or no id and the same counts);
- siblings with one response id are one call: the better-informed span is kept;
- a streamed Logfire call is a span without usage and a log-like span with it: one call;
- Claude Code's `api_request` log events are calls, keyed by the request id its spans also carry.

    chat claude-opus-4-5 (OpenInference, no id, 9,803 input)
    └─ anthropic.messages (Anthropic SDK, id msg_1…, 9,803 input of which 9,000 cached)

is one record `anthropic:msg_1…`. A span's key is its response id, else trace and span id, so an
exporter's retry is the same call. `read_export_request` serves the collector.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result, known_total
from ingest.readers.otel_attributes import Call, read_call, role, tags_of
from ingest.readers.otel_wire import (
    OtlpError,
    Signal,
    Span,
    framed,
    frames,
    is_request,
    json_spans,
    parse_request,
)
from ingest.record import Reject, UsageRecord, call_key, short_text, split_tags
from pricing.usage import UsageError, read_usage

_MAX_BODY = 512 * 1024 * 1024


class Recent:
    """Spans above calls that came in earlier requests.

    An SDK exports in batches: the framework's span may come after its child was stored. A
    collector keeps one of these and hands it to each request. It holds the last `size` places.
    """

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._above: dict[tuple[str, str], None] = {}

    def __contains__(self, place: tuple[str, str]) -> bool:
        return place in self._above

    def add(self, places: Iterable[tuple[str, str]]) -> None:
        """Remember that calls below these spans have been counted."""
        for place in places:
            self._above[place] = None
        while len(self._above) > self._size:
            del self._above[next(iter(self._above))]


@dataclass(slots=True)
class Spans:
    """Spans gathered from a file or a request, until all are there to be compared."""

    recent: Recent = field(default_factory=Recent)
    calls: list[Call] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    parents: dict[tuple[str, str], str] = field(default_factory=dict)
    groups: list[Span] = field(default_factory=list)
    events: list[Span] = field(default_factory=list)
    logs: int = 0
    metrics: int = 0

    def add(self, spans: Iterable[Span]) -> None:
        """Take spans in; only the few facts that matter are kept of those that are no call."""
        for span in spans:
            if span.log:
                self._log(span)
                continue
            if span.span_id:
                self.parents[span.trace_id, span.span_id] = span.parent_id
            kind = role(span)
            if kind == "group":
                if any("usage" in k or "token" in k for k in span.attributes):
                    span.attributes = {}
                    self.groups.append(span)
            elif kind == "call":
                try:
                    call = read_call(span)
                except UsageError as error:
                    self.rejects.append(Reject(f"span {span.name[:60]!r}: {error}", span.line))
                    continue
                span.attributes = {}
                span.resource = {}
                self.calls.append(call)

    def _log(self, span: Span) -> None:
        if span.log.removeprefix("claude_code.") == "api_request":
            self.events.append(span)
        else:
            self.logs += 1

    # --- which spans are one call ---------------------------------------------------------------

    def _ancestors(self, call: Call) -> Iterator[tuple[str, str]]:
        trace, at, steps = call.span.trace_id, call.span.parent_id, 0
        while at and steps < 1000:
            yield trace, at
            at = self.parents.get((trace, at), "")
            steps += 1

    def settled(self) -> list[Call]:
        """The calls, each once."""
        by_span = {(c.span.trace_id, c.span.span_id): c for c in self.calls if c.span.span_id}
        dropped: set[int] = set()
        for call in self.calls:
            # What a deeper span replaced has no say (nor, where links are broken, in a circle).
            if not call.counted or id(call) in dropped:
                continue
            for place in self._ancestors(call):
                above = by_span.get(place)
                if above is not None and above is not call and _same_call(above, call):
                    dropped.add(id(above))
                    _inform(call, above)
        for call in self.calls:
            place = (call.span.trace_id, call.span.span_id)
            if call.response_id is None and place in self.recent:
                dropped.add(id(call))
            if call.counted:
                self.recent.add(self._ancestors(call))
        dropped |= _stream_halves([c for c in self.calls if id(c) not in dropped])
        kept: dict[str, Call] = {}
        for call in self.calls:
            if id(call) in dropped:
                continue
            key = key_of(call)
            known = kept.get(key)
            if known is None:
                kept[key] = call
            elif _rank(call) > _rank(known):
                _inform(call, known)
                kept[key] = call
            else:
                _inform(known, call)
        return list(kept.values())

    def note(self, context: ReadContext, calls: list[Call]) -> None:
        """Say what was left out and why."""
        covered = {place for call in calls for place in self._ancestors(call)}
        alone = [g for g in self.groups if (g.trace_id, g.span_id) not in covered]
        if self.groups:
            context.notes.append(
                f"{len(self.groups)} agent, workflow or tool spans left out: "
                "they repeat the usage of the calls below them"
            )
        if alone:
            context.notes.append(
                f"{len(alone)} of them have no call below them in this file "
                f"(first: {alone[0].name[:60]!r}): export the model calls too"
            )
        if self.logs:
            context.notes.append(f"{self.logs} log records are no model calls: left out")
        if self.metrics:
            context.notes.append("metrics are sums without call ids, no calls: left out")


def _same_call(above: Call, below: Call) -> bool:
    """Whether a span above a counted one tells the same usage again."""
    if above.response_id is None or not above.counted:
        return above.response_id in (None, below.response_id) or below.response_id is None
    if below.response_id is None:
        return _in_and_out(above) == _in_and_out(below)
    return above.response_id == below.response_id


def _in_and_out(call: Call) -> int:
    return known_total(call.reading.counts)


def _inform(kept: Call, other: Call) -> None:
    """Take over what only the span left out knows."""
    kept.response_id = kept.response_id or other.response_id
    kept.tier = kept.tier or other.tier
    kept.model = kept.model or other.model
    kept.effort = kept.effort or other.effort
    kept.session = kept.session or other.session
    kept.cost = kept.cost if kept.cost is not None else other.cost
    kept.tags = {**other.tags, **kept.tags}
    if kept.provider == "unknown":
        kept.provider = other.provider


def _rank(call: Call) -> tuple[bool, bool, bool, int, int]:
    """Which of two spans of one call to believe: raw usage, then the maker's own SDK (others add
    up a stream's running counts), then the larger total, then the finer parts."""
    counts = call.reading.counts
    return (
        call.counted,
        call.raw,
        call.span.scope.startswith("com.anthropic."),
        known_total(counts),
        sum(1 for v in counts.values() if v),
    )


def _stream_halves(calls: list[Call]) -> set[int]:
    """Logfire's opening spans of streams whose closing record is here as well."""
    opening = [c for c in calls if c.stream_half and not c.counted and not _closes(c)]
    dropped: set[int] = set()
    for call in calls:
        if not _closes(call):
            continue
        for other in opening:
            if (
                id(other) not in dropped
                and other.model == call.model
                and other.span.scope == call.span.scope
                and _before(other.span, call.span)
            ):
                dropped.add(id(other))
                _inform(call, other)
                call.span.start = other.span.start
                break
    return dropped


def _closes(call: Call) -> bool:
    return call.span.scope.startswith("logfire") and call.span.name.startswith("streaming response")


def _before(first: Span, then: Span) -> bool:
    return first.start is None or then.start is None or first.start <= then.start


def key_of(call: Call) -> str:
    """The call's key: the response id, else the span's own ids."""
    if call.response_id:
        # Claude Code puts the request id there: one name for it, wherever the call ran.
        request = call.response_id.startswith("req_")
        return call_key("anthropic" if request else call.provider, call.response_id)
    return f"otel:{call.span.trace_id}:{call.span.span_id}"


# --- records ------------------------------------------------------------------------------------


def records(spans: Spans, context: ReadContext) -> Iterator[Result]:
    """Records of everything gathered."""
    calls = spans.settled()
    events = [_claude_code(event, context) for event in spans.events]
    # Claude Code's event says more of the same call than its span: cost, session, speed.
    told = {event.call_key for event in events if isinstance(event, UsageRecord)}
    for call in calls:
        if key_of(call) not in told:
            yield from _records(call, context)
    yield from events
    yield from spans.rejects
    spans.note(context, calls)


def _records(call: Call, context: ReadContext) -> Iterator[UsageRecord]:
    span, reading = call.span, call.reading
    key = key_of(call)
    if key == "otel::":
        key = context.keys.key([span.name, str(span.start), reading.counts])
    dimensions, rest = split_tags(call.tags)
    record = UsageRecord(
        call_key=key,
        occurred_at=span.start or span.end or context.assumed_time,
        time_assumed=span.start is None and span.end is None,
        source_format="otel",
        provider=call.provider,
        model=call.model,
        counts=reading.counts,
        tier=call.tier,
        region=reading.region,
        effort=call.effort,
        total_reported=reading.total_reported,
        source_cost_usd=call.cost,
        finality="final" if call.counted else "partial",
        failed=span.failed and not call.counted,
        latency_ms=_latency(span),
        session=call.session,
        dimensions=dimensions,
        tags=rest,
        flags=list(reading.flags),
        line=span.line,
    )
    yield record
    for number, item in enumerate(reading.items, 1):
        yield UsageRecord(
            call_key=f"{key}#{item.kind}:{number}",
            occurred_at=record.occurred_at,
            time_assumed=record.time_assumed,
            source_format="otel",
            provider=record.provider,
            model=item.model or record.model,
            counts=item.counts,
            tier=record.tier,
            region=record.region,
            session=record.session,
            dimensions=dict(dimensions),
            tags={**rest, "item": item.kind},
            line=record.line,
        )


def _latency(span: Span) -> int | None:
    if span.start is None or span.end is None or span.end <= span.start:
        return None
    return round((span.end - span.start).total_seconds() * 1000)


def _claude_code(event: Span, context: ReadContext) -> Result:
    """A call from Claude Code's own telemetry: Anthropic's arithmetic, cache beside input."""
    a = event.attributes
    usage: dict[str, Any] = {
        "input_tokens": _whole(a.get("input_tokens")),
        "output_tokens": _whole(a.get("output_tokens")),
        "cache_read_input_tokens": _whole(a.get("cache_read_tokens")),
        "cache_creation_input_tokens": _whole(a.get("cache_creation_tokens")),
        "speed": a.get("speed"),
    }
    try:
        reading = read_usage(usage, "anthropic")
        cost = a.get("cost_usd")
        cost_usd = None if cost is None or isinstance(cost, bool) else Decimal(str(cost))
        if cost_usd is not None and not cost_usd.is_finite():
            cost_usd = None
    except (UsageError, ArithmeticError) as error:
        return Reject(f"log event api_request: {error}", event.line)
    request_id = short_text(a.get("request_id"))
    session = short_text(a.get("session.id"))
    sequence = short_text(a.get("event.sequence"))
    if request_id:
        key = call_key("anthropic", request_id)
    elif session and sequence:
        key = f"claude-code:{session}:{sequence}"
    else:
        key = context.keys.key([str(event.start), a.get("model"), usage])
    when = event.start
    dimensions, rest = split_tags(
        {**tags_of(event), "query_source": a.get("query_source"), "request_id": request_id}
    )
    return UsageRecord(
        call_key=key,
        occurred_at=when or context.assumed_time,
        time_assumed=when is None,
        source_format="otel",
        provider="anthropic",
        model=short_text(a.get("model")),
        counts=reading.counts,
        tier=reading.tier,
        source_cost_usd=cost_usd,
        latency_ms=_milliseconds(a.get("duration_ms")),
        session=session,
        dimensions=dimensions,
        tags=rest,
        flags=list(reading.flags),
        line=event.line,
    )


def _whole(value: Any) -> Any:
    """Counts in log events come as numbers or text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _milliseconds(value: Any) -> int | None:
    value = _whole(value)
    return round(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None


# --- the collector's and the file reader's doors ------------------------------------------------


def read_export_request(
    body: bytes | Mapping[str, Any],
    context: ReadContext | None = None,
    signal: Signal = "traces",
    recent: Recent | None = None,
) -> Iterator[Result]:
    """Records of one OTLP export request (protobuf or JSON, not compressed).

    `signal` says which of `/v1/traces` and `/v1/logs` it came to; `recent` is what the collector
    keeps from one request to the next. A body that is no request gives a `Reject`; to answer 400
    instead, use `parse_request`, which raises `OtlpError`, then `Spans.add` and `records`.
    """
    context = context or ReadContext(Source(Path("otlp"), "binary", "", b"", modified=time.time()))
    spans = Spans(recent if recent is not None else Recent())
    try:
        spans.add(parse_request(body, 1, signal))
    except OtlpError as error:
        yield Reject(str(error), 1)
        return
    yield from records(spans, context)


class Otel:
    """Reader of span exports."""

    name = "otel"
    title = "OpenTelemetry GenAI spans (OTLP JSON, protobuf, Collector files)"
    recognised_by = "OTLP export requests, or spans with gen_ai, llm or ai attributes"

    def identify(self, source: Source) -> float:
        """Certain for an export request; in binary files the ids must have their length."""
        if source.kind in ("json", "jsonl") and source.sample:
            known = sum(1 for d in source.sample if is_request(d))
            if known:
                return 0.97 * known / len(source.sample)
        if source.head[:1] == b"\n" or framed(source.head):
            try:
                return 0.95 if any(True for _ in self._messages(source, probe=True)) else 0.0
            except (OtlpError, OSError, EOFError, ValueError):
                return 0.0
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """Gather all spans of the file, then yield each call once."""
        spans = Spans()
        text = source.kind in ("json", "jsonl") and any(is_request(d) for d in source.sample)
        try:
            if text:
                for line, document in source.documents():
                    if isinstance(document, BadLine):
                        yield Reject(document.reason, line)
                    elif is_request(document):
                        spans.add(json_spans(document, line))
                        spans.metrics += "resourceMetrics" in document
                    else:
                        yield Reject("not an OTLP export request or a span", line)
            else:
                for result in self._messages(source):
                    if isinstance(result, Reject):
                        yield result
                    else:
                        spans.add(result)
        except (OtlpError, UnreadableFile, OSError, EOFError) as error:
            yield Reject(str(error), None)
        yield from records(spans, context)

    def _messages(self, source: Source, probe: bool = False) -> Iterator[list[Span] | Reject]:
        """Spans by message of a binary file: length-prefixed, or one request body."""
        with source.open() as stream:
            if framed(source.head) and source.head[:1] != b"\n":
                for number, message in frames(stream):
                    if isinstance(message, BadLine):
                        if not probe:
                            yield Reject(message.reason, number)
                        return
                    try:
                        yield parse_request(message, number)
                    except OtlpError as error:
                        if probe:
                            return
                        yield Reject(f"message {number}: {error}", number)
                return
            body = stream.read(_MAX_BODY + 1)
        if len(body) > _MAX_BODY:
            raise OtlpError("one request of over 512 MiB: split it")
        yield parse_request(body)


READER = Otel()
