"""Two ways to stop: the configuration is wrong (exit 2), or something could not be measured (3).

A prompt that cannot be measured does not stop the others: its :class:`PromptError` becomes a row
of the report's ``unmeasured`` list. Example: ``PromptError("undefined-variable", "…", line=3)``.
"""

from __future__ import annotations

FINE, OVER, MISUSE, UNMEASURED = 0, 1, 2, 3
"""Exit codes: fine; a limit exceeded; usage or configuration error; could not read or measure."""


class CheckConfigError(ValueError):
    """The command line or the configuration is wrong; says where and what to write instead."""


class PromptError(ValueError):
    """One prompt could not be read or measured. ``rule`` is a name `tokenbooks explain` knows."""

    def __init__(self, rule: str, message: str, *, path: str = "", line: int = 1) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.path = path
        self.line = max(1, line)
