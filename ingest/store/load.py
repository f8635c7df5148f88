"""Putting a batch of records into the store: whole or not at all, and each call once.

A batch is staged in a temporary table, given its routes, and de-duplicated in two steps. Inside
the batch the best sighting of a call wins: final before partial, then the larger total. Against
the store the same rule holds: a better sighting replaces the stored one (and is logged in
`replacements`), an equal or lesser one only fills in dimensions the stored one lacks.

The search for known calls goes by key over the whole table for a file (so a call whose time
changed between sightings is still found), and over a window of days around the batch, plus every
row whose time was assumed, for the collector's small frequent batches. A row found nowhere is
new; keys never expire.

    added, replaced, duplicates = merge(con, catalogue, import_id)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.record import ReportedRow, UsageRecord
from ingest.store import rollup, schema
from ingest.store.book import add_routes, insert_rows, insert_table
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED
from pricing.usage import total_output

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

STAGE = "stage"

_ROUTE_KEYS = ("provider", "seller_stated", "model", "tier_stated", "region")

STAGE_COLUMNS: tuple[tuple[str, str], ...] = (
    *((n, k) for n, k in schema.STORED_COLUMNS if n not in ("route_id", "import_id", "kinds")),
    *((name, "VARCHAR") for name in _ROUTE_KEYS),
)
"""A staged record: the stored columns with the route spelled out. Also the columns of a batch
file in the inbox."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a staged batch."""

    added: int
    replaced: int
    duplicates: int
    first_at: datetime | None
    last_at: datetime | None


def stage_row(record: UsageRecord) -> tuple[Any, ...]:
    """One record as a row of `STAGE_COLUMNS`."""
    counts = record.counts
    return (
        record.call_key,
        record.occurred_at,
        *(counts.get(name) for name in COUNTED),
        record.input_total,
        total_output(counts),
        record.requests,
        record.total_reported,
        record.source_cost_usd,
        record.effort,
        record.source_format,
        record.finality,
        record.failed,
        record.time_assumed,
        record.latency_ms,
        record.session,
        *(record.dimensions.get(name) for name in schema.DIMENSION_COLUMNS),
        record.tags or None,
        "; ".join(record.flags) or None,
        record.line,
        record.provider,
        record.seller,
        record.model,
        record.tier,
        record.region,
    )


def create_stage(con: duckdb.DuckDBPyConnection) -> None:
    """An empty staging table of this connection's own."""
    con.execute(sql.create_table(STAGE, STAGE_COLUMNS, temporary=True))


