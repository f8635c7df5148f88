"""One simulated call: count the request, look its prefix up, draw the answer's length, book it.

    simulator = Simulator(default_catalogue(), Behaviour())
    call = simulator.call({"model": "gpt-5.2", "messages": […]}, "chat.completions")
    call.counts           {"input_uncached": 12, "cache_read": 0, "output_text": 187, …}
    call.record()         the usage record, tagged simulated=true

The draw depends on the seed, the request and how often the same request came before, and on
nothing else: a test run repeated on a fresh mock gives the same numbers, whatever its threads do.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from ingest.mock.limits import Behaviour, RateLimited, RateLimits
from ingest.mock.prefixes import PrefixCache, token_ids
from ingest.mock.profiles import draw
from ingest.readers.base import request_effort
from ingest.record import UsageRecord, call_key, short_text, split_tags
from ingest.traffic.scenarios.efforts import EFFORTS
from pricing.caching.rules import CacheRule, rule_for
from pricing.catalogue import Catalogue
from pricing.counting import Basis, RequestError, UnknownModelError, count_request, encoder
from pricing.counting.families import openai_family
from pricing.json_types import JsonObject
from pricing.meters import normal_tier
from pricing.usage import Counts
from pricing.variants import Variant

_TIERS = ("auto", "default", "standard", "flex", "priority")
_MOST_N = 128


class MockError(Exception):
    """An answer other than 200, in the words of the API it imitates."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers: dict[str, str] = {}


@dataclass(slots=True)
class Call:
    """One simulated call, decided and not yet answered. `texts` and `reasonings` are tokens by
    choice, after any maximum; `cut` says which choices reached it."""

    id: str
    endpoint: str
    request: Mapping[str, Any]
    provider: str
    model: str
    tier: str
    effort: str | None
    counts: Counts
    texts: list[int]
    reasonings: list[int]
    cut: list[bool]
    at: datetime
    flags: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def input_tokens(self) -> int:
        """All input tokens, cached ones included."""
        names = ("input_uncached", "cache_read", *WRITES)
        return sum(self.counts.get(name) or 0 for name in names)

    @property
    def output_tokens(self) -> int:
        """All output tokens, reasoning included."""
        return sum(self.texts) + sum(self.reasonings)

    def record(self, latency_ms: int | None = None) -> UsageRecord:
        """The call as simulated usage: tagged, and never to be taken for a bill."""
        dimensions, tags = split_tags(_metadata(self.request) | self.tags)
        return UsageRecord(
            call_key=call_key(self.provider, self.id),
            occurred_at=self.at,
            source_format="mock",
            provider=self.provider,
            model=self.model,
            counts=self.counts,
            tier=self.tier,
            effort=self.effort,
            total_reported=self.input_tokens + self.output_tokens,
            latency_ms=latency_ms,
            dimensions=dimensions,
            tags=tags,
            flags=list(self.flags),
        )


WRITES = ("cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h")


def _metadata(request: Mapping[str, Any]) -> dict[str, Any]:
    given = request.get("metadata")
    found = dict(given) if isinstance(given, JsonObject) else {}
    if short_text(request.get("user")):
        found.setdefault("user", request["user"])
    return found


