"""Anomalies in stored cost: who caused them, what was announced, and where the money went."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.queries.anomalies import Rules, announcements, as_json, store_anomalies
from dashboards.queries.scope import Scope, ScopeError
from dashboards.queries.spend import spend
from dashboards.queries.volume import volumes
from ingest.store.database import open_reader
from pricing.catalogue import default_catalogue
from tests.finance.books import daily, make_store

IN = 1_750_000
QUIET = 4_000_000  # tokens a day: 7 USD


def books(folder: Path, spike_on: int = 35, model: str = "gpt-5.2") -> Path:
    calls = list(daily("2026-03-01", 40, team="search", input_uncached=QUIET))
    calls += daily("2026-03-01", 40, start=100, team="other", input_uncached=QUIET)
    day = date(2026, 3, 1) + timedelta(days=spike_on)
    calls += daily(str(day), 1, start=200, team="search", model=model, input_uncached=5 * QUIET,
                   feature="import", tags={"api_key_alias": "ci"})  # fmt: skip
    return make_store(folder, calls)


def find(path: Path, **fields: object):
    store = open_reader(path)
    try:
        return store_anomalies(
            store.con, default_catalogue(), Rules(), since=date(2026, 4, 1),
            until=date(2026, 4, 10), **fields,
        )  # fmt: skip
    finally:
        store.close()


def test_a_spike_has_a_scope_a_cost_and_causes(tmp_path: Path) -> None:
    (found,) = find(books(tmp_path)).reported
    assert found.scope == {"team": "search"}
    assert (found.kind, found.first) == ("spike", date(2026, 4, 5))
    assert found.actual == 6 * QUIET * IN
    assert found.expected == QUIET * IN
    assert found.excess == 5 * QUIET * IN
    assert found.causes["feature"][0] == ("import", 5 * QUIET * IN)
    assert found.causes["tags.api_key_alias"][0] == ("ci", 5 * QUIET * IN)
    assert found.causes["meter"] == [("input_uncached", 5 * QUIET * IN)]
    for ranked in found.causes.values():
        assert sum(value for _, value in ranked) == found.excess
    assert as_json(found)["excess_usd"] == "35.00"


def test_below_the_floor_it_is_nothing(tmp_path: Path) -> None:
    path = books(tmp_path)
    store = open_reader(path)
    for floor, count in ((35 * 10**12, 1), (35 * 10**12 + 1, 0)):
        found = store_anomalies(
            store.con, default_catalogue(), Rules(floor_pico=floor), since=date(2026, 4, 1),
            until=date(2026, 4, 10),
        )  # fmt: skip
        assert len(found.reported) == count
    store.close()


def test_a_launch_announces_its_own_spike(tmp_path: Path) -> None:
    """gpt-5.2 was first priced on 2025-12-11: a team that jumps onto it then was announced."""
    calls = list(daily("2025-11-01", 55, model="gpt-5.1", team="search", input_uncached=QUIET))
    calls += daily("2025-12-12", 1, start=100, team="search", input_uncached=5 * QUIET)
    path = make_store(tmp_path, calls)
    store = open_reader(path)
    found = store_anomalies(
        store.con, default_catalogue(), Rules(), since=date(2025, 12, 1), until=date(2025, 12, 25)
    )
    seen = volumes(store.con, ["variant"], Scope(), since=date(2025, 11, 1),
                   until=date(2025, 12, 25))  # fmt: skip
    events = announcements(default_catalogue(), seen)
    store.close()
    assert found.reported == ()
    ((anomaly, why),) = found.announced
    assert anomaly.first == date(2025, 12, 12)
    assert why == "gpt-5.2 launched on 2025-12-11"
    assert events["gpt-5.2"] == [(date(2025, 12, 11), "gpt-5.2 launched")]


def test_a_known_event_of_the_settings_suppresses(tmp_path: Path) -> None:
    path = books(tmp_path)
    rules = Rules.from_settings(
        {"known": [{"on": date(2026, 4, 4), "what": "import", "where": {"team": "search"}}]}
    )
    store = open_reader(path)
    found = store_anomalies(
        store.con, default_catalogue(), rules, since=date(2026, 4, 1), until=date(2026, 4, 10)
    )
    store.close()
    assert found.reported == ()


def test_an_empty_scope_finds_nothing(tmp_path: Path) -> None:
    found = find(books(tmp_path), where={"team": ["nobody"]})
    assert (found.reported, found.days) == ((), 0)


@pytest.mark.parametrize(
    ("raw", "words"),
    [({"flor": 1}, "did you mean 'floor'"), ({"floor": "much"}, "numbers"),
     ({"known": [{"on": "soon"}]}, "must be a date")],
)  # fmt: skip
def test_mistakes_are_named(raw: dict, words: str) -> None:
    with pytest.raises(ScopeError, match=words):
        Rules.from_settings(raw)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_days_that_are_drawn_are_the_reports(demo_db: Path, zone: str) -> None:
    since, until = date(2026, 3, 5), date(2026, 3, 29)
    store = open_reader(demo_db)
    try:
        found = store_anomalies(
            store.con, default_catalogue(), Rules(), since=since, until=until, zone=zone
        )
        scope = Scope(None, datetime(2026, 3, 29), zone)
        asked = {r.keys[0].date(): r.cost_pico for r in spend(store.con, ["day"], scope).rows}
    finally:
        store.close()
    assert {day: pico for day, pico in found.cost.items() if pico} == asked
    assert sum(found.cost.values()) > 100 * 10**12
