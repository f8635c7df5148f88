"""Where a month will end: sample paths of daily volume, and every statistic from the same paths."""

# %% Twelve weeks of a team that works on weekdays and grows
import numpy as np

from dashboards import forecast_paths

dates = np.arange("2026-01-05", "2026-03-30", dtype="datetime64[D]")
weekday = (dates.astype("datetime64[D]").view("int64") - 4) % 7
volume = np.where(weekday < 5, 100.0, 20.0) * np.linspace(1.0, 1.3, len(dates))

# %% The next thirty days
paths = forecast_paths(volume, dates, horizon=30, paths=500, seed=7)
months = paths.sum(axis=1)
low, middle, high = np.percentile(months, [10, 50, 90])
print(paths.shape, low < middle < high)
print("within a tenth of the last thirty days' level:", 0.9 < middle / volume[-30:].sum() < 1.2)

# %% It prints
# (500, 30) True
# within a tenth of the last thirty days' level: True
