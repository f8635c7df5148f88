"""Bars in a terminal: progress of long work, and quantities beside each other.

>>> bar_between(-0.5, 1.0, 1.0, width=12)
'   ===|======'
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from tokenbooks.cli.output import console


@contextmanager
def progress_bar(label: str) -> Generator[Callable[[int, int], None]]:
    """A bar on standard error while a person is watching; gives a function of (done, of)."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda _done, _of: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn(label), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=screen, transient=True) as shown:
        task = shown.add_task(label, total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def bar_between(low: float, high: float, largest: float, width: int = 30) -> str:
    """A text bar from `low` to `high` (relative changes) around a middle line.

    `largest` is the change that fills one side; a change too small to draw is an empty side.
    """
    half = width // 2
    scale = half / largest if largest > 0 else 0.0

    def cells(value: float) -> int:
        return min(half, round(max(value, 0.0) * scale))

    left = cells(max(-low, -high, 0.0))
    right = cells(max(low, high, 0.0))
    return " " * (half - left) + "=" * left + "|" + "=" * right
