"""The page Reconcile: the figures of the query, and words where there is nothing to compare."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app import source
from dashboards.app.registry import VIEWS
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue
from tests.collector.conftest import empty_store as empty_store  # noqa: PLC0414 - a fixture
from tests.reconcile.test_reconcile import call, cost, put


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Path(shutil.copy(empty_store, tmp_path / "t.duckdb")))
    before = list(source._installed)
    source.install(source.Source(opened.path, default_catalogue(), opened.con.cursor))
    yield opened
    source._installed[:] = before
    opened.close()


def page(**query: str) -> AppTest:
    test = AppTest.from_file(str(VIEWS / "reconcile.py"), default_timeout=90)
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception, test.exception
    return test


def test_figures_and_causes(store: Store) -> None:
    put(store, [call(1), call(2, day=1, source_cost_usd=Decimal("1.75"))],
        [cost("1.75"), cost("1.85", 1)])  # fmt: skip
    shown = page()
    assert [s.value for s in shown.header] == [
        "Cost reports",
        "Calls that state their own charge",
    ]
    assert [m.value for m in shown.metric[:3]] == ["$3.60", "$3.50", "+$0.10"]
    # One cause, without a total row that would hide it.
    assert list(shown.dataframe[0].value["cause"]) == ["Unexplained"]


def test_nothing_to_compare_says_what_to_do(store: Store) -> None:
    put(store, [call(1)])
    assert "Import an organisation" in page().info[0].value
