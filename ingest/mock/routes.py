"""The mock's doors: `/v1/chat/completions`, `/v1/responses` and `/v1/models`, as OpenAI has them.

A call is booked before its answer (or the first byte of its stream) goes out, through the same
writer as everything the collector takes: what a client was told is in the store. Earlier
responses are kept in memory only, for `previous_response_id`; no text reaches the store.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ingest.collector.routes import Problem, authorise, read_body, store
from ingest.collector.writer import Collector
from ingest.mock.answers import Answer, answer, chat_body, output_items, response_body
from ingest.mock.simulator import MockError, Simulator
from ingest.mock.streams import chat_events, response_events
from pricing.json_types import JsonDict, JsonList

_KEPT = 1000
MARK = {"x-tokenbooks-simulated": "true"}


def routes(simulator: Simulator, collector: Collector, *, token: str = "") -> list[Route]:
    """The routes of the mock. With a `token` the client's API key must be that token; without
    one any key will do, from this machine only."""
    kept: OrderedDict[str, list[Any]] = OrderedDict()

    async def chat(request: Request) -> Response:
        return await _answer(request, "chat.completions")

    async def responses(request: Request) -> Response:
        return await _answer(request, "responses")

    async def models(request: Request) -> Response:
        try:
            authorise(request, token)
        except Problem as problem:
            return _problem(problem)
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": owner}
            for name, owner in simulator.models()
        ]
        return JSONResponse({"object": "list", "data": listed}, headers=MARK)

    async def _answer(request: Request, endpoint: str) -> Response:
        began = time.monotonic()
        try:
            authorise(request, token)
            raw = await read_body(request, collector.limits.max_body)
        except Problem as problem:
            return _problem(problem)
        body: Mapping[str, Any] = {}
        try:
            body = _object(raw)
            given = _with_earlier(body, kept) if endpoint == "responses" else body
            call = await run_in_threadpool(simulator.call, given, endpoint)
            call.request = {**call.request, **_back(body)}
            made = await run_in_threadpool(answer, simulator, call)
        except MockError as error:
            return await _refuse(body, error)
        wait = simulator.behaviour.latency_ms / 1000
        stream = body.get("stream") is True
        pace = simulator.behaviour.token_ms / 1000
        if wait:
            await asyncio.sleep(wait)
        if not stream and pace:
            await asyncio.sleep(pace * call.output_tokens)
        latency = round((time.monotonic() - began) * 1000)
        try:
            await store(collector, [call.record(latency)], [], request.url.path)
        except Problem as problem:
            return _problem(problem)
        if endpoint == "responses":
            _keep(kept, given, made)
        headers = MARK | call.headers | {"x-request-id": f"req_{call.id[-32:]}"}
        if not stream:
            whole = chat_body(made) if endpoint == "chat.completions" else response_body(made)
            return JSONResponse(whole, headers=headers)
        events = chat_events(made) if endpoint == "chat.completions" else response_events(made)
        return StreamingResponse(
            _paced(events, pace), media_type="text/event-stream", headers=headers
        )

    async def _refuse(body: Mapping[str, Any], error: MockError) -> Response:
        try:
            await store(collector, [simulator.failed(body, error)], [], "mock")
        except Problem as problem:
            return _problem(problem)
        return _error(error.status, error.code, str(error), error.param, error.headers)

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/responses", responses, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
    ]


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise MockError(400, "invalid_json", f"The body is not JSON: {error}") from error
    if not isinstance(body, JsonDict):
        raise MockError(400, "invalid_json", "The body is not a JSON object")
    return body


async def _paced(events: Iterator[tuple[bytes, int]], pace: float) -> AsyncIterator[bytes]:
    for data, tokens in events:
        if pace and tokens:
            await asyncio.sleep(pace * tokens)
        yield data


# --- earlier responses --------------------------------------------------------------------------


def _with_earlier(body: Mapping[str, Any], kept: Mapping[str, list[Any]]) -> Mapping[str, Any]:
    """The request with the conversation it continues in front: that is what is billed."""
    earlier = body.get("previous_response_id")
    if not earlier:
        return body
    if earlier not in kept:
        raise MockError(
            400, "previous_response_not_found",
            f"Previous response with id {str(earlier)[:60]!r} not found", "previous_response_id",
        )  # fmt: skip
    rest = {k: v for k, v in body.items() if k != "previous_response_id"}
    return rest | {"input": [*kept[str(earlier)], *_items(body.get("input"))]}


def _back(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer repeats of the request as it was sent."""
    name = "previous_response_id"
    return {name: body[name]} if name in body else {}


def _items(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return given if isinstance(given, JsonList) else []


def _keep(kept: OrderedDict[str, list[Any]], given: Mapping[str, Any], made: Answer) -> None:
    """Remember a conversation in memory, unless the request says not to store it."""
    if given.get("store") is False:
        return
    # Reasoning is not sent again, so it is not billed again.
    items = [i for i in output_items(made) if i["type"] != "reasoning"]
    kept[made.call.id] = [*_items(given.get("input")), *items]
    while len(kept) > _KEPT:
        kept.popitem(last=False)


# --- errors in the API's own form ---------------------------------------------------------------


def _problem(problem: Problem) -> Response:
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(problem.status, "mock_error")
    return _error(problem.status, code, problem.reason, None, problem.headers)


def _error(
    status: int, code: str, message: str, param: str | None, headers: Mapping[str, str]
) -> Response:
    kind = {429: "requests", 500: "server_error", 503: "server_error"}.get(
        status, "invalid_request_error"
    )
    body = {"message": message, "type": kind, "param": param, "code": code, "simulated": True}
    return JSONResponse({"error": body}, status, {**MARK, **headers})
