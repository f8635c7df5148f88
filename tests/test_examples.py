"""The examples run as a reader would run them, and print what they say they print.

`UPDATE_README=1` writes what they print now.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
PRINTS = "\n# %% It prints\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_prints_what_it_says(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, _, said = example.read_text("utf-8").partition(PRINTS)
    printed = "".join(f"# {line}".rstrip() + "\n" for line in done.stdout.splitlines())
    if os.environ.get("UPDATE_README"):
        example.write_text(code.rstrip("\n") + "\n" + PRINTS + printed, encoding="utf-8")
    else:
        assert said == printed


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
