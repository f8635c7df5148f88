"""Read any prompt file into units: one module a kind, one shape for all (:class:`Unit`).

The kind is told by the file's name, else by what it holds. Example: `tools.json` with a list of
`{"name", "inputSchema"}` is kind `tools`; the same name with a list of `{"role", "content"}` is
`chat`. Code (`.py`, `.js`, `exec:`) is never run: Python constants are read from the syntax tree.
"""

from __future__ import annotations

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit, constant

__all__ = ["Body", "Context", "Unit", "constant", "kind_of", "read"]

_CONTEXT = {
    "AGENTS.md", "AGENT.md", "CLAUDE.md", "GEMINI.md", ".cursorrules", ".windsurfrules",
    ".clinerules", "copilot-instructions.md",
}  # fmt: skip
_CODE = {".py", ".js", ".ts", ".mjs", ".cjs", ".rb", ".sh"}


def kind_of(path: str) -> str:
    """The kind a file's name says; ``"structured"`` when what it holds must decide."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    suffix = (dot + ending).lower() if stem else ""
    if name == "SKILL.md":
        return "skill"
    if name in _CONTEXT or suffix == ".mdc" or name.endswith(".instructions.md"):
        return "context"
    if suffix in _CODE:
        return "code"
    return _KINDS.get(suffix, "text")


_KINDS = {
    ".prompty": "prompty",
    ".prompt": "dotprompt",
    ".j2": "jinja",
    ".jinja": "jinja",
    ".jinja2": "jinja",
    ".json": "structured",
    ".jsonl": "structured",
    ".yaml": "structured",
    ".yml": "structured",
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
}


def read(path: str, context: Context, kind: str = "auto", name: str = "") -> list[Unit]:
    """The units of a file. `name` is a Python constant (`module.py::NAME`).

    Raises :class:`PromptError`: unreadable-file, unknown-shape, not-executed, unrenderable-template
    and their kin.
    """
    if kind == "auto":
        kind = "entries" if context.entries else kind_of(path)
    if name or kind == "python":
        from budgets.check.prompts import python

        return python.read(path, context, name)
    if kind == "code":
        raise PromptError(
            "not-executed", f"{path} is code, which is not executed: name a constant in it, "
            f"{path}::NAME.", path=path,
        )  # fmt: skip
    if kind in ("text", "markdown", "context"):
        from budgets.check.prompts import plain

        return plain.read(path, context, kind)
    if kind == "skill":
        from budgets.check.prompts import skill

        return skill.read(path, context)
    if kind == "jinja":
        from budgets.check.prompts import jinja

        return jinja.read(path, context)
    if kind == "prompty":
        from budgets.check.prompts import prompty

        return prompty.read(path, context)
    if kind == "dotprompt":
        from budgets.check.prompts import dotprompt

        return dotprompt.read(path, context)
    from budgets.check.prompts import structured

    return structured.read(path, context, kind)
