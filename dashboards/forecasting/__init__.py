"""Forecasts: sample paths of daily volume, then money; every statistic comes from the paths."""
