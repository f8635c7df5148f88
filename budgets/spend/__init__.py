"""Spend budgets: what may be spent by whom in a period, and who is told when it is crossed.

`model` reads them from the settings, `periods` says which days they cover, `status` judges spend
and forecast against them, `outlook` reads chances and dates off forecast paths, `notify` tells a
webhook once.
"""
