"""The outlook from the store: one answer on every path, dated prices, scenarios as differences."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from budgets.spend.periods import Span, period_of
from dashboards.forecasting import outlook
from dashboards.forecasting.outlook import (
    ForecastError,
    Outlook,
    coming_prices,
    look_ahead,
    starting_day,
)
from dashboards.forecasting.scenarios import apply_launch, apply_move, apply_price_change
from dashboards.queries.lines import line_query
from dashboards.queries.scope import Scope, show_value
from dashboards.queries.spans import scope_of
from dashboards.queries.spend import spend
from dashboards.queries.volume import Band, Leaf, volumes
from ingest.store.database import open_reader
from pricing.catalogue import CardKey, default_catalogue
from pricing.rates import ALL_WEEK, NO_LIMIT, RateVector
from tests.finance.books import call, daily, make_store

MARCH = period_of(date(2026, 3, 1), "month")
START = date(2026, 3, 21)


@pytest.fixture(scope="module")
def demo(demo_db: Path) -> Outlook:
    store = open_reader(demo_db)
    made = look_ahead(
        store.con, default_catalogue(), (), Scope(), horizon=30, start=START, since=MARCH.since
    )
    store.close()
    return made


def test_volumes_are_the_reports_own(demo_db: Path) -> None:
    store = open_reader(demo_db)
    for zone in ("UTC", "Asia/Kolkata"):
        seen = volumes(store.con, ["team"], Scope(zone=zone), since=MARCH.since, until=MARCH.until)
        report = spend(store.con, scope=scope_of(MARCH, zone)).total
        assert sum(map(sum, seen.cost.values())) == report.cost_pico
        tokens = sum(sum(r) for f, r in seen.units.items() if f.meter != "web_search")
        assert tokens == report.input_tokens + report.output_tokens
        assert sum(seen.unpriced.values()) == report.unpriced_tokens
        assert {len(r) for r in seen.units.values()} == {31}
    store.close()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
@pytest.mark.parametrize("by", [(), ("team", "variant"), ("feature", "failed", "weekday")])
def test_volumes_are_the_lines_added_up(demo_db: Path, zone: str, by: tuple[str, ...]) -> None:
    """Every leaf's every day, units and cost, against the lines one by one."""
    store = open_reader(demo_db)
    since, until = MARCH.since, START
    seen = volumes(store.con, by, Scope(zone=zone), since=since, until=until)
    text, values = line_query(store.con, ["day", *by], scope_of(Span(since, until), zone))
    cards = {n: CardKey(*c) for n, *c in store.con.execute("SELECT * FROM card_keys").fetchall()}
    units: dict[tuple[Leaf, int], int] = {}
    cost: dict[tuple[Leaf, int], int] = {}
    for day, *keys, card, meter, quantity, price in store.con.execute(
        f"SELECT * EXCLUDE (vector_id, route, assumed, list_pico) FROM ({text})", values
    ).fetchall():
        shown = tuple(show_value(k, n) for k, n in zip(keys, by, strict=True))
        at = Leaf(shown, cards.get(card), meter), (day.date() - since).days
        units[at] = units.get(at, 0) + int(quantity)
        cost[at] = cost.get(at, 0) + int(quantity) * (price or 0)
    store.close()
    assert units == {(f, n): v for f, row in seen.units.items() for n, v in enumerate(row) if v}
    assert cost == {(f, n): seen.cost[f][n] for f, n in cost}
    assert sum(cost.values()) == sum(map(sum, seen.cost.values()))
    assert all(seen.bands[f] and sum(row) for f, row in seen.units.items())


