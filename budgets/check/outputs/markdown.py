"""Markdown for a pull-request comment or a step summary; found again by a hidden tag.

GitHub refuses a comment over 65,536 characters: rows are dropped from the end, with a line that
says how many, so the findings always fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.check.outputs.words import (
    STATUS,
    changed,
    counted,
    headline,
    interval,
    money,
    month_or_thousand,
    percent,
    signed,
    tokens,
)

COMMENT_LIMIT = 65_536
TAG = "<!-- tokenbooks-check -->"
_SIGN = {"pass": "✅", "fail": "❌", "unmeasured": "⚠️"}


def tag_of(name: str = "") -> str:
    """The hidden line that marks our comment; `name` keeps several checks apart."""
    return f"<!-- tokenbooks-check:{name} -->" if name else TAG


def render(report: Mapping[str, Any], *, limit: int = COMMENT_LIMIT, tag: str = TAG) -> str:
    """The comment, at most `limit` characters."""
    rows = 10_000
    while True:
        body = _whole(report, rows, tag)
        if len(body) <= limit or rows == 0:
            break
        rows = min(rows, len(report["prompts"]) * 4, 400) * 2 // 3 if rows > 4 else 0
    if len(body) > limit:
        cut = "\n\n*Cut to the size of a comment; the full report is in the job.*\n"
        body = body[: limit - len(cut)] + cut
    return body


def cell(text: str) -> str:
    """Text that cannot break out of a table cell or a line."""
    text = text.replace("\r", " ").replace("\n", " ").replace("|", "\\|")
    return text.replace("<", "&lt;").replace("@", "@\u200b")


def code(text: str) -> str:
    """A name in backticks; a backtick of its own would end it."""
    return "`" + text.replace("`", "ʼ").replace("|", "\\|").replace("\n", " ") + "`"


def _whole(report: Mapping[str, Any], rows: int, tag: str) -> str:
    parts = [
        tag,
        f"### {_SIGN[report['status']]} tokenbooks: {STATUS[report['status']]}",
        "",
        headline(report),
        "",
    ]
    parts += _findings(report, rows)
    if report["base"] is not None:
        parts += _changes(report, rows)
    parts += _all(report, rows)
    parts += _rest(report, rows)
    return "\n".join(parts).rstrip() + "\n"


def _findings(report: Mapping[str, Any], rows: int) -> list[str]:
    lines: list[str] = []
    both: list[tuple[Any, Any]] = [(f["level"], f) for f in report["findings"]]
    both += [("not measured", p) for p in report["unmeasured"]]
    shown = both[: max(20, rows)]
    for level, each in shown:
        sign = {"fail": "❌", "warn": "🟡"}.get(level, "⚠️")
        lines.append(f"- {sign} **{each['rule']}** ({level}): {cell(each['message'])}")
    if len(both) > len(shown):
        lines.append(f"- … and {len(both) - len(shown)} more")
    return [*lines, ""] if lines else []


def _changes(report: Mapping[str, Any], rows: int) -> list[str]:
    base = report["base"]
    found = list(changed(report))
    since = f"Compared with {code(base['ref'])}"
    if base["merge_base"]:
        since += f" (merge base {code(base['merge_base'][:10])})"
    if not found:
        return [f"{since}: no prompt changed its size.", ""]
    monthly = any(row["change"]["usd_per_month"] for _, row in found)
    lines = [
        f"{since}, both sides at the same prices:",
        "",
        f"| prompt | model | tokens a call | change | $ a call | $ a "
        f"{'month' if monthly else 'thousand calls'} |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for prompt, row in found[:rows]:
        lines.append(_row(prompt, row, monthly))
    if len(found) > rows:
        lines.append(f"\n… and {len(found) - rows} more rows")
    return [*lines, ""]


def _row(prompt: Mapping[str, Any], row: Mapping[str, Any], monthly: bool) -> str:
    head, base, change = row["head"], row["base"], row["change"]
    now = head["tokens"]["expected"] if head else 0
    then = base["tokens"]["expected"] if base else 0
    counts = f"{then:,} → {now:,}"
    share = percent(now, then) or prompt["status"]
    delta = change["tokens"]
    grown = signed(delta["expected"])
    if delta["low"] != delta["high"]:
        grown += f" ({signed(delta['low'])} to {signed(delta['high'])})"
    amount, unit = month_or_thousand(change)
    per = " per 1,000 calls" if monthly and unit != "month" else ""
    return (
        f"| {code(prompt['id'])} | {cell(row['model'])} | {counts} | {grown} ({share}) | "
        f"{interval(change['usd_per_call'], signed=True)} | "
        f"{interval(amount, signed=True)}{per} |"
    )


def _all(report: Mapping[str, Any], rows: int) -> list[str]:
    found = [
        (p, row) for p in report["prompts"] for row in p["models"] if row["head"] is not None
    ]  # fmt: skip
    if not found:
        return []
    lines = [
        f"<details><summary>All prompts ({report['coverage']['measured']})</summary>",
        "",
        "| prompt | model | tokens | basis | cacheable | $ a call | $ a month |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for prompt, row in found[:rows]:
        head = row["head"]
        month = head["usd_per_month"]
        thousand = head["usd_per_1000_calls"]["expected"]
        lines.append(
            f"| {code(prompt['id'])} | {cell(row['model'])} | {tokens(head['tokens'])} | "
            f"{head['tokens']['basis']} | {head['cache']['cacheable_tokens']:,} | "
            f"{interval(head['usd_per_call'])} | "
            f"{interval(month) if month else f'{money(thousand)} per 1,000 calls'} |"
        )
    if len(found) > rows:
        lines.append(f"\n… and {len(found) - rows} more rows")
    return [*lines, "", "</details>", ""]


def _rest(report: Mapping[str, Any], rows: int) -> list[str]:
    lines = [f"- {cell(note)}" for note in report["notes"]]
    lines += [
        f"- {code(prompt['id'])}: {cell(note)}"
        for prompt in report["prompts"]
        for note in prompt["notes"]
    ][:rows]
    covered = report["coverage"]
    skipped = [
        f"- {code(each['path'])}: {cell(each['reason'])}" for each in report["skipped"]
    ][: min(rows, 50)]  # fmt: skip
    if skipped:
        lines += [
            f"- left out: {counted(covered['skipped'], 'file')}",
            *(f"  {line}" for line in skipped),
        ]
    prices = report["prices"]
    foot = (
        f"<sub>Measured {covered['measured']} of {counted(covered['prompts'], 'prompt')}; "
        f"prices of {prices['at'][:10]}, tier {prices['tier']}.</sub>"
    )
    if not lines:
        return [foot]
    return ["<details><summary>Notes</summary>", "", *lines, "", "</details>", "", foot]
