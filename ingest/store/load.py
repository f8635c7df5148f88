"""Putting a batch of records into the store: whole or not at all, and each call once.

A batch is staged in a temporary table, given its routes, and de-duplicated in two steps. Inside
the batch the best sighting of a call wins: final before partial, then the larger total. Against
the store the same rule holds: a better sighting replaces the stored one (and is logged in
`replacements`), an equal or lesser one only fills in what the stored one does not know: dimensions,
tags, tier, time. Which files came first makes no difference, unless sightings contradict each
other in what they fill in: then the one seen first stays.

The search for known calls goes by key over the whole table for a file (so a call whose time
changed between sightings is still found), and over a window of days around the batch, plus every
row whose time was assumed, for the collector's small frequent batches. A row found nowhere is
new; keys never expire.

    added, replaced, duplicates = merge(con, catalogue, import_id)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from ingest.record import UsageRecord
from ingest.store import resolve, rollup, schema
from ingest.store.book import add_routes, insert_rows
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.json_types import JsonDict
from pricing.meters import COUNTED
from pricing.money import EXACT
from pricing.usage import total_output

if TYPE_CHECKING:
    import duckdb

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


MOST_TOKENS = 10**10
MOST_SEARCHES = 10**7
MOST_REQUESTS = 10**8
"""Counts of one record beyond which it is refused: below them no cost leaves 64 bits of
pico-dollars at any price published so far (one absurd row would stop every report)."""


def refusal(record: UsageRecord) -> str | None:
    """Why the store does not take a record, or None."""
    tokens = record.input_total + total_output(record.counts)
    if tokens > MOST_TOKENS:
        return f"{tokens:,} tokens in one call: more than {MOST_TOKENS:,} cannot be right"
    searches = (record.counts.get("web_search") or 0) + (record.counts.get("file_search") or 0)
    if searches > MOST_SEARCHES:
        return f"{searches:,} searches in one call: more than {MOST_SEARCHES:,} cannot be right"
    if not 1 <= record.requests <= MOST_REQUESTS:
        return f"requests = {record.requests:,} is not between 1 and {MOST_REQUESTS:,}"
    return None


def stage_row(record: UsageRecord) -> tuple[Any, ...]:
    """One record as a row of `STAGE_COLUMNS`."""
    row = _stage_row(record)
    try:
        for value in row:
            if isinstance(value, str):
                value.encode()
        for name, value in record.tags.items():
            f"{name}{value}".encode()
    except UnicodeEncodeError:  # JSON can spell half a character, no table can hold one
        return tuple(map(_clean, row))
    return row


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, JsonDict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    return value


def _stage_row(record: UsageRecord) -> tuple[Any, ...]:
    counts = record.counts
    return (
        record.call_key,
        record.occurred_at,
        *(counts.get(name) for name in COUNTED),
        record.input_total,
        total_output(counts),
        record.requests,
        record.total_reported,
        _charge(record.source_cost_usd),
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


def stage(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> set[str]:
    """Add rows (see `stage_row`) to the staging table; the columns that any of them fills."""
    there = [n for n, values in enumerate(zip(*rows, strict=True)) if _any(values)]
    columns = [STAGE_COLUMNS[n] for n in there]
    insert_rows(con, STAGE, columns, [[row[n] for n in there] for row in rows])
    return {name for name, _ in columns}


def _any(values: tuple[Any, ...]) -> bool:
    return any(value is not None for value in values)


# What any sighting of a call may tell and the winner may not know: whose call it was, on which
# tier. The counts are never mixed: they are the winner's alone.
_FILLED = (
    *schema.DIMENSION_COLUMNS, "session", "effort", "latency_ms", "seller_stated", "model",
    "tier_stated", "region",
)  # fmt: skip


def _order() -> str:
    """Which of several sightings of a call is best, as ORDER BY terms: the final one, then the one
    with more tokens, then the one that says more of what kind they were (a span that knows only
    totals must not hide a body that knows the cache write), then the one that knows its time.

    The rest decides between equals by what they say, not by when they came: files imported in
    another order make the same store.
    """
    kinds = " + ".join(f"(coalesce({m}, 0) > 0)::INTEGER" for m in COUNTED)
    return (
        "(finality = 'final') DESC, input_total + output_total DESC,"
        f" {kinds} DESC, time_assumed, occurred_at, source_format, provider, model NULLS LAST,"
        f" tier_stated NULLS LAST, region NULLS LAST, {', '.join(COUNTED)},"
        " stored_row NULLS LAST, line NULLS LAST"
    )


def _fold(sightings: str) -> str:
    """One row a call from several sightings: the best one, and what only the others know."""

    def column(name: str) -> str:
        best = f"any_value({name}) FILTER (place = 1)"
        if name in _FILLED:
            return f"arg_min({name}, place) AS {name}"
        if name == "occurred_at":
            known = "arg_min(occurred_at, place) FILTER (NOT time_assumed)"
            return f"coalesce({known}, {best}) AS occurred_at"
        if name == "time_assumed":
            return "bool_and(time_assumed) AS time_assumed"
        if name == "source_cost_usd":  # a partial sighting's charge is not the call's
            final = "arg_min(source_cost_usd, place) FILTER (finality = 'final')"
            return f"coalesce({best}, {final}) AS source_cost_usd"
        if name == "tags":
            maps = "list(tags ORDER BY place DESC) FILTER (tags IS NOT NULL)"
            return f"list_reduce({maps}, lambda a, b: map_concat(a, b)) AS tags"
        return f"{best} AS {name}"

    names = [n for n, _ in STAGE_COLUMNS if n != "call_key"]
    return (
        f"SELECT call_key, {', '.join(map(column, names))},"
        " any_value(import_id) FILTER (place = 1) AS import_id,"
        " any_value(stored_row) FILTER (place = 1) AS stored_row,"
        " count(stored_row) AS stored_rows FROM (SELECT *, row_number() OVER"
        f" (PARTITION BY call_key ORDER BY {_order()}) AS place FROM ({sightings}))"
        " GROUP BY call_key"
    )


def merge(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    import_id: int,
    *,
    window: timedelta | None = None,
    small: bool = False,
    filled: Collection[str] | None = None,
) -> Merged:
    """Move the staged records into the store. Call inside a transaction.

    `filled`: the columns that any of the records has (None: not known), as `stage` gives them.

    `window` limits the search for known calls to that much around the batch (None: everywhere).
    `small` says that many such batches follow one another: the rollup is left for later, and the
    caller sees to `rollup.catch_up`.
    """
    total, first_at, last_at, guessed, apart = con.execute(
        "SELECT count(*), min(occurred_at), max(occurred_at), count(*) FILTER (time_assumed),"
        f" count(DISTINCT call_key) FROM {STAGE}"
    ).fetchall()[0]
    if not total:
        return Merged(0, 0, 0, None, None)
    best_of_batch(con, int(import_id), repeated=apart < total)
    limit, values = _search_limit(window, first_at, last_at, guessed)
    among = f"SEMI JOIN best AS b ON b.call_key = s.call_key WHERE {limit}"
    met = con.execute(f"SELECT 1 FROM calls_stored AS s {among} LIMIT 1", values).fetchall()
    if not met:
        _insert_routed(con, catalogue, filled, small=small)
        _touch(con, "best", small=small)
        con.execute("DROP TABLE best")
        return Merged(apart, 0, total - apart, first_at, last_at)
    names = ", ".join(f"s.{n}" for n, _ in schema.STORED_COLUMNS if n not in ("route_id", "kinds"))
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE known AS SELECT {names},"
        f" {', '.join(f'r.{k}' for k in _ROUTE_KEYS)}, s.rowid AS stored_row"
        f" FROM calls_stored AS s JOIN routes AS r ON r.route_id = s.route_id {among}",
        values,
    )
    replaced, changed = _meet_known(con, int(import_id))
    con.execute("DELETE FROM best WHERE call_key IN (SELECT call_key FROM known)")
    con.execute(
        "DELETE FROM calls_stored WHERE rowid IN"
        " (SELECT stored_row FROM known SEMI JOIN changed USING (call_key))"
    )
    con.execute(
        "INSERT INTO best BY NAME SELECT * EXCLUDE (stored_row, stored_rows),"
        " NULL AS stored_row FROM changed"
    )
    _insert_routed(con, catalogue, None, small=small)
    arrived = con.execute("SELECT count(*) FROM best").fetchall()[0][0]
    both = "(SELECT occurred_at FROM best UNION ALL SELECT occurred_at FROM known)"
    _touch(con, both, small=small)
    for table in ("best", "known", "changed"):
        con.execute(f"DROP TABLE {table}")
    added = arrived - changed
    return Merged(added, replaced, total - added - replaced, first_at, last_at)


def _touch(con: duckdb.DuckDBPyConnection, calls: str, *, small: bool) -> None:
    """Have the hours of these calls summed anew, now or (`small`) later."""
    hours = con.execute(f"SELECT DISTINCT date_trunc('hour', occurred_at) FROM {calls}").fetchall()
    (rollup.defer if small else rollup.refresh)(con, [hour for (hour,) in hours])


def best_of_batch(con: duckdb.DuckDBPyConnection, import_id: int, *, repeated: bool = True) -> None:
    """Turn the staging table into `best`: one row a call, with the import's id. Calls staged once
    stay where they are; only those staged more often (`repeated`: there may be any) are folded."""
    con.execute(f"ALTER TABLE {STAGE} ADD COLUMN import_id INTEGER DEFAULT {int(import_id)}")
    con.execute(f"ALTER TABLE {STAGE} ADD COLUMN stored_row BIGINT")
    if repeated:
        con.execute(
            "CREATE OR REPLACE TEMPORARY TABLE often AS SELECT call_key, count(*) AS n"
            f" FROM {STAGE} GROUP BY call_key HAVING count(*) > 1"
        )
        number = con.execute("SELECT coalesce(sum(n), 0) FROM often").fetchall()[0][0]
        if number:
            sightings = f"SELECT * FROM {STAGE} SEMI JOIN often USING (call_key)"
            _fold_into(con, "folded", sightings, number, "SELECT f.* EXCLUDE (stored_rows)")
            con.execute(f"DELETE FROM {STAGE} WHERE call_key IN (SELECT call_key FROM often)")
            con.execute(f"INSERT INTO {STAGE} BY NAME SELECT * FROM folded")
            con.execute("DROP TABLE folded")
        con.execute("DROP TABLE often")
    con.execute("DROP TABLE IF EXISTS best")
    con.execute(f"ALTER TABLE {STAGE} RENAME TO best")


_FOLDED_AT_ONCE = 400_000
"""Sightings folded in one query: their texts and tags are held in memory until it ends."""


def _fold_into(
    con: duckdb.DuckDBPyConnection,
    table: str,
    sightings: str,
    number: int,
    select: str,
    where: str = "",
) -> None:
    """Make a table of folded sightings (`f`), so many calls at a time that memory holds them."""
    parts = 1 + number // _FOLDED_AT_ONCE
    for part in range(parts):
        some = f"SELECT * FROM ({sightings}) WHERE hash(call_key) % {parts} = {part}"
        begin = f"INSERT INTO {table}" if part else f"CREATE OR REPLACE TEMPORARY TABLE {table} AS"
        con.execute(f"{begin} {select} FROM ({_fold(some)}) AS f {where}")


def _meet_known(con: duckdb.DuckDBPyConnection, import_id: int) -> tuple[int, int]:
    """Make `changed`: the stored calls about which the batch knows better or more, as they shall
    be; log the replaced ones. Returns how many are replaced and how many change at all."""
    # A file that has grown brings most of its calls back as they were: nothing to fold in those.
    facts = [n for n, _ in STAGE_COLUMNS if n not in ("call_key", "line")]
    differ = " OR ".join(f"b.{n} IS DISTINCT FROM k.{n}" for n in facts)
    con.execute(
        "CREATE OR REPLACE TEMPORARY TABLE unlike AS SELECT DISTINCT k.call_key"
        f" FROM best AS b JOIN known AS k ON k.call_key = b.call_key WHERE {differ}"
        " UNION SELECT call_key FROM known GROUP BY call_key HAVING count(*) > 1"
    )
    number = con.execute("SELECT count(*) FROM unlike").fetchall()[0][0]
    both = (
        "SELECT * FROM best SEMI JOIN unlike USING (call_key)"
        " UNION ALL BY NAME SELECT * FROM known SEMI JOIN unlike USING (call_key)"
    )
    filled = (*_FILLED, "occurred_at", "time_assumed", "source_cost_usd", "tags")
    news = " OR ".join(f"f.{n} IS DISTINCT FROM k.{n}" for n in filled)
    _fold_into(
        con, "changed", both, 2 * number, "SELECT f.*",
        "WHERE f.stored_row IS NULL OR f.stored_rows > 1 OR EXISTS"
        f" (SELECT 1 FROM known AS k WHERE k.stored_row = f.stored_row AND ({news}))",
    )  # fmt: skip
    con.execute("DROP TABLE unlike")
    con.execute(
        "INSERT INTO replacements SELECT f.call_key, k.import_id, ?, ?,"
        " CASE WHEN f.finality <> k.finality THEN 'final replaces partial'"
        " WHEN f.input_total + f.output_total > k.input_total + k.output_total"
        " THEN 'larger total' ELSE 'more detail' END,"
        " k.input_total + k.output_total, f.input_total + f.output_total"
        " FROM changed AS f JOIN known AS k USING (call_key) WHERE f.stored_row IS NULL",
        [import_id, datetime.now(UTC).replace(tzinfo=None)],
    )
    return con.execute(
        "SELECT count(*) FILTER (stored_row IS NULL), count(*) FROM changed"
    ).fetchall()[0]


def _insert_routed(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    filled: Collection[str] | None,
    *,
    small: bool,
) -> None:
    """Store the rows of `best` in time order, adding routes for names seen for the first time."""
    same = " AND ".join(f"r.{k} IS NOT DISTINCT FROM b.{k}" for k in _ROUTE_KEYS)
    keys = ", ".join(f"b.{k}" for k in _ROUTE_KEYS)
    fresh = con.execute(
        f"SELECT DISTINCT {keys} FROM best AS b ANTI JOIN routes AS r ON {same} ORDER BY ALL"
    ).fetchall()
    if fresh:
        add_routes(con, catalogue, fresh)
    # A batch fills about half of the columns: the others need not be sorted, nor priced.
    stored = [c for c in schema.STORED_COLUMNS if c[0] not in ("route_id", "kinds")]
    if filled is None and not small:
        counts = f"SELECT {', '.join(f'count({n})' for n, _ in stored)} FROM best"
        found = con.execute(counts).fetchall()[0]
        filled = [n for (n, _), number in zip(stored, found, strict=True) if number]
    there = [n for n, k in stored if filled is None or n in filled or k.endswith("NOT NULL")]
    meters = [m for m in COUNTED if m in there]
    kinds = f"{sql.kinds('b', meters)} AS kinds FROM best AS b"
    resolve.insert(
        con,
        f"SELECT {', '.join(f'b.{n}' for n in there)}, r.route_id, {kinds} JOIN routes AS r"
        f" ON {same}",
        kinds=f"SELECT {kinds}",
        meters=meters,
        ordered=not small and _in_order(con),
    )


def _in_order(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the calls of `best` are in the order of time already, as most logs are."""
    return not con.execute(
        "SELECT 1 FROM (SELECT occurred_at < lag(occurred_at) OVER () AS back FROM best)"
        " WHERE back LIMIT 1"
    ).fetchall()


def _search_limit(
    window: timedelta | None, first_at: datetime, last_at: datetime, guessed: int
) -> tuple[str, list[Any]]:
    """Where known calls may be: everywhere, or near the batch and wherever a time is a guess."""
    if window is None or guessed:
        return "true", []
    return (
        "((s.occurred_at BETWEEN ? AND ?) OR s.time_assumed)",
        [first_at - window, last_at + window],
    )


def _charge(amount: Decimal | None) -> Decimal | None:
    """A stated charge at pico-dollars; None when it is no amount of money a call can cost."""
    if amount is None or not amount.is_finite() or abs(amount) >= 10**9:
        return None
    return scaled(amount, 12)


def scaled(amount: Decimal | None, places: int = 18) -> Decimal | None:
    """An amount at its column's decimals: dashboards print up to thirty-six."""
    if amount is None:
        return None
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, EXACT)
