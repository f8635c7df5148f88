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


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    text = resources.files("ingest.traffic").joinpath("efforts.toml").read_text("utf-8")
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