def test_small_leaves_are_forecast_together_and_still_add_up(
    demo_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboards.forecasting import shares

    monkeypatch.setattr(
        outlook, "grouped", lambda *a: shares.grouped(*a, alone=10, largest=6, together=2)
    )
    store = open_reader(demo_db)
    made = look_ahead(
        store.con, default_catalogue(), (), Scope(), horizon=11, start=START, since=MARCH.since
    )
    store.close()
    assert len(made.units.bases) < len(made.units) == len(made.prices) == len(made.stands)
    assert any("are forecast together by team" in n for n in made.notes)
    teams = sorted({leaf.keys[0] for leaf in made.units})
    total = np.sum([made.money({"team": t}) for t in teams], axis=0)
    assert np.allclose(total, made.money(), rtol=1e-12, atol=1e-12)
    each = np.sum([made.units[f] * (np.array(p) / 1e12)
                   for f, p in made.prices.items() if p is not None], axis=0)  # fmt: skip
    assert np.allclose(each, made.money(), rtol=1e-9, atol=1e-12)
    within = made.ahead(MARCH)
    assert np.array_equal(made.money(None, within), made.money()[:, within])
    assert 100 < made.end_of(MARCH)[1] < 180
    moved = apply_move(made, default_catalogue(), "gpt-5.2=gpt-5-mini:100%@2026-03-22")
    arrived = [f for f in moved.units if f.keys[1] == "gpt-5-mini"]
    assert arrived and all(moved.stands[f] for f in arrived)
    assert moved.money()[:, 1:].sum() < made.money()[:, 1:].sum()


def test_a_parent_is_the_sum_of_its_children_on_every_path(demo: Outlook) -> None:
    teams = sorted({leaf.keys[0] for leaf in demo.units})
    total = np.sum([demo.money({"team": t}) for t in teams], axis=0)
    assert np.allclose(total, demo.money(), rtol=1e-12, atol=0)
    assert sum(demo.spent(MARCH, {"team": t}) for t in teams) == demo.spent(MARCH)
    several = demo.money({"team": teams[:2]})
    assert np.allclose(several, demo.money({"team": teams[0]}) + demo.money({"team": teams[1]}))


def test_the_same_figure_seen_alone_and_in_a_quarter(demo_db: Path, demo: Outlook) -> None:
    store = open_reader(demo_db)
    longer = look_ahead(
        store.con, default_catalogue(), ("team",), Scope(), horizon=95, start=START,
        since=date(2026, 1, 1),
    )  # fmt: skip
    store.close()
    assert longer.end_of(MARCH) == demo.end_of(MARCH)


def test_what_is_spent_is_the_floor(demo: Outlook, demo_db: Path) -> None:
    store = open_reader(demo_db)
    spent = spend(
        store.con, scope=scope_of(Span(MARCH.since, START + timedelta(days=1)), "UTC")
    ).total.cost_pico
    store.close()
    assert demo.spent(MARCH) == spent
    low, middle, high = demo.end_of(MARCH)
    assert spent / 1e12 <= low < middle < high
    with pytest.raises(ForecastError, match="ends on 2026-04-20"):
        demo.ahead(period_of(START, "year"))


def test_a_steady_month_is_forecast_as_it_is(tmp_path: Path) -> None:
    path = make_store(tmp_path, daily("2026-01-01", 60, team="a", input_uncached=1_000_000))
    store = open_reader(path)
    made = look_ahead(store.con, default_catalogue(), (), Scope(), horizon=30,
                      start=date(2026, 3, 2))  # fmt: skip
    store.close()
    low, middle, high = made.end_of(Span(date(2026, 3, 2), date(2026, 4, 1)))
    assert low < middle < high
    assert middle == pytest.approx(30 * 1.75, rel=0.05)
    assert [r.value for r in made.rungs()] == ["28+ days"]


def test_today_is_not_counted_twice(tmp_path: Path) -> None:
    """What today has already brought is spent; only the rest of today is still to come."""
    calls = list(daily("2026-01-01", 60, team="a", input_uncached=1_000_000))
    calls.append(call(99, "2026-03-02T01:00:00Z", team="a", input_uncached=50_000_000))
    store = open_reader(make_store(tmp_path, calls))
    made = look_ahead(store.con, default_catalogue(), (), Scope(), horizon=2,
                      start=date(2026, 3, 2))  # fmt: skip
    store.close()
    assert made.spent(Span(date(2026, 3, 2), date(2026, 3, 3))) == 50 * 1_750_000 * 10**6
    assert made.money()[:, 0].max() == 0
    assert made.money()[:, 1].min() > 0


def test_announced_prices_hold_from_their_day() -> None:
    class Announced:
        """A catalogue with one card: 10 until 5 April, 4 afterwards, 7 for long prompts."""

        def vectors(self, card: CardKey) -> tuple[RateVector, ...]:
            from pricing.rates import MeterPrice

            def vector(start: int, end: int, low: int, high: int, price: int) -> RateVector:
                return RateVector(
                    datetime(2026, 4, start), datetime(2026, 4, end), low, high, ALL_WEEK, 0, 1440,
                    {"input_uncached": MeterPrice(price, "r")},
                )  # fmt: skip

            return (vector(1, 5, 0, 100, 10), vector(1, 5, 100, NO_LIMIT, 7),
                    vector(5, 9, 0, NO_LIMIT, 4))  # fmt: skip

    dates = np.datetime64("2026-04-03") + np.arange(4)
    card = CardKey("s", "v", "standard", "")
    short, long_ = Band(0, ALL_WEEK, 0), Band(100, ALL_WEEK, 0)

    def ask(mix: dict[Band, int], meter: str = "input_uncached", days: int = 4) -> list[int] | None:
        return coming_prices(Announced(), card, meter, mix, dates[:days])  # type: ignore[arg-type]

    assert ask({short: 1}) == [10, 10, 4, 4]
    assert ask({long_: 5}) == [7, 7, 4, 4]
    assert ask({short: 2, long_: 1}) == [9, 9, 4, 4]
    assert ask({short: 1}, "output_text") is None
    later = np.datetime64("2026-04-08") + np.arange(2)
    assert coming_prices(Announced(), card, "input_uncached", {short: 1}, later) is None  # type: ignore[arg-type]


def test_a_price_change_is_the_price_and_nothing_else(demo: Outlook) -> None:
    half = apply_price_change(demo, "gpt-5.2-codex=-50%@2026-03-26")
    own, cut = demo.money({"variant": "gpt-5.2-codex"}), half.money({"variant": "gpt-5.2-codex"})
    assert np.array_equal(own[:, :5], cut[:, :5])
    assert np.allclose(cut[:, 5:], own[:, 5:] / 2, rtol=1e-9)
    others = demo.money({"variant": "gpt-5.2"})
    assert np.array_equal(others, half.money({"variant": "gpt-5.2"}))
    one = apply_price_change(demo, "gpt-5.2-codex/output_text=10.00@2026-03-21")
    leaf = next(f for f in one.units if f.keys[1] == "gpt-5.2-codex" and f.meter == "output_text")
    assert set(one.prices[leaf] or ()) == {10_000_000}


def test_moved_traffic_is_all_there(demo: Outlook) -> None:
    book = default_catalogue()
    moved = apply_move(demo, book, "gpt-5.2-codex=gpt-5-mini@batch:30%@2026-03-26")
    assert np.allclose(moved.tokens(), demo.tokens(), rtol=1e-12)
    gone = moved.tokens({"variant": "gpt-5.2-codex"})
    was = demo.tokens({"variant": "gpt-5.2-codex"})
    assert np.array_equal(gone[:, :5], was[:, :5])
    assert np.allclose(gone[:, 5:], was[:, 5:] * 0.7)
    target = CardKey("openai", "gpt-5-mini", "batch", "")
    leaf = Leaf(("platform", "gpt-5-mini"), target, "input_uncached")
    assert set(moved.prices[leaf] or ()) == {125_000}
    assert moved.money().sum() < demo.money().sum()


def test_a_launch_adds_money_from_its_day(demo: Outlook) -> None:
    from dashboards.forecasting.scenarios import launch

    more = launch(demo, "helper", np.array([1.0, 2.0, 3.0]), date(2026, 3, 31))
    added = more.money() - demo.money()
    assert np.allclose(added[:, :10], 0)
    assert added[:, 10].min() >= 1 - 1e-9
    assert added[:, 10].max() <= 3 + 1e-9
    assert np.median(added[:, 10]) == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpt-5.2", "write gpt-5.2=-50%"),
        ("gpt-5.2=-50%@2026-13-01", "no date"),
        ("gpt-9=-50%@2026-03-26", "nothing in the forecast is priced by 'gpt-9'"),
        ("gpt-5.2/words=1@2026-03-26", "unknown meter 'words'"),
        ("gpt-5.2=1.00@2026-03-26", "needs its meter"),
        ("gpt-5.2=-101%@2026-03-26", "over 100 %"),
    ],
)
def test_wrong_price_changes_are_explained(demo: Outlook, text: str, words: str) -> None:
    with pytest.raises(ForecastError, match=words):
        apply_price_change(demo, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpt-5.2", "write gpt-5.2=gpt-5-mini"),
        ("gpt-9=gpt-5-mini:30%@2026-03-26", "priced by 'gpt-9'"),
        ("gpt-5.2=gpt-5-mini:130%@2026-03-26", "within 0 % and 100 %"),
        ("gpt-5.2=no-such:30%@2026-03-26", "'no-such' at 'unknown' has no price"),
    ],
)
def test_wrong_moves_are_explained(demo: Outlook, text: str, words: str) -> None:
    with pytest.raises(ForecastError, match=words):
        apply_move(demo, default_catalogue(), text)


