"""How much of the input is billed as cached?

Two parts: the providers' rules as dated data (`rule_for`) and a simulator that runs a stream of
requests with prefix blocks through such a rule (`cached_tokens`, then `apply_floor`). Prices are
not known here; the estimator multiplies. The rules alone do not import numpy, which only the
simulator needs: `tokenbooks check` starts without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pricing.caching.rules import CacheRule, load_rules, parse_rules, rule_for

if TYPE_CHECKING:
    from pricing.caching.simulator import BlockStream, apply_floor, cached_tokens, chain, number

_SIMULATOR = {"BlockStream", "apply_floor", "cached_tokens", "chain", "number"}

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


def __getattr__(name: str) -> object:
    if name in _SIMULATOR:
        return getattr(import_module("pricing.caching.simulator"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
