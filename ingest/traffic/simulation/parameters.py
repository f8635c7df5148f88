"""The uncertain numbers of a workload, and what each of them moves.

A number given as a range is a parameter; so are drift and an effort other than the one measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from ingest.traffic.scenarios.efforts import effort_ratio
from ingest.traffic.scenarios.lengths import uncertain
from ingest.traffic.scenarios.numbers import (
    Change,
    Distribution,
    Empirical,
    Number,
    Quantiles,
    Range,
    middle,
)
from ingest.traffic.scenarios.scenario import Workload
from ingest.traffic.simulation.library import beyond_record, month_shape
from ingest.traffic.simulation.sobol import Z90

# Structural numbers whose effect is not a plain factor: the sessions are made again at both ends.
STRUCTURAL = (
    "system_tokens", "tools_tokens", "retrieved_tokens", "user_tokens", "turns", "calls_per_turn",
    "tool_result_tokens", "turn_gap_s", "call_gap_s",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """An uncertain number: its name, the sd of its log, and what it moves.

    ``kind`` is "volume", "output", "reasoning", "effort", "retry_rate", "failed_rate", or
    "structure" (then ``low`` and ``high`` are the workloads at its P10 and P90, ``field`` the
    number's place in them). ``ends`` are those over its middle, of rates themselves.
    """

    name: str
    kind: str
    ends: tuple[float, float]
    low: Workload | None = None
    high: Workload | None = None
    field: str = field(default="")


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
    if isinstance(v.growth_per_month, Change):
        g = v.growth_per_month
        low, mid, high = (
            month_shape(v.model_copy(update={"growth_per_month": x}), start, days)
            for x in (g.p10, middle(g), g.p90)
        )
        out.append(Parameter("growth_per_month", "volume", (low / mid, high / mid)))
    drift = v.drift * float(np.sqrt(beyond_record(workload, days)))
    if drift:
        end = float(np.exp(Z90 * drift))
        out.append(Parameter("drift between periods", "volume", (1 / end, end)))
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
        for name in ("per_turn", "tokens_each"):
            value = getattr(workload.images, name)
            if isinstance(value, Range):
                out.append(_made_again(workload, f"images.{name}", value, value))
    for name in ("batch", "flex", "priority"):
        value = getattr(workload.tiers, name)
        if isinstance(value, Range):
            out.append(_made_again(workload, f"tiers.{name}", value, value))
    for name in ("median_scale", "tail_scale"):
        value = getattr(o, name)
        if isinstance(value, Range):
            out.append(Parameter(f"output {name}", "output", _ends(value)))
    if o.effort != o.reference_effort:
        ratio = effort_ratio(variant, o.reference_effort, o.effort)
        out.append(
            Parameter(f"effort {o.effort}", "effort",
                      (ratio.low / ratio.mid, ratio.high / ratio.mid))
        )  # fmt: skip
    for name in ("retry_rate", "failed_rate"):
        r = getattr(workload.failures, name)
        if isinstance(r, Range):
            out.append(Parameter(name, name, (r.p10, r.p90)))
    return out


def with_number(workload: Workload, place: str, value: object) -> Workload:
    """The workload with the number at ``place`` ("table.key") changed."""
    table, key = place.split(".")
    changed = getattr(workload, table).model_copy(update={key: value})
    return workload.model_copy(update={table: changed})


def _made_again(workload: Workload, place: str, value: object, r: Range) -> Parameter:
    """A number whose effect is found by making the sessions again at both its ends."""
    low, high = (with_number(workload, place, _at(value, end)) for end in (r.p10, r.p90))
    table, key = place.split(".")
    name = key if table == "structure" else f"{table} {key}"
    return Parameter(name, "structure", _ends(r), low, high, place)


def _ends(r: Range) -> tuple[float, float]:
    mid = middle(r)
    return r.p10 / mid, r.p90 / mid


def _at(value: object, level: float) -> object:
    if isinstance(value, Quantiles | Empirical):
        return value.model_copy(update={"scale": level})
    if isinstance(value, Distribution):
        return value.model_copy(update={"mean": level})
    return level
