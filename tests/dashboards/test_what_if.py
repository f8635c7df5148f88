"""What if on the Forecast page: in a link, in fields, and the same as on the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from budgets.spend.periods import period_of
from dashboards.app import source
from dashboards.app.scenarios import Answers, packed, scenario_text
from dashboards.app.what_ifs import WhatIf, in_words
from dashboards.forecasting.outlook import look_ahead
from dashboards.forecasting.scenarios import apply_move, apply_price_change
from dashboards.queries.scope import Scope
from ingest.store.database import open_reader, open_store
from pricing.catalogue import default_catalogue

MAIN = Path(source.__file__).parent / "main.py"
START = date(2026, 3, 21)
SCENARIO = scenario_text(
    Answers(users=50.0, users_sure="exactly", variants=("gpt-5-mini",), start=START, days=30)
)


@pytest.fixture
def show(demo_db: Path, tmp_path: Path) -> Iterator[Callable[..., AppTest]]:
    """The Forecast page with a link's parameters."""
    store = open_store(Path(shutil.copy(demo_db, tmp_path / "t.duckdb")))
    held = SimpleNamespace(budgets=[], currency={}, anomalies={})
    source.install(source.Source(store.path, default_catalogue(), store.con.cursor, settings=held))

    def run(**query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=90)
        for key, value in {"as_of": str(START), **query}.items():
            app.query_params[key] = value
        app.switch_page("views/forecast.py")
        app.run()
        assert not app.exception
        return app

    yield run
    source._installed.clear()
    store.close()


def amounts(app: AppTest) -> dict[str, str]:
    """The month's figures; the quarter's come after them."""
    return {m.label: m.value for m in app.metric[:4]}


def ends(demo_db: Path, *, price: str = "", move: str = "") -> list[str]:
    """P10, P50 and P90 of March as the command computes them."""
    store = open_reader(demo_db)
    book = default_catalogue()
    made = look_ahead(store.con, book, (), Scope(), horizon=11, start=START, since=date(2026, 1, 1))
    store.close()
    made = apply_price_change(made, price) if price else made
    made = apply_move(made, book, move) if move else made
    return [f"${v:,.2f}" for v in made.end_of(period_of(START, "month"))]


def test_nothing_asked_is_the_forecast_itself(show: Callable[..., AppTest], demo_db: Path) -> None:
    app = show()
    assert [amounts(app)[k] for k in ("P10", "P50", "P90")] == ends(demo_db)
    assert not app.code
    assert all(not m.delta for m in app.metric)
    assert "was" not in app.dataframe[1].value


def test_a_price_change_from_a_link(show: Callable[..., AppTest], demo_db: Path) -> None:
    app = show(price_changes="1", price_of_1="gpt-5.2-codex", price_by_1="-50",
               price_on_1="2026-03-25")  # fmt: skip
    change = "gpt-5.2-codex=-50%@2026-03-25"
    assert f"--price-change {change}" in app.code[0].value
    assert [amounts(app)[k] for k in ("P10", "P50", "P90")] == ends(demo_db, price=change)
    assert app.metric[2].delta.startswith("-$")
    fan, rows = app.dataframe[0].value, app.dataframe[1].value
    assert (fan["middle"].iloc[-1], fan["middle_before"].iloc[-1]) == tuple(
        float(x[1][1:].replace(",", "")) for x in (ends(demo_db, price=change), ends(demo_db))
    )
    own = rows[rows["variant"] == "gpt-5.2-codex"]
    assert len(own) and max(own["change"]) < 0
    others = rows[
        (rows["variant"] != "gpt-5.2-codex") & (rows["team"] != "Total") & rows["change"].notna()
    ]
    assert set(others["change"]) == {0}
    assert any("without the scenario" in c.value for c in app.caption)


def test_a_move_in_the_fields(show: Callable[..., AppTest], demo_db: Path) -> None:
    app = show()
    app.number_input(key="moves").set_value(1).run()
    assert any("Choose where" in c.value for c in app.caption)
    app.selectbox(key="move_from_1").set_value("gpt-5.2-codex")
    app.selectbox(key="move_to_1").set_value("gpt-5-mini")
    app.number_input(key="move_share_1").set_value(30.0).run()
    move = "gpt-5.2-codex=gpt-5-mini:30%@2026-03-22"
    assert f"--move {move}" in app.code[0].value
    assert [amounts(app)[k] for k in ("P10", "P50", "P90")] == ends(demo_db, move=move)
    rows = app.dataframe[1].value
    arrived = rows[(rows["variant"] == "gpt-5-mini") & (rows["was"] == 0)]
    assert min(arrived["middle"]) > 0
    assert "unpriced" not in set(arrived["history"])


def test_a_launch_from_a_link(show: Callable[..., AppTest]) -> None:
    before = amounts(show())
    app = show(launch="true", scenario=packed(SCENARIO) or "", launch_on="2026-03-25")
    assert "--launch scenario.toml@2026-03-25" in app.code[0].value

    def usd(text: str) -> float:
        return float(text[1:].replace(",", ""))

    assert usd(amounts(app)["P50"]) > usd(before["P50"])
    filtered = show(launch="true", scenario=packed(SCENARIO) or "", team="search")
    assert any("not in the amounts" in c.value for c in filtered.caption)
    bare = show(launch="true")
    assert any("Upload or paste" in i.value for i in bare.info) and not bare.code


def test_what_cannot_be_done_is_said_without_options(show: Callable[..., AppTest]) -> None:
    app = show(moves="1", move_from_1="gpt-5.2-codex", move_to_1="gpt-5.2-codex")
    assert "already is what the target is" in app.error[0].value
    assert "--move" not in app.error[0].value
    broken = show(launch="true", scenario=packed("users = = 1") or "")
    assert broken.error and not broken.code
    unpriced = show(price_changes="1", price_how_1="to a new price")
    assert any("a price of everything at once" in c.value for c in unpriced.caption)


def test_words() -> None:
    asked = WhatIf(("a b=-5%@2026-04-01",), (), ("name = 'x'", "gpt-5-mini", date(2026, 4, 2)))
    assert asked.options() == (
        "--price-change 'a b=-5%@2026-04-01'",
        "--launch scenario.toml:gpt-5-mini@2026-04-02",
    )
    assert asked and not WhatIf()
    assert in_words("--move: no such") == "no such"
    assert in_words("plain --move text") == "plain --move text"
