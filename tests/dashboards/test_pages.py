"""Every page on an empty store, one call, unknown prices, and a link; never an exception."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from dashboards.app.registry import PAGES
from ingest.store.database import Store
from tests.dashboards.conftest import add, body

Page = Callable[..., Any]
NAMES = [entry.name for entry in PAGES if entry.needs_calls]
VIEWS = ["Breakdown", "Over time", "Hours", "Cost per call", "Pareto", "Calls"]


def words(app: Any) -> str:
    """All text on the page."""
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "title", "header")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def figures(app: Any) -> dict[str, str]:
    return {m.label: m.value for m in app.metric}


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_store_says_what_to_do(page: Page, empty: Store, name: str) -> None:
    app = page(empty, name)
    assert not app.exception
    assert "Nothing has been imported" in words(app)
    assert any("tokenbooks ingest" in c.value for c in app.code)


def test_the_pricing_table_needs_no_calls(page: Page, empty: Store) -> None:
    app = page(empty, "rates")
    assert not app.exception
    assert "prices in USD" in words(app)


@pytest.mark.parametrize("name", NAMES)
def test_one_call(page: Page, empty: Store, name: str) -> None:
    add(empty, [body(1, datetime(2026, 3, 2, 9))], team="search")
    app = page(empty, name)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("name", NAMES)
def test_only_unknown_prices_are_never_nothing(page: Page, empty: Store, name: str) -> None:
    add(empty, [body(1, datetime(2026, 3, 2, 9), model="nobody-knows-1")], team="search")
    app = page(empty, name)
    assert not app.exception
    if name == "overview":
        assert figures(app)["Spend"] == "unpriced"
        assert figures(app)["Unpriced share"] == "100.0 %"
        assert "1 of 1 call (100.0 %) has no price" in words(app)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("known", [True, False])
def test_each_view_of_explore(page: Page, empty: Store, view: str, known: bool) -> None:
    model = "gpt-5.2" if known else "nobody-knows-1"
    add(empty, [body(1, datetime(2026, 3, 2, 9), model=model)], team="search")
    app = page(empty, "explore", view=view)
    assert not app.exception
    assert not app.error


def test_overview_figures(page: Page, store: Store) -> None:
    found = figures(page(store, "overview"))
    assert found["Spend"] == "$0.0098"  # 0.009765
    assert found["Calls"] == "5"
    assert found["Tokens"] == "4,950"
    assert found["Cached share"] == "17.8 %"  # 800 of 4,500
    assert found["Cache savings"] == "$0.0013"  # 0.00126
    assert found["Unpriced share"] == "20.0 %"


def test_a_shared_link_shows_the_same_view(page: Page, store: Store) -> None:
    app = page(
        store, "overview", team="search", period="Custom", tz="Asia/Kolkata",
        days=["2026-03-01", "2026-03-08"],
    )  # fmt: skip
    assert not app.exception
    assert figures(app)["Calls"] == "1"
    assert figures(app)["Spend"] == "$0.0032"  # 0.00315
    assert app.multiselect(key="team").value == ["search"]
    assert app.selectbox(key="tz").value == "Asia/Kolkata"


def test_a_link_to_a_day_cuts_it_in_its_zone(page: Page, store: Store) -> None:
    # In New York, on summer time since the 8th, 03:00 UTC on the 10th is still the 9th; 04:00 is
    # its midnight.
    link = {"period": "Custom", "days": ["2026-03-09", "2026-03-09"]}
    assert figures(page(store, "overview", **link))["Calls"] == "2"
    assert figures(page(store, "overview", tz="America/New_York", **link))["Calls"] == "3"


@pytest.mark.parametrize("name", ["overview", "explore", "variants"])
def test_an_unknown_value_in_a_link_selects_nothing(page: Page, store: Store, name: str) -> None:
    app = page(store, name, team="nobody")
    assert not app.exception
    assert not app.metric
    assert "No calls in this period" in words(app)


def test_nonsense_in_a_link_is_ignored(page: Page, store: Store) -> None:
    app = page(store, "overview", tz="Mars/Olympus", period="tomorrow", days="x", view="?")
    assert not app.exception
    assert figures(app)["Calls"] == "5"


def test_calls_without_a_team_can_be_picked(page: Page, store: Store) -> None:
    app = page(store, "explore", team="(none)", view="Calls")
    assert not app.exception
    assert "Calls 1 to 1 of 1" in words(app)


def test_variants_from_a_link(page: Page, store: Store) -> None:
    app = page(store, "variants", targets=["gpt-5.2@batch", "no-such-variant"])
    assert not app.exception
    # At batch rates: 3 × 0.001575 + 0.000945 = 0.00567.
    assert "Cost of the same 4 priced calls" in words(app)
    assert "gpt-5.2@batch" in words(app)
    assert "$0.0057 instead of $0.0098" in words(app).replace("\\$", "$")


def test_a_tier_nobody_has_is_explained(page: Page, store: Store) -> None:
    app = page(store, "variants", targets=["gpt-5.2@warp"])
    assert not app.exception
    assert "unknown tier 'warp'" in app.error[0].value


def test_rates_are_searched_and_shown_with_sources(page: Page, empty: Store) -> None:
    app = page(
        empty, "rates", q="gpt-5.2 codex", rate_seller="openai", card="openai:gpt-5.2-codex",
        on="2026-03-01",
    )  # fmt: skip
    assert not app.exception
    table, history = (frame.value for frame in app.dataframe)
    assert list(table["variant"]) == ["gpt-5.2-codex"]
    assert list(table["input"]) == [1.75]
    assert list(table["cached"]) == [0.175]
    assert list(table["output"]) == [14.0]
    assert "gpt-5.2-codex at openai" in words(app)
    assert all(source.startswith("https://") for source in history["source"])
    assert "in force" in set(history["state"])


def test_rates_without_a_match(page: Page, empty: Store) -> None:
    app = page(empty, "rates", q="zzz-nothing")
    assert not app.exception
    assert "No price matches" in words(app)


def test_quality_names_the_unknown_model(page: Page, store: Store) -> None:
    app = page(store, "quality")
    assert not app.exception
    assert figures(app)["Priced calls"] == "80.0 %"
    why = app.dataframe[0].value
    assert list(why["model"]) == ["nobody-knows-1"]
    assert list(why["tokens"]) == [550]
