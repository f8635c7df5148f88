"""Writing the lake: from a store, incrementally, or straight from log files.

From a store, each date is one file whose name holds a digest of the date's calls: a date that has
not changed since the last export is not written again, and one that has (a late call, a corrected
one) gets a new file before the old one goes. A reader that catches both sees some calls twice and
keeps one of each, as it must anyway when two machines saw the same call.

From log files, each (file, date) is one file named by the content's hash and its stamps.

    export_store(store, Path("lake"))                # LakeReport(written=31, unchanged=0, …)
    export_store(store, Path("lake"))                # LakeReport(written=0, unchanged=31, …)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.store import ledger, load
from pricing import sql

if TYPE_CHECKING:
    import duckdb

    from ingest.importer import FileReport, ImportOptions
    from ingest.store.database import Store

USAGE, RATES = "usage", "rates"

COLUMNS: tuple[str, ...] = (*(name for name, _ in load.STAGE_COLUMNS), "kinds")
"""Columns of a usage file: a staged record, and the mask of the meters it counts."""


@dataclass(slots=True)
class LakeReport:
    """What a writing did: files written, found unchanged, and replaced; calls in those written."""

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


def export_store(store: Store, lake: Path) -> LakeReport:
    """Write a store's calls and rates that the lake does not have yet. Reads the store only.

    Raises `OSError` when the lake cannot be written; what was written so far is whole.
    """
    report = LakeReport()
    mine = _store_name(store.con)
    stored = (
        f"SELECT {', '.join(_stored(name) for name in COLUMNS)} FROM calls_stored AS u"
        " JOIN routes AS r USING (route_id)"
    )
    dates = store.con.execute(
        f"SELECT occurred_at::DATE AS date, count(*), {_digest()} FROM ({stored}) AS u"
        " GROUP BY date ORDER BY date"
    ).fetchall()
    for date, count, *parts in dates:
        digest = hashlib.sha256(repr((count, *map(str, parts))).encode()).hexdigest()[:24]
        query = f"{stored} WHERE u.occurred_at >= ? AND u.occurred_at < ?::DATE + 1"
        folder = lake / USAGE / f"date={date}"
        final = folder / f"{mine}-{digest}.parquet"
        if _write(store.con, final, f"{query} ORDER BY u.occurred_at", [date, date]):
            report.written, report.calls = report.written + 1, report.calls + count
            for old in folder.glob(f"{mine}-*.parquet"):
                if old != final:
                    old.unlink(missing_ok=True)
                    report.replaced += 1
        else:
            report.unchanged += 1
    gone = {f"date={row[0]}" for row in dates}
    for old in (lake / USAGE).glob(f"date=*/{mine}-*.parquet"):
        if old.parent.name not in gone:
            old.unlink(missing_ok=True)
            report.replaced += 1
    _export_rates(store.con, lake, report)
    return report


def _stored(name: str) -> str:
    """A lake column from the store's tables."""
    if name in ("provider", "seller_stated", "model", "tier_stated", "region"):
        return f"r.{name}"
    return f"u.{name}"


def _digest() -> str:
    """What a group's rows are, whatever their order, as two sums over hashes of whole rows."""
    row = ", ".join(f"u.{name}::VARCHAR" for name in COLUMNS)
    return f"bit_xor(hash({row})), sum(hash({row}, 1)::HUGEINT)"


def _store_name(con: duckdb.DuckDBPyConnection) -> str:
    """A short name of this store among those that write to one lake: made from its first import."""
    first = con.execute(
        "SELECT path, sha256, imported_at::VARCHAR FROM imports ORDER BY import_id LIMIT 1"
    ).fetchall()
    return "store-" + hashlib.sha256(repr(first).encode()).hexdigest()[:12]


