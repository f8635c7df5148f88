"""Cursor's usage export: the dashboard's `usage-events` CSV.

| column | becomes |
| --- | --- |
| `Date` (RFC 3339) | time |
| `Model` | model, in Cursor's own names (`auto`, `claude-4.5-sonnet-thinking`) |
| `Input (w/o Cache Write)` | uncached input |
| `Input (w/ Cache Write)` | cache write, lifetime not stated |
| `Cache Read`, `Output Tokens` | cache read, output with its reasoning |
| `Total Tokens` | the total, which holds the four apart |
| `Cost`, `Cost ($)` | the charge, where `Kind` says that it is one |
| `Kind`, `User`, `Cloud Agent ID`, `Max Mode` | tags `kind`, `user`, `agent`, `max_mode` |

Arithmetic: the four counts are beside each other, as the total proves; where it proves that the
written part is inside the first column (or nothing), the record says so. One row is one request to
Cursor, which may have called a model several times: so it is sold by `cursor`, at Cursor's own
prices where the catalogue knows them, beside which the charge stands. `Included` is no charge but a
part of the plan, `Errored` rows made none, and a `User API Key` row is billed by the maker of the
model, whose own log has the same call.
Rows have no id: the key is all of the row.

    Date,Kind,Model,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,…
    2026-07-30T12:00:00.000Z,Included,gpt-5,10,100,50,20,180,Included

is 100 uncached, 10 written, 50 cached and 20 output tokens that were not charged. (Columns as
public parsers of the export name them; no real export was at hand.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.aggregates import cell_amount, cell_count
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, instant, short_text, split_tags
from pricing.usage import Counts, UsageError, total_input, total_output

_FRESH, _WRITTEN = "Input (w/o Cache Write)", "Input (w/ Cache Write)"
_READ, _OUTPUT, _TOTAL = "Cache Read", "Output Tokens", "Total Tokens"
_NEEDED = {"Date", "Model", _FRESH, _WRITTEN, _READ, _OUTPUT}
_NO_AMOUNT = ("", "-", "included", "free", "nan", "n/a")
_OWN_KEY = "user api key"


class Cursor:
    """Reader of Cursor's usage events."""

    name = "cursor"
    title = "Cursor usage export (dashboard CSV)"
    recognised_by = "columns `Input (w/ Cache Write)`, `Input (w/o Cache Write)`, `Cache Read`"

    def identify(self, source: Source) -> float:
        """By the columns."""
        return 0.95 if source.kind == "csv" and set(columns(source)) >= _NEEDED else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row."""
        try:
            for line, row in rows(source):
                if isinstance(row, BadLine):
                    yield reject(row, line)
                    continue
                try:
                    yield _record(row, line, context)
                except UsageError as error:
                    yield reject(error, line)
        except UnreadableFile as error:
            yield Reject(str(error), None)


def _record(row: Mapping[str, Any], line: int, context: ReadContext) -> UsageRecord:
    when = instant(row.get("Date"))
    if when is None:
        raise UsageError(f"Date = {short_text(row.get('Date'))!r} is not a time")
    kind = (short_text(row.get("Kind")) or "").lower()
    counts, total, flags = _counts(row)
    cost, flag = _cost(row, kind)
    own_key = kind == _OWN_KEY
    if own_key:
        flags.append("called with the user's own API key: its maker's log has this call as well")
    dimensions, tags = split_tags(
        {
            "user": row.get("User"),
            "kind": row.get("Kind"),
            "agent": row.get("Cloud Agent ID"),
            "max_mode": row.get("Max Mode"),
        }
    )
    failed = kind.startswith(("errored", "aborted"))
    counted = any(v is not None for v in counts.values())
    if failed and not counted and not cost:
        counts |= {"input_uncached": 0, "output_text": 0}
        flags.append(f"{short_text(row.get('Kind'))}: not billed")
    return UsageRecord(
        call_key=f"cursor:{context.keys.key(dict(row))}",
        occurred_at=when,
        source_format="cursor",
        provider="cursor",
        seller="cursor",
        model=short_text(row.get("Model")),
        counts=counts,
        total_reported=total,
        source_cost_usd=cost,
        finality="final" if counted or failed else "partial",
        failed=failed,
        dimensions=dimensions,
        tags=tags,
        flags=[*flags, *([flag] if flag else [])],
        line=line,
    )


def _counts(row: Mapping[str, Any]) -> tuple[Counts, int | None, list[str]]:
    """Disjoint counts, the total and what to say of them. Raises `UsageError`."""
    total = cell_count(row, _TOTAL)
    counts: Counts = {
        "input_uncached": cell_count(row, _FRESH),
        "cache_write_unknown": cell_count(row, _WRITTEN),
        "cache_read": cell_count(row, _READ),
        "output_text": cell_count(row, _OUTPUT),
    }
    parts = total_input(counts) + total_output(counts)
    if total is None or parts == total:
        return counts, total, []
    fresh, written = counts["input_uncached"] or 0, counts["cache_write_unknown"] or 0
    if fresh <= written and parts - fresh == total:
        # The one column holds the other: what was written is what it has more.
        counts["cache_write_unknown"] = written - fresh
        return counts, total, ["the total shows that the written input includes the unwritten"]
    return counts, total, [f"parts add up to {parts}, reported total is {total}"]


def _cost(row: Mapping[str, Any], kind: str) -> tuple[Decimal | None, str]:
    """The charge in USD, or why there is none. Raises `UsageError`."""
    for name in ("Cost", "Cost ($)"):
        text = str(row.get(name) or "").strip().lower()
        if name not in row or text in _NO_AMOUNT:
            continue
        found = cell_amount(row, name)
        if found is not None and kind in ("included", "free", _OWN_KEY):
            return None, f"{found} USD of the plan used, not charged"
        return found, ""
    return None, ""


READER = Cursor()
