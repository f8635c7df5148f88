"""Alibaba's DashScope (Model Studio): chat, multimodal, embeddings, reranking, apps; streams.

| field | becomes |
| --- | --- |
| `request_id` (`requestId` in Java's dumps) | the call's key |
| `usage.input_tokens`, `output_tokens`, `total_tokens` | input, output, the total to check |
| `usage.total_tokens` alone (text embeddings, reranking) | input |
| `prompt_tokens_details.cached_tokens` | cache read, inside input |
| `….cache_creation_input_tokens`, `….cache_creation` | cache write by lifetime, inside input |
| `input_tokens_details.{image,video,audio}_tokens` | media, inside input |
| `usage.{image,video,audio}_tokens` | media: inside or beside input, see below |
| `output_tokens_details.{reasoning,audio,image}_tokens` | parts of output |
| `usage.plugins.search.count` | web searches |
| `usage.models[]` {`model_id`, counts} (apps) | one priced item a model |
| `output.session_id` (apps) | session |

A body names no model and no time: both come from the request and the wrapping beside it.

Media at the top of usage stand inside input for chat (1,271 input of which 1,247 are an image) and
beside it in two cases: multimodal embeddings without `input_tokens_details`, and Qwen-Audio (33
input and 85 audio). A stated total decides; else these cases do, and audio that could as well be
inside is flagged. Sources: Alibaba's API references "DashScope", "Multimodal embedding", "Audio
understanding", "Context cache" (2026).

    {"request_id": "r1", "output": {"choices": […]}, "usage": {"input_tokens": 1271,
     "output_tokens": 55, "image_tokens": 1247}}

is 24 uncached and 1,247 image tokens of input and 55 of output. A stream's events repeat the
running usage, whether their texts are increments or not: the last one has the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.readers.base import Envelope, ReadContext, Result, make_records, reject
from ingest.readers.hosts import provider_of
from ingest.record import short_text
from pricing.json_types import JsonList, JsonObject
from pricing.usage import Item, Reading, UsageError, count, read_usage

PROVIDER = "alibaba"
_OUTPUTS = ("choices", "text", "embeddings", "embedding", "results")
_COUNTS = ("input_tokens", "output_tokens", "total_tokens")
_MEDIA = ("image", "video", "audio")
_UNSETTLED = "audio tokens taken as beside input: nothing in the body proves it"


class DashScopeBody:
    """Bodies of DashScope's native API."""

    name = "dashscope"
    order = 4

    def matches(self, body: Mapping[str, Any], envelope: Envelope) -> bool:
        """By an `output` object beside usage and the request's id; a refusal, which any program
        could have written, only where the address is known."""
        if _request_id(body) is None:
            return False
        if _is_refusal(body):
            return PROVIDER in (envelope.provider, provider_of(envelope.url))
        return _output(body) is not None and isinstance(body.get("usage"), JsonObject)

    def records(
        self, body: Mapping[str, Any], envelope: Envelope, context: ReadContext
    ) -> Iterator[Result]:
        """One record, and one more for each further model of an app."""
        refused = _is_refusal(body)
        usage = body.get("usage")
        try:
            reading, model = _refusal(body) if refused else _reading(body)
        except UsageError as error:
            yield reject(error, envelope.line, usage)
            return
        output = _output(body) or {}
        envelope.session = envelope.session or short_text(output.get("session_id"))
        yield from make_records(
            reading,
            envelope,
            context,
            source_format=self.name,
            provider=provider_of(envelope.url) or PROVIDER,
            model=model or short_text(body.get("model")),
            response_id=_request_id(body),
            final=refused or any(v is not None for v in reading.counts.values()),
            failed=refused,
        )


