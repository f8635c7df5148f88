"""Do the constants of the counting table hold on requests they were not found on?

    python -m benchmarks.constants ../shared/requests/openai_requests.jsonl [--seeds 5]

The recordings are cut in two by their source file, so that no conversation is in both halves. Every
number of every rule set is then found anew on one half (the value near the table's that makes most
of its requests exact; among equals the table's, because nothing speaks against it) and judged on
the other half. A table that was fitted to single recordings would lose there. Example of a line::

    seed 1: of 210 constants the half holds 70 to the table's value and chooses 1 otherwise;
    other half 96.8 % exact (table: 97.0 %)
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pricing.counting import CountingError, count, families
from pricing.counting.families import Rules, openai_family, rules_of

REACH = 4  # values on each side of the table's that are tried
Cell = tuple[str, str]  # rule set, endpoint


class Constants:
    """The table with some numbers replaced; counting asks it instead of the file."""

    def __init__(self) -> None:
        self.changed: dict[Cell, dict[str, int]] = defaultdict(dict)
        self.tried = 0
        self.held = 0  # any other value makes fewer requests exact

    def rules(self, rules: str, endpoint: str, at: Any = None) -> Rules:
        """As `pricing.counting.families.rules_of`."""
        return replace(rules_of(rules, endpoint, at), **self.changed[rules, endpoint])


def exact(records: Sequence[Mapping[str, Any]]) -> int:
    """How many of the records are counted exactly."""
    hits = 0
    for record in records:
        try:
            counted = count.count_request(record["request"], record["model"], record["endpoint"])
        except CountingError:
            continue
        hits += counted.countable and counted.total == record["prompt_tokens"]
    return hits


def refit(half: Mapping[Cell, Sequence[Mapping[str, Any]]], constants: Constants) -> list[str]:
    """Find every number on this half; returns those that differ from the table."""
    moved = []
    for cell, records in sorted(half.items()):
        table = rules_of(*cell)
        for field in fields(Rules):
            own = getattr(table, field.name)
            # bool is an int of Python's; -1 stands for "costs nothing" and is no number to vary.
            if not isinstance(own, int) or isinstance(own, bool):
                continue
            own_hits = exact(records)
            best, others = (own_hits, 0), 0
            constants.tried += 1
            for step in (n for n in range(-REACH, REACH + 1) if n):
                constants.changed[cell][field.name] = own + step
                hits = exact(records)
                others = max(others, hits)
                if hits > best[0]:
                    best = (hits, step)
            # What stays is not set, so that an earlier date's own number still holds.
            del constants.changed[cell][field.name]
            constants.held += others < own_hits
            if best[1]:
                constants.changed[cell][field.name] = own + best[1]
                moved.append(f"{cell[0]} {cell[1]} {field.name} {own} -> {own + best[1]}")
    return moved


def by_cell(records: Sequence[Mapping[str, Any]]) -> dict[Cell, list[Mapping[str, Any]]]:
    """Records by rule set and endpoint, those with rules only."""
    cells: dict[Cell, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        family = openai_family(record["model"])
        if family is not None and family.rules is not None:
            cells[family.rules, record["endpoint"]].append(record)
    return cells


def main(arguments: list[str]) -> int:
    """Print a line a split."""
    seeds = int(arguments[arguments.index("--seeds") + 1]) if "--seeds" in arguments else 2
    lines = Path(arguments[0]).read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.strip()]
    records = [
        r for r in records
        if count.count_request(r["request"], r["model"], r["endpoint"]).countable
    ]  # fmt: skip
    sources = sorted({r["source"] for r in records})
    for seed in range(1, seeds + 1):
        chosen = set(random.Random(seed).sample(sources, len(sources) // 2))
        ours = [r for r in records if r["source"] in chosen]
        theirs = [r for r in records if r["source"] not in chosen]
        before = exact(theirs)
        constants = Constants()
        count.rules_of = constants.rules
        moved = refit(by_cell(ours), constants)
        after = exact(theirs)
        count.rules_of = families.rules_of
        print(
            f"seed {seed}: of {constants.tried} constants the half holds {constants.held} to the "
            f"table's value and chooses {len(moved)} otherwise; other half "
            f"{after / len(theirs):.1%} exact (table: {before / len(theirs):.1%})",
            *moved, sep="\n    ",
        )  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
