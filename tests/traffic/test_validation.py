"""Fit, generate, validate: intervals that cover, shares that hold, logs that come back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ingest.readers.mapping import FIELDS
from ingest.traffic import (
    ScenarioError,
    Trace,
    TraceError,
    fill_from_store,
    fit,
    fit_scenario,
    generate,
    load_trace,
    parse_scenario,
    replay,
    simulate,
    validate,
    validation,
    write_log,
)
from ingest.traffic.simulation.predict import (
    between_periods,
    period_to_period,
    recent_weights,
    session_bootstrap,
    share_gap,
    share_noise,
    student,
    whole_sessions,
)
from tests.traffic.prices import PRICES

DAY = date(2026, 11, 21)
SHARED = Path(os.environ.get("TOKENBOOKS_SHARED", Path(__file__).parents[2].parent / "shared"))


def chats(sessions=300, seed=0, clients=0):
    """Conversations of different sizes behind one system prompt, in 100-token blocks."""
    rng = np.random.default_rng(seed)
    rows = []
    fresh = 100
    for s in range(sessions):
        size = rng.lognormal(0, 0.8)
        now = rng.uniform(0, 86_400)
        prompt = list(range(11))
        for _ in range(1 + rng.poisson(2)):
            grow = max(1, round(size * rng.integers(2, 9)))
            prompt = prompt + list(range(fresh, fresh + grow))
            fresh += grow
            rows.append((now, s, list(prompt), int(rng.integers(50, 400))))
            now += rng.exponential(120)
    rows.sort(key=lambda r: r[0])
    return Trace(
        time_us=np.array([round(r[0] * 1e6) for r in rows]),
        input_tokens=np.array([100 * len(r[2]) for r in rows]),
        output_tokens=np.array([r[3] for r in rows]),
        ids=np.array([i for r in rows for i in r[2]]),
        offsets=np.concatenate(([0], np.cumsum([len(r[2]) for r in rows]))),
        block_size=100,
        sessions=np.array([r[1] for r in rows]),
        clients=np.array([r[1] % clients for r in rows]) if clients else None,
        client_names=tuple(f"c{i}" for i in range(clients)),
    )


def to_file(trace, path):
    names = trace.sessions.tolist()
    with path.open("w") as out:
        for i in range(trace.requests):
            row = {
                "t_s": trace.time_us[i] / 1e6,
                "input_tokens": int(trace.input_tokens[i]),
                "output_tokens": int(trace.output_tokens[i]),
                "hash_ids": trace.ids[trace.offsets[i] : trace.offsets[i + 1]].tolist(),
                "session": names[i],
            }
            out.write(json.dumps(row) + "\n")
    return path


def test_the_fits_own_error_widens_the_interval():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    ours, plain = whole_sessions(values, 4), session_bootstrap(values, 4)
    assert ours.mean == plain.mean == 12
    # Sample variance 14/3 instead of 14/4, and sqrt(1 + 4/4).
    assert ours.sd / plain.sd == pytest.approx(np.sqrt(4 / 3) * np.sqrt(2))
    assert whole_sessions(values, 4, drift=0.5).sd == pytest.approx(np.hypot(ours.sd, 6))


def test_student_quantiles():
    upper = np.array([1.2815515655, 1.6448536270])
    assert student(upper, float("inf")).tolist() == upper.tolist()
    assert student(upper, 10)[0] == pytest.approx(1.3722, abs=0.002)
    assert student(upper, 5)[1] == pytest.approx(2.0150, abs=0.02)
    assert student(-upper, 5).tolist() == (-student(upper, 5)).tolist()


def test_an_interval_leans_to_the_side_of_the_rare_giant():
    giants = np.array([1.0] * 28 + [40.0, 60.0])
    low, high = whole_sessions(giants, 30).interval(0.8)
    mean = giants.mean() * 30
    assert high - mean > 1.3 * (mean - low)
    # Mirrored, it leans the other way; without a tail it does not.
    low_2, high_2 = whole_sessions(100 - giants, 30).interval(0.8)
    assert (3000 - high_2, 3000 - low_2) == pytest.approx((low, high))
    even = whole_sessions(np.array([1.0, 2.0, 3.0] * 10), 30).interval(0.8)
    assert even[1] - 60 == pytest.approx(60 - even[0])
    # Many like sessions make a normal total, whatever each is.
    many = whole_sessions(np.random.default_rng(1).exponential(1, 20_000), 20_000)
    assert abs(many.lean) < 0.01


@pytest.mark.parametrize("fitted", [15, 60, 400])
@pytest.mark.parametrize(
    ("draw", "honest"),
    [
        (lambda rng, n: rng.normal(10, 1, n), 0.80),
        (lambda rng, n: rng.exponential(1, n), 0.81),
        (lambda rng, n: rng.lognormal(0, 1, n), 0.80),
        (lambda rng, n: rng.pareto(1.8, n) + 1, 0.77),
    ],
    ids=["normal", "exponential", "lognormal", "pareto"],
)
def test_intervals_hold_for_totals_of_few_and_of_uneven_sessions(draw, honest, fitted):
    rng = np.random.default_rng(7)
    held = []
    for _ in range(1500):
        known, coming = draw(rng, fitted), draw(rng, fitted)
        held.append(whole_sessions(known, fitted).covers(coming.sum(), 0.8))
    assert np.mean(held) == pytest.approx(honest, abs=0.045)


def test_recent_weights_halve_with_the_half_life():
    weights = recent_weights(np.array([0, 50, 100]), 0.5)
    assert weights.tolist() == [0.25, 0.5, 1.0]
    assert recent_weights(np.array([7, 7]), 0.5).tolist() == [1, 1]


def test_drift_is_seen_where_there_is_some():
    rng = np.random.default_rng(0)
    start = np.arange(4000)
    steady = rng.gamma(2, 1, 4000)
    assert between_periods(steady, start) < 0.04
    moving = steady * np.repeat(np.exp(rng.normal(0, 0.3, 8)), 500)
    assert 0.15 < between_periods(moving, start) < 0.5


def test_validation_on_made_traffic():
    got = validate(chats(400), "gpt-5.2", PRICES, splits=60, ttl=300, day=DAY, seed=1)
    ours = got["random_split"]["predictors"]["whole_sessions"]
    base = got["random_split"]["predictors"]["session_bootstrap"]
    guess = got["random_split"]["predictors"]["mean_times_count"]
    assert ours["cost"]["median_abs_error"] < 0.1
    assert ours["cached_share"]["median_abs_error_points"] < 2
    assert 0.65 <= ours["coverage"]["80%"] <= 0.95
    assert base["coverage"]["80%"] < ours["coverage"]["80%"]
    # Without the cache the first guess is far too high.
    assert guess["cost"]["bias"] > 0.2
    assert guess["cached_share"]["bias_points"] < -20
    assert got["time_split"]["splits"] >= 4
    assert "volume_carried_over" in got["time_split"]
    assert "skipped" in got["leave_one_client_out"]
    assert json.loads(json.dumps(got)) == got


def test_clients_are_left_out_one_by_one():
    got = validate(chats(150, clients=3), "gpt-5.2", PRICES, splits=4, ttl=300, day=DAY)
    each = got["leave_one_client_out"]["each"]
    assert [r["client"] for r in each] == ["c0", "c1", "c2"]
    assert all(abs(r["cost_error"]) < 0.6 for r in each)


def test_session_scope_gives_the_same_truth_each_split():
    got = validate(chats(60), "gpt-5.2", PRICES, splits=4, scope="session", ttl=300, day=DAY)
    assert got["scope"] == "session"
    assert got["random_split"]["splits"] == 4


def test_sessions_without_a_common_block_are_replayed_once(monkeypatch):
    """The system prompt is left out: what a session caches then hangs on it alone."""
    trace = chats(60)
    common = trace.ids < 100
    cuts = np.concatenate(([0], np.cumsum(np.add.reduceat(~common, trace.offsets[:-1]))))
    own = replace(trace, ids=trace.ids[~common], offsets=cuts, _stream=[])
    passes = []
    counted = validation.cached_tokens
    monkeypatch.setattr(
        validation, "cached_tokens", lambda *a, **k: passes.append(1) or counted(*a, **k)
    )
    once = validate(own, "gpt-5.2", PRICES, splits=30, ttl=300, day=DAY)
    few = len(passes)
    monkeypatch.setattr(validation, "_share_blocks", lambda _: True)
    assert validate(own, "gpt-5.2", PRICES, splits=30, ttl=300, day=DAY) == once
    assert len(passes) - few == few + 30 - 1
    assert once["random_split"]["predictors"]["whole_sessions"]["cached"]["median_abs_error"] > 0


def test_too_few_sessions_are_refused():
    with pytest.raises(TraceError, match="validation needs at least 20"):
        validate(chats(10), "gpt-5.2", PRICES, day=DAY)
    with pytest.raises(TraceError, match="no price"):
        validate(chats(30), "nobody", PRICES, day=DAY)


def test_fit_then_simulate_gives_the_recorded_bill_back(tmp_path):
    trace = chats(400)
    path = to_file(trace, tmp_path / "chats.jsonl")
    text, got = fit_scenario(load_trace(path, block_size=100), path, block_size=100)
    assert got.sessions == 400
    assert got.calls_per_session == pytest.approx(trace.requests / 400)
    result = simulate(parse_scenario(text), PRICES, days=got.span_days, levers=False)
    row = result["variants"][0]
    truth = replay(trace, ["gpt-5.2"], PRICES, day=DAY)
    assert float(row["cost_usd"]["p50"]) == pytest.approx(
        float(truth["variants"][0]["cost_usd"]), rel=0.02
    )
    assert row["cached_share"] == pytest.approx(truth["cached_share"], abs=0.005)
    # The period recorded: no drift, no doubt about the number of sessions.
    assert not any("drift" in t["parameter"] for t in row["tornado"])


def test_half_of_the_sessions_predict_the_other_half(tmp_path):
    trace = chats(400, seed=3)
    half = trace.select(trace.sessions % 2 == 0)
    other = trace.select(trace.sessions % 2 == 1)
    path = to_file(half, tmp_path / "half.jsonl")
    text, got = fit_scenario(load_trace(path, block_size=100), path, block_size=100)
    row = simulate(parse_scenario(text), PRICES, days=got.span_days, levers=False)["variants"][0]
    truth = replay(other, ["gpt-5.2"], PRICES, day=DAY)
    cost = float(truth["variants"][0]["cost_usd"])
    assert float(row["cost_usd"]["p50"]) == pytest.approx(cost, rel=0.2)
    assert row["cached_share"] == pytest.approx(truth["cached_share"], abs=0.03)


def test_a_small_pilot_says_so(tmp_path):
    path = to_file(chats(30), tmp_path / "pilot.jsonl")
    text, _ = fit_scenario(load_trace(path, block_size=100), path, block_size=100)
    row = simulate(parse_scenario(text), PRICES, levers=False)["variants"][0]
    assert any(w.startswith("pilot too small") and "30 sessions" in w for w in row["warnings"])


def test_the_generated_log(tmp_path):
    text = """
