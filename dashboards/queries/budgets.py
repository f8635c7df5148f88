"""Budgets against the store: what was spent within each, what is coming, what is crossed.

    for status in budget_statuses(con, catalogue, budgets, Exchange(), zone="Europe/Berlin"):
        status.state, status.chance

All budgets are judged as of one day, so that a team that was quiet this week is not judged by last
month. A budget in another currency is converted at the last dated rate on or before that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from budgets.spend.model import Budget, BudgetError
from budgets.spend.periods import Span, span_of
from budgets.spend.status import Status, judge
from dashboards.queries.scope import Scope, ScopeError, dimension
from dashboards.queries.simulated import simulated
from dashboards.queries.spend import spend
from pricing.catalogue import Catalogue
from pricing.currency import Exchange

if TYPE_CHECKING:
    import duckdb

    from dashboards.forecasting.outlook import Outlook

LONGEST = 400
"""Days ahead that are forecast at most; a budget that ends later has no forecast yet."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All budgets as of one day, with remarks."""

    as_of: date
    statuses: tuple[Status, ...]
    notes: tuple[str, ...]


def budget_statuses(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    budgets: Sequence[Budget],
    exchange: Exchange,
    *,
    zone: str = "UTC",
    as_of: date | None = None,
    day: date | None = None,
    now: datetime | None = None,
) -> Judged:
    """Judge every budget with what was spent before and on `as_of` (default: today), over the
    period that `day` falls in (default: `as_of`). Raises `BudgetError` for a scope that does not
    exist, `CurrencyError` for a currency without a rate."""
    from dashboards.forecasting.outlook import ForecastError, starting_day

    notes: list[str] = []
    if as_of is None:
        try:
            as_of, note = starting_day(con, Scope(zone=zone), now)
            notes += [note] if note else []
        except ForecastError:
            as_of = (now or datetime.now()).date()
            notes.append("there are no calls yet")
    made: list[Status] = []
    ahead = _Ahead(con, catalogue, zone, as_of)
    dimensions_of(budgets, zone)
    for budget in budgets:
        status, remarks = _judge(con, ahead, budget, exchange, span_of(budget, day or as_of))
        made.append(status)
        notes += remarks
    return Judged(as_of, tuple(made), tuple(dict.fromkeys(notes)))


def dimensions_of(budgets: Sequence[Budget], zone: str) -> list[str]:
    """Every dimension that judging these budgets asks for. Raises `BudgetError` for a scope that
    does not exist."""
    from dashboards.forecasting.outlook import LEAVES

    names: dict[str, None] = dict.fromkeys(("day", *LEAVES))
    for budget in budgets:
        for name in budget.scope:
            try:
                dimension(name, zone)
            except ScopeError as error:
                raise BudgetError(f"budget {budget.name!r}: scope: {error}") from error
            names[name] = None
    return list(names)


class _Ahead:
    """Outlooks of one moment: the whole store's is made once and serves every budget whose scope
    is in its leaves, so that a budget and the forecast page say the same."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, catalogue: Catalogue, zone: str, as_of: date
    ) -> None:
        self.con, self.catalogue, self.zone, self.as_of = con, catalogue, zone, as_of
        self._whole: dict[int, Outlook] = {}

    def paths(self, budget: Budget, span: Span) -> tuple[Any, Any]:
        """(paths, dates) still to come within a budget's span; nothing where nothing has a price.
        Raises `ForecastError`."""
        from dashboards.forecasting.outlook import LEAVES, look_ahead

        horizon = (span.until - self.as_of).days
        where: dict[str, list[str]] | None = None
        if set(budget.scope) <= set(LEAVES):
            if horizon not in self._whole:
                self._whole[horizon] = look_ahead(
                    self.con, self.catalogue, (), Scope(zone=self.zone), horizon=horizon,
                    start=self.as_of,
                )  # fmt: skip
            seen = self._whole[horizon]
            where = {name: [v or "(none)" for v in held] for name, held in budget.scope.items()}
        else:
            seen = look_ahead(
                self.con, self.catalogue, (), Scope(zone=self.zone, where=budget.scope),
                horizon=horizon, start=self.as_of,
            )  # fmt: skip
        within = seen.ahead(span)
        if not budget.amount.in_tokens and not seen.priced(where):
            return None, None
        paths = seen.tokens(where) if budget.amount.in_tokens else seen.money(where)
        return paths[:, within], seen.dates[within]


def _judge(
    con: duckdb.DuckDBPyConnection,
    ahead: _Ahead,
    budget: Budget,
    exchange: Exchange,
    span: Span,
) -> tuple[Status, list[str]]:
    from dashboards.forecasting.outlook import ForecastError

    zone, as_of = ahead.zone, ahead.as_of
    tokens = budget.amount.in_tokens
    limit = int(budget.amount.value)
    notes: list[str] = []
    if not tokens:
        limit = exchange.to_pico(budget.amount.value, budget.amount.unit, as_of)
        if budget.amount.unit != "USD":
            rate = exchange.rate(budget.amount.unit, as_of)
            notes.append(
                f"1 {rate.currency} = {rate.usd} USD ({rate.source}, {rate.on}),"
                f" for budget {budget.name!r}"
            )
    until = min(span.until, as_of + timedelta(days=1))
    daily: list[tuple[date, int]] = []
    missing, unknown = 0, False
    if until > span.since:
        scope = Scope(_midnight(span.since), _midnight(until), zone, budget.scope)
        tested = simulated(con, scope)
        if tested is not None:
            notes.append(f"budget {budget.name!r}: {tested.words('')}")
        answer = spend(con, ["day"], scope)
        daily = [
            (r.keys[0].date(), r.input_tokens + r.output_tokens if tokens else r.cost_pico)
            for r in answer.rows
        ]
        if not tokens:
            missing, unknown = answer.total.unpriced_tokens, answer.total.wholly_unpriced
    paths = dates = None
    if 0 < (span.until - as_of).days <= LONGEST:
        try:
            paths, dates = ahead.paths(budget, span)
        except ForecastError as error:
            notes.append(f"budget {budget.name!r}: {error}")
    status = judge(
        budget, span, limit=limit, spent=sum(v for _, v in daily), today=as_of, daily=daily,
        paths=paths, dates=dates, unpriced_tokens=missing, unknown=unknown,
    )  # fmt: skip
    return status, notes


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
