"""The few constants the forecaster does not learn from the series in front of it.

Each is a *prior*: what to believe about a daily volume before its own past has spoken. Their source
is measurement: set on halves of public daily series (sales by team and product, page views,
transport), checked on the other halves, by time, on two further collections and on simulated
accounts with bursts, silences and level shifts (docs/packages/dashboards.md says what each did).
None of them names a weekday, a country, a month or a size, so scaling a series by any factor scales
its forecast by the same factor.

Example: `cap` 1.9. Of 90 days of 100 and one of 5,000, P90 is 100 and the day counts as 190.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Priors of the forecaster; lengths in days, spreads as standard deviations of a log ratio."""

    cap: float = 1.9
    """Days above `cap` × P90 of the active days count as `cap` × P90: a spike is no new level."""
    half_lives: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0)
    """Memories tried for the level."""
    memory_floor: float = 0.7
    """Preferred memory of a perfectly quiet series."""
    memory_noise: float = 15.0
    """Days of memory added per unit of day-to-day coefficient of variation; above 1 its cube."""
    memory_prior: float = 0.32
    """How firmly the preferred memory is held (per squared log ratio)."""
    memory_own: float = 27.0
    """How much 40 origins of the series' own past errors weigh against it."""
    near: float = 45.0
    """Days over which the near-term level fades into the long-term one."""
    trend: float = 0.15
    """Share of the recent drift beyond luck (short memory over long) that goes on, damped."""
    smooth: float = 18.0
    """Half-life of the two-sided level that days are compared with."""
    recency: float = 27.0
    """Half-life of the weight of a past day as an example of a coming one."""
    profile_recency: float = 45.0
    """The same for the weekday profile."""
    shrink: float = 2.0
    """Strength of shrinking the weekday profile to flat."""
    other_days: float = 0.18
    """Weight of another weekday's day as an example, against 1 for the same weekday's."""
    stickiness: float = 0.18
    """Correlation of one day's luck with the next day's."""
    now: float = 0.1
    """Spread of today's level, quiet part."""
    now_noise: float = 0.25
    """Spread of today's level per unit of day-to-day coefficient of variation."""
    drift: float = 0.26
    """Spread the level gains over 30 days, quiet part."""
    drift_noise: float = 0.1
    """The same per unit of day-to-day coefficient of variation."""
    own_now: float = 0.6
    """Share (as exponent) of the series' own near errors in the spread of its level."""
    own_drift: float = 0.6
    """Share (as exponent) of the series' own 28-day errors in the spread of its drift."""
    wander_spread: float = 1.4
    """Factor on the spreads of a level that wanders, more than luck would, under bursty days."""
    bursty: tuple[float, float] = (1.0, 2.0)
    """Day-to-day coefficient of variation from which days are bursty, and at which wholly so."""
    luck_cap: float = 5.0
    """On bursty days luck reaches up to so many times the cap of the level."""
    noise_most: float = 1.5
    """More noise than this says nothing more about a bursty level that stays: zeros make it."""
    tails: float = 2.9
    """Degrees of freedom of the level shock: small means heavy tails."""
    tail_limit: float = 4.0
    """A level shock stays within this many standard deviations."""


DEFAULT = Tuning()
HISTORY = 180
"""Days of history looked at; older ones say nothing about next month that these do not."""
