"""`tokenbooks init`: find the prompts, write `[check]` with today's numbers as limits plus room.

Each prompt gets a limit of its own (today's tokens plus the room, rounded up to 50), so that growth
anywhere shows; the section's limits hold for prompts that come later.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from budgets.check.config import FILE
from budgets.check.engine import run
from budgets.check.errors import CheckConfigError
from budgets.check.options import CheckOptions


def section(
    folder: Path, paths: tuple[str, ...], models: tuple[str, ...], room: int
) -> tuple[str, dict[str, Any]]:
    """The configuration as text, and the report it is made from."""
    if not models:
        raise CheckConfigError("init needs a model: tokenbooks init --model gpt-5.2")
    # A configuration further up is another project's: its paths would not be this folder's.
    report = run(CheckOptions(paths=paths, models=models, cwd=folder, isolated=True)).report
    lines = [
        "[check]",
        f"models = {json.dumps(list(models))}",
        *([f"include = {json.dumps(list(paths))}"] if paths else []),
        "",
        "# Limits for every prompt that has none of its own below.",
        "[check.limits]",
        "max_increase_percent = 10",
        "min_tokens_increase = 50",
        "",
        "# Without calls_per_month costs are shown per 1,000 calls.",
        "[check.traffic]",
        "# calls_per_month = 100000",
        "# output_tokens = [100, 200, 800]    # low, expected, high",
    ]
    lines += _undefined(report)
    for prompt in report["prompts"]:
        sizes = [row["head"]["tokens"]["expected"] for row in prompt["models"] if row["head"]]
        if sizes:
            lines += [
                "",
                "[[check.overrides]]",
                f"prompt = {json.dumps(_plain(prompt['id']), ensure_ascii=False)}",
                f"max_tokens = {limit(max(sizes), room)}    # today {max(sizes)}",
            ]
    return "\n".join(lines) + "\n", report


def limit(tokens: int, room: int) -> int:
    """Today's tokens plus `room` percent, rounded up to 50. Example: limit(1000, 20) is 1200."""
    whole = -(-tokens * (100 + room) // 100)
    return -(-whole // 50) * 50


def _plain(ident: str) -> str:
    """An id as a glob that fits only itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in ident)


_NAME = re.compile(r"'([^']+)'(?=[^.]* undefined)")


def _undefined(report: dict[str, Any]) -> list[str]:
    """A line for each variable nobody declared: where it is used, and how to declare it."""
    users: dict[str, list[str]] = {}
    for problem in report["unmeasured"]:
        if problem["rule"] == "undefined-variable":
            for name in _NAME.findall(problem["message"]):
                users.setdefault(name, []).append(problem["prompt"] or problem["path"])
    if not users:
        return []
    lines = ["# Variables of templates, in tokens (low, expected, high); state these:"]
    for name, places in sorted(users.items()):
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        lines.append(f"# variables.{name} = [10, 50, 200]    # {places[0]}{more}")
    return lines


def write(folder: Path, text: str) -> Path:
    """Append the section to `tokenbooks.toml` in `folder`. Refuses to overwrite one."""
    path = folder / FILE
    before = ""
    if path.exists():
        before = path.read_text("utf-8")
        try:
            data = tomllib.loads(before)
        except tomllib.TOMLDecodeError as error:
            raise CheckConfigError(f"{path}: not valid TOML: {error}") from error
        if "check" in data:
            raise CheckConfigError(f"{path} already has a [check] section; --stdout prints one.")
        before = before.rstrip("\n") + "\n\n"
    path.write_text(before + text, encoding="utf-8")
    return path
