"""Handing over: how a process that may not write the store gets its import into it all the same.

A DuckDB file takes one read-write process. A command that finds it held reads its files as usual,
but drops each as a *batch* into the `inbox/` beside the store: one Parquet file with the columns of
`load.STAGE_COLUMNS`, whose metadata holds the ledger's facts, the rejects and the report rows. A
batch appears under its final name by an atomic rename, so whatever is there is whole. Whoever
opens the store as its owner next calls `absorb`, which takes the batches in order, each in one
transaction with its ledger row. A batch taken twice changes nothing.

    reports = import_or_hand_over(path, catalogue, [Path("logs/")])   # state "handed over"
    absorb(store, catalogue)                                          # the owner, when it opens

Damaged batches, and those of another version of this program, are moved to `inbox/bad/` with the
reason beside them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import importer
from ingest.files import Source, UnreadableFile
from ingest.importer import FileReport, ImportOptions, Progress
from ingest.readers.mapping import MappingError
from ingest.record import Reject, ReportedRow
from ingest.store import book, ledger, load
from ingest.store.book import arrow_table
from ingest.store.database import (
    Store,
    StoreError,
    StoreHeld,
    beside,
    bounded,
    open_store,
    staging_area,
)
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PATIENCE_S = 2.0
"""How long a writing command waits for the file: another command's read is over by then."""

FORMAT = 1
"""Version of a batch file's metadata; another one is refused."""

_FACTS = b"tokenbooks"
_STALE_DRAFT_S = 24 * 3600
_ROWS = 65_536
"""Rows held at a time while a batch is written or taken."""


def import_or_hand_over(
    path: Path,
    catalogue: Catalogue,
    paths: Sequence[Path],
    options: ImportOptions | None = None,
    *,
    patience_s: float = PATIENCE_S,
    progress: Progress | None = None,
) -> list[FileReport]:
    """Import files and folders (`-` is standard input) into the store at `path`, directly when it
    is free within `patience_s` seconds, else through its inbox (state "handed over").

    Raises `StoreError` only for a store that nobody could write: foreign, newer, no permission.
    """
    chosen = options or ImportOptions()
    store = take(path, patience_s)
    if store is not None:
        try:
            book.sync(store, catalogue)
            absorb(store, catalogue)
            reports = importer.import_paths(store, catalogue, paths, chosen, progress=progress)
            absorb(store, catalogue)
            return reports
        finally:
            store.close()
    reports = [
        source
        if isinstance(source, FileReport)
        else hand_over(path, source, chosen, progress=progress)
        for source in importer.sources(paths, path, progress=progress)
    ]
    # The owner may have left between the last look and the drop: then nobody would come by.
    with contextlib.suppress(StoreError):
        absorb_if_free(path, catalogue)
    return reports


def take(path: Path, patience_s: float = PATIENCE_S) -> Store | None:
    """Open the store as owner, waiting at most `patience_s` for it; None when it stays held."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return open_store(path)
        except StoreHeld:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            # Jitter: two commands that wait for a third must not meet again and again.
            time.sleep(min(left, random.uniform(0.02, 0.15)))


def absorb_if_free(path: Path, catalogue: Catalogue) -> list[FileReport]:
    """Absorb what is in the inbox when nobody holds the store; otherwise its owner will."""
    if not batches(path):
        return []
    store = take(path, 0)
    if store is None:
        return []
    try:
        book.sync(store, catalogue)
        return absorb(store, catalogue)
    finally:
        store.close()


# --- dropping a batch -----------------------------------------------------------------------


def hand_over(
    path: Path, source: Source, options: ImportOptions, *, progress: Progress | None = None
) -> FileReport:
    """Read one file and drop it as a batch into the inbox of the store at `path`."""
    import duckdb
    import pyarrow as pa

    report = FileReport(str(source.path))
    reader, report.confidence, why = importer.recognise(source, options)
    if reader is None:
        report.state, report.error = "failed", why
        return report
    report.format = reader.name
    folder = beside(path, "inbox")
    try:
        entry = ledger.Entry(report.path, source.sha256, options.stamp, reader.name, source.size)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{_digest(entry)}.parquet"
        draft = folder / f".{name}.{os.getpid()}.tmp"
        try:
            with staging_area(folder) as con:
                extract = importer.stage_source(con, source, reader, options, entry, progress)
                _write(con, draft, _facts(entry, extract.reported))
            _drop(draft, folder, name, _digest(entry))
        finally:
            draft.unlink(missing_ok=True)
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
        return report
    except (OSError, pa.ArrowException, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        report.state = "failed"
        report.error = f"nothing of it was stored: cannot write to {folder}: {error}"
        return report
    report.state = "handed over"
    report.records, report.rejects = entry.records, entry.rejects
    report.rejected, report.reported = len(entry.rejects), len(extract.reported)
    report.notes = [*entry.notes, f"handed to the owner of {path.name} as {name}"]
    return report


def _write(con: duckdb.DuckDBPyConnection, draft: Path, facts: str) -> None:
    """Write what is staged as a batch file, some thousand rows at a time."""
    import pyarrow.parquet as pq

    schema = _empty().schema
    with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
        for rows in con.sql(f"SELECT * FROM {load.STAGE}").to_arrow_reader(_ROWS):
            writer.write_batch(rows.cast(schema))
        writer.add_key_value_metadata({_FACTS.decode(): facts})


def _digest(entry: ledger.Entry) -> str:
    """The content part of a batch's name: the same file with the same stamps is the same batch."""
    return hashlib.sha256("\n".join(entry.identity).encode()).hexdigest()[:24]


