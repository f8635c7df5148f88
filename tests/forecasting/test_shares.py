"""Shares: thousands of leaves on few series, their sum theirs on every path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.forecasting.shares import Shares, grouped, split

ONE = np.ones(2)
A = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
B = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])


def held() -> Shares[str]:
    return Shares([A, B], {"a": {0: ONE}, "b1": {1: ONE * 0.25}, "b2": {1: ONE * 0.75}})


def test_leaves_of_a_base_add_up_to_it() -> None:
    assert np.array_equal(held()["a"], A)
    assert np.array_equal(held()["b1"] + held()["b2"], B)
    assert held().shape == (3, 2)
    assert list(held()) == ["a", "b1", "b2"]


def test_weighted_is_the_sum_of_units_times_factor() -> None:
    price = {"a": np.array([2.0, 3.0]), "b1": np.array([4.0, 8.0]), "b2": np.array([0.0, 4.0])}
    slow = sum(held()[k] * price[k] for k in price)
    total = held().weighted(price)
    assert total is not None and np.array_equal(total, slow)
    last = held().weighted(price, np.array([False, True]))
    assert last is not None and np.array_equal(last, total[:, 1:])
    assert held().weighted({}) is None


def test_moved_traffic_keeps_every_path_total() -> None:
    share = np.array([0.0, 0.25])
    out = held().moved("a", "new", share)
    assert out["new"].tolist() == [[0, 0.5], [0, 1.0], [0, 1.5]]
    assert np.array_equal(out["a"] + out["new"], A)
    again = out.moved("a", "b1", np.array([1.0, 1.0]))
    assert not again["a"].any()
    assert np.allclose(again["b1"], held()["b1"] + out["a"])
    assert np.array_equal(held()["a"], A)  # the base is not touched


def test_few_leaves_stand_alone_one_more_does_not() -> None:
    rows = {f"t{n % 3}/{n}": np.full(30, float(n + 1)) for n in range(11)}
    team = {k: k.split("/")[0] for k in rows}
    worth = dict.fromkeys(rows, 1.0)
    ten = dict(list(rows.items())[:10])
    assert grouped(ten, worth, team, alone=10, largest=4).alone == tuple(ten)
    made = grouped(rows, worth, team, alone=10, largest=4)
    assert made.alone == tuple(k for k in rows if int(k.split("/")[1]) >= 7)
    assert {g: set(h) for g, h in made.groups.items()} == {
        ("t0", "priced"): {"t0/0", "t0/3", "t0/6"},
        ("t1", "priced"): {"t1/1", "t1/4"},
        ("t2", "priced"): {"t2/2", "t2/5"},
    }
    assert made.part == pytest.approx(28 / 66)


def test_groups_beyond_the_limit_make_one() -> None:
    rows = {f"t{n}": np.full(30, 10.0 - n) for n in range(9)}
    made = grouped(rows, dict.fromkeys(rows, 1.0), {k: k for k in rows},
                   alone=2, largest=2, together=3)  # fmt: skip
    assert set(made.groups) == {
        ("t2", "priced"),
        ("t3", "priced"),
        ("t4", "priced"),
        ("", "priced"),
    }
    assert set(made.groups["", "priced"]) == {"t5", "t6", "t7", "t8"}


def test_what_has_no_price_is_counted_in_units_apart() -> None:
    rows = {"big": np.full(30, 9.0), "one": np.full(30, 1.0), "none": np.full(30, 3.0)}
    worth = {"big": 1.0, "one": 0.5, "none": 0.0}
    made = grouped(rows, worth, dict.fromkeys(rows, "t"), alone=1, largest=1)
    assert made.alone == ("big",)
    assert made.series["t", "priced"].tolist() == [0.5] * 30
    assert made.series["t", "unpriced"].tolist() == [3.0] * 30
    assert made.groups["t", "priced"] == {"one": 2.0}  # two units a dollar
    assert made.groups["t", "unpriced"] == {"none": 1.0}


def test_a_young_leaf_has_the_share_of_its_own_days() -> None:
    young = np.zeros(60)
    young[-7:] = 4.0
    old = np.full(60, 4.0)
    gone = np.zeros(60)
    gone[:20] = 100.0
    rows = {"big": np.full(60, 99.0), "young": young, "old": old, "gone": gone}
    made = grouped(rows, dict.fromkeys(rows, 1.0), dict.fromkeys(rows, "t"), alone=1, largest=1)
    assert made.groups["t", "priced"] == {"young": 0.5, "old": 0.5, "gone": 0.0}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from([0.0, 0.5, 2.0])),
             min_size=1, max_size=25),
    st.integers(0, 10), st.integers(1, 4),
)  # fmt: skip
def test_every_leaf_is_in_one_place_and_the_sum_is_kept(
    leaves: list[tuple[int, int, float]], largest: int, together: int
) -> None:
    rows = {n: np.full(28, float(units)) for n, (_, units, _) in enumerate(leaves)}
    worth = {n: w for n, (_, _, w) in enumerate(leaves)}
    team = {n: str(t) for n, (t, _, _) in enumerate(leaves)}
    made = grouped(rows, worth, team, alone=3, largest=largest, together=together)
    places = [*made.alone, *(k for h in made.groups.values() for k in h)]
    assert sorted(places) == sorted(rows)
    # Forecasting tomorrow as today's own value gives every leaf its own units back.
    series: dict[object, np.ndarray] = {k: rows[k] for k in made.alone} | dict(made.series)
    bases = [np.full((1, 1), row[-1]) for row in series.values()]
    numbers = {key: n for n, key in enumerate(series)}
    units = Shares(bases, split(made, rows, numbers, 1))
    for key, row in rows.items():
        assert units[key][0, 0] == pytest.approx(row[-1])
