"""The short way into the store for calls nobody has seen before; everything else goes by `merge`.

`ingest.store.load.merge` decides between sightings of a call, which costs some fifteen statements
however few the records are. Most of what a collector receives is new and comes once, and for such
a call that decision is empty. So a group is parted first: keys that are stored already (within the
same window) or occur twice in the group take `merge`; the rest are given their route and inserted.
The result is the same, row for row (a property test holds it), at a third of the cost:

    known keys   1 query over the window        routes   1 query, new ones resolved and added
    new calls    1 insert                       known or repeated calls   stage and merge
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.store import load, rollup, schema
from ingest.store.book import add_routes, insert_rows
from ingest.store.load import Merged
from pricing import sql
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import duckdb

_PLACE = {name: place for place, (name, _) in enumerate(load.STAGE_COLUMNS)}
_KEY, _TIME, _GUESS = (_PLACE[n] for n in ("call_key", "occurred_at", "time_assumed"))
_ROUTE = tuple(_PLACE[n] for n in ("provider", "seller_stated", "model", "tier_stated", "region"))
_ARRIVED = "arrived"
_ARRIVED_COLUMNS = (*load.STAGE_COLUMNS, ("route_id", "INTEGER"))


def put(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    rows: Sequence[tuple[Any, ...]],
    import_id: int,
    window: timedelta,
) -> Merged:
    """Store staged rows (see `load.stage_row`). Call inside a transaction."""
    times = [row[_TIME] for row in rows]
    first_at, last_at = min(times), max(times)
    known = _known(con, rows, first_at - window, last_at + window)
    repeated = {key for key, n in Counter(row[_KEY] for row in rows).items() if n > 1}
    old = [row for row in rows if row[_KEY] in known or row[_KEY] in repeated]
    new = [row for row in rows if row[_KEY] not in known and row[_KEY] not in repeated]
    merged = Merged(0, 0, 0, first_at, last_at)
    if old:
        load.create_stage(con)
        load.stage(con, old)
        merged = load.merge(con, catalogue, import_id, window=window)
    if new:
        _insert(con, catalogue, new, import_id)
    return Merged(merged.added + len(new), merged.replaced, merged.duplicates, first_at, last_at)


def _known(
    con: duckdb.DuckDBPyConnection,
    rows: Sequence[tuple[Any, ...]],
    since: datetime,
    until: datetime,
) -> set[str]:
    """Which of the rows' keys the store has: near their time, or anywhere where a time, theirs
    or the stored one, is a guess."""
    keys = [row[_KEY] for row in rows]
    if any(row[_GUESS] for row in rows):
        where, values = "true", []
    else:
        where, values = "(occurred_at BETWEEN ? AND ? OR time_assumed)", [since, until]
    found = con.execute(
        f"SELECT call_key FROM calls_stored WHERE {where}"
        " AND call_key IN (SELECT unnest(?::VARCHAR[]))",
        [*values, keys],
    ).fetchall()
    return {key for (key,) in found}


def _insert(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    rows: Sequence[tuple[Any, ...]],
    import_id: int,
) -> None:
    routes = _routes(con)
    fresh = sorted(
        {tuple(row[p] for p in _ROUTE) for row in rows} - routes.keys(),
        key=lambda key: tuple(part or "" for part in key),
    )
    if fresh:
        add_routes(con, catalogue, fresh)
        routes = _routes(con)
    con.execute(sql.create_table(_ARRIVED, _ARRIVED_COLUMNS, temporary=True))
    routed = [(*row, routes[tuple(row[p] for p in _ROUTE)]) for row in rows]
    insert_rows(con, _ARRIVED, _ARRIVED_COLUMNS, routed)
    names = [name for name, _ in schema.STORED_COLUMNS]
    computed = {"import_id": str(int(import_id)), "kinds": sql.kinds("b")}
    values = ", ".join(computed.get(name, f"b.{name}") for name in names)
    con.execute(
        f"INSERT INTO calls_stored ({', '.join(names)}) SELECT {values} FROM {_ARRIVED} AS b"
        " ORDER BY occurred_at"
    )
    hours = {row[_TIME].replace(minute=0, second=0, microsecond=0) for row in rows}
    rollup.refresh(con, hours)


def _routes(con: duckdb.DuckDBPyConnection) -> dict[tuple[Any, ...], int]:
    """Routes by (provider, seller, model, tier, region): there are some hundred."""
    found = con.execute(
        "SELECT route_id, provider, seller_stated, model, tier_stated, region FROM routes"
    ).fetchall()
    return {row[1:]: row[0] for row in found}
