"""The scenario: what one expects of an application, as a TOML file.

Every number may be a plain value, a range (its P10 and P90), or the words "from store" (to be
filled in by `fill_from_store`). Lengths may also be quantiles, a distribution or a list of
values. Unknown keys are errors that name the nearest valid one.

    name = "support assistant"
    variants = ["gpt-5.2", "gpt-5-mini"]
    [[workloads]]
    name = "chat"
      [workloads.volume]
      users = { p10 = 500, p90 = 2000 }
      sessions_per_user_day = 0.4
      [workloads.structure]
      system_tokens = 1200
      turns = 4
      [workloads.output]
      tokens = 350
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ingest.traffic.scenarios.numbers import (
    Growth,
    Length,
    NonNegative,
    Number,
    Part,
    Positive,
    ScenarioError,
    Several,
    SomePart,
    Strict,
    highest,
    is_range,
)
from ingest.traffic.scenarios.problems import explained

Stored = Literal["from store"]
Hours = Annotated[list[NonNegative], Field(min_length=24, max_length=24)]
Week = Annotated[list[NonNegative], Field(min_length=7, max_length=7)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Volume(Strict):
    """How much: either users x sessions, or sessions, turns or calls a day.

    ``drift`` is the sd of the log of one period's total against the one before. Of a recording,
    ``period`` says what is simulated: the "same" period again (drift then counts only for what is
    longer than the record), or the "next" one, of which no record knows anything.
    """

    users: Number | None = None
    sessions_per_user_day: Number | None = None
    sessions_per_day: Number | None = None
    turns_per_day: Number | None = None
    calls_per_day: Number | None = None
    growth_per_month: Growth = 0.0
    hour_shape: Hours | Stored | None = None
    weekday_shape: Week | Stored | None = None
    ramp_days: Number = 0
    ramp_start: Part = 0.1
    drift: Number = 0.0
    period: Literal["next", "same"] = "same"
    peak_over_mean: Number | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Volume:
        ways = [
            self.users is not None and self.sessions_per_user_day is not None,
            self.sessions_per_day is not None,
            self.turns_per_day is not None,
            self.calls_per_day is not None,
        ]
        if sum(ways) != 1:
            raise ValueError(
                "give exactly one of: users with sessions_per_user_day, sessions_per_day, "
                "turns_per_day, calls_per_day"
            )
        return self


class Structure(Strict):
    """How a session is made. Counts in tokens, gaps in seconds."""

    system_tokens: Number = 0
    system_file: str | None = None
    tools_tokens: Number = 0
    tools_file: str | None = None
    retrieved_tokens: Length = 0
    user_tokens: Length = 80
    turns: Length = 1
    calls_per_turn: Length = 1
    tool_result_tokens: Length = 0
    history: bool = True
    turn_gap_s: Length = 60
    call_gap_s: Length = 8
    session_spread: Number = 0.5

    @model_validator(mode="after")
    def _counted_or_given(self) -> Structure:
        for name in ("system", "tools"):
            if getattr(self, f"{name}_file") is not None and getattr(self, f"{name}_tokens") != 0:
                raise ValueError(f"{name}_file is counted: leave out {name}_tokens, or the file")
        return self


class Output(Strict):
    """What comes back. `tokens` is visible output a call at `reference_effort`; all of it comes
    `n` times, of recorded calls too."""

    tokens: Length = 300
    reasoning_tokens: Length = 0
    effort: Effort = "medium"
    reference_effort: Effort = "medium"
    median_scale: Number = 1.0
    tail_scale: Number = 1.0
    max_output: Positive | None = None
    n: Several = 1


class Failures(Strict):
    """Calls that go wrong, beside those that are answered. A retry bills the whole input once more,
    a failed call `failed_input_share` of it."""

    retry_rate: Number = 0
    failed_rate: Number = 0
    failed_input_share: Part = 0.0


class Tiers(Strict):
    """Shares of the traffic sent to cheaper or dearer tiers; the rest is standard."""

    batch: Number = 0.0
    flex: Number = 0.0
    priority: Number = 0.0

    @model_validator(mode="after")
    def _at_most_one(self) -> Tiers:
        if highest(self.batch) + highest(self.flex) + highest(self.priority) > 1:
            raise ValueError("the shares of batch, flex and priority add up to more than 1")
        return self


class Cache(Strict):
    """Cache behaviour; without values the variant's own rule holds."""

    enabled: bool = True
    scope: Literal["all", "session"] = "all"
    lifetime_s: Number | None = None
    min_tokens: Number | None = None
    step: int | None = Field(default=None, ge=1)
    machines: Several = 1
    stable_prefix: bool = True


class Compaction(Strict):
    """Once a prompt passes `at_tokens`, history is cut to `keep_share` of it."""

    at_tokens: Positive | None = None
    keep_share: Part = 0.2


