"""LiteLLM: spend-log rows (JSON lines, CSV) and standard logging payloads (callbacks, webhooks).

| record | spend-log row | payload |
| --- | --- | --- |
| id | `request_id`, decoded | `id`, decoded |
| time, latency | `startTime`, `request_duration_ms` | `startTime`, `response_time` in s |
| model | `model` without its provider prefix; for Azure the base model in `metadata` | the same |
| provider | `api_base` where known, else `custom_llm_provider` | the same |
| counts | `metadata.usage_object` | the same, else `response.usage` |
| charge | `spend` (null: unpriced there, stays None) | `response_cost` |
| team, customer, project | `team_id`, `end_user`, project alias of the key | `metadata.…` |
| tags | `user`, `organization_id`, key alias, `request_tags` ("name:value" is split) | the same |

Arithmetic: `prompt_tokens` includes cache reads and writes for every provider, Anthropic too; the
details are only in the usage object. Responses ids are rewritten as `resp_` + base64 of
"litellm:custom_llm_provider:…;model_id:…;response_id:resp_…": the provider's id inside is the key,
so the proxy's row and the SDK's span are one call. A row with no tokens and no cost is a stream
without usage: uncounted, not free. A `cache_hit` row was answered by LiteLLM itself: the provider
billed nothing, so its counts are zero. A `<batch id>_batch_cost` row is the sum of a batch.

    {"request_id": "chatcmpl-…", "custom_llm_provider": "anthropic", "prompt_tokens": 9803,
     "metadata": {"usage_object": {"prompt_tokens": 9803, "cache_read_input_tokens": 9000,
                                   "cache_creation_input_tokens": 800, …}}}

is 3 uncached, 9,000 cached and 800 written tokens.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result
from ingest.readers.cells import amount, json_list, json_object, milliseconds
from ingest.readers.hosts import provider_of, region_of
from ingest.readers.parts import number
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, call_key, instant, short_text, split_tags
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage, shown, total_input, total_output
from pricing.variants import normal_seller

_ROW = {"request_id", "call_type", "spend"}
_PAYLOAD = {"call_type", "response_cost", "model"}
_BATCH = re.compile(r"^(.*?)_batch_cost$")
_HIT = re.compile(r"_cache_hit[\d.]*$")
_SHORT = 16
# Calls of the proxy's own interface that reach no model.
_NO_MODEL = ("file", "batch", "vector_store", "health", "mcp", "delete_", "list_", "container")


@dataclass(slots=True)
class _State:
    """What one file has told so far: rows of one call, and calls that reach no model."""

    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    no_model: dict[str, int] = field(default_factory=dict)


def decode_id(request_id: str) -> str:
    """The provider's response id inside an id LiteLLM rewrote; any other id as it stands.

    >>> decode_id("resp_" + base64.b64encode(b"litellm:custom_llm_provider:openai;model_id:None;"
    ...           b"response_id:resp_123").decode())
    'resp_123'
    """
    if not request_id.startswith("resp_"):
        return request_id
    packed = request_id.removeprefix("resp_").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return request_id
    if not text.startswith("litellm:"):
        return request_id
    for part in text.split(";"):
        name, _, value = part.partition(":")
        if name == "response_id" and value:
            return value
    return request_id


def read_payload(
    payload: Mapping[str, Any], context: ReadContext | None = None, line: int = 1
) -> Iterator[Result]:
    """Records of one callback payload (a standard logging payload, a spend-log row, or a webhook
    that wraps either). Never raises: what cannot be read is a `Reject`."""
    context = context or ReadContext(Source(Path("litellm"), "json", "", b"", modified=time.time()))
    yield from _read(_unwrap(payload), context, line, _State())


def _unwrap(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("standard_logging_object", "standard_logging_payload", "payload", "data"):
        inner = payload.get(name)
        if isinstance(inner, JsonObject) and "call_type" in inner:
            return inner
    return payload


def _paged(document: Any) -> list[Any]:
    """The rows of a page of the spend-log API; else the document itself."""
    rows = document.get("data") if isinstance(document, JsonObject) else None
    return rows if isinstance(rows, JsonList) and rows and all(map(_is_ours, rows)) else [document]


def _is_ours(document: Any) -> bool:
    if not isinstance(document, JsonObject):
        return False
    inner = set(_unwrap(document))
    return inner >= _ROW or inner >= _PAYLOAD


def _read(
    row: Mapping[str, Any], context: ReadContext, line: int, state: _State
) -> Iterator[Result]:
    if not _is_ours(row):
        keys = ", ".join(sorted(map(str, row))[:8])
        yield Reject(f"neither a LiteLLM spend-log row nor a logging payload (keys: {keys})", line)
        return
    try:
        record = _record(row, context, line, state)
    except UsageError as error:
        yield Reject(str(error), line)
        return
    if record is not None:
        yield record


def _record(
    row: Mapping[str, Any], context: ReadContext, line: int, state: _State
) -> UsageRecord | None:
    meta = json_object(row.get("metadata"))
    call_type = short_text(row.get("call_type")) or ""
    usage = _usage(row, meta)
    prompt = number(row.get("prompt_tokens"), "prompt_tokens")
    completion = number(row.get("completion_tokens"), "completion_tokens")
    total = number(row.get("total_tokens"), "total_tokens")
    spend = _money(row.get("spend", row.get("response_cost")))
    nothing = not (prompt or completion or total or spend)
    if nothing and any(word in call_type for word in _NO_MODEL):
        state.no_model[call_type] = state.no_model.get(call_type, 0) + 1
        return None
    provider = _provider(row)
    stated = row.get("request_id") or row.get("id")
    # Rewritten ids are long: decoded before they are cut.
    raw_id = stated if isinstance(stated, str) else short_text(stated) or ""
    batch = _BATCH.match(raw_id)
    hit = _true(row.get("cache_hit"))
    failed = row.get("status") in ("failure", "failed") or "failure" in call_type
    start = instant(row.get("startTime"))
    flags: list[str] = []
    if nothing and not _some(usage):
        reading = Reading({}, "litellm")
        if hit:
            reading.counts = {"input_uncached": 0, "output_text": 0}
        elif not failed:
            flags.append("no tokens and no cost recorded: a stream without usage")
        spend = spend if hit else None
    else:
        reading = _reading(row, usage, provider, prompt, completion, total, flags)
        if spend and not hit and not any(reading.counts.values()):
            # An image or a minute of audio: what it is charged by is not in the row.
            reading = Reading({}, "litellm")
            flags.append("charged by something that the row does not count")
        if hit:
            tokens = total_input(reading.counts) + total_output(reading.counts)
            reading = Reading({"input_uncached": 0, "output_text": 0}, "litellm")
            flags.append(f"answered from LiteLLM's own cache ({tokens} tokens): no provider call")
    requests = 1
    if batch:
        requests = number(meta.get("batch_successful_requests"), "batch_successful_requests") or 1
        flags.append("the sum of a batch: do not import its output file as well")
    key = _key(row, raw_id, provider, hit, batch, start, context)
    key = _one_call(row, key, reading, state)
    dimensions, tags = _tags(row, meta)
    if hit:
        tags["cache_hit"] = "true"
    return UsageRecord(
        call_key=key,
        occurred_at=start or context.assumed_time,
        time_assumed=start is None,
        source_format="litellm",
        provider=provider,
        model=_model(row, meta, provider),
        counts=reading.counts,
        tier="batch" if batch else reading.tier or _tier(row, meta),
        region=_region(row, meta),
        effort=None,
        total_reported=reading.total_reported,
        source_cost_usd=spend,
        finality="final" if reading.counts or spend else "partial",
        failed=failed and not reading.counts,
        requests=requests,
        latency_ms=_latency(row, start),
        session=short_text(row.get("session_id") or row.get("trace_id")),
        dimensions=dimensions,
        tags=tags,
        flags=[*reading.flags, *flags],
        line=line,
    )


# --- counts -------------------------------------------------------------------------------------


def _usage(row: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The finest usage object the row has."""
    response = json_object(row.get("response"))
    for place in (meta.get("usage_object"), response.get("usage"), row.get("usage_object")):
        usage = json_object(place)
        if _some(usage):
            return dict(usage)
    return dict(json_object(meta.get("additional_usage_values")))


