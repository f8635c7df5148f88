"""Figures read off sample paths, under the forecast's own roof.

They are defined in `budgets.spend.outlook`, because a budget judges the same paths and may not
look up at its dashboards: one definition, so a page and a budget can never disagree.
"""

from budgets.spend.outlook import (
    Exhaustion,
    chance_to_exceed,
    cumulative_fan,
    exhaustion,
    period_end,
)

__all__ = ["Exhaustion", "chance_to_exceed", "cumulative_fan", "exhaustion", "period_end"]