class Simulator:
    """Everything the mock remembers: its cache, its buckets, how often it saw a request."""

    def __init__(
        self,
        catalogue: Catalogue,
        behaviour: Behaviour | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds; tests pass their own."""
        self.catalogue = catalogue
        self.behaviour = behaviour or Behaviour()
        self.clock = clock
        self.cache = PrefixCache()
        self.limits = RateLimits(self.behaviour.limits)
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def call(self, request: Mapping[str, Any], endpoint: str) -> Call:
        """Decide one call. Raises `MockError` for what the API would refuse, and for the faults
        and limits that were asked for."""
        provider, variant = self._variant(request.get("model"))
        tier = self._tier(request.get("service_tier"), provider, variant)
        effort = _effort(request, variant)
        if endpoint == "chat.completions" and request.get("messages") == []:
            raise MockError(
                400, "empty_array", "messages is empty: at least one is needed", "messages"
            )
        try:
            counted = count_request(request, variant.id, endpoint)
        except (RequestError, UnknownModelError) as error:
            raise MockError(400, "invalid_request_error", str(error)) from error
        if variant.context_window is not None and counted.total > variant.context_window:
            raise MockError(
                400, "context_length_exceeded",
                f"The request has {counted.total:,} tokens, the context window of "
                f"{variant.id} is {variant.context_window:,}.",
            )  # fmt: skip
        random = self._random(request)
        now = self.clock()
        headers = self._let_through(variant, tier, counted.total, random, now)
        texts, reasonings, cut = self._lengths(request, endpoint, variant, effort, random)
        made = Call(
            id=("chatcmpl-" if endpoint == "chat.completions" else "resp_") + uuid.uuid4().hex,
            endpoint=endpoint, request=request, provider=provider, model=str(request["model"]),
            tier=tier, effort=effort, counts={}, texts=texts, reasonings=reasonings, cut=cut,
            at=datetime.fromtimestamp(now, UTC).replace(tzinfo=None), headers=headers,
            tags={"simulated": "true", "profile": self.behaviour.profile.name},
        )  # fmt: skip
        if counted.basis is not Basis.EXACT:
            made.flags.append(f"input tokens are {counted.basis.value}, not exact")
        made.counts = self._counts(made, variant, counted.total, now)
        return made

    def settle(self, call: Call, texts: list[int]) -> None:
        """Replace the drawn text lengths by those of answers whose content was asked for (a
        schema, a tool): their tokens are counted, not drawn."""
        call.texts = texts
        call.counts["output_text"] = sum(texts)

    def failed(self, request: Mapping[str, Any], error: MockError) -> UsageRecord:
        """The record of a call that was turned away: made, not billed."""
        dimensions, tags = split_tags(_metadata(request) | {"simulated": "true"})
        model = short_text(request.get("model"))
        listed = self.catalogue.sellers_of(model) if model else []
        return UsageRecord(
            call_key=f"mock:{uuid.uuid4().hex}",
            occurred_at=datetime.fromtimestamp(self.clock(), UTC).replace(tzinfo=None),
            source_format="mock",
            provider=listed[0] if listed else "openai",
            model=model,
            tier=short_text(request.get("service_tier")),
            counts={"input_uncached": 0, "output_text": 0},
            failed=True,
            dimensions=dimensions,
            tags=tags,
            flags=[f"HTTP {error.status} ({error.code}): not billed"],
        )

    def models(self) -> list[tuple[str, str]]:
        """(model, owner) of everything that can be asked for: OpenAI's own variants."""
        return [(name, "openai") for name in self.catalogue.listed("openai")]

    # --- the parts of a decision ----------------------------------------------------------------

    def _variant(self, model: Any) -> tuple[str, Variant]:
        if not isinstance(model, str) or not model:
            raise MockError(400, "invalid_request_error", "you must provide a model", "model")
        sellers = self.catalogue.sellers_of(model)
        name = self.catalogue.resolve(sellers[0], model) if sellers else None
        found = self.catalogue.variant(name, sellers[0]) if name else None
        if found is None:
            raise MockError(
                404, "model_not_found", f"The model `{model[:80]}` is on no rate card", "model"
            )
        return sellers[0], found

    def _tier(self, given: Any, seller: str, variant: Variant) -> str:
        wanted = given or "default"
        if wanted not in _TIERS:
            raise MockError(
                400, "invalid_value", f"Invalid service_tier {str(wanted)[:40]!r}", "service_tier"
            )
        if wanted in ("auto", "standard"):
            wanted = "default"
        priced = normal_tier(wanted) or "standard"
        if priced != "standard" and priced not in self.catalogue.tiers(seller, variant.id):
            raise MockError(
                400, "invalid_service_tier", f"{variant.id} is not sold on tier {wanted!r}",
                "service_tier",
            )  # fmt: skip
        return wanted

    def _let_through(
        self, variant: Variant, tier: str, tokens: int, random: Random, now: float
    ) -> dict[str, str]:
        dice = random.random()
        if dice < self.behaviour.error_500:
            raise MockError(500, "server_error", "The server had an error (simulated).")
        if dice < self.behaviour.error_500 + self.behaviour.error_429:
            error = MockError(429, "rate_limit_exceeded", "Rate limit reached (simulated).")
            error.headers = {"retry-after": "1", "retry-after-ms": "50"}
            raise error
        try:
            return self.limits.take(variant.id, tier, tokens, now)
        except RateLimited as full:
            error = MockError(
                429, "rate_limit_exceeded",
                f"Rate limit reached for {variant.id} on tier {tier} (simulated): {full}. "
                f"Try again in {full.wait_s:.1f}s.",
            )  # fmt: skip
            error.headers = {
                "retry-after": str(max(1, round(full.wait_s + 0.5))),
                "retry-after-ms": str(round(full.wait_s * 1000) + 1),
            }
            raise error from full

    def _random(self, request: Mapping[str, Any]) -> Random:
        text = json.dumps(request, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            self._seen[digest] += 1
            return Random(f"{self.behaviour.seed}:{digest}:{self._seen[digest]}")

    def _lengths(
        self,
        request: Mapping[str, Any],
        endpoint: str,
        variant: Variant,
        effort: str | None,
        random: Random,
    ) -> tuple[list[int], list[int], list[bool]]:
        names = (
            ("max_completion_tokens", "max_tokens")
            if endpoint == "chat.completions"
            else ("max_output_tokens",)
        )
        given = [_whole(request, n) for n in names]
        most = min((v for v in (*given, variant.max_output) if v is not None), default=None)
        choices = _whole(request, "n") if endpoint == "chat.completions" else 1
        if (choices or 1) > _MOST_N:
            raise MockError(400, "invalid_value", f"n is at most {_MOST_N}", "n")
        texts: list[int] = []
        reasonings: list[int] = []
        cut: list[bool] = []
        for _ in range(choices or 1):
            text, reasoning = draw(self.behaviour.profile, variant.id, effort, random)
            cut.append(most is not None and text + reasoning > most)
            if most is not None:
                # Reasoning comes first: a small maximum can be used up before the first word.
                reasoning = min(reasoning, most)
                text = min(text, most - reasoning)
            texts.append(text)
            reasonings.append(reasoning)
        return texts, reasonings, cut

    def _counts(self, call: Call, variant: Variant, total: int, now: float) -> Counts:
        rule = _rule(call.request, variant.id, call.at)
        family = openai_family(variant.id)
        ids = token_ids(
            call.request, call.endpoint, encoder(family.encoding if family else "o200k_base")
        )
        use = self.cache.use(variant.id, ids, total, rule, now)
        written = min(use.written, total - use.read)
        counts: Counts = {
            "input_uncached": total - use.read - written,
            "cache_read": use.read,
            "output_text": sum(call.texts),
            "reasoning": sum(call.reasonings),
        }
        if use.write_class != "none":
            counts[f"cache_write_{use.write_class}"] = written
        return counts


def _rule(request: Mapping[str, Any], variant: str, at: datetime) -> CacheRule | None:
    rule = rule_for(variant, at.date())
    asked = {"in_memory": 600, "in-memory": 600, "24h": 86400}.get(
        str(request.get("prompt_cache_retention"))
    )
    if rule is None or asked is None or asked not in dict(rule.options):
        return rule
    return rule.with_lifetime(asked)


def _effort(request: Mapping[str, Any], variant: Variant) -> str | None:
    """The effort asked for, else the variant's default: none where it offers that, else medium."""
    asked = request_effort(request)
    offered = variant.efforts or (EFFORTS if asked else ())
    if asked is None:
        return "none" if "none" in offered else "medium" if offered else None
    if asked not in offered:
        raise MockError(
            400, "unsupported_value",
            f"{variant.id} has no effort {asked[:40]!r}; it has {', '.join(offered)}",
            "reasoning_effort",
        )  # fmt: skip
    return asked


def _whole(request: Mapping[str, Any], name: str) -> int | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise MockError(400, "invalid_value", f"{name} is a whole number from 1", name)
    return value