def _some(usage: Mapping[str, Any]) -> bool:
    return any(
        usage.get(k)
        for k in ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
    )


def _reading(
    row: Mapping[str, Any],
    usage: dict[str, Any],
    provider: str,
    prompt: int | None,
    completion: int | None,
    total: int | None,
    flags: list[str],
) -> Reading:
    """The usage object's counts, completed by the row's and compared with them."""
    if "input_tokens" not in usage and "output_tokens" not in usage:
        for name, value in (
            ("prompt_tokens", prompt), ("completion_tokens", completion), ("total_tokens", total),
        ):  # fmt: skip
            if usage.get(name) is None:
                usage[name] = value
    try:
        reading = read_usage(usage, provider)
    except UsageError:
        # Some versions left the cache outside: only then can it exceed the prompt.
        details = json_object(usage.get("prompt_tokens_details"))
        read = usage.get("cache_read_input_tokens") or details.get("cached_tokens")
        written = usage.get("cache_creation_input_tokens") or details.get("cache_creation_tokens")
        outside = (number(read, "cache_read") or 0) + (number(written, "cache_creation") or 0)
        if not outside or number(usage.get("prompt_tokens"), "prompt_tokens") is None:
            raise
        whole = (number(usage["prompt_tokens"], "prompt_tokens") or 0) + outside
        reading = read_usage({**usage, "prompt_tokens": whole, "total_tokens": None}, provider)
        flags.append("cache tokens exceed prompt_tokens: counted beside it")
        return reading
    into, out = total_input(reading.counts), total_output(reading.counts)
    if (prompt or completion) and (into, out) != (prompt or 0, completion or 0):
        flags.append(
            f"usage_object makes {into} + {out} tokens, the row says {prompt} + {completion}"
        )
    return reading


