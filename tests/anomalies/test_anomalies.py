"""Scores rank days; findings carry exact cost and causes."""

from datetime import date

import numpy as np
import pytest

from dashboards import spike_score
from dashboards.anomalies.find import Known, find_anomalies

DAYS = np.datetime64("2026-01-05") + np.arange(42)
DIMS = ("team", "variant", "meter")
USD = 10**12


def costs(extra=None):
    quiet = [(100 + (i * 7919) % 11) * USD for i in range(42)]
    hot = list(quiet)
    for i, add in (extra or {}).items():
        hot[i] += add
    return {("web", "m", "input"): hot, ("web", "m", "output"): quiet, ("ops", "s", "input"): quiet}


def test_score_of_a_tripled_day_after_constant_ones():
    # A tenth of the mean softens both; the least scatter, 10 %, is drawn a fifth towards 30 %.
    expected = np.log(310 / 110) / (0.1**0.8 * 0.3**0.2)
    assert spike_score(np.full(41, 100.0), DAYS[:41], 300, DAYS[41]) == pytest.approx(expected)
    assert spike_score(np.full(41, 100.0), DAYS[:41], 100, DAYS[41]) == pytest.approx(0.0)


def test_a_silent_day_does_not_make_the_next_usual_day_news():
    y = np.full(41, 100.0)
    y[-1] = 0.0
    assert spike_score(y, DAYS[:41], 100, DAYS[41]) < 1.3  # over 3 against a mean of logs


def test_score_grows_with_today_and_ignores_scale():
    y = np.random.default_rng(0).gamma(9, 10, 60)
    days = np.datetime64("2026-01-05") + np.arange(60)
    scores = [spike_score(y, days, x, days[-1] + 1) for x in (0, 90, 180, 900)]
    assert scores == sorted(set(scores))
    assert abs(spike_score(y * 1e6, days, 180e6, days[-1] + 1) - scores[2]) < 1e-9


def test_noisy_history_is_less_surprised():
    days = np.datetime64("2026-01-05") + np.arange(60)
    rng = np.random.default_rng(1)
    calm, wild = rng.uniform(95, 105, 60), rng.gamma(0.7, 140, 60)
    assert spike_score(calm, days, 300, days[-1] + 1) > 5
    assert spike_score(wild, days, 300, days[-1] + 1) < 3


def test_weekend_habit_is_no_anomaly():
    y = np.where(np.arange(56) % 7 == 5, 500.0, 100.0)
    days = np.datetime64("2026-01-05") + np.arange(61)
    friday = spike_score(np.append(y, [100.0] * 4), days[:60], 500, days[60])
    saturday = spike_score(np.append(y, [100.0] * 5), days, 500, days[-1] + 1)
    assert friday > 4 * max(saturday, 1)


def test_too_little_history_says_nothing():
    assert spike_score(np.ones(6), DAYS[:6], 100, DAYS[6]) == 0.0
    assert spike_score(np.zeros(30), DAYS[:30], 100, DAYS[30]) == 0.0


def test_quiet_series_has_no_findings():
    assert find_anomalies(costs(), DIMS, DAYS, by=("team",)) == []


def test_spike_with_causes_and_exact_cost():
    found = find_anomalies(costs({30: 900 * USD}), DIMS, DAYS, by=("team",))
    assert [(a.kind, a.scope, a.first) for a in found] == [
        ("spike", {"team": "web"}, date(2026, 2, 4))
    ]
    (a,) = found
    assert a.causes["meter"][0][0] == "input"
    for values in a.causes.values():
        assert sum(v for _, v in values) == a.excess
    same = [costs()["web", "m", "input"][i] for i in (2, 9, 16, 23)]
    normal = costs()["web", "m", "input"][30]
    assert a.causes["meter"][0][1] == 900 * USD + normal - sum(same) // 4


def test_shift_is_one_finding():
    found = find_anomalies(costs(dict.fromkeys(range(30, 42), 300 * USD)), DIMS, DAYS, by=("team",))
    assert found[-1].kind == "shift"
    assert (found[-1].first, found[-1].last) == (date(2026, 2, 4), date(2026, 2, 8))
    assert not any(a.kind == "spike" for a in found)


def test_floor_boundary():
    data = costs({30: 900 * USD})
    (a,) = find_anomalies(data, DIMS, DAYS)
    assert len(find_anomalies(data, DIMS, DAYS, floor=a.excess)) == 1
    assert find_anomalies(data, DIMS, DAYS, floor=a.excess + 1) == []


@pytest.mark.parametrize(
    ("known", "count"),
    [
        (Known(date(2026, 2, 4), "price"), 0),
        (Known(date(2026, 2, 5), "price"), 1),
        (Known(date(2026, 1, 29), "launch"), 0),
        (Known(date(2026, 1, 28), "launch"), 1),
        (Known(date(2026, 2, 4), "launch", {"team": "ops"}), 1),
    ],
)
def test_announced_changes_are_expected(known, count):
    data = costs({30: 900 * USD})
    assert len(find_anomalies(data, DIMS, DAYS, by=("team",), known=[known])) == count


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="unknown dimension"):
        find_anomalies(costs(), DIMS, DAYS, by=("customer",))
    with pytest.raises(ValueError, match="41 dates"):
        find_anomalies(costs(), DIMS, DAYS[:41])
