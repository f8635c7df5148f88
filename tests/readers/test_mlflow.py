"""MLflow traces: spans in MLflow's own names."""

from __future__ import annotations

import json
from decimal import Decimal

from ingest.readers import mlflow, otel
from tests.readers.golden import FIXTURES
from tests.readers.probe import calls, counts, golden, read_lines, rejects


def test_golden() -> None:
    found = golden(mlflow, "mlflow", "trace.json")
    openai, claude = calls(found)
    # The framework's span above the SDK's own is the same call; the agent's is their sum.
    assert openai.call_key == "openai:chatcmpl-abcdefghijklmnopqrstuv"
    assert counts(openai) == {"input_uncached": 200, "cache_read": 800, "output_text": 50}
    assert (openai.tier, openai.effort, openai.session) == ("flex", "high", "sess-1")
    assert (openai.source_format, openai.dimensions) == ("mlflow", {"team": "search"})
    assert counts(claude) == {"input_uncached": 500, "cache_read": 9000, "output_text": 40}
    assert claude.source_cost_usd == Decimal("0.3")
    assert [r.reason for r in rejects(found)] == [
        "span 'Bad': gen_ai.usage.input_tokens = -5 is negative"
    ]


def test_a_span_of_mlflow_2() -> None:
    (call,) = calls(golden(mlflow, "mlflow", "traces-2.json"))
    assert (call.model, counts(call)) == ("text-embedding-3-small", {"input_uncached": 8})


def test_the_same_span_by_otlp_has_the_same_key() -> None:
    document = json.loads((FIXTURES / "mlflow/trace.json").read_text())
    span = document["data"]["spans"][3]
    (stored,) = calls(read_lines(mlflow, [{"spans": [span]}]))
    sent = {
        "resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "000102030405060708090a0b0c0d0e0f", "spanId": "0000000000000004",
            "name": "Messages", "startTimeUnixNano": "1767607200000000003",
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "500"}},
            ],
        }]}]}],
    }  # fmt: skip
    (live,) = calls(read_lines(otel, [sent]))
    assert stored.call_key == live.call_key
