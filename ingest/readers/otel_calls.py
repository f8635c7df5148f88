"""Which telemetry spans are calls, and which tell a call again.

Telemetry says the same call several times:

- agent, workflow and tool spans repeat the sum of their children: left out;
- a span without a response id above a span that carries usage is a framework's view of it: left
  out; with an id it is left out only for the same call (same id, or no id and the same counts);
- siblings with one response id are one call: the better-informed span is kept;
- a streamed Logfire call is a span without usage and a log-like span with it: one call.

    invoke_agent (503 input, the sum)                     left out: an agent
    └─ Messages (OpenInference, no id, 503 input)         left out: the framework's view
       └─ anthropic.messages (id msg_1…, 503 input)       the call

What a span left out knows alone (session, tier, tags) is handed to the one that stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingest.readers.base import ReadContext, known_total
from ingest.readers.otel_attributes import Call, read_call, role
from ingest.readers.otel_wire import Span
from ingest.record import Reject, call_key
from pricing.usage import UsageError


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
