"""How unusual is today? One number per day, higher is more unusual upwards.

Two questions are asked of a day: how far is it above the level of its recent days, as a log ratio
with the weekday divided out, and how far do this series' own days usually scatter? The score is
the first over the second. The scale is the larger of the usual scatter (MAD) and the rare one (P90
of upward residuals), so a series that doubles every other week does not call a doubled day news.
Sixty days know their own scatter only roughly, so it is drawn a fifth of the way, on logs, to the
scatter that daily volume usually has: the quietest series is not alarmed by every trifle.

The level is the mean of the last seven days, one of each weekday. A mean of logs would sink under
a single day near zero and call the next ordinary day news.

Example: 60 days of 100, today 300: log(310 / 110) over 0.1^0.8 × 0.3^0.2, a score of 8.3. The same
300 after days that swing between 20 and 400: about 1.
"""

from typing import Any

import numpy as np

from dashboards.forecasting.shape import weekdays

FLOOR_SCALE = 0.1
"""Log scatter below which a series is never believed to be quieter: 10 %."""

USUAL_SCALE, OWN = 0.3, 0.8
"""Median scatter of public daily series (transport 0.1, page views 0.26, small sales 1.5), and the
weight of the series' own against it. Weights of 0.7 to 0.9 find about as much."""


def spike_score(history: Any, dates: Any, today: float, today_date: Any) -> float:
    """Score of `today` given the days before it; 0 means as expected, higher is more unusual.

    `history`: daily volume or money, oldest first, zeros real, the last 60 days are used;
    `dates`: datetime64[D]; `today`: today's value; `today_date`: its date. With under 7
    days of history, or none with volume, nothing can be called unusual: 0. NaN is a day nobody
    measured: it is left out, and of today nothing is said.
    """
    y = np.asarray(history, dtype=np.float64)[-60:]
    days = np.asarray(dates, dtype="datetime64[D]")[-60:]
    measured = ~np.isnan(y)
    y, days = y[measured], days[measured]
    if len(y) < 7 or not y.any() or np.isnan(today):
        return 0.0
    soft = 0.1 * float(y.mean())
    log = np.log(y + soft)
    weekday = weekdays(days)
    here = int(weekdays(np.array([today_date], dtype="datetime64[D]"))[0])
    n = len(y)
    onehot = weekday[:, None] == np.arange(7)
    count = onehot.sum(axis=0)
    centre = float(np.median(log))
    mean = (onehot * (log - centre)[:, None]).sum(axis=0) / np.maximum(count, 1)
    # Shrink the weekday's habit to nothing by the share that luck alone would make of it.
    residual = log - centre - mean[weekday]
    luck = float((residual**2).mean()) / max(float(count.mean()), 1.0)
    signal = float((mean**2).mean())
    habit = mean * (max(1.0 - luck / signal, 0.0) if signal > 0 else 0.0)
    flat = log - habit[weekday]
    level = float(np.log(np.exp(flat[-7:]).mean()))
    # Each past day against its own previous week, as today is compared.
    total = np.concatenate([[0.0], np.cumsum(flat)])
    past = flat[7:] - (total[7:n] - total[: n - 7]) / 7 if n >= 14 else flat - np.median(flat)
    usual = 1.4826 * float(np.median(np.abs(past - np.median(past))))
    rare = float(np.quantile(past, 0.9)) / 1.2816
    scale = max(usual, rare, FLOOR_SCALE) ** OWN * USUAL_SCALE ** (1.0 - OWN)
    return float((np.log(max(float(today), 0.0) + soft) - habit[here] - level) / scale)
