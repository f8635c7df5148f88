"""The collector's doors: Starlette routes that read a body within its limit, hand its records to
the writer, and answer when they are durable.

| route | takes | answers |
| --- | --- | --- |
| `POST /v1/traces`, `/v1/logs` | OTLP, protobuf or JSON | as OTLP defines, partial success too |
| `POST /v1/metrics` | OTLP metrics: sums without call ids, never stored | success, and says so |
| `POST /v1/usage` | own records, provider bodies, LiteLLM payloads; one, a list, or lines | JSON |
| `POST /v1/litellm` | LiteLLM's generic callback (a payload or a list) and webhook | JSON |

    curl -d @response.json -H 'Content-Type: application/json' http://127.0.0.1:8765/v1/usage
    {"accepted": 1, "rejected": 0, "ignored": 0, "errors": []}

2xx: committed. 400: nothing in it can be stored, and why. 401 and 403: who may send. 405: not a
POST. 408: the body did not come in time. 413: larger than the limit, unpacked. 415: a content type
that a foreign web page could send without asking. 429 with Retry-After: too much is waiting. 503
with Retry-After: the store cannot write now.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingest.collector import otlp, reading
from ingest.collector.reading import Batch
from ingest.collector.writer import Busy, Collector, CollectorError, Refused
from ingest.readers.otel_wire import OtlpError, Signal
from ingest.record import Reject, UsageRecord

_INLINE = 64 * 1024
_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
_ERRORS_SHOWN = 20
_PATIENCE = 60.0
"""Seconds a body may take: who sends a byte now and then holds memory for nothing."""


class Problem(Exception):
    """An answer other than 2xx: status, reason for people, and extra headers."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}


