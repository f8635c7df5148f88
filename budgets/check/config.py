"""The `[check]` section: what is measured, for which models, at which traffic, under which limits.

It lives in `tokenbooks.toml` (`[check]`) or `pyproject.toml` (`[tool.tokenbooks.check]`), found
from the working directory upward; paths in it are relative to the file. Every key that does not
exist is an error with the nearest name that does: a limit that is misspelt would pass for ever.

    [check]
    models = ["gpt-5.2", "claude-sonnet-4-5"]
    include = ["prompts/**"]

    [check.limits]
    max_tokens = 4000
    max_increase_percent = 10
    min_tokens_increase = 50

    [check.traffic]
    calls_per_month = 300000
    output_tokens = [80, 150, 600]        # low, expected, high
    variables.question = 40               # tokens
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from budgets.check.errors import CheckConfigError
from pricing.json_types import JsonList

FILE = "tokenbooks.toml"

Level = Literal["fail", "warn"]
Kind = Literal[
    "auto", "text", "markdown", "context", "skill", "jinja", "prompty", "dotprompt", "chat",
    "promptfoo", "langchain", "entries", "tools", "request", "python",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Size(_Strict):
    """A number that is not known exactly: low, expected and high."""

    low: int = Field(ge=0)
    expected: int = Field(ge=0)
    high: int = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("write a number, or [low, expected, high]")
        if isinstance(value, int):
            return {"low": value, "expected": value, "high": value}
        if isinstance(value, JsonList):
            if len(value) != 3:
                raise ValueError("write a number, or three: [low, expected, high]")
            return dict(zip(("low", "expected", "high"), value, strict=True))
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Size:
        if not self.low <= self.expected <= self.high:
            raise ValueError("low <= expected <= high does not hold")
        return self

    def at(self, level: str) -> int:
        """The number at ``"low"``, ``"expected"`` or ``"high"``."""
        return int(getattr(self, level))


def _variable(value: Any) -> Any:
    """The short forms of a variable: a size, or a text to put in its place."""
    if isinstance(value, str):
        return {"value": value}
    if isinstance(value, int | JsonList) and not isinstance(value, bool):
        return {"tokens": value}
    return value


class Variable(_Strict):
    """What a template variable holds: a size in tokens, a value, or a sample file.

    `items` makes a list of that many entries, each of the size. `fixed` says that the value is the
    same in every call, so it does not end the cacheable prefix.
    """

    tokens: Size | None = None
    items: Size | None = None
    value: Any = None
    sample: str | None = None
    fixed: bool = False

    @model_validator(mode="after")
    def _one(self) -> Variable:
        given = [self.tokens is not None, self.value is not None, self.sample is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one of tokens, value, sample")
        if self.items is not None and self.tokens is None:
            raise ValueError("items needs tokens, the size of one item")
        return self


class Image(_Strict):
    """Images of one size sent with every call; pixels."""

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    detail: Literal["auto", "low", "high", "original"] = "auto"
    count: int = Field(default=1, ge=1)


def _share(value: Any) -> Any:
    # "91 %" is how people write it; 0.91 is how programs do.
    if isinstance(value, str) and value.strip().endswith("%"):
        return Decimal(value.strip()[:-1].strip()) / 100
    return value


Share = Annotated[Decimal, BeforeValidator(_share), Field(ge=0, le=1)]


class Traffic(_Strict):
    """How a prompt is used. Everything is optional; without calls no month is ever made up.

    `turns` is the number of model calls of one conversation, each resending what came before;
    `user_tokens` is what a user adds a turn. `calls_per_month` counts model calls.
    """

    calls_per_month: int | None = Field(default=None, ge=0)
    conversations_per_month: int | None = Field(default=None, ge=0)
    turns: int | None = Field(default=None, ge=1, le=1000)
    user_tokens: Size | None = None
    output_tokens: Size | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    cached_share: Share | None = None
    images: tuple[Image, ...] | None = None
    variables: dict[str, Annotated[Variable, BeforeValidator(_variable)]] = {}

    @model_validator(mode="after")
    def _volume(self) -> Traffic:
        if self.calls_per_month is not None and self.conversations_per_month is not None:
            raise ValueError("give calls_per_month or conversations_per_month, not both")
        return self

    def over(self, base: Traffic) -> Traffic:
        """These settings where given, else those of `base`; variables are joined by name."""
        mine = {name: getattr(self, name) for name in self.model_fields_set}
        if {"calls_per_month", "conversations_per_month"} & mine.keys():
            # The two say the same thing: the nearer one replaces either.
            base = base.model_copy(
                update={"calls_per_month": None, "conversations_per_month": None}
            )
        mine["variables"] = {**base.variables, **self.variables}
        return base.model_copy(update=mine)

    def without_volume(self) -> Traffic:
        """The same sizes, with nothing said of how often."""
        return self.model_copy(update={"calls_per_month": None, "conversations_per_month": None})

    @property
    def calls(self) -> int | None:
        """Model calls a month, or None when no volume is stated."""
        if self.conversations_per_month is not None:
            return self.conversations_per_month * (self.turns or 1)
        return self.calls_per_month


class Limits(_Strict):
    """Limits of one prompt on one model. Tokens are input tokens a call; money is USD.

    `judge` names the end of the interval that is compared. `min_tokens_increase` keeps a large
    share of a tiny prompt from failing: a relative change below it is ignored.
    """

    max_tokens: int | None = Field(default=None, ge=0)
    max_usd_per_call: Decimal | None = Field(default=None, ge=0)
    max_usd_per_call_worst: Decimal | None = Field(default=None, ge=0)
    max_usd_per_month: Decimal | None = Field(default=None, ge=0)
    max_context_share: Share | None = None
    max_tokens_increase: int | None = Field(default=None, ge=0)
    max_increase_percent: Decimal | None = Field(default=None, ge=0)
    min_tokens_increase: int | None = Field(default=None, ge=0)
    max_usd_increase_per_month: Decimal | None = Field(default=None, ge=0)
    budget_usd_per_month: Decimal | None = Field(default=None, ge=0)
    cache_prefix: Literal["fail", "warn", "off"] | None = None
    judge: Literal["low", "expected", "high"] | None = None
    level: Level | None = None

    def over(self, base: Limits) -> Limits:
        """These limits where given, else those of `base`."""
        return base.model_copy(update={n: getattr(self, n) for n in self.model_fields_set})


class Override(Limits):
    """Limits for some prompts only: by path glob, prompt id glob, or model glob (all must fit)."""

    path: str | None = None
    prompt: str | None = None
    model: str | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Override:
        if self.path is None and self.prompt is None and self.model is None:
            raise ValueError("say where it holds: path, prompt or model")
        return self

    def limits(self) -> Limits:
        """The limits without the place."""
        names = self.model_fields_set - {"path", "prompt", "model"}
        return Limits(**{name: getattr(self, name) for name in names})


class Total(_Strict):
    """Limits of all prompts together, a model at a time."""

    max_tokens: int | None = Field(default=None, ge=0)
    max_usd_per_month: Decimal | None = Field(default=None, ge=0)
    max_usd_increase_per_month: Decimal | None = Field(default=None, ge=0)
    budget_usd_per_month: Decimal | None = Field(default=None, ge=0)
    level: Level = "fail"


def _values(value: Any) -> Any:
    """One value, or a list of them."""
    return (value,) if isinstance(value, str) else value


class Logged(_Strict):
    """`[check.logged]`: where `--from-store` finds the calls of a prompt.

    `dimension` is the dimension or tag of the stored calls that names the prompt, by its id or its
    path; `days` how many whole days are looked at (28: whole weeks, so the weekdays weigh alike).
    """

    dimension: str = "tags.prompt"
    days: int = Field(default=28, ge=1, le=3660)


class Prompt(_Strict):
    """`[[check.prompts]]`: a file or glob with settings of its own.

    `entries` are paths into a YAML or JSON file (`agent.templates.system_template`, `*` for all
    keys); `template` says how plain text or an entry is filled in; `logged` names the stored calls
    that are this prompt's, where no tag does: `{feature = "answer", model = "gpt-5.2"}`.
    """

    path: str
    id: str | None = None
    kind: Kind = "auto"
    models: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    template: Literal["auto", "none", "jinja", "f-string", "handlebars"] = "auto"
    encoding: str = "utf-8"
    logged: dict[str, Annotated[tuple[str, ...], BeforeValidator(_values)]] = {}
    traffic: Traffic = Traffic()
    limits: Limits = Limits()


class CheckConfig(_Strict):
    """The whole section, checked."""

    models: tuple[str, ...] = ()
    model: str | None = None
    tier: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    template_roots: tuple[str, ...] = ()
    base: str | None = None
    prices_at: date | None = None
    allow_unmeasured: bool = False
    limits: Limits = Limits()
    overrides: tuple[Override, ...] = ()
    total: Total = Total()
    traffic: Traffic = Traffic()
    logged: Logged = Logged()
    prompts: tuple[Prompt, ...] = ()

    @model_validator(mode="after")
    def _one_model_key(self) -> CheckConfig:
        if self.model is not None and self.models:
            raise ValueError("give model or models, not both")
        return self

    @property
    def chosen(self) -> tuple[str, ...]:
        """The models every prompt is measured for."""
        return (self.model,) if self.model else self.models


@dataclass(frozen=True)
class Found:
    """A configuration and where it came from; `root` is the folder its paths start from."""

    config: CheckConfig
    root: Path
    file: Path | None


def find_file(start: Path) -> Path | None:
    """The nearest file with a check section, in `start` or its parents.

    A `tokenbooks.toml` always counts; a `pyproject.toml` only with `[tool.tokenbooks…]`.
    """
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        project = folder / "pyproject.toml"
        if project.is_file() and "[tool.tokenbooks" in project.read_text("utf-8", "replace"):
            return project
    return None


def load(path: Path | None, start: Path) -> Found:
    """Read the configuration at `path`, or the nearest from `start`; defaults when there is none.

    Raises :class:`CheckConfigError`.
    """
    file = path or find_file(start)
    if file is None:
        return Found(CheckConfig(), start, None)
    data = _data(file)
    _near_misses(data, file)
    return Found(parse(data.get("check", {}), str(file)), file.resolve().parent, file)


def sections(file: Path) -> set[str]:
    """Names of the sections and keys at the top of a settings file. Raises `CheckConfigError`."""
    return set(_data(file))


def _data(file: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckConfigError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise CheckConfigError(f"{file}: not valid TOML: {error}") from error
    if file.name == "pyproject.toml":
        data = data.get("tool", {}).get("tokenbooks", {})
    return data


def _near_misses(data: Mapping[str, Any], file: Path) -> None:
    # The other sections have readers of their own; a misspelt [chek] would have none.
    if "check" not in data:
        for key in difflib.get_close_matches("check", list(data), 1, 0.75):
            raise CheckConfigError(f"{file}: unknown section [{key}]; did you mean [check]?")


def parse(section: Any, where: str) -> CheckConfig:
    """Validate a section. Raises :class:`CheckConfigError` naming key, file and nearest name."""
    try:
        return CheckConfig.model_validate(section)
    except ValidationError as error:
        lines = [_explain(problem, where) for problem in error.errors()]
        raise CheckConfigError("\n".join(dict.fromkeys(lines))) from error


def _explain(problem: Mapping[str, Any], where: str) -> str:
    place = [str(part) for part in problem["loc"]]
    key = ".".join(["check", *place])
    if problem["type"] == "extra_forbidden":
        names = _names_at(place[:-1])
        near = difflib.get_close_matches(place[-1], names, 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(names))}"
        return f"{where}: unknown key {key!r}{hint}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {key}: {message}"


_SECTIONS: dict[str, type[BaseModel]] = {
    "limits": Limits, "overrides": Override, "total": Total, "traffic": Traffic,
    "prompts": Prompt, "logged": Logged, "variables": Variable, "images": Image, "tokens": Size,
    "items": Size, "user_tokens": Size, "output_tokens": Size,
}  # fmt: skip


def _names_at(place: list[str]) -> list[str]:
    """The keys that exist in the section a path leads to."""
    model: type[BaseModel] = CheckConfig
    for part in place:
        model = _SECTIONS.get(part, model)
    return list(model.model_fields)


def fraction(value: Decimal | None) -> Fraction:
    """A share as an exact fraction; None is 0."""
    return Fraction(value) if value is not None else Fraction(0)
