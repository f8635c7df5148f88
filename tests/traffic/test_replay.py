"""Replay: rule given or the variant's own, exact money, golden costs on the real trace."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ingest.traffic.prices import NO_LIMIT, Band, FixedPrices, RateSheet
from ingest.traffic.replaying import replay
from ingest.traffic.traces.load import load_trace
from ingest.traffic.traces.trace import Trace, TraceError
from tests.traffic.prices import PRICES

SHARED = Path(os.environ.get("TOKENBOOKS_SHARED", Path(__file__).parents[2].parent / "shared"))
DAY = date(2026, 11, 21)


def trace(times=(0, 60, 2000), inputs=(2048, 2048, 2048), **more):
    n = len(times)
    fields = {
        "ids": np.tile(np.arange(4), n),
        "offsets": np.arange(n + 1) * 4,
        "block_size": 512,
        **more,
    }
    return Trace(
        time_us=np.array(times) * 1_000_000,
        input_tokens=np.array(inputs),
        output_tokens=np.full(n, 100),
        **fields,
    )


def test_a_given_lifetime_has_no_minimum_unless_given():
    got = replay(trace(), ["gpt-5.2"], PRICES, ttl=300, day=DAY)
    assert (got["requests"], got["input_tokens"], got["output_tokens"]) == (3, 6144, 300)
    assert got["cached_tokens"] == 2048
    assert got["cached_share"] == pytest.approx(1 / 3)
    # (4096 x 1.75 + 2048 x 0.175 + 300 x 14) / 1e6
    assert got["variants"][0]["cost_usd"] == "0.0117264"
    assert got["variants"][0]["cost_without_cache_usd"] == "0.014952"
    assert (
        replay(trace(), ["gpt-5.2"], PRICES, ttl=300, min_tokens=2049, day=DAY)["cached_tokens"]
        == 0
    )


def test_without_a_lifetime_each_variants_own_rule_holds():
    got = replay(trace(), ["gpt-5.2", "claude-opus-4-5"], PRICES, day=DAY)
    gpt, opus = got["variants"]
    assert gpt["rule"]["source"] == "openai-extended-2026"
    assert gpt["cached_tokens"] == 4096
    # 2,048 tokens are below Opus 4.5's minimum of 4,096: nothing cached, nothing written.
    assert (opus["cached_tokens"], opus["cache_write_tokens"]) == (0, 0)
    assert opus["cost_usd"] == "0.03822"  # 6,144 x 5 + 300 x 25


def test_cache_writes_are_billed_where_they_cost():
    big = trace(inputs=(4096, 4096, 4096), block_size=1024)
    got = replay(big, ["claude-opus-4-5"], PRICES, day=DAY)["variants"][0]
    assert (got["cached_tokens"], got["cache_write_tokens"]) == (4096, 8192)
    assert got["cost_usd"] == "0.060748"  # 8,192 x 6.25 + 4,096 x 0.5 + 300 x 25
    hour = replay(big, ["claude-opus-4-5"], PRICES, ttl=3600, day=DAY)["variants"][0]
    assert hour["rule"]["write_class"] == "1h"
    assert hour["cost_usd"] == "0.052556"  # 4,096 x 10 + 8,192 x 0.5 + 300 x 25


def test_unknown_variants_are_unpriced_never_free():
    got = replay(trace(), ["gpt-9"], PRICES, day=DAY)
    assert got["variants"][0]["cost_usd"] is None
    assert got["variants"][0]["status"] == "unpriced"
    assert "gpt-9" in got["notes"][-1]


def test_the_prompt_size_moves_the_whole_request():
    bands = (
        Band(0, 1001, {"input_uncached": 1_000_000, "output_text": 2_000_000}),
        Band(1001, NO_LIMIT, {"input_uncached": 2_000_000, "output_text": 3_000_000}),
    )
    prices = FixedPrices({("v", "standard"): RateSheet("v", bands)})
    blockless = {"ids": None, "offsets": None, "block_size": None}
    for size, cost in ((1000, "0.0012"), (1001, "0.002302")):
        got = replay(trace((0,), (size,), **blockless), ["v"], prices, day=DAY)
        assert got["variants"][0]["cost_usd"] == cost


def test_reasoning_is_inside_output_and_priced_apart():
    prices = {"input_uncached": 1_000_000, "output_text": 10_000_000, "reasoning": 20_000_000}
    sheet = RateSheet("v", (Band(0, NO_LIMIT, prices),))
    got = replay(
        trace((0,), (1000,), reasoning_tokens=np.array([40]), ids=None, offsets=None,
              block_size=None),
        ["v"], FixedPrices({("v", "standard"): sheet}), day=DAY,
    )  # fmt: skip
    assert got["variants"][0]["cost_usd"] == "0.0024"  # 1,000 x 1 + 60 x 10 + 40 x 20
    assert got["reasoning_tokens"] == 40


def test_as_recorded_models_do_not_share_a_cache():
    mixed = trace(models=np.array([0, 1, 0]), model_names=("gpt-5.2", "gpt-5-mini"))
    got = replay(mixed, [], PRICES, ttl=3600, day=DAY)
    assert got["cached_tokens"] == 2048  # only the third call follows one of its own model
    assert [r["requests"] for r in got["variants"]] == [2, 1]
    # 2,048 x 1.75 + 2,048 x 0.175 + 200 x 14, and 2,048 x 0.25 + 100 x 2
    assert got["cost_usd"] == "0.0074544"


def test_session_scope_needs_sessions_and_a_variant_is_needed():
    with pytest.raises(TraceError, match="--map session"):
        replay(trace(), ["gpt-5.2"], PRICES, scope="session")
    with pytest.raises(TraceError, match="at least one variant"):
        replay(trace(), [], PRICES)


def test_the_answer_is_plain_json():
    got = replay(trace(), ["gpt-5.2"], PRICES, day=DAY)
    assert json.loads(json.dumps(got)) == got


def test_golden_costs():
    path = SHARED / "traces" / "mooncake_conversation.parquet"
    if not path.exists():
        pytest.skip("the Mooncake trace is not beside the repository (../shared/traces)")
    loaded = load_trace(path)
    costs = []
    for ttl in (300, 600, 3600):
        got = replay(loaded, ["gpt-5.2"], PRICES, ttl=ttl, min_tokens=1024, step=128)
        costs.append(round(float(got["variants"][0]["cost_usd"]), 2))
    assert costs == [250.98, 237.45, 231.89]
    assert got["variants"][0]["cost_without_cache_usd"] == "311.09786225"