def routes(collector: Collector, *, token: str = "") -> list[Route]:
    """The routes of a running collector.

    With a `token` every request must carry it as `Authorization: Bearer …`; without one only
    requests from this machine, addressed to it by a loopback name, are let in.
    """
    telemetry = otlp.Telemetry()

    async def export(request: Request, signal: Signal) -> Response:
        kind = otlp.JSON if _type(request) == otlp.JSON else otlp.PROTOBUF
        try:
            authorise(request, token)
            if _type(request) not in (otlp.JSON, otlp.PROTOBUF):
                raise Problem(415, f"send Content-Type {otlp.PROTOBUF} or {otlp.JSON}")
            body = await read_body(request, collector.limits.max_body)
            try:
                batch = await _aside(len(body), telemetry.read, body, signal, kind)
            except OtlpError as error:
                raise Problem(400, str(error)) from error
            await store(collector, batch.records, batch.rejects, f"/v1/{signal}")
        except Problem as problem:
            return Response(
                otlp.status(problem.reason, kind), problem.status, problem.headers, kind
            )
        return Response(otlp.answer(batch, signal, kind), media_type=kind)

    async def traces(request: Request) -> Response:
        return await export(request, "traces")

    async def logs(request: Request) -> Response:
        return await export(request, "logs")

    async def metrics(request: Request) -> Response:
        # One endpoint setting sends all three signals: an exporter must not fail on this one.
        kind = otlp.JSON if _type(request) == otlp.JSON else otlp.PROTOBUF
        try:
            authorise(request, token)
            await read_body(request, collector.limits.max_body)
        except Problem as problem:
            return Response(
                otlp.status(problem.reason, kind), problem.status, problem.headers, kind
            )
        return Response(otlp.ignored(kind), media_type=kind)

    async def usage(request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")[:200]
        return await documents(request, lambda items: reading.read_usage_documents(items, key))

    async def litellm(request: Request) -> Response:
        return await documents(request, reading.read_litellm_documents)

    async def documents(request: Request, read: Callable[[list[Any]], Batch]) -> Response:
        try:
            authorise(request, token)
            kind = _type(request)
            if kind != otlp.JSON and kind not in _LINES:
                raise Problem(415, f"send Content-Type {otlp.JSON} (or {_LINES[0]} for lines)")
            body = await read_body(request, collector.limits.max_body)
            try:
                items = await _aside(len(body), reading.documents, body, lines=kind in _LINES)
                batch = await _aside(len(body), read, items)
            except ValueError as error:
                raise Problem(400, str(error)) from error
            except RecursionError as error:
                raise Problem(400, "the body is nested too deeply") from error
            if batch.rejects and not batch.records and not batch.ignored:
                return JSONResponse(_told(batch) | {"error": batch.rejects[0].reason}, 400)
            await store(collector, batch.records, batch.rejects, request.url.path)
        except Problem as problem:
            return JSONResponse({"error": problem.reason}, problem.status, problem.headers)
        return JSONResponse(_told(batch))

    doors = {"traces": traces, "logs": logs, "metrics": metrics, "usage": usage, "litellm": litellm}
    return [
        *(Route(f"/v1/{name}", door, methods=["POST"]) for name, door in doors.items()),
        # The pages behind would answer these with a page of theirs.
        *(Route(f"/v1/{name}", _only_post, methods=_OTHERS) for name in doors),
    ]


_OTHERS = ["GET", "PUT", "PATCH", "DELETE"]


async def _only_post(_: Request) -> Response:
    return JSONResponse({"error": "send it with POST"}, 405, {"Allow": "POST"})


def _told(batch: Batch) -> dict[str, object]:
    return {
        "accepted": len(batch.records),
        "rejected": len(batch.rejects),
        "ignored": batch.ignored,
        "errors": [{"index": r.line, "reason": r.reason} for r in batch.rejects[:_ERRORS_SHOWN]],
    }


async def store(
    collector: Collector, records: list[UsageRecord], rejects: list[Reject], source: str
) -> None:
    """Wait until records are durable. Raises `Problem` when they are not."""
    try:
        await asyncio.wrap_future(collector.submit(records, rejects, source=source))
    except Busy as error:
        raise Problem(429, f"{error}; try again", Retry_After="1") from error
    except Refused as error:
        raise Problem(400, str(error)) from error
    except CollectorError as error:
        raise Problem(503, str(error), Retry_After="5") from error


_R = TypeVar("_R")
_P = ParamSpec("_P")


async def _aside(size: int, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Small bodies are read where they are; a large one must not hold up everybody else."""
    if size <= _INLINE:
        return work(*args, **kwargs)
    return await run_in_threadpool(work, *args, **kwargs)


# --- who may send, and how much -----------------------------------------------------------------


def authorise(request: Request, token: str) -> None:
    """Let a request pass that carries the token, or, without one, comes from this machine.

    Raises `Problem` (401, 403)."""
    if token:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(
            given.strip().encode(), token.encode()
        ):
            raise Problem(
                401, "send the token as Authorization: Bearer …", WWW_Authenticate="Bearer"
            )
        return
    if not is_local(request.client.host if request.client else ""):
        raise Problem(403, "without a token only this machine may send: set one")
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not is_local(name):
        raise Problem(403, "this service answers to localhost only")


@lru_cache(maxsize=256)
def is_local(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, limit: int) -> bytes:
    """The body, unpacked; at most `limit` bytes of it, packed and unpacked. Raises `Problem`."""
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", ""):
        raise Problem(415, f"Content-Encoding {packing[:20]!r} is not accepted: gzip or none")
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError as error:
        raise Problem(408, f"the body did not come within {_PATIENCE:g} seconds") from error
    except ClientDisconnect as error:
        raise Problem(400, "the sender left before its body was here") from error
    return await _aside(len(body), gunzip, bytes(body), limit) if packing == "gzip" else bytes(body)


def gunzip(data: bytes, limit: int) -> bytes:
    """Unpack gzip (of one member or several) without ever holding more than `limit` bytes of it.

    Raises `Problem`: 413 beyond the limit, 400 for anything that is not whole gzip.
    """
    out = bytearray()
    while data:
        unpacker = zlib.decompressobj(31)
        try:
            out += unpacker.decompress(data, limit + 1 - len(out))
        except zlib.error as error:
            raise Problem(400, f"the body is not gzip: {error}") from error
        if len(out) > limit:
            raise _too_large(limit)
        if not unpacker.eof:
            raise Problem(400, "the gzip body is cut off")
        data = unpacker.unused_data
    return bytes(out)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit:,} bytes: send it in parts")
