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

from ingest.lake.export import COLUMNS, short_hash, write_rows
from ingest.lake.folder import USAGE, Batch, LakeError, LakeFolder
from ingest.store import ledger, load
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
    con = duckdb.connect()
    try:
        con.execute("SET enable_progress_bar = false")
        con.execute("SET TimeZone = 'UTC'")
        load.create_stage(con)
        entry = ledger.Entry(report.path, source.sha256, options.stamp, reader.name, source.size)
        results, context = importer.read_source(source, reader, options)
        extract = importer.Extract(entry)
        for rows in importer.staged_batches(extract, results, options):
            load.stage(con, rows)
        report.records, report.rejects = entry.records, entry.rejects
        report.rejected = len(report.rejects)
        report.notes = list(context.notes)
        if extract.reported:
            report.notes.append(
                f"{len(extract.reported)} rows of an aggregated report are not for a lake: import"
                " them into a store to reconcile"
            )
        _append(con, folder, name, report)
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
    except (OSError, LakeError) as error:
        report.state, report.error = "failed", f"the lake cannot be written: {error}"
    finally:
        con.close()
    return report


def _append(con: Any, folder: LakeFolder, name: str, report: FileReport) -> None:
    """Write what is staged as one batch, each call of it once."""
    if folder.batch(name) is not None:
        report.state = "unchanged"
        return
    load.best_of_batch(con, 0)
    dates = con.execute(
        "SELECT occurred_at::DATE AS date, count(*) FROM best GROUP BY date ORDER BY date"
    ).fetchall()
    columns = ", ".join(f"u.{c}" for c in COLUMNS if c != "kinds")
    query = (
        f"SELECT {columns}, {sql.kinds()} AS kinds FROM best AS u"
        " WHERE u.occurred_at::DATE = ? ORDER BY u.occurred_at, u.call_key"
    )
    paths = []
    for date, count in dates:
        paths.append(f"{USAGE}/date={date}/{name}.parquet")
        write_rows(con, folder, paths[-1], query, [date])
        report.added += count
    if paths:
        folder.commit(Batch(name, tuple(paths)))
    report.duplicates = report.records - report.added
