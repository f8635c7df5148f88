"""What a caller asks of the check, what it gets back, and what a usage store must offer.

Example: ``run(CheckOptions(paths=("prompts",), models=("gpt-4o",)))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from budgets.check.config import Logged
    from pricing.catalogue import Catalogue


class StoreError(Exception):
    """Logged usage cannot be read, or not as asked: the message says why and what to do."""


@dataclass(frozen=True)
class LoggedTraffic:
    """What the store has seen of one prompt: all numbers are a month's, or a call's.

    `output_tokens` is (10th percentile, mean, 90th percentile); `input_tokens` the mean of whole
    calls; `cached_share` the share of calls that read their prefix from the cache, None when no
    call says; `window` says in words which days it covers and how a month was made of them.
    """

    calls_per_month: int
    output_tokens: tuple[int, int, int] | None = None
    cached_share: Decimal | None = None
    window: str = ""
    input_tokens: int | None = None


class StoreTraffic(Protocol):
    """Logged usage by prompt. Whoever may open the store implements it; budgets never does."""

    def traffic(
        self, names: Sequence[str], where: Mapping[str, Sequence[str]], logged: Logged
    ) -> LoggedTraffic | None:
        """Traffic of one prompt, None when no call of it was logged.

        `names` are its id and path; `where` (dimension -> values), when not empty, chooses its
        calls instead. Raises :class:`StoreError`.
        """
        ...


@dataclass(frozen=True)
class CheckOptions:
    """One run. `paths` are relative to `cwd`; what is None comes from the configuration.

    `base` is a git revision; `store` turns on `--from-store`; `at` is the instant of the prices;
    `isolated` looks for no configuration, so that `cwd` is the project.
    """

    paths: Sequence[str] = ()
    models: Sequence[str] = ()
    base: str | None = None
    config: Path | None = None
    cwd: Path = field(default_factory=Path.cwd)
    isolated: bool = False
    allow_unmeasured: bool = False
    exit_zero: bool = False
    store: StoreTraffic | None = None
    catalogue: Catalogue | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class CheckResult:
    """The report (the JSON every output is made from) and the exit code it asks for."""

    report: dict[str, Any]
    exit_code: int

    @property
    def status(self) -> str:
        """ "pass", "fail" or "unmeasured"."""
        return str(self.report["status"])
