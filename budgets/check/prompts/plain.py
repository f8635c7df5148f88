"""Text, Markdown and always-loaded context files: what is in the file is what is sent.

Example: `AGENTS.md` is one unit loaded with every call of an agent. A `.mdc` rule's front matter
steers the editor and is not sent. Text that looks like a template is counted as it stands with a
note, unless the configuration says how it is filled in (`template = "jinja"`).
"""

from __future__ import annotations

import re

from budgets.check.prompts.base import Body, Context, Unit, constant
from budgets.check.prompts.frontmatter import split

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_EMBEDDED = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]{200,}")


def read(path: str, context: Context, kind: str) -> list[Unit]:
    """One unit, or a template's unit when the settings say that the text is one."""
    source = context.read(path)
    return [unit(source, path, context, kind)]


def unit(
    source: str, path: str, context: Context, kind: str, *, name: str = "", line: int = 1
) -> Unit:
    """A unit of a text that may be a template (`context.template`). `name` ends its id."""
    ident = f"{path}::{name}" if name else path
    if context.template in ("jinja", "f-string", "handlebars"):
        from budgets.check.prompts import jinja

        return jinja.templated(source, path, context, kind, ident, line)
    notes = hints(source)
    load = "always" if kind == "context" else "call"
    if path.endswith(".mdc"):
        front = split(source)
        source, line = front.body, front.line
    if context.template == "auto" and _HOLE.search(source):
        notes.append(
            "looks like a template but is counted as it stands: state template in [[check.prompts]]"
        )
    return Unit(ident, path, kind, constant(Body(text=source)), line=line, load=load, notes=notes)


def hints(source: str) -> list[str]:
    """What a reader should know about the text: line ends, escapes, embedded images."""
    notes = [] if source.strip() else ["is empty"]
    if "\r\n" in source:
        notes.append("has CRLF line ends, counted as they stand")
    if source.count("\\u") > 50:
        notes.append("has many \\u escapes: the same text unescaped is far shorter")
    if _EMBEDDED.search(source):
        notes.append("holds a base64 image, counted as text")
    return notes
