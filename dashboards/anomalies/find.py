"""Anomalies that matter: unusual, expensive, not announced; with their causes and their cost.

Daily cost of leaves (team × variant × key × meter, exact pico-dollars) is summed to the scopes
watched. A *spike* is one day whose score passes the threshold. A *shift* is a run in which at least
4 of 5 days in a row are well above what was usual before the run; its days are not reported again
as spikes. Both must cost at least the money floor more than expected, and neither may fall within
the days after a known price change or launch of that scope.

Expected is the mean of the same weekday in the four weeks before, per leaf, rounded down to the
pico-dollar; a scope's expectation is the sum over its leaves. So its excess is exactly
the sum of the excesses of its causes, in every dimension.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dashboards.anomalies.score import spike_score

MIN_HISTORY = 14
RUN, ENOUGH = 5, 4


@dataclass(frozen=True, slots=True)
class Known:
    """An announced change: anomalies of matching scopes are expected for some days after it."""

    on: date
    what: str
    where: Mapping[str, str] | None = None
    """Dimension values it touches; None: everything. A dimension not in the scope matches."""
    days: int = 7


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding. Money in whole pico-dollars."""

    scope: dict[str, str]
    kind: Literal["spike", "shift"]
    first: date
    last: date
    score: float
    actual: int
    expected: int
    causes: dict[str, list[tuple[str, int]]]
    """Per dimension: values and their excess, largest first; each list sums to `excess`."""

    @property
    def excess(self) -> int:
        """What it cost above what was expected."""
        return self.actual - self.expected


Leaf = tuple[str, ...]


def _expected(row: Sequence[int], start: int, day: int) -> int:
    """Mean of the same weekday in the 4 weeks before `start`, or of all days there if none."""
    same = [row[i] for i in range(max(0, start - 28), start) if (day - i) % 7 == 0]
    return sum(same) // len(same) if same else 0


def _suppressed(scope: Mapping[str, str], day: date, known: Sequence[Known]) -> bool:
    for k in known:
        where = k.where or {}
        touches = all(scope.get(d, v) == v for d, v in where.items())
        if touches and k.on <= day < k.on + timedelta(days=k.days):
            return True
    return False


def find_anomalies(
    costs: Mapping[Leaf, Sequence[int]],
    dims: Sequence[str],
    dates: NDArray[np.datetime64],
    *,
    by: Sequence[str] = (),
    floor: int = 10**12,
    threshold: float = 4.0,
    known: Sequence[Known] = (),
    since: date | None = None,
) -> list[Anomaly]:
    """Anomalies of every scope, newest first, then by what they cost.

    `costs`: leaf values in the order of `dims` -> daily integer pico-dollars over `dates`
    (consecutive days); `by`: dimensions that make a scope, empty for the whole; `floor`: least
    excess in pico-dollars (default 1 USD); `since`: report only what starts on that day or later.
    Raises ValueError for ragged rows or unknown dimensions.
    """
    missing = [d for d in by if d not in dims]
    if missing:
        msg = f"unknown dimension {', '.join(missing)}; known: {', '.join(dims)}"
        raise ValueError(msg)
    days: list[date] = np.asarray(dates, dtype="datetime64[D]").astype(object).tolist()
    scopes: dict[Leaf, dict[Leaf, Sequence[int]]] = defaultdict(dict)
    for leaf, row in costs.items():
        if len(row) != len(days) or len(leaf) != len(dims):
            msg = f"leaf {leaf}: {len(row)} days for {len(days)} dates, {len(leaf)} values for "
            raise ValueError(msg + f"{len(dims)} dimensions")
        scopes[tuple(leaf[dims.index(d)] for d in by)][leaf] = row
    found: list[Anomaly] = []
    for values, leaves in scopes.items():
        scope = dict(zip(by, values, strict=True))
        for a in _in_scope(scope, leaves, dims, days, threshold):
            if a.excess < floor or (since and a.first < since):
                continue
            if not _suppressed(scope, a.first, known):
                found.append(a)
    return sorted(found, key=lambda a: (-a.first.toordinal(), -a.excess))


def _in_scope(
    scope: dict[str, str],
    leaves: Mapping[Leaf, Sequence[int]],
    dims: Sequence[str],
    days: list[date],
    threshold: float,
) -> list[Anomaly]:
    total = [sum(column) for column in zip(*leaves.values(), strict=True)]
    y = np.array(total, dtype=np.float64)
    axis = np.array(days, dtype="datetime64[D]")
    out: list[Anomaly] = []
    t = MIN_HISTORY
    while t < len(y):
        # Nothing begins on a day that does not stand out itself, and most do not.
        if spike_score(y[:t], axis[:t], y[t], axis[t]) <= threshold / 2:
            t += 1
            continue
        # Every day of a possible run is judged by the days before the run, not by the run itself.
        run = [spike_score(y[:t], axis[:t], y[j], axis[j]) for j in range(t, min(t + RUN, len(y)))]
        high = [s > threshold / 2 for s in run]
        if high[0] and sum(high) >= ENOUGH:
            out.append(_anomaly(scope, leaves, dims, days, (t, t + len(run)), "shift", max(run)))
            t += len(run)
            continue
        if run[0] > threshold:
            out.append(_anomaly(scope, leaves, dims, days, (t, t + 1), "spike", run[0]))
        t += 1
    return out


def _anomaly(
    scope: dict[str, str],
    leaves: Mapping[Leaf, Sequence[int]],
    dims: Sequence[str],
    days: list[date],
    span: tuple[int, int],
    kind: Literal["spike", "shift"],
    score: float,
) -> Anomaly:
    start, stop = span
    actual = expected = 0
    by_dim: dict[str, dict[str, int]] = {d: defaultdict(int) for d in dims}
    for leaf, row in leaves.items():
        spent = sum(row[start:stop])
        usual = sum(_expected(row, start, j) for j in range(start, stop))
        actual, expected = actual + spent, expected + usual
        for d, v in zip(dims, leaf, strict=True):
            by_dim[d][v] += spent - usual
    causes = {d: sorted(v.items(), key=lambda x: (-x[1], x[0])) for d, v in by_dim.items()}
    return Anomaly(scope, kind, days[start], days[stop - 1], score, actual, expected, causes)
