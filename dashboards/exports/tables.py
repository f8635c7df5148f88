"""CSV and Parquet of the books: a row a call, a row a call and meter, or a row a group.

The file's `cost_usd` adds up to the report's total exactly: money is DECIMAL with twelve places in
either format. What has no price has an empty cost, never 0, and a `status` that says so.

    made = export_table(con, "parquet", Path("march.parquet"), Scope(since=…), rows="calls")
    made.cost_usd == spend(con, scope=Scope(since=…)).total.cost_usd
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dashboards.exports.write import ExportError, copy_query
from dashboards.queries.lines import line_query
from dashboards.queries.scope import PERIODS, Scope, dimension
from ingest.store.schema import DIMENSION_COLUMNS, routed_from
from pricing import sql
from pricing.meters import COUNTED
from pricing.money import plain, usd

if TYPE_CHECKING:
    import duckdb

Rows = Literal["calls", "meters", "groups"]
ROWS: tuple[Rows, ...] = ("calls", "meters", "groups")
DEFAULT_GROUPS = ("day", "team", "project", "variant")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. Money is pico-dollars; unpriced usage is in no cost."""

    path: Path
    format: str
    rows: int
    cost_pico: int
    unpriced_units: int
    unpriced_calls: int

    @property
    def cost_usd(self) -> Decimal:
        """The exact sum of the file's costs."""
        return usd(self.cost_pico)

    def as_json(self) -> dict[str, Any]:
        """Plain types; money as a decimal string in USD."""
        return {
            "path": str(self.path),
            "format": self.format,
            "rows": self.rows,
            "cost_usd": plain(self.cost_usd),
            "unpriced_calls": self.unpriced_calls,
            "unpriced_units": self.unpriced_units,
        }


def export_table(
    con: duckdb.DuckDBPyConnection,
    kind: Literal["csv", "parquet"],
    path: Path,
    scope: Scope | None = None,
    *,
    rows: Rows = "calls",
    by: Sequence[str] = (),
) -> Exported:
    """Write the calls of a scope. `rows`: `calls` (one each), `meters` (one a call's meter and
    price, by `by` plus day, team, variant…) or `groups` (summed by `by`).

    Raises `ScopeError` for an unknown dimension, `ExportError` when the file cannot be written.
    """
    asked = scope or Scope()
    if rows == "calls" and by:
        raise ExportError("--by groups rows: add --rows groups or --rows meters, or leave it out")
    make = {"calls": _calls, "meters": _meters, "groups": _groups}[rows]
    query, values = make(con, asked, by or DEFAULT_GROUPS)
    count = copy_query(con, query, values, path, kind=kind)
    return Exported(path, kind, count, *totals(con, asked))


def totals(con: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[int, int, int]:
    """Cost in pico-dollars, units without a price, and calls they belong to."""
    query, values = line_query(con, (), scope)
    cost, units = con.execute(
        "SELECT coalesce(sum(quantity * price_pico), 0),"
        f" coalesce(sum(quantity) FILTER (price_pico IS NULL), 0) FROM ({query})",
        values,
    ).fetchall()[0]
    where, bound = scope.clause()
    calls = con.execute(
        f"SELECT coalesce(sum(u.requests), 0) FROM {routed_from()}"
        f" WHERE ({where}) AND u.severity = 3",
        bound,
    ).fetchall()[0][0]
    return int(cost), int(units), int(calls)


def _named(by: Sequence[str]) -> str:
    """The keys under their own names; periods are dates of the reader's zone, without a clock."""

    def shown(n: int, name: str) -> str:
        if name == "hour":
            return f"strftime(k{n}, '%Y-%m-%dT%H:00')"
        return f"k{n}::DATE" if name in PERIODS else f"k{n}"

    return "".join(f'{shown(n, name)} AS "{_quoted(name)}", ' for n, name in enumerate(by))


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _calls(
    con: duckdb.DuckDBPyConnection, scope: Scope, by: Sequence[str]
) -> tuple[str, list[Any]]:
    where, values = scope.clause()
    counts = ", ".join(f"u.{m}" for m in COUNTED)
    dims = ", ".join(f"u.{d}" for d in DIMENSION_COLUMNS)
    tags = "CASE WHEN u.tags IS NULL THEN NULL ELSE CAST(to_json(u.tags) AS VARCHAR) END AS tags"
    return (
        f"SELECT u.call_key, u.occurred_at, r.provider, r.seller, r.model, r.variant, r.tier,"
        f" r.region, u.effort, {dims}, u.session, {tags}, {counts}, u.input_total, u.output_total,"
        f" u.requests, {sql.usd('u.cost_pico')} AS cost_usd,"
        f" {sql.status_name('u.severity')} AS status, u.source_cost_usd, u.failed,"
        f" u.source_format FROM {routed_from()} WHERE {where} ORDER BY u.occurred_at, u.call_key",
        values,
    )


def _meters(
    con: duckdb.DuckDBPyConnection, scope: Scope, by: Sequence[str]
) -> tuple[str, list[Any]]:
    names = list(dict.fromkeys([*by, "seller", "tier"]))
    for name in names:
        dimension(name, scope.zone)
    query, values = line_query(con, names, scope)
    return (
        f"SELECT {_named(names)}meter, sum(quantity)::DECIMAL(38,0) AS quantity,"
        f" {sql.usd('price_pico')} AS unit_price_usd,"
        f" {sql.usd('sum(quantity * price_pico)::DECIMAL(26,0)')} AS cost_usd,"
        f" CASE WHEN price_pico IS NULL THEN 'unpriced'"
        f" ELSE {sql.status_name('CASE WHEN assumed THEN greatest(route, 1) ELSE route END')} END"
        f" AS status FROM ({query}) GROUP BY ALL ORDER BY ALL",
        values,
    )


def _groups(
    con: duckdb.DuckDBPyConnection, scope: Scope, by: Sequence[str]
) -> tuple[str, list[Any]]:
    where, values = scope.clause()
    keys = [dimension(name, scope.zone) for name in by]
    bound = [value for _, extra in keys for value in extra]
    selected = "".join(f"{expression} AS k{n}, " for n, (expression, _) in enumerate(keys))
    inner = (
        f"SELECT {selected}u.requests AS n, u.input_total AS i, u.output_total AS o,"
        f" u.cost_pico AS c, u.severity AS s FROM {routed_from()} WHERE {where}"
    )
    return (
        f"SELECT {_named(by)}sum(n)::BIGINT AS calls, sum(i)::BIGINT AS input_tokens,"
        f" sum(o)::BIGINT AS output_tokens, {sql.sum_usd('c')} AS cost_usd,"
        " coalesce(sum(n) FILTER (s = 3), 0)::BIGINT AS unpriced_calls"
        f" FROM ({inner}) GROUP BY ALL ORDER BY ALL",
        bound + values,
    )