start = 2026-12-01
days = 2
[[workloads]]
name = "w"
[workloads.volume]
sessions_per_day = 100
weekday_shape = [1, 1, 0, 1, 1, 1, 1]
[workloads.structure]
system_tokens = 1500
turns = 2
[workloads.output]
reasoning_tokens = 40
"""
    scenario = parse_scenario(text)
    rows = list(generate(scenario, PRICES))
    assert rows == list(generate(scenario, PRICES))
    # The 2nd of December 2026 is a Wednesday, on which nobody comes.
    assert {r["occurred_at"][:10] for r in rows} <= {"2026-12-01", "2026-12-02"}
    starts = {}
    for r in rows:
        starts.setdefault(r["session"], r["occurred_at"])
    assert all(t.startswith("2026-12-01") for t in starts.values())
    assert 70 < len(starts) < 160
    assert len({r["call_key"] for r in rows}) == len(rows)
    assert rows[0]["reasoning"] == 40
    assert sum(r["cache_read"] for r in rows) > 0
    out = tmp_path / "log.jsonl"
    total = write_log(out, iter(rows))
    assert total["rows"] == len(out.read_text().splitlines()) == len(rows)
    # Every field is one that `ingest` reads without a mapping.
    assert set(rows[0]) - {"source_format"} <= set(FIELDS)
    with pytest.raises(ScenarioError, match="generate fewer days"):
        list(generate(scenario, PRICES, limit=10))


def test_the_log_has_its_retries_and_failed_calls():
    """As many, and as dear, as the month counts them."""
    text = """