class When(Strict):
    """What a call must be like for a rule to take it; all that is given must hold.

    A turn counts from 1; of recorded sessions it is the call's place in its session. A label is
    the workload's name, one of its `labels`, or the client or model a recorded call names.
    """

    input_tokens_over: int | None = Field(default=None, ge=0)
    input_tokens_up_to: int | None = Field(default=None, ge=0)
    turn_from: int | None = Field(default=None, ge=1)
    turn_to: int | None = Field(default=None, ge=1)
    effort: Effort | list[Effort] | None = None
    label: str | list[str] | None = None

    @model_validator(mode="after")
    def _something(self) -> When:
        if not self.model_dump(exclude_none=True):
            raise ValueError(f"a rule needs one of {', '.join(When.model_fields)}")
        for low, high in (("input_tokens_over", "input_tokens_up_to"), ("turn_from", "turn_to")):
            a, b = getattr(self, low), getattr(self, high)
            if a is not None and b is not None and b < a + (low == "input_tokens_over"):
                raise ValueError(f"no call can fit: {low} = {a} and {high} = {b}")
        return self


class Route(Strict):
    """Sends a share of the sessions, or the calls that fit a rule, to another variant."""

    variant: str
    share: Part | None = None
    when: When | None = None

    @model_validator(mode="after")
    def _reason(self) -> Route:
        if self.share is None and self.when is None:
            raise ValueError("a route needs a share of the sessions, a rule (when), or both")
        return self


def _at_most_all(routes: list[Route], of: str = "") -> None:
    """ValueError where the routes' shares of the sessions, at their highest, are more than all."""
    shares = [r.share or 0.0 for r in routes if r.when is None]
    if sum(highest(s) for s in shares) > 1 + 1e-9:
        ends = " (ranges count with their p90)" if any(is_range(s) for s in shares) else ""
        raise ValueError(f"the shares under routing add up to more than 1{of}{ends}")


class Images(Strict):
    """Images sent with a turn."""

    per_turn: Number = 0
    tokens_each: Number = 800


class Workload(Strict):
    """One kind of traffic. With `trace` whole recorded sessions are drawn instead of made."""

    name: str
    variant: str | None = None
    trace: str | None = None
    trace_block_size: int | None = Field(default=None, gt=0)
    recency: Number = 0.0
    volume: Volume
    structure: Structure = Structure()
    output: Output = Output()
    failures: Failures = Failures()
    tiers: Tiers = Tiers()
    cache: Cache = Cache()
    compaction: Compaction = Compaction()
    routing: list[Route] = Field(default_factory=list)
    fallback_variant: str | None = None
    fallback_rate: Part | None = None
    labels: list[str] = Field(default_factory=list)
    images: Images = Images()
    success_rate: SomePart = 1.0
    can_wait: Part = 0.0
    easy_share: Part = 0.0

    @model_validator(mode="after")
    def _routes(self) -> Workload:
        _at_most_all(self.routing)
        if self.fallback_rate and self.fallback_variant is None:
            raise ValueError("fallback_rate needs fallback_variant")
        return self

    @model_validator(mode="after")
    def _recorded_or_made(self) -> Workload:
        """What recorded sessions bring with them may not be given beside, to be ignored."""
        if self.trace is None:
            return self
        tables = [t for t in ("structure", "images", "compaction") if t in self.model_fields_set]
        keys = [f"output.{k}" for k in ("tokens", "reasoning_tokens")
                if k in self.output.model_fields_set]  # fmt: skip
        if said := [*tables, *keys]:
            raise ValueError(
                f"trace draws recorded sessions, which have their own {', '.join(said)}: leave out "
                "one or the other"
            )
        return self


class Limits(Strict):
    """Rate limits of your account (they are not published in one place) and a spend cap."""

    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    monthly_usd: float | None = None


class Scenario(Strict):
    """A whole file."""

    name: str = "scenario"
    start: date = date(2026, 12, 1)
    days: float = Field(default=30, gt=0, le=3660)
    seed: int = 0
    draws: int = Field(default=4096, ge=64, le=262_144)
    seller: str | None = None
    variants: list[str] = Field(default=["gpt-5.2"], min_length=1)
    limits: dict[str, Limits] = Field(default_factory=dict)
    routing: list[Route] = Field(default_factory=list)
    workloads: list[Workload] = Field(min_length=1)

    @model_validator(mode="after")
    def _for_all(self) -> Scenario:
        """Rules for all workloads come behind each one's own."""
        for w in self.workloads if self.routing else []:
            w.routing = [*w.routing, *(r for r in self.routing if r not in w.routing)]
            _at_most_all(w.routing, f" for {w.name}")
        return self


def parse_scenario(text: str, origin: str = "scenario") -> Scenario:
    """Read a scenario from TOML text; ScenarioError lists every problem with its place."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{origin}: not valid TOML: {error}") from error
    return check_scenario(data, origin)


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file; traces and prompt files in it are relative to the file."""
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    scenario = parse_scenario(text, str(path))
    for workload in scenario.workloads:
        if workload.trace and not Path(workload.trace).is_absolute():
            workload.trace = str(path.parent / workload.trace)
        for name in ("system_file", "tools_file"):
            given = getattr(workload.structure, name)
            if given and not Path(given).is_absolute():
                setattr(workload.structure, name, str(path.parent / given))
    return scenario


def check_scenario(data: dict[str, Any], origin: str = "scenario") -> Scenario:
    """Turn parsed data into a scenario; see `parse_scenario`."""
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        lines = explained(error, data, Scenario)
        raise ScenarioError("\n".join(f"{origin}: {line}" for line in lines)) from error


def schema() -> dict[str, Any]:
    """The JSON schema of a scenario file."""
    return Scenario.model_json_schema()
