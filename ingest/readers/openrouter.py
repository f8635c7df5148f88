"""OpenRouter: bodies of its three APIs, generation statistics, the activity export, daily rows.

Bodies are Chat Completions, Responses or Messages bodies with ids `gen-<Unix seconds>-…` and two
things more: `usage.cost` is what was charged in USD (-> the source's own cost, kept beside the
computed one and never added to it), `provider` names who served it (-> tag `upstream`). With
`usage.is_byok` the cost is the fee alone: the provider bills its part to the key's owner.

    {"id": "gen-1784286312-…", "provider": "OpenAI", "usage": {"prompt_tokens": 4020,
     "prompt_tokens_details": {"cache_write_tokens": 4012}, "completion_tokens": 5, "cost": 0.025}}

is 8 uncached, 4,012 written and 5 output tokens, charged 0.025 USD.

Generation statistics (`/generation`): `native_tokens_prompt`, `native_tokens_completion`,
`native_tokens_reasoning`, `native_tokens_cached` are billed; `tokens_prompt` and
`tokens_completion` count with another tokenizer, for display only. `total_cost` is the charge.

Activity CSV, one row a generation: `generation_id`, `created_at` (UTC without saying so),
`model_permaslug`, `tokens_prompt` (with `tokens_cached` inside), `tokens_completion` (with
`tokens_reasoning` inside), `cost_total`. There is no cache-write column: the charge is right where
a computed cost is not. Daily rows of the activity API are aggregates (`ReportedRow`, of usage and
of cost).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers import openai_chat, openai_responses
from ingest.readers.aggregates import cell_amount, cell_count, cell_day, named, one_row_a_slice
from ingest.readers.anthropic_messages import MessagesBody
from ingest.readers.base import (
    BodyReader,
    Envelope,
    ReadContext,
    Result,
    make_records,
    reject,
)
from ingest.readers.cells import milliseconds
from ingest.readers.hosts import provider_of
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, ReportedRow, UsageRecord, call_key, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage

_BYOK = "the charge is the gateway's fee: with a key of one's own the provider bills the rest"
_APIS: tuple[BodyReader, ...] = (openai_responses.BODY, MessagesBody(), openai_chat.BODY)


class OpenRouterBody:
    """Bodies of OpenRouter's APIs: another API's body with a charge."""

    name = "openrouter"
    order = 5

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By address, by id, or by a charge with its details."""
        usage = body.get("usage")
        ours = (
            str(body.get("id") or "").startswith("gen-")
            or envelope.provider == "openrouter"
            or (isinstance(usage, JsonObject) and "cost" in usage and "cost_details" in usage)
            or provider_of(envelope.url) == "openrouter"
        )
        return ours and any(api.matches(body, envelope) for api in _APIS)

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """The records of the API whose body it is, under this seller."""
        envelope.provider = envelope.provider or "openrouter"
        envelope.tags.setdefault("upstream", body.get("provider"))
        usage = body.get("usage")
        byok = isinstance(usage, JsonObject) and usage.get("is_byok") is True
        api = next(api for api in _APIS if api.matches(body, envelope))
        for record in api.records(body, envelope, context):
            if isinstance(record, UsageRecord):
                record.source_format = self.name
                if byok:
                    record.tags["byok"] = "true"
                    record.flags.append(_BYOK)
            yield record


class OpenRouterExport:
    """Reader of generation statistics, the activity CSV and daily activity rows."""

    name = "openrouter-activity"
    title = "OpenRouter generation statistics, activity CSV, daily activity"
    recognised_by = "`native_tokens_prompt`, or columns `generation_id` and `cost_total`"

    def identify(self, source: Source) -> float:
        """By column names no other export has."""
        if source.kind == "csv":
            columns = set(columns_of(source))
            if "generation_id" in columns and "cost_total" in columns:
                return 0.97
            return 0.95 if columns >= _DAILY else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        rows = [r for d in source.sample for r in _rows(d)]
        known = any(_is_statistics(r) or _is_daily(r) for r in rows)
        return 0.95 if known else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """A record a generation; aggregates of a day where rows are daily."""
        if source.kind in ("csv", "parquet"):
            documents: Iterator[tuple[int, Any]] = rows_of(source)
        else:
            documents = ((n, r) for n, d in source.documents() for r in _rows(d))
        days: list[ReportedRow] = []
        for line, row in documents:
            if isinstance(row, BadLine):
                yield reject(row, line)
            elif not isinstance(row, JsonObject):
                yield Reject("not a JSON object", line)
            else:
                try:
                    for result in _row(row, line, context):
                        if isinstance(result, ReportedRow):
                            days.append(result)
                        else:
                            yield result
                except UsageError as error:
                    yield reject(error, line)
        yield from one_row_a_slice(days, context)


