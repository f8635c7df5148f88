"""What a call, a conversation and a month cost, with the cache and the growing history.

Turn k of a conversation sends the prompt, k user texts and k-1 answers, so n turns send
n·S + U·n(n+1)/2 + O·n(n-1)/2 input tokens. Money is integer pico-dollars; a mean over turns and
cache hits is an exact fraction until it is shown.

Worked example: 1,000 tokens of prompt, 100 of output at 2.50 and 10 USD per million is 0.0035 USD a
call, 3.50 USD per 1,000 calls, and 1,050 USD for 300,000 calls a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from budgets.check.config import Size, Traffic, fraction
from budgets.check.errors import PromptError
from budgets.check.measure import Tokens
from pricing.catalogue import Catalogue, Route
from pricing.estimator import price_counts
from pricing.money import usd
from pricing.variants import Variant

if TYPE_CHECKING:
    from pricing.caching import CacheRule

LEVELS = ("low", "expected", "high")
_NONE = Size(low=0, expected=0, high=0)
# Where a bare model name is looked for: its maker sells it under its own name.
_MAKERS = (
    "openai", "anthropic", "google", "x-ai", "deepseek", "mistral", "meta", "cohere", "moonshotai",
    "zai", "minimax", "perplexity",
)  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """The prices of one model at one instant, its cache rule and its limits."""

    model: str
    catalogue: Catalogue
    route: Route
    at: datetime
    variant: Variant | None
    cache: CacheRule | None

    def pico(self, counts: Mapping[str, int]) -> int:
        """Cost of one call in pico-dollars. Raises :class:`PromptError` when it has no price."""
        lines, why = price_counts(counts, self.route, self.at, self.catalogue)
        missing = [line.meter for line in lines if line.cost_pico is None]
        if missing or why:
            raise PromptError("unpriced-model", f"{self.model}: {why or ', '.join(missing)}.")
        return sum(line.cost_pico or 0 for line in lines)

    def cacheable(self, prefix: int) -> int:
        """How many of `prefix` leading tokens the cache rule keeps (whole steps, a minimum)."""
        rule = self.cache
        if rule is None or rule.mode == "none" or prefix < max(1, rule.min_tokens):
            return 0
        return prefix - prefix % rule.step


def find_rates(model: str, catalogue: Catalogue, at: datetime, tier: str | None) -> Rates:
    """The rates of a model named plainly, or as `seller/model`.

    Raises :class:`PromptError` unpriced-model; a missing price is never zero.
    """
    tier = tier or "standard"
    routes: list[Route] = []
    seller, slash, rest = model.partition("/")
    if slash and seller in catalogue.sellers():
        routes.append(catalogue.route(seller, rest, tier=tier))
    for maker in () if any(route.card for route in routes) else _MAKERS:
        route = catalogue.route(maker, rest if slash and seller == maker else model, tier=tier)
        variant = catalogue.variant(route.variant) if route.variant else None
        if route.variant and (variant is None or variant.maker in (maker, "")):
            routes.append(route)
            if route.card is not None:
                break
    priced = next((r for r in routes if r.card is not None), None)
    if priced is None:
        why = routes[0].reason if routes else "no seller's card lists it"
        raise PromptError("unpriced-model", f"{model} has no price: {why}.")
    from pricing.caching import rule_for

    variant = catalogue.variant(priced.variant or "", priced.seller)
    found = Rates(
        model, catalogue, priced, at, variant, rule_for(priced.variant or model, at.date())
    )
    found.pico({"input_uncached": 1})
    return found


@dataclass(frozen=True)
class Interval:
    """An amount in pico-dollars at three levels: whole numbers, or exact fractions of them."""

    low: Fraction | int
    expected: Fraction | int
    high: Fraction | int

    def times(self, factor: int | Fraction) -> Interval:
        """Each level times a number of calls."""
        return Interval(self.low * factor, self.expected * factor, self.high * factor)


def shown(amount: Fraction | int) -> Decimal:
    """Pico-dollars as USD, to the pico-dollar."""
    return usd(round(amount))


@dataclass(frozen=True)
class Cost:
    """What a unit costs on a model under its traffic. Amounts are pico-dollars.

    `call` is the mean over the turns of a conversation; `worst` the dearest single call.
    """

    call: Interval
    worst: Fraction | None
    conversation: Interval
    turns: int
    conversation_input: int
    last_input: Size
    calls: int | None
    output: Size | None
    cap: int | None
    cap_source: str
    cacheable: int
    hit_share: Fraction | None
    context_share: Fraction | None

    @cached_property
    def month(self) -> Interval | None:
        """A month's cost, or None when no calls are known."""
        return None if self.calls is None else self.call.times(self.calls)


