"""Small charts as inline SVG: no library, no script, no font but the reader's own.

Every chart is a picture with a text for those who do not see it, and stands above the table it was
drawn from. Heights are floats for the eye only; the figures in the tables are exact.

    bars(["1", "2"], {"gpt-5.2": [1.5, 2.0]}, label="Spend by day, in USD")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10

# Okabe and Ito's colours, told apart by colour-blind readers too, the pale ones darkened to 3 to 1
# against white; grey for "other".
COLOURS = ("#0072B2", "#B97F00", "#009E73", "#D55E00", "#3A98CE", "#C46A9B", "#7A6A00", "#808080")
WIDTH, LEFT, TOP, BOTTOM = 720, 56, 12, 26


def top_of(value: float) -> float:
    """A round number not below a value: 1, 2, 2.5 or 5 times a power of ten.

    >>> top_of(37.0), top_of(0.11), top_of(0)
    (50.0, 0.2, 1.0)
    """
    if value < 1e-12:  # below a pico-dollar there is nothing to draw
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= value * (1 - 1e-12))


def _number(value: float) -> str:
    for limit, unit in ((1e9, "B"), (1e6, "M")):
        if abs(value) >= limit:
            return f"{value / limit:,.3g}{unit}"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def _open(height: int, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(label)}</title>'
    )


def _axis(height: int, top: float, low: float = 0.0) -> list[str]:
    """Four faint lines with their values in USD."""
    plot = height - TOP - BOTTOM
    out: list[str] = []
    for n in range(5):
        value = low + (top - low) * n / 4
        y = TOP + plot * (1 - n / 4)
        out.append(
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    return out


def bars(
    labels: Sequence[str], series: Mapping[str, Sequence[float]], *, label: str, height: int = 240
) -> str:
    """Stacked bars, the first series at the bottom, with a legend."""
    totals = [sum(column) for column in zip(*series.values(), strict=True)] if series else []
    top = top_of(max(totals, default=0.0))
    plot = height - TOP - BOTTOM
    step = (WIDTH - LEFT) / max(len(labels), 1)
    out = [_open(height, label), *_axis(height, top)]
    base = [0.0] * len(labels)
    for n, (name, values) in enumerate(series.items()):
        colour = COLOURS[min(n, len(COLOURS) - 1)]
        for i, value in enumerate(values):
            if value <= 0:
                continue
            tall = plot * value / top
            y = TOP + plot * (1 - base[i] / top) - tall
            out.append(
                f'<rect x="{LEFT + i * step + step * 0.1:.1f}" y="{y:.1f}" '
                f'width="{step * 0.8:.1f}" height="{tall:.1f}" fill="{colour}">'
                f"<title>{escape(labels[i])}, {escape(name)}: {value:,.2f} USD</title></rect>"
            )
            base[i] += value
    every = max(1, len(labels) // 16)
    for i, text in enumerate(labels):
        if i % every == 0:
            x = LEFT + (i + 0.5) * step
            out.append(
                f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{escape(text)}</text>'
            )
    return "".join([*out, "</svg>"]) + _legend(list(series))


def _legend(names: Sequence[str]) -> str:
    items = ""
    for n, name in enumerate(names):
        colour = COLOURS[min(n, len(COLOURS) - 1)]
        items += f'<li><span style="background:{colour}"></span>{escape(name)}</li>'
    return f'<ul class="legend">{items}</ul>'


def waterfall(
    steps: Sequence[tuple[str, float, float]], start: float, *, label: str, height: int = 240
) -> str:
    """From an old figure to a new one: `steps` are (name, from, to); `start` the old figure."""
    values = [start, *(v for _, low, high in steps for v in (low, high))]
    end = steps[-1][2] if steps else start
    low, top = min(0.0, *values), top_of(max(*values, 0.0))
    plot = height - TOP - BOTTOM
    columns = [("before", 0.0, start), *steps, ("now", 0.0, end)]
    step = (WIDTH - LEFT) / len(columns)

    def y(value: float) -> float:
        return TOP + plot * (1 - (value - low) / (top - low))

    out = [_open(height, label), *_axis(height, top, low)]
    for i, (name, a, b) in enumerate(columns):
        whole = i in (0, len(columns) - 1)
        colour = "#6b7280" if whole else "#D55E00" if b > a else "#009E73"
        upper, lower = y(max(a, b)), y(min(a, b))
        amount = b if whole else b - a
        x = LEFT + i * step
        out.append(
            f'<rect x="{x + step * 0.12:.1f}" y="{upper:.1f}" width="{step * 0.76:.1f}" '
            f'height="{max(lower - upper, 1):.1f}" fill="{colour}">'
            f"<title>{escape(name)}: {amount:+,.2f} USD</title></rect>"
            f'<text x="{x + step / 2:.1f}" y="{height - 8}" text-anchor="middle">'
            f"{escape(name)}</text>"
        )
    return "".join([*out, "</svg>"])


def burn_down(
    spent: Sequence[float], limit: float, days: int, *, label: str, height: int = 150
) -> str:
    """Running spend against the amount and an even pace."""
    top = top_of(max([limit, *spent]))
    plot = height - TOP - BOTTOM
    step = (WIDTH - LEFT) / max(days, 1)

    def point(n: int, value: float) -> str:
        return f"{LEFT + n * step:.1f},{TOP + plot * (1 - value / top):.1f}"

    line = " ".join([point(0, 0.0), *(point(n + 1, v) for n, v in enumerate(spent))])
    edge = TOP + plot * (1 - limit / top)
    return "".join(
        [
            _open(height, label), *_axis(height, top),
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{edge:.1f}" y2="{edge:.1f}" '
            'stroke="#D55E00" stroke-width="1.5"/>',
            f'<polyline points="{point(0, 0.0)} {point(days, limit)}" fill="none" '
            'stroke="#808080" stroke-dasharray="4 4"/>',
            f'<polyline points="{line}" fill="none" stroke="#0072B2" stroke-width="2.5"/></svg>',
        ]
    )  # fmt: skip
