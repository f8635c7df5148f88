"""Documents that name commands, files and links must name real ones."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tokenbooks.cli import module_commands
from tokenbooks.cli.manual import COMMANDS, Command

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
)


MAKE = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))


@pytest.mark.parametrize(
    ("page", "made"), [("commands.md", "reference"), ("tokenbooks.1", "manual_page")]
)
def test_the_reference_of_commands_is_what_the_program_says(page: str, made: str) -> None:
    held = (ROOT / "docs" / page).read_text("utf-8")
    assert held == MAKE[made](), "run `python docs/make_reference.py`"


def test_the_table_of_formats_is_what_the_readers_say() -> None:
    found = MAKE["FORMATS"].search(MAKE["README"].read_text("utf-8"))
    assert found is not None, "the README has no place for the table of formats"
    assert found.group() == MAKE["formats"](), "run `python docs/make_reference.py`"


def test_the_counting_page_states_the_constants_in_force() -> None:
    found = MAKE["CONSTANTS"].search(MAKE["COUNTING"].read_text("utf-8"))
    assert found is not None, "docs/counting.md has no place for the constants"
    assert found.group() == MAKE["constants"](), "run `python docs/make_reference.py`"


def test_the_manual_page_formats_without_a_warning() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff to format the manual page with")
    page = str(ROOT / "docs" / "tokenbooks.1")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_the_manual_lists_the_commands_that_modules_register() -> None:
    registered = {name for entry in COMMANDS.values() for name in module_commands(entry.module)}
    assert set(COMMANDS) == registered
    modules = {path.stem for path in (ROOT / "tokenbooks" / "cli").glob("*.py")}
    with_commands = {
        name
        for name in modules
        if "def register(" in (ROOT / "tokenbooks" / "cli" / f"{name}.py").read_text("utf-8")
    }
    assert with_commands == {entry.module for entry in COMMANDS.values()}


@pytest.mark.parametrize("entry", COMMANDS.values(), ids=lambda entry: entry.name)
def test_examples_use_options_that_exist(entry: Command) -> None:
    assert len(entry.does) <= 56
    known = dict(MAKE["commands"](entry.name))
    for example in entry.examples:
        words = shlex.split(example)
        command = known.get(" ".join(words[:2])) or known.get(words[0]) or known[f"{words[0]} run"]
        options = {name for option in command.params for name in (*option.opts, "--help")}
        assert {word for word in words if word.startswith("-")} <= options, example


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_package_has_its_page() -> None:
    for package in ("pricing", "ingest", "budgets", "dashboards", "tokenbooks"):
        text = (ROOT / "docs" / "packages" / f"{package}.md").read_text("utf-8")
        assert text.startswith(f"# {package}\n")


def test_recipes_name_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(
        re.findall(r"`((?:pricing|ingest|dashboards|tokenbooks|tests|docs)/[\w/.]+)`", text)
    )
    assert len(named) > 8
    assert sorted(n for n in named if not (ROOT / n).exists()) == []
