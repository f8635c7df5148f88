"""Write simulated traffic as a log that `ingest` reads back: one normalised usage row a line.

The rows carry the fields of the `usage` table, with cached and written tokens as the variant's
cache rule makes them. Times follow the volume's days and hours; recorded sessions keep their own
gaps. Same scenario and seed, same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.prices import Prices
from ingest.traffic.replaying import meter_counts
from ingest.traffic.scenarios.efforts import effort_factors, effort_ratio
from ingest.traffic.scenarios.numbers import ScenarioError, middle, numbers_of
from ingest.traffic.scenarios.scenario import Scenario, Workload
from ingest.traffic.simulation.library import (
    month_shape,
    sessions_of,
    sessions_per_day,
    shaped_output,
)
from ingest.traffic.simulation.routing import Assignment, assign, whole_session_shares
from ingest.traffic.simulation.workloads import cache_rule
from ingest.traffic.traces.trace import Trace
from pricing.caching import apply_floor, cached_tokens

MAX_ROWS = 2_000_000
_METERS = (
    "input_uncached", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h",
    "cache_write_12h", "output_text", "reasoning",
)  # fmt: skip


def generate(
    scenario: Scenario,
    prices: Prices | None = None,
    *,
    days: float | None = None,
    seed: int | None = None,
    limit: int = MAX_ROWS,
) -> Iterator[dict[str, Any]]:
    """Rows of a simulated log in time order a workload and variant; middle of every number.

    Raises ScenarioError when more than ``limit`` rows would come out.
    """
    update: dict[str, Any] = {}
    if days is not None:
        update["days"] = days
    if seed is not None:
        update["seed"] = seed
    scenario = scenario.model_copy(update=update)
    for number, workload in enumerate(scenario.workloads):
        variant = workload.variant or scenario.variants[0]
        yield from _workload(scenario, workload, variant, number, prices, limit)


def write_log(path: str | Path, rows: Iterator[dict[str, Any]]) -> dict[str, int]:
    """Write rows as JSON lines; the answer counts rows, sessions and tokens."""
    total = {"rows": 0, "sessions": 0, "input_tokens": 0, "output_tokens": 0}
    seen: set[str] = set()
    with Path(path).open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            total["rows"] += 1
            seen.add(row["session"])
            total["output_tokens"] += row["output_text"] + row["reasoning"]
            total["input_tokens"] += sum(
                v for k, v in row.items() if k in _METERS and k not in ("output_text", "reasoning")
            )
    total["sessions"] = len(seen)
    return total


def _workload(
    scenario: Scenario,
    workload: Workload,
    variant: str,
    number: int,
    prices: Prices | None,
    limit: int,
) -> Iterator[dict[str, Any]]:
    library = shaped_output(sessions_of(workload, variant, scenario.seed), workload)
    assert library.sessions is not None
    codes = np.unique(library.sessions, return_inverse=True)[1].reshape(-1)
    count = int(codes.max()) + 1
    rng = np.random.default_rng([scenario.seed, number])
    expected = sessions_per_day(workload, library.requests / count) * month_shape(
        workload.volume, scenario.start, scenario.days
    )
    wanted = int(rng.poisson(expected))
    if wanted * library.requests / count > limit:
        raise ScenarioError(
            f"{workload.name}: about {wanted * library.requests / count:,.0f} calls are more than "
            f"{limit:,}; generate fewer days"
        )
    if wanted == 0:
        return
    picks = rng.integers(0, count, wanted)
    begin = _starts(scenario, workload, wanted, rng)
    trace = _assemble(library, codes, picks, begin)
    route = _routed(trace, workload, variant, scenario.seed)
    counts = _counted(trace, workload, route, scenario.start)
    o = workload.output
    tiers = _tiers(workload, trace.requests, rng)
    models: list[tuple[str, str]] = [(name, scenario.seller or _provider(name, scenario, prices))
              for name in route.variants]  # fmt: skip
    answered_by: list[int] = route.codes.tolist()
    origin = datetime(scenario.start.year, scenario.start.month, scenario.start.day, tzinfo=UTC)
    assert trace.sessions is not None
    zero = np.zeros(trace.requests, dtype=np.int64)
    columns = {m: counts.get(m, zero).tolist() for m in _METERS}
    times, sessions = trace.time_us.tolist(), trace.sessions.tolist()
    tag = f"{scenario.name}/{workload.name}".replace(" ", "-")
    f = workload.failures
    retried = rng.random(trace.requests) < middle(f.retry_rate)
    failed = rng.random(trace.requests) < middle(f.failed_rate)
    # A share of the input billed, over all failed calls: that share of them bills all of it.
    billed = rng.random(trace.requests) < middle(f.failed_input_share)
    silent = {"output_text": 0, "reasoning": 0, "failed": True}
    nothing = {**dict.fromkeys(_METERS, 0), "failed": True}
    for i in range(trace.requests):
        at = origin + timedelta(microseconds=times[i])
        model, provider = models[answered_by[i]]
        row: dict[str, Any] = {
            "call_key": f"sim:{tag}:{scenario.seed}:{i}",
            "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "source_format": "tokenbooks",
            "provider": provider,
            "seller": provider,
            "model": model,
            "tier": tiers[i],
            "effort": o.effort,
            **{m: columns[m][i] for m in _METERS},
            "team": "simulated",
            "project": scenario.name,
            "feature": workload.name,
            "environment": "simulation",
            "session": f"{tag}-{sessions[i]}",
            "finality": "final",
        }
        yield row
        if retried[i]:
            # The whole input is sent again; the failed attempt made no output.
            yield {**row, "call_key": row["call_key"] + ":retry", **silent}
        if failed[i]:
            unanswered = silent if billed[i] else nothing
            yield {**row, "call_key": row["call_key"] + ":failed", **unanswered}


def _routed(trace: Trace, workload: Workload, main: str, seed: int) -> Assignment:
    """Which variant answers each call: whole sessions by share, the rest by rules."""
    route = assign(trace, workload, main, seed)
    names, codes = list(route.variants), route.codes.copy()
    assert trace.sessions is not None
    rows = np.unique(trace.sessions, return_inverse=True)[1].reshape(-1)
    place = np.random.default_rng([seed, 103]).permutation(int(rows.max()) + 1)
    position, edge = (place[rows] + 0.5) / len(place), 0.0
    for name, share in whole_session_shares(workload, main).items():
        if name != main:
            if name not in names:
                names.append(name)
            codes[(position >= edge) & (position < edge + share)] = names.index(name)
            edge += share
    return Assignment(codes, tuple(names))


def _counted(
    trace: Trace, workload: Workload, route: Assignment, day: date
) -> dict[str, npt.NDArray[np.int64]]:
    """Counts of every call as the variant that answers it would bill them."""
    out = {m: np.zeros(trace.requests, dtype=np.int64) for m in _METERS}
    scope = "session" if trace.own_clocks else workload.cache.scope
    o = workload.output
    for code, variant in enumerate(route.variants):
        mine = route.codes == code
        rule, _ = cache_rule(workload, variant, day)
        cached = np.zeros(trace.requests, dtype=np.int64)
        if rule.caches and trace.has_blocks:
            raw = cached_tokens(trace.stream(), [rule.ttl_s], scope, partition=route.codes)[0]
            cached = apply_floor(raw, rule.min_tokens, rule.step)
        ratio = effort_ratio(variant, o.reference_effort, o.effort).mid
        found = meter_counts(trace, cached, rule)
        seen, thought = (
            float(found[m][mine].sum()) if m in found else 0.0 for m in ("output_text", "reasoning")
        )
        said, thinking = effort_factors(seen, thought, ratio, o.effort)
        factors = {"output_text": float(said), "reasoning": float(thinking)}
        for meter, counts in found.items():
            more = factors.get(meter, 1.0)
            shaped = np.round(counts * more).astype(np.int64) if more != 1 else counts
            out[meter] = np.where(mine, shaped, out[meter])
    return out


def _provider(variant: str, scenario: Scenario, prices: Prices | None) -> str:
    sheet = prices.sheet(variant, scenario.start) if prices is not None else None
    if sheet is not None and sheet.seller:
        return sheet.seller
    for prefix, maker in (("gpt", "openai"), ("o", "openai"), ("claude", "anthropic"),
                          ("gemini", "google"), ("grok", "x-ai")):  # fmt: skip
        if variant.startswith(prefix):
            return maker
    return "unknown"


def _tiers(workload: Workload, n: int, rng: np.random.Generator) -> list[str]:
    t = workload.tiers
    u = rng.random(n)
    names = np.full(n, "standard", dtype=object)
    edge = 0.0
    for name in ("batch", "flex", "priority"):
        share = middle(getattr(t, name))
        names[(u >= edge) & (u < edge + share)] = name
        edge += share
    return names.tolist()


def _starts(
    scenario: Scenario, workload: Workload, n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Start of each session in microseconds, following days (growth, weekdays, ramp) and hours."""
    whole = int(np.ceil(scenario.days))
    until = [month_shape(workload.volume, scenario.start, min(d, scenario.days))
             for d in range(1, whole + 1)]  # fmt: skip
    weight = np.diff([0.0, *until])
    day = rng.choice(whole, size=n, p=weight / weight.sum())
    shape = numbers_of(workload.volume.hour_shape) or [1.0] * 24
    cumulative = np.concatenate(([0.0], np.cumsum(shape))) / sum(shape)
    part = np.interp(rng.random(n), cumulative, np.arange(25) / 24)
    part *= np.where(day + 1 > scenario.days, scenario.days - day, 1.0)
    return np.sort(((day + part) * 86_400e6).astype(np.int64))


