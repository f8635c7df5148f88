"""Split YAML front matter from a body, remembering where the body starts.

Example: ``split("---\\nname: a\\n---\\nHello")`` has ``text == "name: a\\n"``, body ``"Hello"``,
line 4. Comment lines before the front matter (a licence, in Dotprompt files) are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budgets.check.errors import PromptError
from pricing.json_types import JsonDict

_FRONT = re.compile(
    r"\A(?P<before>(?:[ \t]*(?:#[^\n]*)?\r?\n)*)---[ \t]*\r?\n(?P<text>.*?)^---[ \t]*(?:\r?\n|\Z)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Front:
    """Front matter as text (empty when there is none), the body, and the body's first line."""

    text: str
    body: str
    line: int
    before: str = ""

    def data(self, path: str) -> dict[str, Any]:
        """The front matter parsed. Raises :class:`PromptError` when it is not a mapping."""
        found: Mapping[str, Any] = load_yaml(self.text, path) if self.text.strip() else {}
        if not isinstance(found, JsonDict):
            raise PromptError(
                "unreadable-file", f"{path}: the front matter is not a mapping.", path=path
            )
        return found


def split(source: str) -> Front:
    """Front matter and body of a text; without front matter the whole text is the body."""
    match = _FRONT.match(source)
    if match is None:
        return Front("", source, 1)
    line = source[: match.end()].count("\n") + 1
    return Front(match["text"], source[match.end() :], line, match["before"])


def load_yaml(source: str, path: str) -> Any:
    """Parse YAML safely, with libyaml where it is installed. Errors name the line."""
    import yaml

    try:
        return yaml.load(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or str(error)
        raise PromptError(
            "unreadable-file", f"{path}:{line}: not valid YAML: {what}.", path=path, line=line
        ) from error
