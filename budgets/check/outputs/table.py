"""The table for a terminal: 80 columns, colour only where it is wanted (NO_COLOR is honoured).

Findings come last, where the eye is when a job has failed.
"""

from __future__ import annotations

import io
import os
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
)

ROWS = 60


def render(report: Mapping[str, Any], *, color: bool = False, width: int | None = None) -> str:
    """The report as text. `color` adds escape codes; width is 80 unless COLUMNS says otherwise."""
    from rich.console import Console

    out = io.StringIO()
    columns = width or (int(os.environ["COLUMNS"]) if _number(os.environ.get("COLUMNS")) else 80)
    console = Console(
        file=out, width=max(60, columns), highlight=False, markup=False, emoji=False,
        force_terminal=color, no_color=not color, color_system="standard" if color else None,
    )  # fmt: skip
    if report["prompts"]:
        console.print(_prompts(report))
    if report["base"] is not None and any(True for _ in changed(report)):
        console.print(_changes(report))
    for line in _tail(report):
        console.print(line, soft_wrap=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _number(text: str | None) -> bool:
    return bool(text) and str(text).isdigit()


def _new(title: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(title=title, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, expand=False)


def _most(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The prompts a person can read: all of them, or those with findings and the largest."""
    every = [p for p in report["prompts"] if any(row["head"] for row in p["models"])]
    if len(every) <= ROWS:
        return every
    named = {each["prompt"] for each in [*report["findings"], *report["unmeasured"]]}

    def weight(prompt: Mapping[str, Any]) -> tuple[bool, int]:
        sizes = [row["head"]["tokens"]["expected"] for row in prompt["models"] if row["head"]]
        return prompt["id"] in named, max(sizes)

    kept = {p["id"] for p in sorted(every, key=weight, reverse=True)[:ROWS]}
    return [p for p in every if p["id"] in kept]


def _prompts(report: Mapping[str, Any]) -> Any:
    from rich.text import Text

    table = _new("Prompts")
    monthly = any(
        row["head"] and row["head"]["usd_per_month"]
        for prompt in report["prompts"] for row in prompt["models"]
    )  # fmt: skip
    table.add_column("prompt", overflow="fold", ratio=3)
    table.add_column("model", overflow="fold")
    table.add_column("tokens", justify="right")
    table.add_column("cacheable", justify="right")
    table.add_column("$/month" if monthly else "$/1,000 calls", justify="right")
    for prompt in _most(report):
        for place, row in enumerate(prompt["models"]):
            if row["head"] is None:
                continue
            head = row["head"]
            amount, unit = month_or_thousand(head)
            note = "/1k" if monthly and unit != "month" else ""
            exact = head["tokens"]["low"] == head["tokens"]["high"]
            table.add_row(
                Text(prompt["id"] if place == 0 else ""), Text(row["model"]),
                f"{'' if exact else '~'}{head['tokens']['expected']:,}",
                f"{head['cache']['cacheable_tokens']:,}",
                money(amount["expected"] if amount else None) + note,
            )  # fmt: skip
    return table


def _changes(report: Mapping[str, Any]) -> Any:
    from rich.text import Text

    table = _new(f"Change since {report['base']['ref']}")
    table.add_column("prompt", overflow="fold", ratio=3)
    table.add_column("model", overflow="fold")
    table.add_column("tokens", justify="right")
    table.add_column("%", justify="right")
    table.add_column("$", justify="right")
    found = list(changed(report))
    kept = sorted(found, key=lambda each: -abs(each[1]["change"]["tokens"]["expected"]))[:ROWS]
    for prompt, row in [each for each in found if each in kept]:
        change = row["change"]
        amount, unit = month_or_thousand(change)
        base, head = row["base"], row["head"]
        share = percent(
            head["tokens"]["expected"] if head else 0, base["tokens"]["expected"] if base else 0
        )
        per = "/month" if unit == "month" else "/1k"
        table.add_row(
            Text(prompt["id"]), Text(row["model"]), signed(change["tokens"]["expected"]),
            share or prompt["status"],
            money(amount["expected"] if amount else None, signed=True) + per,
        )  # fmt: skip
    return table


def _tail(report: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    lines: list[Any] = [Text(headline(report))]
    hidden = sum(any(row["head"] for row in p["models"]) for p in report["prompts"]) - ROWS
    if hidden > 0:
        lines.append(Text(f"The {ROWS} largest are shown; {hidden:,} more in --format json."))
    # The headline without a base already says what one model costs.
    said = report["base"] is None and len(report["models"]) == 1
    for model in report["models"]:
        if model["usd_per_month"] is not None and not (said and not model["without_traffic"]):
            rest = model["without_traffic"]
            more = f" ({counted(rest, 'prompt')} without traffic)" if rest else ""
            lines.append(
                Text(f"{model['model']}: {interval(model['usd_per_month'])} a month{more}")
            )
    for note in report["notes"]:
        lines.append(Text(f"note: {note}"))
    notes = [
        Text(f"note: {prompt['id']}: {note}", style="dim")
        for prompt in report["prompts"]
        for note in prompt["notes"]
    ]
    lines += _first(notes, 20)
    if report["skipped"]:
        lines.append(
            Text(f"{counted(len(report['skipped']), 'file')} left out (--format json says why).")
        )
    findings = [
        Text(
            f"{each['level']} [{each['rule']}] {each['message']}",
            "red" if each["level"] == "fail" else "yellow",
        )
        for each in sorted(report["findings"], key=lambda each: each["level"] != "fail")
    ]
    lines += _first(findings, ROWS)
    gaps = [Text(f"unmeasured [{p['rule']}] {p['message']}", "red") for p in report["unmeasured"]]
    lines += _first(gaps, ROWS)
    names = dict.fromkeys(x["rule"] for x in [*report["findings"], *report["unmeasured"]])
    if names:
        lines.append(Text(f"More: tokenbooks explain {next(iter(names))}", style="dim"))
    lines.append(Text(f"{report['status']}: {STATUS[report['status']]}", style="bold"))
    return lines


def _first(lines: list[Any], most: int) -> list[Any]:
    """What a person reads of a long list; the rest is a number."""
    from rich.text import Text

    rest = len(lines) - most
    more = [Text(f"… and {rest:,} more like these in --format json")] if rest > 0 else []
    return [*lines[:most], *more]