# --- identity, names, tags ----------------------------------------------------------------------


def _key(
    row: Mapping[str, Any],
    raw_id: str,
    provider: str,
    hit: bool,
    batch: re.Match[str] | None,
    start: datetime | None,
    context: ReadContext,
) -> str:
    call_id = short_text(row.get("litellm_call_id"))
    if batch:
        return f"litellm:{raw_id}"
    if hit:
        # The stored answer keeps its first id: the hit must not replace the call it repeats.
        when = start.isoformat() if start else ""
        return f"litellm:hit:{call_id or _HIT.sub('', raw_id)}:{when}"
    decoded = decode_id(raw_id)
    if len(decoded) >= _SHORT:
        return call_key(provider, decoded)
    if call_id:
        return f"litellm:{call_id}"
    if decoded and start:
        return f"litellm:{decoded}:{start.isoformat()}"
    total = number(row.get("total_tokens"), "total_tokens")
    return context.keys.key([decoded, str(start), row.get("model"), total])


def _one_call(row: Mapping[str, Any], key: str, reading: Reading, state: _State) -> str:
    """Some versions wrote one call twice under two ids: same call id and counts, same key."""
    call_id = short_text(row.get("litellm_call_id"))
    if not call_id or not reading.counts:
        return key
    return state.seen.setdefault((call_id, repr(sorted(reading.counts.items()))), key)


def _provider(row: Mapping[str, Any]) -> str:
    named = normal_seller(short_text(row.get("custom_llm_provider")) or "")
    model = short_text(row.get("model")) or ""
    if not named and "/" in model:
        named = normal_seller(model.split("/", 1)[0])
    if named in ("", "openai", "custom_openai", "openai_like"):
        base = short_text(row.get("api_base")) or ""
        with suppress(ValueError):  # an address that is none
            named = provider_of(base) or named
    return named or "unknown"


