"""The cache rule over real prefixes, rate limits, faults, profiles and settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random
from typing import Any

import openai
import pytest

from ingest.mock.limits import Behaviour, BehaviourError, RateLimited, RateLimits
from ingest.mock.prefixes import PrefixCache
from ingest.mock.profiles import draw, load_profiles
from ingest.mock.simulator import MockError, Simulator
from pricing.caching.rules import CacheRule, rule_for
from pricing.catalogue import default_catalogue
from tests.mock.conftest import Mock

Start = Callable[..., Mock]
T0 = 1_780_000_000.0


def rule(**changes: Any) -> CacheRule:
    base = rule_for("gpt-4o", date(2026, 3, 1))
    assert base is not None
    return CacheRule(**{**{n: getattr(base, n) for n in CacheRule.__dataclass_fields__}, **changes})


def test_prefix_cache_minimum_step_and_lifetime() -> None:
    cache = PrefixCache()
    long = list(range(1500))
    assert cache.use("m", long, 1500, rule(), T0).read == 0
    assert cache.use("m", long, 1500, rule(), T0 + 600).read == 1408  # age equal to the lifetime
    assert cache.use("m", long, 1500, rule(), T0 + 1201).read == 0  # one second more than it
    # Another tail: the blocks up to the difference.
    other = [*range(1300), *range(9000, 9200)]
    assert cache.use("m", other, 1500, rule(), T0 + 1202).read == 1280
    assert cache.use("other", long, 1500, rule(), T0 + 1203).read == 0
    # A different beginning shares nothing, however long the rest.
    assert cache.use("m", [7, *long], 1501, rule(), T0 + 1204).read == 0


@pytest.mark.parametrize(("length", "read"), [(1023, 0), (1024, 1024), (1151, 1024), (1152, 1152)])
def test_prefix_cache_boundaries(length: int, read: int) -> None:
    cache = PrefixCache()
    ids = list(range(length))
    cache.use("m", ids, length, rule(), T0)
    assert cache.use("m", ids, length, rule(), T0 + 1).read == read


def test_writes_are_billed_where_the_rule_says_so() -> None:
    cache = PrefixCache()
    paid = rule(write_class="30m", step=1)
    first = cache.use("m", list(range(2000)), 2000, paid, T0)
    assert (first.read, first.written) == (0, 2000)
    again = cache.use("m", list(range(2000)), 2000, paid, T0 + 1)
    assert (again.read, again.written) == (2000, 0)
    more = cache.use("m", list(range(2100)), 2100, paid, T0 + 2)
    # The shorter prompt's last block ended inside one of the longer prompt's.
    assert (more.read, more.written) == (2000 // 16 * 16, 2100 - 2000 // 16 * 16)


def test_cached_tokens_of_real_requests(mock: Start) -> None:
    now = [T0]
    running = mock(clock=lambda: now[0])
    system = "You check invoices against contracts, line by line. " * 300
    counts = []
    for question in ("First question?", "Second question?"):
        answer = running.client.chat.completions.create(
            model="gpt-5.2",
            messages=[
                {"role": "system", "content": system}, {"role": "user", "content": question},
            ],
        )  # fmt: skip
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        counts.append(
            (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens)
        )
        now[0] += 60
    (total, cached), (again, reused) = counts
    assert cached == 0
    assert reused is not None
    assert reused % 128 == 0
    assert again - 128 - 20 < reused < again
    assert running.rows(
        "SELECT sum(input_uncached + cache_read), max(cache_read), bool_and(total_reported ="
        " input_total + output_total) FROM calls"
    ) == [(total + again, reused, True)]


def test_writes_reach_the_usage_object_and_the_store(mock: Start) -> None:
    running = mock()
    messages: list[Any] = [{"role": "user", "content": "word " * 3000}]
    first = running.client.chat.completions.create(model="gpt-5.6-sol", messages=messages)
    again = running.client.chat.completions.create(model="gpt-5.6-sol", messages=messages)
    assert first.usage is not None
    assert again.usage is not None
    assert running.rows(
        "SELECT cache_write_30m > 2900, cache_read FROM usage ORDER BY cache_read LIMIT 1"
    ) == [(True, 0)]
    assert running.rows("SELECT count(*) FROM calls WHERE status = 'unpriced'") == [(0,)]
    # Reading our own usage object gives back the counts that were stored.
    from pricing.usage import read_usage

    reading = read_usage(first.usage, "openai")
    stored = running.rows("SELECT cache_write_30m FROM usage ORDER BY cache_read LIMIT 1")
    assert reading.counts["cache_write_30m"] == stored[0][0]


def test_buckets_start_full_and_refill_evenly() -> None:
    limits = RateLimits(Behaviour.of({"limits": {"default": {"rpm": 60, "tpm": 600}}}).limits)
    limits.take("m", "default", 200, T0)
    limits.take("m", "default", 200, T0)
    left = limits.take("m", "default", 200, T0)
    assert left["x-ratelimit-remaining-tokens"] == "0"
    assert left["x-ratelimit-remaining-requests"] == "57"
    with pytest.raises(RateLimited) as full:
        limits.take("m", "default", 100, T0)
    assert (full.value.kind, full.value.wait_s) == ("tokens", 10.0)
    with pytest.raises(RateLimited):
        limits.take("m", "default", 100, T0 + 9.9)
    limits.take("m", "default", 100, T0 + 10)
    limits.take("m", "flex", 10**9, T0)  # no limit on that tier
    limits.take("other", "default", 600, T0)  # limits are by variant


def test_rate_limits_faults_and_retries_with_the_client(mock: Start) -> None:
    running = mock(limits={"default": {"rpm": 2}})
    ask: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}
    head = running.client.chat.completions.with_raw_response.create(**ask)
    assert head.headers["x-ratelimit-remaining-requests"] == "1"
    assert head.headers["x-tokenbooks-simulated"] == "true"
    running.client.chat.completions.create(**ask)
    with pytest.raises(openai.RateLimitError) as limited:
        running.client.chat.completions.create(**ask)
    assert 1 <= int(limited.value.response.headers["retry-after"]) <= 31
    assert running.rows("SELECT failed, count(*) FROM usage GROUP BY 1 ORDER BY 1") == [
        (False, 2),
        (True, 1),
    ]
    assert running.rows("SELECT sum(cost_pico) FROM calls WHERE failed") == [(0,)]


def test_fault_rates_are_shares_drawn_with_the_seed() -> None:
    def outcomes(seed: int) -> list[int]:
        given = {"seed": seed, "error_429": 0.2, "error_500": 0.1, "profile": "fixed"}
        simulator = Simulator(default_catalogue(), Behaviour.of(given))
        found = []
        for _ in range(300):
            try:
                simulator.call({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]},
                               "chat.completions")  # fmt: skip
                found.append(200)
            except MockError as error:
                found.append(error.status)
        return found

    first = outcomes(1)
    assert first == outcomes(1)
    assert first != outcomes(2)
    assert 40 <= first.count(429) <= 80
    assert 15 <= first.count(500) <= 45


def test_profiles_draw_around_their_median() -> None:
    chat = load_profiles()["chat"]
    random = Random(5)
    drawn = sorted(draw(chat, "gpt-5.2", "medium", random)[0] for _ in range(2001))
    assert 200 < drawn[1000] < 242  # median 220, standard error of about 1.25 * 0.8 / sqrt(2001)
    assert min(drawn) >= 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"profil": "chat"}, "unknown key 'profil'"),
        ({"profile": "novel"}, "no profile 'novel'; there are chat"),
        ({"error_429": 1.01}, "share between 0 and 1"),
        ({"error_429": 0.6, "error_500": 0.6}, "more than 1"),
        ({"latency_ms": -1}, "zero or more"),
        ({"limits": {"default": {"rps": 1}}}, "unknown key 'rps'"),
        ({"limits": {"default": {"rpm": 0}}}, "whole number from 1"),
        ({"profile": {"text_median": 5}}, "a profile has"),
    ],
)
def test_wrong_settings_are_named(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(BehaviourError, match=reason):
        Behaviour.of(given)


def test_nothing_of_the_conversation_is_stored(mock: Start) -> None:
    running = mock()
    running.client.responses.create(model="gpt-5.2", input="SECRET QUESTION")
    path = running.store.path
    cursor = running.store.con.cursor()
    cursor.execute("FORCE CHECKPOINT")
    cursor.close()
    content = b"".join(p.read_bytes() for p in path.parent.iterdir() if p.is_file())
    assert b"simulated" in content
    assert b"SECRET" not in content
    assert b"[simulated by" not in content
