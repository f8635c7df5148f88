"""Charts of traffic to come and of traffic replayed; rows of plain values in, Altair out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from dashboards.app.charts import ACCENT, OTHER, PALETTE


def _data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))


def _usd(title: str | None = None) -> alt.Axis:
    return alt.Axis(format="$~s", title=title, tickCount=6)


def fan(
    rows: Sequence[dict[str, Any]], cap: float | None = None
) -> alt.LayerChart | alt.FacetChart:
    """The bill so far with its 80 % band. Rows: day (local text), p10, p50, p90 in USD."""
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("day:T", axis=alt.Axis(format="%b %d", title=None, grid=False))
    )
    band = base.mark_area(opacity=0.25, color=ACCENT).encode(
        y=alt.Y("p10:Q", axis=_usd()), y2="p90:Q"
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2.5, point={"color": ACCENT}).encode(
        y="p50:Q",
        tooltip=[
            alt.Tooltip("day:T", title="Until", format="%b %d"),
            alt.Tooltip("p10:Q", title="P10", format="$,.2f"),
            alt.Tooltip("p50:Q", title="P50", format="$,.2f"),
            alt.Tooltip("p90:Q", title="P90", format="$,.2f"),
        ],
    )
    layers: list[alt.Chart] = [band, line]
    if cap:
        rule = alt.Chart(_data([{"cap": cap}])).mark_rule(strokeDash=[5, 4], color="#d95f5f")
        layers.append(rule.encode(y="cap:Q"))
    return alt.layer(*layers).properties(height=300)


def tornado(rows: Sequence[dict[str, Any]], centre: float) -> alt.LayerChart | alt.FacetChart:
    """One bar a number: the bill at its P10 and P90. Rows: name, low, high (USD), label."""
    names = [r["name"] for r in rows]
    parts = [
        {"name": r["name"], "label": r["label"], "from": centre, "to": end,
         "side": "cheaper" if end < centre else "dearer"}
        for r in rows for end in (r["low"], r["high"])
    ]  # fmt: skip
    bars = (
        alt.Chart(_data(parts))
        .mark_bar(height=16)
        .encode(
            y=alt.Y("name:N", sort=names, axis=alt.Axis(title=None, labelLimit=240)),
            x=alt.X("from:Q", axis=_usd(), scale=alt.Scale(zero=False)),
            x2="to:Q",
            color=alt.Color(
                "side:N",
                scale=alt.Scale(domain=["cheaper", "dearer"], range=["#3f9f6b", "#d95f5f"]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="Number"),
                alt.Tooltip("label:N", title="Moves the bill by"),
                alt.Tooltip("to:Q", title="to", format="$,.2f"),
            ],
        )
    )
    rule = alt.Chart(_data([{"at": centre}])).mark_rule(color=OTHER).encode(x="at:Q")
    return alt.layer(bars, rule).properties(height=max(110, 30 * len(rows) + 60))


def lifetimes(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Cached share by cache lifetime. Rows: seconds, words, share, label."""
    return (
        alt.Chart(_data(rows))
        .mark_line(point=True, color=ACCENT, strokeWidth=2.5)
        .encode(
            x=alt.X("words:N", sort=None, axis=alt.Axis(title="Cache lifetime", labelAngle=0)),
            y=alt.Y(
                "share:Q",
                axis=alt.Axis(format=".0%", title="Input read from the cache"),
                scale=alt.Scale(domainMin=0),
            ),
            tooltip=[
                alt.Tooltip("words:N", title="Lifetime"),
                alt.Tooltip("label:N", title="Cached"),
            ],
        )
        .properties(height=260)
    )


def with_and_without(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Cost of each variant with and without its cache. Rows: name, kind, value, label."""
    kinds = ["without cache", "with cache"]
    return (
        alt.Chart(_data(rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=240)),
            yOffset=alt.YOffset("kind:N", sort=kinds),
            x=alt.X("value:Q", axis=_usd()),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=kinds, range=[OTHER, PALETTE[0]]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="Variant"),
                alt.Tooltip("kind:N", title="Cost"),
                alt.Tooltip("label:N", title="USD"),
            ],
        )
        .properties(height=max(120, 28 * len(rows) + 60))
    )
