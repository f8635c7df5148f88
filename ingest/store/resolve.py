"""What each stored call resolves to: its vector, its cost, what the cache saved, its status.

These four columns of `calls_stored` are an index, not facts: a function of the call's counts and
instant and of the store's rate vectors, kept so that a report is a plain sum. They are written
with each import and written anew, in the same transaction, for every route whose card or prices
changed; the store's `catalogue_version` says which catalogue they stand for. A question priced by
other prices ("as known on D", "at today's rates") computes the same columns instead (`repriced`).

    insert(con, "SELECT … FROM best …")     # an import's calls, with what they resolve to
    reprice(con, [3, 17])                   # the prices of two routes moved

`mismatches` counts the calls whose columns are not what their vectors say: the doctor asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ingest.store.schema import RESOLVED_COLUMNS, ranged_from
from pricing import sql
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import duckdb

NAMES = tuple(name for name, _ in RESOLVED_COLUMNS)


def columns(
    usage: str = "u",
    vector: str = "v",
    route: str = "r",
    meters: Sequence[str] = COUNTED,
) -> tuple[str, ...]:
    """The expressions of the resolved columns, in their order, without names. `meters` may leave
    out those that no call counts."""
    return (
        f"{vector}.vector_id",
        sql.cost_pico(vector, usage, (*meters, "request")),
        sql.cache_savings(vector, usage, meters),
        f"({sql.severity(vector, usage, route)})::UTINYINT",
    )


def insert(
    con: duckdb.DuckDBPyConnection,
    query: str,
    *,
    kinds: str = "",
    meters: Sequence[str] = COUNTED,
    ordered: bool = False,
) -> None:
    """Store the calls a query gives (`schema.STORED_COLUMNS`, by name; one that is left out is
    NULL), in time order, with what they resolve to; their routes must be there. Call inside a
    transaction.

    `kinds`: a cheaper query of the calls' `kinds` alone. `meters`: the counts that the query has.
    `ordered`: its calls come in the order of time.
    """
    named = _named(meters)
    order = "" if ordered else " ORDER BY u.occurred_at"
    con.execute(
        f"INSERT INTO calls_stored BY NAME SELECT u.*, {named}"
        f" FROM {ranged_from(f'({query})')}{order}"
    )
    con.execute(
        "INSERT INTO kinds_seen SELECT s.kinds FROM (SELECT DISTINCT kinds"
        f" FROM ({kinds or query}) WHERE kinds > 0) AS s ANTI JOIN kinds_seen AS k"
        " ON k.kinds = s.kinds"
    )


def _named(meters: Sequence[str] = COUNTED) -> str:
    """The resolved columns with their names, as a SELECT's list."""
    return ", ".join(f"{e} AS {n}" for n, e in zip(NAMES, columns(meters=meters), strict=True))


def repriced(stored: str, vectors: str, at: str = "") -> str:
    """A relation like `stored`, its resolved columns computed from another vector table, or at
    another instant than each call's own (`at`, an SQL expression)."""
    return f"(SELECT u.* REPLACE ({_named()}) FROM {ranged_from(stored, vectors, at=at)})"


def reprice(con: duckdb.DuckDBPyConnection, routes: Iterable[int] | None = None) -> int:
    """Resolve the stored calls of these routes again (None: all); returns how many changed.

    Call inside a transaction. Only rows that differ are written.
    """
    limit = "true"
    if routes is not None:
        wanted = sorted(set(routes))
        if not wanted:
            return 0
        limit = f"u.route_id IN ({', '.join(str(int(n)) for n in wanted)})"
    last = con.execute("SELECT coalesce(max(rowid), -1) FROM calls_stored").fetchall()[0][0]
    return sum(_reprice(con, limit, at) for at in range(0, last + 1, _AT_ONCE))


_AT_ONCE = 5_000_000
"""Calls resolved in one pass: what changes is held in memory until they are written."""


def _reprice(con: duckdb.DuckDBPyConnection, limit: str, first: int) -> int:
    """Resolve the calls of these routes anew in one range of rows; how many changed."""
    # Through a table of its own: an UPDATE must not join to the output of a join (`database`).
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE resolved_anew AS SELECT * FROM (SELECT u.rowid AS row,"
        f" {_named()}, {', '.join(f'u.{n} AS old_{n}' for n in NAMES)}"
        f" FROM {ranged_from()} WHERE {limit} AND u.rowid >= {first} AND u.rowid <"
        f" {first + _AT_ONCE})"
        f" WHERE {' OR '.join(f'{n} IS DISTINCT FROM old_{n}' for n in NAMES)}"
    )
    changed = con.execute("SELECT count(*) FROM resolved_anew").fetchall()[0][0]
    if changed:
        con.execute(
            f"UPDATE calls_stored SET {', '.join(f'{n} = x.{n}' for n in NAMES)}"
            " FROM resolved_anew AS x WHERE calls_stored.rowid = x.row"
            f" AND calls_stored.rowid >= {first} AND calls_stored.rowid < {first + _AT_ONCE}"
        )
    con.execute("DROP TABLE resolved_anew")
    return changed


def mismatches(con: duckdb.DuckDBPyConnection) -> int:
    """Stored calls whose resolved columns differ from what their route and vectors say."""
    differs = " OR ".join(
        f"({e}) IS DISTINCT FROM u.{n}" for n, e in zip(NAMES, columns(), strict=True)
    )
    return con.execute(f"SELECT count(*) FROM {ranged_from()} WHERE {differs}").fetchall()[0][0]
