"""A recorded trace through cache rules and prices.

    result = replay(load_trace("trace.parquet"), ["gpt-5.2"], prices, ttl=300)

With a lifetime given, the rule is that lifetime with the minimum and step given (none by
default); without one, each variant's own rule on the day holds. The answer counts requests and
input, cached, written and output tokens, and says for every variant what they cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices, RateSheet, usd, why_unpriced
from ingest.traffic.traces.trace import Trace, TraceError
from pricing.caching import CacheRule, apply_floor, cached_tokens, rule_for

IntArray = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class AppliedRule:
    """The cache rule a replay used: lifetime in seconds, minimum and step in tokens.

    ``write_class`` is the lifetime class that bills newly cached input ("none": no charge);
    ``source`` names where the rule comes from: "given", a rule id, or "unknown" (no caching).
    """

    ttl_s: float
    min_tokens: int
    step: int
    write_class: str
    source: str
    caches: bool = True

    def as_json(self) -> dict[str, Any]:
        """The rule as plain values."""
        return {
            "ttl_s": self.ttl_s,
            "min_tokens": self.min_tokens,
            "step": self.step,
            "write_class": self.write_class,
            "source": self.source,
        }


NO_CACHE = AppliedRule(0, 0, 1, "none", "none", caches=False)


def applied_rule(
    variant: str,
    day: date,
    *,
    ttl: float | None = None,
    min_tokens: int | None = None,
    step: int | None = None,
    rules: tuple[CacheRule, ...] | None = None,
) -> AppliedRule:
    """The rule a replay uses for ``variant`` on ``day``; see the module for what is given."""
    own = rule_for(variant, day, rules)
    if ttl is not None:
        write = "none" if own is None else own.with_lifetime(int(ttl)).write_class
        return AppliedRule(ttl, min_tokens or 0, step or 1, write, "given")
    if own is None:
        return AppliedRule(0, 0, 1, "none", "unknown", caches=False)
    if own.mode == "none":
        return AppliedRule(0, 0, 1, "none", own.id, caches=False)
    return AppliedRule(
        own.lifetime_s,
        own.min_tokens if min_tokens is None else min_tokens,
        own.step if step is None else step,
        own.write_class,
        own.id,
    )


def cached_under(
    trace: Trace,
    rules: Sequence[AppliedRule],
    scope: str = "all",
    progress: Progress | None = None,
) -> dict[AppliedRule, IntArray]:
    """Cached tokens a request under each rule; all lifetimes in one pass over the trace."""
    wanted = list(dict.fromkeys(rules))
    zero = np.zeros(trace.requests, dtype=np.int64)
    if not trace.has_blocks:
        return dict.fromkeys(wanted, zero)
    ttls = sorted({r.ttl_s for r in wanted if r.caches})
    raw = dict(zip(ttls, cached_tokens(trace.stream(), ttls, scope, progress), strict=True))
    return {
        r: apply_floor(raw[r.ttl_s], r.min_tokens, r.step) if r.caches else zero for r in wanted
    }


def meter_counts(trace: Trace, cached: IntArray, rule: AppliedRule) -> dict[str, IntArray]:
    """Disjoint counts a request. New input of a cacheable prompt is a write where writes cost."""
    counts: dict[str, IntArray] = {"cache_read": cached}
    fresh = trace.input_tokens - cached
    if rule.caches and rule.write_class != "none" and trace.has_blocks:
        cacheable = trace.input_tokens >= rule.min_tokens
        counts[f"cache_write_{rule.write_class}"] = np.where(cacheable, fresh, 0)
        fresh = np.where(cacheable, 0, fresh)
    counts["input_uncached"] = fresh
    if trace.reasoning_tokens is None:
        counts["output_text"] = trace.output_tokens
    else:
        counts["output_text"] = trace.output_tokens - trace.reasoning_tokens
        counts["reasoning"] = trace.reasoning_tokens
    return counts


def replay(
    trace: Trace,
    variants: Sequence[str],
    prices: Prices,
    *,
    scope: str = "all",
    ttl: float | None = None,
    min_tokens: int | None = None,
    step: int | None = None,
    day: date | None = None,
    tier: str = "standard",
    seller: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the trace through the rules and prices; a JSON-able answer, money as decimal strings.

    Without variants, every request is priced on the trace's own `model`; models do not share a
    cache. Top-level `cached_tokens` and `cached_share` follow the first variant's rule (`rule` says
    which); every variant has its own beside its cost. `cost_usd` is None, with a status of
    "unpriced", where no price is known. Raises TraceError for session scope without sessions.
    """
    if not variants and trace.models is None:
        raise TraceError("name at least one variant to price the trace on")
    if scope == "session" and trace.sessions is None:
        raise TraceError(
            f"{trace.name}: scope 'session' needs a session column; name it with "
            f"--map session=THEIR_NAME, or use --scope all"
        )
    day = day or date.today()
    if not variants:
        return _as_recorded(
            trace, prices, scope=scope, ttl=ttl, min_tokens=min_tokens, step=step, day=day,
            tier=tier, seller=seller,
        )  # fmt: skip
    rules = {v: applied_rule(v, day, ttl=ttl, min_tokens=min_tokens, step=step) for v in variants}
    cached = cached_under(trace, list(rules.values()), scope, progress)
    total_in = int(trace.input_tokens.sum())
    rows: list[dict[str, Any]] = []
    for variant in variants:
        rule = rules[variant]
        counts = meter_counts(trace, cached[rule], rule)
        sheet = prices.sheet(variant, day, tier, seller)
        rows.append(_variant_row(trace, counts, rule, variant, sheet))
        if sheet is None:
            rows[-1]["reason"] = why_unpriced(prices, variant, day, tier)
    first = rows[0]
    result: dict[str, Any] = {
        "trace": trace.name,
        "requests": trace.requests,
        "input_tokens": total_in,
        "cached_tokens": first["cached_tokens"],
        "output_tokens": int(trace.output_tokens.sum()),
        "cached_share": first["cached_share"],
        "scope": scope,
        "rule": first["rule"],
        "day": day.isoformat(),
        "tier": tier,
        "variants": rows,
        "notes": [*trace.notes, *_notes(rules), *_clock_note(trace, scope)],
    }
    if trace.reasoning_tokens is not None:
        result["reasoning_tokens"] = int(trace.reasoning_tokens.sum())
    return result


