"""Showback: parts that add up to the last pico-dollar, whatever the rule."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.queries.scope import Scope
from dashboards.queries.showback import Rule, ShowbackError, showback, split
from dashboards.queries.spend import spend
from ingest.store.database import open_reader
from tests.finance.books import call, make_store

WEIGHTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.fractions(0, 1000, max_denominator=97),
    min_size=1, max_size=9,
).filter(lambda w: sum(w.values()) > 0)  # fmt: skip


@given(st.integers(0, 10**20), WEIGHTS)
def test_parts_are_the_whole_and_within_one_of_their_share(
    amount: int, weights: dict[str, Fraction]
) -> None:
    parts = split(amount, weights)
    assert sum(parts.values()) == amount
    total = sum(weights.values())
    for name, part in parts.items():
        assert abs(part - amount * weights[name] / total) < 1
        if weights[name] == 0:
            assert part == 0
    assert parts == split(amount, dict(reversed(weights.items())))


def test_the_remainder_goes_to_the_largest_fractions_then_by_name() -> None:
    assert split(10, dict.fromkeys("cab", Fraction(1))) == {"c": 3, "a": 4, "b": 3}
    assert split(1, {"a": Fraction(1), "b": Fraction(2)}) == {"a": 0, "b": 1}


def test_nobody_to_carry_it() -> None:
    for weights in ({}, {"a": Fraction(0)}, {"a": Fraction(-1), "b": Fraction(2)}):
        with pytest.raises(ShowbackError):
            split(5, weights)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    at = "2026-03-05T10:00:00Z"
    return make_store(
        tmp_path,
        [call(1, at, team="a", input_uncached=3), call(2, at, team="b", input_uncached=1),
         call(3, at, team="platform", input_uncached=1), call(4, at, input_uncached=2),
         call(5, at, team="platform", model="nobody-knows", input_uncached=2)],
    )  # fmt: skip


TOKEN = 1_750_000


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"shared": ["platform", ""], "rule": "even"}, {"a": 2_625_000, "b": 2_625_000}),
        ({"shared": ["platform", ""]}, {"a": 3_937_500, "b": 1_312_500}),
        ({"shared": ["platform"], "rule": "fixed", "shares": {"a": "70 %", "b": 20, "c": "10"}},
         {"a": 1_225_000, "b": 350_000, "c": 175_000, "(none)": 0}),
        ({"shared": ["platform"], "rule": "even", "among": ["b"]},
         {"a": 0, "b": TOKEN, "(none)": 0}),
        ({"shared": []}, {"a": 0, "b": 0, "(none)": 0, "platform": 0}),
    ],
)  # fmt: skip
def test_rules(books: Path, raw: dict, parts: dict[str, int]) -> None:
    store = open_reader(books)
    made = showback(store.con, Scope(), Rule.from_settings(raw))
    assert {r.name: r.part for r in made.rows} == parts
    assert made.total == spend(store.con).total.cost_pico == 7 * TOKEN
    assert made.unpriced_calls == 1
    store.close()


def test_only_shared_cost_stays_where_it_is(books: Path) -> None:
    store = open_reader(books)
    rule = Rule.from_settings({"shared": ["platform"]})
    made = showback(store.con, Scope(where={"team": ["platform"]}), rule)
    assert [(r.name, r.own) for r in made.rows] == [("platform", TOKEN)]
    store.close()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"rul": "even"}, "did you mean 'rule'"),
        ({"rule": "fair"}, "even, proportional, fixed"),
        ({"rule": "fixed"}, "needs them"),
        ({"shares": {"a": 1}}, "belong to"),
        ({"rule": "fixed", "shares": {"a": "some"}}, "no number"),
        ({"rule": "fixed", "shares": {"a": "-1"}}, "negative"),
    ],
)
def test_mistakes_are_named(raw: dict, words: str) -> None:
    with pytest.raises(ShowbackError, match=words):
        Rule.from_settings(raw)
