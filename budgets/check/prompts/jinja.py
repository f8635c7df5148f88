"""Jinja2 files: rendered in the sandbox; what they include is part of their size.

A file that is only included by others is charged to each of them and is no unit of its own (the
engine drops it, by `Unit.includes`). `answer.json.j2` renders to a chat, which is parsed after.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.frontmatter import load_yaml
from budgets.check.prompts.plain import hints
from budgets.check.prompts.templates import (
    Template,
    check_stable,
    format_fields,
    format_names,
)

Render = Callable[[Mapping[str, Any]], str]


def read(path: str, context: Context) -> list[Unit]:
    """One unit a template."""
    source = context.read(path)
    unit = templated(source, path, context, "jinja", path, 1, "jinja")
    stem = path.rsplit(".", 1)[0]
    if stem.endswith((".json", ".yaml", ".yml")):
        from budgets.check.prompts.chat import body_of

        inner = unit.render

        def parsed(values: Mapping[str, Any]) -> Body:
            rendered = inner(values).text
            data = parse(rendered, path, stem.endswith(".json"))
            return body_of(data, path)

        unit.render = parsed
    return [unit]


def parse(rendered: str, path: str, as_json: bool) -> Any:
    """A rendered text as data. Raises :class:`PromptError`."""
    if not as_json:
        return load_yaml(rendered, path)
    try:
        return json.loads(rendered)
    except ValueError as error:
        raise PromptError(
            "unrenderable-template", f"{path}: renders to something that is not JSON: {error}.",
            path=path,
        ) from error  # fmt: skip


def templated(
    source: str, path: str, context: Context, kind: str, ident: str, line: int, how: str = ""
) -> Unit:
    """A unit of a template text; `how` overrides the settings' template language."""
    unit = Unit(ident, path, kind, lambda _values: Body(), line=line, notes=hints(source))
    render, names, includes, static = renderer(
        source, path, context, how or context.template, unit.files
    )
    unit.variables, unit.includes, unit.templated = names, includes, not static
    unit.render = lambda values: Body(text=render(values))
    return unit


def renderer(
    source: str, path: str, context: Context, how: str, files: set[str]
) -> tuple[Render, frozenset[str], frozenset[str], bool]:
    """How a text is filled in: (render, names it uses, files it includes, needs no values).

    Files opened by a render are added to `files`. Jinja is rendered twice and compared.
    """
    if how == "f-string":
        names = format_names(source, path)
        return lambda values: format_fields(source, values, path), names, frozenset(), not names
    if how == "handlebars":
        from budgets.check.prompts.handlebars import Handlebars

        bars = Handlebars(source, path, context)
        return (
            lambda values: bars.text(values, files),
            bars.names,
            bars.includes,
            not bars.names and not bars.includes,
        )
    if "{" not in source:
        return lambda _values: source, frozenset(), frozenset(), True
    engine = context.jinja
    template = engine.source(source, path)
    included, names = _closure(template, context)
    checked = False

    def render(values: Mapping[str, Any]) -> str:
        import copy

        nonlocal checked
        engine.read.clear()
        first = template.render(values)
        if not template.static and not checked:
            # Once a unit is enough: what is random is random at every size.
            check_stable(first, template.render(copy.deepcopy(dict(values))), path)
            checked = True
        # Compiled includes are cached and not read again, so the static ones are named as well.
        files.update(engine.read, included)
        return first

    return render, names, template.includes, template.static


def _closure(template: Template, context: Context) -> tuple[set[str], frozenset[str]]:
    """Files a template includes, directly or not, and the names all of them read.

    The names are empty (unknown) when an include is chosen by a variable.
    """
    found: set[str] = set()
    names = set(template.names)
    dynamic = template.dynamic
    waiting = list(template.includes)
    cache: dict[str, Template] = context.engines.setdefault("includes", {})
    while waiting:
        path = waiting.pop()
        if path in found or not context.tree.exists(path):
            continue
        found.add(path)
        if path not in cache:
            cache[path] = context.jinja.source(context.read(path), path)
        names |= cache[path].names
        dynamic = dynamic or cache[path].dynamic
        waiting += cache[path].includes
    return found, frozenset() if dynamic else frozenset(names)
