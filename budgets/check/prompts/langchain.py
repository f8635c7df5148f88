"""LangChain prompt files: `_type` prompt, few_shot or chat, f-string or Jinja.

A few-shot prompt is prefix + every example + suffix; examples, templates and example prompts may
lie in other files (`examples: shots.json`, `template_path: body.txt`), beside the file or from the
root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.frontmatter import load_yaml
from budgets.check.prompts.jinja import Render, renderer
from pricing.json_types import JsonList, JsonObject


class _Reader:
    def __init__(self, path: str, context: Context, unit: Unit) -> None:
        self.path = path
        self.context = context
        self.unit = unit
        self.names: set[str] = set()

    def text(self, data: Mapping[str, Any], key: str) -> str:
        """A text given in place or by `<key>_path`."""
        if isinstance(data.get(f"{key}_path"), str):
            return self.file(data[f"{key}_path"])
        value = data.get(key, "")
        if not isinstance(value, str):
            raise PromptError("unknown-shape", f"{self.path}: {key} is not a text.", path=self.path)
        return value

    def file(self, name: str) -> str:
        where = self.context.locate(name, self.path)
        self.unit.files.add(where)
        return self.context.read(where)

    def load(self, name: str) -> Any:
        source = self.file(name)
        if not name.endswith(".json"):
            return load_yaml(source, name)
        try:
            return json.loads(source)
        except ValueError as error:
            raise PromptError("unreadable-file", f"{name}: {error}.", path=name) from error

    def render(self, template: str, data: Mapping[str, Any], known: set[str]) -> Render:
        how = {"jinja2": "jinja", "mustache": "handlebars"}.get(
            str(data.get("template_format", "f-string")), "f-string"
        )
        render, names, _, _ = renderer(template, self.path, self.context, how, self.unit.files)
        self.names |= names - known
        return render

    def prompt(self, data: Any) -> Render:
        """A `prompt`, whose partial variables are part of it."""
        if isinstance(data, str):
            data = self.load(data)
        if not isinstance(data, JsonObject):
            raise PromptError("unknown-shape", f"{self.path}: no prompt.", path=self.path)
        if data.get("_type") == "few_shot":
            return self.few_shot(data)
        partial: Mapping[str, Any] = data.get("partial_variables") or {}
        render = self.render(self.text(data, "template"), data, set(partial))
        return lambda values: render({**values, **partial})

    def few_shot(self, data: Mapping[str, Any]) -> Render:
        examples = data.get("examples", [])
        if isinstance(examples, str):
            examples = self.load(examples)
        if not isinstance(examples, JsonList):
            raise PromptError("unknown-shape", f"{self.path}: examples is no list.", path=self.path)
        inner = data.get("example_prompt") or data.get("example_prompt_path")
        if isinstance(inner, str):
            inner = self.load(inner)
        if not isinstance(inner, JsonObject):
            raise PromptError(
                "unknown-shape", f"{self.path}: few_shot needs an example_prompt.", path=self.path
            )
        keys = {str(key) for each in examples if isinstance(each, JsonObject) for key in each}
        one = self.render(self.text(inner, "template"), inner, keys)
        prefix = self.render(self.text(data, "prefix"), data, set())
        suffix = self.render(self.text(data, "suffix"), data, set())
        glue = str(data.get("example_separator", "\n\n"))

        def render(values: Mapping[str, Any]) -> str:
            shots = [one({**values, **each}) for each in examples]
            return glue.join(p for p in (prefix(values), *shots, suffix(values)) if p)

        return render


def read(data: Mapping[str, Any], path: str, context: Context) -> list[Unit]:
    """One unit. Raises :class:`PromptError` for another `_type`."""
    unit = Unit(path, path, "langchain", lambda _values: Body())
    reader = _Reader(path, context, unit)
    kind = data.get("_type")
    if kind in ("prompt", "few_shot"):
        render = reader.prompt(data)
        unit.render = lambda values: Body(text=render(values))
    elif kind == "chat":
        parts = [_message(each, reader, path) for each in data.get("messages") or ()]
        if not parts:
            raise PromptError("unknown-shape", f"{path}: a chat without messages.", path=path)
        unit.render = lambda values: Body(
            messages=tuple((role, render(values)) for role, render in parts)
        )
    else:
        raise PromptError(
            "unknown-shape", f"{path}: _type {kind!r} is not prompt, few_shot or chat.", path=path
        )
    unit.variables = frozenset(reader.names)
    unit.templated = bool(unit.variables)
    return [unit]


_ROLES = {
    "human": "user",
    "ai": "assistant",
    "humanmessageprompttemplate": "user",
    "systemmessageprompttemplate": "system",
    "aimessageprompttemplate": "assistant",
}


def _message(data: Any, reader: _Reader, path: str) -> tuple[str, Render]:
    if not isinstance(data, JsonObject):
        raise PromptError("unknown-shape", f"{path}: a message is no mapping.", path=path)
    role = str(data.get("role") or data.get("_type") or data.get("type") or "user").lower()
    inner = data.get("prompt", data)
    if isinstance(inner, JsonObject) and "template" not in inner and "template_path" not in inner:
        inner = {**inner, "template": inner.get("content", "")}
    return _ROLES.get(role, role), reader.prompt(inner)