days = 2
start = 2026-12-01
[[workloads]]
name = "w"
[workloads.volume]
calls_per_day = 2000
[workloads.structure]
user_tokens = 100
[workloads.failures]
retry_rate = 0.1
failed_rate = 0.2
failed_input_share = 0.5
"""
    rows = list(generate(parse_scenario(text), PRICES))
    answered = [r for r in rows if not r.get("failed")]
    calls = len(answered)
    assert 3800 < calls < 4200
    kinds = [r["call_key"].split(":")[3:] for r in rows]
    retried = sum(k[1:] == ["retry"] for k in kinds)
    failed = sum(k[1:] == ["failed"] for k in kinds)
    assert (retried / calls, failed / calls) == pytest.approx((0.1, 0.2), abs=0.02)
    assert sum(r["output_text"] for r in rows if r.get("failed")) == 0
    # Inputs: 1 + 0.1 + 0.2 x 0.5 of what is answered.
    sent = sum(r["input_uncached"] for r in rows)
    assert sent / sum(r["input_uncached"] for r in answered) == pytest.approx(1.2, abs=0.02)


def test_sessions_that_go_on_for_months_are_no_drift():
    """Ten users who each call once an hour for nine weeks: one week is as the one before."""
    hours = np.arange(9 * 7 * 24 + 2)
    n = len(hours) * 10
    trace = Trace(
        time_us=np.repeat(hours * 3_600_000_000, 10), input_tokens=np.full(n, 1000),
        output_tokens=np.full(n, 10), sessions=np.tile(np.arange(10), len(hours)),
    )  # fmt: skip
    got = fit(trace)
    assert got.weeks_compared == 8
    # Three steps of the usual 0.3 count beside eight that show nothing.
    assert got.drift == pytest.approx(0.3 * (3 / 11) ** 0.5, abs=1e-4)
    # In the last week twice as much: a step of log 2 among eight.
    doubled = replace(trace, input_tokens=np.where(trace.time_us >= 8 * 7 * 86_400_000_000,
                                                   2080, 1000), _stream=[])  # fmt: skip
    seen = (3 * 0.3**2 + np.log(2) ** 2) / 11
    assert fit(doubled).drift == pytest.approx(seen**0.5, rel=0.03)


def test_fit_refuses_a_trace_without_a_clock():
    trace = chats(30)
    still = trace.at_times(np.zeros(trace.requests, dtype=np.int64))
    with pytest.raises(TraceError, match="one moment"):
        fit(still)


def test_numbers_from_the_store():
    stored = Trace(
        time_us=864_000_000 * np.arange(101), input_tokens=np.full(101, 100),
        output_tokens=10 * np.arange(101) + 3, reasoning_tokens=np.full(101, 3),
    )  # fmt: skip
    text = """
