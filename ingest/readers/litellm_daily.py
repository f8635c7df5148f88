"""LiteLLM's daily sums: the dashboard's usage CSV and the daily-activity API.

| CSV column | API field | becomes |
| --- | --- | --- |
| `Date` | `results[].date` | the UTC day |
| `Spend ($)` (with thousands separators) | `metrics.spend` | a row of cost |
| `Prompt Tokens`, `Completion Tokens` | `prompt_tokens`, `completion_tokens` | a row of usage |
| `Cache Read Input Tokens`, `Cache Creation …` | `cache_read_input_tokens`, … | parts of it |
| `Requests`, `Successful Requests`, … | `api_requests`, … | requests |
| `Model` | `breakdown.models` | model |
| `Key ID` | | API key |
| the page's entity (`Team`, `Tag`, …) and its ID | | a tag of that name |

Arithmetic: as in LiteLLM's rows, `Prompt Tokens` includes the cache. All of it is aggregates:
`ReportedRow`s of provider `litellm` that serve reconciliation and never become calls. Of the API's
breakdowns one is taken, by model, and only where its spend adds up to the day's; else the day. An
export that repeats an entity's whole spend for each of its models (an older version did) says
nothing by model: such rows are rejects, to be exported without models.

    Date,Team,Team ID,Spend ($),Requests,Total Tokens,Prompt Tokens,Completion Tokens
    2026-01-01,search,t-1,"1,234.5000",10,1100,1000,100

is a cost of $1,234.50 and 1,000 input, 100 output tokens in 10 requests of team search on that day.
(Columns from the dashboard's own source, fields from LiteLLM's `activity_tracking.py`.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.aggregates import cell_amount, cell_count, cell_day, named, one_row_a_slice
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns, rows
from ingest.record import Reject, ReportedRow, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Counts, UsageError

_NEEDED = {"Date", "Spend ($)", "Total Tokens"}
_KNOWN = {
    "Date", "Model", "Key ID", "Key Alias", "Spend ($)", "Flat Cost ($)", "Total Cost ($)",
    "Requests", "Successful", "Failed", "Successful Requests", "Failed Requests", "Total Tokens",
    "Prompt Tokens", "Completion Tokens", "Cache Read Input Tokens", "Cache Creation Input Tokens",
}  # fmt: skip
_REPEATED = (
    "the same spend stands beside every model of this {}: the export repeats the whole; "
    "export it without models"
)
_CENT = Decimal("0.01")
_Row = tuple[int, Mapping[str, Any]]


class LiteLLMDaily:
    """Reader of LiteLLM's daily sums."""

    name = "litellm-daily"
    title = "LiteLLM daily usage (dashboard CSV, daily activity JSON)"
    recognised_by = "columns `Date`, `Spend ($)`, `Total Tokens`; `results` of `metrics` by `date`"

    def identify(self, source: Source) -> float:
        """By the columns, or by the results' own fields."""
        if source.kind == "csv":
            return 0.95 if set(columns(source)) >= _NEEDED else 0.0
        if source.kind in ("json", "jsonl"):
            return 0.93 if any(map(_days, source.sample)) else 0.0
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """A row of cost and one of usage for each row, day or model."""
        found: list[ReportedRow] = []
        table: list[_Row] = []
        try:
            for line, document in rows(source):
                if isinstance(document, BadLine):
                    yield reject(document, line)
                elif source.kind == "csv":
                    table.append((line, document))
                else:
                    yield from _take(_page(document, line, context), found)
            for result in _table(table):
                yield from _take(iter([result]), found)
        except UnreadableFile as error:
            yield Reject(str(error), None)
        yield from one_row_a_slice(found, context)


def _take(results: Iterator[Result], found: list[ReportedRow]) -> Iterator[Result]:
    for result in results:
        if isinstance(result, ReportedRow):
            found.append(result)
        else:
            yield result


# --- the CSV ------------------------------------------------------------------------------------


def _table(table: list[_Row]) -> Iterator[Result]:
    repeated = _repeated(table)
    for number, (line, row) in enumerate(table):
        entity = next((n for n in row if n not in _KNOWN and not n.endswith(" ID")), "")
        if number in repeated:
            yield Reject(_REPEATED.format(entity.lower() or "day"), line)
            continue
        try:
            day = cell_day(row.get("Date"))
            if day is None:
                raise UsageError(f"Date = {short_text(row.get('Date'))!r} is not a day")
            yield from _both(
                day,
                amount=cell_amount(row, "Spend ($)"),
                counts=_counts(row, _CSV_NAMES),
                requests=cell_count(row, "Requests"),
                model=short_text(row.get("Model")),
                api_key=short_text(row.get("Key ID")),
                tags=named(**{entity.lower(): row.get(entity)}) if entity else {},
                line=line,
            )
        except UsageError as error:
            yield reject(error, line)


