"""Tables and views of the store, and how an older file becomes a newer one.

Facts are stored once: `calls_stored` has one row a call with its counts and a `route_id`;
`routes` says what each distinct (provider, seller, model, tier, region) means and which card
prices it. Cost is a function of usage and prices: beside the facts each call keeps what that
function says under the prices in force (`RESOLVED_COLUMNS`, an index that `ingest.store.resolve`
rewrites whenever a price changes), so a corrected price corrects history at once and a report is
a plain sum. People query the views.

    SELECT team, sum(cost_usd) FROM calls GROUP BY team
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing import sql
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import duckdb

VERSION = 4
"""Schema version this code writes. A file with a higher one is refused, a lower one migrated."""

DIMENSION_COLUMNS = ("team", "project", "feature", "customer", "environment")

STORED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("call_key", "VARCHAR NOT NULL"),
    ("occurred_at", "TIMESTAMP NOT NULL"),
    ("route_id", "INTEGER NOT NULL"),
    *((name, "BIGINT") for name in COUNTED),
    ("input_total", "BIGINT NOT NULL"),
    ("output_total", "BIGINT NOT NULL"),
    ("kinds", "BIGINT NOT NULL"),
    ("requests", "INTEGER NOT NULL"),
    ("total_reported", "BIGINT"),
    ("source_cost_usd", "DECIMAL(24,12)"),
    ("effort", "VARCHAR"),
    ("source_format", "VARCHAR NOT NULL"),
    ("finality", "VARCHAR NOT NULL"),
    ("failed", "BOOLEAN NOT NULL"),
    ("time_assumed", "BOOLEAN NOT NULL"),
    ("latency_ms", "BIGINT"),
    ("session", "VARCHAR"),
    *((name, "VARCHAR") for name in DIMENSION_COLUMNS),
    ("tags", "MAP(VARCHAR, VARCHAR)"),
    ("flags", "VARCHAR"),
    ("import_id", "INTEGER NOT NULL"),
    ("line", "INTEGER"),
)

RESOLVED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("vector_id", "INTEGER"),
    ("cost_pico", "BIGINT"),
    ("saved_pico", "BIGINT"),
    ("severity", "UTINYINT NOT NULL"),
)
"""What a call resolves to under the store's own vectors: which one (NULL: none), its cost in
pico-dollars (NULL: unpriced), what the cache saved on it, and its status as a position in
`pricing.sql.STATUSES`. Never NULL in the last, so that no insert can forget them."""

ROUTE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("route_id", "INTEGER NOT NULL"),
    ("provider", "VARCHAR NOT NULL"),
    ("seller_stated", "VARCHAR"),
    ("model", "VARCHAR"),
    ("tier_stated", "VARCHAR"),
    ("region", "VARCHAR"),
    ("seller", "VARCHAR NOT NULL"),
    ("variant", "VARCHAR"),
    ("tier", "VARCHAR"),
    ("card_id", "INTEGER"),
    ("severity", "SMALLINT NOT NULL"),
    ("reason", "VARCHAR NOT NULL"),
)

RATE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("rate_id", "VARCHAR"),
    ("seller", "VARCHAR"),
    ("variant", "VARCHAR"),
    ("meter", "VARCHAR"),
    ("price_pico", "BIGINT"),
    ("tier", "VARCHAR"),
    ("region", "VARCHAR"),
    ("min_input", "BIGINT"),
    ("max_input", "BIGINT"),
    ("weekdays", "SMALLINT"),
    ("minute_from", "SMALLINT"),
    ("minute_to", "SMALLINT"),
    ("valid_from", "TIMESTAMP"),
    ("valid_to", "TIMESTAMP"),
    ("recorded_at", "TIMESTAMP"),
    ("superseded_at", "TIMESTAMP"),
    ("in_force", "BOOLEAN"),
    ("negotiated", "BOOLEAN"),
    ("source", "VARCHAR"),
    ("checked", "DATE"),
    ("origin", "VARCHAR"),
    ("note", "VARCHAR"),
    ("assumed", "BOOLEAN"),
)

_TABLES = f"""
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);
CREATE TABLE imports (
    import_id INTEGER NOT NULL, path VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
    stamp VARCHAR NOT NULL, format VARCHAR NOT NULL, size BIGINT NOT NULL,
    imported_at TIMESTAMP NOT NULL, records BIGINT NOT NULL, added BIGINT NOT NULL,
    replaced BIGINT NOT NULL, duplicates BIGINT NOT NULL, rejected BIGINT NOT NULL,
    reported BIGINT NOT NULL, first_at TIMESTAMP, last_at TIMESTAMP, notes VARCHAR
);
CREATE TABLE rejects (
    import_id INTEGER NOT NULL, path VARCHAR NOT NULL, line INTEGER, reason VARCHAR NOT NULL,
    raw VARCHAR
);
CREATE TABLE replacements (
    call_key VARCHAR NOT NULL, old_import INTEGER NOT NULL, new_import INTEGER NOT NULL,
    replaced_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL, old_total BIGINT, new_total BIGINT
);
CREATE TABLE reported (
    slice_key VARCHAR NOT NULL, source_format VARCHAR NOT NULL, provider VARCHAR NOT NULL,
    kind VARCHAR NOT NULL, period_start TIMESTAMP NOT NULL, period_end TIMESTAMP NOT NULL,
    model VARCHAR, tier VARCHAR, region VARCHAR, line_item VARCHAR, project VARCHAR,
    api_key VARCHAR, requests BIGINT, amount DECIMAL(38,18), currency VARCHAR,
    list_amount DECIMAL(38,18), {", ".join(f"{m} BIGINT" for m in COUNTED)},
    tags MAP(VARCHAR, VARCHAR), import_id INTEGER NOT NULL, line INTEGER
);
CREATE TABLE card_keys (
    card_id INTEGER NOT NULL, seller VARCHAR NOT NULL, variant VARCHAR NOT NULL,
    tier VARCHAR NOT NULL, region VARCHAR NOT NULL
);
CREATE TABLE kinds_seen (kinds BIGINT NOT NULL);
"""


def _columns(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns)


def create_statements() -> list[str]:
    """Everything a new file needs."""
    return [
        *(s for s in _TABLES.split(";") if s.strip()),
        f"CREATE TABLE calls_stored ({_columns((*STORED_COLUMNS, *RESOLVED_COLUMNS))})",
        f"CREATE TABLE routes ({_columns(ROUTE_COLUMNS)})",
        f"CREATE TABLE rates_stored ({_columns(RATE_COLUMNS)})",
        sql.create_table("rate_vectors", sql.VECTOR_COLUMNS),
        sql.create_table("vector_rates", sql.VECTOR_RATE_COLUMNS),
        sql.create_table("list_vectors", sql.VECTOR_COLUMNS),
        f"INSERT INTO meta VALUES ('schema_version', '{VERSION}'), ('application', 'tokenbooks')",
        *view_statements(),
    ]


USAGE_COLUMNS: tuple[str, ...] = (
    "u.call_key", "u.occurred_at", "u.source_format", "r.provider", "r.seller", "r.model",
    "r.variant", "r.tier", "r.tier_stated", "r.region", "u.effort",
    *(f"u.{m}" for m in COUNTED), "u.input_total", "u.output_total", "u.requests",
    "u.total_reported", "u.source_cost_usd", "u.finality", "u.failed", "u.time_assumed",
    "u.latency_ms", "u.session", *(f"u.{d}" for d in DIMENSION_COLUMNS), "u.tags", "u.flags",
    "u.import_id", "u.line",
)  # fmt: skip
"""Columns of the view `usage`, over `calls_stored AS u` and `routes AS r`."""


def priced_from(stored: str = "calls_stored") -> str:
    """The FROM clause that gives every call its route and, by its id, the vector it resolved to."""
    return (
        f"{stored} AS u JOIN routes AS r ON r.route_id = u.route_id"
        " LEFT JOIN rate_vectors AS v ON v.vector_id = u.vector_id"
    )


def routed_from(stored: str = "calls_stored") -> str:
    """The FROM clause that gives every call its route alone: cost and status are its own."""
    return f"{stored} AS u JOIN routes AS r ON r.route_id = u.route_id"


def ranged_from(
    stored: str = "calls_stored",
    vectors: str = "rate_vectors",
    routes: str = "routes",
    at: str = "",
) -> str:
    """The FROM clause that finds every call's vector by its instant, prompt size and hour."""
    return (
        f"{stored} AS u JOIN {routes} AS r ON r.route_id = u.route_id"
        f" LEFT JOIN {vectors} AS v ON {sql.join_condition(at=at)}"
    )


