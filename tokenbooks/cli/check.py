"""`tokenbooks check` and its companions: the CI token budget, as `budgets.check` has it."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add `check`, `init`, `explain` and `comment`."""
    from budgets.check.command import register as register_check

    register_check(app)
