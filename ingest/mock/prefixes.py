"""The prompt cache of the mock: which tokens of a prompt were sent before, at its beginning.

A prompt is laid out as token ids in the order in which a model reads it (tools, schema, then each
turn with its role between marks) and cut into blocks of the variant's step. A block is known by a
hash of everything up to its end, so a match is a match of the whole prefix. The rule of the
variant (`pricing.caching`) says the minimum, the step, the lifetime and what a write is billed as:

    1,500 tokens sent twice within the lifetime, minimum 1,024, step 128:
    first 0 cached, then 1,408 (eleven blocks of 128; the last 92 tokens are none)

A prefix is alive while it was last used at most its lifetime ago; using it renews it. What cannot
be laid out (an image's pixels, server-side tools) counts as new every time.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pricing.caching.rules import CacheRule
from pricing.counting.conversation import (
    AddedTools,
    Conversation,
    Message,
    ToolResult,
    from_chat,
    read,
)
from pricing.counting.encode import Encoder
from pricing.counting.responses import from_responses
from pricing.counting.schema import response_format
from pricing.counting.typescript import namespace

_FINEST = 16
_SWEEP = 200_000
_OPEN, _ROLE, _CLOSE = -1, -2, -3


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a call's prompt did to the cache, in tokens: read, newly written (and billed as
    `write_class`, "none" when writes are free)."""

    read: int
    written: int
    write_class: str


@dataclass
class PrefixCache:
    """Prefixes by their hash, with the time they were last used (seconds, any clock)."""

    used: dict[bytes, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def use(
        self, scope: str, ids: Sequence[int], total: int, rule: CacheRule | None, now: float
    ) -> CacheUse:
        """Look a prompt of `total` billed tokens up and remember it. `scope` is the variant:
        caches are not shared between models."""
        if rule is None or rule.mode == "none" or total < rule.min_tokens:
            return CacheUse(0, 0, "none")
        step = rule.step if rule.step >= _FINEST else _FINEST
        known = array("q", ids[:total])
        digest = hashlib.blake2b(scope.encode(), digest_size=16)
        read = end = 0
        matching = True
        with self.lock:
            for place in range(0, len(known), step):
                stop = place + step
                if stop > len(known):
                    # Where any length may be cached, so may the last, shorter block.
                    if rule.step > 1:
                        break
                    stop = len(known)
                digest.update(known[place:stop].tobytes())
                key = digest.digest()
                last = self.used.get(key)
                matching = matching and last is not None and now - last <= rule.lifetime_s
                if matching:
                    read = stop
                end = stop
                self.used[key] = now
            if len(self.used) > _SWEEP:
                self._sweep(now - rule.lifetime_s)
        if read < rule.min_tokens:
            read = 0
        written = max(0, end - read) if rule.write_class != "none" else 0
        return CacheUse(read, written if end >= rule.min_tokens else 0, rule.write_class)

    def _sweep(self, before: float) -> None:
        """Forget what has expired; if that is not enough, the half used longest ago."""
        kept = {k: t for k, t in self.used.items() if t >= before}
        if len(kept) > _SWEEP // 2:
            newest = sorted(kept.items(), key=lambda item: item[1])[-_SWEEP // 2 :]
            kept = dict(newest)
        self.used = kept


def token_ids(request: Mapping[str, Any], endpoint: str, encoder: Encoder) -> list[int]:
    """The prompt of a request as token ids, with negative marks around turns."""
    talk = read(from_chat if endpoint == "chat.completions" else from_responses, request)
    ids: list[int] = []
    for block in (
        namespace(talk.tools) if talk.tools else "",
        response_format(talk.format) if talk.format else "",
    ):
        if block:
            ids += [_OPEN, *encoder.ids(block), _CLOSE]
    for role, text in _turns(talk):
        ids += [_OPEN, *encoder.ids(role), _ROLE, *encoder.ids(text), _CLOSE]
    return ids


def _turns(talk: Conversation) -> list[tuple[str, str]]:
    laid: list[tuple[str, str]] = []
    for turn in talk.turns:
        if isinstance(turn, Message):
            laid.append((turn.role, turn.text))
        elif isinstance(turn, ToolResult):
            laid.append(("tool", turn.text))
        elif isinstance(turn, AddedTools):
            laid.append(("developer", namespace(turn.tools)))
        else:
            laid += [("call", f"{call.name}\n{call.arguments}") for call in turn.calls]
    return laid
