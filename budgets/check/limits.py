"""Compare what was measured with what is allowed, and say it in one sentence a finding.

Limits may hold everywhere, by path, by prompt or by model; the later and nearer one wins, key by
key.
Limits on change need a base side: a new prompt, or a run without a base, is never failed for lack
of one. Example: ``prompts/a.md: 4,812 tokens a call on gpt-5.2, 812 above the limit of 4,000``.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from budgets.check.config import CheckConfig, Limits, Override, Prompt
from budgets.check.cost import Cost, Rates, cost, shown
from budgets.check.discovery import matches
from budgets.check.measure import Tokens
from pricing.money import show_usd


@dataclass(frozen=True)
class Finding:
    """A limit exceeded, or a cost found. `actual` and `limit` are plain text for reports."""

    rule: str
    level: str
    message: str
    prompt: str = ""
    path: str = ""
    line: int = 1
    model: str = ""
    actual: str = ""
    limit: str = ""


@dataclass
class Side:
    """One measured side of a unit on a model."""

    tokens: Tokens
    cost: Cost


def fits(override: Override, path: str, prompt: str, model: str) -> bool:
    """Whether an override holds for a unit on a model."""
    return (
        (override.path is None or matches(path, override.path))
        and (override.prompt is None or fnmatch.fnmatchcase(prompt, override.prompt))
        and (override.model is None or fnmatch.fnmatchcase(model, override.model))
    )


def limits_for(
    config: CheckConfig, prompt: Prompt | None, path: str, ident: str, model: str
) -> Limits:
    """The limits of one unit on one model: the section's, then overrides in order, then its own."""
    found = config.limits
    for override in config.overrides:
        if fits(override, path, ident, model):
            found = override.limits().over(found)
    return prompt.limits.over(found) if prompt is not None else found


def _money(pico: Fraction | int) -> str:
    return show_usd(shown(pico))


def _pico(amount: Decimal) -> Fraction:
    return Fraction(amount) * 10**12


def check(
    limits: Limits, head: Side, base: Side | None, model: str
) -> Iterator[tuple[str, str, str, str]]:
    """(rule, sentence, actual, limit) of every limit that is exceeded."""
    judge = limits.judge or "expected"
    tokens = int(getattr(head.tokens, judge))
    yield from _size(limits, tokens, head.cost, model)
    call = getattr(head.cost.call, judge)
    if limits.max_usd_per_call is not None and call > _pico(limits.max_usd_per_call):
        allowed = show_usd(limits.max_usd_per_call)
        yield (
            "max-usd-per-call", f"{_money(call)} a call on {model}, above the limit of {allowed}",
            str(shown(call)), str(limits.max_usd_per_call),
        )  # fmt: skip
    worst, most = head.cost.worst, limits.max_usd_per_call_worst
    if most is not None and worst is not None and worst > _pico(most):
        yield (
            "max-usd-per-call-worst", f"{_money(worst)} for the worst call on {model} "
            f"({head.cost.cap:,} output tokens: {head.cost.cap_source}), above the limit of "
            f"{show_usd(most)}", str(shown(worst)), str(most),
        )  # fmt: skip
    month = head.cost.month
    if limits.max_usd_per_month is not None and month is not None:
        amount = getattr(month, judge)
        if amount > _pico(limits.max_usd_per_month):
            yield (
                "max-usd-per-month", f"{_money(amount)} a month on {model}, above the limit of "
                f"{show_usd(limits.max_usd_per_month)}",
                str(shown(amount)), str(limits.max_usd_per_month),
            )  # fmt: skip
    if base is not None:
        yield from _change(limits, tokens, int(getattr(base.tokens, judge)), model)
        yield from _change_usd(limits, head, base, judge, model)


def _size(
    limits: Limits, tokens: int, priced: Cost, model: str
) -> Iterator[tuple[str, str, str, str]]:
    most = limits.max_tokens
    if most is not None and tokens > most:
        yield (
            "max-tokens", f"{tokens:,} tokens a call on {model}, {tokens - most:,} above the limit "
            f"of {most:,}", str(tokens), str(most),
        )  # fmt: skip
    share = priced.context_share
    allowed = limits.max_context_share
    if allowed is not None and share is not None and share > Fraction(allowed):
        yield (
            "max-context-share", f"{_percent(share)} of the context of {model} is filled by input, "
            f"above the limit of {_percent(Fraction(allowed))}",
            f"{float(share):.4f}", str(allowed),
        )  # fmt: skip


