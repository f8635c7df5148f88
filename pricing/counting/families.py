"""Which encoding, rules and constants belong to a model: an explicit table, never a guess.

Example: ``family_of("gpt-4o-2024-08-06")`` strips the date and finds ``gpt-4o`` in ``openai.toml``;
``family_of("gpt-4o-maxi")`` raises :class:`pricing.counting.UnknownModelError`. A fine-tuned model
(``ft:gpt-4o-mini-2024-07-18:org::id``) counts like its base, and ``openai/``, ``azure/`` and
``openrouter/openai/`` before a name are gateways' ways of naming the same model.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from pricing.counting.result import UnknownModelError

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")
_GATEWAYS = ("openrouter/", "openai/", "azure/", "openai.")


@dataclass(frozen=True)
class Family:
    """One row of the table: who shares an encoding and rules. ``rules`` None: text only."""

    name: str
    encoding: str
    rules: str | None
    image: str | None
    keeps_reasoning: bool = False  # may bill reasoning from before the last user message
    assumed: bool = False  # encoding and rules are those of a relative, nothing is recorded


@dataclass(frozen=True)
class Rules:
    """The constants of a rule set at one endpoint; units are tokens (see ``openai.toml``)."""

    message: int
    opening: int
    assistant: int
    roles: bool
    name_joined: bool
    tools_joined: bool
    tools_frame: int
    tools: int
    tools_bare: int
    tools_line: int
    preamble: int
    forced: int
    call: int
    result_named: bool
    commentary: int
    added_tools: int
    parallel: str
    parallel_once: int
    parallel_call: int
    stored_call: int
    schema_frame: int
    schema_forced: int
    hidden: int
    required_forces: bool
    no_parallel: int
    pro: int
    item_comments: bool
    multi_tool: int
    seen: Mapping[str, int]
    found: str


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """The parsed ``openai.toml``."""
    text = (resources.files("pricing.counting") / "openai.toml").read_text("utf-8")
    return tomllib.loads(text)


@lru_cache(maxsize=1)
def vendor_table() -> Mapping[str, Any]:
    """The parsed ``vendors.toml``."""
    text = (resources.files("pricing.counting") / "vendors.toml").read_text("utf-8")
    return tomllib.loads(text)


def vendor_images() -> Mapping[str, Any]:
    """The image rules of other vendors."""
    return vendor_table()["image"]


@lru_cache(maxsize=1)
def _by_model() -> Mapping[str, Family]:
    models: dict[str, Family] = {}
    for name, row in table()["family"].items():
        own = {k: v for k, v in row.items() if k not in ("models", "rules", "image")}
        family = Family(name, rules=row.get("rules"), image=row.get("image"), **own)
        models.update(dict.fromkeys(row["models"], family))
    return models


def openai_family(model: str) -> Family | None:
    """The family of an OpenAI model name, or None when the name is not in the table."""
    name = model.strip().lower()
    for gateway in _GATEWAYS:
        name = name.removeprefix(gateway)
    if name.startswith("ft:"):
        name = name.split(":")[1]
    known = _by_model()
    # The dated name may itself be listed (gpt-4-0125-preview); otherwise the date is dropped once.
    return known.get(name) or known.get(_DATE.sub("", name))


def through_gateway(model: str) -> bool:
    """True for a name as gateways write it (``openai/gpt-5``): who asks the model is not known."""
    return model.strip().lower().startswith(_GATEWAYS)


def family_of(model: str | None) -> Family:
    """The family of an OpenAI model. Raises :class:`UnknownModelError` for any other name."""
    family = openai_family(model) if model else None
    if family is None:
        raise UnknownModelError(model)
    return family


@lru_cache(maxsize=64)
def rules_of(rules: str, endpoint: str, at: date | None = None) -> Rules:
    """The constants of a rule set at ``"chat.completions"`` or ``"responses"``.

    ``at``: the day of the request, UTC; before the date of the endpoint's ``until`` the constants
    of its ``before`` table hold. None means today's.
    """
    merged = dict(_merged(rules, endpoint))
    before, until = merged.pop("before", {}), merged.pop("until", None)
    if at is not None and until is not None and at < until:
        merged |= before
    return Rules(**merged)


def _merged(rules: str, endpoint: str) -> Mapping[str, Any]:
    """A rule set over the one it is ``like``; each endpoint's own numbers over the default's."""
    sets = table()["rules"][rules]
    own: Mapping[str, Any] = sets.get("responses", {}) if endpoint == "responses" else {}
    base: Mapping[str, Any] = _merged(sets["like"], endpoint) if "like" in sets else {}
    return {**base, **sets.get("default", {}), **own}
