"""Outputs, each a function from the report (plain JSON) to text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

FORMATS = ("table", "json", "markdown", "html", "github", "gitlab", "junit", "sarif")


def render(report: Mapping[str, Any], name: str) -> str:
    """The report in one of :data:`FORMATS`, ending in a line end. KeyError for another name."""
    if name == "json":
        return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if name not in FORMATS:
        raise KeyError(name)
    made: Callable[[Mapping[str, Any]], str] = import_module(f"{__name__}.{name}").render
    return made(report)
