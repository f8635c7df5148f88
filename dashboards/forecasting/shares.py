"""Paths of very many leaves, held as shares of few.

A large company has thousands of team x variant x meter series, most of them tiny. Forecasting each
on its own takes long and says little: a small series is mostly luck. So the largest are forecast
on their own, and the rest of each team together, as one series of its cost, which is then split by
what each leaf used of it in the last four weeks. The sum of the leaves is still their team's and
the company's on every path, every leaf keeps its own card, and so its own dated prices.

    leaf's units on path p, day d = sum over terms k of base[k][p, d] x weight[k][d]

A leaf forecast on its own has one term with weight 1. Moving traffic changes weights alone, and
money of any number of leaves is one product for each base, whatever the number of leaves.

    held = Shares([a, b], {"x": {0: one}, "y": {1: half}, "z": {1: half}})
    held["y"] + held["z"]                           # == b, path by path
    held.weighted({"x": price_x, "y": price_y})     # (paths, days) money
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)

ALONE = 240
"""Up to this many leaves each is forecast on its own."""
LARGEST = 80
"""Beyond that, this many are: those that cost most in the last four weeks."""
TOGETHER = 40
"""Groups the rest is forecast in, at most; the smallest groups make one."""
SHARE_DAYS = 28


class Shares(Mapping[Key, Floats], Generic[Key]):
    """Leaf -> (paths, days) units, worked out when asked for."""

    def __init__(self, bases: Sequence[Floats], terms: Mapping[Key, Mapping[int, Floats]]) -> None:
        """`bases`: each (paths, days); `terms`: leaf -> base number -> (days,) weights."""
        self.bases = tuple(bases)
        self.terms = {key: dict(held) for key, held in terms.items()}

    def __getitem__(self, key: Key) -> Floats:
        total: Floats | None = None
        for number, weight in self.terms[key].items():
            part = self.bases[number] * weight
            total = part if total is None else total + part
        if total is None:
            raise KeyError(key)
        return total

    def __iter__(self) -> Iterator[Key]:
        return iter(self.terms)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def shape(self) -> tuple[int, int]:
        """(paths, days)."""
        paths, days = self.bases[0].shape
        return paths, days

    def weighted(
        self, factors: Mapping[Key, Floats], within: NDArray[np.bool_] | None = None
    ) -> Floats | None:
        """(paths, days) sum over the leaves given of units x (days,) factor; None of no leaves.

        `within` takes some of the days only.
        """
        sums: dict[int, Floats] = {}
        for key, factor in factors.items():
            for number, weight in self.terms[key].items():
                held = sums.get(number)
                part = weight * factor
                sums[number] = part if held is None else held + part
        total: Floats | None = None
        for number, factor in sums.items():
            base = self.bases[number]
            part = base * factor if within is None else base[:, within] * factor[within]
            total = part if total is None else total + part
        return total

    def moved(self, source: Key, target: Key, share: Floats) -> Shares[Key]:
        """The same with a (days,) share of one leaf's units moved to another, new or not."""
        terms = dict(self.terms)
        there = dict(terms.get(target, {}))
        for number, weight in self.terms[source].items():
            held = there.get(number)
            there[number] = weight * share if held is None else held + weight * share
        terms[source] = {n: w * (1.0 - share) for n, w in self.terms[source].items()}
        terms[target] = there
        return Shares(self.bases, terms)


@dataclass(frozen=True, slots=True)
class Grouping(Generic[Key]):
    """Which leaves are forecast on their own, and which together with which share."""

    alone: tuple[Key, ...]
    groups: dict[tuple[str, ...], dict[Key, float]]
    """Group -> leaf -> units for each unit of the group's series."""
    series: dict[tuple[str, ...], Floats]
    """Group -> (days,) what is forecast: USD at the coming price, or units where that is none."""
    part: float
    """What the groups had of the last four weeks' cost, 0 to 1."""


def grouped(
    series: Mapping[Key, Floats],
    worth: Mapping[Key, float],
    group_of: Mapping[Key, str],
    *,
    alone: int = ALONE,
    largest: int = LARGEST,
    together: int = TOGETHER,
) -> Grouping[Key]:
    """Decide how leaves are forecast.

    `series`: (days,) units of each leaf, all of one length; `worth`: USD a unit, 0 where it has no
    price; `group_of`: what a leaf is forecast together with, such as its team.
    """
    if len(series) <= alone:
        return Grouping(tuple(series), {}, {}, 0.0)
    rate = {key: _rate(row) for key, row in series.items()}
    cost = {key: rate[key] * worth[key] for key in series}
    ranked = sorted(series, key=lambda k: (-cost[k], -rate[k]))  # stable: ties in their own order
    own = set(ranked[:largest])
    members: dict[tuple[str, ...], list[Key]] = {}
    for key in series:
        if key not in own:
            kind = "priced" if worth[key] else "unpriced"
            members.setdefault((group_of[key], kind), []).append(key)
    order = sorted(members, key=lambda g: (-sum(cost[k] for k in members[g]), g))
    for group in order[together:]:
        members.setdefault(("", group[1]), []).extend(members.pop(group))
    groups: dict[tuple[str, ...], dict[Key, float]] = {}
    sums: dict[tuple[str, ...], Floats] = {}
    for group, keys in members.items():
        each = {k: worth[k] or 1.0 for k in keys}
        total = sum(rate[k] * each[k] for k in keys)
        sums[group] = np.sum([series[k] * each[k] for k in keys], axis=0)
        # Silent for four weeks: what is left of them is shared by all they ever used.
        used = rate if total else {k: float(series[k].sum()) for k in keys}
        total = total or sum(used[k] * each[k] for k in keys)
        groups[group] = {k: used[k] / total if total else 0.0 for k in keys}
    whole = sum(cost.values())
    part = sum(cost[k] for g in groups.values() for k in g) / whole if whole else 0.0
    return Grouping(tuple(k for k in series if k in own), groups, sums, part)


def _rate(row: Floats) -> float:
    """Units a day over the last four weeks, or since the first use within them."""
    recent = row[-SHARE_DAYS:]
    used = np.flatnonzero(row)
    if not len(used) or not len(recent):
        return 0.0
    age = len(row) - int(used[0])
    return float(recent.sum()) / min(len(recent), max(age, 1))


def split(
    grouping: Grouping[Key], order: Iterable[Key], numbers: Mapping[object, int], days: int
) -> dict[Key, dict[int, Floats]]:
    """The terms of every leaf: `numbers` says which base a leaf or group is."""
    one = np.ones(days)
    shares = {
        key: {numbers[group]: np.full(days, share)}
        for group, held in grouping.groups.items()
        for key, share in held.items()
    }
    return {key: shares.get(key) or {numbers[key]: one} for key in order}
