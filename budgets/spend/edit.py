"""Adding a budget to a settings file without touching anything else in it.

    text = as_toml({"name": "Search", "amount": "2500 USD", "scope": {"team": ["search"]}})
    append(Path("tokenbooks.toml"), text)

TOML lets another `[[budgets]]` table stand at the end of a file, so a budget is added by appending:
comments, order and spelling of the rest stay as they were. Before the file is replaced (a draft
and one rename) the new text is parsed, and must be the old settings plus exactly that budget.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from budgets.spend.model import BudgetError, read_budgets
from pricing.json_types import JsonObject, JsonSequence

_IN_PROJECT = "pyproject.toml"


def as_toml(budget: Mapping[str, Any]) -> str:
    """A budget as a `[[budgets]]` table; empty values are left out. Raises `BudgetError`."""
    held = {k: v for k, v in budget.items() if v not in (None, "", [], {})}
    read_budgets([held])
    lines = [f"{name} = {_value(value)}" for name, value in held.items()]
    return "\n".join(["[[budgets]]", *lines]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool | int | date):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, JsonObject):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, JsonSequence) and not isinstance(value, str):
        return f"[{', '.join(_value(v) for v in value)}]"
    # A JSON string is a TOML string, but for the one control sign that JSON lets pass.
    return _text(str(value))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _text(name)


def append(path: Path, text: str) -> None:
    """Add a budget's table to a settings file, made if it is not there.

    Raises `BudgetError` when a budget of that name exists, or when the file cannot take it.
    """
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        before = tomllib.loads(old)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BudgetError(f"{path} cannot be read: {error}") from error
    if path.name == _IN_PROJECT:
        text = text.replace("[[budgets]]", "[[tool.tokenbooks.budgets]]", 1)
    new = (
        f"{old}{'' if not old or old.endswith(chr(10)) else chr(10)}{chr(10) if old else ''}{text}"
    )
    (added,) = _budgets(path, tomllib.loads(text))
    try:
        after = tomllib.loads(new)
    except tomllib.TOMLDecodeError as error:
        raise BudgetError(
            f"{path}: budgets are written there in another way ({error}); add this one by hand"
        ) from error
    held = _budgets(path, before)
    if _budgets(path, after) != [*held, added] or _without(path, after) != _without(path, before):
        raise BudgetError(f"{path}: adding to its end would change something else; do it by hand")
    read_budgets([*held, added])
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(new, "utf-8")
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BudgetError(f"{path} cannot be written: {error.strerror or error}") from error


def _section(path: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data.get("tool", {}).get("tokenbooks", {}) if path.name == _IN_PROJECT else data


def _budgets(path: Path, data: Mapping[str, Any]) -> list[Any]:
    return list(_section(path, data).get("budgets", []))


def _without(path: Path, data: Mapping[str, Any]) -> str:
    """Everything but the budgets, comparable; an empty table counts as none."""

    def strip(value: Any, depth: int) -> Any:
        if not isinstance(value, JsonObject):
            return value
        names = ("tool", "tokenbooks") if path.name == _IN_PROJECT else ()
        kept: dict[str, Any] = {}
        for k, v in value.items():
            on_way = depth < len(names) and k == names[depth]
            if depth == len(names) and k == "budgets":
                continue
            inner = strip(v, depth + 1) if on_way else v
            if not (on_way and inner == {}):
                kept[k] = inner
        return kept

    return repr(strip(data, 0))
