"""A store's calls and rates into the lake: incrementally, and all at once.

Each date is one file whose name holds a digest of the date's calls: a date that has not changed
since the last export is not written again. The files count from the moment the store's batch
names them, all together: whoever asks the lake before sees the last export, after it the new one,
never some dates of each. A killed export is as if it had not begun; the next one finds the files
it had finished.

    export_store(store, "lake")                # LakeReport(written=31, unchanged=0, …)
    export_store(store, "lake")                # LakeReport(written=0, unchanged=31, …)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.lake.folder import RATES, USAGE, Batch, LakeFolder
from ingest.store import load

if TYPE_CHECKING:
    import duckdb

    from ingest.store.database import Store

COLUMNS: tuple[str, ...] = (*(name for name, _ in load.STAGE_COLUMNS), "kinds")
"""Columns of a usage file: a staged record, and the mask of the meters it counts."""
ROWS = 100_000
"""Rows held at a time while a file is written."""


@dataclass(slots=True)
class LakeReport:
    """What an export did: files written, found unchanged, and replaced; calls in those written."""

    written: int = 0
    unchanged: int = 0
    replaced: int = 0
    calls: int = 0

    def as_json(self) -> dict[str, int]:
        """Plain types."""
        return {
            "written": self.written, "unchanged": self.unchanged, "replaced": self.replaced,
            "calls": self.calls,
        }  # fmt: skip


def export_store(store: Store, lake: str | Path) -> LakeReport:
    """Bring the lake's copy of a store up to date: one batch, named after the store. Reads the
    store only.

    Raises `LakeError` or `OSError` when the lake cannot be written; it is then as it was.
    """
    folder = LakeFolder(lake)
    report = LakeReport()
    name = _store_name(store.con)
    held = folder.batch(name)
    usage = [
        _export_date(store.con, folder, name, row, report)
        for row in store.con.execute(
            f"SELECT occurred_at::DATE AS date, count(*), {_digest()} FROM ({_stored()}) AS u"
            " GROUP BY date ORDER BY date"
        ).fetchall()
    ]
    rates = _export_rates(store.con, folder, report)
    old = () if held is None else (*held.usage, *held.rates)
    gone = sorted(set(old) - {*usage, *rates})
    report.replaced = len(gone)
    schema = usage_schema(store.con, folder, _stored())
    now = Batch(name, tuple(usage), tuple(rates), tuple(gone), schema)
    if held is not None and replace(held, previous=()) == replace(now, previous=()):
        return report
    folder.commit(now)
    kept = {*usage, *rates, *gone}
    if held is not None:
        folder.remove(set(held.previous) - kept - _others(folder, name))
    folder.sweep(f"{name}-", kept)
    return report


def _others(folder: LakeFolder, name: str) -> set[str]:
    """Files that other writers' batches name too: rates have one file whoever wrote them."""
    batches = [b for b in folder.batches() if b.name != name]
    return {path for b in batches for path in (*b.usage, *b.rates, *b.previous)}


def _export_date(
    con: duckdb.DuckDBPyConnection,
    folder: LakeFolder,
    name: str,
    row: tuple[Any, ...],
    report: LakeReport,
) -> str:
    date, count, *parts = row
    path = f"{USAGE}/date={date}/{name}-{short_hash(count, *map(str, parts))}.parquet"
    query = f"{_stored()} WHERE u.occurred_at >= ? AND u.occurred_at < ?::DATE + 1"
    if write_rows(con, folder, path, f"{query} ORDER BY u.occurred_at", [date, date]):
        report.written, report.calls = report.written + 1, report.calls + count
    else:
        report.unchanged += 1
    return path


def _stored() -> str:
    """The lake's columns from the store's tables."""
    routed = ("provider", "seller_stated", "model", "tier_stated", "region")
    names = ", ".join(f"r.{n}" if n in routed else f"u.{n}" for n in COLUMNS)
    return f"SELECT {names} FROM calls_stored AS u JOIN routes AS r ON r.route_id = u.route_id"


def _digest() -> str:
    """What a group's rows are, whatever their order, as two sums over hashes of whole rows."""
    row = ", ".join(f"u.{name}::VARCHAR" for name in COLUMNS)
    return f"bit_xor(hash({row})), sum(hash({row}, 1)::HUGEINT)"


def short_hash(*parts: object) -> str:
    """A file name's digest of what the file holds."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _store_name(con: duckdb.DuckDBPyConnection) -> str:
    """A short name of this store among those that write to one lake: made from its first import."""
    first = con.execute(
        "SELECT path, sha256, imported_at::VARCHAR FROM imports ORDER BY import_id LIMIT 1"
    ).fetchall()
    return "store-" + short_hash(first)[:12]


def _export_rates(
    con: duckdb.DuckDBPyConnection, folder: LakeFolder, report: LakeReport
) -> list[str]:
    """Every rate the store ever recorded, one file a day of recording."""
    days = con.execute(
        "SELECT recorded_at::DATE AS date, count(*), bit_xor(hash(rate_id, superseded_at::VARCHAR,"
        " assumed))"
        " FROM rates_stored GROUP BY date ORDER BY date"
    ).fetchall()
    paths: list[str] = []
    for date, *parts in days:
        path = f"{RATES}/date={date}/{short_hash(*map(str, parts))}.parquet"
        query = "SELECT * FROM rates_stored WHERE recorded_at::DATE = ? ORDER BY rate_id"
        if write_rows(con, folder, path, query, [date]):
            report.written += 1
        else:
            report.unchanged += 1
        paths.append(path)
    return paths


def usage_schema(con: duckdb.DuckDBPyConnection, folder: LakeFolder, query: str) -> str:
    """What a batch of this query's rows says of their columns."""
    return folder.keep_schema(con.sql(f"{query} LIMIT 0").to_arrow_reader(ROWS).schema)


def write_rows(
    con: duckdb.DuckDBPyConnection,
    folder: LakeFolder,
    path: str,
    query: str,
    values: Sequence[Any],
) -> bool:
    """Write a query's rows as one Parquet file, through Arrow (the store's connection may have
    external access switched off); False when the file is there."""
    if folder.exists(path):
        return False
    rows = con.sql(query, params=list(values)).to_arrow_reader(ROWS)
    return folder.write_table(path, rows.schema, rows)
