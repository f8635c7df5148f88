"""What one telemetry span says of a call: names in every dialect, and which arithmetic they follow.

| meaning | spellings, in the order they are believed |
| --- | --- |
| raw usage | `gen_ai.usage.raw`, `ai.response.providerMetadata`, the body in `output.value` |
| usage map | `langfuse.observation.usage_details`, as in `langfuse` |
| input | `gen_ai.usage.input_tokens`, `.prompt_tokens`, `llm.token_count.prompt`, `ai.usage.…` |
| output | the same with `output`, `completion` |
| cache, reasoning | some ten spellings each of read, write and reasoning (`_READ`, `_WRITE`) |
| response id | `gen_ai.response.id`, `ai.response.id`, the id in `output.value` |
| model | `gen_ai.response.model`, `llm.model_name`, `ai.response.model`, then the request's |
| tier | `openai.response.service_tier`, `gen_ai.openai.…`, raw usage, then the request's |

A raw usage object is the API's own arithmetic and beats every attribute. Without one, input is
taken to include the cache (the convention says SHOULD), unless the numbers disprove it; for makers
whose API counts beside (Anthropic, Bedrock) the assumption is flagged. Prompt and answer texts are
looked through for the body's id and usage, and never kept.

    gen_ai.provider.name=anthropic  gen_ai.usage.input_tokens=9803  …cache_read.input_tokens=9000

is 803 uncached and 9,000 cached tokens, flagged; `input_tokens=3` with the same cache could not
include it, and is 3 uncached without a flag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ingest.readers.base import request_effort
from ingest.readers.cells import amount, json_object
from ingest.readers.hosts import provider_of
from ingest.readers.langfuse import read_details
from ingest.readers.makers import maker_of
from ingest.readers.otel_wire import Span
from ingest.readers.parts import LIVES, Parts, first, settle
from ingest.record import short_text
from pricing.json_types import JsonObject
from pricing.usage import Reading, UsageError, read_usage, served_tier
from pricing.variants import normal_seller

_U = "gen_ai.usage."
_T = "llm.token_count."
_INPUT = (
    _U + "input_tokens", _U + "prompt_tokens", _T + "prompt", "llm.usage.prompt_tokens",
    "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens",
)  # fmt: skip
_OUTPUT = (
    _U + "output_tokens", _U + "completion_tokens", _T + "completion",
    "llm.usage.completion_tokens", "ai.usage.outputTokens", "ai.usage.completionTokens",
)  # fmt: skip
_TOTAL = (
    _U + "total_tokens", _T + "total", "llm.usage.total_tokens", "ai.usage.totalTokens",
)  # fmt: skip
_READ = (
    _U + "cache_read.input_tokens", _U + "cache_read_input_tokens", _U + "cache_read_tokens",
    _U + "details.cache_read_tokens", _U + "details.cache_read_input_tokens",
    _U + "details.cached_tokens", _U + "prompt_details.cache_read", _U + "input_cached_tokens",
    _U + "input_tokens.cached", _U + "cached_tokens", _U + "prompt_tokens_details.cached_tokens",
    _T + "prompt_details.cache_read", _T + "prompt_details.cache_input",
    "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
)  # fmt: skip
_WRITE = (
    _U + "cache_write.input_tokens", _U + "cache_creation.input_tokens",
    _U + "cache_creation_input_tokens", _U + "cache_write_tokens", _U + "cache_creation_tokens",
    _U + "details.cache_write_tokens", _U + "details.cache_creation_input_tokens",
    _U + "prompt_details.cache_write", _U + "input_cache_creation",
    _U + "input_tokens.cache_write", _T + "prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)  # fmt: skip
_REASONING = (
    _U + "reasoning.output_tokens", _U + "reasoning_tokens", _U + "output_tokens.reasoning",
    _U + "details.reasoning_tokens", _U + "completion_details.reasoning",
    _U + "thoughts_tokens", _U + "completion_tokens_details.reasoning_tokens",
    _T + "completion_details.reasoning",
    "ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens",
)  # fmt: skip
_IDS = ("gen_ai.response.id", "ai.response.id", "llm.response.id")
_MODELS = (
    "gen_ai.response.model", "llm.model_name", "ai.response.model", "llm.response.model",
    "langfuse.observation.model.name",
    "embedding.model_name", "gen_ai.request.model", "llm.request.model", "ai.model.id", "model",
)  # fmt: skip
_PROVIDERS = (
    "gen_ai.provider.name", "llm.provider", "gen_ai.system", "ai.model.provider", "llm.system",
    "llm.vendor",
)  # fmt: skip
_ADDRESSES = ("server.address", "gen_ai.openai.api_base", "url.full", "llm.openai.api_base")
_SESSIONS = (
    "gen_ai.conversation.id", "session.id", "langfuse.session.id", "conversation.id",
    "traceloop.association.properties.session_id", "ai.telemetry.metadata.sessionId",
)  # fmt: skip
_TIERS = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
_ASKED_TIERS = ("openai.request.service_tier", "gen_ai.openai.request.service_tier")
_COSTS = ("operation.cost", _U + "cost", "llm.cost.total", "cost_usd")
_USERS = ("user.id", "enduser.id", "langfuse.user.id", "ai.telemetry.metadata.userId")
_TAG_PREFIXES = ("tokenbooks.", "ai.telemetry.metadata.", "traceloop.association.properties.")
_DIMENSIONS = ("team", "project", "feature", "customer", "environment")
_RAW = (
    "prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "completion_tokens",
    "output_tokens", "outputTokens", "candidatesTokenCount", "totalTokenCount",
)  # fmt: skip
# Instrumentations seen to follow the convention: input includes the cache for every maker.
_FOLLOWS = (
    "com.anthropic.", "openinference.", "opentelemetry.instrumentation.", "logfire", "pydantic-ai",
)  # fmt: skip
_BESIDE = ("anthropic", "bedrock")
_CACHE_MINIMUM = 1024
_ID_IN_TEXT = re.compile(r'"id"\s*:\s*"((?:chatcmpl-|resp_|msg_|gen-)[A-Za-z0-9_-]{8,200})"')

CALLS = (
    "chat", "text_completion", "generate_content", "embeddings", "completion", "completions",
    "embedding", "responses", "messages", "rerank", "response", "generate", "text_generation",
)  # fmt: skip


@dataclass(slots=True)
class Call:
    """One span's claim to be a call: its reading and where it stands."""

    span: Span
    reading: Reading
    provider: str
    model: str | None
    response_id: str | None
    tier: str | None
    effort: str | None
    session: str | None
    cost: Decimal | None
    raw: bool = False
    stream_half: bool = False
    tags: dict[str, Any] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether the span states any usage."""
        return any(v is not None for v in self.reading.counts.values())


def role(span: Span) -> str:
    """`call` for a span of one model call, `group` for one that repeats the sum of others (agent,
    workflow, tool, the outer span of an SDK helper), `other` for everything else."""
    a = span.attributes
    operation = str(a.get("gen_ai.operation.name") or "").lower()
    kind = str(a.get("openinference.span.kind") or "").upper()
    step = str(a.get("ai.operationId") or a.get("operation.name") or "")
    seen = str(a.get("langfuse.observation.type") or "").lower()
    if step.startswith("ai."):
        return "call" if ".do" in step else "group"
    if operation:
        return "call" if operation in CALLS else "group"
    if kind:
        return "call" if kind in ("LLM", "EMBEDDING") else "group"
    if seen:
        return "call" if seen in ("generation", "embedding") else "group"
    if a.get("traceloop.span.kind") or a.get("agent_name") or a.get("gen_ai.agent.name"):
        return "group"
    if any(k.startswith((_U, _T, "llm.usage.", "gen_ai.request.")) for k in a):
        return "call"
    if span.name == "claude_code.llm_request":
        return "call"
    return "other"


def read_call(span: Span) -> Call:
    """Read a span of role `call`. Raises `UsageError` when its counts cannot be."""
    a = span.attributes
    none: Mapping[str, Any] = {}
    body = json_object(a.get("output.value")) if isinstance(a.get("output.value"), str) else none
    meta = json_object(a.get("ai.response.providerMetadata"))
    provider = _provider(a)
    raw = _raw_usage(a, body, meta)
    try:
        reading = read_usage(raw, provider) if raw else None
    except UsageError:  # the attributes may still make sense
        reading, raw = None, none
    details = json_object(a.get("langfuse.observation.usage_details"))
    if reading is None and details:
        reading = read_details(dict(details))
    if reading is None:
        reading = _from_attributes(a, provider, span, meta)
    parameters = json_object(a.get("llm.invocation_parameters"))
    inner = next((m for m in meta.values() if isinstance(m, JsonObject)), none)
    tier = served_tier(
        _word(a, _TIERS), _text(body.get("service_tier")), reading.tier,
        _text(inner.get("serviceTier")), _word(a, _ASKED_TIERS),
        _text(parameters.get("service_tier")),
    )  # fmt: skip
    return Call(
        span=span,
        reading=reading,
        provider=provider,
        model=_word(a, _MODELS),
        response_id=_response_id(a, body),
        tier=tier,
        effort=_word(a, ("gen_ai.response.reasoning_effort", "gen_ai.request.reasoning_effort"))
        or request_effort(parameters),
        session=next((s for s in (short_text(a.get(n)) for n in _SESSIONS) if s), None),
        cost=next(
            (c for c in (amount(a.get(n)) for n in _COSTS) if c is not None), reading.cost_usd
        ),
        raw=bool(raw),
        stream_half=span.scope.startswith("logfire") and not raw and "gen_ai.response.id" not in a,
        tags=tags_of(span),
    )


def tags_of(span: Span) -> dict[str, Any]:
    """Service, environment, user and the caller's own tags. Nothing else of a span is kept."""
    tags: dict[str, Any] = {}
    for source in (span.resource, span.attributes):
        for name, value in source.items():
            prefix = next((p for p in _TAG_PREFIXES if name.startswith(p)), None)
            if prefix:
                tags[name.removeprefix(prefix)] = value
            elif name in _DIMENSIONS:
                tags[name] = value
            elif name in ("deployment.environment", "deployment.environment.name"):
                tags["environment"] = value
    if span.resource.get("service.name"):
        tags["service"] = span.resource["service.name"]
    user = _word(span.attributes, _USERS)
    if user:
        tags["user"] = user
    function = _text(span.attributes.get("ai.telemetry.functionId"))
    if function:
        tags.setdefault("feature", function)
    agent = _text(span.attributes.get("gen_ai.agent.name"))
    if agent:
        tags["agent"] = agent
    for used in ("sessionId", "userId", "session_id"):
        tags.pop(used, None)
    return tags


