"""Helicone request exports: lines of JSON, a JSON array, CSV. No real export was at hand: the field
list is Helicone's published one, and every reading below that the list leaves open is flagged.

Fields read: `request_id`, `response_id`, `request_created_at`, `response_status`, `delay_ms`,
`model_override` / `response_model` / `request_model`, `provider`, `prompt_tokens`,
`completion_tokens`, `total_tokens`, `prompt_cache_read_tokens`, `prompt_cache_write_tokens`,
`prompt_audio_tokens`, `completion_audio_tokens`, `costUSD` or `cost`, `request_user_id`,
`request_properties`, `cache_reference_id`; and of a `response_body` only its id and usage.

Arithmetic: a raw usage object in the body decides; else the total does; else the provider's own
(Anthropic and Bedrock beside, others inside), flagged. `cost` as a whole number is ClickHouse's
billionths of a dollar. A row that Helicone answered from its cache is no provider call: zero.

    {"request_id": "…", "provider": "ANTHROPIC", "prompt_tokens": 3, "total_tokens": 9123,
     "prompt_cache_read_tokens": 9000, "completion_tokens": 120, "cost": 4570000}

is 3 uncached, 9,000 cached and 120 output tokens, charged $0.00457.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result
from ingest.readers.cells import amount, json_object, milliseconds
from ingest.readers.makers import maker_of
from ingest.readers.parts import Parts, first, settle
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, call_key, instant, short_text, split_tags
from pricing.json_types import JsonObject
from pricing.usage import Reading, UsageError, read_usage
from pricing.variants import normal_seller

_NEEDED = {"request_id", "request_created_at"}
_OWN = {"response_id", "request_model", "response_model", "request_user_id", "request_properties"}
_NO_CACHE = ("", "00000000-0000-0000-0000-000000000000", "DEFAULT")
_BILLION = Decimal(10) ** 9


def _is_ours(row: Any) -> bool:
    return isinstance(row, JsonObject) and set(row) >= _NEEDED and len(_OWN & set(row)) >= 2


class Helicone:
    """Reader of Helicone request rows."""

    name = "helicone"
    title = "Helicone request exports (JSON, JSON lines, CSV)"
    recognised_by = "request_id, request_created_at and Helicone's own columns"

    def identify(self, source: Source) -> float:
        """By the columns, or by the keys of most documents."""
        if source.kind == "csv":
            names = set(columns(source))
            return 0.9 if names >= _NEEDED and len(names & _OWN) >= 2 else 0.0
        if source.kind in ("json", "jsonl") and source.sample:
            return 0.9 * sum(map(_is_ours, source.sample)) / len(source.sample)
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row."""
        try:
            for line, row in rows(source):
                if isinstance(row, BadLine):
                    yield Reject(row.reason, line)
                elif not _is_ours(row):
                    keys = ", ".join(sorted(map(str, row))[:8])
                    yield Reject(f"not a Helicone request row (keys: {keys})", line)
                else:
                    try:
                        yield _record(row, line, context)
                    except UsageError as error:
                        yield Reject(str(error), line)
        except UnreadableFile as error:
            yield Reject(str(error), None)


def _record(row: Mapping[str, Any], line: int, context: ReadContext) -> UsageRecord:
    body = json_object(row.get("response_body"))
    model = next(
        (
            m
            for n in ("response_model", "model_override", "request_model", "model")
            if (m := short_text(row.get(n)))
        ),
        None,
    )
    provider = normal_seller(short_text(row.get("provider")) or "") or maker_of(model) or "unknown"
    if provider == "custom":
        provider = maker_of(model) or "custom"
    reading = _reading(row, body, provider)
    cost, flag = _cost(row)
    flags = [*reading.flags, *([flag] if flag else [])]
    cached = str(row.get("cache_reference_id") or "") not in _NO_CACHE or (
        str(row.get("cache_hit") or "").lower() == "true"
    )
    if cached:
        reading = Reading({"input_uncached": 0, "output_text": 0}, "helicone")
        flags = ["answered from Helicone's own cache: no provider call"]
    start = instant(row.get("request_created_at"))
    response_id = short_text(body.get("id"))
    own = short_text(row.get("request_id"))
    if response_id and not cached:
        key = call_key(provider, response_id)
    else:
        key = f"helicone:{own}" if own else context.keys.key([str(start), model, reading.counts])
    properties = dict(json_object(row.get("request_properties") or row.get("properties")))
    session = next(
        (short_text(properties.pop(k)) for k in list(properties) if k.lower() in _SESSION), None
    )
    dimensions, tags = split_tags({**properties, "user": row.get("request_user_id")})
    counted = any(v is not None for v in reading.counts.values())
    status = str(row.get("response_status") or row.get("status") or "")
    return UsageRecord(
        call_key=key,
        occurred_at=start or context.assumed_time,
        time_assumed=start is None,
        source_format="helicone",
        provider=provider,
        model=model,
        counts=reading.counts,
        tier=short_text(body.get("service_tier")) or reading.tier,
        total_reported=reading.total_reported,
        source_cost_usd=cost,
        finality="final" if counted else "partial",
        failed=not counted and status.isdecimal() and int(status[:6]) >= 400,
        latency_ms=milliseconds(row.get("delay_ms")),
        session=session,
        dimensions=dimensions,
        tags=tags,
        flags=flags,
        line=line,
    )


_SESSION = ("helicone-session-id", "session_id", "session")


def _reading(row: Mapping[str, Any], body: Mapping[str, Any], provider: str) -> Reading:
    raw = body.get("usage") or body.get("usageMetadata")
    if isinstance(raw, JsonObject) and raw:
        return read_usage(raw, provider)
    parts = Parts(
        input=first(row, ("prompt_tokens",)),
        output=first(row, ("completion_tokens",)),
        total=first(row, ("total_tokens",)),
        cached=first(row, ("prompt_cache_read_tokens",)),
        written=first(row, ("prompt_cache_write_tokens",)),
        reasoning=first(row, ("reasoning_tokens", "completion_reasoning_tokens")),
    )
    audio_in = first(row, ("prompt_audio_tokens",))
    audio_out = first(row, ("completion_audio_tokens",))
    if audio_in is not None:
        parts.input_media["audio"] = audio_in
    if audio_out is not None:
        parts.output_media["audio"] = audio_out
    if not parts.any:
        return Reading({}, "helicone", flags=["the row states no usage"])
    return settle(parts, cache_inside=provider not in ("anthropic", "bedrock"), doubtful=True)


def _cost(row: Mapping[str, Any]) -> tuple[Decimal | None, str]:
    for name in ("costUSD", "cost_usd", "cost"):
        value = row.get(name)
        found = amount(value)
        if found is None:
            continue
        if name == "cost" and found and str(value).strip().isdecimal():
            return found / _BILLION, "cost read as billionths of a dollar"
        return found, ""
    return None, ""


READER = Helicone()
