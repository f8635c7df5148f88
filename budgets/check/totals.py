"""Sums over all prompts, a model at a time, and the limits of the whole project.

A sum of months leaves out prompts without traffic and says how many; the base side counts what was
removed, so that a project's change is the change of its bill.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from budgets.check.cost import Interval, shown
from budgets.check.limits import Finding, Side
from pricing.money import show_usd

if TYPE_CHECKING:
    from budgets.check.engine import Run


@dataclass
class Total:
    """Sums of one model. `month` is None when no prompt has traffic; `unstated` have none."""

    model: str
    prompts: int
    tokens: tuple[int, int, int]
    base_tokens: int | None
    month: Interval | None
    base_month: Interval | None
    unstated: int


def totals(done: Run) -> list[Total]:
    """One row a model, in the order models are first used."""
    models: dict[str, None] = {}
    for pair in done.pairs:
        for side in (pair.head, pair.base):
            models.update(dict.fromkeys(side.sides if side else ()))
    return [_total(done, model) for model in models]


def _sum(intervals: list[Interval]) -> Interval:
    return Interval(
        sum((i.low for i in intervals), 0),
        sum((i.expected for i in intervals), 0),
        sum((i.high for i in intervals), 0),
    )


def _total(done: Run, model: str) -> Total:
    heads = [p.head.sides[model] for p in done.pairs if p.head and model in p.head.sides]
    bases: list[Side] = []
    for pair in done.pairs:
        side = pair.base.sides.get(model) if pair.base else None
        if side is None and pair.head and pair.status in ("changed", "renamed"):
            # Its base could not be measured: counted on both sides as it is now.
            side = pair.head.sides.get(model)
        if side is not None:
            bases.append(side)
    months = [s.cost.month for s in heads if s.cost.month is not None]
    before = [s.cost.month for s in bases if s.cost.month is not None]
    compared = done.merge_base is not None
    return Total(
        model,
        len(heads),
        (
            sum(s.tokens.low for s in heads),
            sum(s.tokens.expected for s in heads),
            sum(s.tokens.high for s in heads),
        ),
        sum(s.tokens.expected for s in bases) if compared else None,
        _sum(months) if months else None,
        _sum(before) if compared and (before or months) else None,
        sum(s.cost.month is None for s in heads),
    )


def judge_totals(done: Run) -> Iterator[Finding]:
    """Findings of the limits in `[check.total]`."""
    allowed = done.found.config.total
    where = done.found.file.name if done.found.file is not None else ""
    for total in totals(done):

        def finding(
            rule: str, words: str, actual: object, limit: object, model: str = total.model
        ) -> Finding:
            return Finding(rule, allowed.level, f"All prompts: {words}.", "", where, 1, model,
                           str(actual), str(limit))  # fmt: skip

        tokens = total.tokens[1]
        if allowed.max_tokens is not None and tokens > allowed.max_tokens:
            yield finding(
                "max-tokens", f"{tokens:,} tokens on {total.model}, above the limit of "
                f"{allowed.max_tokens:,}", tokens, allowed.max_tokens,
            )  # fmt: skip
        if total.month is None:
            continue
        now = shown(total.month.expected)
        most = allowed.max_usd_per_month
        if most is not None and now > most:
            yield finding(
                "max-usd-per-month", f"{show_usd(now)} a month on {total.model}, above the limit "
                f"of {show_usd(most)}", now, most,
            )  # fmt: skip
        if total.base_month is None:
            continue
        then = shown(total.base_month.expected)
        rise = allowed.max_usd_increase_per_month
        if rise is not None and now - then > rise:
            yield finding(
                "max-usd-increase-per-month", f"+{show_usd(now - then)} a month on {total.model} "
                f"({show_usd(then)} → {show_usd(now)}), above the allowed +{show_usd(rise)}",
                now - then, rise,
            )  # fmt: skip
        budget = allowed.budget_usd_per_month
        if budget is not None and then <= budget < now:
            yield finding(
                "budget-crossed", f"{show_usd(then)} → {show_usd(now)} a month on {total.model} "
                f"crosses the budget of {show_usd(budget)}", now, budget,
            )  # fmt: skip
