"""Where a regular series is going: the median of five simple answers.

A series that keeps the same week, week after week, with little noise, is predicted best not by one
clever method but by several plain ones that err in different ways. For each coming day five are
asked, and the middle answer is taken:

1. the forecast's own median; 2. the same weekday of last week; 3. the mean of that weekday over
four weeks; 4. last week's level with the weekday profile; 5. a short memory of the level plus half
the recent slope, with the profile (Theta's idea).

The paths are then scaled day by day so that their median sits there. Their spread is untouched.
On bursty series the plain answers are poor and none of this happens: the weight is 0 from a
coefficient of variation of `QUIET`, or when the weekdays say nothing beyond luck, and rises to 1.

Example: 12 weeks of 100 on weekdays and 20 at weekends, the last one 10 % higher: the own level
has half forgotten the rise, last week has it whole, four weeks have a quarter; the middle is taken.
"""

import numpy as np

from dashboards.forecasting.shape import Floats, Ints, Shape

QUIET = 0.3
"""From this day-to-day coefficient of variation on a series is not regular; half of it: fully."""
NO_WEEK, WEEK = 0.3, 0.7
"""Certainty of the weekday profile at which re-centring begins, and at which it is full."""
SLOPE_DAYS, MEMORY = 60, 0.7
"""Days the slope is fitted on; weight of each older day in the short memory."""
FURTHEST = 3.0
"""The median of a day is moved by at most this factor, up or down."""


def weight(s: Shape) -> float:
    """0 to 1: how far a series counts as regular. Under four weeks nothing is regular yet."""
    if len(s.flat) < 28:
        return 0.0
    quiet = (QUIET - s.noise) / (QUIET / 2)
    weekly = (s.regularity - NO_WEEK) / (WEEK - NO_WEEK)
    return float(np.clip(quiet, 0.0, 1.0) * np.clip(weekly, 0.0, 1.0))


def recentre(paths: Floats, s: Shape, weekday: Ints) -> Floats:
    """Paths whose daily medians sit on the middle of the five answers, as far as `s` is regular.

    `paths`: (paths, horizon); `weekday`: (horizon,) Monday 0 of each coming day.
    """
    share = weight(s)
    if share == 0.0:
        return paths
    own = np.median(paths, axis=0)
    middle = np.median([own, *_answers(s, weekday)], axis=0)
    known = (own > 0) & (middle > 0)
    ratio = np.where(known, middle / np.where(known, own, 1.0), 1.0)
    return paths * np.clip(ratio, 1 / FURTHEST, FURTHEST) ** share


def _answers(s: Shape, weekday: Ints) -> list[Floats]:
    """Answers 2 to 5, (horizon,) each."""
    ahead = np.arange(len(weekday))
    profile = s.profile[weekday]
    last_week = s.capped[-7:][ahead % 7]
    four_weeks = s.capped[-28:].reshape(4, 7).mean(axis=0)[ahead % 7]
    flat = s.flat[-SLOPE_DAYS:]
    age = np.arange(len(flat))[::-1]
    memory = float(np.average(flat, weights=MEMORY**age))
    # Least squares by hand: the days are evenly spaced, so the slope is one dot product.
    centred = age.mean() - age
    slope = float(centred @ flat / (centred @ centred))
    going = np.maximum(memory + 0.5 * slope * np.minimum(ahead + 1, 30), 0.0)
    return [last_week, four_weeks, profile * float(s.flat[-7:].mean()), profile * going]
