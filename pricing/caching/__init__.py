"""How much of the input is billed as cached?

Two parts: the providers' rules as dated data (`rule_for`) and a simulator that runs a stream of
requests with prefix blocks through such a rule (`cached_tokens`, then `apply_floor`). Prices are
not known here; the estimator multiplies. The rules alone do not import numpy, which only the
simulator needs: `tokenbooks check` starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.caching.rules import CacheRule, load_rules, parse_rules, rule_for
from pricing.lazy import public

if TYPE_CHECKING:
    from pricing.caching.simulator import BlockStream, apply_floor, cached_tokens, chain, number

__all__ = [
    "BlockStream",
    "CacheRule",
    "apply_floor",
    "cached_tokens",
    "chain",
    "load_rules",
    "number",
    "parse_rules",
    "rule_for",
]

_SIMULATOR = ("BlockStream", "apply_floor", "cached_tokens", "chain", "number")

__getattr__ = public(__name__, dict.fromkeys(_SIMULATOR, ".simulator"))
