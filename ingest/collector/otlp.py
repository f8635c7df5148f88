"""OTLP over HTTP: export requests in, answers as the protocol defines them out.

A request is protobuf or JSON and is answered in kind. Spans that are no model calls are accepted
and simply not stored; a span whose counts are impossible is *rejected*, and the answer is still
200 with `partialSuccess` naming how many and why, because sending it again would not help. A body
that is no export request is 400 with a `Status` message.

    {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "span 'chat': input is negative"}}
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from ingest.collector.reading import Batch, context
from ingest.readers.otel import records
from ingest.readers.otel_calls import Recent, Spans
from ingest.readers.otel_wire import OtlpError, Signal, parse_request

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SHOWN = 3


@dataclass
class Telemetry:
    """What is remembered from one export request to the next: which framework spans stand above
    calls that were already counted."""

    recent: Recent = field(default_factory=Recent)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, body: bytes, signal: Signal, kind: str) -> Batch:
        """Records of one request. Raises `OtlpError` for a body that is none."""
        if body[:4] == _ZSTD:
            raise OtlpError("zstd is not accepted here: send gzip, or no compression")
        if kind == JSON and body.strip()[:1] != b"{":
            raise OtlpError("not an OTLP export request: the body is no JSON object")
        batch = Batch()
        with self.lock:
            spans = Spans(self.recent)
            spans.add(parse_request(body, 1, signal))
            batch.take(records(spans, context()))
        return batch


def answer(batch: Batch, signal: Signal, kind: str) -> bytes:
    """The body of the 200 answer: empty, or saying what was not accepted."""
    count = len(batch.rejects)
    reasons = list(dict.fromkeys(r.reason for r in batch.rejects))
    message = "; ".join(reasons[:_SHOWN])
    if len(reasons) > _SHOWN:
        message += f"; and {len(reasons) - _SHOWN} more reasons"
    name = "rejectedSpans" if signal == "traces" else "rejectedLogRecords"
    if kind == JSON:
        # 64-bit integers are text in protobuf's JSON.
        told = {"partialSuccess": {name: str(count), "errorMessage": message}} if count else {}
        return json.dumps(told).encode()
    response = _response(signal)
    if count:
        partial = response.partial_success
        setattr(partial, "rejected_spans" if signal == "traces" else "rejected_log_records", count)
        partial.error_message = message
    return response.SerializeToString()


def ignored(kind: str) -> bytes:
    """The answer to metrics: accepted, nothing stored, and why (a warning, as OTLP defines it)."""
    why = "metrics are sums without call ids: nothing of them is stored"
    if kind == JSON:
        return json.dumps({"partialSuccess": {"errorMessage": why}}).encode()
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    response = ExportMetricsServiceResponse()
    response.partial_success.error_message = why
    return response.SerializeToString()


def _response(signal: Signal) -> Any:
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceResponse,
        )

        return ExportTraceServiceResponse()
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    return ExportLogsServiceResponse()


def status(message: str, kind: str) -> bytes:
    """The body of an error answer: a `google.rpc.Status` with its message (field 2).

    >>> status("no", PROTOBUF)
    b'\\x12\\x02no'
    """
    if kind == JSON:
        return json.dumps({"message": message}).encode()
    text = message.encode()
    length, size = len(text), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return b"\x12" + bytes(size) + text
