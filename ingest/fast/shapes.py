"""Shapes of bodies: what lines have in common, judged once by the reader itself.

The *shape* of a line is its text without the values that differ from call to call: the keys of
its objects, and the few values that decide how the rest is read (`object`, `model`,
`service_tier`, `status`, …). All that a record has besides its counts, time, id and labels follows
from the shape. So the reader reads one line of each shape, and what it says (provider, seller,
model, tier, region, effort, format, finality) holds for all lines of the shape. That line also goes
through the SQL, and only if both come out equal, column by column, is the shape read in bulk.

A shape is refused when it has a key that the SQL does not know and the reader may (or, in a usage
object, any unknown key at all), a key twice, or when the reader makes of it anything but one
record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.fast.chunks import same_source
from ingest.files import BadLine, Source, parse
from ingest.readers.base import ReadContext
from ingest.readers.bodies import READER
from ingest.readers.streams import event_stream
from ingest.readers.wrapping import bare_event
from ingest.record import DIMENSIONS, UsageRecord
from pricing.json_types import JsonObject
from pricing.usage import Api, api_of

MOST_SHAPES = 3_000
"""Shapes of one file that are judged; lines of further ones are left to the reader."""

# Keys under which a body, or what surrounds it, would be read in another way.
_OTHER_WAYS = frozenset({
    "body", "response_body", "raw_response", "completion", "result", "chunks", "events",
    "request_body", "kwargs", "custom_id", "key", "processed_time", "response_headers",
    "ResponseMetadata", "usageMetadata", "usage_metadata", "candidates", "meta", "event_type",
    "usage_breakdown", "headers", "json", "data", "status_code", "request_id", "records", "items",
    "responses", "dest", "inlinedResponses", "inlined_responses",
})  # fmt: skip
_WRAPPED = frozenset({"request", "response"})

USAGE_KEYS: Mapping[Api, frozenset[str]] = {
    "openai-chat": frozenset({
        "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details",
        "completion_tokens_details", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens",
        "service_tier", "cost", "queue_time", "prompt_time", "completion_time", "total_time",
    }),
    "openai-responses": frozenset({
        "input_tokens", "output_tokens", "total_tokens", "input_tokens_details",
        "output_tokens_details", "service_tier", "cost",
    }),
    "anthropic": frozenset({
        "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
        "cache_creation", "output_tokens_details", "server_tool_use", "service_tier",
        "inference_geo", "speed", "iterations",
    }),
}  # fmt: skip
"""Keys of a usage object that the SQL knows (or that are known to mean nothing to a price)."""

DETAIL_KEYS: Mapping[str, frozenset[str]] = {
    "input": frozenset({
        "cached_tokens", "cache_write_tokens", "cache_write_tokens_details", "audio_tokens",
        "image_tokens", "text_tokens",
    }),
    "writes": frozenset({"ttl_30m_tokens", "ttl_12h_tokens"}),
    "output": frozenset({
        "reasoning_tokens", "thinking_tokens", "audio_tokens", "text_tokens",
        "accepted_prediction_tokens", "rejected_prediction_tokens",
    }),
    "creation": frozenset({"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"}),
    "tools": frozenset({"web_search_requests", "web_fetch_requests"}),
}  # fmt: skip
_FORMATS = frozenset({"openai-chat", "openai-responses", "anthropic-messages"})

COLUMNS: tuple[tuple[str, str], ...] = (
    ("shape", "VARCHAR"), ("inclusive", "BOOLEAN"), ("chat", "BOOLEAN"),
    ("s_format", "VARCHAR"), ("s_provider", "VARCHAR"), ("s_seller", "VARCHAR"),
    ("s_model", "VARCHAR"), ("s_tier", "VARCHAR"), ("s_region", "VARCHAR"),
    ("s_effort", "VARCHAR"), ("s_finality", "VARCHAR"), ("s_failed", "BOOLEAN"),
    ("s_search", "BIGINT"), *((f"s_{d}", "VARCHAR") for d in DIMENSIONS),
    ("s_tags", "MAP(VARCHAR, VARCHAR)"),
)  # fmt: skip
"""Columns of a judged shape: what holds for each of its lines."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A shape as found in a chunk: the lists of keys at each place, whether it has metadata, and
    the texts of one or two of its lines."""

    shape: str
    keys: Mapping[str, Sequence[str]]
    metadata: bool
    lines: Sequence[str]


def judge(
    seen: Seen, known: Mapping[str, Collection[str]], labels: Collection[str], source: Source
) -> tuple[tuple[Any, ...], list[UsageRecord]] | None:
    """What holds for every line of a shape, as a row of `COLUMNS`, and the records of its lines;
    None when the shape is for the reader alone.

    `known` are the keys that the SQL takes out at each place, `labels` the tags it makes itself.
    """
    for place, keys in seen.keys.items():
        if any(keys.count(name) > 1 for name in known.get(place, ()) if name in keys):
            return None
        wrapping = place == "top" and "body" in seen.keys
        blocked = _OTHER_WAYS if wrapping or place == "request" else _OTHER_WAYS | _WRAPPED
        if place in ("top", "request", "body") and blocked.intersection(keys):
            return None
        allowed = DETAIL_KEYS.get(place)
        if allowed is not None and not allowed.issuperset(keys):
            return None
    records = [_record(line, source) for line in seen.lines]
    first = records[0]
    if first is None or None in records or first.source_format not in _FORMATS:
        return None
    if first.provider == "google":  # thoughts that only a line's total has
        return None
    usage = seen.keys["usage"]
    maker = "anthropic" if first.source_format == "anthropic-messages" else first.provider
    api = api_of(dict.fromkeys(usage), maker)
    if api is None or api not in USAGE_KEYS or not USAGE_KEYS[api].issuperset(usage):
        return None
    if any(not flag.startswith("parts add up to") for flag in first.flags):
        return None
    tags = first.tags if seen.metadata else {k: v for k, v in first.tags.items() if k not in labels}
    dimensions = first.dimensions if seen.metadata else {}
    row = (
        seen.shape, api != "anthropic", first.source_format == "openai-chat",
        first.source_format, first.provider, first.seller, first.model, first.tier, first.region,
        first.effort, first.finality, first.failed,
        None if api == "anthropic" else first.counts.get("web_search"),
        *(dimensions.get(d) for d in DIMENSIONS), tags or None,
    )  # fmt: skip
    return row, [r for r in records if r is not None]


class _OneLine(Source):
    """A file of one line."""

    line = ""

    def lines(self) -> Iterator[tuple[int, str | BadLine]]:
        yield 1, self.line


def _record(line: str, source: Source) -> UsageRecord | None:
    """The one record that the reader makes of a line that is a document of its own; None of a
    stream's event, which waits for others."""
    document = parse(line)
    if isinstance(document, BadLine) or not isinstance(document, JsonObject):
        return None
    if event_stream(bare_event(document)) is not None:
        return None
    alone = same_source(source, _OneLine)
    alone.line = line
    results = list(READER.read(alone, ReadContext(source)))
    only = results[0] if len(results) == 1 else None
    return only if isinstance(only, UsageRecord) else None
