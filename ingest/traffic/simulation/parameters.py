"""The uncertain numbers of a workload, and what each of them moves.

A number given as a range is a parameter; so are drift and an effort other than the one measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from math import inf
from typing import Any

import numpy as np

from ingest.traffic.scenarios.efforts import effort_ratio
from ingest.traffic.scenarios.lengths import uncertain
from ingest.traffic.scenarios.numbers import (
    Distribution,
    Empirical,
    Number,
    Quantiles,
    Range,
    ShareRange,
    is_range,
    middle,
)
from ingest.traffic.scenarios.scenario import Workload
from ingest.traffic.simulation.library import beyond_record, month_shape
from ingest.traffic.simulation.routing import share_place
from ingest.traffic.simulation.sobol import Z90
from pricing.json_types import JsonList

# Structural numbers whose effect is not a plain factor: the sessions are made again at both ends.
STRUCTURAL = (
    "system_tokens", "tools_tokens", "retrieved_tokens", "user_tokens", "turns", "calls_per_turn",
    "tool_result_tokens", "turn_gap_s", "call_gap_s",
)  # fmt: skip

# The same of made sessions' other tables, and of recorded ones too.
_MADE = ("structure.session_spread", "images.per_turn", "images.tokens_each",
         "compaction.at_tokens", "compaction.keep_share")  # fmt: skip
_ANYWHERE = ("tiers.batch", "tiers.flex", "tiers.priority", "output.median_scale",
             "output.tail_scale", "output.max_output", "output.n", "cache.lifetime_s",
             "cache.min_tokens", "cache.machines", "recency")  # fmt: skip
# Numbers of the failures, in the order they are drawn.
RATES = ("retry_rate", "failed_rate", "failed_input_share")


@dataclass(frozen=True)
class Parameter:
    """An uncertain number: its name, the sd of its log, and what it moves.

    ``kind`` is "volume", "output", "reasoning", "effort", one of `RATES`, "sessions" (a route's
    share of them), "success" or "structure". With ``low`` and ``high``, the workloads at its P10
    and P90, the sessions are made or assigned again at both; ``field`` is the number's place in
    them. ``ends`` are those over its middle, ``top`` the most it can be over it (a share ends at
    1). What ``straight`` numbers move goes in a line with the number, the rest with its log.
    """

    name: str
    kind: str
    ends: tuple[float, float]
    low: Workload | None = None
    high: Workload | None = None
    field: str = field(default="")
    top: float = inf
    straight: bool = False


def parameters(
    workload: Workload, variant: str, days: float = 30, start: date = date(2026, 12, 1)
) -> list[Parameter]:
    """Every uncertain number of a workload over ``days`` from ``start``, volume first."""
    out: list[Parameter] = []
    v, o, s = workload.volume, workload.output, workload.structure
    volume: dict[str, Number | None] = {
        "users": v.users, "sessions_per_user_day": v.sessions_per_user_day,
        "sessions_per_day": v.sessions_per_day, "turns_per_day": v.turns_per_day,
        "calls_per_day": v.calls_per_day,
    }  # fmt: skip
    for name, value in volume.items():
        if isinstance(value, Range):
            out.append(Parameter(name, "volume", _ends(value)))
    for name in ("growth_per_month", "ramp_days", "ramp_start"):
        g = getattr(v, name)
        if is_range(g):
            low, mid, high = (
                month_shape(v.model_copy(update={name: x}), start, days)
                for x in (g.p10, middle(g), g.p90)
            )
            out.append(Parameter(name, "volume", (low / mid, high / mid)))
    drift = _typical(v.drift) * float(np.sqrt(beyond_record(workload, days)))
    if drift:
        end = float(np.exp(Z90 * drift))
        out.append(Parameter("drift between periods", "volume", (1 / end, end)))
    places = _ANYWHERE
    if workload.trace is None:
        for name, kind in (("tokens", "output"), ("reasoning_tokens", "reasoning")):
            r = uncertain(getattr(o, name))
            if r is not None:
                out.append(Parameter(f"output {name}", kind, _ends(r)))
        for name in STRUCTURAL:
            value = getattr(s, name)
            r = uncertain(value)
            counted = (name, True) in (
                ("system_tokens", s.system_file is not None),
                ("tools_tokens", s.tools_file is not None),
            )
            if r is None or counted:
                continue
            out.append(_made_again(workload, f"structure.{name}", value, r))
        places = (*_MADE, *_ANYWHERE)
    for place in places:
        value = number_at(workload, place)
        if isinstance(value, Range):
            out.append(_made_again(workload, place, value, value))
    if o.effort != o.reference_effort:
        ratio = effort_ratio(variant, o.reference_effort, o.effort)
        out.append(
            Parameter(f"effort {o.effort}", "effort",
                      (ratio.low / ratio.mid, ratio.high / ratio.mid))
        )  # fmt: skip
    for name in RATES:
        r = getattr(workload.failures, name)
        if isinstance(r, Range):
            out.append(_rate(workload, name, r))
    return out + _shares(workload)


def _typical(drift: Number) -> float:
    """A drift as one sd: of a range, the root of the mean square of what lies in it.

    >>> _typical(0.2), round(_typical(Range(p10=0.1, p90=0.4)), 3)
    (0.2, 0.268)
    """
    if not isinstance(drift, Range):
        return middle(drift)
    sigma = float(np.log(drift.p90 / drift.p10)) / (2 * Z90)
    return middle(drift) * float(np.exp(sigma * sigma))


def _rate(workload: Workload, name: str, r: Range) -> Parameter:
    plain = Parameter(name, name, _ends(r), top=_top(r))
    falls_back = workload.fallback_variant is not None and workload.fallback_rate is None
    if name != "failed_rate" or not falls_back:
        return plain
    # Failed calls are answered by the fallback: as many as fail.
    again = _made_again(workload, f"failures.{name}", r, r)
    return replace(again, name=name, kind=name, straight=True)


def _shares(workload: Workload) -> list[Parameter]:
    """Uncertain shares of the routes, of the fallback, and of the sessions that solve the task."""
    out: list[Parameter] = []
    for number, route in enumerate(workload.routing):
        if not isinstance(route.share, Range):
            continue
        name, place = f"share of {route.variant}", share_place(number)
        if route.when is None:
            top = _top(route.share)
            out.append(Parameter(name, "sessions", _ends(route.share), field=place, top=top))
        else:
            again = _made_again(workload, place, route.share, route.share)
            out.append(replace(again, name=name, straight=True))
    if isinstance(workload.fallback_rate, Range):
        r = workload.fallback_rate
        out.append(replace(_made_again(workload, "fallback_rate", r, r), straight=True))
    if isinstance(workload.success_rate, Range):
        r = workload.success_rate
        out.append(Parameter("success_rate", "success", _ends(r), top=_top(r)))
    return out


def number_at(workload: Workload, place: str) -> object:
    """The number at ``place``: "key", "table.key" or "routing.0.share"."""
    found: Any = workload
    for part in place.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    return found


def with_number(workload: Workload, place: str, value: object) -> Workload:
    """The workload with the number at ``place`` (see `number_at`) changed."""

    def changed(there: Any, parts: list[str]) -> Any:
        if not parts:
            return value
        head, *rest = parts
        if isinstance(there, JsonList):
            at = int(head)
            return [changed(each, rest) if i == at else each for i, each in enumerate(there)]
        return there.model_copy(update={head: changed(getattr(there, head), rest)})

    return changed(workload, place.split("."))


def _made_again(workload: Workload, place: str, value: object, r: Range) -> Parameter:
    """A number whose effect is found by making the sessions again at both its ends."""
    low, high = (with_number(workload, place, _at(value, end)) for end in (r.p10, r.p90))
    name = place.removeprefix("structure.").replace(".", " ")
    return Parameter(name, "structure", _ends(r), low, high, place, _top(r))


def _top(r: Range) -> float:
    return 1 / middle(r) if isinstance(r, ShareRange) else inf


def _ends(r: Range) -> tuple[float, float]:
    mid = middle(r)
    return r.p10 / mid, r.p90 / mid


def _at(value: object, level: float) -> object:
    if isinstance(value, Quantiles | Empirical):
        return value.model_copy(update={"scale": level})
    if isinstance(value, Distribution):
        return value.model_copy(update={"mean": level})
    return level