def used_meters(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The meters that any stored call counts (or counted once): what a sum has to look at."""
    mask, fee = con.execute(
        "SELECT coalesce((SELECT bit_or(kinds) FROM kinds_seen), 0),"
        " (SELECT count(p_request) FROM rate_vectors)"
    ).fetchall()[0]
    return sql.used_meters(mask, bool(fee))


def status_reason() -> str:
    """Why a call's status is what it is, over `priced_from`; empty for an exact one."""
    return (
        "CASE WHEN r.card_id IS NULL THEN r.reason"
        f" WHEN NOT {sql.counted()} THEN 'the record states no counts'"
        " WHEN v.card_id IS NULL THEN 'no rate of ' || r.variant || ' on tier ' || r.tier ||"
        " ' at ' || r.seller || ' was in force then'"
        f" WHEN {sql.missing()} THEN 'a counted meter has no price'"
        " WHEN u.time_assumed THEN 'time not stated, the file time assumed'"
        " ELSE r.reason END"
    )


def view_statements() -> list[str]:
    """The views people query; remade at every schema version."""
    usage = ", ".join(USAGE_COLUMNS)
    status = sql.status_name("u.severity")
    call = ", ".join(
        ("u.call_key, u.occurred_at, u.source_format, u.effort, u.session, u.tags, u.import_id",
         *(f"u.{d}" for d in DIMENSION_COLUMNS),
         "r.provider, r.seller, r.model, r.variant, r.tier, r.region, v.vector_id")
    )  # fmt: skip
    line = "c.line"
    return [
        f"CREATE OR REPLACE VIEW usage AS SELECT {usage}"
        " FROM calls_stored AS u JOIN routes AS r ON r.route_id = u.route_id",
        f"CREATE OR REPLACE VIEW calls AS SELECT *, {sql.usd('cost_pico')} AS cost_usd"
        f" FROM (SELECT {usage}, u.cost_pico,"
        f" {status} AS status, {status_reason()} AS status_reason FROM {priced_from()})",
        "CREATE OR REPLACE VIEW costs AS SELECT c.* EXCLUDE (line, vector_id, route_severity),"
        f" {line}.meter AS meter, {line}.quantity AS quantity, {line}.price_pico AS price_pico,"
        f" {line}.quantity * {line}.price_pico AS cost_pico,"
        f" {sql.usd(f'({line}.quantity * {line}.price_pico)')} AS cost_usd,"
        f" CASE WHEN {line}.price_pico IS NULL THEN 'unpriced'"
        f" WHEN {line}.assumed THEN {sql.status_name('greatest(route_severity, 1)')}"
        f" ELSE {sql.status_name('route_severity')} END AS status, x.rate_id, x.via"
        f" FROM (SELECT {call}, r.severity AS route_severity,"
        f" unnest({sql.line_structs()}) AS line FROM {priced_from()}"
        f" WHERE {sql.counted()}) AS c"
        f" LEFT JOIN vector_rates AS x ON x.vector_id = c.vector_id AND x.meter = {line}.meter",
        "CREATE OR REPLACE VIEW rates AS SELECT *, superseded_at IS NULL AS current"
        " FROM rates_stored",
    ]


_PRICES_ANEW = (
    "DROP TABLE IF EXISTS calls_rollup",
    "DELETE FROM meta WHERE key LIKE 'rollup_%' OR key = 'catalogue_version'",
)

_STEPS: dict[int, list[str]] = {
    # Costs beside the calls; `sync` fills them in, since the version it last saw is forgotten.
    1: [
        *(
            f"ALTER TABLE calls_stored ADD COLUMN {name} {kind.removesuffix(' NOT NULL')}"
            for name, kind in RESOLVED_COLUMNS
        ),
        "CREATE TABLE kinds_seen (kinds BIGINT NOT NULL)",
        "INSERT INTO kinds_seen SELECT DISTINCT kinds FROM calls_stored WHERE kinds > 0",
        *_PRICES_ANEW,
    ],
    # Whether a price was a guess; `sync` says so of the rates that the catalogue still has.
    2: [
        "ALTER TABLE rates_stored ADD COLUMN assumed BOOLEAN",
        "DELETE FROM meta WHERE key = 'catalogue_version'",
    ],
    # Meters of what is no token. Vectors are compiled anew, so that they know of them.
    3: [
        *(
            f"ALTER TABLE {table} ADD COLUMN {prefix}{meter} BIGINT"
            for table, prefix in (
                ("calls_stored", ""), ("reported", ""), ("rate_vectors", "p_"),
                ("list_vectors", "p_"),
            )
            for meter in (
                "audio_seconds", "characters", "pages", "pages_annotated", "rerank_search",
                "citation",
            )
        ),
        *_PRICES_ANEW,
    ],
}  # fmt: skip


def migration_statements(version: int) -> list[str]:
    """What brings a file of an older version to `VERSION`, in order. Views are always remade."""
    statements = [s for number in range(version, VERSION) for s in _STEPS.get(number, [])]
    statements.append(f"UPDATE meta SET value = '{VERSION}' WHERE key = 'schema_version'")
    return [*statements, *view_statements()]
