"""How many tokens a simulated answer has: log-normal lengths by kind of work and effort.

>>> draw(load_profiles()["fixed"], "gpt-5.2", "medium", Random(1))
(100, 200)
>>> draw(load_profiles()["fixed"], "gpt-5.2", "none", Random(1))
(100, 0)
>>> draw(load_profiles()["fixed"], "gpt-4o", None, Random(1))     # a variant that does not reason
(100, 0)
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from random import Random
from typing import Any

from ingest.traffic.scenarios.efforts import effort_ratio

_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of work. Medians are tokens at effort "medium", sigmas of the logarithm."""

    name: str
    about: str
    text_median: float
    text_sigma: float
    reasoning_median: float
    reasoning_sigma: float


@lru_cache(maxsize=1)
def load_profiles() -> Mapping[str, Profile]:
    """The shipped profiles by name."""
    text = resources.files("ingest.mock").joinpath("profiles.toml").read_text("utf-8")
    return {name: Profile(name, **row) for name, row in tomllib.loads(text).items()}


def profile(given: str | Mapping[str, Any]) -> Profile:
    """A profile by name, or one described by its own figures (settings, a fitted one).

    Raises `ValueError` that names what is wrong.
    """
    known = load_profiles()
    if isinstance(given, str):
        if given not in known:
            raise ValueError(f"no profile {given!r}; there are {', '.join(known)}")
        return known[given]
    fields = {"text_median", "text_sigma", "reasoning_median", "reasoning_sigma"}
    unknown = set(given) - fields - {"name", "about"}
    if unknown or not given.keys() >= fields:
        wrong = sorted(unknown) or sorted(fields - given.keys())
        raise ValueError(f"a profile has {', '.join(sorted(fields))}: see {', '.join(wrong)}")
    numbers = {name: float(given[name]) for name in fields}
    if any(not math.isfinite(v) or v < 0 for v in numbers.values()):
        raise ValueError("the figures of a profile are numbers of zero or more")
    return Profile(str(given.get("name", "own")), str(given.get("about", "")), **numbers)


def draw(chosen: Profile, variant: str, effort: str | None, random: Random) -> tuple[int, int]:
    """Text and reasoning tokens of one answer. `effort` None or "none": no reasoning."""
    text = max(1, _length(chosen.text_median, chosen.text_sigma, random))
    reasoning = _length(chosen.reasoning_median, chosen.reasoning_sigma, random)
    if effort in (None, "none"):
        return text, 0
    ratio = effort_ratio(variant, "medium", effort).mid
    return text, min(_MOST, round(reasoning * ratio))


def _length(median: float, sigma: float, random: Random) -> int:
    return min(_MOST, round(median * math.exp(sigma * random.gauss(0, 1))))
