"""The numbers of a scenario: plain, a range, "from store"; lengths also as a distribution.

>>> middle(Range(p10=500, p90=2000)), middle(4)
(1000.0, 4.0)

A table's keys say which form was meant, so that what is wrong with it is said of that form alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ingest.traffic.simulation.sobol import geometric_middle

FROM_STORE = "from store"
# The forms' names in pydantic's places; none can be a key of a file.
PLAIN, RANGE, STORED = "<number>", "<range>", "<store>"
QUANTILES, FAMILY, VALUES = "<quantiles>", "<distribution>", "<values>"


class ScenarioError(ValueError):
    """A scenario that cannot be used; one line a problem, each naming its place."""


class Strict(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Range(Strict):
    """An uncertain number: it lies below p10 with 10 % and above p90 with 10 % probability."""

    p10: float = Field(gt=0)
    p90: float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.p90 < self.p10:
            raise ValueError(f"p90 ({self.p90:g}) must not be below p10 ({self.p10:g})")
        return self


class ShareRange(Range):
    """An uncertain share: as a range, and its P90 at most 1; draws beyond 1 count as 1."""

    p10: float = Field(gt=0, le=1)
    p90: float = Field(gt=0, le=1)


class CountRange(Range):
    """An uncertain number of things of which there is at least one."""

    p10: float = Field(ge=1)
    p90: float = Field(ge=1)


class Change(Strict):
    """An uncertain growth: below p10 with 10 % and above p90 with 10 %; -0.1 is a tenth less."""

    p10: float = Field(gt=-1)
    p90: float = Field(gt=-1)

    @model_validator(mode="after")
    def _ordered(self) -> Change:
        if self.p90 < self.p10:
            raise ValueError(f"p90 ({self.p90:g}) must not be below p10 ({self.p10:g})")
        return self


def number_form(value: Any) -> str:
    """Which form of a number is meant."""
    if isinstance(value, Range | Change | Mapping):
        return RANGE
    return STORED if value == FROM_STORE else PLAIN


def length_form(value: Any) -> str:
    """Which form of a length is meant: a table by the first key that only one form has."""
    for model, form, keys in (
        (Empirical, VALUES, {"values"}),
        (Distribution, FAMILY, {"mean", "family", "p95_over_mean"}),
        (Quantiles, QUANTILES, {"p50", "p99"}),
    ):
        if isinstance(value, model) or (isinstance(value, Mapping) and keys & value.keys()):
            return form
    return number_form(value)


NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[
    Annotated[NonNegative, Tag(PLAIN)]
    | Annotated[Range, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]
# A share is sure, uncertain or stored; some numbers must not be zero.
Part = Annotated[
    Annotated[Share, Tag(PLAIN)]
    | Annotated[ShareRange, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]
SomePart = Annotated[
    Annotated[float, Field(gt=0, le=1), Tag(PLAIN)]
    | Annotated[ShareRange, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]
Positive = Annotated[
    Annotated[float, Field(gt=0), Tag(PLAIN)]
    | Annotated[Range, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]
Several = Annotated[
    Annotated[float, Field(ge=1), Tag(PLAIN)]
    | Annotated[CountRange, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]
Growth = Annotated[
    Annotated[float, Field(ge=-0.99), Tag(PLAIN)]
    | Annotated[Change, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)],
    Discriminator(number_form),
]


class Quantiles(Strict):
    """Lengths given by quantiles of single requests; interpolated on a log scale."""

    p10: float = Field(ge=0)
    p50: float = Field(gt=0)
    p90: float = Field(gt=0)
    p99: float | None = Field(default=None, gt=0)
    scale: Number = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Quantiles:
        values = [self.p10, self.p50, self.p90, *([self.p99] if self.p99 else [])]
        if values != sorted(values):
            raise ValueError("quantiles must not decrease")
        return self


class Distribution(Strict):
    """Lengths of a family given by mean and 95 % quantile (never fitted on logs)."""

    family: Literal["gamma", "lognormal", "weibull", "fixed"] = "gamma"
    mean: Number
    p95_over_mean: float = Field(default=2.5, gt=1)


class Empirical(Strict):
    """Lengths as observed; `scale` multiplies them."""

    values: list[NonNegative] = Field(min_length=1)
    scale: Number = 1.0


Length = Annotated[
    Annotated[NonNegative, Tag(PLAIN)]
    | Annotated[Range, Tag(RANGE)]
    | Annotated[Literal["from store"], Tag(STORED)]
    | Annotated[Quantiles, Tag(QUANTILES)]
    | Annotated[Distribution, Tag(FAMILY)]
    | Annotated[Empirical, Tag(VALUES)],
    Discriminator(length_form),
]


def middle(value: Number | Growth) -> float:
    """The central value of a number: itself, or the middle of its range.

    >>> round(middle(Change(p10=-0.1, p90=0.2)), 4)   # sqrt(0.9 x 1.2) - 1
    0.0392
    """
    if isinstance(value, Change):
        return ((1 + value.p10) * (1 + value.p90)) ** 0.5 - 1
    if isinstance(value, str):
        raise ScenarioError("a number is still 'from store'; fill it in from a store first")
    return geometric_middle(value.p10, value.p90) if isinstance(value, Range) else float(value)


def numbers_of(shape: list[float] | str | None) -> list[float] | None:
    """A shape's numbers; ScenarioError while they are to come from the store."""
    if isinstance(shape, str):
        raise ScenarioError("a shape is still 'from store'; fill it in from a store first")
    return shape


def highest(value: float | Range | str) -> float:
    """The value, or the P90 of its range; 0 while it is to come from the store."""
    if isinstance(value, str):
        return 0.0
    return value.p90 if isinstance(value, Range) else float(value)


def is_range(value: object) -> bool:
    """Whether a number is given as its P10 and P90."""
    return isinstance(value, Range | Change)
