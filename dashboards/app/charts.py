"""Charts as plain specifications, testable without a browser.

Each builder takes rows of plain values (floats are for the eye only) and returns an Altair chart.
Instants go as local wall-clock text with a time (`2026-03-01T00:00:00`): a browser reads a bare
date as UTC and would draw it a day early west of Greenwich. Colours are assigned by
position in a lasting order, so a variant keeps its colour on every page, filter and theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import altair as alt
from altair.utils import schemapi

# A chart is validated whole when it is drawn; validating each part as it is made as well took a
# quarter of a page's time.
schemapi.disable_debug_mode()

PALETTE = (
    "#3b7dd8", "#d67628", "#3f9f6b", "#c64f78", "#8a6fd1", "#b08d1c", "#3f9cab", "#a9714b",
    "#d95f5f", "#7f8f3a", "#6b7fa3", "#b565b5",
)  # fmt: skip
"""Legible on white and on near-black alike: 3 to 1 at least against both."""

OTHER = "#8c8c8c"
ACCENT = PALETTE[0]
TEXT = "currentColor"
"""The colour of the page's text around the chart, light or dark."""
_RISE, _FALL = "#d95f5f", "#3f9f6b"

_LABELS = {"hour": "%H:%M", "day": "%b %d", "week": "%b %d", "month": "%b %Y", "year": "%Y"}


Drawing = alt.Chart | alt.LayerChart | alt.FacetChart


def legible(drawing: Drawing) -> Drawing:
    """The same chart for a page: its axes and legends in the colour of the page's text (the theme's
    own grey is below 4.5 to 1 on white)."""
    chart: Any = drawing  # Altair's own signatures leave types open
    colours = {"labelColor": TEXT, "titleColor": TEXT}
    return chart.configure_axis(**colours).configure_legend(**colours)


def colours(order: Sequence[str], shown: Sequence[str]) -> tuple[list[str], list[str]]:
    """(names, colours) of what is shown: colours by position in the lasting order."""
    place = {name: n for n, name in enumerate(order)}
    names = sorted(dict.fromkeys(shown), key=lambda n: (place.get(n, len(place)), n))
    return names, [PALETTE[place[n] % len(PALETTE)] if n in place else OTHER for n in names]


def bar_end(start: datetime, end: datetime) -> str:
    """Where the bar of a period ends: a little early, so that bars stand apart."""
    return (end - (end - start) / 12).isoformat()