def cost(
    tokens: Tokens, traffic: Traffic, rates: Rates, max_output: int | None,
    prefix: int | None = None,
) -> Cost:  # fmt: skip
    """Price a measured unit. `prefix` replaces the measured one (to price what a break costs)."""
    turns = traffic.turns or 1
    user = traffic.user_tokens or _NONE
    output = traffic.output_tokens or _NONE
    stable = tokens.prefix if prefix is None else prefix
    share = fraction(traffic.cached_share) if traffic.cached_share is not None else None
    totals: dict[str, Fraction | int] = {}
    inputs: dict[str, int] = {}
    last: dict[str, int] = {}
    for level in LEVELS:
        size = int(getattr(tokens, level))
        same = level != "expected" and (
            size == tokens.expected
            and user.at(level) == user.expected
            and output.at(level) == output.expected
        )
        if same:
            continue
        totals[level], inputs[level], last[level] = _conversation(
            size, user.at(level), output.at(level), turns, stable, size <= stable, share, rates
        )
    for level in LEVELS:
        totals.setdefault(level, totals["expected"])
        inputs.setdefault(level, inputs["expected"])
        last.setdefault(level, last["expected"])
    whole = Interval(totals["low"], totals["expected"], totals["high"])
    cap, source = _cap(traffic, max_output, rates)
    worst = None
    if cap is not None:
        worst = Fraction(_one(last["high"], 0, 0, cap, rates))
    window = rates.variant.context_window if rates.variant else None
    call = whole if turns == 1 else whole.times(Fraction(1, turns))
    return Cost(
        call, worst, whole, turns, inputs["expected"],
        Size(low=last["low"], expected=last["expected"], high=last["high"]),
        traffic.calls, traffic.output_tokens, cap, source, rates.cacheable(stable), share,
        Fraction(last["high"], window) if window else None,
    )  # fmt: skip


def _cap(traffic: Traffic, max_output: int | None, rates: Rates) -> tuple[int | None, str]:
    if traffic.max_output_tokens is not None:
        return traffic.max_output_tokens, "traffic"
    if max_output is not None:
        return max_output, "prompt"
    limit = rates.variant.max_output if rates.variant else None
    return limit, "model limit (no cap set)" if limit else "unknown"


def _conversation(
    size: int, user: int, output: int, turns: int, stable: int, whole: bool,
    share: Fraction | None, rates: Rates,
) -> tuple[Fraction | int, int, int]:  # fmt: skip
    """Cost of all turns in pico-dollars, their input tokens, and the last turn's input tokens."""
    total: Fraction | int = 0
    sent = before = now = 0
    for turn in range(1, turns + 1):
        now = size + user * turn + output * (turn - 1)
        sent += now
        if not share:
            total += _one(now, 0, 0, output, rates)
        else:
            # When the prompt itself never changes, the history so far is a prefix as well.
            prefix = max(stable, before) if whole else min(stable, size)
            kept = rates.cacheable(prefix)
            later = rates.cacheable(now) if whole and turns > 1 else kept
            hit = _one(now, kept, max(0, later - kept), output, rates)
            miss = _one(now, 0, later, output, rates)
            total += share * hit + (1 - share) * miss
        before = now
    return total, sent, now


def _one(size: int, read: int, written: int, output: int, rates: Rates) -> int:
    kind = rates.cache.write_class if rates.cache is not None else "none"
    if kind == "none":
        written = 0
    counts = {"input_uncached": size - read - written, "cache_read": read, "output_text": output}
    if written:
        counts[f"cache_write_{kind}"] = written
    return rates.pico(counts)
