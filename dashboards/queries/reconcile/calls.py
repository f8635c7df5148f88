"""Call by call: what a source says it charged against what the price list makes of the call.

usage.cost 0.025265, computed 0.025265: nothing to explain; 0.03 written in cents: rounding
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards.queries.reconcile.answer import Reconciled, Row, ordered
from dashboards.queries.scope import Scope, dimension
from ingest.store.schema import routed_from

if TYPE_CHECKING:
    import duckdb


def reconcile_calls(
    con: duckdb.DuckDBPyConnection, by: Sequence[str] = ("format",), scope: Scope | None = None
) -> Reconciled:
    """Calls with a stated charge, by any dimensions. Raises `ScopeError` for an unknown one."""
    asked = scope or Scope()
    where, values = asked.clause()
    keys = [dimension(name, asked.zone) for name in by]
    bound = [value for _, extra in keys for value in extra]
    named = "".join(f"{expression} AS k{n}, " for n, (expression, _) in enumerate(keys))
    groups = "".join(f"k{n}, " for n in range(len(keys)))
    charged = "(u.source_cost_usd * 1000000000000)::HUGEINT"
    digits = "length(rtrim(split_part(u.source_cost_usd::VARCHAR, '.', 2), '0'))"
    rows = con.execute(
        f"WITH each AS (SELECT {named} u.source_format AS f, r.seller AS s, {charged} AS charged,"
        f" coalesce(u.cost_pico, 0)::HUGEINT AS computed, u.severity AS severity,"
        f" {digits} AS digits, u.requests AS n"
        f" FROM {routed_from()} WHERE u.source_cost_usd IS NOT NULL AND {where}),"
        # The finest digit a source writes, cents at least, is its unit; half of it is rounding.
        " told AS (SELECT *, charged - computed AS off,"
        "  (10 ** (12 - greatest(max(digits) OVER (PARTITION BY f, s), 2)))::HUGEINT AS unit"
        "  FROM each),"
        " caused AS (SELECT *, CASE WHEN severity = 3 THEN 'unpriced'"
        "  WHEN 2 * abs(off) <= greatest(unit, 2) THEN 'rounding'"
        "  WHEN severity > 0 THEN 'assumed' ELSE 'unexplained' END AS cause FROM told)"
        f" SELECT {groups} cause, sum(n)::BIGINT, sum(charged), sum(computed) FROM caused"
        " GROUP BY ALL",
        [*bound, *values],
    ).fetchall()
    found: dict[tuple[Any, ...], Row] = {}
    for *key, cause, calls, paid, computed in rows:
        row = found.setdefault(tuple(key), Row(tuple(key), 0, 0, 0))
        row.calls += int(calls)
        row.charged_pico += int(paid)
        row.computed_pico += int(computed)
        row.causes[cause] += int(paid) - int(computed)
    silent = con.execute(
        f"SELECT coalesce(sum(u.requests), 0)::BIGINT FROM {routed_from()}"
        f" WHERE u.source_cost_usd IS NULL AND {where}",
        values,
    ).fetchall()[0][0]
    states = "call states no charge of its own" if silent == 1 else "calls state no charge"
    notes = (f"{silent:,} {states}",) if silent else ()
    return Reconciled(tuple(by), ordered(found.values()), notes)
