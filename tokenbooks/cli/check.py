"""`tokenbooks check` and its companions: the CI token budget, as `budgets.check` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pricing.catalogue import Catalogue


def _catalogue() -> Catalogue:
    """The price table of the settings: negotiated cards and discounts hold in CI too."""
    from tokenbooks.cli.common import catalogue, settings

    return catalogue(settings())


def register(app: typer.Typer) -> None:
    """Add `check`, `init`, `explain` and `check-comment`."""
    from budgets.check.command import register as register_check

    register_check(app, catalogue=_catalogue)
