"""A budget added on the page: exactly it, and nothing else in the file changes."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.spend.edit import append, as_toml
from budgets.spend.model import BudgetError

SEARCH = {"name": "Search", "amount": "2500 USD", "scope": {"team": ["search"]}}


def test_the_text_is_readable_toml() -> None:
    text = as_toml(
        SEARCH
        | {
            "period": "custom", "since": date(2026, 3, 1), "until": date(2026, 5, 1),
            "warn": ["50 %", "P50"], "fail": [], "scope": {"tags.cost centre": ["a", "b"]},
            "notify": [{"url": "env:HOOK", "format": "teams"}],
        }
    )  # fmt: skip
    assert text == (
        '[[budgets]]\nname = "Search"\namount = "2500 USD"\n'
        'scope = { "tags.cost centre" = ["a", "b"] }\nperiod = "custom"\n'
        'since = 2026-03-01\nuntil = 2026-05-01\nwarn = ["50 %", "P50"]\n'
        'notify = [{ url = "env:HOOK", format = "teams" }]\n'
    )


@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_survives(name: str, dimension: str, value: str) -> None:
    held = {"name": name, "amount": "1 USD", "scope": {dimension: [value]}}
    assert tomllib.loads(as_toml(held)) == {"budgets": [held]}


def test_appending_keeps_the_rest_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "tokenbooks.toml"
    old = (
        '# mine\ntimezone = "UTC"   # why\n\n[[budgets]]\nname = "All"\namount = "9 USD"\n'
        "\n[serve]\nport = 1"
    )
    path.write_text(old)
    path.chmod(0o600)
    append(path, as_toml(SEARCH))
    assert path.read_text().startswith(old + "\n\n[[budgets]]\n")
    assert [b["name"] for b in tomllib.loads(path.read_text())["budgets"]] == ["All", "Search"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["tokenbooks.toml"]


def test_a_new_file_and_a_project_file(tmp_path: Path) -> None:
    append(tmp_path / "a" / "tokenbooks.toml", as_toml(SEARCH))
    assert tomllib.loads((tmp_path / "a" / "tokenbooks.toml").read_text()) == {"budgets": [SEARCH]}
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n')
    append(project, as_toml(SEARCH))
    assert tomllib.loads(project.read_text()) == {
        "project": {"name": "x"}, "tool": {"tokenbooks": {"budgets": [SEARCH]}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "says"),
    [
        ('budgets = [{ name = "All", amount = "9 USD" }]\n', "another way"),
        ('[[budgets]]\nname = "Search"\namount = "9 USD"\n', "used twice"),
        ("not toml", "cannot be read"),
    ],
)
def test_what_cannot_be_added_changes_nothing(tmp_path: Path, old: str, says: str) -> None:
    path = tmp_path / "tokenbooks.toml"
    path.write_text(old)
    with pytest.raises(BudgetError, match=says):
        append(path, as_toml(SEARCH))
    assert path.read_text() == old


def test_a_wrong_budget_is_refused_with_its_reason() -> None:
    with pytest.raises(BudgetError, match="is no amount"):
        as_toml({"name": "a", "amount": "much"})
