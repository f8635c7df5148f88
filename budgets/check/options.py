"""What a caller asks of the check, what it gets back, and what a usage store must offer.

Example: ``run(CheckOptions(paths=("prompts",), models=("gpt-4o",)))``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pricing.catalogue import Catalogue


@dataclass(frozen=True)
class LoggedTraffic:
    """What the store has seen of one prompt: all numbers are a month's, or a call's.

    `output_tokens` is (10th percentile, mean, 90th percentile); `cached_share` the share of calls
    that read their prefix from the cache; `window` says in words which days it covers.
    """

    calls_per_month: int
    output_tokens: tuple[int, int, int] | None = None
    cached_share: Decimal | None = None
    window: str = ""


class StoreTraffic(Protocol):
    """Logged usage by prompt. The store's package implements it; budgets never opens a database."""

    def traffic(self, prompt: str, models: Sequence[str]) -> LoggedTraffic | None:
        """Traffic of the prompt with this id (or path) on these models, None when never seen."""
        ...


@dataclass(frozen=True)
class CheckOptions:
    """One run. `paths` are relative to `cwd`; what is None comes from the configuration.

    `base` is a git revision; `store` turns on `--from-store`; `at` is the instant of the prices.
    """

    paths: Sequence[str] = ()
    models: Sequence[str] = ()
    base: str | None = None
    config: Path | None = None
    cwd: Path = field(default_factory=Path.cwd)
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