def stacked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `low` and `high`: each on top of those of the same `start`, by `rank`."""
    tops: dict[Any, float] = {}
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda r: (r["start"], r["rank"])):
        low = tops.get(row["start"], 0.0)
        tops[row["start"]] = low + row["value"]
        found.append({**row, "low": low, "high": tops[row["start"]]})
    return found


def money_axis(title: str | None = None, **more: Any) -> alt.Axis:
    """Dollars: `$0.60`, `$12`, `$1.5k`, `$0.015`; never milli-dollars, no two marks alike."""
    return alt.Axis(
        title=title,
        labelExpr="abs(datum.value) >= 10000 ? format(datum.value, '$.3~s') :"
        " abs(datum.value) >= 10 || datum.value == 0 ? format(datum.value, '$,.0f') :"
        # Marks are round: whole cents, or else finer than cents.
        " abs(datum.value * 100 - round(datum.value * 100)) < 0.0001"
        " && abs(datum.value) >= 0.01 ? format(datum.value, '$,.2f') :"
        " format(datum.value, '$,.2~g')",
        **more,
    )


def count_axis(title: str | None = None, **more: Any) -> alt.Axis:
    """Counts: `50`, `1.5k`, `2M`; whole where they are small."""
    return alt.Axis(
        title=title,
        labelExpr="abs(datum.value) < 1000 ? format(datum.value, ',.4~f') :"
        " format(datum.value, '.3~s')",
        **more,
    )


def _axis(what: str, title: str | None = None, **more: Any) -> alt.Axis:
    if what == "share":
        return alt.Axis(title=title, format=".0%", **more)
    return money_axis(title, **more) if what == "usd" else count_axis(title, **more)


def _data(rows: Sequence[dict[str, Any]]) -> alt.Data:
    return alt.Data(values=list(rows))


def over_time(
    rows: Sequence[dict[str, Any]],
    order: Sequence[str],
    *,
    unit: str,
    what: str,
    group: str,
    span: tuple[datetime, datetime] | None = None,
) -> alt.Chart:
    """Stacked bars, each as wide as its period. Rows: start, end, name, value, label, rank. The
    axis covers `span`, so that days without calls are seen."""
    first, last = min(r["start"] for r in rows), max(r["end"] for r in rows)
    scale: Any = alt.Undefined
    if span is not None:
        # A minute less: the mark of the day after would stand at the edge.
        end = (span[1] - timedelta(minutes=1)).isoformat()
        first, last = min(span[0].isoformat(), first), max(end, last)
        scale = alt.Scale(domain=[{"expr": f"toDate('{text}')"} for text in (first, last)])
    names, range_ = colours(order, [r["name"] for r in rows])
    # Few periods: one mark each, or the same day would be written twice.
    hours = (datetime.fromisoformat(last) - datetime.fromisoformat(first)) / timedelta(hours=1)
    few = hours <= 16 * {"hour": 1, "day": 24, "month": 24 * 31}.get(unit, 0)
    marks: Any = {"interval": unit, "step": 1} if few else alt.Undefined
    axis = alt.Axis(
        format=_LABELS.get(unit, "%b %d"), title=None, grid=False, labelOverlap=True,
        tickCount=marks,
    )  # fmt: skip
    return (
        alt.Chart(_data(stacked(rows)))
        .mark_rect()
        .encode(
            x=alt.X("start:T", axis=axis, scale=scale),
            x2="end:T",
            y=alt.Y("low:Q", axis=_axis(what, tickCount=5), scale=alt.Scale(zero=True)),
            y2="high:Q",
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=names, range=range_),
                legend=alt.Legend(
                    title=None,
                    orient="bottom",
                    labelLimit=160,
                    columns=alt.ExprRef("max(1, floor(width / 170))"),
                ),
            ),
            tooltip=[
                alt.Tooltip("when:N", title=unit.capitalize()),
                alt.Tooltip("name:N", title=group),
                alt.Tooltip("label:N", title="Value"),
            ],
        )
        .properties(height=320)
    )


def ranking(
    rows: Sequence[dict[str, Any]], order: Sequence[str], *, what: str = "usd", height: int = 26
) -> alt.Chart:
    """Horizontal bars in the rows' order. Rows: name, value, label."""
    _, range_ = colours(order, [r["name"] for r in rows])
    lasting = dict(zip(colours(order, [r["name"] for r in rows])[0], range_, strict=True))
    listed = [r["name"] for r in rows]
    return (
        alt.Chart(_data(rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("name:N", sort=listed, axis=alt.Axis(title=None, labelLimit=260)),
            x=alt.X(
                "value:Q",
                axis=_axis(what, tickCount=6),
            ),
            color=alt.Color(
                "name:N",
                scale=alt.Scale(domain=listed, range=[lasting[n] for n in listed]),
                legend=None,
            ),
            tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("label:N", title="Value")],
        )
        .properties(height=max(90, height * len(rows) + 30))
    )


def moves(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """Bars left and right of zero. Rows: name, value, label, note."""
    return (
        alt.Chart(_data(rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("name:N", sort=[r["name"] for r in rows], axis=alt.Axis(title=None)),
            x=alt.X("value:Q", axis=money_axis(tickCount=5)),
            color=alt.condition("datum.value > 0", alt.value(_RISE), alt.value(_FALL)),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("label:N", title="Change"),
                alt.Tooltip("note:N", title="Before and now"),
            ],
        )
        .properties(height=max(90, 26 * len(rows) + 30))
    )


def against_base(rows: Sequence[dict[str, Any]], base: float) -> alt.LayerChart | alt.FacetChart:
    """Targets as bars with a line at what the traffic cost. Rows: name, value, label, whole, kind
    (`as logged`, `cheaper`, `the same`, `dearer`)."""
    kinds = {"as logged": ACCENT, "cheaper": _FALL, "the same": OTHER, "dearer": _RISE}
    held = {k: v for k, v in kinds.items() if any(r["kind"] == k for r in rows)}
    listed = [r["name"] for r in rows]
    bars = (
        alt.Chart(_data(rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y(
                "name:N",
                sort=listed,
                axis=alt.Axis(title=None, labelLimit=260, labelOverlap=False),
            ),
            x=alt.X("value:Q", axis=money_axis(tickCount=6)),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=list(held), range=list(held.values())),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            opacity=alt.condition("datum.whole", alt.value(1.0), alt.value(0.45)),
            tooltip=[
                alt.Tooltip("name:N", title="Target"),
                alt.Tooltip("label:N", title="Cost"),
                alt.Tooltip("note:N", title="Carried over"),
            ],
        )
    )
    line = (
        alt.Chart(_data([{"base": base}]))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color=TEXT)
        .encode(x="base:Q")
    )
    return alt.layer(bars, line).properties(height=max(110, 30 * len(rows) + 60))


