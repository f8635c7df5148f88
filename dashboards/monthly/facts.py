"""What a month's report says, gathered once so that every figure in it is of the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from budgets.spend.model import Budget
from budgets.spend.periods import Span
from budgets.spend.status import Status
from dashboards.explain.effects import Explanation
from dashboards.queries.anomalies import Found, Rules, store_anomalies
from dashboards.queries.budgets import budget_statuses
from dashboards.queries.explain import explain_periods
from dashboards.queries.simulated import Simulated, simulated
from dashboards.queries.spans import before, scope_of
from dashboards.queries.spend import Spend, reasons, spend
from dashboards.queries.units import Units, units
from pricing.catalogue import Catalogue
from pricing.currency import Converted, Exchange

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Month:
    """Everything the page shows of one month; money in pico-dollars."""

    span: Span
    zone: str
    days: Spend
    teams: Spend
    variants: Spend
    previous: Spend
    """The month before, in one figure."""
    why: Explanation
    """Effects from the month before to this one."""
    units: Units
    anomalies: Found
    budgets: tuple[Status, ...]
    gaps: tuple[dict[str, Any], ...]
    """Why calls are unpriced or assumed."""
    other: Converted | None
    """The total in the settings' own currency."""
    notes: tuple[str, ...]
    tested: Simulated | None = None
    """Simulated calls of the month: in no figure, unless there are no others."""

    @property
    def newest(self) -> date | None:
        """The last day with a call."""
        found = [row.keys[0].date() for row in self.days.rows]
        return max(found) if found else None


def gather(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    span: Span,
    *,
    zone: str = "UTC",
    budgets: Sequence[Budget] = (),
    exchange: Exchange | None = None,
    rules: Rules | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
) -> Month:
    """Ask everything. Budgets are judged as of the month's end, or of the day after the newest
    call if the month is still running. Raises what the questions raise."""
    held = {k: list(v) for k, v in (where or {}).items()}
    scope = scope_of(span, zone, held)
    past = before(span)
    days = spend(con, ["day", "variant"], scope)
    total = spend(con, scope=scope).total
    newest = max((r.keys[0].date() for r in days.rows), default=span.since)
    end = max(min(span.until, newest + timedelta(days=1)), span.since + timedelta(days=1))
    book = exchange or Exchange()
    judged = ()
    notes: list[str] = []
    if budgets:
        # From the day after the newest call on: a closed month has nothing left to forecast.
        made = budget_statuses(
            con, catalogue, budgets, book, zone=zone, as_of=end, day=end - timedelta(days=1)
        )
        judged, notes = made.statuses, list(made.notes)
    found = store_anomalies(
        con, catalogue, rules or Rules(), since=span.since, until=end, zone=zone, where=where
    )
    other = None
    if book.show != "USD":
        other = book.from_pico(total.cost_pico, book.show, end - timedelta(days=1))
    return Month(
        span, zone, days, spend(con, ["team"], scope), spend(con, ["variant"], scope),
        spend(con, scope=scope_of(past, zone, held)),
        explain_periods(con, past, span, zone=zone, where=held),
        units(con, scope, top_by="customer", top=8), found, judged,
        tuple(reasons(con, scope)) if total.unpriced_calls or total.assumed_calls else (),
        other, tuple(notes), simulated(con, scope),
    )  # fmt: skip
