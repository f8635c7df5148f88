"""Why stored cost moved between two periods: cells from the store, exact effects between them.

    answer = explain_periods(con, march, april, zone="Europe/Berlin", by=["team", "variant"])
    sum(answer.effects.values()) == answer.after - answer.before      # always, to the pico-dollar

`before` and `after` are the two reports' totals: what has no price is in neither, and is counted
beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from budgets.spend.periods import Span
from dashboards.explain.effects import Cell, Explanation, explain
from dashboards.queries.lines import line_query
from dashboards.queries.scope import Scope, show_value
from dashboards.queries.spans import scope_of

if TYPE_CHECKING:
    import duckdb

DEFAULT_BY = ("team", "variant")


def cells(
    con: duckdb.DuckDBPyConnection, scope: Scope, by: Sequence[str] = DEFAULT_BY
) -> list[Cell]:
    """Usage of a scope by group, tier, meter and price. Raises `ScopeError`."""
    names = [*by, "tier"]
    query, values = line_query(con, names, scope)
    keys = ", ".join(f"k{n}" for n in range(len(names)))
    rows = con.execute(
        f"SELECT {keys}, meter, price_pico, sum(quantity) FROM ({query}) GROUP BY ALL ORDER BY ALL",
        values,
    ).fetchall()
    return [
        Cell(
            tuple(show_value(k, n) for k, n in zip(row[: len(by)], by, strict=True)),
            row[len(by)] or "(none)", row[-3], int(row[-1]), row[-2],
        )
        for row in rows
    ]  # fmt: skip


def explain_periods(
    con: duckdb.DuckDBPyConnection,
    before: Span,
    after: Span,
    *,
    zone: str = "UTC",
    by: Sequence[str] = DEFAULT_BY,
    where: dict[str, list[str]] | None = None,
) -> Explanation:
    """Effects between two periods of the same scope. Raises `ScopeError`."""
    old, new = (cells(con, scope_of(span, zone, where), by) for span in (before, after))
    return explain(old, new)