def _model(row: Mapping[str, Any], meta: Mapping[str, Any], provider: str) -> str | None:
    model = short_text(row.get("model"))
    known = json_object(meta.get("model_map_information") or row.get("model_map_information"))
    base = short_text(known.get("model_map_key"))
    if provider == "azure" and base:
        # `model` is the deployment's name there, which no price list knows.
        model = base
    if model and "/" in model:
        first, rest = model.split("/", 1)
        if normal_seller(first) == provider:
            model = rest
    # Bedrock's routes and regions stand before its ids.
    return _BEDROCK_ROUTE.sub("", model) if model and provider == "bedrock" else model


_BEDROCK_ROUTE = re.compile(r"^(?:(?:converse|converse_like|invoke|[a-z]{2}(?:-[a-z]+)+-\d)/)+")


def _region(row: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    known = json_object(meta.get("cost_breakdown"))
    named = short_text(known.get("data_residency")) or short_text(known.get("vertex_location"))
    with suppress(ValueError):  # an address that is none
        return named or region_of(short_text(row.get("api_base")) or "")
    return named


def _tier(row: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    for place in (
        json_object(row.get("response")),
        json_object(meta.get("cost_breakdown")),
        json_object(row.get("cost_breakdown")),
        json_object(row.get("model_parameters")),
    ):
        tier = place.get("service_tier")
        if isinstance(tier, str) and tier:
            return tier
    return None


def _tags(row: Mapping[str, Any], meta: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    tags: dict[str, Any] = {}
    listed = [t for t in json_list(row.get("request_tags")) if isinstance(t, str)]
    listed = [t for t in listed if not t.startswith("User-Agent:")]
    for tag in listed:
        name, colon, value = tag.partition(":")
        if colon and name.strip():
            tags[name.strip()] = value
    tags |= {
        "user": row.get("user") or meta.get("user_api_key_user_id"),
        "organization": row.get("organization_id") or meta.get("user_api_key_org_id"),
        "api_key_alias": meta.get("user_api_key_alias"),
        "model_group": row.get("model_group"),
        "agent": row.get("agent_id"),
        "request_tags": ",".join(listed) or None,
    }
    team = row.get("team_id") or meta.get("user_api_key_team_id")
    own = {
        "team": team,
        "customer": row.get("end_user") or meta.get("user_api_key_end_user_id"),
        "project": meta.get("user_api_key_project_alias") or meta.get("user_api_key_project_id"),
    }
    tags |= {name: value for name, value in own.items() if short_text(value)}
    alias = meta.get("user_api_key_team_alias")
    if alias and alias != team:
        tags["team_alias"] = alias
    return split_tags(tags)


def _latency(row: Mapping[str, Any], start: datetime | None) -> int | None:
    stated = milliseconds(row.get("request_duration_ms"))
    if stated is not None:
        return stated
    seconds, end = row.get("response_time"), instant(row.get("endTime"))
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return milliseconds(seconds * 1000)
    return milliseconds((end - start).total_seconds() * 1000) if start and end else None


def _money(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    found = amount(value)
    if found is None:
        raise UsageError(f"spend = {shown(value)} is not an amount")
    return found


def _true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


class LiteLLM:
    """Reader of LiteLLM's spend logs and logging payloads."""

    name = "litellm"
    title = "LiteLLM spend logs and logging payloads (JSON, JSON lines, CSV)"
    recognised_by = "request_id, call_type and spend; or call_type and response_cost"

    def identify(self, source: Source) -> float:
        """By the columns, or by the keys of most documents."""
        if source.kind == "csv":
            return 0.97 if set(columns(source)) >= _ROW else 0.0
        if source.kind in ("json", "jsonl") and source.sample:
            found = [row for document in source.sample for row in _paged(document)]
            return 0.97 * sum(map(_is_ours, found)) / max(1, len(found))
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row; rows of calls that reach no model are counted in the notes."""
        state = _State()
        try:
            for line, row in rows(source):
                if isinstance(row, BadLine):
                    yield Reject(row.reason, line)
                    continue
                for inner in _paged(row):
                    yield from _read(_unwrap(inner), context, line, state)
        except UnreadableFile as error:
            yield Reject(str(error), None)
        if state.no_model:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(state.no_model.items()))
            context.notes.append(f"rows of calls that reach no model, left out: {kinds}")


READER = LiteLLM()
