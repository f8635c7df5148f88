"""What readers of reports share: cells that are counts and amounts, and rows of one slice.

Dashboards write counts as floats and amounts with many decimals; a cell may be empty.

>>> cell_count({"n": "31,422.0", "m": ""}, "n"), cell_count({"m": ""}, "m")
(31422, None)
>>> cell_amount({"a": "0.003400000000000000000000000000000000"}, "a")
Decimal('0.003400000000000000000000000000000000')
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.readers.base import ReadContext
from ingest.record import ReportedRow, instant, short_text
from pricing.money import EXACT
from pricing.usage import UsageError, count

_TOO_MANY = 2**53


def cell_count(row: Mapping[str, Any], *names: str) -> int | None:
    """The count in the first named cell that has one. Raises `UsageError` for what is none."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            text = value.strip().replace(",", "")
            if not text:
                continue
            try:
                number = Decimal(text)
            except InvalidOperation as error:
                raise UsageError(f"{name} = {short_text(value)!r} is not a number") from error
            if not number.is_finite() or abs(number) >= _TOO_MANY:
                raise UsageError(f"{name} = {short_text(value)!r} is not a count")
            value = int(number) if number == int(number) else number
        if value is not None:
            return count(value, name)
    return None


def cell_amount(row: Mapping[str, Any], *names: str, negative: bool = False) -> Decimal | None:
    """The amount in the first named cell that has one, exactly as written; credits are negative
    where a report can hold them. Raises `UsageError` for what is no amount."""
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        shown = f"{name} = {short_text(value)!r}"
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise UsageError(f"{shown} is not an amount")
        try:
            # The shortest text that means a JSON float is what the source wrote.
            amount = Decimal(str(value).strip().lstrip("$").replace(",", ""))
        except InvalidOperation as error:
            raise UsageError(f"{shown} is not an amount") from error
        if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
            raise UsageError(f"{shown} is not an amount")
        if amount < 0 and not negative:
            raise UsageError(f"{shown} is negative")
        return amount
    return None


def cell_day(value: Any) -> tuple[datetime, datetime] | None:
    """Start and end (exclusive) of the UTC day a cell names."""
    start = instant(f"{value.strip()[:10]}T00:00:00") if isinstance(value, str) else None
    return None if start is None else (start, start + timedelta(days=1))


def named(**values: Any) -> dict[str, str]:
    """Tags of the values that say something."""
    found = {name: short_text(value) for name, value in values.items()}
    return {name: text for name, text in found.items() if text is not None}


def one_row_a_slice(rows: Iterable[ReportedRow], context: ReadContext) -> Iterator[ReportedRow]:
    """Rows of one file, each slice once.

    Two rows of one slice that say the same are one (a page fetched twice); rows that differ are
    parts of it, told apart by a column this reader does not know, and are added up.
    """
    slices: dict[str, list[ReportedRow]] = {}
    for row in rows:
        slices.setdefault(row.slice_key, []).append(row)
    added = 0
    for same in slices.values():
        whole = same[0]
        seen = [_measures(whole)]
        for row in same[1:]:
            if _measures(row) in seen:
                continue
            seen.append(_measures(row))
            _add(whole, row)
            added += 1
        yield whole
    if added:
        context.notes.append(
            f"{added} row(s) differ in nothing this reader knows from another row of the same"
            " slice: their numbers were added"
        )


def _measures(row: ReportedRow) -> tuple[Any, ...]:
    return (sorted(row.counts.items()), row.requests, row.amount, row.list_amount)


def _add(whole: ReportedRow, part: ReportedRow) -> None:
    for name, value in part.counts.items():
        if value is not None:
            whole.counts[name] = (whole.counts.get(name) or 0) + value
    if part.requests is not None:
        whole.requests = (whole.requests or 0) + part.requests
    if part.amount is not None:
        whole.amount = EXACT.add(whole.amount or Decimal(0), part.amount)
    if part.list_amount is not None:
        whole.list_amount = EXACT.add(whole.list_amount or Decimal(0), part.list_amount)
