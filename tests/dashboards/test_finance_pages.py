"""The finance pages on the demo's month: the figures of the commands, on a page."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app import source
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue

MAIN = Path(source.__file__).parent / "main.py"
BUDGETS = [
    {"name": "All", "amount": "150 USD"},
    {"name": "Tokens", "amount": "9_000_000 tokens", "scope": {"team": "search"}},
]


@pytest.fixture
def show(demo_db: Path, tmp_path: Path) -> Iterator[Callable[..., AppTest]]:
    """Run a page over the demo's books, with the given settings."""
    store = open_store(Path(shutil.copy(demo_db, tmp_path / "t.duckdb")))

    def run(
        name: str, query: dict[str, str] | None = None, db: Path | None = None, **settings: Any
    ) -> AppTest:
        nonlocal store
        if db is not None:
            store.close()
            store = open_store(db)
        held = SimpleNamespace(**({"budgets": [], "currency": {}, "anomalies": {}} | settings))
        source.install(
            source.Source(store.path, default_catalogue(), store.con.cursor, settings=held)
        )
        app = AppTest.from_file(str(MAIN), default_timeout=90)
        for key, value in (query or {}).items():
            app.query_params[key] = value
        app.switch_page(f"views/{name}.py")
        app.run()
        assert not app.exception
        return app

    yield run
    source._installed.clear()
    store.close()


def text(app: AppTest) -> str:
    return "\n".join(m.value for m in (*app.markdown, *app.caption, *app.info, *app.header))


def test_forecast(show: Callable[..., AppTest]) -> None:
    app = show("forecast")
    assert "Month to 2026-04-30" in text(app)
    assert "Quarter to 2026-06-30" in text(app)
    values = {m.label: m.value for m in app.metric[:4]}
    assert values["So far"] == "$0.00"  # the day after the last call begins a new month
    low, middle, high = (float(values[k][1:].replace(",", "")) for k in ("P10", "P50", "P90"))
    assert 100 < low < middle < high < 250
    assert "nightjar-preview" in text(app)


def test_budgets(show: Callable[..., AppTest]) -> None:
    app = show("budgets", budgets=BUDGETS)
    titles = [m.value for m in app.markdown if m.value.startswith("## ")]
    assert [t.split()[1] for t in titles] == ["All", "Tokens"]
    assert list(app.dataframe[0].value["name"]) == ["All", "Tokens"]
    assert not app.error
    assert "no budget yet" in text(show("budgets"))
    wrong = show("budgets", budgets=[{"name": "a", "amont": "1 USD"}])
    assert "did you mean 'amount'" in wrong.error[0].value


def test_why_and_anomalies(show: Callable[..., AppTest]) -> None:
    assert "Cost" in text(show("why"))
    assert "same weekdays" in text(show("anomalies"))


@pytest.mark.parametrize("kind", ["CSV", "Parquet", "FOCUS 1.4", "FOCUS 1.2", "Month report"])
def test_export(show: Callable[..., AppTest], kind: str) -> None:
    app = show("export", query={"file": kind, "tz": "America/New_York"})
    shown = {m.label: m.value for m in app.metric}
    assert shown["Sum of the file"] == shown["The report"]
    assert shown["The report"].startswith("$1")
    assert "adds up to the report" in app.success[0].value
    assert "40 calls" in text(app)  # unpriced: in neither sum


def test_export_of_nothing(show: Callable[..., AppTest]) -> None:
    app = show("export", query={"team": "nobody"})
    assert "No calls in this period" in text(app)
    assert not app.metric


def test_the_month_against_its_budget(show: Callable[..., AppTest]) -> None:
    """The figures of `tokenbooks budget --as-of 2026-03-21`, and of the forecast page."""
    app = show("overview", query={"as_of": "2026-03-21"}, budgets=BUDGETS)
    shown = {m.label: m.value for m in app.metric}
    assert "March 2026, month to date" in text(app)
    assert shown["Spent so far"] == "$93.84"
    assert shown["Budget"] == "$150.00"
    ahead = show("forecast", query={"as_of": "2026-03-21"})
    assert shown["At month's end"] == {m.label: m.value for m in ahead.metric}["P50"]
    assert 0 < float(shown["Chance to exceed"].split()[0]) < 50
    assert "the budget “All” (orange)" in text(app)


