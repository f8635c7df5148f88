"""The uncertain numbers of a workload, and what each of them moves.

A number given as a range is a parameter; so are drift and an effort other than the one measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ingest.traffic.efforts import effort_ratio
from ingest.traffic.lengths import uncertain
from ingest.traffic.library import beyond_record
from ingest.traffic.numbers import Distribution, Empirical, Number, Quantiles, Range, middle
from ingest.traffic.scenario import Workload
from ingest.traffic.sobol import Z90

# Structural numbers whose effect is not a plain factor: the sessions are made again at both ends.
STRUCTURAL = (
    "system_tokens", "tools_tokens", "retrieved_tokens", "user_tokens", "turns", "calls_per_turn",
    "tool_result_tokens", "turn_gap_s",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """An uncertain number: its name, the sd of its log, and what it moves.

    ``kind`` is "volume", "output", "reasoning", "effort", "retry", or "structure" (then ``low``
    and ``high`` are the workloads at its P10 and P90). ``ends`` are those over its middle.
    """

    name: str
    kind: str
    ends: tuple[float, float]
    low: Workload | None = None
    high: Workload | None = None
    field: str = field(default="")


def parameters(workload: Workload, variant: str, days: float = 30) -> list[Parameter]:
    """Every uncertain number of a workload over a period of ``days``, volume first."""
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
            ends = [
                workload.model_copy(
                    update={"structure": s.model_copy(update={name: _at(value, end)})}
                )
                for end in (r.p10, r.p90)
            ]
            out.append(Parameter(name, "structure", _ends(r), ends[0], ends[1], name))
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
    if isinstance(workload.failures.retry_rate, Range):
        r = workload.failures.retry_rate
        out.append(Parameter("retry_rate", "retry", (r.p10, r.p90)))
    return out


def _ends(r: Range) -> tuple[float, float]:
    mid = middle(r)
    return r.p10 / mid, r.p90 / mid


def _at(value: object, level: float) -> object:
    if isinstance(value, Quantiles | Empirical):
        return value.model_copy(update={"scale": level})
    if isinstance(value, Distribution):
        return value.model_copy(update={"mean": level})
    return level
