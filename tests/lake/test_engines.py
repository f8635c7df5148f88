"""The core questions on a lake: the same numbers as the store's, on DuckDB and on Spark Connect.

Spark Connect is Sail's server here (no JVM). Both need the extra `spark` and skip without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dashboards.queries import compare as own_compare
from dashboards.queries import spend as own_spend
from dashboards.queries.scope import Scope, ScopeError
from ingest.importer import ImportOptions
from ingest.lake import export_store, ingest_to_lake
from ingest.store.database import open_reader
from pricing.catalogue import default_catalogue
from tests.lake.test_write import MIDNIGHT, body

pytest.importorskip("ibis", reason="the extra `spark` is not installed (ibis)")
from dashboards.queries import portable

TARGETS = [
    "gpt-5.2", "gpt-5.2@batch", "gpt-5.2@flex", "gpt-5-mini", "gpt-5.2-pro", "claude-opus-4-5",
    "gemini-2.5-pro", "cometapi:gpt-5.2", "deepseek-chat", "nobody-knows-this",
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(demo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    store = open_reader(demo_db)
    export_store(store, folder)
    store.close()
    return folder


@pytest.fixture(scope="module")
def sail() -> Iterator[str]:
    """A Spark Connect server of this test's own."""
    server = pytest.importorskip("pysail.spark", reason="no Spark Connect server (pysail)")
    pytest.importorskip("pyspark", reason="the extra `spark` is not installed (pyspark)")
    pytest.importorskip("grpc", reason="the extra `spark` is not installed (grpcio)")
    running = server.SparkConnectServer("127.0.0.1", 0)
    running.start(background=True)
    host, port = running.listening_address
    yield f"sc://{host}:{port}"
    running.stop()


@pytest.fixture(params=["duckdb", "spark"])
def opened(request: pytest.FixtureRequest, lake: Path) -> Any:
    engine = "duckdb" if request.param == "duckdb" else request.getfixturevalue("sail")
    return portable.open_lake(lake, engine)


@pytest.mark.parametrize(
    "by",
    [
        (),
        ("variant", "tier", "seller"),
        ("team", "feature", "status"),
        ("day",),
        ("month", "provider", "model", "effort"),
        ("week", "format", "failed", "customer"),
    ],
)
def test_a_report_says_what_the_store_says(opened: Any, demo_db: Path, by: tuple[str, ...]) -> None:
    store = open_reader(demo_db)
    expected = own_spend.spend(store.con, by)
    store.close()
    found = portable.report(opened, default_catalogue(), by)
    assert found.total == expected.total
    assert [r.as_json(by) for r in found.rows] == [r.as_json(by) for r in expected.rows]


def test_a_scope_is_cut_the_same_way(opened: Any, demo_db: Path) -> None:
    since, until = datetime(2026, 3, 5, 12), datetime(2026, 3, 20)
    where = {"team": ["search", "platform"], "customer": [""]}
    store = open_reader(demo_db)
    expected = own_spend.spend(store.con, ("day",), Scope(since, until, where=where))
    store.close()
    found = portable.report(
        opened, default_catalogue(), ("day",), since=since, until=until, where=where
    )
    assert found.total.calls > 0
    assert found == expected


@pytest.mark.parametrize("at", [None, datetime(2025, 12, 20)])
def test_a_comparison_says_what_the_store_says(
    opened: Any, demo_db: Path, at: datetime | None
) -> None:
    catalogue = default_catalogue()
    store = open_reader(demo_db)
    expected = own_compare.compare(store.con, catalogue, TARGETS, at=at)
    store.close()
    found = portable.compare(opened, catalogue, TARGETS, at=at)
    assert (found.calls, found.unpriced_calls, found.base_pico) == (
        expected.calls, expected.unpriced_calls, expected.base_pico,
    )  # fmt: skip
    assert found.unpriced_calls == 40

    def facts(answer: Any) -> list[tuple[Any, ...]]:
        return [(r.target, r.cost_pico, r.base_pico, r.carried_calls) for r in answer.rows]

    assert facts(found) == facts(expected)


def test_a_call_that_two_machines_saw_is_one(tmp_path: Path) -> None:
    log, lake = tmp_path / "a.jsonl", tmp_path / "lake"
    log.write_text(body(1, MIDNIGHT, 1000) + "\n" + body(2, MIDNIGHT, 10) + "\n")
    ingest_to_lake(lake, [log])
    log.write_text(body(1, MIDNIGHT, 2000) + "\n")
    ingest_to_lake(lake, [log], ImportOptions(stamps={"team": "search"}))
    total = portable.report(portable.open_lake(lake), default_catalogue()).total
    assert (total.calls, total.input_tokens) == (2, 2010)
    # 2,010 tokens at 1.75 and 10 at 14 USD a million.
    assert total.cost_pico == 2010 * 1_750_000 + 10 * 14_000_000


def test_errors_say_what_to_do(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(portable.EngineError, match="lake export"):
        portable.open_lake(tmp_path)
    with pytest.raises(portable.EngineError, match="duckdb or sc://"):
        portable.open_lake(lake, "trino")
    with pytest.raises(ScopeError, match="no dimension 'hour_of_day'"):
        portable.report(portable.open_lake(lake), default_catalogue(), ["hour_of_day"])
