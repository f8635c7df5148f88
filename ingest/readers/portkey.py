"""Portkey log exports (lines of JSON) and rows of its log API.

| column | becomes |
| --- | --- |
| `created_at`, `response_time` (ms) | time, latency |
| `ai_org`, `ai_model`, `request_url` | provider, model; the address knows the provider better |
| `req_units`, `res_units`, `total_units` | input, output, total |
| `cost` (US cents) | the charge as Portkey computes it |
| `response.body` (or `response`) | of it only the id, the usage, the model and the served tier |
| `is_success`, `response_status_code` | whether the call failed |
| `cache_status` | HIT and SEMANTIC HIT were answered by Portkey: no provider call |
| `metadata`, `trace_id`, `virtual_key`, `config`, `prompt_slug` | tags, session |

Arithmetic: the raw usage object of the body decides, with its API's own arithmetic; without one,
`req_units` is the whole input, in which cached tokens cannot be told: the record says so. The
currency is `cost_currency`; only USD is taken over. The key is the response's id, else the row's.

    {"created_at": "2026-01-01T00:00:00Z", "ai_org": "openai", "ai_model": "gpt-5.2",
     "req_units": 1000, "res_units": 50, "total_units": 1050, "cost": 0.245, "cost_currency": "USD"}

is 1,000 input and 50 output tokens, charged $0.00245. (Columns from Portkey's documentation of the
export; no real export was at hand.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.cells import amount, json_object, milliseconds
from ingest.readers.hosts import provider_of
from ingest.readers.makers import maker_of
from ingest.readers.parts import Parts, first, settle
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, call_key, instant, short_text, split_tags
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage, served_tier
from pricing.variants import normal_seller

_NEEDED = {"ai_org", "ai_model"}
_OWN = {"req_units", "res_units", "total_units", "cost_currency", "virtual_key", "cache_status"}
_NO_CACHE_COUNTS = "the row names no cache counts: cached tokens may be inside input"
_CACHE_MINIMUM = 1024


class Portkey:
    """Reader of Portkey's logs."""

    name = "portkey"
    title = "Portkey log exports (JSON lines)"
    recognised_by = "`ai_org` and `ai_model` beside `req_units` or `cost_currency`"

    def identify(self, source: Source) -> float:
        """By the columns, or the keys of most documents."""
        if source.kind == "csv":
            return 0.9 if _is_ours(dict.fromkeys(columns(source))) else 0.0
        if source.kind in ("json", "jsonl") and source.sample:
            found = [any(map(_is_ours, _inner(d))) for d in source.sample]
            return 0.9 * sum(found) / len(found)
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row."""
        try:
            for line, document in rows(source):
                if isinstance(document, BadLine):
                    yield reject(document, line)
                    continue
                for row in _inner(document):
                    if not _is_ours(row):
                        yield Reject("not a row of Portkey's log", line)
                        continue
                    try:
                        yield _record(row, line, context)
                    except UsageError as error:
                        yield reject(error, line)
        except UnreadableFile as error:
            yield Reject(str(error), None)


def _inner(document: Any) -> list[Any]:
    data = document.get("data") if isinstance(document, JsonObject) else None
    return data if isinstance(data, JsonList) and data and all(map(_is_ours, data)) else [document]


def _is_ours(row: Any) -> bool:
    return isinstance(row, JsonObject) and set(row) >= _NEEDED and bool(_OWN & set(row))


def _body(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The response's body, under either name."""
    if row.get("response.body") is not None:
        return json_object(row["response.body"])
    response = json_object(row.get("response"))
    return json_object(response.get("body")) or response


def _record(row: Mapping[str, Any], line: int, context: ReadContext) -> UsageRecord:
    body = _body(row)
    named = short_text(row.get("ai_model"))
    model = short_text(body.get("model")) or named
    at = provider_of(str(row.get("request_url") or ""))
    provider = (
        at or normal_seller(short_text(row.get("ai_org")) or "") or maker_of(model) or "unknown"
    )
    reading = _reading(row, body, provider)
    cost = _cost(row)
    hit = "HIT" in str(row.get("cache_status") or "").upper()
    flags = list(reading.flags)
    if hit:
        reading = Reading({"input_uncached": 0, "output_text": 0}, "portkey")
        flags, cost = ["answered from Portkey's own cache: no provider call"], None
    when = instant(row.get("created_at"))
    response_id, own = short_text(body.get("id")), short_text(row.get("id"))
    if response_id and not hit:
        key = call_key(provider, response_id)
    elif own:
        key = f"portkey:{own}"
    else:
        key = context.keys.key([str(when), model, reading.counts, row.get("trace_id")])
    dimensions, tags = split_tags(
        {
            **_metadata(row),
            "virtual_key": row.get("virtual_key"),
            "config": row.get("config"),
            "prompt": row.get("prompt_slug"),
        }
    )
    counted = any(v is not None for v in reading.counts.values())
    status = str(row.get("response_status_code") or "")
    wrong = str(row.get("is_success")).lower() in ("0", "false")
    return UsageRecord(
        call_key=key,
        occurred_at=when or context.assumed_time,
        time_assumed=when is None,
        source_format="portkey",
        provider=provider,
        model=model,
        counts=reading.counts,
        tier=served_tier(short_text(body.get("service_tier")), reading.tier),
        total_reported=reading.total_reported,
        source_cost_usd=cost,
        finality="final" if counted else "partial",
        failed=not counted and (wrong or (status.isdecimal() and int(status[:6]) >= 400)),
        latency_ms=milliseconds(row.get("response_time")),
        session=short_text(row.get("trace_id")),
        dimensions=dimensions,
        tags=tags,
        flags=flags,
        line=line,
    )


def _metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as an object, as pairs, or as the two parallel columns of the export."""
    stated = row.get("metadata")
    if isinstance(stated, JsonObject):
        names, values = stated.get("key"), stated.get("value")
        if not (isinstance(names, JsonList) and isinstance(values, JsonList)):
            return dict(stated)
    else:
        names, values = row.get("metadata.key"), row.get("metadata.value")
        if not (isinstance(names, JsonList) and isinstance(values, JsonList)):
            return dict(json_object(stated))
    return {str(k): v for k, v in zip(names, values, strict=False)}


def _reading(row: Mapping[str, Any], body: Mapping[str, Any], provider: str) -> Reading:
    raw = body.get("usage") or body.get("usageMetadata")
    if isinstance(raw, JsonObject) and raw:
        return read_usage(raw, provider)
    parts = Parts(
        input=first(row, ("req_units",)),
        output=first(row, ("res_units",)),
        total=first(row, ("total_units",)),
    )
    failed = not (parts.input or parts.output)
    if not parts.any or (failed and str(row.get("is_success")).lower() in ("0", "false")):
        return Reading({}, "portkey", flags=["the row states no usage"])
    reading = settle(parts)
    if (parts.input or 0) >= _CACHE_MINIMUM:
        reading.flags.append(_NO_CACHE_COUNTS)
    return reading


def _cost(row: Mapping[str, Any]) -> Decimal | None:
    """Portkey writes cents."""
    currency = str(row.get("cost_currency") or "USD").upper()
    found = amount(row.get("cost"))
    return found.scaleb(-2) if found is not None and currency == "USD" else None


READER = Portkey()
