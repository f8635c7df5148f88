"""The month's report as one HTML file: readable on a screen, printable on paper, nothing outside.

html = render(gather(con, catalogue, period_of(date(2026, 3, 1), "month")))
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from budgets.spend.status import Status
from dashboards.monthly.charts import bars, burn_down, waterfall
from dashboards.monthly.facts import Month
from dashboards.queries.scope import show_calls, show_value
from dashboards.queries.spans import before, show_span
from dashboards.queries.spend import SpendRow
from pricing.money import plain, show_usd, usd

PICO = 10**12
LARGEST = 7
"""Variants drawn apart; the rest is "other"."""

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2937; max-width: 780px; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
p.sub, p.note, figcaption { color: #4b5563; font-size: .88rem; margin: .2rem 0 .8rem; }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: .8rem; margin: 1.2rem 0; }
dl div { border: 1px solid #d1d5db; border-radius: 8px; padding: .6rem .8rem; }
dt { font-size: .8rem; color: #4b5563; } dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid #e5e7eb;
  font-variant-numeric: tabular-nums; }
td + td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tfoot td { font-weight: 600; }
figure { margin: .4rem 0; } svg { width: 100%; height: auto; } svg text { font-size: 11px;
  fill: #4b5563; } .grid { stroke: #e5e7eb; }
.legend { list-style: none; padding: 0; margin: .2rem 0; display: flex; flex-wrap: wrap;
  gap: .2rem 1rem; font-size: .82rem; }
.legend span { display: inline-block; width: .8em; height: .8em; margin-right: .35em; }
.warn { border-left: 4px solid #b45309; padding-left: .8rem; }
@page { margin: 16mm; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; margin-top: 1.2rem; }
  section, figure, tr, dl div { break-inside: avoid; } tfoot { display: table-row-group; } }
"""


def render(month: Month, *, made_at: datetime | None = None) -> str:
    """The page. Money in tables is exact to the cent shown; the total is given in full."""
    title = f"LLM spend, {show_span(month.span)}"
    made = (made_at or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">Days in {escape(month.zone)}. Made {made} by tokenbooks from the usage '
        "records and the dated price table.</p>",
        _running(month),
        _headline(month),
        _tested(month),
        _gaps(month),
        _daily(month),
        _group("By team", "team", month.teams.rows, month.teams.total),
        _group("By variant", "variant", month.variants.rows, month.variants.total),
        _why(month),
        *(_budget(s) for s in month.budgets),
        _unusual(month),
        _units(month),
        _definitions(month),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(f"<section>{part}</section>" for part in body if part)
        + "</body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] = ()) -> str:
    def cells(row: Sequence[str], tag: str = "td") -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in row) + "</tr>"

    bottom = f"<tfoot>{cells(foot)}</tfoot>" if foot else ""
    return (
        f"<table><thead>{cells(head, 'th')}</thead><tbody>"
        + "".join(cells(r) for r in rows)
        + f"</tbody>{bottom}</table>"
    )


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _running(month: Month) -> str:
    newest = month.newest
    if newest is None:
        return '<p class="warn">There are no calls in this month.</p>'
    if newest + timedelta(days=1) < month.span.until:
        return f'<p class="warn">The newest call is of {newest}: the month is not complete.</p>'
    return ""


def _headline(month: Month) -> str:
    total, past = month.teams.total, month.previous.total
    change = "no earlier month"
    if past.cost_pico:
        percent = (total.cost_pico - past.cost_pico) * 100 / past.cost_pico
        change = f"{percent:+.1f} %"
    each = month.units.per("call").each_usd
    cards = [
        ("Spend", "unpriced" if total.wholly_unpriced else show_usd(total.cost_usd)),
        (f"Against {show_span(before(month.span))}", change),
        ("Calls", f"{total.calls:,}"),
        ("Per call", "-" if each is None else show_usd(each)),
    ]
    body = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(v)}</dd></div>" for n, v in cards)
    if total.wholly_unpriced:
        return f"<dl>{body}</dl><p class='sub'>No call has a price: the cost is unknown.</p>"
    text = f"<dl>{body}</dl><p class='sub'>Exactly {plain(total.cost_usd)} USD."
    if month.other is not None:
        rate = month.other.rate
        text += (
            f" That is {escape(month.other.show())} at {rate.usd} USD for 1 {rate.currency} "
            f"({escape(rate.source)}, {rate.on})."
        )
    return text + "</p>"


def _tested(month: Month) -> str:
    if month.tested is None:
        return ""
    return f'<p class="sub">{escape(month.tested.words(""))}.</p>'


def _gaps(month: Month) -> str:
    total = month.teams.total
    parts: list[str] = []
    if total.unpriced_calls:
        parts.append(
            f"{show_calls(total.unpriced_calls)} ({total.unpriced_share * 100:.1f} %, "
            f"{total.unpriced_tokens:,} tokens) have no price and are in no figure of this report."
        )
    if total.assumed_calls:
        parts.append(f"Priced with an assumption: {show_calls(total.assumed_calls)}.")
    if not parts:
        return ""
    reasons = "".join(
        f"<li>{show_calls(row['calls'])}: {escape(row['reason'])}</li>" for row in month.gaps[:6]
    )
    return f'<div class="warn"><p>{" ".join(parts)}</p><ul>{reasons}</ul></div>'


