"""How the mock behaves: its profile, its speed, its faults, and its rate limits.

Settings (`[mock]`), all optional:

    profile = "chat"            # or a table with its own figures
    seed = 0
    latency_ms = 0              # before the first byte
    token_ms = 0                # for each output token after it
    error_429 = 0.0             # share of calls that fail that way, drawn with the seed
    error_500 = 0.0
    [mock.limits.default]       # by service tier: requests and tokens a minute
    rpm = 500
    tpm = 200000

Limits are token buckets that start full and refill evenly: `rpm = 60` lets 60 calls through at
once and then one a second.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.mock.profiles import Profile, profile

_KNOWN = ("profile", "seed", "latency_ms", "token_ms", "error_429", "error_500", "limits")


class BehaviourError(ValueError):
    """A setting of the mock is wrong: the message names it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests and tokens a minute; None: unlimited."""

    rpm: int | None = None
    tpm: int | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the mock behaves; see the module. Times in milliseconds, error rates as shares."""

    profile: Profile = field(default_factory=lambda: profile("chat"))
    seed: int = 0
    latency_ms: float = 0.0
    token_ms: float = 0.0
    error_429: float = 0.0
    error_500: float = 0.0
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Behaviour:
        """From settings. Raises `BehaviourError`."""
        unknown = sorted(set(given) - set(_KNOWN))
        if unknown:
            raise BehaviourError(f"[mock]: unknown key {unknown[0]!r}; it has {', '.join(_KNOWN)}")
        try:
            made = cls(
                profile=profile(given.get("profile", "chat")),
                seed=int(given.get("seed", 0)),
                latency_ms=float(given.get("latency_ms", 0)),
                token_ms=float(given.get("token_ms", 0)),
                error_429=float(given.get("error_429", 0)),
                error_500=float(given.get("error_500", 0)),
                limits={tier: _limit(tier, row) for tier, row in given.get("limits", {}).items()},
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise BehaviourError(f"[mock]: {error}") from error
        for name in ("error_429", "error_500"):
            if not 0 <= getattr(made, name) <= 1:
                raise BehaviourError(f"[mock]: {name} is a share between 0 and 1")
        if made.error_429 + made.error_500 > 1:
            raise BehaviourError("[mock]: error_429 and error_500 add up to more than 1")
        if not (0 <= made.latency_ms < math.inf and 0 <= made.token_ms < math.inf):
            raise BehaviourError("[mock]: latency_ms and token_ms are times of zero or more")
        return made


def _limit(tier: str, row: Mapping[str, Any]) -> Limit:
    unknown = sorted(set(row) - {"rpm", "tpm"})
    if unknown:
        raise BehaviourError(f"[mock.limits.{tier}]: unknown key {unknown[0]!r}; it has rpm, tpm")
    for name, value in row.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BehaviourError(f"[mock.limits.{tier}]: {name} is a whole number from 1")
    return Limit(row.get("rpm"), row.get("tpm"))


class RateLimited(Exception):
    """A limit is reached. `kind` is "requests" or "tokens", `wait_s` until it would fit."""

    def __init__(self, kind: str, limit: int, wait_s: float) -> None:
        super().__init__(f"{kind} per min: limit {limit:,}")
        self.kind = kind
        self.limit = limit
        self.wait_s = wait_s


@dataclass
class RateLimits:
    """The buckets, by variant and tier. `take` is safe from any thread."""

    limits: Mapping[str, Limit]
    levels: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, variant: str, tier: str, tokens: int, now: float) -> dict[str, str]:
        """Let a call of `tokens` through or raise `RateLimited`; returns the headers that say
        what is left. A refused call takes nothing."""
        limit = self.limits.get(tier)
        if limit is None:
            return {}
        headers: dict[str, str] = {}
        taken: dict[tuple[str, str, str], tuple[float, float]] = {}
        with self.lock:
            for kind, size, need in (("requests", limit.rpm, 1), ("tokens", limit.tpm, tokens)):
                if size is None:
                    continue
                key = (variant, tier, kind)
                level, since = self.levels.get(key, (float(size), now))
                level = min(float(size), level + (now - since) * size / 60)
                if need > level:
                    raise RateLimited(kind, size, (need - level) * 60 / size)
                taken[key] = (level - need, now)
                headers[f"x-ratelimit-limit-{kind}"] = str(size)
                headers[f"x-ratelimit-remaining-{kind}"] = str(int(level - need))
            self.levels |= taken
        return headers
