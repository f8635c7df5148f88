"""Routing by rule: which calls another variant answers, and what that costs."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.traffic import generate, parse_scenario, simulate
from ingest.traffic.scenarios.numbers import ScenarioError
from ingest.traffic.simulation.routing import assign, turns_of, variants_of, whole_session_shares
from ingest.traffic.traces.trace import Trace
from tests.traffic.prices import PRICES

CHAT = """
variants = ["gpt-5.2"]
draws = 256
[[workloads]]
name = "chat"
labels = ["support"]
{extra}
[workloads.volume]
sessions_per_day = 1000
[workloads.structure]
system_tokens = 100
user_tokens = 50
turns = 3
turn_gap_s = 30
session_spread = 0
[workloads.output]
tokens = 200
[workloads.cache]
enabled = false
{rules}
"""


def chat(rules: str = "", extra: str = ""):
    return parse_scenario(CHAT.format(rules=rules, extra=extra))


def rule(when: str, variant: str = "gpt-5-mini", share: str = "") -> str:
    return f'[[workloads.routing]]\nvariant = "{variant}"\nwhen = {{ {when} }}\n{share}\n'


def price(text: str) -> dict:
    return simulate(chat(text), PRICES, levers=False)["variants"][0]


def trace_of(inputs: list[int], sessions: list[int]) -> Trace:
    n = len(inputs)
    return Trace(np.arange(n) * 10**6, np.array(inputs), np.full(n, 10),
                 sessions=np.array(sessions))  # fmt: skip


def test_input_length_decides_and_the_boundary_stays_with_the_main_variant() -> None:
    # Prompts of a session: 150, then 150 + 200 + 50 = 400, then 650.
    calls = trace_of([150, 400, 401, 650], [0, 0, 1, 1])
    workload = chat(rule("input_tokens_over = 400")).workloads[0]
    assert assign(calls, workload, "gpt-5.2", 0).codes.tolist() == [0, 0, 1, 1]
    workload = chat(rule("input_tokens_up_to = 400")).workloads[0]
    assert assign(calls, workload, "gpt-5.2", 0).codes.tolist() == [1, 1, 0, 0]


def test_a_turn_counts_from_one_and_within_its_session() -> None:
    calls = trace_of([9, 9, 9, 9, 9], [5, 2, 5, 5, 2])
    assert turns_of(calls).tolist() == [1, 1, 2, 3, 2]
    workload = chat(rule("turn_from = 2, turn_to = 2")).workloads[0]
    assert assign(calls, workload, "gpt-5.2", 0).codes.tolist() == [0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        ('effort = "medium"', True), ('effort = ["low", "high"]', False),
        ('label = "support"', True), ('label = ["chat", "x"]', True), ('label = "sales"', False),
    ],
)  # fmt: skip
def test_effort_and_label_are_those_of_the_workload(when: str, taken: bool) -> None:
    workload = chat(rule(when)).workloads[0]
    assert assign(trace_of([9], [0]), workload, "gpt-5.2", 0).codes.tolist() == [int(taken)]


def test_a_label_can_be_a_recorded_client() -> None:
    from dataclasses import replace

    calls = replace(
        trace_of([9, 9, 9], [0, 1, 2]), clients=np.array([0, 1, 0]), client_names=("web", "batch")
    )
    workload = chat(rule('label = "batch"')).workloads[0]
    assert assign(calls, workload, "gpt-5.2", 0).codes.tolist() == [0, 1, 0]


def test_the_first_rule_that_fits_takes_the_call() -> None:
    workload = chat(
        rule("input_tokens_over = 300", "claude-opus-4-5") + rule("turn_from = 2")
    ).workloads[0]
    calls = trace_of([100, 200, 400], [0, 0, 0])
    got = assign(calls, workload, "gpt-5.2", 0)
    assert [got.variants[c] for c in got.codes] == ["gpt-5.2", "gpt-5-mini", "claude-opus-4-5"]
    assert variants_of(workload, "gpt-5.2") == ["gpt-5.2", "claude-opus-4-5", "gpt-5-mini"]


def test_the_bill_is_the_sum_of_what_each_variant_answers() -> None:
    # A session: prompts 150 + 400 + 650 tokens, answers of 200. From turn 2 on: gpt-5-mini.
    dear = (150 * Decimal("1.75") + 200 * 14) / 10**6
    cheap = ((400 + 650) * Decimal("0.25") + 400 * 2) / 10**6
    row = price(rule("turn_from = 2"))
    assert Decimal(row["cost_per_session_usd"]) == pytest.approx(dear + cheap, abs=Decimal("1e-4"))
    assert row["sessions"]["mean"] == pytest.approx(30_000, rel=0.001)
    assert row["requests"]["mean"] == pytest.approx(90_000, rel=0.001)
    assert row["tokens"]["input"]["mean"] == pytest.approx(30_000 * 1200, rel=0.001)


def test_a_rule_that_takes_everything_prices_like_the_other_variant() -> None:
    other = simulate(chat(), PRICES, variants=["gpt-5-mini"], levers=False)["variants"][0]
    routed = price(rule("turn_from = 1"))
    assert float(routed["cost_usd"]["p50"]) == pytest.approx(float(other["cost_usd"]["p50"]), 1e-3)
    assert routed["sessions"]["mean"] == pytest.approx(30_000, rel=0.001)
    assert routed["requests"]["mean"] == pytest.approx(90_000, rel=0.001)


def test_a_rule_that_takes_nothing_changes_nothing() -> None:
    assert price(rule("input_tokens_over = 100000"))["cost_usd"] == price("")["cost_usd"]


def test_failed_calls_are_answered_by_the_fallback() -> None:
    extra = 'fallback_variant = "gpt-5-mini"\n[workloads.failures]\nfailed_rate = {}\n'
    plain = simulate(chat(), PRICES, levers=False)["variants"][0]
    mini = simulate(chat(), PRICES, variants=["gpt-5-mini"], levers=False)["variants"][0]
    got = simulate(chat(extra=extra.format(0.25)), PRICES, levers=False)["variants"][0]
    a, b = (float(r["cost_per_session_usd"]) for r in (plain, mini))
    assert float(got["cost_per_session_usd"]) == pytest.approx(0.75 * a + 0.25 * b, rel=0.02)
    none = simulate(chat(extra=extra.format(0)), PRICES, levers=False)["variants"][0]
    assert none["cost_usd"]["mean"] == plain["cost_usd"]["mean"]


def test_variants_do_not_share_a_cache() -> None:
    text = CHAT.replace("system_tokens = 100", "system_tokens = 4000").replace(
        "enabled = false", "lifetime_s = 86400\nmin_tokens = 0\nstep = 1"
    )
    alone = simulate(parse_scenario(text.format(extra="", rules="")), PRICES, levers=False)
    split = parse_scenario(text.format(extra="", rules=rule("turn_from = 2, turn_to = 2")))
    ruled = simulate(split, PRICES, levers=False)
    # The third turn finds the beginning of the first, but not the second turn's prompt.
    assert ruled["variants"][0]["cached_share"] < alone["variants"][0]["cached_share"] - 0.005


def test_rules_for_all_workloads_stand_at_the_top() -> None:
    top = '[[routing]]\nvariant = "gpt-5-mini"\nwhen = { effort = "medium" }\n'
    scenario = parse_scenario(CHAT.format(rules="", extra="") + top)
    everything = simulate(scenario, PRICES, levers=False)["variants"][0]
    assert everything["cost_usd"]["p50"] == price(rule("turn_from = 1"))["cost_usd"]["p50"]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (rule("input_tokens_ovr = 5"), "did you mean 'input_tokens_over'"),
        (rule(""), "a rule needs one of input_tokens_over"),
        (rule("turn_from = 3, turn_to = 2"), "no call can fit"),
        (rule("input_tokens_over = 5, input_tokens_up_to = 5"), "no call can fit"),
        ('[[workloads.routing]]\nvariant = "gpt-5-mini"\n', "needs a share of the sessions"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_an_error(rules: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        chat(rules)


def test_a_generated_log_names_the_variant_that_answered() -> None:
    rows = list(generate(chat(rule("turn_from = 3", share="share = 0.5")), PRICES, days=1))
    third = [r for r in rows if r["model"] == "gpt-5-mini"]
    sessions = {r["session"] for r in rows}
    assert len(third) == pytest.approx(len(sessions) / 2, abs=1)
    assert {r["input_uncached"] for r in third} == {650}
    assert all(r["provider"] == "openai" for r in rows)


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 5)), min_size=1, max_size=40),
       st.floats(0, 1), st.integers(0, 3))  # fmt: skip
def test_every_call_has_one_variant_and_shares_are_of_sessions(calls, share, seed) -> None:
    trace = trace_of([c[0] for c in calls], [c[1] for c in calls])
    workload = chat(rule("input_tokens_over = 300", share=f"share = {share:.3f}")).workloads[0]
    got = assign(trace, workload, "gpt-5.2", seed)
    assert got.codes.min() >= 0
    assert got.codes.max() < len(got.variants)
    assert (trace.input_tokens[got.codes == 1] > 300).all()
    assert trace.sessions is not None
    moved = {s for s, c in zip(trace.sessions, got.codes, strict=True) if c}
    kept = {s for s, c, n in zip(trace.sessions, got.codes, trace.input_tokens, strict=True)
            if not c and n > 300}  # fmt: skip
    assert not moved & kept
    assert (got.codes == assign(trace, workload, "gpt-5.2", seed).codes).all()


def test_shares_and_rules_together() -> None:
    share = '[[workloads.routing]]\nvariant = "claude-opus-4-5"\nshare = 0.25\n'
    workload = chat(share + rule("turn_from = 2")).workloads[0]
    assert whole_session_shares(workload, "gpt-5.2") == {"claude-opus-4-5": 0.25, "gpt-5.2": 0.75}
    opus = (1200 * 5 + 600 * 25) / 1e6
    rest = (150 * 1.75 + 200 * 14 + 1050 * 0.25 + 400 * 2) / 1e6
    got = float(price(share + rule("turn_from = 2"))["cost_per_session_usd"])
    assert got == pytest.approx(0.25 * opus + 0.75 * rest, abs=1.1e-4)


def test_of_few_sessions_the_other_variants_calls_are_billed_too() -> None:
    # 150 sessions a month: their costs are drawn one by one, on every variant they reach.
    few = parse_scenario(CHAT.format(rules=rule("turn_from = 2"), extra="").replace("1000", "5"))
    row = simulate(few, PRICES, levers=False)["variants"][0]
    dear = (150 * 1.75 + 200 * 14) / 1e6
    cheap = ((400 + 650) * 0.25 + 400 * 2) / 1e6
    assert float(row["cost_usd"]["mean"]) == pytest.approx(150 * (dear + cheap), rel=0.02)
