"""Simulated calls: what the mock endpoint answered, kept apart from what is billed.

A scope leaves them out of its totals (`scope.REAL`) as soon as the store holds a real call; this
says how many were left out and what they would have cost, so that it is never silent.

    tested = simulated(con, scope)
    tested.words()    # "12 simulated calls ($0.34) not counted here: …"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import SIMULATED, Scope, show_calls
from dashboards.queries.spend import SpendRow, spend
from pricing.money import plain, show_usd

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Simulated:
    """Calls of a scope that the mock endpoint answered. `apart`: they are in no total, because the
    store holds real calls too; otherwise the whole store is simulated."""

    total: SpendRow
    apart: bool

    def words(self) -> str:
        """A sentence for the foot of a report."""
        made = show_calls(self.total.calls).replace(" ", " simulated ")
        if not self.apart:
            return f"{made}, from the mock endpoint: what they would have cost, not a bill"
        cost = "unpriced" if self.total.wholly_unpriced else show_usd(self.total.cost_usd)
        return f"{made} ({cost}) not counted here: see them with --where format={SIMULATED}"

    def as_json(self) -> dict[str, Any]:
        """Plain types, money as text."""
        cost = None if self.total.wholly_unpriced else plain(self.total.cost_usd)
        return {"calls": self.total.calls, "cost_usd": cost, "in_total": not self.apart}


def simulated(con: duckdb.DuckDBPyConnection, scope: Scope | None = None) -> Simulated | None:
    """The simulated calls of a scope; None without any."""
    known = con.execute(
        "SELECT bool_or(source_format <> ?), bool_or(source_format = ?) FROM"
        " (SELECT DISTINCT source_format FROM calls_stored)",
        [SIMULATED, SIMULATED],
    ).fetchall()[0]
    asked = scope or Scope()
    if not known[1] or asked.where.keys() & {"format", "tags.simulated"}:
        return None
    total = spend(con, (), asked.simulated()).total
    return Simulated(total, bool(known[0])) if total.calls else None
