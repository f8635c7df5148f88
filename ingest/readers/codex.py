"""Codex CLI: rollout files (`sessions/…/rollout-*.jsonl`, `archived_sessions/`), `exec --json`.

Field map of rollout lines `{timestamp, type, payload}`: `session_meta` {id, forked_from_id, cwd,
git, cli_version, model_provider} -> session, project, tags, provider; `turn_context` {model,
effort, turn_id} -> model and effort of the events after it; `event_msg` of type `token_count`
{info: {total_token_usage, last_token_usage}} -> calls (see `codex_counts`); `token_usage_record`
{thread_id, response_id, usage} -> one call each, preferred over the counts that stand beside it.
Arithmetic: OpenAI's, `input_tokens` includes `cached_input_tokens` and `cache_write_input_tokens`,
`output_tokens` includes `reasoning_output_tokens`.

    total 14,475 in / 216 out, the same again 12 ms later, then total 30,000 in / 500 out

are two calls: 14,475 / 216 and 15,525 / 284. A fork's file begins with a copy of the parent's
events under new times; copies share their keys (or, where the file holds only the tail of the
parent's history, are left to the parent's file).

`codex exec --json` prints `turn.completed` {usage} without time or model; the usage is the
thread's running total, so a later turn of the same thread counts its rise. These turns are also in
the rollout file: import one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PureWindowsPath
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.readers.codex_counts import (
    NOTHING,
    PARTS,
    Event,
    Totals,
    UsageError,
    calls_of,
    totals_of,
)
from ingest.readers.codex_threads import family_of, parent_of, thread_of
from ingest.record import Reject, call_key, instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import read_usage

_BURST = timedelta(seconds=2)
"""A copied history is written at once; no model answers this soon after a session's start."""

_TYPES = (
    "session_meta", "turn_context", "event_msg", "response_item", "token_usage_record",
    "compacted", "world_state",
)  # fmt: skip
_MODEL_KEYS = ("model", "model_name")


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the lines before an event said."""

    model: str | None = None
    effort: str | None = None
    turn: str | None = None


@dataclass(slots=True)
class _Record:
    """One `token_usage_record`."""

    line: int
    time: datetime | None
    key: str
    usage: Totals
    copied: bool
    about: _Moment


@dataclass(slots=True)
class _Rollout:
    """A rollout file, boiled down to what is counted."""

    metas: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    started: datetime | None = None
    events: list[Event] = field(default_factory=list)
    records: dict[str, _Record] = field(default_factory=dict)

    @property
    def own(self) -> Mapping[str, Any]:
        """The file's own `session_meta`: the first one, later ones are ancestors'."""
        none: Mapping[str, Any] = {}
        return next(iter(self.metas.values()), none)


class Codex:
    """Reader of Codex rollout files and `codex exec --json` output."""

    name = "codex"
    title = "Codex CLI sessions (rollout files, exec --json)"
    recognised_by = "lines of `session_meta`, `turn_context`, `token_count` or `turn.completed`"

    def identify(self, source: Source) -> float:
        """Sure when lines have this log's types with a payload, or are this program's events."""
        if source.kind not in ("json", "jsonl"):
            return 0.0
        seen = {
            str(d.get("type"))
            for d in source.sample
            if isinstance(d, JsonObject) and isinstance(d.get("payload"), JsonObject)
        }
        if seen & {"session_meta", "turn_context", "token_usage_record"}:
            return 0.97
        if any(
            isinstance(d, JsonObject) and _payload(d).get("type") == "token_count"
            for d in source.sample
        ):
            return 0.9
        lines = {str(d.get("type")) for d in source.sample if isinstance(d, JsonObject)}
        if "thread.started" in lines or "turn.completed" in lines:
            return 0.9
        return 0.5 if seen & set(_TYPES) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a call, after the whole file is known: its lines explain one another."""
        rollout = _Rollout()
        moment = _Moment()
        threads = _ExecThreads()
        for line, document in source.documents():
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            if not isinstance(document, JsonObject):
                yield Reject("not a JSON object", line)
                continue
            kind = document.get("type")
            try:
                if kind == "thread.started":
                    threads.current = short_text(document.get("thread_id")) or ""
                elif kind == "turn.completed":
                    yield from threads.turn(document, line, context)
                else:
                    moment = _take(rollout, moment, document, line)
            except UsageError as error:
                yield reject(error, line)
        yield from _results(rollout, source, context)


