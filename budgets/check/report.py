"""The report: one JSON document with a version, from which every other output is made.

Money is a decimal string in USD, shares are decimal strings, tokens are integers, instants RFC 3339
UTC. `report.schema.json` beside this file describes it; a field may be added within a version, and
renaming or removing one raises the version.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from budgets.check.cost import Interval, shown
from budgets.check.engine import Pair, Run, exit_code
from budgets.check.limits import Side
from budgets.check.totals import Total, totals
from pricing.money import plain

if TYPE_CHECKING:
    from budgets.check.units import Measured

SCHEMA = "tokenbooks-check"
VERSION = 1


def build(done: Run) -> dict[str, Any]:
    """The report of a run as plain JSON types."""
    code = exit_code(done)
    failed = [f for f in done.findings if f.level == "fail"]
    status = "unmeasured" if done.problems else "fail" if failed else "pass"
    measured = sum(bool(p.head and p.head.sides) for p in done.pairs)
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "status": status,
        "exit_code": code,
        "prices": {"at": _instant(done.at), "tier": done.found.config.tier or "standard"},
        "config": done.found.file.name if done.found.file is not None else None,
        "base": None
        if done.base_ref is None
        else {"ref": done.base_ref, "merge_base": done.merge_base},
        "models": [_model(t, done) for t in totals(done)],
        "prompts": [_pair(p, done) for p in sorted(done.pairs, key=_order)],
        "findings": [asdict(f) for f in done.findings],
        "unmeasured": [asdict(p) for p in done.problems],
        "skipped": [{"path": path, "reason": why} for path, why in sorted(done.skipped)],
        "coverage": {
            "prompts": sum(p.head is not None for p in done.pairs),
            "measured": measured,
            "unmeasured": len(done.problems),
            "skipped": len(done.skipped),
        },
        "notes": done.notes,
    }


def _instant(at: datetime) -> str:
    return at.isoformat() + "Z"


def _order(pair: Pair) -> str:
    side = pair.head or pair.base
    return side.unit.id if side else ""


@lru_cache(maxsize=4096)
def _usd(amount: Fraction | int | None) -> str | None:
    return None if amount is None else plain(shown(amount))


def _interval(amount: Interval | None) -> dict[str, str | None] | None:
    if amount is None:
        return None
    return {
        "low": _usd(amount.low),
        "expected": _usd(amount.expected),
        "high": _usd(amount.high),
    }


def _between(head: Interval, base: Interval | None) -> dict[str, str | None]:
    """Head less base. A ratio errs on both sides alike, so ends are taken from like ends."""
    ends = [
        head.low - (base.low if base else 0),
        head.expected - (base.expected if base else 0),
        head.high - (base.high if base else 0),
    ]
    return {"low": _usd(min(ends)), "expected": _usd(ends[1]), "high": _usd(max(ends))}


def _model(total: Total, done: Run) -> dict[str, Any]:
    rates = done.prices.rates(total.model)
    month = total.month
    change = None
    if total.base_tokens is not None:
        change = {
            "tokens": total.tokens[1] - total.base_tokens,
            "usd_per_month": _between(month, total.base_month)
            if month is not None and total.base_month is not None
            else None,
        }
    low, expected, high = total.tokens
    return {
        "model": total.model,
        "variant": rates.route.variant if rates else None,
        "seller": rates.route.seller if rates else None,
        "prompts": total.prompts,
        "tokens": {"low": low, "expected": expected, "high": high},
        "usd_per_month": _interval(month),
        "without_traffic": total.unstated,
        "change": change,
    }


def _pair(pair: Pair, done: Run) -> dict[str, Any]:
    side = pair.head or pair.base
    assert side is not None
    unit = side.unit
    models = list(side.sides)
    return {
        "id": unit.id,
        "path": unit.path,
        "line": unit.line,
        "kind": unit.kind,
        "load": unit.load,
        "status": pair.status,
        "renamed_from": pair.before if pair.status == "renamed" else None,
        "files": sorted(unit.files),
        "traffic": _traffic(side),
        "models": [_sides(pair, model, done) for model in models],
        "notes": list(dict.fromkeys(unit.notes)),
    }


def _traffic(side: Measured) -> dict[str, Any]:
    traffic = side.traffic
    return {
        "source": "store" if side.logged else "stated" if traffic.calls is not None else "none",
        "calls_per_month": traffic.calls,
        "turns": traffic.turns or 1,
        "cached_share": _share(traffic.cached_share),
        "output_tokens": None
        if traffic.output_tokens is None
        else traffic.output_tokens.model_dump(),
    }


def _share(share: Decimal | Fraction | None) -> str | None:
    if share is None:
        return None
    if isinstance(share, Fraction):
        share = Decimal(share.numerator) / Decimal(share.denominator)
    return format(share.quantize(Decimal("0.0001")).normalize(), "f")


def _sides(pair: Pair, model: str, done: Run) -> dict[str, Any]:
    head = pair.head.sides.get(model) if pair.head else None
    base = pair.base.sides.get(model) if pair.base else None
    rates = done.prices.rates(model)
    found = pair.breaks.get(model)
    return {
        "model": model,
        "variant": rates.route.variant if rates else None,
        "price_status": rates.route.status if rates else "unpriced",
        "head": None if head is None else _side(head),
        "base": None if base is None else _side(base),
        "change": _change(head, base) if done.merge_base is not None else None,
        "cache_break": None
        if found is None
        else {
            "before": found.before,
            "after": found.after,
            "usd": _usd(found.extra),
            "per": found.per,
            "message": found.sentence,
        },
    }


def _side(side: Side) -> dict[str, Any]:
    tokens, cost = side.tokens, side.cost
    return {
        "tokens": {
            "low": tokens.low,
            "expected": tokens.expected,
            "high": tokens.high,
            "basis": tokens.basis,
            "encoding": tokens.encoding,
            "parts": dict(tokens.parts),
            "notes": list(tokens.notes),
        },
        "cache": {
            "prefix_tokens": tokens.prefix,
            "cacheable_tokens": cost.cacheable,
            "hit_share": _share(cost.hit_share),
        },
        "usd_per_call": _interval(cost.call),
        "usd_worst_call": _usd(cost.worst),
        "usd_per_1000_calls": _interval(cost.call.times(1000)),
        "usd_per_month": _interval(cost.month),
        "conversation": {
            "turns": cost.turns,
            "input_tokens": cost.conversation_input,
            "usd": _interval(cost.conversation),
        },
        "output": {
            "stated": cost.output is not None,
            "cap": cost.cap,
            "cap_source": cost.cap_source,
        },
        "context_share": _share(cost.context_share),
    }


def _change(head: Side | None, base: Side | None) -> dict[str, Any]:
    """What a change adds; a new prompt adds all of itself, a removed one takes it away."""

    def tokens(side: Side | None, level: str) -> int:
        return 0 if side is None else int(getattr(side.tokens, level))

    ends = [tokens(head, level) - tokens(base, level) for level in ("low", "expected", "high")]
    nothing = Interval(Fraction(0), Fraction(0), Fraction(0))
    call = _between(head.cost.call if head else nothing, base.cost.call if base else None)
    thousand = _between(
        head.cost.call.times(1000) if head else nothing,
        base.cost.call.times(1000) if base else None,
    )
    now = head.cost.month if head else nothing
    then = base.cost.month if base else nothing
    return {
        "tokens": {"low": min(ends), "expected": ends[1], "high": max(ends)},
        "usd_per_call": call,
        "usd_per_1000_calls": thousand,
        "usd_per_month": None if now is None or then is None else _between(now, then),
    }
