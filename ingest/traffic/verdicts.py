"""What a validation's splits say together: errors, coverage and which generator may be default.

A predictor that is right 80 % of the time with its 80 % interval is seen to be right on 68 % of
sixty splits once in forty times: every coverage is told with how far it strays by chance.

>>> from ingest.traffic.simulation.predict import Prediction
>>> truth = {"cost": 10.0, "input": 100.0, "cached": 50.0, "output": 5.0, "reasoning": 0.0}
>>> guess = {p: Prediction(1.1 * v, v) for p, v in truth.items()}
>>> case = Case(truth, {"whole_sessions": guess}, Prediction(0.0, 0.01), share_gap=0.007)
>>> round(error_of(case, "whole_sessions", "cost"), 4)
0.1
>>> got = summary([case], "whole_sessions")["predictors"]["whole_sessions"]
>>> got["coverage"]["80%"], got["input"]["coverage_80"], got["cached_share"]["bias_points"]
(1.0, 1.0, 0.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.traffic.prices import usd_estimate
from ingest.traffic.simulation.predict import Prediction
from ingest.traffic.table import PARTS

LEVELS = (0.5, 0.8, 0.9)
# Knows no interval, so no coverage is told of it.
GUESS = "mean_times_count"


@dataclass(frozen=True)
class Case:
    """One split: what was predicted by whom, and what came.

    ``share_noise`` is what two such sets of sessions differ by in cached share by chance,
    ``share_gap`` the median of its size.
    """

    truth: dict[str, float]
    predicted: dict[str, dict[str, Prediction]]
    share_noise: Prediction
    share_gap: float


def error_of(case: Case, who: str, part: str) -> float | None:
    """Predicted over actual, less 1; None where there was nothing of the part."""
    truth = case.truth[part]
    return case.predicted[who][part].mean / truth - 1 if truth else None


def share_error(case: Case, who: str) -> float:
    """Predicted minus actual cached share, in points of a hundred."""
    got = case.predicted[who]
    share = got["cached"].mean / got["input"].mean if got["input"].mean else 0.0
    return 100 * (share - case.truth["cached"] / max(case.truth["input"], 1.0))


def summary(cases: Sequence[Case], model: str) -> dict[str, Any]:
    """Errors and coverage of every predictor over ``cases``; ``model`` is the product's own."""
    if not cases:
        return {"splits": 0, "skipped": "no split possible: no common clock, or too few sessions"}
    last = cases[-1]
    return {
        "splits": len(cases),
        "model": model,
        # How far the coverage of an honest 80 % interval strays by chance with so few splits.
        "coverage_standard_error": float(np.sqrt(0.8 * 0.2 / len(cases))),
        "predictors": {who: _judged(cases, who) for who in cases[0].predicted},
        "example": {
            "predicted_usd": usd_estimate(last.predicted[model]["cost"].mean),
            "actual_usd": usd_estimate(last.truth["cost"]),
        },
    }


def _judged(cases: Sequence[Case], who: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for part in PARTS:
        errors = [e for c in cases if (e := error_of(c, who, part)) is not None]
        if not errors:
            continue
        row[part] = {
            "median_abs_error": float(np.median(np.abs(errors))),
            "mean_abs_error": float(np.mean(np.abs(errors))),
            "bias": float(np.mean(errors)),
        }
        if who != GUESS:
            row[part]["coverage_80"] = _coverage(cases, who, part, 0.8)
    shares = np.array([share_error(c, who) for c in cases])
    row["cached_share"] = {
        "median_abs_error_points": float(np.median(np.abs(shares))),
        "bias_points": float(np.mean(shares)),
        # The median gap between two such sets of sessions by chance alone.
        "chance_points": 100 * float(np.mean([c.share_gap for c in cases])),
    }
    if who == GUESS:
        return row
    if any(c.share_noise.sd for c in cases):
        # The truth lies at minus the error from what was predicted.
        held = [c.share_noise.covers(-e / 100, 0.8) for c, e in zip(cases, shares, strict=True)]
        row["cached_share"]["coverage_80"] = float(np.mean(held))
    row["coverage"] = {f"{v:.0%}": _coverage(cases, who, "cost", v) for v in LEVELS}
    row["width_80"] = float(np.mean([_width(c, who) for c in cases]))
    return row


def _coverage(cases: Sequence[Case], who: str, part: str, level: float) -> float:
    return float(np.mean([c.predicted[who][part].covers(c.truth[part], level) for c in cases]))


def _width(case: Case, who: str) -> float:
    low, high = case.predicted[who]["cost"].interval(0.8)
    return (high - low) / case.truth["cost"]


def default_generator(time_split: dict[str, Any]) -> dict[str, Any]:
    """Which generator may be the default for a later period: the bootstrap unless beaten."""
    rows = time_split.get("predictors")
    if not rows:
        return {"generator": "whole_sessions", "reason": "no time split possible"}
    ours = rows["recent_sessions"]["cost"]["mean_abs_error"]
    base = rows["session_bootstrap"]["cost"]["mean_abs_error"]
    better = ours < base
    return {
        "generator": "recent_sessions" if better else "whole_sessions",
        "reason": f"on the time split recent sessions err by {ours:.1%} in the mean, "
        f"the whole-session bootstrap by {base:.1%}",
    }
