"""Write docs/commands.md and the manual page docs/tokenbooks.1 from the commands themselves, the
table of formats in the README from the readers, and the constants in docs/counting.md from the
counting tables: `python docs/make_reference.py`. Read the second with `man -l docs/tokenbooks.1`.

A test holds all four equal to what this makes, so the reference cannot drift from the program.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PAGE = Path(__file__).with_name("commands.md")
MANUAL = Path(__file__).with_name("tokenbooks.1")
README = Path(__file__).resolve().parent.parent / "README.md"
FORMATS = re.compile(
    r"(?<=<!-- formats: python docs/make_reference.py -->\n).*?(?=<!-- end -->)", re.S
)
"""The part of the README that is made here."""
COUNTING = Path(__file__).with_name("counting.md")
CONSTANTS = re.compile(
    r"(?<=<!-- constants: python docs/make_reference.py -->\n).*?(?=<!-- end -->)", re.S
)
"""The tables of docs/counting.md that are made here."""

_HEAD = """# Commands

Made from the program by `python docs/make_reference.py`; do not edit by hand.

Exit codes: 0 fine, 1 a finding, 2 usage or configuration error, 3 could not read or could not
measure. Shell completion: `tokenbooks --install-completion`.
"""


def _type(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.metavar:
        return parameter.metavar
    return parameter.display_type(None).strip("<>").replace("str", "TEXT")


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
    lines = [f"### {name}", "", text, "", "```", usage, "```", ""]
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


def commands(name: str) -> list[tuple[str, Any]]:
    """A command of the manual as (name, command) pairs: itself, and what a group holds."""
    import typer.main

    from tokenbooks.cli import app

    root: Any = typer.main.get_command(app)
    command = root.get_command(None, name)
    found = [(f"{name} {inner}", made) for inner, made in getattr(command, "commands", {}).items()]
    if not found or command.invoke_without_command:
        found.append((name, command))
    return [(said, made) for said, made in found if not made.hidden]


def reference() -> str:
    """The page's text."""
    from tokenbooks.cli import manual

    lines = [_HEAD]
    for chapter, entries in manual.CHAPTERS.items():
        lines += [f"## {chapter}", ""]
        for entry in entries:
            for name, command in commands(entry.name):
                lines += _section(name, command)
            examples = [f"$ tokenbooks {example}" for example in entry.examples]
            lines += ["For example:", "", "```", *examples, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _roff(text: str) -> str:
    """Text with what roff takes for its own made literal."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    plain = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in plain)
    return "\\&" + plain if plain.startswith((".", "'")) else plain


def manual_page() -> str:
    """The manual page, section 1, in man macros."""
    from tokenbooks.cli import manual

    lines = ['.TH TOKENBOOKS 1 "" tokenbooks "User commands"', ".SH NAME"]
    lines += [r"tokenbooks \- keep the books on LLM tokens", ".SH SYNOPSIS", ".B tokenbooks"]
    lines += [r"COMMAND [OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION", _roff(_ABOUT)]
    for chapter, entries in manual.CHAPTERS.items():
        lines.append(f".SH {chapter.upper()}")
        for entry in entries:
            for name, command in commands(entry.name):
                lines += [f".SS tokenbooks {_roff(name)}", _roff(command.help or entry.does)]
                for option in command.params:
                    if option.param_type_name != "option" or option.name == "help":
                        continue
                    names = ", ".join([*option.opts, *option.secondary_opts])
                    lines += [".TP", f".B {_roff(f'{names} {_type(option)}')}"]
                    lines.append(_roff((option.help or "") + _default(option)) or r"\&")
            lines += [".PP", "Examples:", ".nf"]
            lines += [f"  {_roff('tokenbooks ' + example)}" for example in entry.examples]
            lines.append(".fi")
    for heading, entries in _ENDS.items():
        lines.append(f".SH {heading}")
        for word, meaning in entries.items():
            lines += [".TP", f".B {_roff(word)}", _roff(meaning)]
    return "\n".join(lines) + "\n"


_ABOUT = """A dated pricing table for each model variant prices logged or simulated traffic; DuckDB
keeps the usage records; reports, dashboards, budgets, forecasts and a CI check are queries over the
two. An unknown model is unpriced, never free; money is whole pico-dollars."""
_ENDS = {
    "EXIT STATUS": {
        "0": "Fine.",
        "1": "A finding: a limit exceeded, rejects under --strict.",
        "2": "Usage or configuration error.",
        "3": "Could not read or could not measure.",
    },
    "ENVIRONMENT": {
        "TOKENBOOKS_DB": "The database file.",
        "TOKENBOOKS_TOKEN": "The bearer token of a service that others than this machine reach.",
        "TOKENBOOKS_CACHE_DIR": "Where vocabularies are unpacked.",
        "NO_COLOR": "Print no colours.",
        "COLUMNS": "The width of tables where the output is no terminal.",
    },
    "FILES": {
        "tokenbooks.toml": "Settings; [tool.tokenbooks] in pyproject.toml does as well.",
        "*.duckdb": "The store; beside it inbox/ for batches that wait and snapshots/ for readers.",
    },
}


def formats() -> str:
    """The table of log formats: every reader, and every API that the reader of bodies knows."""
    from ingest.readers import all_readers, body_modules

    lines = ["| format | what it reads | known by |", "| --- | --- | --- |"]
    for reader in all_readers().values():
        known = _cell(reader.recognised_by)
        lines.append(f"| `{reader.name}` | {_cell(reader.title)} | {known} |")
        if reader.name != "bodies":
            continue
        for module in body_modules():
            about = (module.__doc__ or "").strip().split("\n\n")[0].split("\n")[0]
            streams = "body, stream" if hasattr(module, "STREAM") else "body"
            lines.append(f"| · `{module.BODY.name}` | {_cell(about)} | its keys in the {streams} |")
    return "\n".join(["", *lines, "", ""])


def constants() -> str:
    """What requests cost beyond their text, a rule set and endpoint at a time, and how found."""
    from pricing.counting.families import table, vendor_table

    families: dict[str, list[str]] = {}
    for name, row in table()["family"].items():
        if "rules" in row:
            families.setdefault(row["rules"], []).append(name)
    lines = ["### OpenAI", ""]
    for rules, sets in table()["rules"].items():
        for part, endpoint in (("default", "Chat Completions"), ("responses", "Responses")):
            if part not in sets:
                continue
            own = {k: v for k, v in sets[part].items() if k not in ("found", "seen")}
            like = sets.get("like") if part == "default" else "default"
            base = f"As `{like}`, but: " if like else ""
            numbers = ", ".join(f"`{k}` {_value(v)}" for k, v in own.items())
            seen = ", ".join(f"{k} {n:,}" for k, n in sets[part].get("seen", {}).items())
            lines += [
                f"**{rules}, {endpoint}** ({', '.join(families[rules])}). {base}{numbers}.",
                "", f"*How found.* {' '.join(sets[part]['found'].split())}",
                "", f"*Recordings.* {seen}.", "",
            ]  # fmt: skip
    lines += ["### Images", "", "| rule | numbers | how found |", "| --- | --- | --- |"]
    for rules in (table()["image"], vendor_table()["image"]):
        for name, row in rules.items():
            numbers = ", ".join(f"{k} {_value(v)}" for k, v in row.items() if k != "found")
            lines.append(f"| {name} | {_cell(numbers)} | {_cell(row['found'])} |")
    lines += [
        "",
        "### Other vendors",
        "",
        "| family | numbers | how found |",
        "| --- | --- | --- |",
    ]
    for name, row in vendor_table()["vendor"].items():
        own = {k: v for k, v in row.items() if k not in ("found", "models") and v}
        numbers = ", ".join(f"{k} {_value(v)}" for k, v in own.items())
        lines.append(f"| {name} | {_cell(numbers)} | {_cell(row['found'])} |")
    return "\n".join(["", *lines, "", ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_value(v)}" for k, v in value.items()) + ")"
    return "yes" if value is True else "no" if value is False else str(value)


if __name__ == "__main__":
    made = CONSTANTS.sub(lambda _: constants(), COUNTING.read_text("utf-8"))
    COUNTING.write_text(made, encoding="utf-8")
    PAGE.write_text(reference(), encoding="utf-8")
    MANUAL.write_text(manual_page(), encoding="utf-8")
    README.write_text(FORMATS.sub(lambda _: formats(), README.read_text("utf-8")), encoding="utf-8")
    print(f"{PAGE.name}: {len(reference().splitlines())} lines")