[[workloads]]
name = "w"
[workloads.volume]
sessions_per_day = "from store"
[workloads.output]
tokens = "from store"
"""
    filled = fill_from_store(parse_scenario(text), stored)
    load = filled.workloads[0]
    assert load.volume.sessions_per_day == pytest.approx(100)
    assert np.mean(load.output.tokens.values) == pytest.approx(500)
    asked = parse_scenario(text + 'median_scale = "from store"\n')
    with pytest.raises(ScenarioError, match=r"output.median_scale is 'from store'"):
        fill_from_store(asked, stored)


def own_clocks(trace):
    first = {}
    for code, at in zip(trace.sessions.tolist(), trace.time_us.tolist(), strict=True):
        first.setdefault(code, at)
    return trace.at_times(trace.time_us - np.array([first[c] for c in trace.sessions.tolist()]))


def test_sessions_with_clocks_of_their_own(tmp_path):
    trace = own_clocks(chats(300))
    path = to_file(trace, tmp_path / "agents.jsonl")
    loaded = load_trace(path, block_size=100)
    assert loaded.own_clocks
    assert not chats(300).own_clocks
    text, got = fit_scenario(loaded, path, block_size=100)
    assert (got.span_days, got.sessions_per_day) == (1.0, 300)
    row = simulate(parse_scenario(text), PRICES, days=1, levers=False)["variants"][0]
    truth = replay(loaded, ["gpt-5.2"], PRICES, scope="session", day=DAY)
    assert float(row["cost_usd"]["p50"]) == pytest.approx(
        float(truth["variants"][0]["cost_usd"]), rel=0.02
    )
    assert row["cached_share"] == pytest.approx(truth["cached_share"], abs=0.005)
    report = validate(loaded, "gpt-5.2", PRICES, splits=30, ttl=300, day=DAY)
    assert report["scope"] == "session"
    assert report["time_split"]["splits"] == 0
    assert report["default"]["generator"] == "whole_sessions"
    assert "session" in replay(loaded, ["gpt-5.2"], PRICES)["notes"][-1]


def test_on_a_real_week_half_predicts_half():
    path = SHARED / "traces" / "ragpulse_requests.parquet"
    if not path.exists():
        pytest.skip("the RAGPulse trace is not beside the repository (../shared/traces)")
    # Coverage of 80 % is known to two points from 400 splits (forty would leave six), and in
    # session scope a split is cheap.
    got = validate(
        load_trace(path), "gpt-5.2", PRICES, splits=400, scope="session", ttl=300, day=DAY
    )
    ours = got["random_split"]["predictors"]["whole_sessions"]
    assert ours["cost"]["median_abs_error"] < 0.05
    assert ours["cached_share"]["median_abs_error_points"] < 1
    assert 0.72 <= ours["coverage"]["80%"] <= 0.88
    assert got["random_split"]["coverage_standard_error"] == pytest.approx(0.02)
    # One cache for all: fewer splits, the point errors only.
    got = validate(load_trace(path), "gpt-5.2", PRICES, splits=20, ttl=300, day=DAY)
    ours = got["random_split"]["predictors"]["whole_sessions"]
    assert ours["cost"]["median_abs_error"] < 0.05
    assert ours["cached_share"]["median_abs_error_points"] < 1


def weeks_of(totals: list[float], per_week: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal sessions of one week each, the last week first: what each used, its age, its number."""
    values = np.repeat(np.array(totals[::-1]) / per_week, per_week)
    age = np.repeat(np.arange(len(totals)), per_week)
    return values, age, np.arange(len(values))