def test_the_budget_is_the_one_of_the_filter(show: Callable[..., AppTest]) -> None:
    held = [*BUDGETS, {"name": "Search", "amount": "20 USD", "scope": {"team": "search"}}]
    shown = {
        team: {m.label: m.value for m in app.metric}["Budget"]
        for team in ("search", "platform")
        if (app := show("overview", query={"team": team}, budgets=held))
    }
    assert shown == {"search": "$20.00", "platform": "none"}


def test_what_has_no_price_is_no_zero_in_the_forecast(show: Callable[..., AppTest]) -> None:
    app = show("forecast", query={"as_of": "2026-03-21"})
    table = next(d.value for d in app.dataframe if "history" in d.value.columns)
    row = table[table["variant"].str.startswith("nightjar")].iloc[0]
    assert row[["spent", "low", "middle", "high"]].isna().all()
    assert row["history"] == "unpriced"


def test_a_budget_is_made_on_the_page(show: Callable[..., AppTest], tmp_path: Path) -> None:
    """Filled in, judged before it exists, written to the settings, and then in the list."""
    file = tmp_path / "tokenbooks.toml"
    file.write_text('timezone = "UTC"\n')
    held: dict[str, Any] = {
        "budgets": [], "file": file, "serve": SimpleNamespace(edit=True),
    }  # fmt: skip
    app = show("budgets", query={"as_of": "2026-03-21"}, **held)
    field: dict[str, Any] = {w.label: w for w in (*app.text_input, *app.multiselect)}
    field["Name"].input("Search")
    field["Amount"].input("9.50")
    field["Only calls with a certain"].set_value(["team"])
    app.run()
    next(m for m in app.multiselect if m.key == "new_team").set_value(["search"]).run()
    assert not app.exception
    assert "$10.94" in text(app).replace("\\", "")  # already over it
    next(b for b in app.button if b.label == "Add to the settings file").click().run()
    assert not app.exception
    made = tomllib.loads(file.read_text())
    assert made["budgets"][0]["amount"] == "9.50 USD"
    assert made["budgets"][0]["scope"] == {"team": ["search"]}
    assert list(app.dataframe[0].value["state"]) == ["over"]


def test_a_page_that_may_not_write_shows_the_toml(show: Callable[..., AppTest]) -> None:
    app = show("budgets", query={"as_of": "2026-03-21"})
    field = {w.label: w for w in app.text_input}
    field["Name"].input("Search")
    field["Amount"].input("much")
    app.run()
    assert "is no amount" in app.error[0].value
    next(w for w in app.text_input if w.label == "Amount").input("5").run()
    assert 'amount = "5 USD"' in app.code[0].value
    assert not [b for b in app.button if "Add" in b.label]


def test_any_two_periods_are_compared(show: Callable[..., AppTest]) -> None:
    """The figures of `tokenbooks why --from 2026-03-02..2026-03-16 --to 2026-03-16..2026-03-30`."""
    app = show(
        "why",
        query={"period": "Custom", "days": "2026-03-16", "from": "2026-03-02", "to": "2026-03-15"},
    )
    assert "Before: 2026-03-02 to 2026-03-15. Now: 2026-03-16" in text(app)
    whole = show("why")
    assert "last seven days are compared" in text(whole)  # nothing is stored before the month
    table = whole.dataframe[0].value
    effects = table[~table["effect"].isin(["before", "now"])]["value"].sum()
    ends = dict(zip(table["effect"], table["value"], strict=True))
    assert ends["now"] - ends["before"] == pytest.approx(effects, abs=1e-9)
    assert len(table) == 9


def test_days_out_of_line_are_drawn_and_named(show: Callable[..., AppTest]) -> None:
    quiet = show("anomalies", query={"tz": "UTC"})
    assert "Nothing unusual" in quiet.success[0].value
    assert len(quiet.dataframe[0].value) == 31  # the table behind the chart: every day
    low = show("anomalies", anomalies={"floor": "0.01", "threshold": 1.0})
    said = text(low)
    assert "What stood out" in said
    assert "instead of" in said and "Mostly" in said and "meter" in said
    causes = low.dataframe[2].value
    for (_, scope, _), part in causes.groupby(["first", "scope", "dimension"]):
        row = low.dataframe[1].value
        excess = row[(row["scope"] == scope) & (row["first"] == part["first"].iloc[0])]["excess"]
        assert part["excess"].sum() == pytest.approx(excess.iloc[0], abs=1e-9)


