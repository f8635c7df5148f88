"""What one costs: divisions of exact cost by counted things."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.queries.scope import Scope
from dashboards.queries.units import units
from ingest.store.database import open_reader
from tests.finance.books import call, make_store

IN, READ = 1_750_000, 175_000


@pytest.fixture
def books(tmp_path: Path) -> Path:
    def tagged(task: str, outcome: str = "") -> dict[str, str]:
        return {"task": task} | ({"outcome": outcome} if outcome else {})

    return make_store(
        tmp_path,
        [
            call(1, "2026-03-05T10:00:00Z", input_uncached=1000, session="s1", customer="acme",
                 tags=tagged("t1")),
            # 1,000 of 1,500 had been sent before; 400 came from the cache: 600 missed.
            call(2, "2026-03-05T10:01:00Z", input_uncached=1100, cache_read=400, session="s1",
                 customer="acme", tags=tagged("t1", "resolved")),
            # A shorter prompt than before, all of it new to the cache: 300 missed.
            call(3, "2026-03-05T10:02:00Z", input_uncached=300, session="s1", customer="beta",
                 tags=tagged("t2", "lost")),
            call(4, "2026-03-05T10:03:00Z", input_uncached=500, failed=True),
            call(5, "2026-03-05T10:04:00Z", model="nobody-knows", input_uncached=9, session="s9"),
        ],
    )  # fmt: skip


def test_every_unit(books: Path) -> None:
    store = open_reader(books)
    made = units(store.con, Scope(), task="tags.task", success={"tags.outcome": ["resolved"]})
    store.close()
    cost = 2900 * IN + 400 * READ
    assert (made.per("call").count, made.per("call").cost_pico) == (4, cost)
    # The fifth call has no price: neither it nor its session makes the others look cheaper.
    assert made.per("session").count == 1
    assert made.per("session").cost_pico == 2400 * IN + 400 * READ
    assert made.per("customer").count == 2
    assert made.per("task").count == 2
    won = made.per("successful outcome")
    assert (won.count, won.cost_pico) == (1, cost)  # failures are part of what a success costs
    assert made.cache_earned_pico == 400 * (IN - READ)
    assert made.cache_missed_pico == 900 * (IN - READ)
    assert made.session_share == 4 / 5
    assert [(name, row.cost_pico) for name, row in made.top] == [
        ("acme", 2100 * IN + 400 * READ), ("beta", 300 * IN),
    ]  # fmt: skip
    answer = made.as_json()
    assert answer["unpriced_calls"] == 1
    assert answer["units"][0]["each_usd"] == "0.00128625"  # 5.145 thousandths of a USD / 4


def test_failed_calls(books: Path) -> None:
    store = open_reader(books)
    made = units(store.con, Scope())
    store.close()
    assert (made.failed_calls, made.failed_cost_pico) == (1, 500 * IN)


def test_success_without_a_task_counts_calls_and_none_is_no_division(books: Path) -> None:
    store = open_reader(books)
    some = units(store.con, Scope(), success={"tags.outcome": ["resolved", "lost"]})
    none = units(store.con, Scope(), success={"tags.outcome": ["refunded"]})
    empty = units(store.con, Scope(where={"team": ["nobody"]}))
    store.close()
    assert some.per("successful outcome").count == 2
    assert none.per("successful outcome").each_usd is None
    assert empty.total.calls == 0
    assert empty.per("call").each_usd is None


def test_users_are_shown_where_something_names_them(tmp_path: Path) -> None:
    path = make_store(
        tmp_path,
        [call(1, "2026-03-05T10:00:00Z", input_uncached=1000, tags={"user": "ada"}),
         call(2, "2026-03-05T10:00:00Z", input_uncached=500, tags={"user": "ada", "mail": "b"}),
         call(3, "2026-03-05T10:00:00Z", input_uncached=700, tags={"user": "bo"}),
         call(4, "2026-03-05T10:00:00Z", input_uncached=90)],
    )  # fmt: skip
    store = open_reader(path)
    made, other = units(store.con, Scope()), units(store.con, Scope(), user="tags.mail")
    none = units(store.con, Scope(), user="tags.nothing")
    store.close()
    assert (made.per("user").count, made.per("user").cost_pico) == (2, 2200 * IN)
    assert (other.per("user").count, other.per("user").cost_pico) == (1, 500 * IN)
    assert "user" not in [u.name for u in none.units]
