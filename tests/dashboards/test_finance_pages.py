"""The finance pages on the demo's month: the figures of the commands, on a page."""

from __future__ import annotations

import shutil
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

    def run(name: str, query: dict[str, str] | None = None, **settings: Any) -> AppTest:
        held = SimpleNamespace(**({"budgets": [], "currency": {}, "anomalies": {}} | settings))
        source.install(
            source.Source(store.path, default_catalogue(), store.con.cursor, settings=held)
        )
        app = AppTest.from_file(str(MAIN), default_timeout=30)
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
    return "\n".join(m.value for m in (*app.markdown, *app.caption, *app.info, *app.subheader))


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
    assert [s.value.split(":")[0] for s in app.subheader] == ["All", "Tokens"]
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
