"""Single values of exported tables: objects written as JSON or Python text, amounts, durations.

>>> json_object('{"a": 1}'), json_object({"a": 1}), json_object("a"), json_list('["x"]')
({'a': 1}, {'a': 1}, {}, ['x'])
>>> json_object("{'a': None}"), json_list("['x']")
({'a': None}, ['x'])
>>> amount("9e-06"), amount(-1), amount("free"), milliseconds("850.4"), milliseconds("")
(Decimal('0.000009'), None, None, 850, None)
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pricing.json_types import JsonList, JsonObject

_LONGEST = 1e12
_LONGEST_REPR = 100_000


def json_object(value: Any) -> Mapping[str, Any]:
    """An object, or the one a JSON text holds; empty for anything else."""
    found = _parsed(value, "{")
    return found if isinstance(found, JsonObject) else {}


def json_list(value: Any) -> list[Any]:
    """A list, or the one a JSON text holds; empty for anything else."""
    found = _parsed(value, "[")
    return found if isinstance(found, JsonList) else []


def _parsed(value: Any, opening: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip()[:1] != opening:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    # What pandas makes of a column of objects when it writes CSV.
    if len(value) > _LONGEST_REPR or "'" not in value:
        return None
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def amount(value: Any) -> Decimal | None:
    """An amount of money in the unit it stands in, exactly as written; None for anything that is
    no finite amount of zero or more."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    if not isinstance(value, int | float | str | Decimal):
        return None
    try:
        # The shortest text that means a JSON float is what the source wrote.
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and found >= 0 else None


def milliseconds(value: Any) -> int | None:
    """A duration in milliseconds, as a number or as text; None where it is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return round(found) if 0 <= found < _LONGEST else None
