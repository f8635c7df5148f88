"""`--from-store`: what is asked of the log, what is made of it, and each way it can be missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from budgets.check.config import Logged
from budgets.check.options import StoreError
from dashboards.queries.prompts import LoggedPrompts
from ingest.store.database import Store, open_reader
from tests.check.helpers import Project, words
from tests.finance.books import call, make_store

NOON = datetime(2026, 6, 29, 12, tzinfo=UTC)


def logged_days(days: int = 28, first: int = 1) -> Iterator[dict[str, Any]]:
    """Four calls a day of one prompt, three of them served from the cache, and one of another."""
    for day in range(first, first + days):
        for n in range(4):
            yield call(
                day * 10 + n, f"2026-06-{day:02}T0{n}:00:00Z", feature="answer",
                tags={"prompt": "prompts/a.md"}, input_uncached=1000 if n == 3 else 200,
                cache_read=0 if n == 3 else 800, output_text=[10, 20, 30, 40][n], reasoning=0,
            )  # fmt: skip
        yield call(
            day * 10 + 9, f"2026-06-{day:02}T09:00:00Z", "gpt-5-mini", feature="other",
            input_uncached=50, cache_read=0, output_text=1000, reasoning=0,
        )  # fmt: skip


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("books"), logged_days())


@pytest.fixture
def store(books: Path) -> Iterator[Store]:
    opened = open_reader(books)
    yield opened
    opened.close()


def test_a_month_of_a_tagged_prompt(store: Store) -> None:
    found = LoggedPrompts(store.con, now=NOON).traffic(("x", "prompts/a.md"), {}, Logged())
    assert found is not None
    assert found.calls_per_month == 122  # 112 calls in 28 days x 30.4375 / 28 = 121.75
    assert found.output_tokens == (10, 25, 40)
    assert found.cached_share == Decimal("0.75")
    assert found.input_tokens == 1000
    assert found.window == "112 calls 2026-06-01 to 2026-06-28, scaled to 30.4 days"


def test_dimensions_choose_the_calls_of_an_untagged_prompt(store: Store) -> None:
    source = LoggedPrompts(store.con, now=NOON)
    by_feature = source.traffic(("x",), {"feature": ("other",)}, Logged())
    assert by_feature is not None and by_feature.calls_per_month == 30
    assert by_feature.cached_share == 0
    both = {"feature": ("answer", "other"), "model": ("gpt-5-mini",)}
    assert source.traffic(("x",), both, Logged()) == by_feature
    assert source.traffic(("x",), {"feature": ("nobody",)}, Logged()) is None
    tagged = source.traffic(("answer",), {}, Logged(dimension="feature"))
    assert tagged is not None and tagged.calls_per_month == 122


def test_a_shorter_window_counts_only_its_days(store: Store) -> None:
    source = LoggedPrompts(store.con, now=NOON)
    found = source.traffic(("prompts/a.md",), {}, Logged(days=7))
    assert found is not None and "28 calls 2026-06-22 to 2026-06-28, scaled" in found.window
    longer = source.traffic(("prompts/a.md",), {}, Logged(days=90))
    assert longer is not None and longer.calls_per_month == 122
    assert "only 28 of 90 days" in longer.window


def test_today_is_not_a_whole_day_but_an_old_log_ends_with_one(store: Store) -> None:
    today = datetime(2026, 6, 28, 12, tzinfo=UTC)
    found = LoggedPrompts(store.con, now=today).traffic(("prompts/a.md",), {}, Logged())
    assert found is not None and "2026-06-01 to 2026-06-27, only 27 of 28" in found.window
    later = datetime(2026, 8, 1, 12, tzinfo=UTC)
    old = LoggedPrompts(store.con, now=later).traffic(("prompts/a.md",), {}, Logged())
    assert old is not None and "2026-06-01 to 2026-06-28" in old.window
    assert old.window.endswith("the log ends 34 days ago")


def test_days_are_the_readers_own(store: Store) -> None:
    source = LoggedPrompts(store.con, zone="America/Los_Angeles", now=NOON)
    # The first calls of 1 June UTC are of 31 May there.
    assert str(source.window(28)).startswith("2026-06-01 to 2026-06-28")
    assert str(source.window(29)).startswith("2026-05-31 to 2026-06-28")


def test_a_day_that_is_not_over_is_no_month(tmp_path: Path) -> None:
    path = make_store(tmp_path, logged_days(1, 29))
    opened = open_reader(path)
    with pytest.raises(StoreError, match="no whole day"):
        LoggedPrompts(opened.con, now=NOON).traffic(("prompts/a.md",), {}, Logged())
    opened.close()


def test_an_unknown_dimension_names_the_nearest(store: Store) -> None:
    source = LoggedPrompts(store.con, now=NOON)
    with pytest.raises(StoreError, match="did you mean 'feature'"):
        source.traffic(("x",), {"featur": ("a",)}, Logged())
    with pytest.raises(StoreError, match="unknown dimension"):
        source.traffic(("x",), {}, Logged(dimension="promt"))


# --- through the command -----------------------------------------------------------------------


def check(project: Project, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, Any]:
    import json

    from tokenbooks.cli import app

    monkeypatch.chdir(project.root)
    done = CliRunner().invoke(app, ["check", "--format", "json", *options])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else done.output


@pytest.fixture
def ready(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.write("prompts/a.md", words(1000))
    project.write("prompts/b.md", words(10))
    project.write(
        "tokenbooks.toml",
        "[check]\nmodel = 'gpt-5.2'\n[check.traffic]\ncalls_per_month = 7\n"
        "[[check.prompts]]\npath = 'prompts/b.md'\nlogged = {feature = 'other'}\n",
    )
    return project


def test_the_command_prices_a_month_of_logged_calls(
    ready: Project, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, report = check(ready, monkeypatch, "--from-store", "--db", str(books))
    assert code == 0
    a, b = report["prompts"]
    assert a["traffic"] == {
        "source": "store", "calls_per_month": 122, "turns": 1, "cached_share": "0.75",
        "output_tokens": {"low": 10, "expected": 25, "high": 40},
    }  # fmt: skip
    assert b["traffic"]["calls_per_month"] == 30
    # 1,000 words are below the 1,024 tokens a cache needs: full price, 1.75 and 14 USD per million.
    month = Decimal(a["models"][0]["head"]["usd_per_month"]["expected"])
    assert month == 122 * (1000 * Decimal("1.75") + 25 * 14) / 10**6
    assert any("logged input: 1,000 tokens a call" in note for note in a["notes"])


def test_no_store_is_a_named_failure(ready: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    code, report = check(ready, monkeypatch, "--from-store", "--db", "nowhere.duckdb")
    assert code == 3
    (problem,) = report["unmeasured"]
    assert problem["rule"] == "no-usage-store"
    assert "nowhere.duckdb does not exist yet" in problem["message"]


def test_no_logged_call_is_a_named_failure_without_a_month(
    ready: Project, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.write("prompts/new.md", words(5))
    code, report = check(ready, monkeypatch, "--from-store", "--db", str(books))
    assert code == 3
    (problem,) = report["unmeasured"]
    assert problem["rule"] == "no-logged-calls" and problem["prompt"] == "prompts/new.md"
    assert "tags.prompt = prompts/new.md in the last 28 days" in problem["message"]
    new = report["prompts"][2]
    assert new["traffic"]["calls_per_month"] is None
    assert new["models"][0]["head"]["usd_per_month"] is None


def test_db_without_from_store_is_a_mistake(
    ready: Project, books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = check(ready, monkeypatch, "--db", str(books))
    assert code == 2 and "--from-store" in said