def _export_rates(con: duckdb.DuckDBPyConnection, lake: Path, report: LakeReport) -> None:
    days = con.execute(
        "SELECT recorded_at::DATE AS date, count(*), bit_xor(hash(rate_id, superseded_at::VARCHAR))"
        " FROM rates_stored GROUP BY date ORDER BY date"
    ).fetchall()
    for date, *parts in days:
        digest = hashlib.sha256(repr(tuple(map(str, parts))).encode()).hexdigest()[:24]
        final = lake / RATES / f"date={date}" / f"{digest}.parquet"
        query = "SELECT * FROM rates_stored WHERE recorded_at::DATE = ? ORDER BY rate_id"
        if _write(con, final, query, [date]):
            report.written += 1
        else:
            report.unchanged += 1


def _write(con: duckdb.DuckDBPyConnection, final: Path, query: str, values: Sequence[Any]) -> bool:
    """Write a query's rows as one Parquet file, whole or not at all; False when it is there."""
    if final.exists():
        return False
    import pyarrow.parquet as pq

    with _draft(final) as draft:
        # Through Arrow: the store's connection may have external access switched off.
        rows = con.sql(query, params=list(values)).to_arrow_table()
        pq.write_table(rows, draft, compression="zstd")
    return True


@contextmanager
def _draft(final: Path) -> Generator[Path]:
    """A hidden name beside `final`, renamed to it when the block is done, removed otherwise."""
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.parent / f".{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        yield draft
        draft.rename(final)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def ingest_to_lake(
    lake: Path, paths: Sequence[Path], options: ImportOptions | None = None
) -> list[FileReport]:
    """Read log files and append their calls to the lake; one Parquet file a log file and date.

    Needs no store and no lock: any number of machines may do it at once. A log file whose parts
    are all there is reported as unchanged. Never raises for a bad file: its report says why.
    """
    from ingest import importer
    from ingest.files import UnreadableFile, look

    chosen = options or importer.ImportOptions()
    reports = []
    for path in importer.find_files(paths):
        try:
            source = look(path)
        except UnreadableFile as error:
            reports.append(importer.FileReport(str(path), "failed", error=str(error)))
            continue
        reports.append(_ingest_source(lake, source, chosen))
    return reports


def _ingest_source(lake: Path, source: Any, options: ImportOptions) -> FileReport:
    import duckdb

    from ingest import importer
    from ingest.files import UnreadableFile
    from ingest.readers.mapping import MappingError

    report = importer.FileReport(str(source.path))
    reader, report.confidence, why = importer.recognise(source, options)
    if reader is None:
        report.state, report.error = "failed", why
        return report
    report.format = reader.name
    name = hashlib.sha256(f"{source.sha256}{options.stamp}".encode()).hexdigest()[:24]
    con = duckdb.connect()
    try:
        con.execute("SET enable_progress_bar = false")
        con.execute(sql.create_table(load.STAGE, load.STAGE_COLUMNS))
        entry = ledger.Entry(report.path, source.sha256, options.stamp, reader.name, source.size)
        results, context = importer.read_source(source, reader, options)
        extract = importer.Extract(entry)
        for rows in importer.staged_batches(extract, results, options):
            load.stage(con, rows)
        report.records, report.rejects = entry.records, entry.rejects
        report.notes = list(context.notes)
        if extract.reported:
            report.notes.append(
                f"{len(extract.reported)} rows of an aggregated report are not for a lake: import"
                " them into a store to reconcile"
            )
        dates = con.execute(
            f"SELECT occurred_at::DATE AS date, count(*) FROM {load.STAGE} GROUP BY date"
        ).fetchall()
        query = (
            f"SELECT *, {sql.kinds()} AS kinds FROM {load.STAGE} AS u"
            " WHERE occurred_at::DATE = ? ORDER BY occurred_at"
        )
        for date, count in dates:
            final = lake / USAGE / f"date={date}" / f"log-{name}.parquet"
            if _write(con, final, query, [date]):
                report.added += count
        if dates and not report.added:
            report.state = "unchanged"
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
    except OSError as error:
        report.state, report.error = "failed", f"the lake cannot be written: {error}"
    finally:
        con.close()
    report.rejected = len(report.rejects)
    return report
