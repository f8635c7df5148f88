"""The line a finding points at: where a prompt grew most, else where it starts.

Example: a change that adds one word on line 2 and a paragraph on lines 10-14 points at line 10.
If the prompt's own file did not change, the include that did is named.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from budgets.check.errors import PromptError
from budgets.check.tree import WorkTree, text

if TYPE_CHECKING:
    from budgets.check.engine import Pair, Run


def grown_line(done: Run, pair: Pair) -> tuple[str, int]:
    """(path, line) in the working tree."""
    assert pair.head is not None
    unit = pair.head.unit
    then = done.base_tree
    if pair.base is None or pair.status == "unchanged" or then is None:
        return unit.path, unit.line
    now = WorkTree(done.found.root)
    found: list[tuple[int, str, int]] = []
    # The prompt's own file comes first, so it is named when an include grew just as much.
    places = [(unit.path, pair.base.unit.path), *((p, p) for p in sorted(unit.files - {unit.path}))]
    for path, before in places:
        try:
            new_text = text(now, path) if now.exists(path) else ""
            old_text = text(then, before) if then.exists(before) else ""
        except PromptError:
            continue
        grown = most_grown(old_text, new_text)
        if grown is not None:
            found.append((-grown[0], now.real(path), grown[1]))
    if not found:
        return unit.path, unit.line
    _, path, line = min(found, key=lambda each: each[0])
    return path, line


def most_grown(before: str, after: str) -> tuple[int, int] | None:
    """(characters gained, first line) of the largest net addition; None when nothing was added."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) * len(new) > 4_000_000:
        # Quadratic in the worst case: for huge files the first differing line is enough.
        if old == new:
            return None
        pairs = zip(old, new, strict=False)
        same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new) - 1))
        return max(1, len(after) - len(before)), same + 1
    best: tuple[int, int] | None = None
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag in ("insert", "replace"):
            gain = sum(map(len, new[j1:j2])) - sum(map(len, old[i1:i2])) + 1
            if gain > 0 and (best is None or gain > best[0]):
                best = (gain, j1 + 1)
    return best
