"""Amazon Bedrock: Converse bodies, InvokeModel bodies, the model invocation log.

Converse: `usage` {inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens,
cacheDetails [{inputTokens, ttl}], totalTokens}; `metrics.latencyMs` -> latency, `serviceTier.type`
-> tier. Arithmetic: cache counts stand BESIDE `inputTokens`, the total has all four. Model and
time are not in the body: the address names the model, percent-encoded, the Date header the time.
InvokeModel answers with the model maker's own body, or with counts in the response headers alone.

    {"url": "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-…/converse",
     "body": {"usage": {"inputTokens": 3, "cacheReadInputTokens": 1712, "outputTokens": 121,
              "cacheWriteInputTokens": 236, "cacheDetails": [{"inputTokens": 236, "ttl": "5m"}]}}}

is 3 uncached, 1,712 cached, 236 written for 5 minutes and 121 output tokens.

Invocation log (`schemaType` = ModelInvocationLog; S3 or CloudWatch): `requestId` -> key,
`timestamp`, `modelId`, `input` {inputTokenCount, cacheReadInputTokenCount,
cacheWriteInputTokenCount}, `output` {outputTokenCount}; the cache counts are read at the top too.
`requestMetadata` -> dimensions and tags. A logged body states the same counts again: it is only
asked for the lifetime of cache writes, and for counts the line lacks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.readers.hosts import host, model_in, provider_of
from ingest.readers.rows import columns as columns_of
from ingest.readers.rows import rows as rows_of
from ingest.record import Reject, call_key, instant, short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Reading, UsageError, read_usage

_CONVERSE = ("inputTokens", "outputTokens")
_REGION = re.compile(r"^bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com$")
_METRICS = "amazon-bedrock-invocationMetrics"


class ConverseBody:
    """Bodies of Converse and InvokeModel."""

    name = "bedrock"
    order = 15

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """Usage in Converse's names, or any usage from a Bedrock address."""
        usage = _usage(body)
        if usage is not None and any(name in usage for name in _CONVERSE):
            return True
        if envelope.provider == "bedrock" and _maker_usage(body) is not None:
            return True  # a line of a batch's output
        if provider_of(envelope.url) != "bedrock":
            return False
        return bool(envelope.header_counts) or (usage or _maker_usage(body)) is not None

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record; a maker's own body may hold further items."""
        usage = _usage(body) or _maker_usage(body) or _from_headers(envelope.header_counts)
        try:
            reading = read_usage(usage or {}, "bedrock")
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        metrics = body.get("metrics")
        if isinstance(metrics, JsonObject) and envelope.latency_ms is None:
            envelope.latency_ms = _milliseconds(metrics.get("latencyMs"))
        region = _REGION.match(host(envelope.url))
        if region:
            envelope.tags.setdefault("aws_region", region.group(1))
        asked = short_text(envelope.request.get("modelId")) or envelope.model
        model = model_in(envelope.url) or asked
        tier = body.get("serviceTier")
        response_id = short_text(body.get("id"))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider="bedrock",
            model=model or short_text(body.get("model")),
            response_id=response_id,
            time=instant(body.get("created")),
            tier="batch"
            if envelope.tier == "batch"
            else short_text(tier.get("type"))
            if isinstance(tier, JsonObject)
            else reading.tier,
            content=[model, usage, str(envelope.time)],
        )


