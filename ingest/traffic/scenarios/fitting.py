"""From a trace (or the store) to a scenario file.

`fit` does not fit a distribution: the scenario it writes names the trace, and whole recorded
sessions are drawn from it. What it measures is the volume: sessions a day, the shape of the day
and week where the span is long enough, and the drift between periods.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.scenarios.numbers import FROM_STORE, ScenarioError
from ingest.traffic.scenarios.scenario import Scenario, Workload
from ingest.traffic.scenarios.template import toml_text
from ingest.traffic.simulation.predict import period_to_period
from ingest.traffic.traces.sessions import with_sessions
from ingest.traffic.traces.trace import Trace, TraceError
from pricing.json_types import JsonDict, JsonList

# A day's shape needs some days, a week's some weeks, else it repeats one period's accidents.
_DAYS_FOR_HOURS = 3
_DAYS_FOR_WEEK = 21
_DAY_US = 86_400_000_000
_FAILURES = ("failures.failed_rate", "failures.failed_input_share")


@dataclass(frozen=True)
class Fit:
    """What was measured of a trace. Tokens are means a request, spans in days."""

    trace: str
    requests: int
    sessions: int
    session_origin: str
    span_days: float
    sessions_per_day: float
    requests_per_day: float
    calls_per_session: float
    input_tokens: float
    output_tokens: float
    drift: float
    weeks_compared: int
    peak_over_mean: float
    hour_shape: tuple[float, ...] | None
    weekday_shape: tuple[float, ...] | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def fit(trace: Trace) -> Fit:
    """Measure a trace. Raises TraceError where it has no span to speak of."""
    trace = with_sessions(trace)
    assert trace.sessions is not None
    codes, rows = np.unique(trace.sessions, return_inverse=True)
    n = len(codes)
    span = trace.span_s
    if span <= 0:
        raise TraceError(f"{trace.name}: all requests are at one moment; no rate can be read off")
    own = trace.own_clocks
    # n events span n - 1 gaps; a rate of n / span would be high by 1 / n.
    days = 1.0 if own else span / 86_400 * trace.requests / max(trace.requests - 1, 1)
    notes = list(trace.notes)
    hours = weekdays = None
    if own:
        notes.append(
            "each session has a clock of its own: how many come a day is not in the trace; the "
            "rate stands for one day with as many as were recorded, set your own"
        )
    calendar = trace.time_us.min() > 10**15  # instants rather than a clock that starts at zero
    if days >= _DAYS_FOR_HOURS:
        counts = np.bincount(trace.time_us % _DAY_US // (_DAY_US // 24), minlength=24)
        hours = tuple(round(float(c), 4) for c in counts / counts.mean())
        if not calendar:
            notes.append("the clock starts at zero: hour 0 of the shape is the trace's first hour")
    elif not own:
        notes.append(f"{days:.2f} days are too few for a shape of the day")
    if days >= _DAYS_FOR_WEEK and calendar:
        day = (trace.time_us // _DAY_US + 3) % 7  # 1970-01-01 was a Thursday
        counts = np.bincount(day, minlength=7)
        weekdays = tuple(round(float(c), 4) for c in counts / counts.mean())
    drift, steps = _drift(trace, rows, 0.0 if own else days)
    minute = (trace.time_us - trace.time_us.min()) // 60_000_000
    per_minute = np.bincount(minute)
    return Fit(
        trace=trace.name,
        requests=trace.requests,
        sessions=n,
        session_origin=trace.session_origin,
        span_days=days,
        sessions_per_day=n * trace.weight / days,
        requests_per_day=trace.requests * trace.weight / days,
        calls_per_session=trace.requests / n,
        input_tokens=float(trace.input_tokens.mean()),
        output_tokens=float(trace.output_tokens.mean()),
        drift=round(drift, 4),
        weeks_compared=steps,
        peak_over_mean=3.0 if own else round(float(per_minute.max() / per_minute.mean()), 2),
        hour_shape=hours,
        weekday_shape=weekdays,
        notes=tuple(notes),
    )


def _drift(trace: Trace, rows: npt.NDArray[np.int64], days: float) -> tuple[float, int]:
    """`period_to_period` of what each session (``rows``) used in each week it was in: one that
    goes on for months is not all of its first week's."""
    age = (trace.time_us.max() - trace.time_us) // (7 * _DAY_US)
    width = int(age.max()) + 1
    parts, place = np.unique(rows * width + age, return_inverse=True)
    # Output counts eightfold, about as it is priced.
    weight = trace.input_tokens + 8.0 * trace.output_tokens
    tokens = np.bincount(place.reshape(-1), weights=weight).astype(np.float64)
    return period_to_period(tokens, parts % width, parts // width, days)


def fit_scenario(
    trace: Trace,
    path: str | Path,
    variants: Iterable[str] = ("gpt-5.2",),
    block_size: int | None = None,
    measured: Fit | None = None,
) -> tuple[str, Fit]:
    """Scenario text for a trace read from ``path``, and what was measured: of the trace, or of all
    that it was drawn from (``measured``, see `StoredCalls`)."""
    got = measured or fit(trace)
    lines = [
        f"# Fitted on {got.trace}: {got.requests:,} requests in {got.sessions:,} sessions "
        f"({got.session_origin}), {got.span_days:.3f} days.",
        f"name = {toml_text(Path(path).stem)}",
        f"variants = [{', '.join(toml_text(v) for v in variants)}]",
        "days = 30",
        "seed = 0",
        "",
        "[[workloads]]",
        f"name = {toml_text(Path(path).stem)}",
        "# Whole recorded sessions are drawn from this trace.",
        f"trace = {toml_text(str(path))}",
    ]
    if block_size is not None:
        lines.append(f"trace_block_size = {block_size}")
    lines += [
        "",
        "[workloads.volume]",
        "# One past period says little about the next: widen it with { p10 = ..., p90 = ... }.",
        f"sessions_per_day = {got.sessions_per_day:.6g}",
        "# Sd of the log of one period's total over the one before it: "
        + (
            f"{got.weeks_compared} week(s) against the week before, and what is usual."
            if got.weeks_compared
            else "what is usual; the record is too short to tell."
        ),
        f"drift = {got.drift}",
        '# "next": a period to come, which may drift; "same": the recorded one once more.',
        f'period = "{"next" if trace.layout == "store" else "same"}"',
        f"peak_over_mean = {got.peak_over_mean}",
    ]
    for name, shape in (("hour_shape", got.hour_shape), ("weekday_shape", got.weekday_shape)):
        if shape is not None:
            lines.append(f"{name} = [{', '.join(str(v) for v in shape)}]")
    lines += [f"# {note}" for note in dict.fromkeys((*got.notes, *trace.notes))]
    if trace.own_clocks:
        lines += ["", "[workloads.cache]", 'scope = "session"']
    return "\n".join(lines) + "\n", got


def asks_failures(scenario: Scenario) -> bool:
    """Whether how many calls fail, or what they bill, is to come from the store."""
    return any(place in _FAILURES for w in scenario.workloads for place in _asked(w))


def fill_from_store(
    scenario: Scenario, trace: Trace, failures: tuple[float, float] | None = None
) -> Scenario:
    """Replace every "from store" number by what stored calls show.

    The store can tell sessions, turns and calls a day, output and reasoning tokens (as the
    quantiles of single calls), and with ``failures`` (see `failures_in_store`; the trace is then
    of answered calls) the failed rate and what failed calls bill. ScenarioError names a number
    that it cannot tell.
    """
    got: Fit | None = None
    loads: list[Workload] = []
    for workload in scenario.workloads:
        data = workload.model_dump(mode="json", exclude_unset=True)
        for place in _asked(workload):
            got = got or fit(trace)
            thinking = trace.reasoning_tokens
            visible = trace.output_tokens - (0 if thinking is None else thinking)
            known: dict[str, Any] = {
                "volume.sessions_per_day": got.sessions_per_day,
                "volume.turns_per_day": got.requests_per_day,
                "volume.calls_per_day": got.requests_per_day,
                "output.tokens": _percentiles(visible),
                "output.reasoning_tokens": 0 if thinking is None else _percentiles(thinking),
                "structure.turns": got.calls_per_session,
                "volume.drift": got.drift,
                "volume.peak_over_mean": got.peak_over_mean,
                "volume.hour_shape": got.hour_shape and list(got.hour_shape),
                "volume.weekday_shape": got.weekday_shape and list(got.weekday_shape),
                **(dict(zip(_FAILURES, failures, strict=True)) if failures else {}),
            }
            if place not in known:
                raise ScenarioError(
                    f"{workload.name}: {place} is 'from store', but a log cannot tell it; the "
                    f"store knows {', '.join(known)}"
                )
            table, key = place.split(".")
            data[table][key] = known[place]
        loads.append(Workload.model_validate(data))
    return scenario.model_copy(update={"workloads": loads})


def _asked(workload: Workload) -> list[str]:
    """The places of a workload's numbers that are to come from the store."""
    words = {"name", "variant", "trace", "labels", "fallback_variant"}

    def walk(value: Any, place: str) -> list[str]:
        if isinstance(value, JsonDict):
            inner = {f"{place}.{k}".lstrip("."): v for k, v in value.items()}
        elif isinstance(value, JsonList):
            inner = {f"{place}[{i + 1}]": v for i, v in enumerate(value)}
        else:
            return [place] if value == FROM_STORE else []
        return [found for k, v in inner.items() if k not in words for found in walk(v, k)]

    return walk(workload.model_dump(mode="json"), "")


def _percentiles(values: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    at = (np.arange(200) + 0.5) / 200
    return {"values": [float(v) for v in np.quantile(values, at)]}