class DashScopeStream:
    """Events of one request: each with its id, and usage as far as it has come."""

    def matches(self, event: Mapping[str, Any]) -> bool:
        """An event is a body, or the part of one."""
        return _request_id(event) is not None and _output(event) is not None

    def is_event(self, document: Mapping[str, Any]) -> bool:
        """Only one that says more is to come (with the text "null"): the last can stand alone."""
        return self.matches(document) and _finish(document) == {"null"}

    def closes(self, document: Mapping[str, Any]) -> bool:
        """Whether a document may be the last event of a stream whose first ones came before it."""
        return self.matches(document)

    def same(self, event: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
        """Whether both are of one stream: many may run at once."""
        return _request_id(event) == _request_id(document)

    def assemble(
        self, events: list[tuple[int, Mapping[str, Any]]]
    ) -> Iterator[tuple[int, Mapping[str, Any], list[str]]]:
        """One body a request id, with the last usage that counts anything."""
        bodies: dict[str, tuple[int, dict[str, Any]]] = {}
        finished: set[str] = set()
        for line, event in events:
            key, output, usage = _request_id(event), _output(event), event.get("usage")
            if key is None or output is None:
                continue
            _, body = bodies.setdefault(key, (line, {"request_id": key, "usage": {}}))
            body["output"] = {"text": "", "session_id": output.get("session_id")}
            if isinstance(usage, JsonObject) and _counts_anything(usage):
                body["usage"] = usage
            if _finish(event) - {"null"}:
                finished.add(key)
        for key, (line, body) in bodies.items():
            if not body["usage"]:
                yield line, body, ["the stream ended without usage"]
            elif key not in finished:
                yield line, body, ["the stream was cut off: counted as far as it came"]
            else:
                yield line, body, []


# --- what a body says -----------------------------------------------------------------------------


def _request_id(body: Mapping[str, Any]) -> str | None:
    found = body.get("request_id", body.get("requestId"))
    return found[:200] if isinstance(found, str) and found else None


def _output(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    output = body.get("output")
    known = isinstance(output, JsonObject) and any(name in output for name in _OUTPUTS)
    return output if known else None


def _is_refusal(body: Mapping[str, Any]) -> bool:
    """An error has a code and a message, and neither output nor usage."""
    said = all(isinstance(body.get(n), str) and body[n] for n in ("code", "message"))
    return said and not body.get("output") and not body.get("usage")


def _refusal(body: Mapping[str, Any]) -> tuple[Reading, None]:
    why = f"an error ({short_text(body.get('code'))}): not billed"
    return Reading({"input_uncached": 0, "output_text": 0}, "error", flags=[why]), None


def _finish(body: Mapping[str, Any]) -> set[str]:
    """The reasons why the answer finished, as texts; "null" is an event's way to say "not yet"."""
    output = _output(body) or {}
    choices = output.get("choices")
    places: list[Any] = [output, *(choices if isinstance(choices, JsonList) else [])]
    reasons = [p.get("finish_reason") for p in places if isinstance(p, JsonObject)]
    return {reason for reason in reasons if isinstance(reason, str)}


def _counts_anything(usage: Mapping[str, Any]) -> bool:
    return any(usage.get(name) is not None for name in _COUNTS) or bool(_models(usage))


def _models(usage: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    models = usage.get("models")
    return [m for m in models if isinstance(m, JsonObject)] if isinstance(models, JsonList) else []


# --- arithmetic -----------------------------------------------------------------------------------


def _reading(body: Mapping[str, Any]) -> tuple[Reading, str | None]:
    """The counts of a body, and its model where usage names one. Raises `UsageError`."""
    usage, output = body["usage"], _output(body) or {}
    models = _models(usage)
    if models and usage.get("input_tokens") is None:
        readings = [_counted(m, embedding=False) for m in models]
        names = [short_text(m.get("model_id")) for m in models]
        pairs = list(zip(readings, names, strict=True))
        readings[0].items = [Item("model", r.counts, n) for r, n in pairs[1:]]
        for further, _ in pairs[1:]:
            readings[0].flags += further.flags
        return readings[0], names[0]
    if not _counts_anything(usage):
        pictures = count(usage.get("image_count"), "image_count")
        flag = (
            f"billed by {pictures} images, not by tokens: no price here holds for it"
            if pictures
            else "the response states no usage"
        )
        return Reading({}, "dashscope", flags=[flag]), None
    embedding = "embeddings" in output or "embedding" in output
    return _counted(usage, embedding=embedding), None


def _counted(usage: Mapping[str, Any], *, embedding: bool) -> Reading:
    """One usage object, brought to the form that `pricing.usage` reads: every part inside."""
    whole = count(usage.get("input_tokens"), "input_tokens")
    made = count(usage.get("output_tokens"), "output_tokens")
    total = count(usage.get("total_tokens"), "total_tokens")
    if whole is None and made is None:
        whole = total
    stated = _object(usage.get("input_tokens_details"))
    asked = _object(usage.get("prompt_tokens_details"))
    media = {k: _first(f"{k}_tokens", stated, asked, usage) for k in _MEDIA}
    loose = 0 if stated else sum(_first(f"{k}_tokens", usage) or 0 for k in _MEDIA)
    flags: list[str] = []
    if loose and whole is not None:
        audio = bool(media["audio"])
        if total is not None:
            beside = whole + (made or 0) + loose == total
        else:
            beside = embedding or audio or loose > whole
            if beside and audio and not embedding and loose <= whole:
                flags.append(_UNSETTLED)
        whole += loose if beside else 0
    search = _object(_object(usage.get("plugins")).get("search"))
    names = ("cached_tokens", "cache_creation_input_tokens")
    reading = read_usage(
        {
            "input_tokens": whole,
            "output_tokens": made,
            "total_tokens": total,
            "input_tokens_details": {
                **{name: _first(name, asked, stated) for name in names},
                "cache_creation": asked.get("cache_creation", stated.get("cache_creation")),
                **{f"{kind}_tokens": value for kind, value in media.items()},
            },
            "output_tokens_details": usage.get("output_tokens_details"),
            "server_tool_use": {"web_search_requests": search.get("count")},
        },
        PROVIDER,
    )
    reading.flags[:0] = flags
    return reading


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, JsonObject) else {}


def _first(name: str, *places: Mapping[str, Any]) -> int | None:
    """The count of that name in the first place that states it."""
    return next((count(p[name], name) for p in places if p.get(name) is not None), None)


BODY = DashScopeBody()
STREAM = DashScopeStream()