def stage(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows (see `stage_row`) to the staging table."""
    insert_rows(con, STAGE, STAGE_COLUMNS, rows)


def stage_table(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Add rows that are already an Arrow table of `STAGE_COLUMNS`."""
    insert_table(con, STAGE, rows)


def _rank(row: str = "") -> str:
    """Which of two sightings of a call is better: the final one, then the one with more tokens,
    then the one that says more of what kind they were (a span that knows only totals must not
    hide a body that knows the cache write), then the one that knows its time."""
    prefix = f"{row}." if row else ""
    kinds = " + ".join(f"(coalesce({prefix}{m}, 0) > 0)::INTEGER" for m in COUNTED)
    return (
        f"(CASE {prefix}finality WHEN 'final' THEN 1 ELSE 0 END,"
        f" {prefix}input_total + {prefix}output_total, {kinds},"
        f" CASE WHEN {prefix}time_assumed THEN 0 ELSE 1 END)"
    )


def merge(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    import_id: int,
    *,
    window: timedelta | None = None,
) -> Merged:
    """Move the staged records into the store. Call inside a transaction.

    `window` limits the search for known calls to that much around the batch (None: everywhere).
    """
    span = con.execute(f"SELECT count(*), min(occurred_at), max(occurred_at) FROM {STAGE}")
    total, first_at, last_at = span.fetchall()[0]
    if not total:
        return Merged(0, 0, 0, None, None)
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE best AS SELECT * EXCLUDE (place) FROM ("
        f"SELECT *, row_number() OVER (PARTITION BY call_key ORDER BY {_rank()} DESC,"
        f" line NULLS LAST) AS place FROM {STAGE}) WHERE place = 1"
    )
    _fill_within_batch(con)
    _route(con, catalogue)
    limit, values = _search_limit(con, window, first_at, last_at)
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE known AS"
        " SELECT s.*, s.rowid AS stored_row FROM calls_stored AS s"
        f" SEMI JOIN best AS b ON b.call_key = s.call_key WHERE {limit}",
        values,
    )
    stored_rank, new_rank = _rank("k"), _rank("b")
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE better AS SELECT b.call_key, k.stored_row,"
        f" {new_rank} > {stored_rank} AS wins FROM best AS b JOIN known AS k USING (call_key)"
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    con.execute(
        "INSERT INTO replacements SELECT b.call_key, k.import_id, ?, ?,"
        " CASE WHEN b.finality <> k.finality THEN 'final replaces partial'"
        " WHEN b.input_total + b.output_total > k.input_total + k.output_total"
        " THEN 'larger total' ELSE 'more detail' END,"
        " k.input_total + k.output_total, b.input_total + b.output_total"
        " FROM better AS w JOIN best AS b USING (call_key) JOIN known AS k USING (call_key)"
        " WHERE w.wins",
        [import_id, now],
    )
    names = [n for n, _ in schema.STORED_COLUMNS]
    dims = {*schema.DIMENSION_COLUMNS, "session", "tags"}

    def winner(name: str) -> str:
        if name == "import_id":
            return f"{int(import_id)} AS import_id"
        if name == "kinds":
            return f"{sql.kinds('b')} AS kinds"
        if name in dims:
            return f"coalesce(b.{name}, k.{name}) AS {name}"
        return f"b.{name}"

    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE arriving AS SELECT {', '.join(map(winner, names))}"
        " FROM best AS b LEFT JOIN known AS k USING (call_key)"
        " LEFT JOIN better AS w USING (call_key) WHERE w.call_key IS NULL OR w.wins"
    )
    replaced = con.execute("SELECT count(*) FROM better WHERE wins").fetchall()[0][0]
    _fill_stored(con)
    con.execute(
        "DELETE FROM calls_stored WHERE rowid IN (SELECT stored_row FROM better WHERE wins)"
    )
    con.execute(
        f"INSERT INTO calls_stored ({', '.join(names)}) SELECT {', '.join(names)} FROM arriving"
        " ORDER BY occurred_at"
    )
    arrived = con.execute("SELECT count(*) FROM arriving").fetchall()[0][0]
    hours = con.execute(
        "SELECT DISTINCT date_trunc('hour', occurred_at) FROM"
        " (SELECT occurred_at FROM best UNION ALL SELECT occurred_at FROM known)"
    ).fetchall()
    rollup.refresh(con, [hour for (hour,) in hours])
    for table in ("best", "known", "better", "arriving"):
        con.execute(f"DROP TABLE {table}")
    added = arrived - replaced
    return Merged(added, replaced, total - arrived, first_at, last_at)


def _fill_within_batch(con: duckdb.DuckDBPyConnection) -> None:
    """Dimensions that only a lesser sighting in the same batch states are kept."""
    named = (*schema.DIMENSION_COLUMNS, "session")
    many = con.execute(
        f"SELECT count(*) FROM (SELECT call_key FROM {STAGE} GROUP BY call_key HAVING count(*) > 1)"
    ).fetchall()[0][0]
    if not many:
        return
    sets = ", ".join(f"{n} = coalesce(best.{n}, o.{n})" for n in named)
    maxima = ", ".join(f"max({n}) AS {n}" for n in named)
    con.execute(
        f"UPDATE best SET {sets} FROM (SELECT call_key, {maxima} FROM {STAGE}"
        " GROUP BY call_key HAVING count(*) > 1) AS o WHERE o.call_key = best.call_key"
    )


