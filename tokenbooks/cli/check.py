"""`tokenbooks check` and its companions: the CI token budget, as `budgets.check` has it."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from budgets.check.config import Logged
    from budgets.check.options import LoggedTraffic, StoreTraffic
    from pricing.catalogue import Catalogue


def _catalogue() -> Catalogue:
    """The price table of the settings: negotiated cards and discounts hold in CI too."""
    if _nothing_set():
        from pricing.catalogue import default_catalogue

        return default_catalogue()
    from tokenbooks.cli.common import catalogue, settings

    return catalogue(settings())


def _nothing_set() -> bool:
    """Whether there is no setting but `[check]` itself, which has a reader of its own.

    Then there is nothing to validate, and the settings' machinery is not worth its start.
    """
    set_outside = {name.upper() for name in os.environ if name.upper().startswith("TOKENBOOKS_")}
    if set_outside - {"TOKENBOOKS_DB", "TOKENBOOKS_TOKENIZER", "TOKENBOOKS_CACHE_DIR"}:
        return False
    from budgets.check.config import find_file, sections
    from budgets.check.errors import CheckConfigError

    file = find_file(Path.cwd())
    try:
        return file is None or sections(file) <= {"check"}
    except CheckConfigError:
        return False


class _Unreadable:
    """A store that could not be opened: every question to it is the same named failure."""

    def __init__(self, why: str) -> None:
        self._why = why

    def traffic(
        self, names: Sequence[str], where: Mapping[str, Sequence[str]], logged: Logged
    ) -> LoggedTraffic | None:
        from budgets.check.options import StoreError

        raise StoreError(self._why)


@contextmanager
def _logged(db: Path | None) -> Generator[StoreTraffic]:
    """Logged usage for `--from-store`, open as long as the check runs."""
    from dashboards.queries.prompts import LoggedPrompts
    from ingest.store.database import StoreError, open_reader
    from tokenbooks.cli.common import database, settings

    chosen = settings()
    try:
        store = open_reader(database(db, chosen))
    except StoreError as error:
        yield _Unreadable(str(error))
        return
    try:
        yield LoggedPrompts(store.con, chosen.timezone)
    finally:
        store.close()


def register(app: typer.Typer) -> None:
    """Add `check`, `init`, `explain` and `check-comment`."""
    from budgets.check.command import register as register_check

    register_check(app, catalogue=_catalogue, store=_logged)
