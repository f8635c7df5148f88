"""Write docs/commands.md from the commands themselves: `python docs/make_reference.py`.

A test holds the page equal to what this makes, so the reference cannot drift from the program.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PAGE = Path(__file__).with_name("commands.md")

_HEAD = """# Commands

Made from the program by `python docs/make_reference.py`; do not edit by hand.

Exit codes: 0 fine, 1 a finding, 2 usage or configuration error, 3 could not read or could not
measure. Shell completion: `tokenbooks --install-completion`.
"""


def _type(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    name = kind.__name__ if isinstance(kind, type) else "text"
    return parameter.metavar or {"str": "TEXT", "int": "INTEGER"}.get(name, name.upper())


def _default(parameter: Any) -> str:
    value = parameter.default
    if value is None or value is False or value == "" or callable(value) or parameter.required:
        return ""
    if value is True:
        return " Default: on."
    if isinstance(value, list | tuple):
        return f" Default: `{' '.join(map(str, value))}`." if value else ""
    if type(value).__name__ == "Sentinel" or "UNSET" in repr(value):
        return ""
    return f" Default: `{getattr(value, 'value', value)}`."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _section(name: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    shown = []
    for argument in arguments:
        word = (argument.metavar or argument.name or "").upper().strip("[]") or "ARGUMENT"
        word += "…" if argument.nargs == -1 else ""
        shown.append(word if argument.required else f"[{word}]")
    usage = " ".join(["tokenbooks", name, *shown, *(["[OPTIONS]"] if options else [])])
    text = "\n".join(line.strip() for line in (command.help or "").strip().splitlines())
    lines = [f"## {name}", "", text, "", "```", usage, "```", ""]
    rows = [(w, p) for w, p in zip(shown, arguments, strict=True) if getattr(p, "help", None)]
    if rows or options:
        lines += ["| option | meaning |", "| --- | --- |"]
    lines += [f"| `{word}` | {_cell(p.help)} |" for word, p in rows]
    for option in options:
        if option.name in ("help", "install_completion", "show_completion") or option.hidden:
            continue
        names = ", ".join([*option.opts, *option.secondary_opts])
        said = f"{names} {_type(option)}".strip().replace("|", "\\|")
        lines.append(f"| `{said}` | {_cell((option.help or '') + _default(option))} |")
    if rows or options:
        lines.append("")
    return lines


def reference() -> str:
    """The page's text."""
    import typer.main

    from tokenbooks.cli import app

    root: Any = typer.main.get_command(app)
    found: list[tuple[str, Any]] = []
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            found += [(f"{name} {inner}", made) for inner, made in command.commands.items()]
            if not command.commands or command.invoke_without_command:
                found.append((name, command))
        else:
            found.append((name, command))
    lines = [_HEAD]
    for name, command in found:
        if not command.hidden:
            lines += _section(name, command)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(f"{PAGE.name}: {len(reference().splitlines())} lines")
