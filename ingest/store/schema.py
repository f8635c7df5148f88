"""Tables and views of the store, and how an older file becomes a newer one.

Facts are stored once: `calls_stored` has one row a call with its counts and a `route_id`;
`routes` says what each distinct (provider, seller, model, tier, region) means and which card
prices it. Cost is never stored: the views `calls` and `costs` compute it from the vectors in
force, so a corrected price corrects history at once. People query the views.

    SELECT team, sum(cost_usd) FROM calls GROUP BY team
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing import sql
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import duckdb

VERSION = 1
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
"""


def _columns(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns)


def create_statements() -> list[str]:
    """Everything a new file needs."""
    return [
        *(s for s in _TABLES.split(";") if s.strip()),
        f"CREATE TABLE calls_stored ({_columns(STORED_COLUMNS)})",
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


def priced_from(
    stored: str = "calls_stored",
    vectors: str = "rate_vectors",
    routes: str = "routes",
    at: str = "",
) -> str:
    """The FROM clause that gives every call its route and its vector, if there is one."""
    return (
        f"{stored} AS u JOIN {routes} AS r ON r.route_id = u.route_id"
        f" LEFT JOIN {vectors} AS v ON {sql.join_condition(at=at)}"
    )


def used_meters(con: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The meters that any stored call counts: what a sum over the store has to look at."""
    mask, fee = con.execute(
        "SELECT coalesce(bit_or(kinds) FILTER (kinds >= 0), 0),"
        " (SELECT count(p_request) FROM rate_vectors) FROM calls_stored"
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
    status = sql.status_name(sql.severity())
    call = ", ".join(
        ("u.call_key, u.occurred_at, u.source_format, u.effort, u.session, u.tags, u.import_id",
         *(f"u.{d}" for d in DIMENSION_COLUMNS),
         "r.provider, r.seller, r.model, r.variant, r.tier, r.region, v.vector_id")
    )  # fmt: skip
    line = "c.line"
    reason = status_reason()
    return [
        f"CREATE OR REPLACE VIEW usage AS SELECT {usage}"
        " FROM calls_stored AS u JOIN routes AS r ON r.route_id = u.route_id",
        f"CREATE OR REPLACE VIEW calls AS SELECT *, {sql.usd('cost_pico')} AS cost_usd"
        f" FROM (SELECT {usage}, {sql.cost_pico()} AS cost_pico,"
        f" {status} AS status, {reason} AS status_reason FROM {priced_from()})",
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


def migration_statements(version: int) -> list[str]:
    """What brings a file of an older version to `VERSION`, in order. Views are always remade."""
    steps: dict[int, list[str]] = {}
    statements = [s for number in range(version, VERSION) for s in steps.get(number, [])]
    statements.append(f"UPDATE meta SET value = '{VERSION}' WHERE key = 'schema_version'")
    return [*statements, *view_statements()]