def _percent(share: Fraction) -> str:
    """Three digits of a small share, whole percents of one that is many times the whole.

    >>> _percent(Fraction(1, 3)), _percent(Fraction(80))
    ('33.3 %', '8,000 %')
    """
    amount = float(share * 100)
    return f"{amount:,.0f} %" if amount >= 1000 else f"{amount:.3g} %"


def _change(
    limits: Limits, tokens: int, before: int, model: str
) -> Iterator[tuple[str, str, str, str]]:
    grown = tokens - before
    if limits.max_tokens_increase is not None and grown > limits.max_tokens_increase:
        yield (
            "max-tokens-increase", f"+{grown:,} tokens a call on {model} ({before:,} → {tokens:,}),"
            f" above the allowed +{limits.max_tokens_increase:,}",
            str(grown), str(limits.max_tokens_increase),
        )  # fmt: skip
    most = limits.max_increase_percent
    if most is None or before == 0 or grown < max(1, limits.min_tokens_increase or 0):
        return
    percent = Fraction(grown * 100, before)
    if percent > Fraction(most):
        yield (
            "max-increase-percent", f"+{_percent(percent / 100)} tokens on {model} ({before:,} → "
            f"{tokens:,}), above the allowed +{most} %", f"{float(percent):.2f}", str(most),
        )  # fmt: skip


def _change_usd(
    limits: Limits, head: Side, base: Side, judge: str, model: str
) -> Iterator[tuple[str, str, str, str]]:
    now, then = head.cost.month, base.cost.month
    if now is None or then is None:
        return
    after, before = getattr(now, judge), getattr(then, judge)
    most = limits.max_usd_increase_per_month
    if most is not None and after - before > _pico(most):
        yield (
            "max-usd-increase-per-month", f"+{_money(after - before)} a month on {model} "
            f"({_money(before)} → {_money(after)}), above the allowed +{show_usd(most)}",
            str(shown(after - before)), str(most),
        )  # fmt: skip
    budget = limits.budget_usd_per_month
    if budget is not None and before <= _pico(budget) < after:
        yield (
            "budget-crossed", f"{_money(before)} → {_money(after)} a month on {model} crosses the "
            f"budget of {show_usd(budget)}", str(shown(after)), str(budget),
        )  # fmt: skip


@dataclass(frozen=True)
class Break:
    """A cached prefix that a change shortened, and what that costs (pico-dollars)."""

    before: int
    after: int
    extra: Fraction | int
    per: str  # "month" or "1,000 calls"
    sentence: str


def cache_break(
    head: Side, base: Side, rates: Rates, traffic: object, max_output: int | None, logged: bool
) -> Break | None:
    """Whether the change ends the prefix earlier than before, other than by being shorter."""
    from budgets.check.config import Traffic

    assert isinstance(traffic, Traffic)
    before, after = base.cost.cacheable, head.cost.cacheable
    shrunk = max(0, base.tokens.expected - head.tokens.expected)
    moved = base.tokens.prefix - head.tokens.prefix
    if after >= before or head.tokens.prefix >= head.tokens.expected or moved <= shrunk:
        return None
    share = traffic.cached_share
    assumed = traffic if share is not None else traffic.model_copy(update={"cached_share": 1})
    kept = min(base.tokens.prefix, head.tokens.expected)
    broken = cost(head.tokens, assumed, rates, max_output)
    whole = cost(head.tokens, assumed, rates, max_output, prefix=kept)
    extra = broken.call.expected - whole.call.expected
    if broken.calls is not None and share is not None:
        extra *= broken.calls
        per = "month"
    else:
        extra *= 1000
        per = "1,000 calls"
    hits = (
        f"at the {'logged' if logged else 'stated'} {_percent(Fraction(share))} hit share"
        if share is not None
        else "if every call found its prefix cached"
    )
    sentence = (
        f"cached prefix {before:,} → {after:,} tokens on {rates.model}: "
        f"+{_money(extra)} {'a month' if per == 'month' else 'per 1,000 calls'} {hits}"
    )
    return Break(before, after, extra, per, sentence)
