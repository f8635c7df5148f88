"""OpenAI Agents SDK traces: what a tracing processor or the trace export writes.

Documents are traces {`object` = trace, `id`, `workflow_name`, `group_id`, `metadata`} and spans
{`object` = trace.span, `id`, `trace_id`, `parent_id`, `started_at`, `ended_at`, `error`,
`span_data` {`type`, …}}, alone, in lines, or as the `data` list that the SDK sends.

| span type | read as |
| --- | --- |
| `generation` | a call: `model`, `usage`, the address in `model_config.base_url` |
| `response` | a call: `response_id`, `usage`; the export leaves its model out |
| `custom` named task or turn, `agent`, `function`, … | left out: sums of calls, or none |
| `transcription`, `speech` | left out: the SDK states no usage for them |

Arithmetic: OpenAI's (`input_tokens` includes cached and written, `output_tokens` reasoning),
whatever the model: the SDK translates other makers' counts. `usage` of a chat completion, as some
processors write it, is read as well. A response's id is the key, so the body or the span of another
instrumentation is the same call and may tell the model; without one it stays unpriced. `group_id`
is the session, `workflow_name` the tag `workflow`, `metadata` tags.

    {"object": "trace.span", "id": "span_1", "trace_id": "trace_1", "started_at": "…",
     "span_data": {"type": "generation", "model": "gpt-5.2", "usage": {"input_tokens": 1000,
       "input_tokens_details": {"cached_tokens": 800}, "output_tokens": 50}}}

is 200 uncached, 800 cached and 50 output tokens. (Fields from the SDK's source, `span_data.py` and
`usage.py`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import ReadContext, Result, reject, request_effort
from ingest.readers.cells import json_object
from ingest.readers.hosts import provider_of
from ingest.readers.makers import maker_of
from ingest.record import Reject, UsageRecord, call_key, instant, short_text, split_tags
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage
from pricing.variants import normal_seller

_CALLS = ("generation", "response")
_UNNAMED = "the trace names no model: import the response's body or another trace of it as well"


class OpenAIAgents:
    """Reader of Agents SDK traces."""

    name = "openai-agents"
    title = "OpenAI Agents SDK traces (spans as exported by a tracing processor)"
    recognised_by = "`object` = trace.span with `span_data`"

    def identify(self, source: Source) -> float:
        """By spans among the documents."""
        if source.kind not in ("json", "jsonl") or not source.sample:
            return 0.0
        found = [any(map(_is_ours, _inner(d))) for d in source.sample]
        return 0.95 * sum(found) / len(found)

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a generation or response; traces may come after their spans."""
        traces: dict[str, Mapping[str, Any]] = {}
        held: list[tuple[UsageRecord, str]] = []
        sums = 0
        for line, outer in source.readable():
            if isinstance(outer, BadLine):
                yield reject(outer, line)
                continue
            for item in _inner(outer):
                if not _is_ours(item):
                    yield Reject("neither a trace nor a span of the Agents SDK", line)
                elif item["object"] == "trace":
                    traces[str(item.get("id"))] = item
                else:
                    data = item["span_data"]
                    if data.get("type") not in _CALLS:
                        sums += _is_sum(data)
                        continue
                    try:
                        held.append((_record(item, data, line, context), str(item.get("trace_id"))))
                    except UsageError as error:
                        yield reject(error, line, data.get("usage"))
        for record, trace in held:
            _tell(record, traces.get(trace, {}))
            yield record
        if sums:
            context.notes.append(f"{sums} task and turn spans left out: sums of the calls in them")


def _inner(document: Any) -> list[Any]:
    data = document.get("data") if isinstance(document, JsonObject) else None
    return data if isinstance(data, JsonList) and any(map(_is_ours, data)) else [document]


def _is_ours(item: Any) -> bool:
    if not isinstance(item, JsonObject):
        return False
    if item.get("object") == "trace":
        return "workflow_name" in item
    return item.get("object") == "trace.span" and isinstance(item.get("span_data"), JsonObject)


def _is_sum(data: Mapping[str, Any]) -> bool:
    return data.get("type") == "custom" and "usage" in json_object(data.get("data"))


def _record(
    span: Mapping[str, Any], data: Mapping[str, Any], line: int, context: ReadContext
) -> UsageRecord:
    settings = json_object(data.get("model_config"))
    named = short_text(data.get("model"))
    provider, model = _route(named, settings)
    usage = data.get("usage")
    stated = isinstance(usage, JsonObject) and any(isinstance(v, int) for v in usage.values())
    reading = (
        read_usage(usage, "openai")
        if stated
        else Reading({}, "openai-agents", flags=["the span states no usage"])
    )
    if data.get("type") == "response" and model is None:
        reading.flags.append(_UNNAMED)
    start, end = instant(span.get("started_at")), instant(span.get("ended_at"))
    response_id = short_text(data.get("response_id"))
    own = f"openai-agents:{short_text(span.get('trace_id'))}:{short_text(span.get('id'))}"
    latency = round((end - start).total_seconds() * 1000) if start and end and end > start else None
    return UsageRecord(
        call_key=call_key(provider, response_id) if response_id else own,
        occurred_at=start or end or context.assumed_time,
        time_assumed=start is None and end is None,
        source_format="openai-agents",
        provider=provider,
        model=model,
        counts=reading.counts,
        effort=request_effort(settings),
        total_reported=reading.total_reported,
        finality="final" if stated else "partial",
        failed=not stated and span.get("error") is not None,
        latency_ms=latency,
        flags=list(reading.flags),
        line=line,
    )


def _route(named: str | None, settings: Mapping[str, Any]) -> tuple[str, str | None]:
    """Provider and model: the address, then a LiteLLM prefix (`anthropic/claude-…`), then the
    name."""
    at = provider_of(str(settings.get("base_url") or ""))
    if named and "/" in named and at is None:
        prefix, _, rest = named.removeprefix("litellm/").partition("/")
        if rest:
            return normal_seller(prefix), rest
    return at or maker_of(named) or "openai", named


def _tell(record: UsageRecord, trace: Mapping[str, Any]) -> None:
    """Give a call what its trace knows."""
    metadata = trace.get("metadata")
    told = dict(metadata) if isinstance(metadata, JsonObject) else {}
    if trace.get("workflow_name"):
        told["workflow"] = trace["workflow_name"]
    record.dimensions, record.tags = split_tags(told)
    record.session = short_text(trace.get("group_id"))


READER = OpenAIAgents()
