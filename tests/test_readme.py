"""README is true: every command in it runs here, and every output shown is what it prints.

Blocks fenced as `console` are a session in one working directory, in order, after `make demo`.
A line `$ tokenbooks …` is run; the lines up to the next `$` are its output (a line `…` stands for
lines left out). Blocks fenced as `console run` only have to succeed. Write the outputs anew with
`UPDATE_README=1 pytest tests/test_readme.py`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console( run)?\n(.*?)^```$", re.M | re.S)
LEFT_OUT = "…"
# Commands that run until stopped: other tests start and stop them.
UNTIL_STOPPED = ("serve", "mock")

Run = Callable[..., tuple[int, str, str]]


def steps(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the output shown for it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def tidy(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def matches(shown: list[str], real: list[str]) -> bool:
    """Whether the shown lines are the real ones, `…` standing for any number of them."""
    pattern = "\n".join(".*" if line.strip() == LEFT_OUT else re.escape(line) for line in shown)
    return re.fullmatch(pattern, "\n".join(real), re.S) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_of_the_page_runs(
    page: Path, tokenbooks: Run, workdir: Path, demo_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text("utf-8")
    demo = workdir / "data" / "demo"
    shutil.copytree(demo_db.parent, demo)
    monkeypatch.setenv("TOKENBOOKS_DB", str(demo / "tokenbooks.duckdb"))
    samples = ROOT / "data" / "samples"
    if samples.is_dir():
        shutil.copytree(samples, workdir / "data" / "samples")
    failures: list[str] = []
    written = text
    for run_only, block in BLOCK.findall(text):
        fresh: list[str] = []
        for command, shown in steps(block):
            words = shlex.split(command, comments=True)
            fresh.append(f"$ {command}")
            if words[:1] == ["make"]:
                assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text("utf-8"), command
                fresh += shown
                continue
            if words[:1] == ["export"]:
                name, _, value = words[1].partition("=")
                monkeypatch.setenv(name, value)
                continue
            if words[:1] != ["tokenbooks"] or words[1] in UNTIL_STOPPED:
                fresh += shown
                continue
            target = None
            if ">" in words:
                at = words.index(">")
                words, target = words[:at], words[at + 1]
            code, out, err = tokenbooks(*words[1:])
            if target:
                Path(target).write_text(out)
                out = ""
            if code not in (0, 1):
                failures.append(f"{command}: exit {code}: {err}")
            real = tidy(out)
            fresh += real if not run_only else shown
            if not run_only and not matches(tidy("\n".join(shown)), real):
                failures.append(f"{command}: prints\n" + "\n".join(real))
        if not run_only:
            written = written.replace(block, "\n".join(fresh) + "\n")
    if os.environ.get("UPDATE_README"):
        page.write_text(written, "utf-8")
    else:
        assert not failures, "\n\n".join(failures)


def test_the_two_commands_come_first() -> None:
    text = README.read_text("utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("\n## ", 200) + 600


def test_every_link_into_the_repository_exists() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
