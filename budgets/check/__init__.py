"""The CI check: find prompts, count and price them, compare with limits and with another revision.

`run(CheckOptions(...))` returns a `CheckResult` with the report (one JSON document, all outputs are
made from it) and the exit code: 0 fine, 1 a limit exceeded, 2 usage or configuration error (raised
as `CheckConfigError`), 3 could not read or measure. It never passes silently. `register(app)` adds
the commands to a Typer application. Importing this package imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from budgets.check.command import register
    from budgets.check.engine import run
    from budgets.check.errors import CheckConfigError, PromptError
    from budgets.check.options import (
        CheckOptions,
        CheckResult,
        LoggedTraffic,
        StoreError,
        StoreTraffic,
    )
    from budgets.check.outputs import FORMATS, render

_HOME = {
    "CheckConfigError": ".errors",
    "CheckOptions": ".options",
    "CheckResult": ".options",
    "FORMATS": ".outputs",
    "LoggedTraffic": ".options",
    "PromptError": ".errors",
    "StoreError": ".options",
    "StoreTraffic": ".options",
    "register": ".command",
    "render": ".outputs",
    "run": ".engine",
}

__all__ = [
    "FORMATS", "CheckConfigError", "CheckOptions", "CheckResult", "LoggedTraffic", "PromptError",
    "StoreError", "StoreTraffic", "register", "render", "run",
]  # fmt: skip

__getattr__ = public(__name__, _HOME)
