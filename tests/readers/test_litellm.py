"""LiteLLM: rows and payloads, ids, charges, and what is no call."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.files import look
from ingest.readers import litellm
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, plain, read_all

HERE = FIXTURES / "litellm"
needs_samples = pytest.mark.skipif(
    not (SAMPLES / "litellm").is_dir(), reason="../shared/samples is not here"
)


def calls(results: list[Any]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


def row(**fields: Any) -> dict[str, Any]:
    return {
        "request_id": "chatcmpl-AnOrdinaryRow000001", "call_type": "acompletion", "spend": 0.1,
        "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "model": "gpt-5.2",
        "custom_llm_provider": "openai", "startTime": "2026-01-05T10:00:00Z", **fields,
    }  # fmt: skip


def one(**fields: Any) -> UsageRecord:
    (record,) = litellm.read_payload(row(**fields))
    assert isinstance(record, UsageRecord)
    return record


@pytest.mark.parametrize("name", ["spend_logs.jsonl", "spend_logs.csv", "payloads.json"])
def test_golden(name: str) -> None:
    check_golden(litellm, HERE / name, HERE / f"{name}.golden.json")


def test_csv_and_json_lines_say_the_same() -> None:
    def told(name: str) -> list[dict[str, Any]]:
        found = [plain(r) for r in read_all(litellm, HERE / name)]
        for record in found:
            record.pop("line")
        return found

    assert told("spend_logs.csv") == told("spend_logs.jsonl")


def test_texts_are_not_kept() -> None:
    assert "secret" in (HERE / "payloads.json").read_text()
    assert "secret" not in repr(read_all(litellm, HERE / "payloads.json"))


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        (None, None),
        (0.1, Decimal("0.1")),
        (0, Decimal(0)),
        ("", None),
        ("9e-06", Decimal("0.000009")),
    ],
)
def test_the_charge_is_what_is_stated(stated: Any, kept: Decimal | None) -> None:
    assert one(spend=stated).source_cost_usd == kept


@pytest.mark.parametrize("stated", ["free", -0.1, "NaN", "inf"])
def test_a_charge_that_is_none_is_rejected(stated: Any) -> None:
    (bad,) = litellm.read_payload(row(spend=stated))
    assert isinstance(bad, Reject)
    assert bad.reason == f"spend = {stated!r} is not an amount"


def test_ids_are_decoded_to_the_providers() -> None:
    inside = "resp_0a8171a24e10956f0069e2f3"
    text = f"litellm:custom_llm_provider:openai;model_id:None;response_id:{inside}"
    for padded in (
        base64.b64encode(text.encode()).decode(),
        base64.b64encode(text.encode()).decode().rstrip("="),
    ):
        assert one(request_id="resp_" + padded).call_key == f"openai:{inside}"
    # What decodes to something else, or to nothing, stays as it stands.
    for other in (
        "resp_0a8171a24e10956f0069e2f3f03a4c81",
        "resp_" + base64.b64encode(b"hello").decode(),
    ):
        assert litellm.decode_id(other) == other


def test_short_ids_of_different_calls_do_not_meet() -> None:
    first = one(request_id="1", litellm_call_id="a")
    second = one(request_id="1", litellm_call_id="b")
    assert first.call_key != second.call_key
    assert (
        one(request_id="1").call_key
        != one(request_id="1", startTime="2026-01-05T10:00:01Z").call_key
    )


def test_cache_beside_only_where_it_cannot_be_inside() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "cache_read_input_tokens": 10}
    inside = one(metadata={"usage_object": usage})
    assert (inside.counts["input_uncached"], inside.counts["cache_read"]) == (0, 10)
    beside = one(metadata={"usage_object": {**usage, "cache_read_input_tokens": 11}})
    assert (beside.counts["input_uncached"], beside.counts["cache_read"]) == (10, 11)
    assert beside.flags == ["cache tokens exceed prompt_tokens: counted beside it"]


def test_a_row_that_contradicts_its_usage_object_is_flagged() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    assert one(metadata={"usage_object": usage}).flags == []
    (flag,) = one(prompt_tokens=11, metadata={"usage_object": usage}).flags
    assert flag == "usage_object makes 10 + 2 tokens, the row says 11 + 2"


def test_the_proxys_own_cache_bills_nothing_and_replaces_nothing() -> None:
    record = one(cache_hit="True", spend=0.0)
    assert record.counts == {"input_uncached": 0, "output_text": 0}
    assert record.call_key != one().call_key
    assert record.tags["cache_hit"] == "true"


@pytest.mark.parametrize(
    ("fields", "provider", "model"),
    [
        (
            {"model": "anthropic/claude-opus-4-5", "custom_llm_provider": ""},
            "anthropic", "claude-opus-4-5",
        ),
        (
            {"model": "vertex_ai/gemini-2.5-pro", "custom_llm_provider": "vertex_ai"},
            "google", "gemini-2.5-pro",
        ),
        (
            {"model": "openrouter/openai/gpt-5.2", "custom_llm_provider": "openrouter"},
            "openrouter", "openai/gpt-5.2",
        ),
        (
            {"model": "deepseek-chat", "api_base": "https://api.deepseek.com/v1"},
            "deepseek", "deepseek-chat",
        ),
        (
            {"model": "us.anthropic.claude-x-v1:0", "custom_llm_provider": "bedrock_converse"},
            "bedrock", "us.anthropic.claude-x-v1:0",
        ),
        ({"model": "mystery", "custom_llm_provider": None}, "unknown", "mystery"),
    ],
)  # fmt: skip
def test_provider_and_model(fields: dict[str, Any], provider: str, model: str) -> None:
    record = one(**fields)
    assert (record.provider, record.model) == (provider, model)


def test_a_webhook_that_wraps_a_payload() -> None:
    (record,) = litellm.read_payload({"event": "success", "standard_logging_object": row()})
    assert isinstance(record, UsageRecord)
    (bad,) = litellm.read_payload({"event": "budget_crossed", "spend": 10})
    assert isinstance(bad, Reject)


def test_identify_needs_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for header, sure in (("request_id,call_type,spend", 0.97), ("request_id,call_type", 0.0)):
        path.write_text(header + "\n" + ",".join("x" for _ in header.split(",")) + "\n")
        assert litellm.READER.identify(look(path)) == sure


@needs_samples
@pytest.mark.parametrize("name", ["spend_logs.jsonl", "spend_logs.csv"])
def test_recorded_spend_logs(name: str) -> None:
    found = calls(read_all(litellm, SAMPLES / "litellm" / name))
    assert len(found) == 6
    assert sum(r.source_cost_usd or 0 for r in found) == Decimal("0.00449465")
    assert sum(r.input_total for r in found) == 175
    assert [r.call_key for r in found if not r.counts] == [
        "openai:chatcmpl-ASv9gROIIAvRs9QnmLP8Nzs3PGMCX"
    ]


@needs_samples
def test_the_proxys_rows_and_the_sdks_spans_are_the_same_calls() -> None:
    from ingest.readers import otel

    rows = calls(read_all(litellm, SAMPLES / "litellm" / "spend_logs.jsonl"))
    spans = calls(read_all(otel, SAMPLES / "otel-genai" / "openllmetry.otlp.jsonl"))
    assert {r.call_key: r.input_total for r in rows} == {r.call_key: r.input_total for r in spans}


def test_metadata_as_text_or_object() -> None:
    usage = {
        "usage_object": {"prompt_tokens": 10, "completion_tokens": 2, "cache_read_input_tokens": 4}
    }
    assert one(metadata=usage).counts == one(metadata=json.dumps(usage)).counts
    assert one(metadata="{broken").counts["input_uncached"] == 10


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("bedrock/converse/us.anthropic.claude-x-v1:0", "us.anthropic.claude-x-v1:0"),
        ("bedrock/us-east-1/anthropic.claude-x-v1:0", "anthropic.claude-x-v1:0"),
        ("bedrock/invoke/us-gov-west-1/anthropic.claude-x", "anthropic.claude-x"),
        ("bedrock/arn:aws:bedrock:us-east-1::foundation-model/a.b", None),
    ],
)
def test_bedrocks_routes_are_no_part_of_the_model(model: str, plain: str | None) -> None:
    line = row(custom_llm_provider="bedrock", model=model, prompt_tokens=1, completion_tokens=1)
    (record,) = calls(list(litellm.read_payload(line)))
    assert record.model == plain or record.model == model.removeprefix("bedrock/")


def test_a_charge_without_tokens_is_uncounted_not_free() -> None:
    line = row(call_type="aimage_generation", model="gpt-image-1", spend=0.042, prompt_tokens=0)
    (record,) = calls(list(litellm.read_payload({**line, "completion_tokens": 0})))
    assert (record.counts, record.finality) == ({}, "final")
    assert record.source_cost_usd == Decimal("0.042")


def test_metadata_written_by_pandas_keeps_its_counts() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    usage |= {"prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": None}}  # type: ignore[dict-item]
    line = row(prompt_tokens="9", completion_tokens="2", metadata=repr({"usage_object": usage}))
    (record,) = calls(list(litellm.read_payload(line)))
    assert (record.counts["input_uncached"], record.counts["cache_read"]) == (5, 4)