def _daily(month: Month) -> str:
    days = [month.span.since + timedelta(days=n) for n in range(month.span.days)]
    by_variant: dict[str, dict[object, int]] = defaultdict(lambda: defaultdict(int))
    for row in month.days.rows:
        by_variant[show_value(row.keys[1])][row.keys[0].date()] += row.cost_pico
    ranked = sorted(by_variant, key=lambda v: (-sum(by_variant[v].values()), v))
    series: dict[str, list[float]] = {}
    for n, name in enumerate(ranked):
        values = [by_variant[name].get(day, 0) / PICO for day in days]
        if not any(values):
            continue
        shown = name if n < LARGEST else "other"
        held = series.get(shown, [0.0] * len(days))
        series[shown] = [a + b for a, b in zip(held, values, strict=True)]
    if not series:
        return ""
    chart = bars([str(d.day) for d in days], series, label="Spend by day and variant, in USD")
    caption = "Spend by day and variant, USD. Calls without a price are not drawn."
    return "<h2>Day by day</h2>" + _figure(chart, caption)


def _group(title: str, name: str, rows: Sequence[SpendRow], total: SpendRow) -> str:
    def cells(row: SpendRow, label: str) -> list[str]:
        cost = "no price" if row.wholly_unpriced else show_usd(row.cost_usd)
        share = "-" if not total.cost_pico else f"{row.cost_pico * 100 / total.cost_pico:.1f} %"
        cached = "-" if row.cached_share is None else f"{row.cached_share * 100:.0f} %"
        return [label, f"{row.calls:,}", f"{row.input_tokens:,}", cached, f"{row.output_tokens:,}",
                cost, share]  # fmt: skip

    head = [name, "calls", "input tokens", "cached", "output tokens", "cost", "share"]
    body = [cells(r, show_value(r.keys[0])) for r in rows]
    return f"<h2>{title}</h2>" + _table(head, body, cells(total, "Total"))


def _why(month: Month) -> str:
    why = month.why
    if not why.before:
        return ""
    steps = [(name, low / PICO, high / PICO) for name, low, high in why.waterfall()]
    past = show_span(before(month.span))
    chart = waterfall(steps, why.before / PICO, label="From the month before to this one, in USD")
    rows = [[name, show_usd(usd(v), signed=True)] for name, v in why.effects.items()]
    difference = show_usd(usd(why.after - why.before), signed=True)
    return (
        f"<h2>Why it moved since {past}</h2><p>{escape(why.sentence())}</p>"
        + _figure(chart, "Effects in the order they are taken; they add up exactly.")
        + _table(["effect", "USD"], rows, ["difference", difference])
    )


def _budget(status: Status) -> str:
    unit = 1 if status.budget.amount.in_tokens else PICO

    chart = burn_down(
        [d.spent / unit for d in status.burn], status.limit / unit, status.span.days,
        label=f"Budget {status.budget.name}: running spend",
    )  # fmt: skip
    words = {"ok": "within", "warn": "warning", "fail": "exceeded"}.get(status.state, "")
    text = (
        f"{status.spent_words} of {status.limit_words} ({status.share * 100:.1f} %), {words}."
        if words
        else f"Nothing in its scope has a price: spent is unpriced, of {status.limit_words}."
    )
    if status.ends is not None and status.chance is not None:
        low, middle, high = (status.words(v) for v in status.ends)
        text += (
            f" Expected at the end: {middle} (P10 {low}, P90 {high}); "
            f"{status.chance * 100:.0f} % chance to exceed."
        )
    caption = "Blue: spent so far. Orange: the amount. Dashed: an even pace."
    if status.budget.amount.unit not in ("USD", "tokens"):
        caption += f" Drawn in USD: {status.limit_words} is {show_usd(usd(status.limit))}."
    return f"<h2>Budget: {escape(status.budget.name)}</h2><p>{escape(text)}</p>" + _figure(
        chart, caption
    )


def _unusual(month: Month) -> str:
    found = month.anomalies
    if not found.reported:
        text = "Nothing stood out." if found.days >= 15 else "Too little history to judge a day."
        return f"<h2>Unusual days</h2><p>{text}</p>"
    rows: list[list[str]] = []
    for a in found.reported:
        scope = "/".join(a.scope.values()) or "all"
        when = str(a.first) if a.first == a.last else f"{a.first} to {a.last}"
        cause = a.causes["variant"][0][0] if a.causes.get("variant") else ""
        rows.append([when, scope, a.kind, show_usd(usd(a.actual)), show_usd(usd(a.expected)),
                     show_usd(usd(a.excess), signed=True), cause])  # fmt: skip
    head = ["days", "scope", "kind", "cost", "usual", "excess", "mostly"]
    return "<h2>Unusual days</h2>" + _table(head, rows)


def _units(month: Month) -> str:
    made = month.units
    rows = [
        [u.name, f"{u.count:,}", show_usd(usd(u.cost_pico)),
         "-" if u.each_usd is None else show_usd(u.each_usd),
         "" if u.coverage is None else f"{u.coverage * 100:.0f} % of cost"]
        for u in made.units
    ]  # fmt: skip
    earned, missed = (show_usd(usd(v)) for v in (made.cache_earned_pico, made.cache_missed_pico))
    failed = show_usd(usd(made.failed_cost_pico))
    return (
        "<h2>What one costs</h2>"
        + _table(["unit", "how many", "cost", "each", "named by"], rows)
        + f"<p>The cache saved {earned}; at most {missed} more was missed in sessions. "
        f"{show_calls(made.failed_calls)} failed and cost {failed}.</p>"
    )


def _definitions(month: Month) -> str:
    return (
        "<h2>How to read this</h2><p class='note'>Cost is recorded tokens times the price in force "
        "at the moment of each call, in whole pico-dollars; rows add up to totals exactly and are "
        "rounded only for display. What has no price is left out and counted, never taken as zero. "
        "Cached: input tokens read from a cache. Unusual: a day, or most days of a week, well "
        "above what the same weekdays of the four weeks before cost.</p>"
    )