def heatmap(rows: Sequence[dict[str, Any]], *, what: str = "usd") -> alt.Chart:
    """Hour of day by weekday. Rows: weekday, hour, value, label."""
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    return (
        alt.Chart(_data(rows))
        .mark_rect(stroke=TEXT, strokeOpacity=0.6, strokeWidth=0.5, cornerRadius=2)
        .encode(
            x=alt.X(
                "hour:O",
                sort=[f"{h:02}" for h in range(24)],
                scale=alt.Scale(domain=[f"{h:02}" for h in range(24)]),
                axis=alt.Axis(title="Hour of day", labelAngle=0),
            ),
            y=alt.Y(
                "weekday:O", sort=days, scale=alt.Scale(domain=days), axis=alt.Axis(title=None)
            ),
            color=alt.Color(
                "value:Q",
                scale=alt.Scale(scheme="viridis", domainMin=0),
                legend=alt.Legend(title=None, format="$~s" if what == "usd" else "~s"),
            ),
            tooltip=[
                alt.Tooltip("weekday:N", title="Day"),
                alt.Tooltip("hour:N", title="Hour"),
                alt.Tooltip("label:N", title="Value"),
            ],
        )
        .properties(height=260)
    )


def histogram(
    rows: Sequence[dict[str, Any]], marks: Sequence[dict[str, Any]]
) -> alt.LayerChart | alt.FacetChart:
    """Calls per cost bin on a log scale. Rows: low, high (USD), calls, label; marks: at, name."""
    axis = money_axis("Cost of one call", grid=False, tickCount=8)
    bars = (
        alt.Chart(_data([{**row, "zero": 0} for row in rows]))
        .mark_rect(color=ACCENT)
        .encode(
            x=alt.X("low:Q", scale=alt.Scale(type="log"), axis=axis),
            x2="high:Q",
            y=alt.Y("zero:Q", axis=count_axis("Calls", tickCount=5)),
            y2="calls:Q",
            tooltip=[
                alt.Tooltip("label:N", title="Cost of one call"),
                alt.Tooltip("calls:Q", title="Calls", format=","),
                alt.Tooltip("cost:N", title="Together"),
            ],
        )
    )
    lines = alt.Chart(_data(marks)).mark_rule(strokeDash=[4, 3], color=TEXT).encode(x="at:Q")
    names = (
        alt.Chart(_data(marks))
        .mark_text(align="left", dx=4, dy=6, baseline="top", color=TEXT)
        .encode(x="at:Q", y=alt.value(0), text="name:N")
    )
    return alt.layer(bars, lines, names).properties(height=300)


def pareto(rows: Sequence[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Bars of cost, dearest first, and the running share. Rows: name, value, running, label."""
    listed = [r["name"] for r in rows]
    x = alt.X("name:N", sort=listed, axis=alt.Axis(title=None, labelAngle=-35, labelLimit=140))
    bars = (
        alt.Chart(_data(rows))
        .mark_bar(color=ACCENT, cornerRadiusEnd=2)
        .encode(
            x=x,
            y=alt.Y("value:Q", axis=money_axis("Cost", tickCount=5)),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("label:N", title="Cost"),
                alt.Tooltip("running:Q", title="Share up to here", format=".1%"),
            ],
        )
    )
    line = (
        alt.Chart(_data(rows))
        .mark_line(point=True, color=PALETTE[1])
        .encode(
            x=x,
            y=alt.Y(
                "running:Q",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", title="Running share", orient="right", grid=False),
            ),
        )
    )
    both: Any = alt.layer(bars, line)
    return both.resolve_scale(y="independent").properties(height=340)