def _drop(draft: Path, folder: Path, name: str, digest: str) -> None:
    """Give a finished draft its name, on disk before it is visible; keep an equal batch's place."""
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    for earlier in folder.glob(f"*-{digest}.parquet"):
        name = earlier.name
        break
    draft.rename(folder / name)


def _empty() -> pa.Table:
    """No rows of the batch columns: the schema a batch must have."""
    return arrow_table(load.STAGE_COLUMNS, [[None] * len(load.STAGE_COLUMNS)]).slice(0, 0)


def _facts(entry: ledger.Entry, reported: Sequence[ReportedRow]) -> str:
    return json.dumps(
        {"format": FORMAT, "entry": asdict(entry), "reported": [asdict(r) for r in reported]},
        default=_as_text,
    )


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


# --- absorbing ------------------------------------------------------------------------------


class BadBatch(Exception):
    """A batch file cannot be taken: the message says why."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch file: its facts read, its rows still on disk."""

    path: Path
    entry: ledger.Entry
    reported: list[ReportedRow]

    def rows(self) -> Iterator[pa.Table]:
        """The rows, some thousand at a time. Raises `BadBatch` where the file is damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                batches: Iterator[pa.RecordBatch] = file.iter_batches(batch_size=_ROWS)  # pyright: ignore[reportUnknownMemberType]
                for batch in batches:
                    yield pa.Table.from_batches([batch])
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _unreadable(error) from error


def _unreadable(error: Exception) -> BadBatch:
    return BadBatch(f"not a readable batch ({str(error)[:200]}): import its file again")


def batches(path: Path) -> list[Path]:
    """The finished batches waiting for the store at `path`, in the order they were dropped."""
    return sorted(beside(path, "inbox").glob("[0-9]*.parquet"))


def absorb(store: Store, catalogue: Catalogue) -> list[FileReport]:
    """Take every finished batch into the store, each in one transaction with its ledger row.

    One report a batch: "imported", "unchanged" (its ledger row was found), or "failed" (moved to
    `inbox/bad/`). An error of the machine (a full disk) is raised and leaves the batch in place.
    """
    reports = [_absorb_one(store, catalogue, found) for found in batches(store.path)]
    _sweep(beside(store.path, "inbox"))
    return reports


def _absorb_one(store: Store, catalogue: Catalogue, found: Path) -> FileReport:
    import duckdb

    report = FileReport(str(found))
    try:
        batch = read_batch(found)
        report.path, report.format = batch.entry.path, batch.entry.format
        known = ledger.known_records(store.con, batch.entry.identity)
        if known is not None:
            report.state, report.records = "unchanged", known
        else:
            with bounded(store.con), store.transaction() as con:
                load.create_stage(con)
                for rows in batch.rows():
                    book.insert_table(con, load.STAGE, rows)
                merged, report.reported = ledger.commit(con, catalogue, batch.entry, batch.reported)
            report.records, report.rejects = batch.entry.records, batch.entry.rejects
            report.rejected = len(report.rejects)
            report.added, report.replaced = merged.added, merged.replaced
            report.duplicates = merged.duplicates
    except FileNotFoundError:  # another owner of a moment ago took it
        report.state = "unchanged"
    except (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException):
        raise
    except (BadBatch, duckdb.Error) as error:
        report.state, report.error = "failed", str(error)
        _set_aside(found, report.error)
        return report
    found.unlink(missing_ok=True)
    return report


def read_batch(found: Path) -> Batch:
    """Read a batch file's facts. Raises `BadBatch` when it is damaged or not of this version."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(found) as file:
            columns, metadata = file.schema_arrow, file.metadata.metadata or {}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(error) from error
    wanted = _empty().schema
    if columns.remove_metadata() != wanted:
        raise BadBatch(
            "the batch was made by another version of tokenbooks: import its file again with this"
            " one"
        )
    try:
        facts = json.loads(metadata[_FACTS])
        if facts["format"] != FORMAT:
            raise BadBatch(f"the batch has format {facts['format']}, this program knows {FORMAT}")
        entry = ledger.Entry(**facts["entry"])
        entry.rejects = [Reject(**r) for r in facts["entry"]["rejects"]]
        reported = [_reported_row(r) for r in facts["reported"]]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise BadBatch(f"the batch lacks its ledger facts ({error}): import its file again") from (
            error
        )
    return Batch(found, entry, reported)


def _reported_row(facts: Mapping[str, Any]) -> ReportedRow:
    row = dict(facts)
    for name in ("period_start", "period_end"):
        row[name] = datetime.fromisoformat(row[name])
    for name in ("amount", "list_amount"):
        row[name] = None if row[name] is None else Decimal(row[name])
    return ReportedRow(**row)


def _set_aside(found: Path, reason: str) -> None:
    folder = found.parent / "bad"
    folder.mkdir(exist_ok=True)
    found.rename(folder / found.name)
    (folder / f"{found.name}.reason.txt").write_text(reason + "\n", "utf-8")


def _sweep(folder: Path) -> None:
    """Remove drafts whose writer died long ago."""
    for draft in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > _STALE_DRAFT_S:
                draft.unlink()
