"""Dotprompt (`.prompt`): front matter (not sent) and a Handlebars body with roles and media.

`{{role "system"}}` starts a message, `{{media url=x}}` is an image or file whose size the traffic
section must state, `{{history}}` is where earlier turns go (counted by the traffic's turns). A file
`_name.prompt` is a partial, charged to those that include it. A licence comment may come first, and
Picoschema is not always YAML: when the front matter cannot be parsed, its schema is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.chat import output_cap
from budgets.check.prompts.frontmatter import split
from budgets.check.prompts.handlebars import Handlebars, Mark
from budgets.check.prompts.plain import hints
from pricing.json_types import JsonObject

_SCHEMA = re.compile(r"^([ \t]*)schema:.*\n(?:(?:\1[ \t]+.*|[ \t]*)\n)*", re.MULTILINE)


def read(path: str, context: Context) -> list[Unit]:
    """One unit."""
    source = context.read(path)
    front = split(source)
    try:
        data = front.data(path)
    except PromptError:
        data = type(front)(_SCHEMA.sub("", front.text), "", 1).data(path)
    unit = Unit(
        path, path, "dotprompt", lambda _values: Body(), line=front.line, notes=hints(source)
    )
    unit.model = _model(data)
    config = data.get("config")
    unit.max_output = output_cap(config) if isinstance(config, JsonObject) else None
    inputs = data.get("input")
    default = inputs.get("default") if isinstance(inputs, JsonObject) else None
    unit.defaults = default if isinstance(default, JsonObject) else {}
    bars = Handlebars(front.body, path, context)
    unit.variables, unit.includes = bars.names, bars.includes
    unit.templated = bool(bars.names)
    unit.files |= bars.files
    if data.get("tools"):
        unit.notes.append("its tools are defined in code and not counted here")
    unit.render = lambda values: _body(bars, values)
    return [unit]


def _model(data: Mapping[str, Any]) -> str | None:
    name = data.get("model")
    # googleai/gemini-2.5-pro: the plugin that calls it, then the model.
    return name.split("/")[-1] if isinstance(name, str) else None


def _body(bars: Handlebars, values: Mapping[str, Any]) -> Body:
    messages: list[tuple[str, str]] = []
    role, parts, media, roles = "user", list[str](), 0, False

    def close() -> None:
        text = "".join(parts).strip()
        if text:
            messages.append((role, text))
        parts.clear()

    for piece in bars.pieces(values):
        if isinstance(piece, str):
            parts.append(piece)
        elif isinstance(piece, Mark) and piece.kind == "role":
            close()
            role, roles = {"model": "assistant"}.get(piece.value, piece.value), True
        elif piece.kind == "media":
            media += 1
    close()
    if not roles:
        return Body(text="\n".join(text for _, text in messages), media=media)
    return Body(messages=tuple(messages), media=media)
