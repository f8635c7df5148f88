"""Forecasts: sample paths of daily volume, then money; every statistic comes from the same paths.

Read in this order:

1. `tuning`, `shape`, `monthly`, `regular`, `paths`: one volume, and the history it stands on;
2. `portfolio`, `shares`: many volumes, coupled and calibrated; thousands as shares of few;
3. `coming`, `outlook`: what a unit will cost, and the priced paths of teams and variants;
4. `scenarios`: the same with another price, traffic moved, or a launch.

P10 to P90, the chance to exceed a budget and the day it is exhausted are read off the paths by
`budgets.spend.outlook`, because a budget judges the same paths and may not look up at dashboards.
"""
