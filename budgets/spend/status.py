"""How a budget stands: spend so far, forecast, chance to exceed, and what has been crossed.

Actual spend is exact (pico-dollars or tokens); the forecast arrives as paths, made by the caller,
because a budget may not know how the future is guessed:

    status = judge(budget, span, limit=2_500 * 10**12, spent=2_100 * 10**12, today=…,
                   paths=usd_paths, dates=coming_days)
    status.state, status.chance, status.exhaustion.median

All statistics come from the same paths: `spent + path.sum()` is where a path ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from budgets.spend.model import Action, Budget, Threshold
from budgets.spend.periods import Span
from pricing.money import EXACT, plain, show_usd, usd

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from budgets.spend.outlook import Exhaustion

State = Literal["ok", "warn", "fail", "unpriced"]
PICO = 10**12


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that is crossed, with the share of the amount that crossed it."""

    action: Action
    threshold: Threshold
    share: float


@dataclass(frozen=True, slots=True)
class Day:
    """One point of the burn-down: spent by the end of the day, and what an even pace would be.

    Whole pico-dollars or tokens; the even pace is rounded down.
    """

    day: date
    spent: int
    even: int


@dataclass(frozen=True, slots=True)
class Coming:
    """One day of the forecast: P10, P50 and P90 of the running total by its end, in USD or tokens
    (floats: for people)."""

    day: date
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Status:
    """How a budget stands. `limit` and `spent` are pico-dollars, or tokens; forecast quantiles are
    floats in the same unit's display form (USD or tokens), for people only."""

    budget: Budget
    span: Span
    limit: int
    spent: int
    today: date
    burn: tuple[Day, ...]
    ends: tuple[float, float, float] | None
    """P10, P50 and P90 of the period's end; None without a forecast."""
    chance: float | None
    exhaustion: Exhaustion | None
    crossings: tuple[Crossing, ...]
    unpriced_tokens: int = 0
    coming: tuple[Coming, ...] = ()
    """The fan: the same paths by day."""
    unknown: bool = False
    """There are calls and none has a price: what was spent is unknown, not nothing."""

    @property
    def state(self) -> State:
        """The worst action crossed; `unpriced` where nothing can be said."""
        actions = {c.action for c in self.crossings}
        if self.unknown and not actions:
            return "unpriced"
        return "fail" if "fail" in actions else "warn" if "warn" in actions else "ok"

    @property
    def spent_words(self) -> str:
        """What was spent, for people, in the budget's own currency."""
        return "unpriced" if self.unknown else self.words(self.spent)

    @property
    def limit_words(self) -> str:
        """The amount, for people."""
        return self.words(self.limit)

    def words(self, value: int | float) -> str:
        """An amount for people: whole pico-dollars or a forecast's USD, in the currency the budget
        is written in at the amount's own rate (`$48.40`, or `31.81 EUR` of `50 EUR`); tokens."""
        amount = self.budget.amount
        if amount.in_tokens:
            return f"{round(value):,} tokens"
        dollars = usd(value) if isinstance(value, int) else Decimal(repr(value))
        if amount.unit == "USD":
            return show_usd(dollars)
        own = EXACT.divide(EXACT.multiply(dollars, amount.value), usd(self.limit))
        places = max(2, 1 - own.adjusted()) if own and abs(own) < 1 else 2
        return f"{own.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,} {amount.unit}"

    @property
    def share(self) -> float:
        """Spent over the amount."""
        return float(Fraction(self.spent, self.limit))

    @property
    def left(self) -> int:
        """What is left; negative when it is overspent."""
        return self.limit - self.spent

    @property
    def exhausted_on(self) -> date | None:
        """The day on which the actual spend passed the amount, if it did."""
        return next((d.day for d in self.burn if d.spent > self.limit), None)


