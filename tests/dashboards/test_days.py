"""Days are cut where the reader lives, and always add up to the range."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboards.queries.periods import Extent, Period, end_of, grain, period, previous, steps
from dashboards.queries.scope import Scope, ScopeError
from dashboards.queries.spend import spend
from ingest.store import book
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue
from tests.dashboards.conftest import add, body

ZONES = (
    "UTC", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/New_York",
    "Pacific/Kiritimati", "America/St_Johns",
)  # fmt: skip
# New York springs forward on 8 March 2026, Berlin on 29 March; Berlin falls back on 25 October.
STARTS = (datetime(2026, 3, 7, 12), datetime(2026, 3, 28, 12), datetime(2026, 10, 24, 12))


def moments() -> Iterator[datetime]:
    """Two days round each change of clocks, every 37 minutes and at the full quarter hours of
    midnight anywhere, to the second before and on it."""
    for start in STARTS:
        at = start
        while at < start + timedelta(days=2):
            yield at
            at += timedelta(minutes=37)
        for quarter in range(0, 48 * 4, 2):
            edge = start + timedelta(minutes=15 * quarter)
            yield edge - timedelta(seconds=1)
            yield edge


CALLS = tuple(sorted(set(moments())))


def cost_of(number: int) -> int:
    """Call `number` (from 0) has number + 1 input tokens and no answer: 1,750,000 pico each."""
    return (number + 1) * 1_750_000


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(tmp_path_factory.mktemp("clocks") / "books.duckdb")
    book.sync(store, default_catalogue())
    add(store, [body(n, at, prompt=n + 1, answer=0) for n, at in enumerate(CALLS)])
    yield store
    store.close()


@pytest.mark.parametrize("zone", ZONES)
def test_days_hold_what_the_local_calendar_says(clocks: Store, zone: str) -> None:
    expected: dict[date, int] = defaultdict(int)
    for number, at in enumerate(CALLS):
        expected[at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()] += cost_of(number)
    answer = spend(clocks.con, ["day"], Scope(zone=zone))
    assert {row.keys[0].date(): row.cost_pico for row in answer.rows} == expected
    assert answer.total.cost_pico == sum(cost_of(n) for n in range(len(CALLS)))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["hour", "day", "week", "month", "quarter", "year"])
def test_pieces_add_up_to_the_range(clocks: Store, zone: str, unit: str) -> None:
    whole = spend(clocks.con, (), Scope(zone=zone)).total
    cut = spend(clocks.con, [unit], Scope(zone=zone))
    assert sum(row.cost_pico for row in cut.rows) == whole.cost_pico
    assert sum(row.calls for row in cut.rows) == len(CALLS)


@pytest.mark.parametrize("zone", ZONES[1:5])
def test_asking_for_each_day_alone_gives_the_same_days(clocks: Store, zone: str) -> None:
    rows = {row.keys[0]: row for row in spend(clocks.con, ["day"], Scope(zone=zone)).rows}
    for start, row in rows.items():
        alone = spend(clocks.con, (), Scope(start, start + timedelta(days=1), zone)).total
        assert (alone.cost_pico, alone.calls) == (row.cost_pico, row.calls)


BOOKS = Extent(datetime(2026, 2, 10, 8), datetime(2026, 3, 31, 21, 30), 7)


def test_the_latest_month_is_that_of_the_last_call_where_the_reader_lives() -> None:
    here = period("latest month", BOOKS, "UTC")
    assert (here.since, here.until) == (datetime(2026, 3, 1), datetime(2026, 4, 1))
    # 21:30 UTC on 31 March is 1 April in Kolkata.
    there = period("latest month", BOOKS, "Asia/Kolkata")
    assert (there.since, there.covered) == (datetime(2026, 4, 1), datetime(2026, 4, 2))


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("month before", datetime(2026, 2, 1), datetime(2026, 3, 1)),
        ("latest 7 days", datetime(2026, 3, 25), datetime(2026, 4, 1)),
        ("latest 30 days", datetime(2026, 3, 2), datetime(2026, 4, 1)),
        ("latest 90 days", datetime(2026, 1, 1), datetime(2026, 4, 1)),
        ("latest 12 months", datetime(2025, 4, 1), datetime(2026, 4, 1)),
        ("all time", datetime(2026, 2, 10), datetime(2026, 4, 1)),
    ],
)
def test_named_periods(name: str, since: datetime, until: datetime) -> None:
    span = period(name, BOOKS)
    assert (span.since, span.until) == (since, until)


def test_an_unknown_period_is_refused_by_name() -> None:
    with pytest.raises(ScopeError, match="unknown period 'fortnight'"):
        period("fortnight", BOOKS)


def test_a_month_so_far_is_compared_with_as_many_days_of_the_month_before() -> None:
    so_far = period("latest month", Extent(BOOKS.first, datetime(2026, 3, 10, 8), 2))
    before = previous(so_far)
    assert (before.since, before.until) == (datetime(2026, 2, 1), datetime(2026, 2, 11))
    # March has more days than February: the comparison ends with February.
    assert previous(period("latest month", BOOKS)).until == datetime(2026, 3, 1)


def test_other_periods_are_compared_with_the_days_before() -> None:
    before = previous(period("latest 7 days", BOOKS))
    assert (before.since, before.until) == (datetime(2026, 3, 18), datetime(2026, 3, 25))


@pytest.mark.parametrize(
    ("days", "unit"),
    [(2, "hour"), (3, "day"), (93, "day"), (94, "week"), (400, "week"), (401, "month")],
)
def test_a_period_is_cut_into_some_tens_of_bars(days: int, unit: str) -> None:
    start = datetime(2026, 1, 1)
    end = start + timedelta(days=days)
    assert grain(Period(start, end, end, "UTC")) == unit


def test_steps_cover_the_period_without_gaps() -> None:
    found = steps(datetime(2026, 1, 31, 5), datetime(2026, 3, 2), "month")
    assert found == [datetime(2026, 1, 1), datetime(2026, 2, 1), datetime(2026, 3, 1)]
    weeks = steps(datetime(2026, 3, 4), datetime(2026, 3, 16), "week")
    assert weeks == [datetime(2026, 3, 2), datetime(2026, 3, 9)]
    assert [end_of(w, "week") for w in weeks] == [datetime(2026, 3, 9), datetime(2026, 3, 16)]
    assert end_of(datetime(2025, 10, 1), "quarter") == datetime(2026, 1, 1)
