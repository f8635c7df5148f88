"""Langfuse exports: observations from the API, the UI or the blob export; traces with theirs.

Fields read (camelCase, or snake_case as the blob export and CSV write them): `id`, `type`,
`startTime`, `endTime`, `model` / `providedModelName`, `modelParameters` (may hold the provider's
response id, tier, effort), `usageDetails`, `providedUsageDetails`, the deprecated `usage`,
`providedCostDetails` / `totalCost`, `environment`, `userId`, `sessionId`, `promptName`, `tags`.

Arithmetic: `usageDetails` is meant to be disjoint and often is not. The total decides: if input +
output make it, the details are inside; if all parts make it, beside; if neither, beside is
assumed and the record is flagged. Only GENERATION and EMBEDDING observations are calls: AGENT and
SPAN rows repeat the sum of what is below them. `totalCost` is what Langfuse computed, unless the
cost was provided; with no usage and no cost details, 0 means "not computed" and is left out.

    {"type": "GENERATION", "model": "gemini-2.5-flash", "usageDetails":
     {"input": 6, "output": 2055, "completion_details.reasoning": 1104, "total": 2061}}

is 6 input, 951 output and 1,104 reasoning tokens. A sent-again observation has the same id, so
the same key; the provider's response id is preferred where the parameters hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result, request_effort
from ingest.readers.cells import amount, json_list, json_object
from ingest.readers.makers import maker_of
from ingest.readers.parts import Parts, first, settle
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, call_key, instant, short_text, split_tags
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage
from pricing.variants import normal_seller

CALLS = ("GENERATION", "EMBEDDING")
_TYPES = (
    *CALLS, "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL",
)  # fmt: skip
_INPUT = ("input", "input_tokens", "prompt_tokens", "promptTokens", "inputTokens")
_OUTPUT = ("output", "output_tokens", "completion_tokens", "completionTokens", "outputTokens")
_TOTAL = ("total", "total_tokens", "totalTokens")
_READ = (
    "input_cached_tokens", "input_cache_read", "input_cache_read_tokens", "cache_read_input_tokens",
    "prompt_details.cache_read", "prompt_tokens_details.cached_tokens", "input_cached",
    "cached_tokens", "cache_read_tokens", "input_cached_content_tokens", "cachedInputTokens",
    "input_tokens_details.cached_tokens", "inputTokenDetails.cacheReadTokens",
)  # fmt: skip
_WRITE = (
    "input_cache_creation", "input_cache_creation_tokens", "cache_creation_input_tokens",
    "input_cache_write", "input_cache_write_tokens", "prompt_details.cache_write",
    "cache_write_tokens", "prompt_tokens_details.cache_write_tokens",
    "input_tokens_details.cache_write_tokens", "inputTokenDetails.cacheWriteTokens",
)  # fmt: skip
_REASONING = (
    "output_reasoning_tokens", "output_reasoning", "completion_details.reasoning",
    "completion_tokens_details.reasoning_tokens", "reasoning_tokens", "reasoning",
    "output_thinking_tokens", "thoughts", "reasoningTokens",
    "output_tokens_details.reasoning_tokens", "outputTokenDetails.reasoningTokens",
)  # fmt: skip
_GEMINI = ("prompt_token_count", "candidates_token_count", "promptTokenCount")
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "ai.model.provider")
_DIMENSIONS = ("team", "project", "feature", "customer")


def _get(row: Mapping[str, Any], camel: str) -> Any:
    """A field in either spelling."""
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in camel)
    value = row.get(camel)
    return row.get(snake) if value is None or value == "" else value


def is_observation(row: Any) -> bool:
    """Whether a row is an observation, by its type and its trace."""
    return (
        isinstance(row, JsonObject)
        and row.get("type") in _TYPES
        and ("traceId" in row or "trace_id" in row)
        and ("startTime" in row or "start_time" in row)
    )


def observations(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Each observation of a document once, with the trace it belongs to (as far as known)."""
    if is_observation(document):
        yield document, {}
        return
    inner = document.get("trace")
    trace = inner if isinstance(inner, JsonObject) else document
    seen: set[str] = set()
    for place in (document.get("observations"), trace.get("observations"), document.get("data")):
        for row in place if isinstance(place, JsonList) else ():
            if not is_observation(row):
                if isinstance(row, JsonObject) and isinstance(row.get("observations"), JsonList):
                    yield from observations(row)  # a page of whole traces
                continue
            name = str(row.get("id"))
            if name not in seen:
                seen.add(name)
                yield row, dict(trace) if trace is not document or "sessionId" in trace else {}


