"""Which settings are in force: the working directory's, else those beside the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenbooks.sample_logs import write_sample_settings
from tokenbooks.settings import load_settings


@pytest.fixture
def books(workdir: Path) -> Path:
    """A database (its name is enough) with settings beside it."""
    write_sample_settings(workdir / "books")
    return workdir / "books" / "t.duckdb"


def test_settings_beside_the_database(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().budgets == []
    beside = load_settings(db=books)
    assert [b["name"] for b in beside.budgets][:2] == ["All teams", "Platform"]
    assert beside.file == books.parent / "tokenbooks.toml"
    monkeypatch.setenv("TOKENBOOKS_DB", str(books))
    assert load_settings().budgets == beside.budgets
    assert load_settings().db == books


def test_the_working_directory_goes_first(books: Path, workdir: Path) -> None:
    (workdir / "tokenbooks.toml").write_text('timezone = "Asia/Tokyo"\n')
    held = load_settings(db=books)
    assert (held.timezone, held.budgets) == ("Asia/Tokyo", [])
    assert held.file == workdir / "tokenbooks.toml"


def test_the_demo_never_overwrites_settings(books: Path) -> None:
    path = books.parent / "tokenbooks.toml"
    path.write_text("# mine\n")
    write_sample_settings(books.parent)
    assert path.read_text() == "# mine\n"
