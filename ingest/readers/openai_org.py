"""OpenAI organization usage and costs: API pages, dashboard CSVs; the batch object's totals.

All of these are aggregates: `ReportedRow`s that serve reconciliation and never become calls.

Pages: `data[]` buckets {start_time, end_time (Unix seconds, end exclusive), results[]}; a result's
`object` names its kind (organization.usage.completions.result, …, organization.costs.result).
Usage arithmetic: `input_tokens` includes cached and cache-write tokens, `input_uncached_tokens`
excludes both, audio and image counts are parts of the uncached ones, `input_cached_audio_tokens`
and `…image…` parts of the cached ones. A dimension is null unless the report was grouped by it.

    input 1,000 = uncached 500 (text 400, audio 50, image 50) + cached 400 (text 300, audio 50,
    image 50) + written 100

Costs: `amount` {value, currency}, `line_item`, `quantity`. In the CSVs the Unix columns are the
time: rows with an amount write their ISO time without an offset. Counts are written as floats,
amounts with up to 36 decimals, empty buckets as rows of blanks. `user_email` is not read.

The batch object (`object` = batch) has totals of its lines since September 2025: one row of usage
tagged with the batch id, a check of the lines and never added to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.aggregates import cell_amount, cell_count, named, one_row_a_slice
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, ReportedRow, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Counts, UsageError, read_usage

_USAGE_COLUMNS = {"num_model_requests", "input_tokens"}
_COST_COLUMNS = {"amount_value", "amount_currency"}
_BLANK_EXPORT = {"start_time", "end_time", "start_time_iso", "end_time_iso"}


class OrganizationReport:
    """Reader of OpenAI's organization usage and cost reports."""

    name = "openai-org"
    title = "OpenAI organization usage and costs (API pages, dashboard CSV), batch objects"
    recognised_by = "buckets of organization.…result, or the dashboard's columns"

    def identify(self, source: Source) -> float:
        """By the result's `object`, or the CSV's columns."""
        if source.kind in ("csv", "parquet"):
            columns = set(columns_of(source))
            if "start_time" not in columns:
                return 0.0
            if columns & {"amount_value"} or columns >= _USAGE_COLUMNS:
                return 0.95
            return 0.9 if columns == _BLANK_EXPORT else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        known = any(_is_page(d) or any(map(_is_batch, _batches(d))) for d in source.sample)
        return 0.95 if known else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One row a result; blank buckets are left out."""
        rows: list[ReportedRow] = []
        for line, document in rows_of(source):
            if isinstance(document, BadLine):
                yield reject(document, line)
            elif source.kind in ("csv", "parquet"):
                yield from _sort(_csv_row(document, line), rows)
            elif any(map(_is_batch, _batches(document))):
                for batch in filter(_is_batch, _batches(document)):
                    yield from _sort(_batch(batch, line, context), rows)
            elif _is_page(document):
                if document.get("has_more") is True:
                    context.notes.append("the report goes on: this file is not its last page")
                for bucket in _buckets(document):
                    yield from _sort(_bucket(bucket, line), rows)
            else:
                yield Reject("neither a page of buckets nor a batch object", line)
        yield from one_row_a_slice(rows, context)


def _sort(results: Iterator[Result], rows: list[ReportedRow]) -> Iterator[Result]:
    """Hold the rows back until the slices of the whole file are known; let rejects through."""
    for result in results:
        if isinstance(result, ReportedRow):
            rows.append(result)
        else:
            yield result


def _is_page(document: Any) -> bool:
    return any(
        str(r.get("object") or "").startswith("organization.")
        for bucket in _buckets(document)
        for r in _list(bucket, "results")
        if isinstance(r, JsonObject)
    ) or (
        isinstance(document, JsonObject)
        and (document.get("object") == "page" or document.get("object") == "bucket")
        and any(isinstance(b, JsonObject) and "start_time" in b for b in _buckets(document))
    )


def _is_batch(document: Any) -> bool:
    return (
        isinstance(document, JsonObject)
        and document.get("object") == "batch"
        and "completion_window" in document
    )


def _batches(document: Any) -> list[Any]:
    """A batch object, or those of a list of them."""
    return _list(document, "data") or [document]


def _list(parent: Any, name: str) -> list[Any]:
    value = parent.get(name) if isinstance(parent, JsonObject) else None
    return value if isinstance(value, JsonList) else []


def _buckets(document: Any) -> list[Any]:
    """The buckets of a page; a bucket may also stand alone."""
    if isinstance(document, JsonObject) and document.get("object") == "bucket":
        return [document]
    return _list(document, "data")


def _period(start: Any, end: Any) -> tuple[datetime, datetime] | None:
    first, last = instant(start), instant(end)
    return None if first is None or last is None or last <= first else (first, last)


def _bucket(bucket: Any, line: int) -> Iterator[Result]:
    results = _list(bucket, "results") or _list(bucket, "result")
    if not results:
        return
    period = _period(bucket.get("start_time"), bucket.get("end_time"))
    if period is None:
        yield Reject("a bucket without start_time and end_time", line)
        return
    for result in results:
        if isinstance(result, JsonObject):
            yield from _result(result, period, str(result.get("object") or ""), line)
        else:
            yield Reject("a result that is not an object", line)


def _csv_row(row: Mapping[str, Any], line: int) -> Iterator[Result]:
    if all(not short_text(v) for k, v in row.items() if k not in _BLANK_EXPORT):
        return
    period = _period(row.get("start_time"), row.get("end_time"))
    if period is None:
        yield Reject("no start_time and end_time in Unix seconds", line)
        return
    yield from _result(row, period, "", line)


def _result(
    row: Mapping[str, Any], period: tuple[datetime, datetime], kind: str, line: int
) -> Iterator[Result]:
    try:
        if "amount" in row or "amount_value" in row:
            found = _cost(row, period, line)
        else:
            found = _usage(row, period, kind, line)
    except UsageError as error:
        yield reject(error, line)
        return
    if found is not None:
        yield found


def _cost(
    row: Mapping[str, Any], period: tuple[datetime, datetime], line: int
) -> ReportedRow | None:
    """A cost, credits included; None for a row that states no amount."""
    inner = row.get("amount")
    place = inner if isinstance(inner, JsonObject) else row
    amount = cell_amount(place, "value", "amount_value", negative=True)
    if amount is None:
        return None
    currency = short_text(place.get("currency") or row.get("amount_currency")) or "usd"
    return ReportedRow(
        OrganizationReport.name,
        "openai",
        "cost",
        *period,
        line_item=short_text(row.get("line_item")),
        amount=amount,
        currency=currency.upper(),
        project=short_text(row.get("project_id")),
        api_key=short_text(row.get("api_key_id")),
        tags=named(
            user=row.get("user_id"),
            organization=row.get("organization_id"),
            api_source=row.get("api_source"),
            quantity_unit=row.get("quantity_unit"),
        ),
        line=line,
    )


_MEASURED = (
    "input_tokens", "output_tokens", "num_model_requests", "images", "characters", "seconds",
    "usage_bytes", "num_sessions", "num_requests",
)  # fmt: skip


def _usage(
    row: Mapping[str, Any], period: tuple[datetime, datetime], kind: str, line: int
) -> ReportedRow | None:
    if not any(short_text(row.get(name)) for name in _MEASURED):
        return None
    batch = str(row.get("batch")).lower() == "true"
    counts = _counts(row)
    what = kind.removeprefix("organization.usage.").removesuffix(".result")
    if what == "web_searches":
        counts["web_search"] = cell_count(row, "num_requests")
    if what == "file_searches":
        counts["file_search"] = cell_count(row, "num_requests")
    # A model that is billed by tokens states both; its price tells which of them counts.
    if counts.get("input_uncached") is None:
        counts["audio_seconds"] = cell_count(row, "seconds")
        counts["characters"] = cell_count(row, "characters")
    return ReportedRow(
        OrganizationReport.name,
        "openai",
        "usage",
        *period,
        counts=counts,
        requests=cell_count(row, "num_model_requests", "num_requests"),
        model=short_text(row.get("model")),
        tier="batch" if batch else short_text(row.get("service_tier")),
        # In a CSV only the file's name says which usage it is; completions need no word.
        line_item=what if what not in ("", "completions") else None,
        project=short_text(row.get("project_id")),
        api_key=short_text(row.get("api_key_id")),
        tags=named(
            user=row.get("user_id"),
            api_source=row.get("api_source"),
            source=row.get("source"),
            size=row.get("size"),
        ),
        line=line,
    )


def _counts(row: Mapping[str, Any]) -> Counts:
    """Disjoint counts of a usage result. Raises `UsageError` where parts exceed their whole."""

    def get(*names: str) -> int | None:
        return cell_count(row, *names)

    whole, cached = get("input_tokens"), get("input_cached_tokens")
    written = get("input_cache_write_tokens")
    lives = {
        f"cache_write_{life}": get(f"input_cache_write_{life}_tokens") for life in ("30m", "12h")
    }
    split = sum(v or 0 for v in lives.values())
    if split > (written if written is not None else split):
        raise UsageError(f"cache writes by lifetime ({split}) above their total ({written})")
    unknown = None if written is None else written - split
    written = written if written is not None else (split or None)
    uncached = get("input_uncached_tokens")
    if uncached is None and whole is not None:
        uncached = whole - (cached or 0) - (written or 0)
        if uncached < 0:
            raise UsageError(f"cached and written input tokens above input_tokens ({whole})")
    counts: Counts = {
        "cache_write_unknown": None if unknown == 0 and split else unknown,
        **lives,
    }
    audio, image = get("input_audio_tokens"), get("input_image_tokens")
    _part(counts, "input_uncached", uncached, {"input_audio": audio, "input_image": image})
    _part(
        counts,
        "cache_read",
        cached,
        {
            "cache_read_audio": get("input_cached_audio_tokens"),
            "cache_read_image": get("input_cached_image_tokens"),
        },
    )
    _part(
        counts,
        "output_text",
        get("output_tokens"),
        {"output_audio": get("output_audio_tokens"), "output_image": get("output_image_tokens")},
    )
    return counts


def _part(counts: Counts, name: str, whole: int | None, media: Mapping[str, int | None]) -> None:
    """The text of a count and its media beside it; media that do not fit are left in the text."""
    inside = sum(v or 0 for v in media.values())
    if whole is None or inside > whole:
        counts[name] = whole
        return
    counts[name] = whole - inside
    counts.update({k: v for k, v in media.items() if v})


def _batch(document: Mapping[str, Any], line: int, context: ReadContext) -> Iterator[Result]:
    usage, batch_id = document.get("usage"), short_text(document.get("id"))
    start = document.get("created_at")
    end = next(
        (document[n] for n in ("completed_at", "cancelled_at", "expired_at", "expires_at")
         if document.get(n) is not None), None,
    )  # fmt: skip
    if not isinstance(usage, JsonObject):
        context.notes.append(f"batch {batch_id or '?'} states no usage: import its output file")
        return
    period = _period(start, end)
    if period is None:
        yield Reject(f"batch {batch_id or '?'} states no created_at and completed_at", line)
        return
    requests = document.get("request_counts")
    try:
        counts = read_usage(usage, "openai").counts
        done = cell_count(requests, "completed") if isinstance(requests, JsonObject) else None
    except UsageError as error:
        yield reject(error, line, usage)
        return
    yield ReportedRow(
        OrganizationReport.name,
        "openai",
        "usage",
        *period,
        counts=counts,
        requests=done,
        model=short_text(document.get("model")),
        tier="batch",
        line_item="batch",
        tags=named(batch_id=batch_id, endpoint=document.get("endpoint")),
        line=line,
    )


READER = OrganizationReport()
