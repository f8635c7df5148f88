"""Where a prompt's traffic comes from: its section, the defaults, or logged usage (`--from-store`).

Example: with a store that saw `prompts/answer.j2` 3,044 times a month, those calls, their mean
output and their share of cache hits replace what the configuration says of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from budgets.check.config import Size, Traffic
from budgets.check.discovery import Target
from budgets.check.options import StoreError
from budgets.check.prompts import Unit
from budgets.check.units import Problem

if TYPE_CHECKING:
    from budgets.check.engine import Run


NOTHING = Traffic()


def traffic_of(unit: Unit, target: Target, done: Run) -> tuple[Traffic, bool]:
    """The traffic of a unit, and whether the store said so. Logged numbers beat stated ones.

    With a store, a prompt whose calls were never logged needs a volume in a section of its own: the
    default of all prompts is not its traffic. What is missing becomes a problem of the run.
    """
    config = done.found.config
    stated = config.traffic
    own = target.prompt.traffic if target.prompt is not None else NOTHING
    if target.prompt is not None:
        stated = own.over(stated)
    if done.options.store is None or done.store_fault is not None:
        return stated, False
    where = target.prompt.logged if target.prompt is not None else {}
    try:
        logged = done.options.store.traffic((unit.id, unit.path), where, config.logged)
    except StoreError as error:
        done.store_fault = str(error)
        return stated, False
    if logged is None:
        if own.calls is not None:
            unit.notes.append("no logged calls: its traffic is what its section states")
        else:
            done.unlogged.append((unit, where))
        return stated.without_volume() if own.calls is None else stated, False
    update: dict[str, object] = {
        "calls_per_month": logged.calls_per_month,
        "conversations_per_month": None,
    }
    if logged.output_tokens is not None:
        low, middle, high = logged.output_tokens
        update["output_tokens"] = Size(
            low=min(low, middle), expected=middle, high=max(middle, high)
        )
    if logged.cached_share is not None:
        update["cached_share"] = logged.cached_share
    unit.notes.append(f"traffic from the store{f' ({logged.window})' if logged.window else ''}")
    if logged.input_tokens is not None:
        unit.notes.append(f"logged input: {logged.input_tokens:,} tokens a call, history included")
    return stated.model_copy(update=update), True


def store_problems(done: Run) -> Iterable[Problem]:
    """What `--from-store` could not find: the store itself, or the calls of a prompt."""
    if done.store_fault is not None:
        yield Problem("no-usage-store", f"--from-store: {done.store_fault}")
    section = done.found.config.logged
    for unit, where in done.unlogged:
        named = " and ".join(f"{name} = {' or '.join(each)}" for name, each in where.items())
        sought = named or f"{section.dimension} = {unit.id}"
        words = f"{unit.id}: no logged call with {sought} in the last {section.days} days."
        yield Problem("no-logged-calls", words, unit.path, unit.line, unit.id)
