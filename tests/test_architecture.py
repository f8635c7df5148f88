"""The house rules that files can be checked for: who may import whom, and what nothing may name."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("pricing", "ingest", "budgets", "dashboards", "tokenbooks")
"""Each package may import itself and those before it."""

# Spelled apart, so that this file does not contain what it looks for.
FORBIDDEN = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"), ("/tm", "p/dev"), ("/tm", "p/wt"), ("/op", "t/pypi"), ("/ro", "ot/"),
        ("pypi", ".org"), ("files.python", "hosted"), ("npmjs", ".org"),
    )
)  # fmt: skip


def tracked() -> list[Path]:
    """The repository's own files: what git tracks or would, or everything in an unpacked sdist."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return [p for p in ROOT.rglob("*") if p.is_file()]
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [p for p in paths if p.is_file()]


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Top-level names a module imports anywhere, lazily or for types included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            first = node.args[0]
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                found.add(str(first.value).split(".")[0])
    return found


def test_imports_are_found_wherever_they_stand() -> None:
    text = (
        "import dashboards.app\ndef f():\n  from ingest.store import x\n"
        "  import_module('budgets.check')\nfrom . import pricing\n"
    )
    assert imported(ast.parse(text)) == {"dashboards", "ingest", "budgets"}


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    later = set(ORDER[ORDER.index(package) + 1 :]) | {"tests", "benchmarks", "data"}
    files = modules(package)
    assert files
    wrong = {
        str(path.relative_to(ROOT)): names
        for path in files
        if (names := imported(ast.parse(path.read_text("utf-8"))) & later)
    }
    assert not wrong


def test_no_other_top_level_folder_holds_product_code() -> None:
    known = {*ORDER, "tests", "benchmarks", "docs", "data", "deploy", "examples", "action"}
    folders = {p.relative_to(ROOT).parts[0] for p in tracked() if p.suffix == ".py"}
    assert {f for f in folders if (ROOT / f).is_dir()} <= known


def test_nothing_names_a_machine_or_a_registry() -> None:
    wrong = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        wrong += [(str(path.relative_to(ROOT)), w) for w in FORBIDDEN if w in text]
    assert not wrong


def test_every_package_says_its_idea_and_ships_its_types() -> None:
    for package in ORDER:
        docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))
        assert docstring, package
        assert (ROOT / package / "py.typed").is_file()


def test_every_module_says_its_idea() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in ORDER
        for path in modules(package)
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_money_is_never_fetched_as_a_frame() -> None:
    """`.df()` turns whole numbers of pico-dollars into floats."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in ORDER
        for path in modules(package)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\.(df|fetchdf|fetchnumpy)\(\)", line) and "`.df()`" not in line
    ]
    assert not wrong


def test_the_check_leaves_settings_to_pydantic_and_tables_to_rich() -> None:
    """A well-kept library reads settings and draws tables, however quick our own code would start.

    Neither is what this project exists for (house rules, Dependencies): a module of ours that does
    what they do (a `shape.py`, a `grid.py`) is not taken over, even where it saves a part of the
    start.
    """
    from pydantic import BaseModel

    from budgets.check.config import CheckConfig

    assert issubclass(CheckConfig, BaseModel)
    source = (ROOT / "budgets" / "check" / "outputs" / "table.py").read_text("utf-8")
    assert "from rich." in source