def _fill_stored(con: duckdb.DuckDBPyConnection) -> None:
    """A lesser sighting still tells what the stored one does not know: whose call it was."""
    named = (*schema.DIMENSION_COLUMNS, "session")
    sets = ", ".join(f"{n} = coalesce(calls_stored.{n}, b.{n})" for n in named)
    news = " OR ".join(f"(k.{n} IS NULL AND b.{n} IS NOT NULL)" for n in named)
    con.execute(
        f"UPDATE calls_stored SET {sets} FROM (SELECT b.*, k.stored_row FROM best AS b"
        " JOIN known AS k USING (call_key) JOIN better AS w USING (call_key)"
        f" WHERE NOT w.wins AND ({news})) AS b WHERE calls_stored.rowid = b.stored_row"
    )


def _route(con: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Give each record in `best` its route, adding routes for names seen for the first time."""
    same = " AND ".join(f"r.{k} IS NOT DISTINCT FROM b.{k}" for k in _ROUTE_KEYS)
    keys = ", ".join(f"b.{k}" for k in _ROUTE_KEYS)
    fresh = con.execute(
        f"SELECT DISTINCT {keys} FROM best AS b ANTI JOIN routes AS r ON {same} ORDER BY ALL"
    ).fetchall()
    if fresh:
        add_routes(con, catalogue, fresh)
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE best AS SELECT b.*, r.route_id FROM best AS b"
        f" JOIN routes AS r ON {same}"
    )


def _search_limit(
    con: duckdb.DuckDBPyConnection,
    window: timedelta | None,
    first_at: datetime,
    last_at: datetime,
) -> tuple[str, list[Any]]:
    """Where known calls may be: everywhere, or near the batch and wherever a time is a guess."""
    guess = con.execute("SELECT count(*) FROM best WHERE time_assumed").fetchall()[0][0]
    if window is None or guess:
        return "true", []
    return (
        "(s.occurred_at BETWEEN ? AND ?) OR s.time_assumed",
        [first_at - window, last_at + window],
    )


_REPORTED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("slice_key", "VARCHAR"), ("source_format", "VARCHAR"), ("provider", "VARCHAR"),
    ("kind", "VARCHAR"), ("period_start", "TIMESTAMP"), ("period_end", "TIMESTAMP"),
    ("model", "VARCHAR"), ("tier", "VARCHAR"), ("region", "VARCHAR"), ("line_item", "VARCHAR"),
    ("project", "VARCHAR"), ("api_key", "VARCHAR"), ("requests", "BIGINT"),
    ("amount", "DECIMAL(38,18)"), ("currency", "VARCHAR"), ("list_amount", "DECIMAL(38,18)"),
    *((name, "BIGINT") for name in COUNTED), ("tags", "MAP(VARCHAR, VARCHAR)"),
    ("import_id", "INTEGER"), ("line", "INTEGER"),
)  # fmt: skip


def store_reported(
    con: duckdb.DuckDBPyConnection, rows: Sequence[ReportedRow], import_id: int
) -> int:
    """Store aggregate rows; a later report of the same slice replaces the earlier one."""
    last: dict[str, ReportedRow] = {row.slice_key: row for row in rows}
    if not last:
        return 0
    con.execute(sql.create_table("incoming_reported", _REPORTED_COLUMNS, temporary=True))
    insert_rows(
        con,
        "incoming_reported",
        _REPORTED_COLUMNS,
        [
            (
                key, r.source_format, r.provider, r.kind, r.period_start, r.period_end, r.model,
                r.tier, r.region, r.line_item, r.project, r.api_key, r.requests,
                _scaled(r.amount), r.currency, _scaled(r.list_amount),
                *(r.counts.get(name) for name in COUNTED), r.tags or None, import_id, r.line,
            )
            for key, r in last.items()
        ],
    )  # fmt: skip
    con.execute("DELETE FROM reported WHERE slice_key IN (SELECT slice_key FROM incoming_reported)")
    names = ", ".join(n for n, _ in _REPORTED_COLUMNS)
    con.execute(f"INSERT INTO reported ({names}) SELECT {names} FROM incoming_reported")
    con.execute("DROP TABLE incoming_reported")
    return len(last)


def _scaled(amount: Any) -> Any:
    """An amount at the column's eighteen decimals: dashboards print up to thirty-six."""
    from decimal import ROUND_HALF_EVEN, Decimal

    from pricing.money import EXACT

    if amount is None:
        return None
    return amount.quantize(Decimal(1).scaleb(-18), ROUND_HALF_EVEN, EXACT)
