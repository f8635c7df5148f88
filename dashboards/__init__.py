"""What does it mean? Queries, forecasts, anomalies, explanations and the pages that show them.

Everything here reads; nothing here changes what was stored. Volume is forecast as sample paths and
priced afterwards with dated rates, so a known price change is never mistaken for a change in use,
and a parent is the sum of its children on every path. Two names are used from outside and stay:
`forecast_paths` and `spike_score`. They are loaded on first use, so importing the package costs
nothing.
"""

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from dashboards.anomalies.score import spike_score
    from dashboards.forecasting.paths import forecast_paths

__all__ = ["forecast_paths", "spike_score"]

__getattr__ = public(
    __name__,
    {
        "forecast_paths": "dashboards.forecasting.paths",
        "spike_score": "dashboards.anomalies.score",
    },
)
