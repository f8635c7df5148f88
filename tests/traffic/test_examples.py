"""The worked examples in the docstrings hold."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

import ingest.traffic
import pricing.caching

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (ingest.traffic, pricing.caching)
    for module in iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(import_module(name))
    assert result.failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(import_module(n)).attempted for n in MODULES) > 15
