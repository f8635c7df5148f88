"""Which variant answers which call: shares of the sessions, rules on calls, fallback on errors.

A route without `when` takes a share of the sessions with everything in them. A route with `when`
looks at each call that is left (its prompt's length, the turn it belongs to, the workload's
effort, a label) and the first rule that fits takes it; its `share` is that of the sessions the
rule applies to. Last, the share of calls that fail on the variant they should have had goes to
the fallback. A variant sees, and caches, only the calls that reach it.

    [[workloads.routing]]
    variant = "gpt-5.4"
    when = { input_tokens_over = 200000 }
    [[workloads.routing]]
    variant = "gpt-5-mini"
    when = { turn_to = 1 }
    share = 0.5
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.traffic.scenarios.numbers import middle
from ingest.traffic.scenarios.scenario import When, Workload
from ingest.traffic.traces.trace import Trace

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

# Streams of chance of their own, so that adding a rule does not change what another one drew.
_RULES, _FALLBACK = 101, 102


@dataclass(frozen=True)
class Assignment:
    """The variant of every call: codes into ``variants``, the first of which is the main one."""

    codes: IntArray
    variants: tuple[str, ...]

    def of(self, variant: str) -> BoolArray:
        """Which calls a variant answers."""
        return self.codes == self.variants.index(variant)


def has_rules(workload: Workload) -> bool:
    """Whether calls of one session can reach different variants."""
    return fallback_rate(workload) > 0 or any(r.when is not None for r in workload.routing)


def fallback_rate(workload: Workload) -> float:
    """Share of the calls that the fallback answers: as given, else that of failed calls."""
    if workload.fallback_variant is None:
        return 0.0
    if workload.fallback_rate is not None:
        return middle(workload.fallback_rate)
    return min(middle(workload.failures.failed_rate), 1.0)


def whole_session_shares(workload: Workload, main: str) -> dict[str, float]:
    """Shares of the sessions by variant, of routes without a rule; the rest is ``main``'s."""
    return {v: float(s[0]) for v, s in drawn_shares(workload, main, {}, 1).items()}


def drawn_shares(
    workload: Workload, main: str, factors: Mapping[str, FloatArray], draws: int
) -> dict[str, FloatArray]:
    """The same for ``draws`` draws; ``factors`` are those over the middle of a route's share, by
    its place. Where draws of several add up to more than all, each gives way in proportion."""
    routes = [(i, r) for i, r in enumerate(workload.routing) if r.when is None]
    wanted = {
        i: middle(r.share or 0.0) * factors.get(share_place(i), np.ones(draws)) for i, r in routes
    }
    total = sum(wanted.values(), np.zeros(draws))
    shares: dict[str, FloatArray] = {}
    for i, route in routes:
        share = wanted[i] / np.maximum(total, 1.0)
        shares[route.variant] = shares.get(route.variant, np.zeros(draws)) + share
    shares[main] = shares.get(main, np.zeros(draws)) + np.maximum(1 - total, 0.0)
    return shares


def share_place(number: int) -> str:
    """The place of a route's share in its workload."""
    return f"routing.{number}.share"


def assign(trace: Trace, workload: Workload, main: str, seed: int) -> Assignment:
    """Apply the rules and the fallback to each call of a trace with sessions. Same seed, same."""
    names = [main]
    codes = np.zeros(trace.requests, dtype=np.int64)
    assert trace.sessions is not None
    rows = np.unique(trace.sessions, return_inverse=True)[1].reshape(-1)
    sessions = int(rows.max()) + 1 if len(rows) else 0
    open_ = np.ones(trace.requests, dtype=bool)
    for number, route in enumerate(workload.routing):
        if route.when is None:
            continue
        mine = open_ & _fits(trace, workload, route.when)
        share = 1.0 if route.share is None else middle(route.share)
        if share < 1:
            mine &= _spread(sessions, share, [seed, _RULES, number])[rows]
        codes[mine] = _code(names, route.variant)
        open_ &= ~mine
    rate = fallback_rate(workload)
    if rate > 0:
        assert workload.fallback_variant is not None
        failed = _spread(trace.requests, rate, [seed, _FALLBACK])
        codes[failed] = _code(names, workload.fallback_variant)
    return Assignment(codes, tuple(names))


def variants_of(workload: Workload, main: str) -> list[str]:
    """Every variant that rules or the fallback may send a call to, the main one first."""
    ruled = [r.variant for r in workload.routing if r.when is not None]
    last = [workload.fallback_variant] if fallback_rate(workload) > 0 else []
    return list(dict.fromkeys([main, *ruled, *(v for v in last if v)]))


def _code(names: list[str], variant: str) -> int:
    if variant not in names:
        names.append(variant)
    return names.index(variant)


def _spread(n: int, share: float, key: list[int]) -> BoolArray:
    """``share`` of ``n``, chosen at random but in the right number (to within one)."""
    rng = np.random.default_rng(key)
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.permutation(n)[: int(np.floor(n * share + rng.random()))]] = True
    return chosen


def _fits(trace: Trace, workload: Workload, when: When) -> BoolArray:
    fits = np.ones(trace.requests, dtype=bool)
    if when.input_tokens_over is not None:
        fits &= trace.input_tokens > when.input_tokens_over
    if when.input_tokens_up_to is not None:
        fits &= trace.input_tokens <= when.input_tokens_up_to
    if when.turn_from is not None or when.turn_to is not None:
        turn = turns_of(trace)
        fits &= turn >= (when.turn_from or 1)
        if when.turn_to is not None:
            fits &= turn <= when.turn_to
    if when.effort is not None and workload.output.effort not in _several(when.effort):
        fits[:] = False
    if when.label is not None:
        wanted = set(_several(when.label))
        if not wanted & {workload.name, *workload.labels}:
            fits &= _labelled(trace, wanted)
    return fits


def _several(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _labelled(trace: Trace, wanted: set[str]) -> BoolArray:
    """Calls whose client or model, as recorded, is one of the labels."""
    out = np.zeros(trace.requests, dtype=bool)
    for codes, names in (
        (trace.clients, trace.client_names), (trace.models, trace.model_names),
    ):  # fmt: skip
        if codes is not None:
            hits = [i for i, name in enumerate(names) if name in wanted]
            out |= np.isin(codes, hits)
    return out


def turns_of(trace: Trace) -> IntArray:
    """The turn each call belongs to, from 1; of a recording, the call's place in its session.

    >>> t = Trace(np.arange(4), np.ones(4, int), np.ones(4, int), sessions=np.array([7, 3, 7, 7]))
    >>> turns_of(t).tolist()
    [1, 1, 2, 3]
    """
    if trace.turns is not None:
        return trace.turns
    assert trace.sessions is not None
    order = np.lexsort((trace.time_us, trace.sessions))
    codes = trace.sessions[order]
    first = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    place = np.arange(len(codes)) - np.repeat(first, np.diff(np.append(first, len(codes))))
    out = np.empty(len(codes), dtype=np.int64)
    out[order] = place + 1
    return out