_DAILY = {"date", "model_permaslug", "requests", "usage", "prompt_tokens"}


def _rows(document: Any) -> list[Any]:
    """The rows of an answer: `data` holds one or a list of them."""
    if isinstance(document, JsonObject) and "data" in document and len(document) <= 4:
        data = document["data"]
        return data if isinstance(data, JsonList) else [data]
    return [document]


def _is_statistics(row: Any) -> bool:
    return isinstance(row, JsonObject) and "native_tokens_prompt" in row


def _is_daily(row: Any) -> bool:
    return isinstance(row, JsonObject) and set(row) >= _DAILY


def _row(row: Mapping[str, Any], line: int, context: ReadContext) -> Iterator[Result]:
    if _is_statistics(row):
        yield from _generation(row, line, context, "native_tokens_", "total_cost")
    elif "generation_id" in row:
        yield from _generation(row, line, context, "tokens_", "cost_total")
    elif _is_daily(row):
        yield from _daily(row, line)
    else:
        yield Reject("neither a generation nor a day of activity", line)


def _generation(
    row: Mapping[str, Any], line: int, context: ReadContext, prefix: str, cost: str
) -> Iterator[Result]:
    """One generation: `prefix` and `cost` are the columns that were billed."""
    usage = {
        "prompt_tokens": cell_count(row, f"{prefix}prompt"),
        "completion_tokens": cell_count(row, f"{prefix}completion"),
        "prompt_tokens_details": {"cached_tokens": cell_count(row, f"{prefix}cached")},
        "completion_tokens_details": {"reasoning_tokens": cell_count(row, f"{prefix}reasoning")},
    }
    reading = read_usage(usage, "openrouter")
    reading.cost_usd = cell_amount(row, cost)
    if reading.cost_usd is None and cost == "total_cost":
        reading.cost_usd = cell_amount(row, "usage")
    generation = short_text(row.get("generation_id") or row.get("id"))
    model = short_text(row.get("model_permaslug") or row.get("model"))
    variant = short_text(row.get("variant"))
    if model and variant == "free" and ":" not in model:
        model += ":free"  # the export names the paid model
    byok = str(row.get("is_byok")).lower() == "true" or bool(
        cell_amount(row, "byok_usage_inference")
    )
    if byok:
        reading.flags.append(_BYOK)
    tags = {
        "upstream": row.get("provider_name"),
        "api_key": row.get("api_key_name"),
        "app": row.get("app_name"),
        "user": row.get("user"),
        "variant": None if variant == "standard" else variant,
        "byok": True if byok else None,
    }
    # The activity export measures the generation, the statistics count it from its start.
    latency = milliseconds(row.get("generation_time_ms", row.get("generation_time")))
    yield from make_records(
        reading,
        Envelope(
            line,
            time=instant(row.get("created_at")),
            key=call_key("openrouter", generation) if generation else None,
            provider="openrouter",
            latency_ms=latency,
            tags=tags,
        ),
        context,
        source_format=OpenRouterExport.name,
        provider="openrouter",
        model=model,
        response_id=None,
        tier=short_text(row.get("service_tier")),
        failed=str(row.get("cancelled")).lower() == "true",
        content=dict(row),
    )


def _daily(row: Mapping[str, Any], line: int) -> Iterator[Result]:
    days = cell_day(row.get("date"))
    if days is None:
        yield Reject(f"date = {short_text(row.get('date'))!r} is not a day", line)
        return
    reading: Reading = read_usage(
        {
            "prompt_tokens": cell_count(row, "prompt_tokens"),
            "completion_tokens": cell_count(row, "completion_tokens"),
            "completion_tokens_details": {"reasoning_tokens": cell_count(row, "reasoning_tokens")},
        },
        "openrouter",
    )
    tags = named(upstream=row.get("provider_name"), endpoint=row.get("endpoint_id"))
    requests = cell_count(row, "requests")
    model = short_text(row.get("model_permaslug"))
    fee, own = cell_amount(row, "usage"), cell_amount(row, "byok_usage_inference")
    yield ReportedRow(
        OpenRouterExport.name, "openrouter", "usage", *days, counts=reading.counts,
        requests=requests, model=model, tags=tags, line=line,
    )  # fmt: skip
    for item, amount in (("usage", fee), ("byok_usage_inference", own)):
        if amount:
            yield ReportedRow(
                OpenRouterExport.name, "openrouter", "cost", *days, model=model,
                line_item=item, amount=amount, tags=tags, line=line,
            )  # fmt: skip


BODY = OpenRouterBody()
READER = OpenRouterExport()
