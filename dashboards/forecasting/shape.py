"""What one series looks like: weekday profile, noise, level, and how sure that level is.

The history is read once into a `Shape`, from which `paths` draws. Four steps, all in numpy:

1. days far above the rest are capped, so that a spike is not taken for a new level;
2. the weekday profile is the mean ratio of a weekday to the level around it, shrunk to flat by as
   much as luck alone would explain (James–Stein), or to a profile inherited from the team;
3. the level is an average with a fading memory. How long a memory is the question of the local
   level model: noisy series need a long one, quiet ones a short one. The prior says so, and the
   series' own past errors at 7 and at 28 days ahead correct it, separately; under bursty days a
   level that moves no more than luck would move it has the longest;
4. the same past errors say how far the level can move; a level that has wandered under bursty
   days (`wandering`) may move further than those few errors show, and one that has stayed less
   far: there the errors are luck.

From step 1 only the level is kept from spikes. On bursty series they come back as luck of coming
days (`Shape.luck`): not on a usual day, but somewhere in a month.

Example: 60 days of 100 on weekdays and 0 at weekends give the profile 1.4 ×5, 0.0 ×2, noise 0, and
a level of about 71 a day.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dashboards.forecasting.tuning import DEFAULT, HISTORY, Tuning

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Days = NDArray[np.datetime64]

CLOSED = 0.12
"""A weekday below this share of an average day is closed: its days are no example for others."""


def weekdays(dates: Days) -> Ints:
    """Monday 0 … Sunday 6 of each date (`datetime64[D]`)."""
    return (np.asarray(dates).astype("datetime64[D]").astype(np.int64) + 3) % 7


def born(y: Floats) -> int:
    """First day of the series proper: a leading silence longer than any later one was no traffic.

    Zeros are real. But 60 zeros before a launch are not 60 slow days: when the silence before the
    first active day is longer than twice the longest silence since (plus a week), it is dropped.
    """
    active = np.flatnonzero(y > 0)
    if len(active) == 0:
        return 0
    first = int(active[0])
    inner = int(np.diff(active).max()) if len(active) > 1 else 1
    tail = len(y) - 1 - int(active[-1])
    return first if first > 2 * max(inner, tail) + 7 else 0


@lru_cache(maxsize=32)
def _memory(half_life: float) -> Floats:
    """Row t averages days 0…t with weights halving every `half_life` days."""
    age = np.arange(HISTORY)[:, None] - np.arange(HISTORY)[None, :]
    weight = np.where(age >= 0, 0.5 ** (np.maximum(age, 0) / half_life), 0.0)
    return weight / weight.sum(axis=1, keepdims=True)


@lru_cache(maxsize=8)
def _around(half_life: float) -> Floats:
    """Two-sided weights, not normalised: a cut of it is normalised by its own row sums."""
    age = np.arange(HISTORY)
    return 0.5 ** (np.abs(age[:, None] - age[None, :]) / half_life)


def _ahead(days: Floats, k: int) -> Floats:
    """Mean of the next (up to) `k` days after each day; the last entry is meaningless."""
    total = np.concatenate([[0.0], np.cumsum(days)])
    n = len(days)
    start = np.arange(1, n + 1)
    stop = np.minimum(start + k, n)
    return (total[stop] - total[start]) / np.maximum(stop - start, 1)


SLOW = 10.0
"""Half-life in days of the smoothing whose swings are compared with those of shuffled days."""


@lru_cache(maxsize=64)
def _slow(n: int) -> tuple[Floats, float, float]:
    """Centred smoothing of `n` days, and mean and spread of the variance it leaves of pure luck."""
    age = np.arange(n)
    kernel = 0.5 ** (np.abs(age[:, None] - age[None, :]) / SLOW)
    kernel /= kernel.sum(axis=1, keepdims=True)
    kernel -= kernel.mean(axis=1, keepdims=True)
    kernel -= kernel.mean(axis=0, keepdims=True)
    square = kernel.T @ kernel
    trace, free = float(np.trace(square)), n - 1
    # Moments of a ratio of quadratic forms in independent normal days.
    spread = 2 * (float((square**2).sum()) - trace**2 / free) / (free * (free + 2))
    return kernel, trace / free, float(np.sqrt(spread))


def wandering(flat: Floats) -> float:
    """How much more the level moves than the same days shuffled: in standard deviations of luck.

    Square roots tame the bursts. Smoothing leaves a known part of the variance when the days are
    independent; a level that moves leaves more. 0 for constant days and for under 28.

    Example: 90 days that are 0 or 100 by the toss of a coin: about 0; 45 days of 0 followed by 45
    of 100: over 20.
    """
    n = len(flat)
    root = np.sqrt(flat)
    root = root - root.mean()
    whole = float(root @ root)
    if n < 28 or whole <= 1e-9 * float(flat.sum()):
        return 0.0
    kernel, usual, spread = _slow(n)
    left = kernel @ root
    return (float(left @ left) / whole - usual) / spread


STEADY, WANDERS = (-0.5, 0.5), (1.0, 4.0)
"""`wandering` up to which a level is steady, and from which it is not; up to which it is not seen
to move, and from which it surely does. A deviation of luck is 1, so between them nobody knows."""


def _between(value: float, start: float, full: float) -> float:
    """0 up to `start`, 1 from `full` on, a straight line between."""
    return min(max((value - start) / (full - start), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """One series, read. Arrays run over its days, oldest first."""

    weekday: Ints
    profile: Floats
    """(7,) multipliers of Monday…Sunday, mean 1."""
    regularity: float
    """0: weekdays tell nothing beyond luck; 1: the profile is certain."""
    capped: Floats
    """The days, spikes cut to the cap."""
    flat: Floats
    """Capped days with the profile divided out."""
    luck: Floats
    """Each day over the level around it: what coming days draw from. Mean 1, bursts on top."""
    recency: Floats
    """Weight of each day as an example of a coming day."""
    is_open: NDArray[np.bool_]
    """Days on weekdays that see traffic."""
    noise: float
    """Coefficient of variation of a day around its level."""
    log_near: float
    log_far: float
    """Log of the level as it counts for tomorrow, and for a month ahead."""
    log_drift: float
    """Damped remainder of the recent drift, luck taken off, as a log ratio."""
    spread_now: float
    spread_drift: float
    """Log spreads of the level: today, and gained per square root of 30 days."""


def _profile(
    capped: Floats,
    weekday: Ints,
    around: Floats,
    recency: Floats,
    inherited: Floats | None,
    t: Tuning,
) -> tuple[Floats, float]:
    n = len(capped)
    target = np.ones(7) if inherited is None else inherited
    ratio = capped / around
    if n < 14:
        return target, 0.0
    age = np.arange(n)[::-1]
    weight = (weekday[:, None] == np.arange(7)) * (0.5 ** (age / t.profile_recency))[:, None]
    total = weight.sum(axis=0)
    raw = (weight * ratio[:, None]).sum(axis=0) / total
    luck = np.average((ratio - raw[weekday]) ** 2, weights=recency)
    effective = total**2 / (weight**2).sum(axis=0)
    if n < 28:
        # Two or three examples a weekday fit themselves: count the variance they used up.
        luck *= effective.mean() / max(effective.mean() - 1.0, 0.5)
    chance = float((luck / effective).mean())
    signal = float(((raw - target) ** 2).mean())
    keep = 1.0 if signal == 0 else min(max(1.0 - t.shrink * chance / signal, 0.0), 1.0)
    profile = np.maximum(target + keep * (raw - target), 0.02)
    if n >= 28 and keep > 0.8:
        profile[raw == 0] = 0.0  # four weeks or more without one unit: closed, not quiet
    return profile / profile.mean(), keep


def _beyond_luck(change: float, noise: float, n: int) -> float:
    """A change of the log level over memories of 12 and 48 days, less what luck would make of it.

    Days that scatter by `noise` round a level that stays move the difference of the two averages
    by a known variance; the change is shrunk by its share of that (James–Stein, positive part).
    """
    age = np.arange(n)
    short, long = 0.5 ** (age / 12.0), 0.5 ** (age / 48.0)
    luck = noise**2 * float(((short / short.sum() - long / long.sum()) ** 2).sum())
    keep = max(1.0 - luck / max(change**2, 1e-12), 0.0)
    return keep * float(np.clip(change, -1.5, 1.5))


def _longest(n: int) -> float:
    """Longest memory preferred for `n` days of history: a young account's level wanders more."""
    return n * max(0.4, min(n / 90, 1.0))


