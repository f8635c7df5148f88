"""GitHub Copilot CLI sessions (`~/.copilot/session-state/…/events.jsonl`).

Lines are {`type`, `id`, `timestamp`, `data`}. What a session used stands in its `session.shutdown`:
`data.modelMetrics` {model: {`requests` {`count`}, `usage` {`inputTokens`, `outputTokens`,
`cacheReadTokens`, `cacheWriteTokens` (or `cacheCreationTokens`), `reasoningTokens`}}}.

Arithmetic: `inputTokens` includes what was read from and written to the cache, `outputTokens`
includes reasoning. A session that is resumed writes another shutdown with the sums since its
beginning: only what was added counts; sums that went down are a new beginning.

These are sums of a session, not calls: a call's context tier cannot be told from a sum, and
Copilot sells requests and credits, not tokens. So they are rows of usage in `reported`, by model,
from the session's begin to its end. Calls one by one are in the OpenTelemetry file that Copilot
writes on demand, which `otel` reads. `assistant.message` lines repeat a part of the output.

    {"type": "session.shutdown", "timestamp": "…", "data": {"modelMetrics": {"gpt-5-mini": {"usage":
      {"inputTokens": 100, "cacheReadTokens": 60, "cacheWriteTokens": 10, "outputTokens": 20,
       "reasoningTokens": 5}}}}}

is 30 uncached, 60 cached, 10 written, 15 output and 5 reasoning tokens of gpt-5-mini. (Field names
from public parsers and their tests; no real file was at hand.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import ReadContext, Result, reject
from ingest.record import Reject, ReportedRow, instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import UsageError, count, read_usage

_NAMES = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens")


@dataclass(slots=True)
class _Session:
    """What the lines so far have told."""

    id: str | None = None
    start: datetime | None = None
    seen: dict[str, dict[str, int]] = field(default_factory=dict)


class Copilot:
    """Reader of Copilot CLI's session events."""

    name = "copilot"
    title = "GitHub Copilot CLI sessions (events.jsonl): sums by model"
    recognised_by = "`session.shutdown` or `session.start` events with `data`"

    def identify(self, source: Source) -> float:
        """By the events' types: Copilot's begin with `session.`, `assistant.`, `user.`, `tool.`."""
        if source.kind not in ("json", "jsonl") or not source.sample:
            return 0.0
        known = sum(map(_is_event, source.sample))
        told = any(_is_event(d) and str(d["type"]).startswith("session.") for d in source.sample)
        return 0.9 * known / len(source.sample) if told else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """A row of usage for each model of each shutdown."""
        session, shutdowns, number = _Session(), 0, 0
        for number, document in source.readable():
            if isinstance(document, BadLine):
                yield reject(document, number)
                continue
            if not _is_event(document):
                yield Reject("not an event of a Copilot session", number)
                continue
            data, when = document["data"], instant(document.get("timestamp"))
            session.start = session.start or when
            if document["type"] == "session.start":
                session.id = short_text(data.get("sessionId")) or session.id
                session.start = instant(data.get("startTime")) or session.start
            elif document["type"] == "session.shutdown":
                shutdowns += 1
                yield from _shutdown(data, when, session, number)
        if not shutdowns and number:
            context.notes.append("the session has not ended: its usage is written when it does")


def _is_event(document: Any) -> bool:
    return (
        isinstance(document, JsonObject)
        and isinstance(document.get("type"), str)
        and "." in document["type"]
        and isinstance(document.get("data"), JsonObject)
        and ("id" in document or "timestamp" in document)
    )


def _shutdown(
    data: Mapping[str, Any], when: datetime | None, session: _Session, line: int
) -> Iterator[Result]:
    metrics = data.get("modelMetrics")
    own = short_text(data.get("sessionId")) or session.id
    began = instant(data.get("sessionStartTime")) or session.start
    end = when or began
    for model, metric in sorted(metrics.items()) if isinstance(metrics, JsonObject) else []:
        usage = metric.get("usage") if isinstance(metric, JsonObject) else None
        if not isinstance(usage, JsonObject):
            yield Reject(f"no usage of model {short_text(model)} at the session's end", line)
            continue
        if end is None:
            yield Reject("the session's end states no time", line)
            return
        try:
            now = _whole(usage, metric)
            added = _added(session.seen.get(model), now)
            if not any(added.values()):
                continue
            reading = read_usage(_inclusive(added), "openai")
        except UsageError as error:
            yield reject(error, line, usage)
            continue
        session.seen[model] = now
        start = min(began or end, end)
        yield ReportedRow(
            source_format=Copilot.name,
            provider="github-copilot",
            kind="usage",
            period_start=start,
            period_end=max(end, start + timedelta(seconds=1)),
            counts=reading.counts,
            requests=added["requests"] or None,
            model=model,
            tags={"session": own} if own else {},
            line=line,
        )


def _whole(usage: Mapping[str, Any], metric: Mapping[str, Any]) -> dict[str, int]:
    found = {name: count(usage.get(name), name) or 0 for name in _NAMES}
    if not found["cacheWriteTokens"]:
        older = count(usage.get("cacheCreationTokens"), "cacheCreationTokens")
        found["cacheWriteTokens"] = older or 0
    requests = metric.get("requests")
    number = requests.get("count") if isinstance(requests, JsonObject) else None
    found["requests"] = count(number, "requests.count") or 0
    return found


def _added(before: Mapping[str, int] | None, now: Mapping[str, int]) -> dict[str, int]:
    """What a later sum has more; sums that went down began anew."""
    if before is None or any(now[name] < before[name] for name in _NAMES):
        return dict(now)
    return {name: value - min(before[name], value) for name, value in now.items()}


def _inclusive(added: Mapping[str, int]) -> dict[str, Any]:
    return {
        "input_tokens": added["inputTokens"],
        "input_tokens_details": {
            "cached_tokens": added["cacheReadTokens"],
            "cache_write_tokens": added["cacheWriteTokens"],
        },
        "output_tokens": added["outputTokens"],
        "output_tokens_details": {"reasoning_tokens": added["reasoningTokens"]},
    }


READER = Copilot()