def test_a_launch_is_written_with_its_day(demo: Outlook) -> None:
    with pytest.raises(ForecastError, match="write scenario"):
        apply_launch(demo, default_catalogue(), "scenario.toml")


def test_where_a_forecast_starts(tmp_path: Path) -> None:
    store = open_reader(make_store(tmp_path, daily("2026-01-01", 20, input_uncached=5)))
    fresh = datetime(2026, 1, 22, 12, tzinfo=UTC)
    assert starting_day(store.con, Scope(), fresh) == (date(2026, 1, 22), "")
    stale, note = starting_day(store.con, Scope(), fresh + timedelta(days=1))
    assert stale == date(2026, 1, 21)
    assert "2026-01-20" in note
    with pytest.raises(ForecastError, match="no calls"):
        starting_day(store.con, Scope(where={"team": ["nobody"]}), fresh)
    with pytest.raises(ForecastError, match="before 2026-01-01"):
        look_ahead(store.con, default_catalogue(), (), Scope(), horizon=5, start=date(2026, 1, 1))
    store.close()


def test_what_has_no_price_is_said(demo: Outlook) -> None:
    assert any("nightjar-preview" in text for text in demo.notes)
    assert demo.money({"variant": "nightjar-preview (unknown)"}).sum() == 0
    assert demo.tokens({"variant": "nightjar-preview (unknown)"}).sum() > 0
