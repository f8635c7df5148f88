"""A spend budget as people write it in TOML, checked.

    [[budgets]]
    name = "Search, production"
    scope = { team = "search", environment = ["production", "staging"] }
    period = "month"                  # month, quarter, year or custom
    amount = "2500 USD"               # or "1800 EUR" (dated rate), or "40_000_000 tokens"
    warn = ["50 %", "80 %", "P50"]    # of actual spend; P50, P90 of the forecast
    fail = ["100 %", "P90 120 %"]
    notify = [{ url = "env:BUDGET_WEBHOOK", format = "slack" }]

A quarter or a year follows `fiscal_start`, the month the fiscal year begins with; a custom period
has `since` and `until` (exclusive). A threshold is crossed when the figure is *above* it: exactly
on it is within. Misspelt keys are errors that name the nearest one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pricing.json_types import JsonObject

Action = Literal["warn", "fail"]
Period = Literal["month", "quarter", "year", "custom"]


class BudgetError(ValueError):
    """A budget is written wrongly; the message names it, the key and what to write."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of something: `unit` is a currency code, or `tokens`."""

    value: Decimal
    unit: str

    @property
    def in_tokens(self) -> bool:
        """Whether the budget counts tokens rather than money."""
        return self.unit == "tokens"

    def __str__(self) -> str:
        return f"{self.value:,} {self.unit}"


_AMOUNT = re.compile(r"^\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*$")
_THRESHOLD = re.compile(r"^\s*(?:P([0-9]{1,2}))?\s*(?:([0-9]+(?:\.[0-9]+)?)\s*%)?\s*$", re.I)


def parse_amount(text: Any) -> Amount:
    """Read `2500 USD`, `1_800.50 EUR` or `40000000 tokens`. Raises ValueError."""
    if isinstance(text, Amount):
        return text
    found = _AMOUNT.match(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f'{text!r} is no amount; write "2500 USD", "1800 EUR" or "5000000 tokens"')
    value = Decimal(found.group(1).replace("_", "").replace(",", ""))
    unit = found.group(2)
    unit = "tokens" if unit.lower() in ("token", "tokens") else unit.upper()
    if unit != "tokens" and len(unit) != 3:
        raise ValueError(f"{unit!r} is neither a currency code nor tokens")
    if value <= 0:
        raise ValueError("an amount must be above 0")
    if unit == "tokens" and value != value.to_integral_value():
        raise ValueError("a number of tokens must be whole")
    return Amount(value, unit)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A share of the amount, of actual spend (`quantile` None) or of a forecast quantile."""

    share: Fraction
    quantile: int | None = None

    def __str__(self) -> str:
        percent = f"{float(self.share * 100):g} %"
        if self.quantile is None:
            return percent
        return f"P{self.quantile}" + ("" if self.share == 1 else f" {percent}")


def parse_threshold(text: Any) -> Threshold:
    """Read `80 %`, `P90` or `P90 120 %`. Raises ValueError."""
    if isinstance(text, Threshold):
        return text
    found = _THRESHOLD.match(text) if isinstance(text, str) else None
    if not found or found.group(1) is found.group(2) is None:
        raise ValueError(f'{text!r} is no threshold; write "80 %", "P50" or "P90 120 %"')
    share = Fraction(found.group(2) or 100) / 100
    quantile = None if found.group(1) is None else int(found.group(1))
    if share <= 0 or quantile == 0:
        raise ValueError(f"{text!r}: a threshold must be above 0")
    return Threshold(share, quantile)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Target(_Strict):
    """A webhook that is told; `env:NAME` keeps its address out of the file."""

    url: str
    format: Literal["json", "slack", "teams"] = "json"


def _values(raw: Any) -> Any:
    """`team = "search"` means `team = ["search"]`."""
    if isinstance(raw, JsonObject):
        return {k: [v] if isinstance(v, str) else v for k, v in raw.items()}
    return raw


class Budget(_Strict):
    """One budget; see the module for how it is written."""

    name: str = Field(min_length=1)
    amount: Annotated[Amount, BeforeValidator(parse_amount)]
    scope: Annotated[dict[str, list[str]], BeforeValidator(_values)] = {}
    period: Period = "month"
    fiscal_start: int = Field(default=1, ge=1, le=12)
    since: date | None = None
    until: date | None = None
    warn: list[Annotated[Threshold, BeforeValidator(parse_threshold)]] = [
        Threshold(Fraction(1, 2)),
        Threshold(Fraction(4, 5)),
        Threshold(Fraction(1), 50),
    ]
    fail: list[Annotated[Threshold, BeforeValidator(parse_threshold)]] = [Threshold(Fraction(1))]
    notify: list[Target] = []

    @model_validator(mode="after")
    def _custom(self) -> Budget:
        if self.period == "custom":
            if self.since is None or self.until is None or self.since >= self.until:
                raise ValueError("a custom period needs since = and a later until = (exclusive)")
        elif self.since is not None or self.until is not None:
            raise ValueError('since and until belong to period = "custom"')
        return self

    def thresholds(self) -> list[tuple[Action, Threshold]]:
        """All thresholds, the failing ones first, highest first within each."""

        def order(t: Threshold) -> tuple[bool, Fraction]:
            return t.quantile is not None, -t.share

        fails: list[tuple[Action, Threshold]] = [("fail", t) for t in sorted(self.fail, key=order)]
        return fails + [("warn", t) for t in sorted(self.warn, key=order)]


def read_budgets(raw: Sequence[Mapping[str, Any]]) -> list[Budget]:
    """Budgets from the settings' raw list. Raises `BudgetError` listing every mistake."""
    made: list[Budget] = []
    wrong: list[str] = []
    for number, entry in enumerate(raw, 1):
        name = entry.get("name") if isinstance(entry, JsonObject) else None
        where = f"budget {name!r}" if name else f"budgets, entry {number}"
        try:
            made.append(Budget.model_validate(entry))
        except ValidationError as error:
            wrong += [f"{where}: {line}" for line in _explain(error)]
    names = [b.name for b in made]
    wrong += [f"budget {n!r}: the name is used twice" for n in dict.fromkeys(names)
              if names.count(n) > 1]  # fmt: skip
    if wrong:
        raise BudgetError("\n".join(wrong))
    return made


def _explain(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for problem in error.errors():
        path = [str(p) for p in problem["loc"]]
        key = ".".join(path)
        if problem["type"] == "extra_forbidden":
            fields = Target.model_fields if path[0] == "notify" else Budget.model_fields
            near = difflib.get_close_matches(path[-1], fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(fields)})"
            lines.append(f"unknown key {key!r}{hint}")
        elif problem["type"] == "missing":
            lines.append(f"{key} is missing")
        else:
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{key}: {text}" if key else text)
    return lines
