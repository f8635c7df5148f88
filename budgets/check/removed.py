"""Prompts that exist only at the base: what their removal saves.

Example: a pull request deletes `prompts/old.md` and takes the second of three prompts out of
`promptfooconfig.yaml`; both are rows of the table with their tokens taken away.

A file that is still there but no longer holds a prompt is a problem instead: it is sent all the
same, and nothing measures it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from budgets.check.discovery import Target, discover
from budgets.check.errors import CheckConfigError
from budgets.check.traffic import traffic_of
from budgets.check.units import Problem, measure_unit, models_of, read_all, with_variables

if TYPE_CHECKING:
    from budgets.check.config import CheckConfig
    from budgets.check.engine import Run
    from budgets.check.measure import Counter
    from budgets.check.prompts import Unit
    from budgets.check.units import Reader


def at_base(
    done: Run, side: Reader, gone: set[str], paths: Sequence[str]
) -> list[tuple[Unit, Target]]:
    """Units of the base whose whole file, among those in `gone`, is none of today's prompts.

    A file that lost its shape becomes a problem of `done`.
    """
    lost = {path: why for path, why in done.skipped if not why.startswith("charged to ")}
    discovered = discover(side.tree, done.found.config, paths, report_gaps=False)
    discovered.targets = [
        t for t in discovered.targets
        if t.path in gone and (t.path in lost or not (done.found.root / t.path).is_file())
    ]  # fmt: skip
    pairs, _, _ = read_all(side, discovered)
    for path in dict.fromkeys(unit.path for unit, _ in pairs if unit.path in lost):
        done.problems.append(
            Problem("unknown-shape", f"{path} was a prompt at the base and is none now: "
                    f"{lost[path]}", path, 1, path)
        )  # fmt: skip
    return [(unit, target) for unit, target in pairs if unit.path not in lost]


def add_removed(
    done: Run, units: Iterable[tuple[Unit, Target]], counter: Counter, older: CheckConfig | None
) -> None:
    """Measure those units of the base that nothing of today continues; they become removed pairs.

    They come from files that still hold prompts, perhaps not all they held, and from files that are
    gone.
    """
    from budgets.check.engine import Pair

    tree = done.base_tree
    assert tree is not None
    known = {p.before or p.head.unit.id for p in done.pairs if p.head is not None}
    known |= {p.head.unit.id for p in done.pairs if p.head is not None}
    for unit, target in units:
        if unit.id in known:
            continue
        known.add(unit.id)
        try:
            models = models_of(unit, target, done.found.config, done.options)
        except CheckConfigError:
            continue
        traffic, logged = traffic_of(unit, target, done)
        if older is not None:
            traffic = with_variables(traffic, older.traffic.variables)
        made, _ = measure_unit(unit, target, models, (traffic, logged), tree, done.prices, counter)
        if made.sides:
            done.pairs.append(Pair(None, made, "removed"))