def _levels(
    flat: Floats, noise: float, steady: float, floor: float, t: Tuning
) -> tuple[Floats, list[Floats]]:
    """Log level for (near, far), and the own past log errors of each, by memory and origin.

    As far as the level is `steady` (0 to 1) it has the longest memory: all days together say more
    than past errors, which on bursty days prefer a memory by chance.
    """
    n = len(flat)
    half_lives = np.array(t.half_lives)
    level = np.stack([_memory(h)[:n, :n] @ flat for h in t.half_lives])
    last = np.log(level[:, -1] + floor)
    preferred = min(t.memory_floor + t.memory_noise * noise * max(noise, 1.0) ** 2, _longest(n))
    prior = -t.memory_prior * np.log(half_lives / preferred) ** 2
    chosen: list[float] = []
    errors: list[Floats] = []
    for k, margin in ((7, 7), (28, 14)):
        origin = np.arange(min(14, n // 3), n - margin)
        score = prior
        if len(origin) >= 7:
            error = np.log((_ahead(flat, k)[origin] + floor) / (level[:, origin] + floor))
            loss = np.average(np.abs(error), axis=1, weights=0.5 ** ((n - origin) / 45))
            worst = max(float(loss.mean()), 1e-9)
            evidence = t.memory_own * min(1.0, len(origin) / 40)
            score = prior - evidence * (loss - loss.min()) / worst
            errors.append(error)
        weight = np.exp(score - score.max())
        own = float((weight * last).sum() / weight.sum())
        chosen.append((1.0 - steady) * own + steady * float(last[-1]))
    drift = t.trend * _beyond_luck(float(last[3] - last[5]), noise, n)
    # The floor keeps zeros out of the logs; left on, a quiet forecast would run 3 % high. On a
    # bursty series it stays, against what capping the bursts took off the level.
    taken = floor * max(1.0 - noise, 0.0)
    near, far = (np.log(max(np.exp(c) - taken, floor / 30)) for c in chosen)
    return np.array([near, far, drift]), errors


def _spreads(
    noise: float, bursty: float, moves: float, errors: list[Floats], t: Tuning
) -> tuple[float, float]:
    """Log spreads of the level: of today's, and gained over 30 days.

    A prior by noise, corrected by the series' own past errors. Of a bursty level that stays both
    would say too much: its zeros and errors are luck, and luck is drawn day by day anyway.
    """
    still = bursty * (1.0 - moves)
    seen = noise - still * max(noise - t.noise_most, 0.0)
    now = t.now + t.now_noise * seen
    gain = t.drift + t.drift_noise * seen
    if len(errors) == 2:
        own_now = 1.25 * float(np.abs(errors[0]).mean(axis=1).min())
        own_far = 1.25 * float(np.abs(errors[1]).mean(axis=1).min())
        expect_now = float(np.sqrt(now**2 + 0.2 * gain**2))
        expect_far = float(np.sqrt(now**2 + 0.6 * gain**2))
        now *= (own_now / expect_now) ** (t.own_now * (1.0 - still))
        gain *= (own_far / expect_far) ** (t.own_drift * (1.0 - still))
    # Bursty days on a level that moves: past errors see a part only of where it may go.
    wider = t.wander_spread ** (moves * min(noise, 1.0))
    return now * wider, gain * wider


def read(
    y: Floats, dates: Days, inherited: Floats | None = None, tuning: Tuning = DEFAULT
) -> Shape | None:
    """Read a history of 7 days or more; None when it holds no volume at all.

    `y`: daily volume, oldest first, at most `HISTORY` days; `inherited`: the team's (7,) profile.
    """
    t = tuning
    active = y[y > 0]
    if len(active) == 0:
        return None
    n = len(y)
    weekday = weekdays(dates)
    cap = float(np.quantile(active, 0.9)) * t.cap
    capped = np.minimum(y, cap)
    floor = 0.03 * float(capped.mean())
    kernel = _around(t.smooth)[:n, :n]
    around = (kernel @ capped) / kernel.sum(axis=1)
    recency = 0.5 ** (np.arange(n)[::-1] / t.recency)
    profile, keep = _profile(capped, weekday, around, recency, inherited, t)
    is_open = profile[weekday] > CLOSED
    divisor = np.where(is_open, profile[weekday], 1.0)
    flat = np.where(is_open, np.minimum(capped / divisor, 1.5 * cap), around)
    noise = float(np.sqrt(np.average((flat / around - 1) ** 2, weights=recency)))
    wander = wandering(flat)
    bursty = _between(noise, *t.bursty) if n >= 28 else 0.0  # too young to tell
    steady = bursty * (1.0 - _between(wander, *STEADY))
    (near, far, drift), errors = _levels(flat, noise, steady, floor, t)
    now, gain = _spreads(noise, bursty, _between(wander, *WANDERS), errors, t)
    # A burst is no new level, but bursts come back: as luck they count beyond the cap.
    top = cap * (1.0 + (t.luck_cap - 1.0) * bursty)
    whole = np.where(is_open, np.minimum(np.minimum(y, top) / divisor, 1.5 * top), around)
    usual = float(np.average(flat / around, weights=recency * is_open + 1e-12))
    return Shape(
        weekday, profile, keep, capped, flat, whole / around / usual, recency, is_open, noise,
        near, far, drift, now, gain,
    )  # fmt: skip
