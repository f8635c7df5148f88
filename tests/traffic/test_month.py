"""The month: hand-computed bills, intervals, levers, warnings."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from ingest.traffic import ScenarioError, parse_scenario, simulate
from ingest.traffic.scenarios.efforts import effort_ratio
from ingest.traffic.scenarios.scenario import Volume
from ingest.traffic.simulation.library import month_shape
from tests.traffic.prices import PRICES

PLAIN = """
name = "t"
draws = 1024
start = 2026-12-01
variants = ["gpt-5.2", "gpt-5-mini"]
[[workloads]]
name = "w"
[workloads.volume]
sessions_per_day = 10_000
[workloads.structure]
system_tokens = 400
user_tokens = 100
session_spread = 0
[workloads.output]
tokens = 200
"""


def run(text=PLAIN, **more):
    return simulate(parse_scenario(text), PRICES, **more)


def cost(result, variant=0, which="p50"):
    return float(result["variants"][variant]["cost_usd"][which])


def test_a_bill_one_can_work_out_by_hand():
    got = run(levers=False)
    # 300,000 calls of 500 in and 200 out, below the cache's minimum: 262.5 + 840 USD.
    assert cost(got, which="mean") == pytest.approx(1102.5, rel=0.002)
    first = got["variants"][0]
    assert first["tokens"]["input"]["mean"] == pytest.approx(150e6, rel=0.002)
    assert first["tokens"]["output"]["mean"] == pytest.approx(60e6, rel=0.002)
    assert first["tokens"]["cached"]["mean"] == 0
    assert first["cost_per_session_usd"] == "0.0037"
    assert got["cheapest"] == "gpt-5-mini"


def test_a_long_shared_prefix_is_cached_after_the_first_call():
    got = run(PLAIN.replace("system_tokens = 400", "system_tokens = 2048"), levers=False)
    # 2,048 of 2,148 tokens, a whole number of steps; only the first call misses.
    assert got["variants"][0]["cached_share"] == pytest.approx(2048 / 2148, rel=0.002)


def test_history_and_chains_grow_the_prompt():
    chain = PLAIN.replace("user_tokens = 100", "user_tokens = 100\ncalls_per_turn = 4").replace(
        "session_spread = 0", "tool_result_tokens = 50\nsession_spread = 0"
    )
    got = run(chain, levers=False)["variants"][0]
    # k S + d k (k - 1) / 2 with S = 500, d = 200 + 50, k = 4: 3,500 a session.
    assert got["tokens"]["input"]["mean"] == pytest.approx(300_000 * 3500, rel=0.002)
    turns = PLAIN.replace("user_tokens = 100", "user_tokens = 100\nturns = 3")
    got = run(turns, levers=False)["variants"][0]
    # 500, then 500 + 300, then 500 + 600.
    assert got["tokens"]["input"]["mean"] == pytest.approx(300_000 * 2400, rel=0.002)
    # n candidates multiply output and not input.
    many = run(PLAIN + "n = 3\n", levers=False)["variants"][0]
    assert many["tokens"]["output"]["mean"] == pytest.approx(3 * 60e6, rel=0.002)
    assert many["tokens"]["input"]["mean"] == pytest.approx(150e6, rel=0.002)


def test_a_range_comes_back_as_its_own_percentiles():
    got = run(PLAIN.replace("= 10_000", "= { p10 = 5000, p90 = 20000 }"), levers=False)
    assert cost(got, which="p50") == pytest.approx(1102.5, rel=0.02)
    assert cost(got, which="p10") == pytest.approx(1102.5 / 2, rel=0.02)
    assert cost(got, which="p90") == pytest.approx(1102.5 * 2, rel=0.02)
    top = got["variants"][0]["tornado"][0]
    assert top["parameter"] == "w: sessions_per_day"
    assert (top["low"], top["high"]) == (pytest.approx(-0.5), pytest.approx(1.0))


def test_structural_ranges_are_evaluated_and_joined():
    text = PLAIN.replace("system_tokens = 400", "system_tokens = { p10 = 200, p90 = 800 }").replace(
        "user_tokens = 100", "user_tokens = { mean = { p10 = 50, p90 = 200 }, family = 'fixed' }"
    )
    got = run(text, levers=False)["variants"][0]
    names = {t["parameter"]: t for t in got["tornado"]}
    # 400 -> 800 system tokens: 120 M more input, 210 USD on 1,102.5.
    assert names["w: system_tokens"]["high"] == pytest.approx(210 / 1102.5, rel=0.02)
    assert got["surface_error"] < 0.05


def test_same_seed_same_numbers():
    assert run() == run()
    other = run(PLAIN.replace('name = "t"', 'name = "t"\nseed = 5'))
    assert other["variants"][0]["cost_usd"] != run()["variants"][0]["cost_usd"]


def test_effort_scales_output_and_brings_its_interval():
    got = run(PLAIN + 'effort = "high"\n', levers=False)["variants"][0]
    assert got["tokens"]["output"]["p50"] == pytest.approx(60e6 * 1.79, rel=0.02)
    assert any(t["parameter"] == "w: effort high" for t in got["tornado"])
    (said,) = got["efforts"]
    ratio = effort_ratio("gpt-5.2", "medium", "high")
    assert (said["p10"], said["p50"], said["p90"]) == (ratio.low, ratio.mid, ratio.high)
    assert said["source"].startswith("Aider polyglot")
    assert run(PLAIN, levers=False)["variants"][0]["efforts"] == []


def test_effort_changes_the_thinking_not_what_is_said():
    text = PLAIN + "reasoning_tokens = 1000\n"
    at = {
        e: run(text + f'effort = "{e}"\n', levers=False)["variants"][0]["tokens"]
        for e in ("none", "medium", "high")
    }
    said = {e: t["output"]["mean"] - t["reasoning"]["mean"] for e, t in at.items()}
    assert said["medium"] == pytest.approx(60e6, rel=0.002)
    assert said["high"] == pytest.approx(60e6, rel=0.002)
    total = 360e6 * effort_ratio("gpt-5.2", "medium", "high").mid
    # The mean of an uncertain ratio lies a little above its middle.
    assert at["high"]["output"]["p50"] == pytest.approx(total, rel=0.02)
    assert at["none"]["reasoning"]["p90"] == 0
    assert at["none"]["output"]["p50"] < 360e6


def test_compaction_is_a_call_of_its_own():
    text = PLAIN.replace("user_tokens = 100", "user_tokens = 1000\nturns = 4").replace(
        "sessions_per_day = 10_000", "sessions_per_day = 1000"
    )
    plain = run(text, levers=False)["variants"][0]
    # Prompts of 1400, 2600, 3800, 5000 tokens; the last is more than 4,000.
    assert plain["tokens"]["input"]["mean"] == pytest.approx(30_000 * 12_800, rel=0.002)
    got = run(text + "[workloads.compaction]\nat_tokens = 4000\n", levers=False)["variants"][0]
    # Before the fourth turn 3,600 tokens of history behind 400 of system prompt are read once
    # more and become 720; then 400 + 720 + 1000 are sent.
    assert got["requests"]["mean"] == pytest.approx(30_000 * 5, rel=0.002)
    assert got["tokens"]["input"]["mean"] == pytest.approx(
        30_000 * (1400 + 2600 + 3800 + 4000 + 2120), rel=0.002
    )
    assert got["tokens"]["output"]["mean"] == pytest.approx(30_000 * (800 + 720), rel=0.002)


def test_tiers_retries_routes_and_tasks():
    batch = run(PLAIN + "[workloads.tiers]\nbatch = 0.5\n", levers=False)
    assert cost(batch, which="mean") == pytest.approx(1102.5 * 0.75, rel=0.002)
    none = run(PLAIN + "[workloads.tiers]\npriority = 0.5\n", levers=False)
    assert cost(none, which="mean") == pytest.approx(1102.5, rel=0.002)
    assert any("no priority price" in w for w in none["variants"][0]["warnings"])
    retry = run(PLAIN + "[workloads.failures]\nretry_rate = 0.1\n", levers=False)
    assert cost(retry, which="mean") == pytest.approx(1102.5 + 26.25, rel=0.002)
    routed = run(PLAIN + '[[workloads.routing]]\nvariant = "gpt-5-mini"\nshare = 0.5\n',
                 levers=False)  # fmt: skip
    mini = 37.5 + 120
    assert cost(routed, which="mean") == pytest.approx((1102.5 + mini) / 2, rel=0.004)
    half = run(PLAIN.replace('name = "w"', 'name = "w"\nsuccess_rate = 0.5'), levers=False)
    assert half["variants"][0]["cost_per_successful_task_usd"] == "0.0073"


def test_few_sessions_are_drawn_and_wide():
    got = run(PLAIN.replace("= 10_000", "= 0.5"), levers=False)
    low, high = cost(got, which="p10"), cost(got, which="p90")
    # About 15 sessions: Poisson alone is +- 33 % at P10 and P90.
    assert 0.05 * 0.5 < low < 0.05 < high < 0.1


def test_unpriced_variants_stay_visible():
    got = run(variants=["nobody-1"])
    assert got["variants"][0]["status"] == "unpriced"
    assert got["variants"][0]["cost_usd"] is None
    assert got["levers"] == []


def test_levers_are_ranked_and_joined():
    text = PLAIN.replace("system_tokens = 400", "system_tokens = 3000")
    got = run(text + "[workloads.cache]\nstable_prefix = false\n")["levers"]
    assert got[0]["lever"] == "reorder the prompt for the cache"
    assert got[-1]["lever"] == "all together"
    savings = [row["saving"] for row in got[:-1]]
    assert savings == sorted(savings, reverse=True)
    assert got[-1]["saving"] > savings[0]
    batch = next(r for r in got if r["lever"].startswith("batch"))
    assert batch["saving"] == pytest.approx(0.1)
    assert "assumed" in batch["assumes"]


def test_warnings():
    limits = """
