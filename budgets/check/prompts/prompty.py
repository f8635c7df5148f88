"""Prompty: YAML front matter (not sent) and a Jinja body cut into messages by role lines.

Samples in the front matter (`sample:` inline or `${file:sample.json}`, `inputs.x.default`) fill the
variables unless the configuration declares them. `system:` alone on a line starts a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts import tools
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.chat import output_cap
from budgets.check.prompts.frontmatter import split
from budgets.check.prompts.jinja import renderer
from budgets.check.prompts.plain import hints
from pricing.json_types import JsonObject

_ROLE = re.compile(
    r"^[ \t]*#?[ \t]*(system|user|assistant|developer|tool)(?:\[[^\]]*\])?[ \t]*:[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_FILE = re.compile(r"^\$\{file:(.+)\}$")


def read(path: str, context: Context) -> list[Unit]:
    """One unit."""
    source = context.read(path)
    front = split(source)
    data = front.data(path)
    unit = Unit(path, path, "prompty", lambda _values: Body(), line=front.line, notes=hints(source))
    unit.model, parameters = _model(data)
    unit.max_output = output_cap(parameters)
    unit.defaults = _defaults(data, path, context, unit)
    given = _resolve(parameters.get("tools"), path, context, unit)
    defined = tools.tools_of(given) if given else None
    if given and defined is None:
        raise PromptError("unknown-shape", f"{path}: its tools are no tool list.", path=path)
    how = "handlebars" if _format(data) in ("handlebars", "mustache") else "jinja"
    render, unit.variables, unit.includes, static = renderer(
        front.body, path, context, how, unit.files
    )
    unit.templated = not static
    unit.render = lambda values: _body(render(values), tuple(defined or ()))
    return [unit]


def _format(data: Mapping[str, Any]) -> str:
    template = data.get("template")
    if isinstance(template, JsonObject):
        inner = template.get("format")
        template = (
            inner.get("kind") if isinstance(inner, JsonObject) else inner or template.get("type")
        )
    return str(template or "jinja2")


def _body(rendered: str, defined: tuple[Mapping[str, Any], ...]) -> Body:
    pieces = _ROLE.split(rendered)
    messages: list[tuple[str, str]] = []
    if pieces[0].strip():
        messages.append(("system", pieces[0].strip()))
    for role, content in zip(pieces[1::2], pieces[2::2], strict=True):
        messages.append((role.lower(), content.strip()))
    return Body(messages=tuple(messages), tools=defined)


def _model(data: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The model a file names, and its parameters, in the old layout and the new one."""
    model = data.get("model")
    if isinstance(model, str):
        return model, {}
    if not isinstance(model, JsonObject):
        return None, {}
    config = model.get("configuration")
    name = model.get("id")
    if isinstance(config, JsonObject):
        # A deployment's name is chosen by its owner; only a plain model name is believed.
        name = name or config.get("model") or config.get("name")
    name = name if isinstance(name, str) and not name.startswith("${") else None
    parameters = model.get("parameters") or model.get("options")
    return name, parameters if isinstance(parameters, JsonObject) else {}


def _defaults(data: Mapping[str, Any], path: str, context: Context, unit: Unit) -> dict[str, Any]:
    found: dict[str, Any] = {}
    inputs = data.get("inputs")
    for name, value in inputs.items() if isinstance(inputs, JsonObject) else ():
        if isinstance(value, JsonObject):
            for key in ("default", "sample", "example"):
                if value.get(key) is not None:
                    found[str(name)] = _resolve(value[key], path, context, unit)
    sample = _resolve(data.get("sample"), path, context, unit)
    if isinstance(sample, JsonObject):
        found |= {str(name): _resolve(value, path, context, unit) for name, value in sample.items()}
    return found


def _resolve(value: Any, path: str, context: Context, unit: Unit) -> Any:
    """`${file:x.json}` and a bare `x.json` are files beside the prompt."""
    if not isinstance(value, str):
        return value
    match = _FILE.match(value)
    name = match[1] if match else value
    if not match and not re.fullmatch(r"[\w./-]+\.(json|ya?ml)", value):
        return value
    where = context.locate(name, path)
    unit.files.add(where)
    source = context.read(where)
    if not name.endswith(".json"):
        return source
    try:
        return json.loads(source)
    except ValueError as error:
        raise PromptError("unreadable-file", f"{where}: {error}.", path=where) from error
