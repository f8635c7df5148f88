"""The hourly rollup: sums that price exactly like the calls they sum.

Prices are linear in tokens inside one cell of (hour, route, prompt-size band): rates change only
on whole UTC hours, and a threshold moves a whole request, so calls on either side of one are kept
apart. A cell also keeps apart calls that count different kinds of tokens (one of which may have no
price) and calls whose time or outcome differs, so that status, cost and every token total of a
report are the same from cells as from calls, to the pico-dollar. A test holds them equal.

It pays when there are many more calls than cells; below `WORTH_ROWS` calls it is not kept at all,
and a question it cannot answer exactly (sessions, tags, customers, a time zone off the whole hour,
a rate that changes within the hour) goes to the calls themselves.

    source = source_for(con, {"team", "day"}, zone="Europe/Berlin")   # calls_rollup or calls_stored
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pricing.meters import COUNTED

if TYPE_CHECKING:
    import duckdb

TABLE = "calls_rollup"
RAW = "(SELECT *, input_total AS input_tokens FROM calls_stored)"
"""The calls themselves, with the rollup's name for a call's input tokens."""
CELLS = "calls_stored"
"""In a book of cells (`make_cell_book`), where there are no calls."""
WORTH_ROWS = 200_000
WORTH_RATIO = 3
"""Calls a cell, on average, from which the rollup is used."""

_BEHIND = "rollup_behind"
"""Key in `meta`: the hours that calls have come to since they were summed."""

KEPT_DIMENSIONS = ("team", "project", "feature", "environment")
_GROUPED = (
    "route_id",
    "kinds",
    "effort",
    "source_format",
    "failed",
    "time_assumed",
    "vector_id",
    "severity",
    *KEPT_DIMENSIONS,
)
_NOT_KEPT = ("customer", "session")

COLUMNS: tuple[tuple[str, str], ...] = (
    ("occurred_at", "TIMESTAMP"),
    ("route_id", "INTEGER"),
    ("band", "SMALLINT"),
    ("kinds", "BIGINT"),
    ("effort", "VARCHAR"),
    ("source_format", "VARCHAR"),
    ("failed", "BOOLEAN"),
    ("time_assumed", "BOOLEAN"),
    ("vector_id", "INTEGER"),
    ("severity", "UTINYINT"),
    *((name, "VARCHAR") for name in KEPT_DIMENSIONS),
    *((name, "BIGINT") for name in COUNTED),
    ("input_total", "BIGINT"),
    ("input_tokens", "BIGINT"),
    ("output_total", "BIGINT"),
    ("requests", "BIGINT"),
    ("source_cost_usd", "DECIMAL(38,12)"),
    ("cost_pico", "BIGINT"),
    ("saved_pico", "BIGINT"),
)


def _bands(con: duckdb.DuckDBPyConnection) -> list[int]:
    """Every prompt size at which any known rate begins or ends."""
    rows = con.execute(
        "SELECT DISTINCT unnest([min_input, max_input]) AS n FROM rates_stored"
        " WHERE superseded_at IS NULL ORDER BY n"
    ).fetchall()
    return [n for (n,) in rows if 0 < n < 2**62]


def _select(con: duckdb.DuckDBPyConnection) -> str:
    sizes = _bands(con)
    cases = " ".join(f"WHEN u.input_total < {size} THEN {n}" for n, size in enumerate(sizes))
    band = f"CASE {cases} ELSE {len(sizes)} END" if sizes else "0"
    sums = ", ".join(f"sum(u.{m})::BIGINT AS {m}" for m in COUNTED)
    keys = ", ".join(f"u.{name}" for name in _GROUPED)
    return (
        f"SELECT date_trunc('hour', u.occurred_at) AS occurred_at, {band} AS band,"
        f" {keys}, {sums}, min(u.input_total) AS input_total,"
        " sum(u.input_total)::BIGINT AS input_tokens, sum(u.output_total)::BIGINT AS output_total,"
        " sum(u.requests)::BIGINT AS requests, sum(u.source_cost_usd) AS source_cost_usd,"
        " sum(u.cost_pico)::BIGINT AS cost_pico, sum(u.saved_pico)::BIGINT AS saved_pico"
        " FROM calls_stored AS u"
    )


def _exists(con: duckdb.DuckDBPyConnection) -> bool:
    return bool(
        con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [TABLE]).fetchall()
    )


def _insert(con: duckdb.DuckDBPyConnection, where: str, values: list[object]) -> None:
    names = ", ".join(name for name, _ in COLUMNS)
    con.execute(
        f"INSERT INTO {TABLE} ({names}) SELECT {names} FROM ({_select(con)} WHERE {where}"
        " GROUP BY ALL) ORDER BY occurred_at",
        values,
    )


def rebuild(con: duckdb.DuckDBPyConnection) -> bool:
    """Make the rollup anew when the store is large enough; True when it is kept now.

    Call inside a transaction, after anything that may have moved a price threshold.
    """
    rows = con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
    con.execute(f"DROP TABLE IF EXISTS {TABLE}")
    con.execute("DELETE FROM meta WHERE key LIKE 'rollup_%'")
    if rows < WORTH_ROWS:
        return False
    if _cells_at_least(con) * WORTH_RATIO > rows:
        # Nearly as many cells as calls: building it would take longer than it ever saves.
        con.execute("INSERT INTO meta VALUES ('rollup_skipped', ?)", [str(rows)])
        return False
    con.execute(f"CREATE TABLE {TABLE} ({', '.join(f'{n} {k}' for n, k in COLUMNS)})")
    _insert(con, "true", [])
    _note(con)
    return True


def _cells_at_least(con: duckdb.DuckDBPyConnection) -> int:
    """About how many cells a rollup would have, prompt sizes left out: one pass, no grouping."""
    keys = ", ".join(f"u.{name}" for name in _GROUPED)
    return con.execute(
        f"SELECT approx_count_distinct(hash(date_trunc('hour', u.occurred_at), {keys}))"
        " FROM calls_stored AS u"
    ).fetchall()[0][0]


def refresh(con: duckdb.DuckDBPyConnection, hours: Iterable[datetime]) -> None:
    """Make the touched hours anew, in the transaction that touched them.

    The first import that takes the store over the size builds the whole rollup, if it pays.
    """
    touched = sorted({*hours, *_left_behind(con)})
    if not touched:
        return
    skipped = _meta(con, "rollup_skipped")
    if skipped is not None and not _exists(con):
        # Looked at before and found not to pay: look again when the store has doubled.
        rows = con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
        if rows < 2 * int(skipped):
            return
    if not _exists(con) or str(_bands(con)) != _meta(con, "rollup_bands"):
        rebuild(con)
        return
    first, last = touched[0], touched[-1] + timedelta(hours=1)
    limits: list[object] = [first, last, touched]
    con.execute(
        f"DELETE FROM {TABLE} WHERE occurred_at >= ? AND occurred_at < ?"
        " AND list_contains(?, occurred_at)",
        limits,
    )
    _insert(
        con,
        "u.occurred_at >= ? AND u.occurred_at < ?"
        " AND list_contains(?, date_trunc('hour', u.occurred_at))",
        limits,
    )
    _note(con)


def defer(con: duckdb.DuckDBPyConnection, hours: Iterable[datetime]) -> None:
    """Leave touched hours for later, in the transaction that touched them.

    A collector that commits ten times a second cannot make the hour anew each time. Until
    `catch_up` (or any `refresh`) the rollup is set aside and questions go to the calls, so that
    every answer stays exact.
    """
    known = _left_behind(con)
    fresh = known | set(hours)
    if fresh != known and _exists(con):
        text = json.dumps(sorted(hour.isoformat() for hour in fresh))
        con.execute("DELETE FROM meta WHERE key = ?", [_BEHIND])
        con.execute("INSERT INTO meta VALUES (?, ?)", [_BEHIND, text])


def catch_up(con: duckdb.DuckDBPyConnection) -> None:
    """Bring the rollup up to date after `defer`; begin one where the store has grown to need it.
    Call inside a transaction."""
    if _exists(con) and not _left_behind(con):
        return
    # Where there is none yet, any hour makes `refresh` look whether it pays by now.
    refresh(con, [] if _exists(con) else [datetime(1970, 1, 1)])


def _left_behind(con: duckdb.DuckDBPyConnection) -> set[datetime]:
    return {datetime.fromisoformat(hour) for hour in json.loads(_meta(con, _BEHIND) or "[]")}


def _note(con: duckdb.DuckDBPyConnection) -> None:
    """Remember what the rollup was made for, and whether it pays."""
    cells = con.execute(f"SELECT count(*), sum(requests) FROM {TABLE}").fetchall()[0]
    rows = con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
    con.execute("DELETE FROM meta WHERE key LIKE 'rollup_%'")
    con.execute(
        "INSERT INTO meta VALUES ('rollup_bands', ?), ('rollup_cells', ?), ('rollup_rows', ?)",
        [str(_bands(con)), str(cells[0]), str(rows)],
    )


def _meta(con: duckdb.DuckDBPyConnection, key: str) -> str | None:
    rows = con.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchall()
    return rows[0][0] if rows else None


def pays(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the store keeps a rollup, made for today's thresholds, with far fewer cells."""
    bands, cells, rows = (_meta(con, f"rollup_{k}") for k in ("bands", "cells", "rows"))
    return (
        cells is not None
        and rows is not None
        and _meta(con, _BEHIND) is None
        and int(cells) * WORTH_RATIO <= int(rows)
        and bands == str(_bands(con))
    )


