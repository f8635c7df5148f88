"""A page that stands alone: no script, no request to anywhere, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from budgets.check.outputs.words import (
    STATUS,
    changed,
    headline,
    interval,
    month_or_thousand,
    signed,
    tokens,
)

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{padding:.3rem .6rem;border-bottom:1px solid #8884;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.fail,.unmeasured{color:#c33}.warn{color:#b70}.pass{color:#2a7}
.wide{overflow-x:auto}code{overflow-wrap:anywhere}
"""


def render(report: Mapping[str, Any]) -> str:
    """The report as one HTML document."""
    status = report["status"]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>tokenbooks check: {status}</title><style>{_STYLE}</style></head><body>",
        f'<h1>Token budget: <span class="{status}">{STATUS[status]}</span></h1>',
        f"<p>{escape(headline(report))}</p>",
    ]
    if report["findings"] or report["unmeasured"]:
        parts.append("<h2>Findings</h2><ul>")
        parts += [_item(f, f["level"]) for f in report["findings"]]
        parts += [_item(p, "unmeasured") for p in report["unmeasured"]]
        parts.append("</ul>")
    if report["base"] is not None:
        parts.append(f"<h2>Change since {escape(report['base']['ref'])}</h2>")
        rows = [_change(p, row) for p, row in changed(report)]
        parts.append(
            _table(("prompt", "model", "n:tokens", "n:change", "n:$ a call", "n:$"), rows)
            if rows
            else "<p>No prompt changed its size.</p>"
        )
    rows = [
        _prompt(p, row) for p in report["prompts"] for row in p["models"] if row["head"] is not None
    ]
    if rows:
        parts.append("<h2>All prompts</h2>")
        heads = ("prompt", "model", "n:tokens", "basis", "n:cacheable", "n:$ a call", "n:$")
        parts.append(_table(heads, rows))
    notes = [*report["notes"]]
    notes += [f"{p['id']}: {n}" for p in report["prompts"] for n in p["notes"]]
    notes += [f"left out: {s['path']}: {s['reason']}" for s in report["skipped"]]
    if notes:
        listed = "".join(f"<li>{escape(n)}</li>" for n in notes)
        parts.append(f"<h2>Notes</h2><ul>{listed}</ul>")
    prices = report["prices"]
    parts.append(f"<p><small>Prices of {prices['at'][:10]}, tier {escape(prices['tier'])}.</small>")
    return "\n".join(parts) + "</body></html>\n"


def _item(each: Mapping[str, Any], level: str) -> str:
    return (
        f'<li><strong class="{level}">{level}</strong> <code>{escape(each["rule"])}</code> '
        f"{escape(each['message'])}</li>"
    )


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    numeric = [h.startswith("n:") for h in heads]

    def cells(values: tuple[str, ...], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if n else ''}>{escape(v)}</{tag}>"
            for v, n in zip(values, numeric, strict=True)
        )

    top = cells(tuple(h.removeprefix("n:") for h in heads), "th")
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _change(prompt: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, ...]:
    head, base, change = row["head"], row["base"], row["change"]
    now = head["tokens"]["expected"] if head else 0
    then = base["tokens"]["expected"] if base else 0
    amount, unit = month_or_thousand(change)
    return (
        prompt["id"], row["model"], f"{then:,} → {now:,}", signed(change["tokens"]["expected"]),
        interval(change["usd_per_call"], signed=True),
        f"{interval(amount, signed=True)} a {unit}" if unit == "month"
        else f"{interval(amount, signed=True)} per {unit}",
    )  # fmt: skip


def _prompt(prompt: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, ...]:
    head = row["head"]
    amount, unit = month_or_thousand(head)
    per = "a month" if unit == "month" else f"per {unit}"
    return (
        prompt["id"], row["model"], tokens(head["tokens"]), head["tokens"]["basis"],
        f"{head['cache']['cacheable_tokens']:,}", interval(head["usd_per_call"]),
        f"{interval(amount)} {per}",
    )  # fmt: skip