class Langfuse:
    """Reader of Langfuse exports."""

    name = "langfuse"
    title = "Langfuse observations and traces (JSON, JSON lines, CSV)"
    recognised_by = "observations: type, traceId and startTime"

    def identify(self, source: Source) -> float:
        """By the observations in the document, or by a table's columns."""
        if source.kind in ("csv", "parquet"):
            names = set(columns(source))
            own = {
                "usage_details", "usageDetails", "provided_usage_details", "total_cost",
                "totalCost",
            }  # fmt: skip
            return 0.9 if "type" in names and names & own and names & {"trace_id", "traceId"} else 0
        if source.kind in ("json", "jsonl") and source.sample:
            known = sum(
                1
                for d in source.sample
                if isinstance(d, JsonObject) and next(observations(d), None) is not None
            )
            return 0.95 * known / len(source.sample)
        return 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a generation or embedding; other observations with usage are noted."""
        groups = 0
        try:
            for line, row in rows(source):
                if isinstance(row, BadLine):
                    yield Reject(row.reason, line)
                    continue
                found = False
                for observation, trace in observations(row):
                    found = True
                    if observation.get("type") not in CALLS:
                        groups += bool(_details(observation))
                        continue
                    try:
                        yield _record(observation, trace, line, context)
                    except UsageError as error:
                        name = str(observation.get("id"))[:60]
                        yield Reject(f"observation {name}: {error}", line)
                if not found and not _is_empty(row):
                    keys = ", ".join(sorted(map(str, row))[:8])
                    yield Reject(f"no observation in the document (keys: {keys})", line)
        except UnreadableFile as error:
            yield Reject(str(error), None)
        if groups:
            context.notes.append(
                f"{groups} agent, span or tool observations with usage left out: "
                "they repeat the generations below them"
            )


def _is_empty(row: Mapping[str, Any]) -> bool:
    """A trace or page without observations is no error."""
    return any(isinstance(row.get(k), JsonList) for k in ("observations", "data")) or isinstance(
        row.get("trace"), JsonObject
    )


def _record(
    row: Mapping[str, Any], trace: Mapping[str, Any], line: int, context: ReadContext
) -> UsageRecord:
    parameters = json_object(_get(row, "modelParameters"))
    meta = json_object(_get(row, "metadata"))
    attributes = json_object(meta.get("attributes"))
    reading = read_details(_details(row))
    model = short_text(_get(row, "model")) or short_text(_get(row, "providedModelName"))
    if model == "unknown":
        model = None
    provider = _provider(meta, attributes, model)
    response_id = short_text(parameters.get("id")) or short_text(
        attributes.get("gen_ai.response.id")
    )
    own_id = short_text(row.get("id"))
    start, end = instant(_get(row, "startTime")), instant(_get(row, "endTime"))
    if response_id:
        key = call_key(provider, response_id)
    elif own_id:
        key = f"langfuse:{own_id}"
    else:
        key = context.keys.key([str(start), model, reading.counts])
    reasoning = json_object(parameters.get("reasoning"))
    dimensions, tags = split_tags(_tags(row, trace, meta))
    counted = any(v is not None for v in reading.counts.values())
    latency = round((end - start).total_seconds() * 1000) if start and end else None
    return UsageRecord(
        call_key=key,
        occurred_at=start or context.assumed_time,
        time_assumed=start is None,
        source_format="langfuse",
        provider=provider,
        model=model,
        counts=reading.counts,
        tier=short_text(parameters.get("service_tier")) or reading.tier,
        effort=request_effort({**parameters, "reasoning": reasoning}),
        total_reported=reading.total_reported,
        source_cost_usd=_cost(row),
        finality="final" if counted else "partial",
        failed=row.get("level") == "ERROR" and not counted,
        latency_ms=latency if latency is not None and latency >= 0 else None,
        session=short_text(_get(row, "sessionId")) or short_text(_get(trace, "sessionId")),
        dimensions=dimensions,
        tags=tags,
        flags=reading.flags,
        line=line,
    )


# --- counts -------------------------------------------------------------------------------------


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    """The usage map, wherever this version of the export keeps it."""
    for name in ("usageDetails", "providedUsageDetails"):
        found = json_object(_get(row, name))
        if any(found.values()):
            return dict(found)
    usage = json_object(row.get("usage"))
    if any(usage.get(k) for k in (*_INPUT, *_OUTPUT, *_TOTAL)):
        return dict(usage)
    flat = {
        "input": _get(row, "inputUsage") or _get(row, "promptTokens") or _get(row, "inputTokens"),
        "output": _get(row, "outputUsage")
        or _get(row, "completionTokens")
        or _get(row, "outputTokens"),
        "total": _get(row, "totalUsage") or _get(row, "totalTokens"),
    }
    return {k: v for k, v in flat.items() if v} if any(flat.values()) else {}


def read_details(details: dict[str, Any]) -> Reading:
    """The counts of a usage map, each side inside or beside as its total decides."""
    unit = details.pop("unit", None)
    if isinstance(unit, str) and unit.upper() not in ("TOKENS", ""):
        raise UsageError(f"usage is counted in {unit.lower()[:40]}, not in tokens")
    if not details:
        return Reading({}, "langfuse", flags=["the observation states no usage"])
    if any(k in details for k in _GEMINI):
        return read_usage(details)
    for name in [k for k, v in details.items() if isinstance(v, JsonObject)]:
        inside = details.pop(name)  # the provider's own object, passed on as it was
        details |= {f"{name}.{k}": v for k, v in inside.items()}
    parts = Parts(
        input=first(details, _INPUT),
        output=first(details, _OUTPUT),
        total=first(details, _TOTAL),
        cached=first(details, _READ),
        written=first(details, _WRITE),
        reasoning=first(details, _REASONING),
    )
    for life in ("5m", "1h"):
        value = first(details, (f"input_cache_creation_{life}", f"cache_creation_{life}"))
        if value is not None:
            parts.lives[life] = value
    if parts.lives and (parts.written or 0) < sum(parts.lives.values()):
        # Written as parts beside each other: the plain key is what has no lifetime.
        parts.written = (parts.written or 0) + sum(parts.lives.values())
    for kind in ("audio", "image", "video"):
        into = first(details, (f"input_{kind}_tokens", f"input_{kind}", f"prompt_details.{kind}"))
        out = first(
            details, (f"output_{kind}_tokens", f"output_{kind}", f"completion_details.{kind}")
        )
        if into is not None:
            parts.input_media[kind] = into
        if out is not None:
            parts.output_media[kind] = out
    reading = settle(parts, cache_inside=False, reasoning_inside=False, doubtful=True)
    known = {*_INPUT, *_OUTPUT, *_TOTAL, *_READ, *_WRITE, *_REASONING}
    odd = [
        k
        for k, v in details.items()
        if v and k not in known and not any(w in k for w in ("audio", "image", "video", "creation"))
    ]
    if odd:
        reading.flags.append(f"usage details of unknown meaning: {', '.join(sorted(odd))[:80]}")
    return reading


def _cost(row: Mapping[str, Any]) -> Decimal | None:
    """The cost provided by the caller, else the one Langfuse computed."""
    given = json_object(_get(row, "providedCostDetails"))
    provided = given.get("total")
    parts = [a for a in map(amount, given.values()) if a is not None]
    if provided is None and parts:
        provided = sum(parts, Decimal(0))
    computed = json_object(_get(row, "costDetails"))
    total = computed.get("total")
    if total is None:
        total = _get(row, "totalCost")
        if total in (None, 0, "0", "0.0") and not computed:
            total = None
    if total is None:
        total = _get(row, "calculatedTotalCost")
    return next((a for a in (amount(provided), amount(total)) if a is not None), None)


# --- names and tags -----------------------------------------------------------------------------


def _provider(meta: Mapping[str, Any], attributes: Mapping[str, Any], model: str | None) -> str:
    for place, name in [(attributes, n) for n in _PROVIDERS] + [(meta, "ls_provider")]:
        value = short_text(place.get(name))
        if value:
            known = normal_seller(value)
            return normal_seller(value.split(".")[0]) if known == value.lower() else known
    return maker_of(model) or "unknown"


def _tags(
    row: Mapping[str, Any], trace: Mapping[str, Any], meta: Mapping[str, Any]
) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    both = [*json_list(_get(trace, "tags")), *json_list(_get(row, "tags"))]
    listed = [tag for tag in both if isinstance(tag, str)]
    for tag in listed:
        name, colon, value = tag.partition(":")
        if colon and name.strip():
            tags[name.strip()] = value
    for place in (json_object(_get(trace, "metadata")), meta):
        tags |= {n: place[n] for n in _DIMENSIONS if short_text(place.get(n))}
    environment = short_text(_get(row, "environment")) or short_text(_get(trace, "environment"))
    if environment and environment != "default":
        tags["environment"] = environment
    tags["user"] = _get(row, "userId") or _get(trace, "userId")
    tags["trace"] = _get(trace, "name")
    tags["prompt"] = _get(row, "promptName")
    tags["tags"] = ",".join(listed) or None
    return tags


READER = Langfuse()