def test_drift_is_what_weeks_differed_by_with_the_usual_beside():
    # Doubling every week: each step is log 2; five of its own against three of 0.3.
    drift, steps = period_to_period(*weeks_of([1, 2, 4, 8, 16, 32], per_week=20_000), 42.0)
    assert steps == 5
    expected = ((5 * np.log(2) ** 2 + 3 * 0.3**2) / 8) ** 0.5
    assert drift == pytest.approx(expected, rel=0.001)


def test_a_steady_year_drifts_little_and_a_short_record_as_is_usual():
    drift, steps = period_to_period(*weeks_of([100.0] * 52), 364.0)
    assert steps == 51
    # What 50 sessions a week differ by on their own is taken out; it is not drift.
    assert drift < 0.08
    assert period_to_period(*weeks_of([100.0]), 13.9) == (0.3, 0)


def test_a_month_to_come_drifts_however_long_the_record(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"t_s": float(i * 3600), "input_tokens": int(n), "output_tokens": 50}
            for i, n in enumerate(rng.integers(500, 1500, 24 * 40))]  # fmt: skip
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    trace = replace(load_trace(path), layout="store")
    text, got = fit_scenario(trace, path, ["gpt-5.2"])
    assert 'period = "next"' in text
    assert got.weeks_compared == 4
    ahead = parse_scenario(text)
    same = parse_scenario(text.replace('period = "next"', 'period = "same"'))
    wide, narrow = (
        simulate(s, PRICES, levers=False)["variants"][0]["cost_usd"] for s in (ahead, same)
    )
    assert float(wide["p90"]) / float(wide["p50"]) == pytest.approx(
        np.exp(1.2816 * got.drift), rel=0.02
    )
    assert float(narrow["p90"]) / float(narrow["p50"]) < 1.03


def test_the_chance_in_a_share_is_what_random_halves_show():
    rng = np.random.default_rng(5)
    whole = rng.lognormal(8, 1.2, 2000)
    part = whole * rng.beta(1, 2, 2000)
    gaps = []
    for _ in range(400):
        side = rng.permutation(2000) < 1000
        gaps.append(part[side].sum() / whole[side].sum() - part[~side].sum() / whole[~side].sum())
    assert share_noise(part[:1000], whole[:1000], 1000).sd == pytest.approx(np.std(gaps), rel=0.25)
    assert share_noise(part, whole, 2000).sd == pytest.approx(np.std(gaps) / 2**0.5, rel=0.1)
    assert share_gap(part[:1000], whole[:1000], 1000) == pytest.approx(
        np.median(np.abs(gaps)), rel=0.3
    )


def test_one_long_session_makes_the_sd_but_not_the_median():
    whole, part = np.full(500, 1000.0), np.full(500, 300.0)
    part[:100] += 10
    part[100:200] -= 10
    calm = share_gap(part, whole, 500)
    assert calm == pytest.approx(0.6745 * share_noise(part, whole, 500).sd, rel=0.25)
    whole[0], part[0] = 200_000, 180_000
    # One side has it or the other: the gap has one size, not a bell's spread.
    assert share_gap(part, whole, 500) == pytest.approx(share_noise(part, whole, 500).sd, rel=0.05)
