"""Codex's threads: who was forked from whom, and whose history a file begins with.

A fork's file names its parent (`forked_from_id`; a subagent's under `source`) and holds copies of
its ancestors' `session_meta`. The oldest thread is the *family*: parent, fork and fork's fork agree
on it, so that copies of one call get one key.

>>> parent_of({"id": "b", "forked_from_id": "a"})
'a'
>>> parent_of({"source": {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}})
'p'
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.files import Source
from ingest.readers.codex_counts import Event
from ingest.record import short_text
from pricing.json_types import JsonObject


def thread_of(meta: Mapping[str, Any]) -> str | None:
    """The id of the thread a `session_meta` describes."""
    return short_text(meta.get("id") or meta.get("session_id"))


def parent_of(meta: Mapping[str, Any]) -> str | None:
    """The thread a session was forked from or spawned by."""
    forked = short_text(meta.get("forked_from_id") or meta.get("parent_thread_id"))
    if forked:
        return forked
    place: Any = meta.get("source")
    for name in ("subagent", "thread_spawn", "parent_thread_id"):
        place = place.get(name) if isinstance(place, JsonObject) else None
    return short_text(place)


def family_of(
    metas: Mapping[str, Mapping[str, Any]], events: Sequence[Event], source: Source
) -> tuple[str, bool]:
    """The thread whose history comes first in this file, and whether the file is a fork.

    A fork's file holds its ancestors' `session_meta`; the oldest one names the family. Where a
    file names a parent only, the parent's own file beside it may say where that one came from.
    """
    ids = list(metas)
    if not ids:
        first = events[0] if events else None
        return f"?{first.time if first is not None else ''}", False
    oldest = metas[ids[-1]]
    parent = short_text(oldest.get("forked_from_id"))
    if parent is None and len(ids) == 1 and any(e.copied for e in events):
        # A subagent's file names its parent elsewhere, and not every subagent copies a history.
        parent = parent_of(oldest)
    forked = parent is not None or len(ids) > 1
    if parent is None:
        return ids[-1], forked
    known = _forks_beside(source)
    seen = {parent}
    while (older := known.get(parent)) is not None and older not in seen:
        seen.add(older)
        parent = older
    return parent, forked


def _forks_beside(source: Source) -> Mapping[str, str]:
    """Which thread was forked from which, by the rollout files in the same folder."""
    if source.data is not None:
        return {}
    folder = source.path.parent
    try:
        return _forks_in(folder, folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _forks_in(folder: Path, _changed: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in folder.glob("*.jsonl"):
        try:
            with path.open("rb") as stream:
                first = json.loads(stream.readline(1 << 20))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(first, JsonObject) and first.get("type") == "session_meta":
            payload = first.get("payload")
            meta: Mapping[str, Any] = payload if isinstance(payload, JsonObject) else {}
            own, parent = thread_of(meta), short_text(meta.get("forked_from_id"))
            if own and parent:
                found[own] = parent
    return found
