"""Cold start: commands in fresh processes, beside an interpreter that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import Row, interleaved

USAGE = '{"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}'


def rows() -> list[Row]:
    """One row a command: its time over that of an empty program."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as made:
        prompt = Path(made) / "prompt.md"
        prompt.write_text("You answer in one line.\n" * 50)
        environment = {**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1"}
        # An installed package is compiled; so is the checkout, once each command has run.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def command(*arguments: str, given: str = "") -> Callable[[], object]:
            def run() -> object:
                return subprocess.run(
                    [sys.executable, *arguments],
                    input=given, text=True, capture_output=True, cwd=made, env=environment,
                    check=True,
                )  # fmt: skip

            return run

        main = ("-m", "tokenbooks")
        price = ("price", "-", "--provider", "openai", "--model", "gpt-5.2")
        tasks = {
            "python -c pass": command("-c", "pass"),
            "import typer, rich": command("-c", "import typer, rich.console"),
            "tokenbooks --help": command(*main, "--help"),
            "tokenbooks price": command(*main, *price, given=USAGE),
            "tokenbooks count": command(*main, "count", str(prompt), "--model", "gpt-5.2"),
            "tokenbooks check": command(*main, "check", str(prompt), "--model", "gpt-5.2"),
        }
        ready: dict[str, Callable[[], object]] = {}
        for name, task in tasks.items():
            try:
                task()
            except subprocess.CalledProcessError as error:
                said = (error.stderr or "").strip().splitlines()
                print(f"{name}: left out ({said[-1] if said else error})", file=sys.stderr)
            else:
                ready[name] = task
        times = interleaved(ready, rounds=5)
    return [
        Row(
            "startup", f"{name} / python -c pass", times.ratio(name, "python -c pass"),
            f"{times.median(name) * 1e3:.0f} ms",
        )
        for name in ready
        if name != "python -c pass"
    ]  # fmt: skip
