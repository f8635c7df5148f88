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

    def words(self, see: str = f"see them with --where format={SIMULATED}") -> str:
        """A sentence for the foot of a report; `see` says how to look at them."""
        made = show_calls(self.total.calls).replace(" ", " simulated ")
        if not self.apart:
            return f"{made}, from the mock endpoint: what they would have cost, not a bill"
        cost = "unpriced" if self.total.wholly_unpriced else show_usd(self.total.cost_usd)
        return f"{made} ({cost}) not counted here{f': {see}' if see else ''}"

    def as_json(self) -> dict[str, Any]:
        """Plain types, money as text."""
        cost = None if self.total.wholly_unpriced else plain(self.total.cost_usd)
        return {"calls": self.total.calls, "cost_usd": cost, "in_total": not self.apart}


def simulated(con: duckdb.DuckDBPyConnection, scope: Scope | None = None) -> Simulated | None:
    """The simulated calls of a scope; None without any."""
    asked = scope or Scope()
    if asked.where.keys() & {"format", "tags.simulated"} or not _holds(con, "="):
        return None
    total = spend(con, (), asked.simulated()).total
    return Simulated(total, _holds(con, "<>")) if total.calls else None


def _holds(con: duckdb.DuckDBPyConnection, sign: str) -> bool:
    """Whether the store has a call that is (`=`) or is not (`<>`) simulated."""
    return bool(
        con.execute(
            f"SELECT 1 FROM calls_stored WHERE source_format {sign} ? LIMIT 1", [SIMULATED]
        ).fetchall()
    )
