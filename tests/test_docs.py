"""Documents that name commands, files and links must name real ones."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")]
)


def test_the_reference_of_commands_is_what_the_program_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["reference"]()
    held = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert held == made, "run `python docs/make_reference.py`"


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