def _payload(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = document.get("payload", document.get("msg"))
    return inner if isinstance(inner, JsonObject) else {}


def _take(rollout: _Rollout, moment: _Moment, document: Mapping[str, Any], line: int) -> _Moment:
    """Take one line in; returns what is known of the moment after it. Raises `UsageError`."""
    kind, payload = document.get("type"), _payload(document)
    time = instant(document.get("timestamp"))
    if kind == "session_meta":
        meta_id = short_text(payload.get("id") or payload.get("session_id"))
        if meta_id:
            if not rollout.metas:
                rollout.started = instant(payload.get("timestamp")) or time
            rollout.metas.setdefault(meta_id, payload)
    elif kind == "turn_context":
        return _Moment(
            short_text(payload.get("model")), _effort(payload), short_text(payload.get("turn_id"))
        )
    elif kind == "token_usage_record":
        _take_record(rollout, payload, moment, time, document, line)
    elif kind == "compacted":
        latest = payload.get("latest_token_usage_record", payload.get("token_usage_record"))
        if isinstance(latest, JsonObject):
            _take_record(rollout, latest, moment, time, document, line)
    elif payload.get("type") == "token_count":
        info = payload.get("info")
        if isinstance(info, JsonObject):
            event = Event(
                line,
                time,
                totals_of(info.get("total_token_usage")),
                totals_of(info.get("last_token_usage")),
                _is_copy(rollout, document, time),
                _named(moment, info, payload),
            )
            if event.totals is not None or event.last is not None:
                rollout.events.append(event)
    return moment


def _take_record(
    rollout: _Rollout,
    payload: Mapping[str, Any],
    moment: _Moment,
    time: datetime | None,
    document: Mapping[str, Any],
    line: int,
) -> None:
    usage = totals_of(payload.get("usage"))
    response = short_text(payload.get("response_id"))
    if usage is None or not usage:
        return
    thread = short_text(payload.get("thread_id")) or thread_of(rollout.own) or ""
    turn = short_text(payload.get("turn_id")) or ""
    key = (
        call_key("openai", response, source=f"codex:{thread}")
        if response
        else f"codex:{thread}:{turn}:{payload.get('thread_token_usage') or usage.parts}"
    )
    rollout.records.setdefault(
        key,
        _Record(line, time, key, usage, _is_copy(rollout, document, time), _named(moment, payload)),
    )


def _named(moment: _Moment, *places: Mapping[str, Any]) -> _Moment:
    """The moment, with a model that the event itself names."""
    for place in places:
        for name in _MODEL_KEYS:
            model = short_text(place.get(name))
            if model:
                return _Moment(model, moment.effort, moment.turn)
    return moment


def _effort(context: Mapping[str, Any]) -> str | None:
    mode = context.get("collaboration_mode")
    inner = mode.get("settings") if isinstance(mode, JsonObject) else None
    fallback = inner.get("reasoning_effort") if isinstance(inner, JsonObject) else None
    return short_text(context.get("effort") or context.get("reasoning_effort") or fallback)


def _is_copy(rollout: _Rollout, document: Mapping[str, Any], time: datetime | None) -> bool:
    """Whether a line is known to be copied from the parent: below the ordinal where the thread's
    own history begins, or in the burst in which a fork's file is written."""
    own, ordinal = rollout.own, document.get("ordinal")
    start = own.get("subagent_history_start_ordinal", own.get("forked_from_ordinal_exclusive"))
    if isinstance(start, int) and isinstance(ordinal, int):
        return ordinal < start
    if not parent_of(own) or rollout.started is None or time is None:
        return False
    return time < rollout.started + _BURST


def _results(rollout: _Rollout, source: Source, context: ReadContext) -> Iterator[Result]:
    """Records of a rollout: its usage records, and the counts no usage record stands beside."""
    family, forked = family_of(rollout.metas, rollout.events, source)
    calls = list(calls_of(rollout.events, family=family, forked=forked))
    unmatched: dict[tuple[int, ...], int] = {}
    for record in rollout.records.values():
        shape = _shape(record.usage.usage)
        unmatched[shape] = unmatched.get(shape, 0) + 1
    first = min((r.line for r in rollout.records.values()), default=None)
    skipped = 0
    for call in calls:
        shape = _shape(call.usage)
        if unmatched.get(shape):
            unmatched[shape] -= 1
        elif first is None or call.event.line < first:
            # Before the first usage record an older version wrote the file.
            event = call.event
            yield from _emit(
                rollout, context, call.key, call.usage, event.line, event.time, event.copied,
                event.about, call.flag,
            )  # fmt: skip
        else:
            skipped += 1
    for record in rollout.records.values():
        yield from _emit(
            rollout, context, record.key, record.usage.usage, record.line, record.time,
            record.copied, record.about, "",
        )  # fmt: skip
    if skipped:
        context.notes.append(
            f"{skipped} running total(s) without a usage record beside them were not counted"
        )


def _shape(usage: Mapping[str, int]) -> tuple[int, ...]:
    """What a count and the record beside it agree in: older counts leave cache writes out."""
    return tuple(usage.get(n) or 0 for n in PARTS if n != "cache_write_input_tokens")


def _emit(
    rollout: _Rollout,
    context: ReadContext,
    key: str,
    usage: Mapping[str, int],
    line: int,
    time: datetime | None,
    copied: bool,
    about: _Moment,
    flag: str,
) -> Iterator[Result]:
    try:
        reading = read_usage(usage, "openai")
    except UsageError as error:
        yield reject(error, line, dict(usage))
        return
    own = rollout.own
    if flag:
        reading.flags.append(flag)
    if about.model is None:
        reading.flags.append("the log names no model before this call")
    provider = short_text(own.get("model_provider")) or "openai"
    for record in make_records(
        reading,
        Envelope(line, time=time, key=key, session=thread_of(own), tags=_tags(own)),
        context,
        source_format=Codex.name,
        provider=provider.lower(),
        model=about.model,
        response_id=None,
        effort=about.effort,
    ):
        # A copy's time is the fork's: the parent's own sighting of the call knows better.
        record.time_assumed = record.time_assumed or copied
        yield record


def _tags(meta: Mapping[str, Any]) -> dict[str, Any]:
    cwd = short_text(meta.get("cwd"))
    git = meta.get("git")
    tags: dict[str, Any] = {
        "cwd": cwd,
        "git_branch": git.get("branch") if isinstance(git, JsonObject) else None,
        "cli_version": meta.get("cli_version"),
        "parent_thread": parent_of(meta),
    }
    if cwd:
        tags["project"] = PureWindowsPath(cwd).name
    return tags


class _ExecThreads:
    """`codex exec --json`: the running total of each thread in the file."""

    def __init__(self) -> None:
        self.current = ""
        self._totals: dict[str, Totals] = {}

    def turn(
        self, document: Mapping[str, Any], line: int, context: ReadContext
    ) -> Iterator[Result]:
        """One record for a turn: the rise of its thread's total. Raises `UsageError`."""
        totals = totals_of(document.get("usage"))
        if totals is None:
            yield Reject("turn.completed without usage", line)
            return
        before = self._totals.get(self.current, NOTHING)
        rise = totals.minus(before)
        usage = totals if rise is None else rise
        self._totals[self.current] = totals
        if not usage:
            return
        reading = read_usage(usage.usage, "openai")
        reading.flags.append("a turn's sum of calls; the thread's rollout file holds them singly")
        if before is not NOTHING and rise is not None:
            reading.flags.append("counted as the rise of the thread's running total")
        content = ["codex exec", self.current, list(totals.parts)]
        yield from make_records(
            reading,
            Envelope(line, time=instant(document.get("timestamp")), session=self.current or None),
            context,
            source_format="codex-exec",
            provider="openai",
            model=short_text(document.get("model")),
            response_id=None,
            content=content,
        )


READER = Codex()