def judge(
    budget: Budget,
    span: Span,
    *,
    limit: int,
    spent: int,
    today: date,
    daily: Sequence[tuple[date, int]] = (),
    paths: NDArray[np.float64] | None = None,
    dates: NDArray[np.datetime64] | None = None,
    unpriced_tokens: int = 0,
    unknown: bool = False,
) -> Status:
    """Judge a budget. `limit` and `spent` in pico-dollars (or tokens); `daily` the spend by day;
    `paths`: (paths, days) USD (or tokens) still to come within the span, over `dates`;
    `unknown`: nothing that was used has a price.

    Raises ValueError for a limit that is not positive.
    """
    if limit <= 0:
        raise ValueError(f"the amount of {budget.name!r} must be above 0")
    unit = 1 if budget.amount.in_tokens else PICO
    so_far, whole = spent / unit, limit / unit
    ends = chance = when = totals = None
    coming: tuple[Coming, ...] = ()
    if paths is not None and dates is not None and paths.shape[1]:
        import numpy as np

        from budgets.spend.outlook import (
            chance_to_exceed,
            cumulative_fan,
            exhaustion,
            period_end,
        )

        totals = so_far + np.asarray(paths).sum(axis=1)
        low, middle, high = (float(q) for q in period_end(paths, so_far))
        ends = (low, middle, high)
        chance = chance_to_exceed(paths, whole, so_far)
        when = exhaustion(paths, dates, whole, so_far)
        bands = np.asarray(cumulative_fan(paths, so_far)).T.tolist()
        days = np.asarray(dates, dtype="datetime64[D]").astype(object).tolist()
        coming = tuple(Coming(d, *b) for d, b in zip(days, bands, strict=True))
    crossings: list[Crossing] = []
    for action, threshold in budget.thresholds():
        if threshold.quantile is None:
            # Whole numbers against an exact fraction: on the threshold is not above it.
            if Fraction(spent) > threshold.share * limit:
                crossings.append(Crossing(action, threshold, float(Fraction(spent, limit))))
        elif totals is not None:
            import numpy as np

            end = float(np.quantile(totals, threshold.quantile / 100))
            if end > float(threshold.share) * whole:
                crossings.append(Crossing(action, threshold, end / whole))
    return Status(
        budget, span, limit, spent, today, _burn(span, limit, today, daily), ends, chance, when,
        tuple(crossings), unpriced_tokens, coming, unknown,
    )  # fmt: skip


def _burn(
    span: Span, limit: int, today: date, daily: Sequence[tuple[date, int]]
) -> tuple[Day, ...]:
    """The running total by day, from the period's first day to today."""
    by_day: dict[date, int] = {}
    for day, value in daily:
        by_day[day] = by_day.get(day, 0) + value
    running = 0
    points: list[Day] = []
    for n in range(min(span.days, (today - span.since).days + 1)):
        day = span.since + timedelta(days=n)
        running += by_day.get(day, 0)
        points.append(Day(day, running, limit * (n + 1) // span.days))
    return tuple(points)


def as_json(status: Status) -> dict[str, Any]:
    """Plain types; money as exact decimal strings in USD, forecasts rounded to the cent."""
    tokens = status.budget.amount.in_tokens

    def exact(value: int) -> Any:
        return value if tokens else plain(usd(value))

    def guess(value: float) -> Any:
        return round(value) if tokens else f"{value:.2f}"

    unit = "tokens" if tokens else "usd"
    when = status.exhaustion
    return {
        "name": status.budget.name,
        "state": status.state,
        "scope": status.budget.scope,
        "since": status.span.since.isoformat(),
        "until": status.span.until.isoformat(),
        "amount": str(status.budget.amount),
        f"amount_{unit}": exact(status.limit),
        f"spent_{unit}": None if status.unknown else exact(status.spent),
        f"left_{unit}": None if status.unknown else exact(status.left),
        "spent_share": None if status.unknown else round(status.share, 6),
        "unpriced_tokens": status.unpriced_tokens,
        "forecast": None
        if status.ends is None
        else {
            f"{name}_{unit}": guess(v)
            for name, v in zip(("p10", "p50", "p90"), status.ends, strict=True)
        },
        "chance_to_exceed": None if status.chance is None else round(status.chance, 4),
        "exhausted_on": None if status.exhausted_on is None else status.exhausted_on.isoformat(),
        "exhaustion": None
        if when is None
        else {
            "p10": _day(when.early),
            "p50": _day(when.median),
            "p90": _day(when.late),
            "not_within_period": round(when.not_exhausted, 4),
        },
        "crossed": [
            {"action": c.action, "threshold": str(c.threshold), "share": round(c.share, 6)}
            for c in status.crossings
        ],
        "burn_down": [
            {
                "day": d.day.isoformat(),
                f"spent_{unit}": exact(d.spent),
                f"even_{unit}": exact(d.even),
            }
            for d in status.burn
        ],
        "burn_down_forecast": [
            {
                "day": c.day.isoformat(),
                f"p10_{unit}": guess(c.low),
                f"p50_{unit}": guess(c.middle),
                f"p90_{unit}": guess(c.high),
            }
            for c in status.coming
        ],
    }  # fmt: skip


def _day(value: Any) -> str | None:
    return None if value is None else str(value)[:10]
