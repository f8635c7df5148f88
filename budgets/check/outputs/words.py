"""Small words every output shares: signed numbers, intervals, money from the report's strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pricing.money import show_usd

STATUS = {
    "pass": "within limits",
    "fail": "over a limit",
    "unmeasured": "not everything could be measured",
}


def money(amount: str | None, *, signed: bool = False) -> str:
    """`"0.0035"` as `$0.0035`; None as a dash."""
    return "–" if amount is None else show_usd(Decimal(amount), signed=signed)


def interval(amounts: Mapping[str, str | None] | None, *, signed: bool = False) -> str:
    """The expected amount, with low–high when they differ as shown."""
    if amounts is None:
        return "–"
    middle = money(amounts["expected"], signed=signed)
    low, high = money(amounts["low"], signed=signed), money(amounts["high"], signed=signed)
    # Between signs an en dash reads as one more minus.
    between = " to " if signed else "–"
    return middle if low == high else f"{middle} ({low}{between}{high})"


def tokens(counts: Mapping[str, Any]) -> str:
    """The expected count, with low–high when they differ."""
    middle = f"{counts['expected']:,}"
    if counts["low"] == counts["high"]:
        return middle
    return f"{middle} ({counts['low']:,}–{counts['high']:,})"


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def signed(number: int) -> str:
    """`+245`, `-3`, `0`."""
    return f"{number:+,}" if number else "0"


def percent(now: int, before: int) -> str:
    """The change in percent of the older number; empty when there is none."""
    if not before or now == before:
        return ""
    return f"{(now - before) * 100 / before:+.1f} %"


def changed(report: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """(prompt, model) rows that differ from the base in tokens or in cost, or are new or gone."""
    for prompt in report["prompts"]:
        for row in prompt["models"]:
            change = row["change"]
            if prompt["status"] in ("added", "removed"):
                yield prompt, row
            elif change is not None and prompt["status"] != "unchanged":
                moved = change["tokens"]["expected"] or Decimal(change["usd_per_call"]["expected"])
                if moved:
                    yield prompt, row


def month_or_thousand(side: Mapping[str, Any]) -> tuple[Mapping[str, str | None] | None, str]:
    """A month's cost where traffic is known, else that of 1,000 calls; and which it is."""
    if side["usd_per_month"] is not None:
        return side["usd_per_month"], "month"
    return side["usd_per_1000_calls"], "1,000 calls"


def headline(report: Mapping[str, Any]) -> str:
    """One sentence: the bill's change where it is known, else the tokens', else the size."""
    rows = report["models"]
    if not rows:
        return "No prompt was measured."
    first = rows[0]
    more = f" (and {counted(len(rows) - 1, 'more model')})" if len(rows) > 1 else ""
    where = f"on {first['model']}{more}"
    change = first["change"]
    if change is None:
        month = first["usd_per_month"]
        cost = f", {interval(month)} a month" if month else ""
        what = counted(first["prompts"], "prompt")
        return f"{what}, {tokens(first['tokens'])} tokens{cost} {where}."
    grown = change["tokens"]
    if not grown and not any(True for _ in changed(report)):
        return f"No prompt changed its size {where}."
    count = f"{signed(grown)} tokens"
    if change["usd_per_month"] is not None:
        bill = interval(change["usd_per_month"], signed=True)
        if not grown:
            return f"Prompts keep their size, but the monthly cost changes by {bill} {where}."
        return f"Prompts change by {count} and the monthly cost by {bill} {where}."
    return f"Prompts change by {count} {where}."