def _provider(a: Mapping[str, Any]) -> str:
    """Who answered. An SDK pointed at another server names itself: the address knows better."""
    named = _word(a, _PROVIDERS) or ""
    # The AI SDK writes `openai.responses`, `google.vertex.chat`, `azure-openai.chat`.
    provider = normal_seller(named)
    if provider == named.lower() and "." in named:
        provider = normal_seller(named.split(".")[0])
    address = _word(a, _ADDRESSES) or ""
    if address and "://" not in address:
        address = f"https://{address}"
    if provider in ("", "openai"):
        with suppress(ValueError):  # an address that is none
            provider = provider_of(address) or provider
    if not provider and "gen_ai.openai.api_base" in a:
        provider = "openai"
    if provider in _FRAMEWORKS:
        provider = maker_of(_word(a, _MODELS)) or ""
    return provider or maker_of(_word(a, _MODELS)) or "unknown"


_FRAMEWORKS = ("strands-agents", "langchain", "langgraph", "llamaindex", "crewai", "ai", "mlflow")
"""Names that programs write where the provider belongs: who answered, only the model tells."""


def _raw_usage(
    a: Mapping[str, Any], body: Mapping[str, Any], meta: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The usage object as the API returned it, where the span carries one."""
    places = [json_object(a.get(_U + "raw")), body.get("usage"), body.get("usageMetadata")]
    for inner in meta.values():
        if isinstance(inner, JsonObject):
            places += [inner.get("usage"), inner.get("usageMetadata")]
    for usage in places:
        if isinstance(usage, JsonObject) and any(isinstance(usage.get(k), int) for k in _RAW):
            return usage
    return {}


def _from_attributes(
    a: Mapping[str, Any], provider: str, span: Span, meta: Mapping[str, Any]
) -> Reading:
    bare = span.name == "claude_code.llm_request"
    parts = Parts(
        input=first(a, ("input_tokens",) if bare else _INPUT),
        output=first(a, ("output_tokens",) if bare else _OUTPUT),
        total=first(a, _TOTAL),
        cached=first(a, ("cache_read_tokens",) if bare else _READ),
        written=first(a, ("cache_creation_tokens",) if bare else _WRITE),
        reasoning=first(a, _REASONING),
    )
    # LangSmith writes the details as JSON text, in its own names.
    into = json_object(a.get(_U + "input_token_details"))
    out = json_object(a.get(_U + "output_token_details"))
    if parts.cached is None:
        parts.cached = first(into, ("cache_read",))
    if parts.written is None:
        parts.written = first(into, ("cache_creation",))
    if parts.reasoning is None:
        parts.reasoning = first(out, ("reasoning",))
    for life in LIVES:
        found = first(
            a,
            (
                f"{_U}cache_creation.ephemeral_{life}_input_tokens",
                f"{_U}cache_write.{life}.input_tokens",
            ),
        )
        if found is not None:
            parts.lives[life] = found
    for kind in ("audio", "image", "video"):
        into = first(a, _media(kind, "input", "prompt"))
        out = first(a, _media(kind, "output", "completion"))
        if into is not None:
            parts.input_media[kind] = into
        if out is not None:
            parts.output_media[kind] = out
    for inner in meta.values():
        more: Mapping[str, Any] = inner if isinstance(inner, JsonObject) else {}
        usage = more.get("usage")
        for place in (more, usage if isinstance(usage, JsonObject) else {}):
            if parts.written is None:
                parts.written = first(place, ("cacheCreationInputTokens", "cacheWriteInputTokens"))
            if parts.cached is None:
                parts.cached = first(place, ("cacheReadInputTokens",))
    if not parts.any:
        return Reading({}, "otel", flags=["the span states no usage"])
    doubtful = provider in _BESIDE or (provider == "google" and bool(parts.reasoning))
    # The AI SDK before version 6 passed these makers' own counts on, and added its total up.
    passed_on = (
        provider in _BESIDE
        and "ai.operationId" in a
        and not any(k.startswith("ai.usage.inputTokenDetails.") for k in a)
    )
    reading = settle(
        parts,
        cache_inside=not bare and not passed_on,
        doubtful=not bare and doubtful and not span.scope.startswith(_FOLLOWS),
        whole=not passed_on,
    )
    if parts.cached is None and (parts.input or 0) >= _CACHE_MINIMUM:
        reading.flags.append("the span names no cache counts: cached tokens may be inside input")
    return reading


def _media(kind: str, side: str, old: str) -> tuple[str, ...]:
    """Spellings of the audio, image or video tokens of one side."""
    return (
        f"{_U}{kind}.{side}_tokens",
        f"{_U}{side}_{kind}_tokens",
        f"{_U}details.{side}_{kind}_tokens",
        f"{_T}{old}_details.{kind}",
    )


def _response_id(a: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    named = _word(a, _IDS)
    if named:
        return named[:200]
    value = a.get("output.value")
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        whole = body.get("id")
        if isinstance(whole, str) and whole:
            return whole[:200]
        found = _ID_IN_TEXT.search(value)
        return found.group(1) if found and not body else None
    return None


def _word(a: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((t for t in (_text(a.get(n)) for n in names) if t), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
