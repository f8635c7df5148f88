"""Keeping the store's rates, routes and vectors in step with the catalogue.

`rates_stored` is append-only: when the catalogue changes, vanished rates get `superseded_at` and
new ones are added, so "priced as we knew it on date D" stays answerable. Routes are resolved
again as a whole (there are some hundred), and vectors compiled for the cards they use.

    open_store(…); sync(store, catalogue)      # cheap when nothing changed
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.store import resolve, rollup, schema
from ingest.store.database import Store
from pricing import sql
from pricing.catalogue import CardKey, Catalogue, Route

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SEVERITY = {name: position for position, name in enumerate(sql.STATUSES)}


def sync(store: Store, catalogue: Catalogue) -> bool:
    """Bring rates, routes and vectors up to date; True when the catalogue had changed."""
    version = catalogue.version
    held = store.con.execute("SELECT value FROM meta WHERE key = 'catalogue_version'").fetchall()
    if held and held[0][0] == version:
        return False
    with store.transaction() as con:
        _sync_rates(con, catalogue)
        resolve.reprice(con, _resolve_routes(con, catalogue))
        rollup.rebuild(con)
        con.execute("DELETE FROM meta WHERE key = 'catalogue_version'")
        con.execute("INSERT INTO meta VALUES ('catalogue_version', ?)", [version])
    return True


def _sync_rates(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Append new rates, mark vanished ones as superseded; nothing is overwritten."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    rows = [
        (
            r.rate_id, r.seller, r.variant, r.meter, r.price, r.tier, r.region, r.min_input,
            r.max_input, r.weekdays, r.minute_from, r.minute_to, r.valid_from, r.valid_to,
            r.recorded_at, None, r.in_force, r.negotiated, r.source, r.checked, r.origin, r.note,
            r.assumed,
        )
        for r in catalogue.all_rates()
    ]  # fmt: skip
    con.execute(sql.create_table("incoming_rates", schema.RATE_COLUMNS, temporary=True))
    insert_rows(con, "incoming_rates", schema.RATE_COLUMNS, rows)
    con.execute(  # written before the store kept it
        "UPDATE rates_stored SET assumed = i.assumed FROM incoming_rates AS i"
        " WHERE i.rate_id = rates_stored.rate_id AND rates_stored.assumed IS NULL"
    )
    con.execute(
        "UPDATE rates_stored SET superseded_at = ? WHERE superseded_at IS NULL"
        " AND (rate_id, coalesce(assumed, false)) NOT IN"
        " (SELECT (rate_id, assumed) FROM incoming_rates)",
        [now],
    )
    first = not con.execute("SELECT 1 FROM rates_stored LIMIT 1").fetchall()
    recorded = "recorded_at" if first else "greatest(recorded_at, ?::TIMESTAMP)"
    con.execute(
        f"INSERT INTO rates_stored BY NAME SELECT * REPLACE ({recorded} AS recorded_at)"
        " FROM incoming_rates WHERE rate_id NOT IN"
        " (SELECT rate_id FROM rates_stored WHERE superseded_at IS NULL)",
        [] if first else [now],
    )
    con.execute("DROP TABLE incoming_rates")


_Known = dict[tuple[Any, ...], int]


def _resolve_routes(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> set[int]:
    """Resolve every stored route again and compile the cards they use; returns the routes whose
    calls may now cost something else. A vector that says the same as before keeps its id."""
    before = _what_routes_say(con)
    kept: _Known = {
        row[1:]: row[0]
        for row in con.execute(
            "SELECT v.vector_id, k.seller, k.variant, k.tier, k.region,"
            " v.* EXCLUDE (vector_id, card_id)"
            " FROM rate_vectors AS v JOIN card_keys AS k ON k.card_id = v.card_id"
        ).fetchall()
    }
    rows = con.execute(
        "SELECT route_id, provider, seller_stated, model, tier_stated, region FROM routes"
        " ORDER BY route_id"
    ).fetchall()
    con.execute("DELETE FROM card_keys")
    con.execute("DELETE FROM routes")
    con.execute("DELETE FROM rate_vectors")
    con.execute("DELETE FROM vector_rates")
    con.execute("DELETE FROM list_vectors")
    _add_resolved(con, catalogue, rows, kept)
    after = _what_routes_say(con)
    return {route for route, says in after.items() if before.get(route) != says}


def _what_routes_say(con: duckdb.DuckDBPyConnection) -> dict[int, tuple[Any, ...]]:
    """All that a call's cost and status take from its route: severity and the card's vectors."""
    return {
        route: tuple(says)
        for route, *says in con.execute(
            "SELECT r.route_id, any_value(r.severity), list(v.vector_id ORDER BY v.vector_id)"
            " FROM routes AS r LEFT JOIN rate_vectors AS v ON v.card_id = r.card_id GROUP BY 1"
        ).fetchall()
    }


def add_routes(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, keys: Sequence[tuple[Any, ...]]
) -> None:
    """Add routes for new (provider, seller, model, tier, region) keys, inside a transaction."""
    known = con.execute("SELECT coalesce(max(route_id), 0) FROM routes").fetchall()[0][0]
    _add_resolved(con, catalogue, [(known + n, *key) for n, key in enumerate(keys, 1)])


def _add_resolved(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    rows: Sequence[tuple[Any, ...]],
    kept: _Known | None = None,
) -> None:
    cards = {
        CardKey(*row[1:]): row[0]
        for row in con.execute(
            "SELECT card_id, seller, variant, tier, region FROM card_keys"
        ).fetchall()
    }
    new_cards: list[tuple[int, CardKey]] = []
    routes: list[tuple[Any, ...]] = []
    for route_id, provider, seller, model, tier, region in rows:
        route = catalogue.route(provider, model, seller=seller, tier=tier, region=region)
        if route.card is not None and route.card not in cards:
            cards[route.card] = len(cards) + 1
            new_cards.append((cards[route.card], route.card))
        routes.append(route_row(route_id, (provider, seller, model, tier, region), route, cards))
    if routes:
        insert_rows(con, "routes", schema.ROUTE_COLUMNS, routes)
    if new_cards:
        con.executemany(
            "INSERT INTO card_keys VALUES (?, ?, ?, ?, ?)", [(n, *card) for n, card in new_cards]
        )
        add_vectors(con, catalogue, new_cards, kept=kept)


def route_row(
    route_id: int, key: tuple[Any, ...], route: Route, cards: dict[CardKey, int]
) -> tuple[Any, ...]:
    """One row of a routes table."""
    provider, seller, model, tier, region = key
    return (
        route_id, provider, seller, model, tier, region, route.seller, route.variant,
        route.card.tier if route.card else tier, cards[route.card] if route.card else None,
        _SEVERITY[route.status], route.reason,
    )  # fmt: skip


def add_vectors(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    cards: Sequence[tuple[int, CardKey]],
    *,
    table: str = "rate_vectors",
    rates_table: str | None = "vector_rates",
    known_at: datetime | None = None,
    kept: _Known | None = None,
) -> None:
    """Compile cards and add their vectors; the standard table gets its list-price twin too.

    `kept` are ids that vectors had before, by card and content: an equal one gets its id back.
    """
    first = con.execute(f"SELECT coalesce(max(vector_id), 0) + 1 FROM {table}").fetchall()[0][0]
    first = max([first, *(n + 1 for n in (kept or {}).values())])
    vectors, rates = sql.vector_rows(catalogue, cards, known_at=known_at, first_id=first)
    if kept:
        card_of = {number: (c.seller, c.variant, c.tier, c.region) for number, c in cards}
        ids = {v[0]: kept.get((*card_of[v[1]], *v[2:]), v[0]) for v in vectors}
        vectors = [(ids[v[0]], *v[1:]) for v in vectors]
        rates = [(ids[r[0]], *r[1:]) for r in rates]
    if vectors:
        insert_rows(con, table, sql.VECTOR_COLUMNS, vectors)
    if rates and rates_table:
        insert_rows(con, rates_table, sql.VECTOR_RATE_COLUMNS, rates)
    if table == "rate_vectors":
        listed, _ = sql.vector_rows(catalogue, cards, list_prices=True, first_id=first)
        if listed:
            insert_rows(con, "list_vectors", sql.VECTOR_COLUMNS, listed)


_ARROW = {
    "VARCHAR": "string", "BIGINT": "int64", "INTEGER": "int32", "SMALLINT": "int16",
    "BOOLEAN": "bool", "DATE": "date32",
}  # fmt: skip


def arrow_table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as an Arrow table with the columns' types: far faster to insert than row by row."""
    import pyarrow as pa

    arrow: Any = pa  # the stub of `type_for_alias` knows one name
    arrays: list[pa.Array[Any]] = []
    by_column: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ([] for _ in columns)
    for (_, kind), values in zip(columns, by_column, strict=True):
        base = kind.removesuffix(" NOT NULL")
        if base == "TIMESTAMP":
            arrays.append(pa.array(values, pa.timestamp("us")))
        elif base.startswith("DECIMAL"):
            precision, scale = base.removeprefix("DECIMAL(").removesuffix(")").split(",")
            arrays.append(pa.array(values, pa.decimal128(int(precision), int(scale))))
        elif base.startswith("MAP"):
            arrays.append(
                pa.array(
                    [None if v is None else list(v.items()) for v in values],
                    pa.map_(pa.string(), pa.string()),
                )
            )
        else:
            arrays.append(arrow.array(values, arrow.type_for_alias(_ARROW[base])))
    return pa.table(arrays, names=[name for name, _ in columns])


def insert_rows(
    con: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert rows in the columns' order through Arrow."""
    if not rows:
        return
    insert_table(con, table, arrow_table(columns, rows))


def insert_table(con: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Insert an Arrow table whose columns have the names of the table's."""
    rows_to_insert = rows  # found as a variable: a dropped view would hold it to the commit
    names = ", ".join(rows_to_insert.column_names)
    con.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM rows_to_insert")
