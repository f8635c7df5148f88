"""Forecast speed: 100 series × 90 days, 30 days ahead, beside a naive per-series loop."""

from __future__ import annotations

import numpy as np

from benchmarks.common import Row, interleaved
from dashboards.forecasting.paths import forecast_many


def rows() -> list[Row]:
    """Ours against a seasonal-naive bootstrap written as a loop."""
    rng = np.random.default_rng(0)
    dates = np.datetime64("2026-01-01") + np.arange(90)
    series = list(rng.gamma(1.0, 1000.0, (100, 90)))

    def naive() -> None:
        for y in series:
            residual = y[7:] - y[:-7]
            for _ in range(300):
                noise = residual[rng.integers(len(residual), size=30)]
                np.maximum(np.resize(y[-7:], 30) + noise, 0)

    times = interleaved({"ours": lambda: forecast_many(series, dates, 30), "loop": naive}, rounds=3)
    detail = f"{times.median('ours'):.2f} s for 100 series, loop {times.median('loop'):.2f} s"
    return [
        Row("forecast", "100 series / seasonal-naive loop", times.ratio("ours", "loop"), detail)
    ]