def _repeated(table: list[_Row]) -> set[int]:
    """Rows whose spend and requests are those of every other model of their day and entity."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, (_, row) in enumerate(table):
        if row.get("Model"):
            about = [v for k, v in row.items() if k not in _KNOWN]
            groups[row.get("Date"), *about].append(number)
    found: set[int] = set()
    for members in groups.values():
        told = {tuple(table[n][1].get(k) for k in ("Spend ($)", "Requests")) for n in members}
        spent = str(next(iter(told))[0] or "").strip("0.") if len(told) == 1 else ""
        if len(members) > 1 and spent:
            found.update(members)
    return found


# --- the API ------------------------------------------------------------------------------------


def _days(document: Any) -> list[Mapping[str, Any]]:
    results = document.get("results") if isinstance(document, JsonObject) else None
    days: list[Mapping[str, Any]] = (
        [d for d in results if isinstance(d, JsonObject)] if isinstance(results, JsonList) else []
    )
    known = [d for d in days if "date" in d and isinstance(d.get("metrics"), JsonObject)]
    return known if any("spend" in d["metrics"] for d in known) else []


def _page(document: Mapping[str, Any], line: int, context: ReadContext) -> Iterator[Result]:
    days = _days(document)
    if not days:
        yield Reject("no results of daily activity", line)
    meta = document.get("metadata")
    if isinstance(meta, JsonObject) and meta.get("has_more") is True:
        context.notes.append("the report goes on: this file is not its last page")
    for result in days:
        try:
            day = cell_day(result["date"])
            if day is None:
                raise UsageError(f"date = {short_text(result['date'])!r} is not a day")
            for model, metrics in _by_model(result):
                yield from _both(
                    day,
                    amount=cell_amount(metrics, "spend"),
                    counts=_counts(metrics, _API_NAMES),
                    requests=cell_count(metrics, "api_requests"),
                    model=model,
                    line=line,
                )
        except UsageError as error:
            yield reject(error, line)


def _by_model(result: Mapping[str, Any]) -> list[tuple[str | None, Mapping[str, Any]]]:
    """The day by model where the models make up the day; else the day. Raises `UsageError`."""
    whole = result["metrics"]
    breakdown = result.get("breakdown")
    models = breakdown.get("models") if isinstance(breakdown, JsonObject) else None
    parts: list[tuple[str | None, Mapping[str, Any]]] = []
    for model, told in models.items() if isinstance(models, JsonObject) else ():
        inner = told.get("metrics", told) if isinstance(told, JsonObject) else None
        if isinstance(inner, JsonObject):
            parts.append((str(model), inner))
    spent = sum((cell_amount(m, "spend") or Decimal(0) for _, m in parts), Decimal(0))
    off = abs(spent - (cell_amount(whole, "spend") or Decimal(0)))
    same = all(
        sum(cell_count(m, n) or 0 for _, m in parts) == (cell_count(whole, n) or 0)
        for n in ("prompt_tokens", "completion_tokens")
    )
    return parts if parts and same and off < _CENT else [(None, whole)]


# --- both ---------------------------------------------------------------------------------------

_CSV_NAMES = (
    "Prompt Tokens", "Completion Tokens", "Cache Read Input Tokens", "Cache Creation Input Tokens",
)  # fmt: skip
_API_NAMES = (
    "prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
)  # fmt: skip


def _counts(row: Mapping[str, Any], names: tuple[str, ...]) -> Counts:
    """Disjoint counts. Raises `UsageError` for a cache above the prompt it is inside."""
    prompt, output, read, written = (cell_count(row, name) for name in names)
    inside = (read or 0) + (written or 0)
    if prompt is not None and inside > prompt:
        raise UsageError(f"cached tokens ({inside}) above {names[0]} ({prompt})")
    return {
        "input_uncached": None if prompt is None else prompt - inside,
        "cache_read": read,
        "cache_write_unknown": written,
        "output_text": output,
    }


def _both(
    day: tuple[datetime, datetime],
    *,
    amount: Decimal | None,
    counts: Counts,
    requests: int | None,
    model: str | None,
    line: int,
    api_key: str | None = None,
    tags: dict[str, str] | None = None,
) -> Iterator[ReportedRow]:
    usage = ReportedRow(
        source_format=LiteLLMDaily.name,
        provider="litellm",
        kind="usage",
        period_start=day[0],
        period_end=day[1],
        counts=counts,
        requests=requests,
        model=model,
        api_key=api_key,
        tags=tags or {},
        line=line,
    )
    if any(v is not None for v in counts.values()):
        yield usage
    if amount is not None:
        yield replace(usage, kind="cost", counts={}, amount=amount)


READER = LiteLLMDaily()
