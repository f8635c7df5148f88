"""Charts of what is coming and why it moved: fan, waterfall. Floats are for the eye only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards.app.charts import ACCENT, OTHER, PALETTE


def fan(
    actual: Sequence[dict[str, Any]],
    coming: Sequence[dict[str, Any]],
    limit: float | None = None,
    unit: str = "USD",
) -> alt.LayerChart:
    """Running total so far (rows: day, value) and its P10, P50, P90 (day, low, middle, high), with
    the amount of a budget as a line."""
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%d %b"))
    axis = alt.Axis(title=f"Running total, {unit}", format="~s")
    layers: list[alt.Chart] = [
        alt.Chart(alt.Data(values=list(coming)))
        .mark_area(opacity=0.25, color=ACCENT)
        .encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q"),
        alt.Chart(alt.Data(values=list(coming)))
        .mark_line(strokeDash=[5, 4], color=ACCENT)
        .encode(x=x, y="middle:Q", tooltip=["day:T", "low:Q", "middle:Q", "high:Q"]),
        alt.Chart(alt.Data(values=list(actual)))
        .mark_line(color=ACCENT, strokeWidth=2.5)
        .encode(x=x, y="value:Q", tooltip=["day:T", "value:Q"]),
    ]
    if limit is not None:
        rule = alt.Chart(alt.Data(values=[{"limit": limit}])).mark_rule(color=PALETTE[1])
        layers.append(rule.encode(y="limit:Q"))
    return alt.layer(*layers).properties(height=280)


def waterfall(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Rows in their order: step, low, high (USD), kind (total, up, down), label."""
    order = [row["step"] for row in rows]
    return (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar()
        .encode(
            x=alt.X("step:N", sort=order, title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("low:Q", title="USD"),
            y2="high:Q",
            color=alt.Color(
                "kind:N",
                legend=None,
                scale=alt.Scale(
                    domain=["total", "up", "down"], range=[OTHER, PALETTE[1], PALETTE[2]]
                ),
            ),
            tooltip=[alt.Tooltip("step:N", title="Step"), alt.Tooltip("label:N", title="Effect")],
        )
        .properties(height=300)
    )