def _as_recorded(
    trace: Trace,
    prices: Prices,
    *,
    scope: str,
    ttl: float | None,
    min_tokens: int | None,
    step: int | None,
    day: date,
    tier: str,
    seller: str | None,
) -> dict[str, Any]:
    """Each request on the model the trace names."""
    assert trace.models is not None
    parts: list[dict[str, Any]] = []
    codes: list[int] = np.unique(trace.models).tolist()
    for code in codes:
        part = replay(
            trace.select(trace.models == code), [trace.model_names[code] or "unknown"], prices,
            scope=scope, ttl=ttl, min_tokens=min_tokens, step=step, day=day, tier=tier,
            seller=seller,
        )  # fmt: skip
        parts.append(
            {
                "requests": part["requests"],
                **part["variants"][0],
                "input_tokens": part["input_tokens"],
                "output_tokens": part["output_tokens"],
            }
        )
    total_in = int(trace.input_tokens.sum())
    cached = sum(p["cached_tokens"] for p in parts)
    priced = [Decimal(p["cost_usd"]) for p in parts if p["cost_usd"] is not None]
    return {
        "trace": trace.name,
        "requests": trace.requests,
        "input_tokens": total_in,
        "cached_tokens": cached,
        "output_tokens": int(trace.output_tokens.sum()),
        "cached_share": cached / total_in if total_in else 0.0,
        "scope": scope,
        "rule": parts[0]["rule"] if len(parts) == 1 else "of each model",
        "day": day.isoformat(),
        "tier": tier,
        "cost_usd": format(sum(priced, Decimal(0)), "f") if priced else None,
        "unpriced_requests": sum(p["requests"] for p in parts if p["cost_usd"] is None),
        "variants": parts,
        "notes": list(trace.notes),
    }


def _notes(rules: dict[str, AppliedRule]) -> list[str]:
    unknown = [v for v, r in rules.items() if r.source == "unknown"]
    if not unknown:
        return []
    return [
        f"no cache rule is known for {', '.join(unknown)}: counted as not caching; "
        f"give a lifetime to assume one"
    ]


def _clock_note(trace: Trace, scope: str) -> list[str]:
    if scope == "session" or not trace.own_clocks:
        return []
    return ["sessions seem to have clocks of their own: scope 'session' is meant for them"]


def _variant_row(
    trace: Trace,
    counts: dict[str, IntArray],
    rule: AppliedRule,
    variant: str,
    sheet: RateSheet | None,
) -> dict[str, Any]:
    total_in = int(trace.input_tokens.sum())
    cached = int(counts["cache_read"].sum())
    writes = sum(int(c.sum()) for m, c in counts.items() if m.startswith("cache_write_"))
    row: dict[str, Any] = {
        "variant": variant,
        "rule": rule.as_json(),
        "cached_tokens": cached,
        "cache_write_tokens": writes,
        "cached_share": cached / total_in if total_in else 0.0,
        "cost_usd": None,
        "cost_without_cache_usd": None,
        "status": "unpriced",
    }
    if sheet is None:
        return row
    plain = {k: v for k, v in counts.items() if k in ("output_text", "reasoning")}
    try:
        row["cost_usd"] = usd(sheet.total(counts))
        row["cost_without_cache_usd"] = usd(
            sheet.total({"input_uncached": trace.input_tokens, **plain})
        )
    except LookupError as error:
        row["reason"] = str(error)
        return row
    row["status"] = sheet.status
    return row