def test_unit_costs_and_showback(show: Callable[..., AppTest]) -> None:
    """The figures of `tokenbooks unit` and `showback`; what has no price is no denominator."""
    app = show("explore", query={"view": "Unit costs", "shared": "platform", "split": "Even"})
    shown = {m.label: m.value for m in app.metric}
    assert shown["Cost per call"] == "$0.024"
    assert shown["Failed calls"] == "0.8 %"
    unit, top, back = (d.value for d in app.dataframe[:3])
    assert dict(zip(unit["unit"], unit["count"], strict=True))["Call"] == 5_815
    assert top["name"].iloc[0] == "acme"
    assert list(back["name"]) == ["assistant", "search", "Total"]
    assert back["total"].iloc[:2].sum() == pytest.approx(139.30932164, abs=1e-9)
    assert back["part"].iloc[0] == pytest.approx(back["part"].iloc[1], abs=1e-9)


def test_a_quarter_that_is_the_month_is_said_once(show: Callable[..., AppTest]) -> None:
    """March is the last month of its quarter, and the demo's first."""
    app = show("forecast", query={"as_of": "2026-03-21"})
    assert "Quarter to 2026-03-31" in text(app)
    assert "its figures are the month's" in text(app)
    assert [m.label for m in app.metric] == ["So far", "P10", "P50", "P90"]


def test_the_forecast_of_nothing_is_no_amount(show: Callable[..., AppTest]) -> None:
    app = show("forecast", query={"team": "nobody"})
    assert not app.metric
    assert "No calls with these filters" in text(app)


def test_the_rows_of_a_forecast_end_in_its_total(show: Callable[..., AppTest]) -> None:
    app = show("forecast", query={"as_of": "2026-03-21"})
    table = next(d.value for d in app.dataframe if "history" in d.value.columns)
    assert table["team"].iloc[-1] == "Total"
    rows, total = table.iloc[:-1], table.iloc[-1]
    assert round(rows["spent"].sum(), 8) == round(total["spent"], 8)
    shown = {m.label: m.value for m in app.metric}
    assert [f"${total[k]:,.2f}" for k in ("spent", "low", "middle", "high")] == [
        shown[k] for k in ("So far", "P10", "P50", "P90")
    ]


def test_a_budget_in_euros_is_shown_in_euros(show: Callable[..., AppTest]) -> None:
    rates = [{"currency": "EUR", "usd": "1.25", "on": "2026-01-02", "source": "a bank"}]
    held = [{"name": "E", "amount": "120 EUR"}]
    app = show("budgets", {"as_of": "2026-03-21"}, budgets=held, currency={"rates": rates})
    row = app.dataframe[0].value.iloc[0]
    assert (row["spent"], row["amount"]) == ("75.07 EUR", "120.00 EUR")  # $93.84 at 1.25
    assert "Drawn in USD: 120.00 EUR is \\$150.00" in text(app)


@pytest.fixture
def tested_too(demo_db: Path, tmp_path: Path) -> Path:
    """The demo's books, and two calls of the mock endpoint on 30 March."""
    from datetime import datetime

    from ingest.record import UsageRecord
    from tests.books import put

    path = Path(shutil.copy(demo_db, tmp_path / "tested.duckdb"))
    store = open_store(path)
    put(store, default_catalogue(), [
        UsageRecord(f"m{n}", datetime(2026, 3, 30, 12), "mock", "openai", "gpt-5.2",
                    {"input_uncached": 1_000_000, "output_text": 0}, tier="standard")
        for n in range(2)
    ])  # fmt: skip
    store.close()
    return path


PLACES = ("overview", "explore", "variants", "why", "anomalies", "forecast", "budgets",
          "reconcile", "export")  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_every_page_names_simulated_calls_apart(
    name: str, show: Callable[..., AppTest], tested_too: Path
) -> None:
    app = show(
        name, {"period": "All time", "as_of": "2026-03-31"}, db=tested_too, budgets=BUDGETS[:1]
    )
    assert "2 simulated calls ($3.50) not counted here" in text(app).replace("\\$", "$")
