"""JSON, JSON Lines and YAML files: what they hold decides what kind of prompt they are.

Example: a mapping with `_type` is LangChain, one with `prompts` and `providers` promptfoo, a list
of roles and contents a chat. What fits nothing is named, never counted as if it were text.
"""

from __future__ import annotations

import json
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts import chat, tools
from budgets.check.prompts.base import Body, Context, Unit, constant
from budgets.check.prompts.frontmatter import load_yaml
from pricing.json_types import JsonList, JsonObject


def read(path: str, context: Context, kind: str = "structured") -> list[Unit]:
    """The units of the file. Raises :class:`PromptError` unknown-shape when it fits no kind."""
    source = context.read(path)
    as_json = path.endswith((".json", ".jsonl"))
    try:
        data = _load(source, path)
    except PromptError:
        if path.endswith(".jsonl") or not ("{{" in source or "{%" in source):
            raise
        return chat.read_text(source, path, context, as_json)
    if kind == "entries" or context.entries:
        from budgets.check.prompts import entries

        return entries.read(data, source, path, context)
    return _by_shape(data, path, context, kind)


def _load(source: str, path: str) -> Any:
    if path.endswith(".jsonl"):
        rows: list[Any] = []
        for number, line in enumerate(source.splitlines(), start=1):
            if line.strip():
                rows.append(_json(line, path, number))
        return rows
    return _json(source, path, 0) if path.endswith(".json") else load_yaml(source, path)


def _json(source: str, path: str, line: int) -> Any:
    try:
        return json.loads(source)
    except ValueError as error:
        where = line or getattr(error, "lineno", 1)
        raise PromptError(
            "unreadable-file", f"{path}:{where}: not valid JSON: {error}.", path=path, line=where
        ) from error
    except RecursionError as error:
        raise PromptError("unreadable-file", f"{path}: nested too deeply.", path=path) from error


def _by_shape(data: Any, path: str, context: Context, kind: str) -> list[Unit]:
    if kind in ("structured", "langchain") and isinstance(data, JsonObject) and "_type" in data:
        from budgets.check.prompts import langchain

        return langchain.read(data, path, context)
    if kind in ("structured", "promptfoo") and isinstance(data, JsonObject) and "prompts" in data:
        from budgets.check.prompts import promptfoo

        return promptfoo.read(data, path, context)
    if kind in ("structured", "tools"):
        found = tools.tools_of(data)
        if found:
            note = f"{len(found)} tool{'s' * (len(found) != 1)}"
            body = Body(tools=tuple(found))
            return [Unit(path, path, "tools", constant(body), notes=[note])]
    if kind in ("structured", "chat", "request"):
        if chat.is_messages(data) or chat.is_request(data):
            return [chat.read(data, path, context)]
        if isinstance(data, JsonList) and data and all(chat.is_request(each) for each in data):
            return [
                chat.read(each, path, context, f"{path}::{place}")
                for place, each in enumerate(data, start=1)
            ]
        found_template = _semantic_kernel(data, path, context)
        if found_template is not None:
            return [found_template]
    wanted = "no known prompt" if kind == "structured" else f"no {kind}"
    raise PromptError(
        "unknown-shape", f"{path} holds {wanted}. For a file of several templates give entries in "
        "[[check.prompts]].", path=path,
    )  # fmt: skip


def _semantic_kernel(data: Any, path: str, context: Context) -> Unit | None:
    """Semantic Kernel's YAML: a `template` with a `template_format` and `input_variables`."""
    if not isinstance(data, JsonObject) or not isinstance(data.get("template"), str):
        return None
    how = {"handlebars": "handlebars", "jinja2": "jinja"}.get(str(data.get("template_format")))
    if how is None:
        return None
    from budgets.check.prompts.jinja import templated

    unit = templated(data["template"], path, context, "text", path, 1, how)
    inputs = data.get("input_variables")
    unit.defaults = {
        str(each["name"]): each["default"]
        for each in (inputs if isinstance(inputs, JsonList) else ())
        if isinstance(each, JsonObject) and "name" in each and each.get("default") is not None
    }
    return unit
