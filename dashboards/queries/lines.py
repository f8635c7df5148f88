"""Meter lines: what was used of each meter, at which price, by any dimensions; the finest sums.

Exports, volumes, explanations and anomalies all ask the same thing: tokens by meter with the price
each was charged. Calls are summed to cells of (dimensions x price vector) first, and only the few
cells are spread into meters, so ten million calls cost one scan.

    text, values = line_query(con, ["team"], scope)
    con.execute(f"SELECT k0, meter, sum(quantity * price_pico) FROM ({text}) GROUP BY ALL", values)

The sum of `quantity * price_pico` over the priced lines is the report's cost, to the pico-dollar:
a line whose meter has no price has a NULL price, never a zero, and a record without any count
has no lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, as_cheap, dimension
from ingest.store.rollup import source_for
from ingest.store.schema import routed_from, used_meters
from pricing import sql
from pricing.sql import meter_bit

if TYPE_CHECKING:
    import duckdb


def line_query(
    con: duckdb.DuckDBPyConnection,
    by: Sequence[str] = (),
    scope: Scope | None = None,
    *,
    zone: str | None = None,
    list_prices: bool = False,
) -> tuple[str, list[Any]]:
    """SELECT text and its values: columns `k0…` (as `by`), `card_id`, `vector_id`, `route`
    (severity of the route), `assumed`, `meter`, `quantity` (HUGEINT), `price_pico` (NULL:
    unpriced) and, with `list_prices`, `list_pico` (NULL: no public price).

    `zone` cuts the periods in `by` (default: the scope's zone). Raises `ScopeError`.
    """
    cells, values, meters = cell_query(con, by, scope, zone=zone, detail=True, listed=list_prices)
    keys = range(len(by))
    names = "".join(f"c.k{n}, " for n in keys)
    structs = ", ".join(
        f"{{'meter': '{m}', 'quantity': c.q_{m}, 'price_pico': v.p_{m},"
        f" 'list_pico': {f'l.p_{m}' if list_prices else 'NULL::BIGINT'},"
        f" 'assumed': c.time_assumed OR coalesce(v.assumed_meters & {meter_bit(m)} <> 0, false)}}"
        for m in meters
    )
    wide = (
        f"SELECT {names}c.card_id, c.vector_id, c.route, unnest(list_filter([{structs}],"
        " lambda x: coalesce(x.quantity, 0) > 0"
        " AND (x.meter <> 'request' OR x.price_pico IS NOT NULL))) AS line"
        f" FROM ({cells}) AS c LEFT JOIN rate_vectors AS v ON v.vector_id = c.vector_id"
        + (" LEFT JOIN list_vectors AS l ON l.vector_id = c.list_id" if list_prices else "")
    )
    plain = "".join(f"k{n}, " for n in keys)
    return (
        f"SELECT {plain}card_id, vector_id, route, line.assumed AS assumed, line.meter AS meter,"
        " line.quantity AS quantity, line.price_pico AS price_pico, line.list_pico AS list_pico"
        f" FROM ({wide})",
        values,
    )


def cell_query(
    con: duckdb.DuckDBPyConnection,
    by: Sequence[str] = (),
    scope: Scope | None = None,
    *,
    zone: str | None = None,
    detail: bool = False,
    listed: bool = False,
) -> tuple[str, list[Any], tuple[str, ...]]:
    """The cells that lines are made of: SELECT text, its values, and the meters the store counts.

    Columns `k0…` (as `by`), `card_id`, `vector_id` and, for each meter, its summed quantity as
    `q_METER` (HUGEINT); with `detail` also `route`, `time_assumed` and `list_id` (NULL unless
    `listed`). Raises `ScopeError`.
    """
    asked = scope or Scope()
    place = zone or asked.zone
    where, values = asked.clause()
    where = as_cheap(con, where)
    stored = source_for(con, [*by, *asked.where], place, whole_hours_only=asked.on_whole_hours())
    keys = [dimension(name, place) for name in by]
    bound = [value for _, extra in keys for value in extra]
    meters = used_meters(con)
    # Calls are grouped by their own columns first; what a route says is looked up for the groups.
    of_routes = {n: key for n, (key, _) in enumerate(keys) if "r." in key}
    own = "".join(f"{key} AS k{n}, " for n, (key, _) in enumerate(keys) if n not in of_routes)
    named = "".join(f"{of_routes.get(n, f'c.k{n}')} AS k{n}, " for n in range(len(keys)))
    first = "".join(f", sum(u.{sql.quantity(m)})::HUGEINT AS q_{m}" for m in meters)
    again = "".join(f", sum(c.q_{m}) AS q_{m}" for m in meters)
    inner = f"{own}u.route_id, u.vector_id"
    source = routed_from(stored) if listed or "r." in where else f"{stored} AS u"
    more = ""
    if detail:
        inner += f", u.time_assumed, {'l.vector_id' if listed else 'NULL::INTEGER'} AS list_id"
        more = ", r.severity AS route, c.time_assumed, c.list_id"
    if listed:
        source += " LEFT JOIN list_vectors AS l ON " + sql.join_condition(vector="l")
    return (
        f"SELECT {named}r.card_id, c.vector_id{more}{again} FROM (SELECT {inner}{first}"
        f" FROM {source} WHERE ({where}) AND {sql.counted()} GROUP BY ALL) AS c"
        " JOIN routes AS r ON r.route_id = c.route_id GROUP BY ALL",
        bound + values,
        meters,
    )
