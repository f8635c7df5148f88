"""A project in a temporary git repository, and a price table that never changes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from budgets.check import CheckOptions, CheckResult, run
from budgets.check.options import StoreTraffic
from pricing.cards import parse_card
from pricing.catalogue import Catalogue

AT = datetime(2026, 6, 1)
# Fixed dates: the commits of a test have the same names on every machine.
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

_HEAD = """
schema = 1
seller = "{seller}"
kind = "maker"
recorded = 2026-01-02
[sources.list]
url = "https://{seller}.example/prices"
checked = 2026-01-01
"""
OPENAI = (
    _HEAD.format(seller="openai")
    + """
[[variant]]
id = "gpt-4o"
context = 10000
max_output = 1000
[[variant.price]]
from = 2025-01-01
source = "list"
input = "2"
cache_read = "1"
output = "10"
[[variant]]
id = "gpt-4o-mini"
[[variant.price]]
from = 2025-01-01
source = "list"
input = "0.2"
cache_read = "0.1"
output = "1"
"""
)
ANTHROPIC = (
    _HEAD.format(seller="anthropic")
    + """
[[variant]]
id = "claude-sonnet-4-5"
context = 200000
max_output = 64000
[[variant.price]]
from = 2025-01-01
source = "list"
input = "3"
cache_read = "0.3"
cache_write_5m = "3.75"
output = "15"
"""
)


def catalogue() -> Catalogue:
    cards = [parse_card(OPENAI, "openai.toml"), parse_card(ANTHROPIC, "anthropic.toml")]
    return Catalogue(cards, packaged=False)


def words(tokens: int) -> str:
    """A text of exactly that many tokens in o200k_base and cl100k_base."""
    return " ".join(["word"] * tokens)


class Project:
    """Files in a folder; a git repository once :meth:`commit` is called."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: str | bytes | list[Any] | dict[str, Any]) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, str):
            file.write_bytes(content.encode())
        else:
            file.write_text(json.dumps(content))
        return file

    def config(self, text: str, model: str = "gpt-4o") -> None:
        self.write("tokenbooks.toml", f'[check]\nmodel = "{model}"\n{text}')

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.email=a@example.org", "-c", "user.name=A", *arguments],
            cwd=self.root, capture_output=True, text=True, check=True, env=ENVIRONMENT,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, message: str = "change") -> str:
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str = "pr") -> None:
        self.git("checkout", "-q", "-b", name)

    def check(
        self,
        *paths: str,
        base: str | None = None,
        models: Sequence[str] = (),
        store: StoreTraffic | None = None,
        allow_unmeasured: bool = False,
        exit_zero: bool = False,
        cwd: Path | None = None,
    ) -> CheckResult:
        return run(
            CheckOptions(
                paths=paths, base=base, models=tuple(models), cwd=cwd or self.root, store=store,
                allow_unmeasured=allow_unmeasured, exit_zero=exit_zero, catalogue=catalogue(),
                at=AT,
            )
        )  # fmt: skip


def rules(result: CheckResult) -> list[str]:
    return [f["rule"] for f in result.report["findings"]]


def gaps(result: CheckResult) -> list[str]:
    return [p["rule"] for p in result.report["unmeasured"]]


def prompt(result: CheckResult, ident: str) -> dict[str, Any]:
    (found,) = [p for p in result.report["prompts"] if p["id"] == ident]
    return found


def head(result: CheckResult, ident: str, model: str = "gpt-4o") -> dict[str, Any]:
    (row,) = [r for r in prompt(result, ident)["models"] if r["model"] == model]
    return row["head"]


def size(result: CheckResult, ident: str, model: str = "gpt-4o") -> int:
    return head(result, ident, model)["tokens"]["expected"]
