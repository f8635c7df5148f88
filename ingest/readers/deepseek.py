"""DeepSeek's platform export: `amount-*.csv` and `cost-*.csv`, also inside the ZIP they come in.

Both are aggregates (`ReportedRow`). An amount row names one count of one model, key and period:
`type` is input_cache_hit_tokens, input_cache_miss_tokens, output_tokens or request_count, `amount`
how many; rows of one slice are put together. Arithmetic: hits and misses are disjoint, their sum
is the input. A cost row has `cost`, `currency` (CNY or USD) and the wallet it was paid from.

    model,type,amount
    deepseek-chat,input_cache_hit_tokens,64
    deepseek-chat,input_cache_miss_tokens,36
    deepseek-chat,output_tokens,9

is one row of 36 uncached, 64 cached and 9 output tokens. Keys are named by `api_key_name`; the
masked `api_key` is not read.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ingest.files import ZIP, BadLine, Source, look_at_bytes
from ingest.readers.aggregates import cell_amount, cell_count, named, one_row_a_slice
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, ReportedRow, instant, short_text
from pricing.usage import UsageError

_METERS = {
    "input_cache_hit_tokens": "cache_read",
    "input_cache_miss_tokens": "input_uncached",
    "output_tokens": "output_text",
}

_LARGEST = 256 * 1024 * 1024


class PlatformExport:
    """Reader of DeepSeek's usage export."""

    name = "deepseek-export"
    title = "DeepSeek platform export (amount and cost CSV, or their ZIP)"
    recognised_by = "columns `type` and `amount`, or `wallet_type` and `cost`"

    def identify(self, source: Source) -> float:
        """By the columns; a ZIP by the names of its members."""
        if source.head.startswith(ZIP):
            return 0.9 if next(_members(source), None) is not None else 0.0
        if source.kind != "csv":
            return 0.0
        columns = set(columns_of(source))
        amounts = columns >= {"start_time_iso", "model", "type", "amount"}
        costs = columns >= {"start_time_iso", "wallet_type", "cost"}
        return 0.95 if amounts or costs else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One usage row and one cost row a slice."""
        tables = list(_members(source)) if source.head.startswith(ZIP) else [source]
        if not tables:
            yield Reject("no amount-….csv and no cost-….csv in the archive")
        usage: dict[str, ReportedRow] = {}
        costs: list[ReportedRow] = []
        for table in tables:
            for line, row in rows_of(table):
                if isinstance(row, BadLine):
                    yield reject(row, line)
                    continue
                try:
                    _take(row, line, usage, costs)
                except UsageError as error:
                    yield reject(error, line)
        yield from usage.values()
        yield from one_row_a_slice(costs, context)


def _members(source: Source) -> Iterator[Source]:
    """The tables of a ZIP; nothing where it is damaged or holds others."""
    try:
        with source.open() as stream, zipfile.ZipFile(io.BytesIO(stream.read(_LARGEST))) as archive:
            for member in archive.infolist():
                name = member.filename.rsplit("/", 1)[-1]
                known = name.startswith(("amount-", "cost-")) and name.endswith(".csv")
                if known and member.file_size <= _LARGEST:
                    yield look_at_bytes(archive.read(member), name)
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError):
        return


def _take(
    row: Mapping[str, Any], line: int, usage: dict[str, ReportedRow], costs: list[ReportedRow]
) -> None:
    """Put one row where it belongs. Raises `UsageError` for a row that cannot be."""
    common: dict[str, Any] = {
        "model": short_text(row.get("model")),
        "api_key": short_text(row.get("api_key_name")),
        "line": line,
    }
    start, end = _period(row)
    if "cost" in row:
        amount = cell_amount(row, "cost", negative=True)
        if amount is None:
            return
        currency = (short_text(row.get("currency")) or "USD").upper()
        tags = named(user=row.get("user_id"), wallet=row.get("wallet_type"))
        costs.append(
            ReportedRow(
                PlatformExport.name, "deepseek", "cost", start, end, amount=amount,
                currency=currency, tags=tags, **common,
            )
        )  # fmt: skip
        return
    kind, value = short_text(row.get("type")), cell_count(row, "amount")
    if value is None:
        return
    if kind not in _METERS and kind != "request_count":
        raise UsageError(f"type = {kind!r} is no count this reader knows")
    fresh = ReportedRow(
        PlatformExport.name, "deepseek", "usage", start, end,
        tags=named(user=row.get("user_id")), **common,
    )  # fmt: skip
    whole = usage.setdefault(fresh.slice_key, fresh)
    if kind == "request_count":
        whole.requests = (whole.requests or 0) + value
    else:
        meter = _METERS[str(kind)]
        whole.counts[meter] = (whole.counts.get(meter) or 0) + value


def _period(row: Mapping[str, Any]) -> tuple[datetime, datetime]:
    start, end = instant(row.get("start_time_iso")), instant(row.get("end_time_iso"))
    if start is None:
        raise UsageError("start_time_iso is not a time")
    if end is None or end <= start:
        end = start + timedelta(days=1)
    return start, end


READER = PlatformExport()
