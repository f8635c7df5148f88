"""GitHub: annotations as workflow commands, within the limits beyond which GitHub drops them.

GitHub shows ten errors, ten warnings and ten notices a step and drops the rest without a word, so
the tenth says how many more there are. The step summary (1 MiB) is the Markdown report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budgets.check.outputs.words import headline

PER_LEVEL = 10
SUMMARY_LIMIT = 1024 * 1024


def render(report: Mapping[str, Any]) -> str:
    """Workflow commands, one a line, errors first."""
    errors = [_command("error", p, "not measured") for p in report["unmeasured"]]
    errors += [_command("error", f, "limit") for f in report["findings"] if f["level"] == "fail"]
    warnings = [
        _command("warning", f, "warning") for f in report["findings"] if f["level"] != "fail"
    ]
    lines = _within(errors, "error") + _within(warnings, "warning")
    lines.append(f"::notice title=tokenbooks::{_data(headline(report))}")
    return "\n".join(lines) + "\n"


def fault(message: str) -> str:
    """The annotation of a check that could not begin: its configuration is wrong."""
    return f"::error title=tokenbooks::{_data(message)}"


def _within(lines: list[str], level: str) -> list[str]:
    if len(lines) <= PER_LEVEL:
        return lines
    kept = lines[: PER_LEVEL - 1]
    rest = len(lines) - len(kept)
    return [*kept, f"::{level} title=tokenbooks::{rest} more: see the step summary."]


def _command(level: str, each: Mapping[str, Any], what: str) -> str:
    place = f"file={_property(each['path'])},line={each['line']}," if each["path"] else ""
    title = _property(f"tokenbooks {each['rule']} ({what})")
    return f"::{level} {place}title={title}::{_data(each['message'])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(report: Mapping[str, Any]) -> str:
    """Markdown for the step summary, at most 1 MiB of UTF-8."""
    from budgets.check.outputs import markdown

    # Four bytes a character at most, so a quarter of the limit always fits.
    text = markdown.render(report, limit=SUMMARY_LIMIT)
    if len(text.encode("utf-8")) > SUMMARY_LIMIT:
        text = markdown.render(report, limit=SUMMARY_LIMIT // 4)
    return text
