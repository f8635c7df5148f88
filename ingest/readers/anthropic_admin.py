"""Anthropic's organization reports: Admin API usage and cost, console usage and cost CSVs.

All are aggregates (`ReportedRow`). Usage arithmetic: `uncached_input_tokens` (in the CSV
`usage_input_tokens_no_cache`), cache reads and cache writes by lifetime stand BESIDE one another;
the total input is their sum.

Admin API: `data[]` {starting_at, ending_at, results[]}. The cost report's `amount` is a decimal
TEXT IN CENTS; the newer `list_amount` (before discount) too:

    {"amount": "123.78912", "currency": "USD", "cost_type": "tokens"}    is 1.2378912 USD

Console CSVs are in US dollars (`cost_usd`, `list_price_usd`) and grow columns, in the middle too,
so columns are found by name. `model` there is a display name ("Claude Haiku 4.5"), `api_key` a
name, `context_window` is written "≤ 200k" (API: "0-200k"). `workspace_id` null is the default
workspace. Priority tier is not in the cost report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.aggregates import cell_amount, cell_count, cell_day, named, one_row_a_slice
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, ReportedRow, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.money import EXACT
from pricing.usage import Counts, UsageError

_CENTS = Decimal("0.01")
_USAGE_COLUMN = "usage_input_tokens_no_cache"


class AdminReport:
    """Reader of Anthropic's organization reports."""

    name = "anthropic-admin"
    title = "Anthropic organization usage and cost (Admin API, console CSV)"
    recognised_by = "`starting_at` with `uncached_input_tokens` or `amount`; `usage_date_utc`"

    def identify(self, source: Source) -> float:
        """By the report's own names."""
        if source.kind in ("csv", "parquet"):
            columns = set(columns_of(source))
            known = columns & {_USAGE_COLUMN, "cost_usd"}
            return 0.95 if "usage_date_utc" in columns and known else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        buckets = [b for d in source.sample for b in _buckets(d)]
        return (
            0.95 if any(isinstance(b, JsonObject) and "starting_at" in b for b in buckets) else 0.0
        )

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One row a result; results without counts or amount are left out."""
        rows: list[ReportedRow] = []
        for line, document in rows_of(source):
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            for found in _results(document, source, line):
                if isinstance(found, ReportedRow):
                    rows.append(found)
                else:
                    yield found
        yield from one_row_a_slice(rows, context)


def _buckets(document: Any) -> list[Any]:
    if not isinstance(document, JsonObject):
        return []
    data = document.get("data")
    if isinstance(data, JsonList):
        return data
    return [document] if "starting_at" in document else []


def _results(document: Any, source: Source, line: int) -> Iterator[Result]:
    if source.kind in ("csv", "parquet"):
        yield from _row(document, cell_day(document.get("usage_date_utc")), Decimal(1), line)
        return
    buckets = _buckets(document)
    if not buckets and not (isinstance(document, JsonObject) and document.get("data") == []):
        yield Reject("no page of an organization report", line)
    for bucket in buckets:
        if not isinstance(bucket, JsonObject):
            yield Reject("a bucket that is not an object", line)
            continue
        start, end = instant(bucket.get("starting_at")), instant(bucket.get("ending_at"))
        period = None if start is None or end is None or end <= start else (start, end)
        results = bucket.get("results")
        for result in results if isinstance(results, JsonList) else ():
            if isinstance(result, JsonObject):
                yield from _row(result, period, _CENTS, line)
            else:
                yield Reject("a result that is not an object", line)


def _row(
    row: Mapping[str, Any], period: tuple[datetime, datetime] | None, unit: Decimal, line: int
) -> Iterator[Result]:
    """One result: a cost where it has an amount, else usage. `unit` is the amount's, in USD."""
    if period is None:
        yield Reject("the row states no period (starting_at and ending_at, or a date)", line)
        return
    try:
        counts = _counts(row)
        cost = cell_amount(row, "amount", "cost_usd", negative=True)
        listed = cell_amount(row, "list_amount", "list_price_usd", negative=True)
    except UsageError as error:
        yield reject(error, line)
        return
    is_cost = cost is not None or listed is not None
    if not is_cost and all(v is None for v in counts.values()):
        return
    speed = short_text(row.get("speed"))
    tier = short_text(row.get("service_tier") or row.get("usage_type"))
    currency = (short_text(row.get("currency")) or "USD").upper()
    common: dict[str, Any] = {
        "model": short_text(row.get("model") or row.get("model_version")),
        "tier": "fast" if speed == "fast" and tier != "batch" else tier,
        "region": short_text(row.get("inference_geo")),
        "project": short_text(row.get("workspace_id") or row.get("workspace")),
        "api_key": short_text(row.get("api_key_id") or row.get("api_key")),
        "tags": named(
            context_window=_window(row.get("context_window")),
            account=row.get("account_id"),
            service_account=row.get("service_account_id"),
            cost_type=row.get("cost_type"),
            description=row.get("description") if is_cost else None,
        ),
        "line": line,
    }
    if is_cost:
        yield ReportedRow(
            AdminReport.name, "anthropic", "cost", *period,
            line_item=short_text(row.get("token_type") or row.get("cost_type")),
            amount=None if cost is None else EXACT.multiply(cost, unit),
            list_amount=None if listed is None else EXACT.multiply(listed, unit),
            currency=currency, **common,
        )  # fmt: skip
    else:
        yield ReportedRow(AdminReport.name, "anthropic", "usage", *period, counts=counts, **common)


def _window(value: Any) -> str | None:
    """One word for a context window, however it is written: "≤ 200k" is the API's "0-200k"."""
    text = short_text(value)
    if text is None:
        return None
    plain = text.replace("\u202f", " ").replace("\u00a0", " ").replace(" ", "").lower()
    known = {
        "≤200k": "0-200k", "<=200k": "0-200k", ">200k": "200k-1M", "200k-1m": "200k-1M",
        "200k–1m": "200k-1M",
    }  # fmt: skip
    return known.get(plain, text)


def _counts(row: Mapping[str, Any]) -> Counts:
    """Disjoint counts; each stands beside the others already. Raises `UsageError`."""
    writes = row.get("cache_creation")
    lives: Mapping[str, Any] = writes if isinstance(writes, JsonObject) else {}
    tools = row.get("server_tool_use")
    searches = tools if isinstance(tools, JsonObject) else row
    return {
        "input_uncached": cell_count(row, "uncached_input_tokens", _USAGE_COLUMN),
        "cache_read": cell_count(row, "cache_read_input_tokens", "usage_input_tokens_cache_read"),
        "cache_write_5m": cell_count(
            {**row, **lives}, "ephemeral_5m_input_tokens", "usage_input_tokens_cache_write_5m"
        ),
        "cache_write_1h": cell_count(
            {**row, **lives}, "ephemeral_1h_input_tokens", "usage_input_tokens_cache_write_1h"
        ),
        "output_text": cell_count(row, "output_tokens", "usage_output_tokens"),
        "web_search": cell_count(searches, "web_search_requests", "web_search_count"),
    }


READER = AdminReport()
