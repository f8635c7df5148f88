"""A package's public names, imported when they are first asked for.

A package says in its `__init__` where each name lives; `tokenbooks --help` and `tokenbooks check`
then pay for no module they do not use:

    __getattr__ = public(__name__, {"price_call": "pricing.estimator"})

>>> find = public("pricing", {"usd": "pricing.money"})
>>> find("usd")(1_750_000)
Decimal('0.000001750000')
>>> find("nothing")
Traceback (most recent call last):
AttributeError: module 'pricing' has no attribute 'nothing'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def public(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: `homes` maps each public name to the module that defines it,
    in full or from the package on (`.estimator`).

    The function raises AttributeError for every other name, as an attribute lookup must.
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home, package), name)

    return find
