"""Gemini CLI sessions (`~/.gemini/tmp/…/chats/session-*.json`, lines of JSON since 2026).

| field | becomes |
| --- | --- |
| message `id` | key `gemini-cli:<id>` |
| `timestamp`, `model` | time, model |
| `tokens.input`, `.cached` | prompt, with the cached part inside |
| `tokens.output`, `.thoughts` | output and reasoning, beside each other |
| `tokens.tool` | prompts of tools, beside `input` and billed as input |
| `tokens.total` | the API's total |
| `sessionId`, `kind`, `projectHash` | session, tags `kind` and `project_hash` |

Arithmetic: Gemini's own, from which the five numbers were copied. Only messages of type `gemini`
have tokens. A session that is written again repeats its messages by id, with more counts as an
answer grows: the last sighting of an id that has the most counts is the call. Messages that were
rewound (`$rewindTo`) were paid for and stay. Where the total shows that the cached part was taken
out of `input`, it is put back. `stats` of `--output-format json` are the sums of a session, no
calls: they are named in a reject.

    {"id": "m1", "type": "gemini", "timestamp": "2026-01-01T00:00:00Z", "model": "gemini-2.5-pro",
     "tokens": {"input": 1000, "output": 50, "cached": 800, "thoughts": 30, "total": 1080}}

is 200 uncached, 800 cached, 50 output and 30 reasoning tokens. (Fields from the types in Gemini
CLI's own source, `chatRecordingTypes.ts`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import ReadContext, Result, known_total, reject
from ingest.readers.makers import maker_of
from ingest.record import Reject, UsageRecord, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import UsageError, count, read_usage

_TOKENS = {"input", "output", "total"}
_SUMS = "the sums of a session, no calls: import the session file under .gemini/tmp/…/chats instead"
_ID_LONG_ENOUGH = 20


class GeminiCli:
    """Reader of Gemini CLI's sessions."""

    name = "gemini-cli"
    title = "Gemini CLI sessions (chats/session-*.json, lines of JSON)"
    recognised_by = "messages of type `gemini` with `tokens`, or `sessionId` with `projectHash`"

    def identify(self, source: Source) -> float:
        """By a session's head, or its messages."""
        if source.kind not in ("json", "jsonl"):
            return 0.0
        return 0.93 if any(map(_is_ours, source.sample)) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a message id."""
        calls: dict[str, UsageRecord] = {}
        session: Mapping[str, Any] = {}
        for line, document in source.readable():
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            if not isinstance(document, JsonObject):
                yield Reject("not a JSON object", line)
                continue
            if _is_stats(document):
                yield Reject(_SUMS, line)
                continue
            if "sessionId" in document and "projectHash" in document:
                session = document
            listed = document.get("messages")
            changed = document.get("$set")
            if isinstance(changed, JsonObject) and isinstance(changed.get("messages"), JsonList):
                listed = changed["messages"]
            for message in listed if isinstance(listed, JsonList) else [document]:
                if not isinstance(message, JsonObject) or not _has_tokens(message):
                    continue
                try:
                    _keep(calls, _record(message, session, line, context))
                except UsageError as error:
                    yield reject(error, line, message.get("tokens"))
        yield from calls.values()


def _has_tokens(message: Mapping[str, Any]) -> bool:
    return message.get("type") == "gemini" and isinstance(message.get("tokens"), JsonObject)


def _is_stats(document: Mapping[str, Any]) -> bool:
    stats = document.get("stats")
    return isinstance(stats, JsonObject) and isinstance(stats.get("models"), JsonObject)


def _is_ours(document: Any) -> bool:
    if not isinstance(document, JsonObject):
        return False
    if "sessionId" in document and "projectHash" in document:
        return True
    if _has_tokens(document):
        return set(document["tokens"]) >= _TOKENS
    return _is_stats(document) and ("response" in document or "session_id" in document)


def _record(
    message: Mapping[str, Any], session: Mapping[str, Any], line: int, context: ReadContext
) -> UsageRecord:
    model = short_text(message.get("model"))
    provider = maker_of(model) or "google"
    reading = read_usage(_usage(message["tokens"]), "google")
    when = instant(message.get("timestamp"))
    own, name = short_text(message.get("id")), short_text(session.get("sessionId"))
    if own and len(own) >= _ID_LONG_ENOUGH:
        key = f"gemini-cli:{own}"
    elif own and name:
        key = f"gemini-cli:{name}:{own}"
    else:
        key = f"gemini-cli:{context.keys.key([str(when), model, reading.counts])}"
    tags = {"kind": session.get("kind"), "project_hash": session.get("projectHash")}
    return UsageRecord(
        call_key=key,
        occurred_at=when or context.assumed_time,
        time_assumed=when is None,
        source_format="gemini-cli",
        provider=provider,
        model=model,
        counts=reading.counts,
        total_reported=reading.total_reported,
        session=name,
        tags={k: t for k, v in tags.items() if (t := short_text(v)) is not None},
        flags=list(reading.flags),
        line=line,
    )


def _usage(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """The API's usage object that the summary was made of. Raises `UsageError`."""
    counts = {
        name: count(tokens.get(name), f"tokens.{name}")
        for name in ("input", "output", "cached", "thoughts", "tool", "total")
    }
    whole, cached = counts["input"] or 0, counts["cached"] or 0
    parts = whole + (counts["output"] or 0) + (counts["thoughts"] or 0) + (counts["tool"] or 0)
    taken_out = (
        cached and counts["total"] not in (None, parts) and counts["total"] == parts + cached
    )
    return {
        "promptTokenCount": whole + cached if taken_out else counts["input"],
        "cachedContentTokenCount": counts["cached"],
        "candidatesTokenCount": counts["output"],
        "thoughtsTokenCount": counts["thoughts"],
        "toolUsePromptTokenCount": counts["tool"],
        "totalTokenCount": counts["total"],
    }


def _keep(calls: dict[str, UsageRecord], found: UsageRecord) -> None:
    known = calls.get(found.call_key)
    if known is None or known_total(found.counts) >= known_total(known.counts):
        calls[found.call_key] = found


READER = GeminiCli()
