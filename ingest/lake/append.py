"""Log files straight into the lake, from any number of machines at once, without a store.

A log file is one batch, named by what it holds and how it was read: one Parquet file for each
date it tells of, and one batch file that makes them count together. Reading the same file again,
here or on another machine, finds its batch and does nothing.

    ingest_to_lake("lake", [Path("logs")])     # [FileReport(state="imported", added=812, …), …]
    ingest_to_lake("lake", [Path("logs")])     # [FileReport(state="unchanged", added=0, …), …]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.lake.export import COLUMNS, short_hash, usage_schema, write_rows
from ingest.lake.folder import USAGE, Batch, LakeError, LakeFolder
from ingest.store import ledger, load
from ingest.store.database import staging_area
from pricing import sql

if TYPE_CHECKING:
    from ingest.importer import FileReport, ImportOptions


def ingest_to_lake(
    lake: str | Path, paths: Sequence[Path], options: ImportOptions | None = None
) -> list[FileReport]:
    """Read log files (`-` is standard input) and append their calls to the lake.

    Never raises for a bad file: its report says why. Raises `LakeError` for an address that is
    no place for a lake.
    """
    from ingest import importer

    folder = LakeFolder(lake)
    chosen = options or importer.ImportOptions()
    return [
        found if isinstance(found, importer.FileReport) else _ingest_source(folder, found, chosen)
        for found in importer.sources(paths, Path(folder.root))
    ]


def _ingest_source(folder: LakeFolder, source: Any, options: ImportOptions) -> FileReport:
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
    name = f"log-{short_hash(source.sha256, options.stamp)}"
    entry = ledger.Entry(report.path, source.sha256, options.stamp, reader.name, source.size)
    try:
        if folder.batch(name) is not None:
            report.state = "unchanged"
            return report
        with staging_area() as con:
            extract = importer.stage_source(con, source, reader, options, entry)
            report.records, report.rejects = entry.records, entry.rejects
            report.rejected = len(report.rejects)
            report.notes = list(entry.notes)
            if extract.reported:
                report.notes.append(
                    f"{len(extract.reported)} rows of an aggregated report are not for a lake:"
                    " import them into a store to reconcile"
                )
            _append(con, folder, name, report)
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
    except (OSError, LakeError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        report.state, report.error = "failed", f"the lake cannot be written: {error}"
    return report


def _append(con: Any, folder: LakeFolder, name: str, report: FileReport) -> None:
    """Write what is staged as one batch, each call of it once."""
    load.best_of_batch(con, 0)
    columns = ", ".join(f"u.{c}" for c in COLUMNS if c != "kinds")
    # `kinds` is as wide as a store's: engines that unite files want one type a column.
    # Sorted once: the query of a date then reads that date's rows only.
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE sorted AS SELECT {columns},"
        f" ({sql.kinds()})::BIGINT AS kinds FROM best AS u ORDER BY u.occurred_at, u.call_key"
    )
    con.execute("DROP TABLE best")
    dates = con.execute(
        "SELECT occurred_at::DATE AS date, count(*) FROM sorted GROUP BY date ORDER BY date"
    ).fetchall()
    query = "SELECT * FROM sorted WHERE occurred_at >= ? AND occurred_at < ?::DATE + 1"
    paths: list[str] = []
    for date, count in dates:
        paths.append(f"{USAGE}/date={date}/{name}.parquet")
        write_rows(con, folder, paths[-1], f"{query} ORDER BY occurred_at, call_key", [date, date])
        report.added += count
    if paths:
        schema = usage_schema(con, folder, "SELECT * FROM sorted")
        folder.commit(Batch(name, tuple(paths), schema=schema))
    report.duplicates = report.records - report.added
