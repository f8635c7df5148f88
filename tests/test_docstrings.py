"""The worked examples in the modules' docstrings print what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.test_architecture import ORDER, ROOT, modules

# A page's script runs inside the service and has no examples.
PAGES = ROOT / "dashboards" / "app"
EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ORDER
    for path in modules(package)
    if ">>> " in path.read_text("utf-8") and path.parent != PAGES / "views"
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_print_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert result.attempted > 0
    assert result.failed == 0
