"""What is wrong with a scenario file, in words for the person who wrote it.

workload chat: output.tokens.p90: must be greater than 0, got -3
workload chat: turns: unknown key 'turns'; it belongs in [workloads.structure]
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ingest.traffic.scenarios.numbers import (
    FAMILY,
    FROM_STORE,
    PLAIN,
    QUANTILES,
    STORED,
    VALUES,
    Distribution,
    Empirical,
    Quantiles,
    Range,
    length_form,
)
from pricing.json_types import JsonList, JsonObject

_A_NUMBER = 'must be a number of zero or more, a range { p10 = ..., p90 = ... } or "from store"'
_A_LENGTH = (
    "must be a number of zero or more, a range { p10 = ..., p90 = ... }, quantiles { p10 = ..., "
    'p50 = ..., p90 = ... }, a distribution { mean = ... }, { values = [...] } or "from store"'
)
_PLAINER = (
    ("input should be", "must be"),
    ("input should", "must"),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("a valid integer, got a number with a fractional part", "a whole number"),
    ("a valid ", "a "),
    (", unable to parse string as a number", ""),
    (", unable to interpret input", ": true or false"),
)


def explained(error: ValidationError, data: Mapping[str, Any], top: type[BaseModel]) -> list[str]:
    """One line a place: what is wrong there and, for an unknown name, the nearest valid one."""
    lines: dict[str, str] = {}
    for found in error.errors():
        # What stands in brackets is pydantic's name of a form, not a key of the file.
        path = [p for p in found["loc"] if isinstance(p, int) or not set("[<(") & set(p)]
        lines.setdefault(_place(path, data), _words(found, path, data, top))
    return [f"{place}: {words}" if place else words for place, words in lines.items()]


def _place(path: list[Any], data: Mapping[str, Any]) -> str:
    """The place as one would say it: workloads by name, tables by their keys."""
    head, rest = "", path
    if len(path) > 1 and path[0] == "workloads" and isinstance(path[1], int):
        load = data["workloads"][path[1]]
        name = load.get("name") if isinstance(load, JsonObject) else None
        head, rest = f"workload {name if isinstance(name, str) else path[1] + 1}", path[2:]
    inner = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in rest).lstrip(".")
    return ": ".join(part for part in (head, inner) if part)


def _words(error: Any, path: list[Any], data: Mapping[str, Any], top: type[BaseModel]) -> str:
    kind, given = error["type"], error["input"]
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]), _model_at(path[:-1], data, top), top)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return message
    if error["loc"][-1] in (PLAIN, STORED) and not isinstance(given, int | float):
        field = _field_at(path, data, top)
        long = field is not None and FAMILY in repr(field.annotation) + repr(field.metadata)
        return f"{_A_LENGTH if long else _A_NUMBER}, got {given!r}"
    if _is_uncertain(given):
        return f"is a setting: it takes one value, not {_form(given)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"must be a table, got {given!r}"
    if kind in ("too_short", "too_long"):
        bounds = error["ctx"]
        wanted = bounds.get("min_length", bounds.get("max_length"))
        return f"must have {wanted} entries, not {bounds['actual_length']}"
    if kind.startswith("date"):
        return f"must be a day such as 2026-12-01, got {given!r}"
    message = message[0].lower() + message[1:]
    for theirs, ours in _PLAINER:
        message = message.replace(theirs, ours)
    near = difflib.get_close_matches(given, _choices(message), 1) if isinstance(given, str) else []
    if isinstance(given, JsonObject | JsonList):
        return message
    return f"{message}, got {given!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _is_uncertain(given: Any) -> bool:
    """Whether a range or "from store" was given."""
    if isinstance(given, Mapping):
        return bool({"p10", "p90"} & given.keys())
    return given == FROM_STORE


def _form(given: Any) -> str:
    return "a range" if isinstance(given, Mapping) else f'"{FROM_STORE}"'


def _choices(message: str) -> list[str]:
    """The values a message lists: 'low', 'medium' or 'high'."""
    return message.split("'")[1::2]


def _unknown(key: str, here: type[BaseModel] | None, top: type[BaseModel]) -> str:
    said = f"unknown key {key!r}"
    near = difflib.get_close_matches(key, list(here.model_fields) if here else [], 1)
    homes = _tables(top)
    if near and key not in homes:
        return f"{said}; did you mean {near[0]!r}?"
    found = difflib.get_close_matches(key, list(homes), 1, cutoff=0.75)
    if found:
        belongs = "it" if found[0] == key else repr(found[0])
        return f"{said}; {belongs} belongs {homes[found[0]]}"
    if here is None:
        return said
    return f"{said}; there are {', '.join(here.model_fields)}"


def _tables(top: type[BaseModel]) -> dict[str, str]:
    """Every key of a scenario and the table it belongs to."""
    homes: dict[str, str] = {}

    def walk(model: type[BaseModel], name: str) -> None:
        for key in model.model_fields:
            homes.setdefault(key, name)
        for key, field in model.model_fields.items():
            inner = _model_in(field.annotation)
            if inner is not None and key != "routing":
                walk(inner, f"in [{'[workloads]' if key == 'workloads' else _below(name, key)}]")

    walk(top, "at the top of the file")
    return homes


def _below(name: str, key: str) -> str:
    return f"workloads.{key}" if name == "in [[workloads]]" else key


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The table behind an annotation: itself, or in a list, a dict or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [m for a in get_args(annotation) if (m := _model_in(a)) is not None]
    return found[0] if len(found) == 1 else None


def _field_at(path: list[Any], data: Mapping[str, Any], top: type[BaseModel]) -> FieldInfo | None:
    model = _model_at(path[:-1], data, top)
    return None if model is None else model.model_fields.get(str(path[-1]))


def _model_at(
    path: list[Any], data: Mapping[str, Any], top: type[BaseModel]
) -> type[BaseModel] | None:
    """The table that a place of the file is, as far as the schema knows it."""
    model: type[BaseModel] | None = top
    value: Any = data
    for part in path:
        value = value[part]
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(part)
        if field is None:
            continue  # a name of one's own, as the variants under limits
        model = _model_in(field.annotation) or _form_of(field, value)
    return model


def _form_of(field: FieldInfo, value: Any) -> type[BaseModel] | None:
    """Which form a number's table has."""
    if not isinstance(value, JsonObject):
        return None
    forms = {FAMILY: Distribution, QUANTILES: Quantiles, VALUES: Empirical}
    return forms.get(length_form(value), Range)