[limits."gpt-5.2"]
requests_per_minute = 20
monthly_usd = 1000
"""
    said = " | ".join(
        run(PLAIN + "max_output = 200_000\n" + limits, levers=False)["variants"][0]["warnings"]
    )
    # 10,000 a day is 6.94 a minute, three times that in the busiest.
    assert "rate limit: gpt-5.2 sees 21 requests" in said
    assert "spend cap: 100% of the draws" in said
    assert "maximum output" in said
    # OpenAI's overflow starts at 15 requests a minute with one beginning.
    assert "cache routing: gpt-5.2 sees 21" in said
    calm = run(PLAIN.replace("10_000", "7_000"), levers=False)["variants"][0]["warnings"]
    assert calm == []
    big = run(PLAIN.replace("= 400", "= 500_000"), levers=False)["variants"][0]["warnings"]
    assert any(w.startswith("context window") for w in big)


def test_month_shape():
    day = date(2026, 12, 1)  # a Tuesday
    assert month_shape(Volume(sessions_per_day=1), day, 2.5) == pytest.approx(2.5)
    work = Volume(sessions_per_day=1, weekday_shape=[1, 1, 1, 1, 1, 0, 0])
    assert month_shape(work, day, 7) == pytest.approx(7)
    assert month_shape(work, date(2026, 12, 5), 2) == 0
    ramp = Volume(sessions_per_day=1, ramp_days=2, ramp_start=0.5)
    assert month_shape(ramp, day, 4) == pytest.approx(0.5 + 0.75 + 1 + 1)
    grow = Volume(sessions_per_day=1, growth_per_month=0.1)
    assert month_shape(grow, day, 30) == pytest.approx(30 * 1.048, rel=0.002)


def test_the_answer_is_plain_json():
    got = run()
    assert json.loads(json.dumps(got)) == got
    assert np.isfinite(got["variants"][0]["cached_share"])


def test_the_cache_lifetime_is_shown_beside_the_interval():
    text = PLAIN.replace("system_tokens = 400", "system_tokens = 3000\nturns = 2\nturn_gap_s = 900")
    text = text.replace("10_000", "20")
    rows = run(text, levers=False)["variants"][0]["cache_lifetime"]
    assert [r["lifetime_s"] for r in rows] == [300, 86400]
    # At 20 sessions a day nothing survives five minutes of idling; within a day it does.
    assert float(rows[0]["cost_usd"]) > 1.1 * float(rows[1]["cost_usd"])
    assert rows[1]["assumed"]


def test_spreading_over_machines_loses_hits():
    text = PLAIN.replace("system_tokens = 400", "system_tokens = 3000").replace("10_000", "2_000")
    one = run(text, levers=False)["variants"][0]["cached_share"]
    cache = "[workloads.cache]\nlifetime_s = 300\nmachines = 8\n"
    many = run(text + cache, levers=False)["variants"][0]["cached_share"]
    assert many < one - 0.1


def test_every_range_moves_the_bill():
    """A range of any number is seen in the tornado; none is quietly taken at its middle."""
    ranged = {
        "failed_rate": "[workloads.failures]\nfailed_input_share = 1\nfailed_rate = RANGE",
        "images per_turn": "[workloads.images]\nper_turn = RANGE",
        "images tokens_each": "[workloads.images]\nper_turn = 1\ntokens_each = RANGE",
        "tiers batch": "[workloads.tiers]\nbatch = RANGE",
    }
    for name, table in ranged.items():
        text = PLAIN + table.replace("RANGE", "{ p10 = 0.1, p90 = 0.9 }") + "\n"
        row = run(text, levers=False)["variants"][0]
        moved = {t["parameter"]: t["high"] - t["low"] for t in row["tornado"]}
        key = next(k for k in moved if k.endswith(name))
        assert abs(moved[key]) > (0.0001 if "tokens_each" in name else 0.01), name


def test_growth_may_be_a_range_below_zero():
    text = PLAIN.replace("[workloads.volume]", "[workloads.volume]\ngrowth_per_month = GROWTH")
    sure = run(text.replace("GROWTH", "0.0"), levers=False)
    unsure = run(text.replace("GROWTH", "{ p10 = -0.19, p90 = 0.234567901 }"), levers=False)
    # sqrt(0.81 x 1.234567901) is 1: the same in the middle.
    assert cost(unsure) == pytest.approx(cost(sure), rel=0.01)
    assert cost(unsure, which="p10") < 0.95 * cost(sure) < 1.05 * cost(sure)
    assert cost(unsure, which="p90") > 1.05 * cost(sure)
    with pytest.raises(ScenarioError, match="must not be below p10"):
        run(text.replace("GROWTH", "{ p10 = 0.2, p90 = -0.1 }"))
    with pytest.raises(ScenarioError, match="add up to more than 1"):
        run(PLAIN + "[workloads.tiers]\nbatch = { p10 = 0.2, p90 = 0.7 }\nflex = 0.4\n")
