"""From targets to measured units: read, drop partials, choose models, render, count, price.

The same code does both sides of a diff; only the tree differs. What fails is a problem beside the
result and never stops the other prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from budgets.check.config import CheckConfig, Prompt, Traffic, Variable
from budgets.check.cost import Rates, cost, find_rates
from budgets.check.discovery import Discovered, Target
from budgets.check.errors import CheckConfigError, PromptError
from budgets.check.limits import Side
from budgets.check.measure import Counter, measure, render
from budgets.check.prompts import Context, Unit, read
from budgets.check.tree import Tree

if TYPE_CHECKING:
    from budgets.check.options import CheckOptions
    from pricing.catalogue import Catalogue

NO_PROMPT = Prompt(path="")


@dataclass(frozen=True)
class Problem:
    """Something that could not be measured, where, and for which model (or all)."""

    rule: str
    message: str
    path: str = ""
    line: int = 1
    prompt: str = ""
    model: str = ""


@dataclass
class Measured:
    """A unit with the target it came from and its sides by model."""

    unit: Unit
    target: Target
    traffic: Traffic
    logged: bool = False
    sides: dict[str, Side] = field(default_factory=dict)


class Prices:
    """Rates by model, found once; a model that cannot be counted or priced is one problem."""

    def __init__(
        self, catalogue: Catalogue, at: datetime, tier: str | None, counter: Counter
    ) -> None:
        self.catalogue = catalogue
        self.at = at
        self._tier = tier
        self._counter = counter
        self._known: dict[str, Rates | PromptError] = {}

    def rates(self, model: str) -> Rates | None:
        """The rates of a model, or None when it is a problem (see :attr:`problems`)."""
        if model not in self._known:
            try:
                self._counter.known(model)
                self._known[model] = find_rates(model, self.catalogue, self.at, self._tier)
            except PromptError as error:
                self._known[model] = error
        found = self._known[model]
        return found if isinstance(found, Rates) else None

    @property
    def problems(self) -> list[Problem]:
        """Models that cannot be measured at all."""
        return [
            Problem(e.rule, e.message, model=m)
            for m, e in self._known.items()
            if isinstance(e, PromptError)
        ]


class Reader:
    """Reads the units of one tree."""

    def __init__(self, tree: Tree, config: CheckConfig) -> None:
        self.tree = tree
        self.config = config
        self._engines: dict[str, object] = {}

    def read(self, target: Target) -> list[Unit]:
        """The units of a target. Raises :class:`PromptError`."""
        prompt = target.prompt or NO_PROMPT
        context = Context(
            self.tree, prompt.template, prompt.entries, prompt.encoding,
            self.config.template_roots, self._engines,
        )  # fmt: skip
        units = read(target.path, context, prompt.kind, target.constant)
        if prompt.id is not None:
            own = prompt.id
            for unit in units:
                if len(units) == 1:
                    unit.id = own
                else:
                    unit.id = own + unit.id[len(target.path) :]
        return units


def read_all(
    side: Reader, found: Discovered
) -> tuple[list[tuple[Unit, Target]], list[Problem], list[tuple[str, str]]]:
    """Units of all targets, problems, and files left out with the reason.

    A file that others include is charged to them; it stays a unit only when it was named itself.
    Raises :class:`CheckConfigError` when two units have the same id.
    """
    pairs: list[tuple[Unit, Target]] = []
    failed: list[tuple[PromptError, Target]] = []
    skipped = list(found.skipped)
    for target in found.targets:
        try:
            pairs += [(unit, target) for unit in side.read(target)]
        except PromptError as error:
            binary = error.rule == "unreadable-file" and "binary" in error.message
            if not target.named and (error.rule == "unknown-shape" or binary):
                skipped.append((target.path, error.message))
            else:
                failed.append((error, target))
    parents: dict[str, list[str]] = {}
    for unit, _ in pairs:
        for path in unit.includes:
            if path != unit.path:
                parents.setdefault(path, []).append(unit.id)
    kept: list[tuple[Unit, Target]] = []
    for unit, target in pairs:
        if unit.id in parents and not target.named:
            users = sorted(set(parents[unit.id]))
            more = f" and {len(users) - 2} more" if len(users) > 2 else ""
            skipped.append((unit.path, f"charged to {', '.join(users[:2])}{more}"))
        else:
            kept.append((unit, target))
    problems = [
        Problem(e.rule, e.message, e.path or t.path, e.line, t.path)
        for e, t in failed
        if t.path not in parents or t.named
    ]
    return _unique(kept), problems, skipped


def _unique(pairs: list[tuple[Unit, Target]]) -> list[tuple[Unit, Target]]:
    """One unit an id. A file that a promptfoo configuration points at is that one's, since it
    knows how the file is filled in; any other clash is the configuration's mistake."""
    seen: dict[str, tuple[Unit, Target]] = {}
    for unit, target in pairs:
        other = seen.get(unit.id)
        if other is None:
            seen[unit.id] = (unit, target)
            continue
        here, there = unit.path != target.path, other[0].path != other[1].path
        if here == there and not here:
            raise CheckConfigError(f"two prompts have the id {unit.id!r}: give each its own id.")
        if here and not there:
            seen[unit.id] = (unit, target)
    return list(seen.values())


def models_of(
    unit: Unit, target: Target, config: CheckConfig, options: CheckOptions
) -> Sequence[str]:
    """The command line's models, else the prompt's section, the configuration, the file itself."""
    own = target.prompt.models if target.prompt is not None else ()
    models = tuple(options.models) or own or config.chosen
    if not models and unit.model:
        models = (unit.model,)
    if not models:
        raise CheckConfigError(
            f"no model for {unit.id}: pass --model, or set models in [check]. "
            "A prompt has no price of its own."
        )
    return tuple(dict.fromkeys(models))


def measure_unit(
    unit: Unit, target: Target, models: Iterable[str], traffic: tuple[Traffic, bool], tree: Tree,
    prices: Prices, counter: Counter,
) -> tuple[Measured, list[Problem]]:  # fmt: skip
    """Render once, then count and price for each model; problems are named by model."""
    stated, logged = traffic
    made = Measured(unit, target, stated, logged)
    try:
        renders = render(unit, stated, tree)
    except PromptError as error:
        where = Problem(error.rule, error.message, error.path or unit.path, error.line, unit.id)
        return made, [where]
    problems: list[Problem] = []
    for model in models:
        rates = prices.rates(model)
        if rates is None:
            continue
        try:
            tokens = measure(renders, model, stated.images or (), counter)
            priced = cost(tokens, stated, rates, unit.max_output)
            made.sides[model] = Side(tokens, priced)
            if priced.context_share is not None and priced.context_share > 1:
                unit.notes.append(f"does not fit the context window of {model}")
        except PromptError as error:
            problems.append(
                Problem(error.rule, f"{unit.id}: {error.message}", unit.path, unit.line, unit.id,
                        model)
            )  # fmt: skip
    return made, problems


def with_variables(traffic: Traffic, older: dict[str, Variable]) -> Traffic:
    """Traffic that also knows variables only the base's configuration declared."""
    return traffic.model_copy(update={"variables": {**older, **traffic.variables}})
