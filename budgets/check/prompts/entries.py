"""Files of many templates: a path into the file names each one.

Example: `entries = ["agent.templates.system_template", "tasks.*.description"]` gives one unit a
text found, `config.yaml::agent.templates.system_template` and so on; each has traffic of its own,
because a system prompt is sent once and a next-step prompt on every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts import chat
from budgets.check.prompts.base import Context, Unit
from budgets.check.prompts.plain import unit as plain_unit
from pricing.json_types import JsonList, JsonObject


def read(data: Any, source: str, path: str, context: Context) -> list[Unit]:
    """One unit for every text, chat or tool list that the entries lead to."""
    units: list[Unit] = []
    for entry in context.entries or ("*",):
        found = list(_walk(data, entry.split("."), ""))
        if not found:
            raise PromptError("nothing-matched", f"{path} has no entry {entry!r}.", path=path)
        for name, value in found:
            units.append(_unit(value, name, source, path, context))
    return units


def _walk(data: Any, parts: list[str], at: str) -> Iterator[tuple[str, Any]]:
    if not parts:
        yield at, data
        return
    head, rest = parts[0], parts[1:]
    pairs: list[tuple[str, Any]] = []
    if isinstance(data, JsonObject):
        pairs = [(str(k), v) for k, v in data.items() if head in ("*", str(k))]
    elif isinstance(data, JsonList):
        pairs = [(str(i), v) for i, v in enumerate(data) if head in ("*", str(i))]
    for key, value in pairs:
        yield from _walk(value, rest, f"{at}.{key}" if at else key)


def _unit(value: Any, name: str, source: str, path: str, context: Context) -> Unit:
    line = _line(source, name)
    ident = f"{path}::{name}"
    if isinstance(value, str):
        chosen = context
        if context.template == "auto" and ("{{" in value or "{%" in value):
            chosen = replace(context, template="jinja")
        unit = plain_unit(value, path, chosen, "entries", name=name, line=line)
        return unit
    found = chat.part(value, path, context, ident, line)
    if found is not None:
        return found
    raise PromptError(
        "unknown-shape", f"{path}: entry {name!r} is a {type(value).__name__}, not a prompt.",
        path=path, line=line,
    )  # fmt: skip


def _line(source: str, name: str) -> int:
    """The line where an entry starts: each key in turn, from where the one before was found."""
    lines = source.splitlines()
    at = 0
    for key in name.split("."):
        for number in range(at, len(lines)):
            word = lines[number].strip().lstrip("- ")
            if word.startswith((f"{key}:", f'"{key}":', f"'{key}':")):
                at = number
                break
    return at + 1
