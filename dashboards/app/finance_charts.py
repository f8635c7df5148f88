"""Charts of what is coming and why it moved: fan, waterfall, days out of line.

Floats are for the eye only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards.app.charts import ACCENT, OTHER, PALETTE, TEXT, count_axis, money_axis

ALARM, CALM = "#d95f5f", "#3f9f6b"
_LEVELS = (("low", "P10"), ("middle", "P50"), ("high", "P90"))


def fan(
    actual: Sequence[dict[str, Any]],
    coming: Sequence[dict[str, Any]],
    limit: float | None = None,
    *,
    unit: str = "usd",
    limit_name: str = "Budget",
    last: Sequence[dict[str, Any]] = (),
    before: Sequence[dict[str, Any]] = (),
    height: int = 300,
) -> alt.LayerChart | alt.FacetChart:
    """Running total so far (rows: day, value) and its P10, P50, P90 (day, low, middle, high), the
    amount of a budget as a line, the period before (`last`: day, value) as a thin one, and the
    forecast without a scenario (`before`, like `coming`) in grey."""
    # Labels by the day as written: a browser's own time zone must not move them.
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%b %d", grid=False, labelOverlap=True))
    axis = money_axis(tickCount=5) if unit == "usd" else count_axis(tickCount=5)
    y = alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=True))
    number = "$,.2f" if unit == "usd" else ",.0f"

    def tip(name: str, title: str) -> alt.Tooltip:
        return alt.Tooltip(f"{name}:Q", title=title, format=number)

    when = alt.Tooltip("day:T", title="By the end of", format="%Y-%m-%d")
    layers: list[alt.Chart] = []
    if before:
        grey = alt.Data(values=list(before))
        band = alt.Chart(grey).mark_area(opacity=0.18, color=OTHER)
        layers.append(band.encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q"))
        tips = [when, *(tip(k, f"{n} without") for k, n in _LEVELS)]
        line = alt.Chart(grey).mark_line(strokeDash=[2, 3], color=OTHER, strokeWidth=2)
        layers.append(line.encode(x=x, y=alt.Y("middle:Q", axis=axis), tooltip=tips))
    if coming:
        data = alt.Data(values=list(coming))
        layers.append(
            alt.Chart(data)
            .mark_area(opacity=0.22, color=ACCENT)
            .encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q")
        )
        layers.append(
            alt.Chart(data)
            .mark_line(strokeDash=[5, 4], color=ACCENT, strokeWidth=2)
            .encode(
                x=x,
                y=alt.Y("middle:Q", axis=axis),
                tooltip=[when, *(tip(key, title) for key, title in _LEVELS)],
            )
        )
    if last:
        layers.append(
            alt.Chart(alt.Data(values=list(last)))
            .mark_line(color=OTHER, strokeWidth=1.5)
            .encode(x=x, y=y, tooltip=[when, tip("value", "Month before, by that day")])
        )
    if actual:
        layers.append(
            alt.Chart(alt.Data(values=list(actual)))
            .mark_line(color=ACCENT, strokeWidth=2.5, point=len(actual) == 1)
            .encode(x=x, y=y, tooltip=[when, tip("value", "So far")])
        )
    if limit is not None:
        amount = alt.Chart(alt.Data(values=[{"limit": limit, "name": limit_name}]))
        layers.append(
            amount.mark_rule(color=PALETTE[1], strokeWidth=2).encode(y=alt.Y("limit:Q", axis=axis))
        )
        layers.append(
            amount.mark_text(
                align="left", baseline="bottom", dx=4, dy=-3, color=TEXT, fontWeight="bold"
            ).encode(x=alt.value(0), y=alt.Y("limit:Q", axis=axis), text="name:N")
        )
    return alt.LayerChart(layer=layers).properties(height=height)


def waterfall(rows: Sequence[dict[str, Any]], base: float = 0.0) -> alt.LayerChart | alt.FacetChart:
    """Rows in their order: step, low, high (USD), kind (total, up, down), label. The axis begins
    at `base`."""
    order = [row["step"] for row in rows]
    drawn = [{**row, "top": max(row["low"], row["high"])} for row in rows]
    data = alt.Data(values=drawn)
    # In a narrow window the names stand slanted and the amounts smaller, so that none is lost.
    narrow = "width < 540"
    x = alt.X(
        "step:N", sort=order, title=None,
        axis=alt.Axis(
            labelAngle=alt.ExprRef(f"{narrow} ? -40 : 0"),
            labelAlign=alt.ExprRef(f"{narrow} ? 'right' : 'center'"),
            labelLimit=90, labelOverlap=False,
        ),
    )  # fmt: skip
    scale = alt.Scale(zero=False, domainMin=base) if base else alt.Scale(zero=True)
    # Between two close totals whole dollars would repeat themselves along the axis.
    axis = alt.Axis(title=None, format="$,.2f", tickCount=5) if base else money_axis(tickCount=5)
    tips = [alt.Tooltip("step:N", title="Step"), alt.Tooltip("label:N", title="Effect")]
    bars = (
        alt.Chart(data)
        .mark_bar(width={"band": 0.6}, cornerRadius=2)
        .encode(
            x=x,
            y=alt.Y("low:Q", axis=axis, scale=scale),
            y2="high:Q",
            color=alt.Color(
                "kind:N",
                legend=None,
                scale=alt.Scale(domain=["total", "up", "down"], range=[OTHER, ALARM, CALM]),
            ),
            tooltip=tips,
        )
    )
    names = (
        alt.Chart(data)
        .mark_text(baseline="bottom", dy=-4, color=TEXT, fontSize=alt.ExprRef(f"{narrow} ? 8 : 11"))
        .encode(x=x, y=alt.Y("top:Q"), text="label:N", tooltip=tips)
    )
    return alt.layer(bars, names).properties(height=320)


def out_of_line(rows: Sequence[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Days as bars, unusual ones marked, with what was usual as a tick. Rows: day, value, usual
    (or None), state (`as usual`, `unusual`, `announced`), label, usual_label."""
    x = alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, grid=False))
    tips = [
        alt.Tooltip("day:N", title="Day"),
        alt.Tooltip("label:N", title="Cost"),
        alt.Tooltip("usual_label:N", title="Usual"),
        alt.Tooltip("state:N", title=" "),
    ]
    states = {"as usual": ACCENT, "unusual": ALARM, "announced": PALETTE[5]}
    held = {k: v for k, v in states.items() if any(row["state"] == k for row in rows)}
    colours = alt.Color(
        "state:N",
        scale=alt.Scale(domain=list(held), range=list(held.values())),
        legend=alt.Legend(title=None, orient="bottom"),
    )
    bars = (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar(cornerRadiusEnd=2)
        .encode(x=x, y=alt.Y("value:Q", axis=money_axis(tickCount=5)), color=colours, tooltip=tips)
    )
    usual = (
        alt.Chart(alt.Data(values=[r for r in rows if r["usual"] is not None]))
        .mark_tick(color=TEXT, thickness=2.5)
        .encode(x=x, y="usual:Q", tooltip=tips)
    )
    return alt.layer(bars, usual).properties(height=280)
