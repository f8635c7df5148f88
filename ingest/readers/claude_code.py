"""Claude Code sessions: `projects/<project>/<session>.jsonl`, subagents, `stream-json` output.

Field map of a line with `type` = assistant (or a `progress` line, whose `data.message` is one):
`message.id` -> key, `message.model` -> model, `message.usage` -> counts (Anthropic's arithmetic:
`input_tokens` is the uncached part, cache reads and writes stand beside it), `timestamp` -> time,
`sessionId` -> session, last part of `cwd` -> project, `cwd`, `gitBranch`, `version`, `isSidechain`
-> tags, `costUSD` (old versions) -> the source's own cost.

One answer is written once a content block, with growing counts, and files of resumed, forked and
sidechain sessions copy old lines under another session and sometimes another request id. So the
call is the *message id*, which is unique across accounts; only a short id, as other servers behind
the same API hand out, needs the request id beside it (a sidechain copy never does). Of several
lines of a call the one with most tokens counts; at equality the parent's before the sidechain's,
then the one that knows its `speed`.

    {"type": "assistant", "requestId": "req_1", "message": {"id": "msg_1…", "usage":
      {"input_tokens": 3, "cache_read_input_tokens": 4734, "output_tokens": 8}}}
    … and again with "output_tokens": 322

is one call of 3 uncached, 4,734 cached and 322 output tokens. Lines of model `<synthetic>` are the
agent's own words and cost nothing. A `result` line is the sum of a session: it is not a call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.anthropic_messages import cloud_of
from ingest.readers.base import (
    Envelope,
    ReadContext,
    Result,
    known_total,
    make_records,
    reject,
)
from ingest.readers.cells import amount
from ingest.record import Reject, UsageRecord, call_key, instant, short_text
from pricing.json_types import JsonObject
from pricing.usage import UsageError, read_usage

_SYNTHETIC = "<synthetic>"
_GLOBAL_ID = 20
"""Message ids of at least this length are unique everywhere (Anthropic's have 28)."""


@dataclass(slots=True)
class _Call:
    """The best sighting of a call so far, and what it is compared by."""

    rank: tuple[int, bool, bool]
    records: list[UsageRecord]
    sidechain: bool
    message_id: str | None


class ClaudeCode:
    """Reader of Claude Code session files."""

    name = "claude-code"
    title = "Claude Code sessions (JSON lines, subagents, stream-json)"
    recognised_by = "lines with `sessionId` and a `message` that holds `usage`"

    def identify(self, source: Source) -> float:
        """Sure when a line has the agent's own fields; sessions may begin with other lines."""
        if source.kind not in ("json", "jsonl"):
            return 0.0
        best = 0.0
        for document in source.sample:
            if not isinstance(document, JsonObject):
                continue
            answer = _answer(document)
            if "sessionId" in document and ("uuid" in document or "leafUuid" in document):
                best = max(best, 0.97)
            elif answer is not None and isinstance(answer.get("message"), JsonObject):
                own = document.get("type") == "assistant" or "requestId" in document
                best = max(best, 0.95 if own else 0.8)
            elif document.get("type") == "result" and "modelUsage" in document:
                best = max(best, 0.9)
        return best

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a call, yielded at the end of the file: a later line may be the better one."""
        calls: dict[str, _Call] = {}
        by_message: dict[str, str] = {}
        sums = 0
        for line, document in source.documents():
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            if not isinstance(document, JsonObject):
                yield Reject("not a JSON object", line)
                continue
            if document.get("type") == "result":
                sums += 1
                continue
            answer = _answer(document)
            if answer is None:
                continue
            try:
                found = _records(answer, document, line, context)
            except UsageError as error:
                yield reject(error, line, answer["message"].get("usage"))
                continue
            if found is not None:
                _keep(calls, by_message, found)
        if sums:
            why = f"{sums} session result(s) not imported: a result is the sum of its calls"
            context.notes.append(why)
            if not calls:
                yield Reject(why, 1)
        for call in calls.values():
            yield from call.records


def _answer(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The line that holds an answer's usage: the line itself, or one inside a progress line."""
    if document.get("type") == "progress":
        data = document.get("data")
        inner = data.get("message") if isinstance(data, JsonObject) else None
        if not isinstance(inner, JsonObject):
            return None
        document = inner
    if document.get("type", "assistant") != "assistant":
        return None
    message = document.get("message")
    if isinstance(message, JsonObject) and isinstance(message.get("usage"), JsonObject):
        return document
    return None


def _records(
    answer: Mapping[str, Any], line_document: Mapping[str, Any], line: int, context: ReadContext
) -> _Call | None:
    """The records of one line, or None where there was no call. Raises `UsageError`."""
    message = answer["message"]
    usage = message["usage"]
    model = short_text(message.get("model"))
    if model == _SYNTHETIC:
        return None
    reading = read_usage(usage, "anthropic")
    failed = answer.get("isApiErrorMessage") is True
    if failed and not known_total(reading.counts):
        return None
    message_id = short_text(message.get("id"))
    request_id = short_text(answer.get("requestId") or answer.get("request_id"))
    sidechain = line_document is not answer or _is_sidechain(answer)
    seller = cloud_of(message_id)
    outer = {**line_document, **answer}
    envelope = Envelope(
        line,
        time=instant(outer.get("timestamp")),
        key=_key(message_id, request_id, sidechain),
        session=short_text(outer.get("sessionId") or outer.get("session_id")),
        seller=seller,
        tags=_tags(outer, sidechain),
    )
    reading.cost_usd = amount(answer.get("costUSD"))
    records = list(
        make_records(
            reading,
            envelope,
            context,
            source_format=ClaudeCode.name,
            provider="anthropic",
            model=model,
            response_id=None,
            tier=reading.tier,
            failed=failed,
            content=[outer.get("timestamp"), model, usage],
        )
    )
    rank = (sum(known_total(r.counts) for r in records), not sidechain, "speed" in usage)
    return _Call(rank, records, sidechain, message_id)


def _is_sidechain(answer: Mapping[str, Any]) -> bool:
    return answer.get("isSidechain") is True or bool(answer.get("parent_tool_use_id"))


def _key(message_id: str | None, request_id: str | None, sidechain: bool) -> str | None:
    """The message id; beside a short one the request id, which a sidechain's copy may change."""
    if message_id is None:
        return None if request_id is None else call_key("anthropic", request_id)
    scoped = call_key("anthropic", message_id, source=ClaudeCode.name)
    if len(message_id) >= _GLOBAL_ID or request_id is None or sidechain:
        return scoped
    return f"{scoped}:{request_id}"


def _keep(calls: dict[str, _Call], by_message: dict[str, str], found: _Call) -> None:
    """Keep the better of two sightings. A sidechain's copy of a short id is the parent's call."""
    own = key = found.records[0].call_key
    if key not in calls and found.message_id is not None:
        other = by_message.get(found.message_id)
        if other is not None and (calls[other].sidechain or found.sidechain):
            key = other
    by_message.setdefault(found.message_id or key, key)
    known = calls.get(key)
    if known is None or found.rank > known.rank:
        for record in found.records:
            record.call_key = key + record.call_key.removeprefix(own)
        calls[key] = found


def _tags(line: Mapping[str, Any], sidechain: bool) -> dict[str, Any]:
    """Where the work was done: the folder's name is the project."""
    cwd = short_text(line.get("cwd"))
    tags: dict[str, Any] = {
        "cwd": cwd,
        "git_branch": line.get("gitBranch"),
        "cli_version": line.get("version"),
        "agent": line.get("agentId"),
    }
    if cwd:
        # Windows rules split at both kinds of slash.
        tags["project"] = PureWindowsPath(cwd).name
    if sidechain:
        tags["sidechain"] = True
    return tags


READER = ClaudeCode()
