"""Codex's running totals become calls, and each call a key that every copy of it shares.

A rollout file holds `token_count` events: `total_token_usage` runs through the thread, and
`last_token_usage` says what the last call took. The events are repeated (same totals, new time)
and forked files begin with a copy of the parent's. So a call is a *rise of the totals*:

>>> rows = [Event(1, None, Totals(14475, 2432, None, 216, None)) for _ in range(2)]
>>> [c.usage["input_tokens"] for c in calls_of(rows, family="t1", forked=False)]
[14475]

`last_token_usage` is used only where totals are missing or go down (a thread that began anew). A
call's key is a hash of the *family* (the thread the first copy came from) and of all totals up to
this call: the copied prefix of a fork has the parent's keys, whichever file is read first and
whatever its times say, and the rows after the fork have their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pricing.json_types import JsonObject
from pricing.usage import UsageError, count

PARTS = (
    "input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens",
    "reasoning_output_tokens",
)  # fmt: skip
"""The parts of a usage object. Its `total_tokens` is not reliable: some events raise it alone."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts in the order of `PARTS` (tokens, the later ones subsets; None: not reported)."""

    input: int | None
    cached: int | None
    written: int | None
    output: int | None
    reasoning: int | None

    @property
    def parts(self) -> tuple[int | None, ...]:
        """The counts in the order of `PARTS`."""
        return (self.input, self.cached, self.written, self.output, self.reasoning)

    @property
    def usage(self) -> dict[str, int]:
        """The usage object these counts stand for."""
        return {n: v for n, v in zip(PARTS, self.parts, strict=True) if v is not None}

    @property
    def fits(self) -> bool:
        """Whether the parts of input and output fit into them."""
        return (self.cached or 0) + (self.written or 0) <= (self.input or 0) and (
            self.reasoning or 0
        ) <= (self.output or 0)

    def __bool__(self) -> bool:
        return any(self.parts)

    def minus(self, other: Totals) -> Totals | None:
        """What was added since `other`, or None when any count went down."""
        pairs = list(zip(self.parts, other.parts, strict=True))
        if any((a or 0) < (b or 0) for a, b in pairs):
            return None
        return Totals(*(None if a is None else a - (b or 0) for a, b in pairs))


NOTHING = Totals(None, None, None, None, None)


def totals_of(usage: Any) -> Totals | None:
    """The counts of a usage object; None when it is none. Raises `UsageError`."""
    if not isinstance(usage, JsonObject) or not any(usage.get(n) is not None for n in PARTS):
        return None
    return Totals(*(count(usage.get(n), n) for n in PARTS))


@dataclass(slots=True)
class Event:
    """One `token_count`: where, when, the thread's totals and the last call's counts.

    `copied` marks events known to be a copy of the parent's; `about` is what the reader knows
    of the moment (model, effort, turn), handed through to the call.
    """

    line: int
    time: datetime | None
    totals: Totals | None
    last: Totals | None = None
    copied: bool = False
    about: Any = None


@dataclass(slots=True)
class Call:
    """One call: its key, its counts, the event that told of it."""

    key: str
    usage: dict[str, int]
    event: Event
    flag: str = ""


def calls_of(events: Iterable[Event], *, family: str, forked: bool) -> Iterator[Call]:
    """The calls of one file's events, in order.

    `forked` says that calls before the first event may be in the parent's file.
    """
    chain = hashlib.sha256(repr(family).encode("utf-8", "surrogatepass"))
    before: Totals | None = None
    previous: Event | None = None
    for event in events:
        if event.totals is None:
            again = previous is not None and (event.time, event.last) == (
                previous.time,
                previous.last,
            )
            previous = event
            if event.last and not again:
                yield Call(_step(chain, event.last), event.last.usage, event, "no running total")
            continue
        previous = event
        rise = event.totals.minus(before or NOTHING)
        first, before = before is None, event.totals
        if rise is not None and not rise:
            continue
        key = _step(chain, event.totals)
        if rise is None:
            took = event.totals if event.last is None else event.last
            if took:
                yield Call(key, took.usage, event, "the total went down")
        elif first and event.last and event.last != rise:
            yield from _first(key, event, rise, event.last, forked)
        elif rise.fits or event.last is None or not event.last.fits:
            yield Call(key, rise.usage, event)
        else:
            yield Call(key, event.last.usage, event, "the rise of the total is no possible call")


def _first(key: str, event: Event, rise: Totals, last: Totals, forked: bool) -> Iterator[Call]:
    """The first event of a file whose total is more than its call: calls went before it.

    In a fork they are in the parent's file, and so is this one if it is a copy; else they are
    nowhere but in this sum.
    """
    earlier = rise.minus(last)
    if forked:
        if not event.copied:
            yield Call(key, last.usage, event)
        return
    if not earlier:  # the call's own counts leave a part out, or none are before it
        yield Call(key, rise.usage, event)
        return
    if earlier.fits and last.fits:
        yield Call(
            f"{key}#earlier", earlier.usage, event, "the sum of calls before this file's first"
        )
        yield Call(key, last.usage, event)
    else:
        yield Call(key, rise.usage, event, "holds calls before this file's first")


def _step(chain: Any, totals: Totals) -> str:
    """The key of the next call: the chain of all counts so far."""
    chain.update(repr(tuple(v or 0 for v in totals.parts)).encode())
    return f"codex:{chain.hexdigest()[:32]}"


__all__ = ["NOTHING", "PARTS", "Call", "Event", "Totals", "UsageError", "calls_of", "totals_of"]
