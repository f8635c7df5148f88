"""What a change of effort does to output tokens: a dated, sourced table with intervals.

>>> effort_ratio("gpt-5.2", "medium", "high").mid
1.79
>>> effort_ratio("gpt-5.2", "high", "high").mid
1.0
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Ends of the interval where a source gives one figure only.
_SPREAD = 1.3


@dataclass(frozen=True)
class Ratio:
    """Output at one effort over output at another: middle and ends of an 80 % interval."""

    low: float
    mid: float
    high: float
    source: str


FloatArray = npt.NDArray[np.float64]


def effort_factors(
    visible: float, thinking: float, ratio: FloatArray | float, effort: str
) -> tuple[FloatArray, FloatArray]:
    """Factors on visible and on reasoning tokens that together change output by ``ratio``.

    Effort changes how long a model thinks, not what it says in the end: reasoning takes the
    change, down to nothing; at "none" there is no reasoning, and what output there is, is visible.
    Where no reasoning is known of, all output scales.

    >>> seen, thought = effort_factors(200, 1000, 1.5, "high")     # 1,200 become 1,800
    >>> float(seen), float(thought)
    (1.0, 1.6)
    >>> seen, thought = effort_factors(200, 1000, 0.3, "none")     # 360, all visible
    >>> float(seen), float(thought)
    (1.8, 0.0)
    """
    r = np.asarray(ratio, dtype=np.float64)
    if thinking <= 0 or visible <= 0:
        return r, r
    total = (visible + thinking) * r
    if effort == "none":
        return np.maximum(total / visible, 1.0), np.zeros_like(r)
    return np.ones_like(r), np.maximum(total - visible, 0.0) / thinking


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    text = resources.files("ingest.traffic.scenarios").joinpath("efforts.toml").read_text("utf-8")
    return {row["name"]: row for row in tomllib.loads(text)["family"]}


def effort_ratio(variant: str, reference: str, effort: str) -> Ratio:
    """Multiplier from ``reference`` to ``effort`` for a variant; the longest family name decides.

    Raises ValueError for an effort that does not exist.
    """
    for name in (reference, effort):
        if name not in EFFORTS:
            raise ValueError(f"effort must be one of {', '.join(EFFORTS)}, not {name!r}")
    table = _table()
    fitting = [n for n in table if variant == n or (n and variant.startswith((n + "-", n + ".")))]
    row = table[max(fitting, key=len)] if fitting else table[""]
    if reference == effort:
        return Ratio(1.0, 1.0, 1.0, row["source"])
    mid = row["efforts"][effort] / row["efforts"][reference]
    if "low_high" in row:
        low = row["low_high"][effort][0] / row["efforts"][reference]
        high = row["low_high"][effort][1] / row["efforts"][reference]
    else:
        low, high = mid / _SPREAD, mid * _SPREAD
    return Ratio(min(low, mid), mid, max(high, mid), row["source"])
