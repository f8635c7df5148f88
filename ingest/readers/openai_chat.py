"""OpenAI Chat Completions, and every server that copies it.

Fields read: `id`, `created`, `model`, `service_tier` (the tier served), `usage`. Arithmetic:
`prompt_tokens` includes cached, cache-write, audio and image tokens; `completion_tokens` includes
reasoning, audio and rejected predictions; `total_tokens` is their sum. Embeddings have neither id
nor time. A stream has usage only where the caller asked for it (`include_usage`): then in the
last chunk, and nowhere else.

    {"id": "chatcmpl-1…", "object": "chat.completion", "created": 1767225600, "model": "gpt-5.2",
     "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
               "prompt_tokens_details": {"cached_tokens": 800}}}

is 200 uncached, 800 cached and 50 output tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import (
    Envelope,
    ReadContext,
    Result,
    empty_reading,
    make_records,
    reject,
)
from ingest.readers.hosts import model_in, provider_of, region_of
from ingest.readers.makers import maker_of
from ingest.record import instant
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Item, Reading, UsageError, read_usage, total_input, total_output

_OBJECTS = ("chat.completion", "chat.completion.chunk", "text_completion")


class ChatBody:
    """Bodies of Chat Completions, legacy completions and embeddings."""

    name = "openai-chat"
    order = 90

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By `object`, or by a usage object with prompt tokens."""
        if body.get("object") in _OBJECTS:
            return True
        usage = body.get("usage")
        return isinstance(usage, JsonObject) and (
            "prompt_tokens" in usage or "billed_units" in usage or "completion_tokens" in usage
        )

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record; a body without usage is kept, uncounted and so unpriced."""
        usage = body.get("usage")
        provider = vendor(body, envelope)
        try:
            reading = (
                read_usage(usage, provider)
                if isinstance(usage, JsonObject) and usage
                else empty_reading("openai-chat", "the response states no usage")
            )
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        reading.region = reading.region or region_of(envelope.url)
        served = body.get("service_tier")
        model = body.get("model")
        try:
            model = _compound(body, reading, envelope) or model
        except UsageError as error:
            yield reject(error, envelope.line, body.get("usage_breakdown"))
            return
        if isinstance(model, str) and _SEARCHING.search(model):
            reading.flags.append("a search model bills a search a call beside its tokens: not here")
        response_id = body.get("id")
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=f"{self.name}" if envelope.tier != "batch" else "openai-batch",
            provider=provider,
            # Azure leaves the name empty for some deployments.
            model=model if isinstance(model, str) and model else model_in(envelope.url),
            response_id=response_id if isinstance(response_id, str) and response_id else None,
            time=instant(body.get("created")),
            # A batch's body says `default`; the wrapping knows better.
            tier="batch"
            if envelope.tier == "batch"
            else served
            if isinstance(served, str)
            else None,
            final=any(v is not None for v in reading.counts.values()),
            content=None if response_id else [body.get("model"), usage, str(envelope.time)],
        )


_SEARCHING = re.compile(r"-search-(?:preview|api)(?:-|$)")


def _compound(body: Mapping[str, Any], reading: Reading, envelope: Envelope) -> str | None:
    """Groq's compound systems call several models: `usage_breakdown.models[]` says which took
    what, and `usage` is their sum. The first becomes the record, the others its items; where they
    leave a part of `usage` out, it stays whole. Returns the first one's model, or None. Raises
    `UsageError`."""
    breakdown = body.get("usage_breakdown")
    models = breakdown.get("models") if isinstance(breakdown, JsonObject) else None
    parts = [
        (m["model"], read_usage(m["usage"], "groq"))
        for m in (models if isinstance(models, JsonList) else ())
        if isinstance(m, JsonObject)
        and isinstance(m.get("model"), str)
        and isinstance(m.get("usage"), JsonObject)
    ]
    if not parts:
        return None
    added = sum(total_input(r.counts) + total_output(r.counts) for _, r in parts)
    stated = total_input(reading.counts) + total_output(reading.counts)
    if added != stated:
        reading.flags.append(f"usage_breakdown adds up to {added} tokens, usage to {stated}")
        if added < stated:
            return None
    if isinstance(body.get("model"), str):
        envelope.tags.setdefault("compound", body["model"])
    reading.counts = parts[0][1].counts
    reading.items = [Item("model", r.counts, model) for model, r in parts[1:]]
    return parts[0][0]


def vendor(body: Mapping[str, Any], envelope: Envelope) -> str:
    """Who answered: the log's word, the address, then marks that only one server leaves."""
    if envelope.provider:
        return envelope.provider
    known = provider_of(envelope.url)
    if known:
        return known
    stated = body.get("usage")
    usage: Mapping[str, Any] = stated if isinstance(stated, JsonObject) else {}
    body_id = str(body.get("id") or "")
    if body_id.startswith("gen-") or ("cost" in usage and isinstance(body.get("provider"), str)):
        return "openrouter"
    if "prompt_filter_results" in body or "content_filters" in body:
        return "azure"
    if any("content_filter_results" in c for c in _choices(body)):
        return "azure"
    if "prompt_cache_hit_tokens" in usage:
        return "deepseek"
    if "x_groq" in body or "queue_time" in usage:
        return "groq"
    if "time_info" in body:
        return "cerebras"
    if "num_cached_tokens" in usage:
        return "mistral"
    if "billed_units" in usage:
        return "cohere"
    if "citations" in body or "search_results" in body:
        return "perplexity"
    model = str(body.get("model") or "")
    if model.startswith("openai."):
        return "bedrock"
    if model.startswith("accounts/fireworks/"):
        return "fireworks"
    if body_id.startswith("msg_"):
        return "anthropic"
    # Compatible servers do not say who they are: the model's maker is who sells it under this name.
    return maker_of(model.removeprefix("models/")) or "openai"


def _choices(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = body.get("choices")
    return (
        [c for c in choices if isinstance(c, JsonObject)] if isinstance(choices, JsonList) else []
    )


class ChatStream:
    """Chunks of a Chat Completions stream."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """A chunk names itself; compatible servers at least have choices and an id."""
        return event.get("object") == "chat.completion.chunk" or (
            "choices" in event and "id" in event
        )

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Only chunks that name themselves: a document with choices may be a whole body."""
        named = document.get("object")
        return (named == "chat.completion.chunk" and "id" in document) or (
            named == "" and isinstance(document.get("choices"), JsonList)
        )

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a response id: the first chunk's head with the last usage any chunk has.

        Azure's filter results come in frames without an id: they belong to the stream around them.
        """
        bodies: dict[str, tuple[int, dict[str, Any]]] = {}
        filtered, last = False, ""
        for line, event in events:
            filtered = filtered or _is_filtered(event)
            if not event.get("id") and not event.get("usage") and not event.get("error"):
                continue
            last = str(event.get("id") or last)
            _, body = bodies.setdefault(last, (line, {**event, "choices": []}))
            for name in ("usage", "service_tier", "model", "created", "provider", "x_groq"):
                if event.get(name):
                    body[name] = event[name]
            groq = event.get("x_groq")
            if isinstance(groq, JsonObject) and groq.get("usage") and not body.get("usage"):
                body["usage"] = groq["usage"]
        for line, body in bodies.values():
            if filtered:
                body.setdefault("prompt_filter_results", [])
            flags = [] if body.get("usage") else ["the stream ended without usage"]
            yield line, body, flags


def _is_filtered(event: Mapping[str, Any]) -> bool:
    return "prompt_filter_results" in event or any(
        "content_filter_results" in choice for choice in _choices(event)
    )


BODY = ChatBody()
STREAM = ChatStream()
