"""The inbox: how a process that cannot have the store hands a finished batch to the one that has.

A batch is one Parquet file with the staged rows of one log file, and the ledger facts, rejects and
aggregate rows in its metadata. It is written under a hidden name and renamed when it is whole, so
the owner never sees half of one. Its name is made from the content's hash: handing the same file
over twice is one batch. The owner absorbs each batch in a transaction with its ledger row, then
removes it; killed between the two, it finds the ledger row and only removes. A batch nobody can
read goes to `inbox/bad/` with the reason beside it.

    reports = hand_over(db, [Path("logs/")], ImportOptions())     # while `serve` has the file
    absorb(store, catalogue)                                      # what `serve` does with it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import importer
from ingest.files import Source, UnreadableFile, look, look_at_bytes
from ingest.readers.mapping import MappingError
from ingest.record import Reject, ReportedRow
from ingest.store import load
from ingest.store.book import arrow_table
from ingest.store.database import Store, beside
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import pyarrow as pa

_FACTS = b"tokenbooks"
_VERSION = 1


class BadBatch(ValueError):
    """A file in the inbox is no batch of ours, or is damaged."""


def hand_over(
    db: Path,
    paths: Iterable[Path],
    options: importer.ImportOptions,
    *,
    progress: importer.Progress | None = None,
) -> list[importer.FileReport]:
    """Read files and leave a batch of each in the inbox of `db`. Their state is "handed over".

    Standard input is the path `-`. Never raises for a bad file: its report says what is wrong.
    """
    import sys

    reports: list[importer.FileReport] = []
    named = list(paths)
    sources: list[Source] = []
    for path in importer.find_files(p for p in named if str(p) != "-"):
        try:
            sources.append(look(path))
        except UnreadableFile as error:
            reports.append(importer.FileReport(str(path), "failed", error=str(error)))
    if any(str(p) == "-" for p in named):
        sources.append(look_at_bytes(sys.stdin.buffer.read()))
    for source in sources:
        reports.append(_hand_over(db, source, options, progress))
    return reports


def _hand_over(
    db: Path,
    source: Source,
    options: importer.ImportOptions,
    progress: importer.Progress | None,
) -> importer.FileReport:
    import pyarrow.parquet as pq

    report = importer.FileReport(str(source.path), "handed over")
    reader, report.confidence, why = importer.recognise(source, options)
    if reader is None:
        report.state, report.error = "failed", why
        return report
    report.format = reader.name
    inbox = beside(db, "inbox")
    name = hashlib.sha256(f"{source.sha256}{options.stamp}".encode()).hexdigest()[:32]
    draft = inbox / f".{name}.{os.getpid()}.tmp"
    try:
        inbox.mkdir(parents=True, exist_ok=True)
        schema = arrow_table(load.STAGE_COLUMNS, []).schema
        with pq.ParquetWriter(draft, schema, compression="zstd") as writer:

            def sink(rows: list[tuple[Any, ...]]) -> None:
                if rows:
                    writer.write_table(arrow_table(load.STAGE_COLUMNS, rows))

            aggregates = importer.drain(source, reader, options, report, sink, progress)
            facts = _facts(report, source, options, aggregates)
            writer.add_key_value_metadata({_FACTS: json.dumps(facts, default=_plain).encode()})
        draft.rename(inbox / f"{name}.parquet")
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
    except OSError as error:
        report.state, report.error = "failed", f"nothing of it was handed over: {error}"
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return report


def _facts(
    report: importer.FileReport,
    source: Source,
    options: importer.ImportOptions,
    aggregates: list[ReportedRow],
) -> dict[str, Any]:
    return {
        "version": _VERSION, "path": report.path, "sha256": source.sha256,
        "stamp": options.stamp, "size": source.size, "format": report.format,
        "records": report.records, "notes": report.notes,
        "rejects": [asdict(r) for r in report.rejects],
        "aggregates": [asdict(a) for a in aggregates],
    }  # fmt: skip


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def absorb(store: Store, catalogue: Catalogue) -> list[importer.FileReport]:
    """Import every finished batch in the inbox, oldest first; the store must be owned."""
    inbox = beside(store.path, "inbox")
    if not inbox.is_dir():
        return []
    waiting = sorted(inbox.glob("*.parquet"), key=lambda p: (p.stat().st_mtime_ns, p.name))
    reports: list[importer.FileReport] = []
    for batch in waiting:
        try:
            reports.append(_absorb(store, catalogue, batch))
        except BadBatch as error:
            reports.append(importer.FileReport(str(batch), "failed", error=str(error)))
            _set_aside(batch, str(error))
            continue
        with contextlib.suppress(OSError):
            batch.unlink()
    return reports


def _absorb(store: Store, catalogue: Catalogue, batch: Path) -> importer.FileReport:
    table, facts = _read(batch)
    report = importer.FileReport(
        facts["path"], format=facts["format"], records=facts["records"], notes=facts["notes"],
        rejected=len(facts["rejects"]), rejects=[Reject(**r) for r in facts["rejects"]],
    )  # fmt: skip
    told = importer.HandedOver(facts["sha256"], facts["stamp"], facts["size"])
    if importer.ledger_row(store.con, told.sha256, told.stamp) is not None:
        report.state = "unchanged"
        return report
    aggregates = [_aggregate(a) for a in facts["aggregates"]]
    with store.transaction() as con:
        load.create_stage(con)
        load.stage_table(con, table)
        importer.settle(con, catalogue, report, told, told, aggregates)
    return report


def _read(batch: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The rows and the facts of a batch. Raises `BadBatch` for anything that is not one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(batch)
        facts = json.loads((file.metadata.metadata or {})[_FACTS])
        table = file.read()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise BadBatch(f"{batch.name} is no batch of tokenbooks, or damaged: {error}") from error
    if facts.get("version") != _VERSION:
        raise BadBatch(f"{batch.name} was handed over by another version of tokenbooks")
    if table.column_names != [name for name, _ in load.STAGE_COLUMNS]:
        raise BadBatch(f"{batch.name} has other columns than this version of tokenbooks")
    return table, facts


def _aggregate(facts: dict[str, Any]) -> ReportedRow:
    for name in ("period_start", "period_end"):
        facts[name] = datetime.fromisoformat(facts[name])
    for name in ("amount", "list_amount"):
        facts[name] = None if facts[name] is None else Decimal(facts[name])
    return ReportedRow(**facts)


def _set_aside(batch: Path, reason: str) -> None:
    bad = batch.parent / "bad"
    bad.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):
        batch.rename(bad / batch.name)
        (bad / f"{batch.name}.txt").write_text(reason + "\n")