def _assemble(
    library: Trace,
    codes: npt.NDArray[np.int64],
    picks: npt.NDArray[np.int64],
    begin: npt.NDArray[np.int64],
) -> Trace:
    """The picked sessions at their new times; a copy shares only what sessions share anyway."""
    order = np.lexsort((library.time_us, codes))
    first = np.searchsorted(codes[order], np.arange(int(codes.max()) + 2))
    lengths = np.diff(first)[picks]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    at = np.repeat(first[picks] - offsets[:-1], lengths) + np.arange(int(offsets[-1]))
    rows = order[at]
    copy = np.repeat(np.arange(len(picks)), lengths)
    earliest = library.time_us[order][first[picks]]
    time = library.time_us[rows] - np.repeat(earliest, lengths) + np.repeat(begin, lengths)
    trace = library.select(rows)
    trace = Trace(
        time_us=time,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        reasoning_tokens=trace.reasoning_tokens,
        ids=_own_ids(library, codes, trace, copy),
        offsets=trace.offsets,
        block_size=trace.block_size,
        block_tokens=trace.block_tokens,
        sessions=copy,
        turns=trace.turns,
        models=trace.models,
        model_names=trace.model_names,
        clients=trace.clients,
        client_names=trace.client_names,
        name=library.name,
    )
    return trace.select(np.argsort(time, kind="stable"))


def _own_ids(
    library: Trace,
    codes: npt.NDArray[np.int64],
    trace: Trace,
    copy: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64] | None:
    """Blocks one session had to itself become the copy's own; shared ones stay shared."""
    if library.ids is None or library.offsets is None or trace.offsets is None:
        return None
    ids = library.stream().dense_ids().astype(np.int64)
    size = int(ids.max()) + 1 if len(ids) else 0
    if size == 0:
        return ids
    users = np.repeat(codes, np.diff(library.offsets))
    low = np.full(size, np.iinfo(np.int64).max)
    high = np.full(size, -1)
    np.minimum.at(low, ids, users)
    np.maximum.at(high, ids, users)
    private = low == high
    picked = _take(ids, library, trace)
    owner = np.repeat(copy, np.diff(trace.offsets))
    return np.where(private[picked], picked + size * (owner + 1), picked)


def _take(ids: npt.NDArray[np.int64], library: Trace, trace: Trace) -> npt.NDArray[np.int64]:
    """Dense ids of the picked rows: look the picked raw ids up among the library's."""
    assert library.ids is not None
    assert trace.ids is not None
    raw, at = np.unique(library.ids, return_index=True)
    return ids[at[np.searchsorted(raw, trace.ids)]]
