"""promptfoo configurations: inline prompts, files, and scripts (which are never executed).

A text file holds several prompts between `---` lines; a `.json` file is a chat; variables come from
the first test (or `defaultTest`). `.py`, `.js`, `exec:` and remote prompts are named as not
measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from budgets.check.discovery import is_glob, matches
from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.jinja import templated
from budgets.check.tree import beside
from pricing.json_types import JsonList, JsonObject

_REMOTE = re.compile(r"^(langfuse|helicone|portkey|https?|exec|package|git)(://|:)")
_FILE = re.compile(r"^[\w./*@-]+\.(txt|md|json|ya?ml|j2|jinja2?|py|js|mjs|ts|csv|sh)(:\w+)?$")
_CODE = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".sh")


def read(data: Mapping[str, Any], path: str, context: Context) -> list[Unit]:
    """Units of every prompt, in order; what cannot be measured is a unit that says so."""
    prompts = data.get("prompts")
    given = prompts if isinstance(prompts, JsonList) else [prompts]
    defaults = _variables(data)
    units: list[Unit] = []
    for place, each in enumerate(given):
        name = f"prompts[{place}]"
        if isinstance(each, JsonObject):
            text = each.get("raw") or each.get("path") or each.get("id")
        else:
            text = each
        if not isinstance(text, str):
            units.append(_refused(path, name, "unknown-shape", f"{path}: {name} is no text."))
            continue
        units += _one(text, name, path, context)
    for unit in units:
        unit.defaults = {**defaults, **unit.defaults}
    return units


def _variables(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    default = data.get("defaultTest")
    tests = data.get("tests")
    first = tests[0] if isinstance(tests, JsonList) and tests else None
    for test in (default, first):
        if isinstance(test, JsonObject) and isinstance(test.get("vars"), JsonObject):
            found |= {str(k): v for k, v in test["vars"].items()}
    # file:// values are loaded by promptfoo; here they are unknown until declared.
    return {k: v for k, v in found.items() if not str(v).startswith("file://")}


def _refused(path: str, name: str, rule: str, message: str) -> Unit:
    def refuse(_values: Mapping[str, Any]) -> Body:
        raise PromptError(rule, message, path=path)

    return Unit(f"{path}::{name}", path, "promptfoo", refuse)


def _one(text: str, name: str, path: str, context: Context) -> list[Unit]:
    local = text.removeprefix("file://")
    if _REMOTE.match(text):
        return [
            _refused(path, name, "not-executed", f"{path}: {name} ({text[:60]}) is fetched or run.")
        ]
    if local == text and not _FILE.match(text):
        inline = replace(context, template="jinja")
        return [templated(text, path, inline, "promptfoo", f"{path}::{name}", 1)]
    plain = re.sub(r":\w+$", "", local)
    if plain.endswith(_CODE):
        return [
            _refused(
                path, name, "not-executed", f"{path}: {name} is the script {local}, which is not "
                "executed.",
            )
        ]  # fmt: skip
    where = beside(path, plain)
    files = [where]
    if is_glob(plain):
        files = [p for p in context.tree.paths() if matches(p, where)]
    if not files or not context.tree.exists(files[0]):
        return [_refused(path, name, "missing-reference", f"{path}: {name}: no file {where}.")]
    return [unit for file in files for unit in _guard(lambda f=file: _file(f, context), path, name)]


def _guard(make: Callable[[], list[Unit]], path: str, name: str) -> list[Unit]:
    try:
        return make()
    except PromptError as error:
        return [_refused(error.path or path, name, error.rule, error.message)]


def _file(path: str, context: Context) -> list[Unit]:
    if path.endswith(_CODE):
        raise PromptError("not-executed", f"{path} is code, which is not executed.", path=path)
    if path.endswith((".json", ".yaml", ".yml", ".j2", ".jinja", ".jinja2", ".csv")):
        if path.endswith(".csv"):
            return _csv(path, context)
        from budgets.check.prompts import read as read_any

        return read_any(path, context)
    source = context.read(path)
    pieces = re.split(r"^---[ \t]*\r?$\n?", source, flags=re.MULTILINE)
    kept = [(i, p) for i, p in enumerate(pieces) if p.strip()]
    as_jinja = replace(context, template="jinja")
    units: list[Unit] = []
    for number, (_, piece) in enumerate(kept, start=1):
        ident = path if len(kept) == 1 else f"{path}::{number}"
        line = source[: source.index(piece)].count("\n") + 1
        units.append(templated(piece.strip(), path, as_jinja, "promptfoo", ident, line))
    return units


def _csv(path: str, context: Context) -> list[Unit]:
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(context.read(path))))
    if not rows or "prompt" not in rows[0]:
        raise PromptError("unknown-shape", f"{path} has no column prompt.", path=path)
    as_jinja = replace(context, template="jinja")
    return [
        templated(row["prompt"], path, as_jinja, "promptfoo", f"{path}::{number}", number + 1)
        for number, row in enumerate(rows, start=1)
    ]
