"""Azure: the API gateway's log of LLM calls (`ApiManagementGatewayLlmLog`).

Bodies and streams of Azure OpenAI are OpenAI's with content filter results added; `openai_chat`
reads them and knows them by those. The gateway's log has rows instead, as JSON lines (diagnostic
export, fields under `properties`), as the tables a workspace query returns, or as the portal's CSV
(`TimeGenerated [UTC]`): `TimeGenerated` -> time, `CorrelationId` -> key, `ModelName` else
`DeploymentName` -> model, `PromptTokens`, `CompletionTokens`, `TotalTokens`, `Region`,
`ApiVersion`, `OperationName`.

There are no cached and no reasoning counts: what is computed is the price without cache, and every
record says so. A large call is split over rows with one `CorrelationId`: they are one call, and its
counts are the largest any row states, since rows repeat them or leave them empty.

    TimeGenerated [UTC],CorrelationId,ModelName,PromptTokens,CompletionTokens,TotalTokens
    2026-02-03T10:00:00Z,c1,gpt-4.1,1200,80,1280
    2026-02-03T10:00:00Z,c1,gpt-4.1,1200,80,1280

is one call of 1,200 input and 80 output tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.aggregates import cell_count
from ingest.readers.base import Envelope, ReadContext, Result, known_total, make_records, reject
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, UsageRecord, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import UsageError, read_usage

_NEEDED = {"correlationid", "prompttokens", "completiontokens"}
_ZONE = re.compile(r"\s*\[(?:UTC|Local Time)\]$")
_NO_COUNTS = (
    "Azure's diagnostic log (category {}) states no token counts: switch on the LLM log of the API "
    "Management gateway, or import the bodies"
)
_DIAGNOSTIC = ("RequestResponse", "Audit", "Trace", "AzureOpenAIRequestUsage")
_FLAG = "the gateway's log has no cached counts: input is taken as uncached"
_SPLIT = "rows of this call state different counts: the largest are used"


class GatewayLog:
    """Reader of the Azure API Management gateway's LLM log."""

    name = "azure-gateway"
    title = "Azure API Management gateway LLM log (JSON lines, query result, CSV)"
    recognised_by = "`CorrelationId`, `PromptTokens` and `CompletionTokens` in a row"

    def identify(self, source: Source) -> float:
        """By the columns of the table."""
        if source.kind in ("csv", "parquet"):
            return 0.95 if set(map(_name, columns_of(source))) >= _NEEDED else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        rows = [r for d in source.sample for r in _rows(d) if r is not None]
        if any(set(r) >= _NEEDED for r in rows):
            return 0.95
        return 0.5 if any(_uncounted(r) for r in rows) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a `CorrelationId`."""
        calls: dict[str, UsageRecord] = {}
        for line, document in rows_of(source):
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            for row in _rows(document):
                if row is None:
                    yield Reject("not a row of the gateway's log", line)
                    continue
                if not set(row) >= _NEEDED and (category := _uncounted(row)):
                    yield Reject(_NO_COUNTS.format(category), line)
                    continue
                try:
                    found = _record(row, line, context)
                except UsageError as error:
                    yield reject(error, line)
                    continue
                if found is not None:
                    _keep(calls, found)
        yield from calls.values()


def _name(column: str) -> str:
    return _ZONE.sub("", column.strip()).lower()


def _uncounted(row: Mapping[str, Any]) -> str | None:
    """The category of a row of Azure OpenAI's own diagnostic log, which counts no tokens."""
    category = row.get("category")
    ours = "resourceid" in row or "_resourceid" in row or "modeldeploymentname" in row
    return str(category) if category in _DIAGNOSTIC and ours else None


def _rows(document: Any) -> Iterator[dict[str, Any] | None]:
    """Rows of a document with lower-cased names: itself, its `properties`, or a query's tables."""
    if not isinstance(document, JsonObject):
        yield None
        return
    for wrapping in ("tables", "records"):
        inner = document.get(wrapping)
        if isinstance(inner, JsonList):
            for table in inner:
                yield from _table(table) if wrapping == "tables" else _rows(table)
            return
    properties = document.get("properties")
    row = {_name(str(k)): v for k, v in document.items()}
    if isinstance(properties, JsonObject):
        row |= {_name(str(k)): v for k, v in properties.items()}
    yield row


def _table(table: Any) -> Iterator[dict[str, Any] | None]:
    columns = table.get("columns") if isinstance(table, JsonObject) else None
    rows = table.get("rows") if isinstance(table, JsonObject) else None
    if not isinstance(columns, JsonList) or not isinstance(rows, JsonList):
        yield None
        return
    names = [_name(str(c.get("name") if isinstance(c, JsonObject) else c)) for c in columns]
    for row in rows:
        whole = isinstance(row, JsonList) and len(row) == len(names)
        yield dict(zip(names, row, strict=True)) if whole else None


def _record(row: Mapping[str, Any], line: int, context: ReadContext) -> UsageRecord | None:
    """One row's record, or None for a row without counts. Raises `UsageError`."""
    usage = {
        "prompt_tokens": cell_count(row, "prompttokens"),
        "completion_tokens": cell_count(row, "completiontokens"),
        "total_tokens": cell_count(row, "totaltokens"),
    }
    if usage["prompt_tokens"] is None and usage["completion_tokens"] is None:
        return None
    reading = read_usage(usage, "azure")
    reading.flags.append(_FLAG)
    correlation = short_text(row.get("correlationid"))
    deployment = short_text(row.get("deploymentname"))
    tags = {
        "deployment": deployment,
        "operation": row.get("operationname"),
        "azure_region": row.get("region") or row.get("location"),
    }
    envelope = Envelope(
        line,
        time=instant(row.get("timegenerated") or row.get("time") or row.get("timestamp")),
        key=f"azure-gateway:{correlation}" if correlation else None,
        tags=tags,
    )
    records = make_records(
        reading,
        envelope,
        context,
        source_format=GatewayLog.name,
        provider="azure",
        model=short_text(row.get("modelname")) or deployment,
        response_id=None,
        content=[str(envelope.time), deployment, usage],
    )
    return next(iter(records))


def _keep(calls: dict[str, UsageRecord], found: UsageRecord) -> None:
    known = calls.get(found.call_key)
    if known is None:
        calls[found.call_key] = found
    elif known.counts != found.counts:
        better = max(known, found, key=lambda r: known_total(r.counts))
        if _SPLIT not in better.flags:
            better.flags.append(_SPLIT)
        calls[found.call_key] = better


READER = GatewayLog()