def _usage(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The usage object: in the body, or in the `metadata` event that ends a stream."""
    for place in (body, body.get("metadata")):
        if isinstance(place, JsonObject) and isinstance(place.get("usage"), JsonObject):
            return place["usage"]
    return None


def _maker_usage(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Counts of InvokeModel bodies that have no usage object: Meta's and Amazon Titan's."""
    if "generation_token_count" in body or "prompt_token_count" in body:
        return _converse(body.get("prompt_token_count"), body.get("generation_token_count"))
    if "inputTextTokenCount" in body:
        results = body.get("results")
        made = [
            r.get("tokenCount") or 0
            for r in (results if isinstance(results, JsonList) else ())
            if isinstance(r, JsonObject)
        ]
        whole = sum(n for n in made if isinstance(n, int)) if made else None
        return _converse(body["inputTextTokenCount"], whole)
    metrics = body.get(_METRICS)
    return _from_counts(metrics, metrics) if isinstance(metrics, JsonObject) else None


def _converse(prompt: Any, answer: Any, read: Any = None, written: Any = None) -> dict[str, Any]:
    named = {
        "inputTokens": prompt,
        "outputTokens": answer,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
    }
    return {k: v for k, v in named.items() if v is not None}


def _from_headers(counts: Mapping[str, str]) -> dict[str, Any] | None:
    def number(name: str) -> int | None:
        text = counts.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else None

    return _converse(
        number("input-token-count"),
        number("output-token-count"),
        number("cache-read-input-token-count"),
        number("cache-write-input-token-count"),
    )


def _from_counts(*places: Any) -> dict[str, Any]:
    """Counts in the log's names, from the first place that has each."""

    def first(name: str) -> Any:
        found = (p.get(name) for p in places if isinstance(p, JsonObject))
        return next((v for v in found if v is not None), None)

    return _converse(
        first("inputTokenCount"),
        first("outputTokenCount"),
        first("cacheReadInputTokenCount"),
        first("cacheWriteInputTokenCount"),
    )


def _milliseconds(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 1e12 else None


class ConverseStream:
    """Events of ConverseStream, as SDKs hand them out: the `metadata` event has the usage."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Each event is an object of one name."""
        return len(event) <= 2 and bool(event.keys() & _EVENTS)

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """As in a stream; the `metadata` event is one only with its usage."""
        if "metadata" in document:
            return len(document) == 1 and _usage(document) is not None
        return self.matches(document)

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a `metadata` event."""
        for line, event in events:
            metadata = event.get("metadata")
            if isinstance(metadata, JsonObject):
                yield line, metadata, []


_EVENTS = {
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop",
}  # fmt: skip


# --- the invocation log -------------------------------------------------------------------------


class InvocationLog:
    """Reader of Bedrock's model invocation log."""

    name = "bedrock-log"
    title = "Amazon Bedrock model invocation log (S3, CloudWatch)"
    recognised_by = "lines with `schemaType` = ModelInvocationLog"

    def identify(self, source: Source) -> float:
        """Sure when the lines name their schema."""
        if source.kind == "csv":  # a query of CloudWatch Logs Insights
            if "@message" not in columns_of(source):
                return 0.0
            _, first = next(rows_of(source), (0, None))
            return 0.98 if first is not None and any(map(_is_log, _entries(first))) else 0.0
        if source.kind not in ("json", "jsonl"):
            return 0.0
        known = any(_is_log(e) for d in source.sample for e in _entries(d))
        return 0.98 if known else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record for each invocation that has counts; failed ones are noted."""
        failed = 0
        documents = rows_of(source) if source.kind == "csv" else source.documents()
        for line, document in documents:
            if isinstance(document, BadLine):
                yield reject(document, line)
                continue
            for entry in _entries(document):
                if not _is_log(entry):
                    yield Reject("not a line of the invocation log", line)
                elif entry.get("errorCode") and not _log_usage(entry):
                    failed += 1
                else:
                    yield from _log_records(entry, line, context)
        if failed:
            context.notes.append(f"{failed} failed invocation(s) used no tokens")


def _is_log(entry: Any) -> bool:
    if not isinstance(entry, JsonObject):
        return False
    if entry.get("schemaType") == "ModelInvocationLog":
        return True
    return "modelId" in entry and "requestId" in entry and "input" in entry


def _entries(document: Any) -> Iterator[Any]:
    """The entries of a line: itself, or those CloudWatch wraps as text."""
    if isinstance(document, JsonObject):
        events = document.get("logEvents", document.get("events"))
        if isinstance(events, JsonList):
            for event in events:
                yield from _entries(event)
            return
        results = document.get("results")
        if isinstance(results, JsonList) and all(isinstance(r, JsonList) for r in results):
            for cells in results:  # a query's answer: each row a list of named fields
                named = {str(c.get("field")): c.get("value") for c in cells if _is_cell(c)}
                yield from _entries(named)
            return
        for name in ("message", "@message"):
            inner = document.get(name)
            if isinstance(inner, str) and inner.lstrip()[:1] == "{":
                try:
                    inner = json.loads(inner)
                except (ValueError, RecursionError):
                    continue
            if isinstance(inner, JsonObject) and _is_log(inner):
                yield inner
                return
    yield document


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, JsonObject) and "field" in cell


def _log_usage(entry: Mapping[str, Any]) -> dict[str, Any]:
    return _from_counts(entry.get("input"), entry.get("output"), entry)


def _log_records(entry: Mapping[str, Any], line: int, context: ReadContext) -> Iterator[Result]:
    try:
        reading = _log_reading(entry)
    except UsageError as error:
        yield reject(error, line, _log_usage(entry))
        return
    request_id = short_text(entry.get("requestId"))
    metadata = entry.get("requestMetadata")
    identity = entry.get("identity")
    tags: dict[str, Any] = dict(metadata) if isinstance(metadata, JsonObject) else {}
    tags |= {
        "aws_account": entry.get("accountId"),
        "aws_region": entry.get("region"),
        "inference_region": entry.get("inferenceRegion"),
        "identity": identity.get("arn") if isinstance(identity, JsonObject) else None,
        "operation": entry.get("operation"),
    }
    envelope = Envelope(line, time=instant(entry.get("timestamp")), tags=tags)
    if request_id:
        envelope.key = call_key("bedrock", request_id)
    model = short_text(entry.get("modelId"))
    yield from make_records(
        reading,
        envelope,
        context,
        source_format=InvocationLog.name,
        provider="bedrock",
        model=model,
        response_id=None,
        tier=reading.tier,
        failed=bool(entry.get("errorCode")),
        content=[model, str(envelope.time), _log_usage(entry)],
    )


def _log_reading(entry: Mapping[str, Any]) -> Reading:
    """The line's counts; the logged body refines them where it agrees. Raises `UsageError`."""
    usage = _log_usage(entry)
    output = entry.get("output")
    body = output.get("outputBodyJson") if isinstance(output, JsonObject) else None
    detail = _body_reading(body)
    if not usage:
        if detail is None:
            raise UsageError("the invocation states no token counts")
        return detail
    reading = read_usage(usage, "bedrock")
    if detail is None:
        return reading
    same = all(
        (detail.counts.get(n) or 0) == (reading.counts.get(n) or 0)
        for n in ("input_uncached", "cache_read")
    )
    whole = sum(detail.counts.get(n) or 0 for n in ("output_text", "reasoning"))
    if same and whole == (reading.counts.get("output_text") or 0):
        return detail
    reading.flags.append("the logged body states other counts than the line: the line's are used")
    return reading


def _body_reading(body: Any) -> Reading | None:
    """What a logged body says of its usage; a streamed one is a list that ends in metrics."""
    chunks = body if isinstance(body, JsonList) else [body]
    for chunk in reversed(chunks):
        if not isinstance(chunk, JsonObject):
            continue
        usage = _maker_usage(chunk) or _usage(chunk)
        if usage is not None and chunk.get("type") not in ("message_delta", "message_start"):
            anthropic = "input_tokens" in usage
            try:
                return read_usage(usage, "anthropic" if anthropic else "bedrock")
            except UsageError:
                return None
    return None


BODY = ConverseBody()
STREAM = ConverseStream()
READER = InvocationLog()
