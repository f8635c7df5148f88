"""HAR recordings: every form of body, and no credential anywhere."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.readers import har
from ingest.readers.base import ReadContext
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

HERE = FIXTURES / "har"
needs_samples = pytest.mark.skipif(
    not (SAMPLES / "har").is_dir(), reason="../shared/samples is not here"
)
BODY = {
    "id": "chatcmpl-HarTestBody00000001", "object": "chat.completion", "model": "gpt-5.2",
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
}  # fmt: skip


def read(content: dict[str, Any], headers: dict[str, str] | None = None) -> list[Any]:
    entry = {
        "startedDateTime": "2026-01-05T10:00:00Z", "time": 10,
        "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions"},
        "response": {
            "status": 200, "content": content,
            "headers": [{"name": k, "value": v} for k, v in (headers or {}).items()],
        },
    }  # fmt: skip
    source = look_at_bytes(json.dumps({"log": {"entries": [entry]}}).encode())
    return list(har.READER.read(source, ReadContext(source)))


def test_golden() -> None:
    check_golden(har, HERE / "mixed.har", HERE / "mixed.har.golden.json")


def test_no_credential_and_no_text_survives() -> None:
    assert (HERE / "mixed.har").read_text().count("secret") > 20
    assert "secret" not in repr(read_all(har, HERE / "mixed.har"))


TEXT = json.dumps(BODY)
GZ = gzip.compress(TEXT.encode())


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "content",
    [
        {"text": TEXT},
        {"text": b64(TEXT.encode()), "encoding": "base64"},
        {"text": b64(GZ), "encoding": "base64"},
        {"text": b64(json.dumps([b64(GZ)]).encode()), "encoding": "base64"},
        {"text": b64(json.dumps([b64(GZ[:31]), b64(GZ[31:])]).encode()), "encoding": "base64"},
    ],
)
def test_forms_of_a_body(content: dict[str, Any]) -> None:
    (record,) = read(content)
    assert isinstance(record, UsageRecord)
    assert (record.call_key, record.input_total) == ("openai:chatcmpl-HarTestBody00000001", 100)


@pytest.mark.parametrize(
    ("content", "headers", "reason"),
    [
        ({}, {}, "the recording has no response body"),
        ({"text": TEXT[:40]}, {}, "the recorded body is broken or cut-off JSON"),
        ({"text": b64(GZ[:12] + b"x" * 20), "encoding": "base64"}, {},
         "the compressed body is damaged"),
        ({"text": b64(b"\x8b\x02\x80xyz"), "encoding": "base64"}, {"Content-Encoding": "br"},
         "the body is stored compressed (br), which is not read"),
        ({"text": b64(b"\x00\x00\x01\xff\xfe"), "encoding": "base64"}, {},
         "the body is binary, not text (an AWS event stream?)"),
        ({"text": "<html>"}, {}, "the body is neither JSON nor an event stream"),
        ({"text": "{}"}, {}, "no usage that any known API would write"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_read_says_why(
    content: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    (bad,) = read(content, headers)
    assert bad == Reject(f"entry 1: {reason}", 1)


@needs_samples
def test_recorded_messages() -> None:
    name = "anthropic-should-set-attributes-in-span-for-messages.har"
    (record,) = read_all(har, SAMPLES / "har" / name)
    assert isinstance(record, UsageRecord)
    assert record.call_key == "anthropic:msg_01ABEG1nJ4BqCbQR4BUANnCB"
    assert (record.counts["input_uncached"], record.counts["output_text"]) == (17, 137)
    assert record.latency_ms == 6280


@needs_samples
def test_recorded_stream_without_usage() -> None:
    name = "openai-should-set-attributes-in-span-for-streaming-chat.har"
    (record,) = read_all(har, SAMPLES / "har" / name)
    assert isinstance(record, UsageRecord)
    assert record.counts == {}
    assert record.finality == "partial"
