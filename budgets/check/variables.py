"""What stands in the place of a variable when a template is rendered.

A declared size becomes a filler of that many tokens: "the the the" is three tokens in every
vocabulary here. To find the prefix that stays the same between calls the template is rendered again
with other values of the same size ("of of of"); what differs then differs between calls.

Example: ``fill(Variable(tokens=3), "expected")`` is ``"the the the"``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, Literal

from budgets.check.config import Variable
from budgets.check.errors import PromptError
from budgets.check.tree import Tree, text
from pricing.json_types import JsonList, JsonObject, JsonTuple

Level = Literal["low", "expected", "high"]
_WORDS = ("the", "of")


def filler(tokens: int, other: bool = False) -> str:
    """A text of exactly `tokens` tokens (when it stands alone or after a space or line end)."""
    return " ".join([_WORDS[other]] * tokens)


def fill(variable: Variable, level: Level, tree: Tree | None = None, other: bool = False) -> Any:
    """The value of a declared variable at one end of its interval.

    `other` gives a different value of the same size, unless the variable is fixed.
    """
    other = other and not variable.fixed
    if variable.tokens is not None:
        one = filler(variable.tokens.at(level), other)
        return one if variable.items is None else [one] * variable.items.at(level)
    if variable.sample is not None:
        if tree is None:
            raise PromptError("missing-reference", f"{variable.sample} cannot be read here.")
        value = sample(tree, variable.sample)
    else:
        value = copy.deepcopy(variable.value)
    return varied(value) if other else value


def sample(tree: Tree, path: str) -> Any:
    """A sample file: JSON and YAML as their data, anything else as text."""
    raw = text(tree, path)
    try:
        if path.endswith(".json"):
            return json.loads(raw)
        if path.endswith((".yaml", ".yml")):
            import yaml

            return yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except ValueError as error:
        raise PromptError("unreadable-file", f"{path}: {error}", path=path) from error
    except Exception as error:  # yaml.YAMLError is no ValueError, and yaml is imported late
        raise PromptError("unreadable-file", f"{path}: {error}", path=path) from error
    return raw


def varied(value: Any) -> Any:
    """The same structure with other texts in it; truth values and numbers steer, so they stay."""
    if isinstance(value, str):
        return filler(max(1, len(value) // 4), True) if value else value
    if isinstance(value, JsonObject):
        return {key: varied(each) for key, each in value.items()}
    if isinstance(value, JsonList | JsonTuple):
        return [varied(each) for each in value]
    return value


def values(
    declared: Mapping[str, Variable], defaults: Mapping[str, Any], level: Level, tree: Tree,
    other: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """All variables of a render: declared ones first, else the file's own samples."""
    made = {
        name: varied(value) if other else copy.deepcopy(value) for name, value in defaults.items()
    }
    made.update({name: fill(each, level, tree, other) for name, each in declared.items()})
    return made