def make_cell_book(con: duckdb.DuckDBPyConnection, columns: Iterable[tuple[str, str]]) -> None:
    """Turn an empty store in memory into a book of cells summed elsewhere (a lake's): its
    `calls_stored` is what a rollup is here, and questions are answered from nothing else."""
    con.execute("DROP TABLE calls_stored")
    con.execute(f"CREATE TABLE calls_stored ({', '.join(f'{n} {k}' for n, k in columns)})")
    con.execute("INSERT INTO meta VALUES ('cell_book', 'true')")


def is_cell_book(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether `calls_stored` holds cells, with their tokens in `input_tokens`."""
    return _meta(con, "cell_book") is not None


def source_for(
    con: duckdb.DuckDBPyConnection,
    names: Iterable[str],
    zone: str,
    *,
    whole_hours_only: bool = True,
) -> str:
    """The relation that answers a question on these dimensions: the rollup where it is exact.

    All relations have the columns of `calls_stored` that a report needs, and `input_tokens`.
    `whole_hours_only`: whether the question's period begins and ends on whole UTC hours.
    """
    if is_cell_book(con):
        return CELLS
    wanted = set(names)
    if not whole_hours_only:
        return RAW
    if any(n in _NOT_KEPT or n.startswith("tags.") for n in wanted):
        return RAW
    if not whole_hours(zone) or not pays(con) or _within_the_hour(con):
        return RAW
    return TABLE


def _within_the_hour(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether a card in use changes its price within an hour (a window from 16:30, say)."""
    return bool(
        con.execute(
            "SELECT 1 FROM rate_vectors WHERE minute_from % 60 <> 0 OR minute_to % 60 <> 0 LIMIT 1"
        ).fetchall()
    )


def whole_hours(zone: str) -> bool:
    """Whether a time zone is a whole number of hours off UTC, now and since 2020.

    >>> whole_hours("Europe/Berlin"), whole_hours("Asia/Kolkata")
    (True, False)
    """
    info = ZoneInfo(zone)
    for year in range(2020, datetime.now().year + 2):
        for month in (1, 7):
            offset = info.utcoffset(datetime(year, month, 1))
            if offset is not None and offset.total_seconds() % 3600:
                return False
    return True
