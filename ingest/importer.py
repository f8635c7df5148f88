"""Importing: find the files, recognise each, read it, and store it in one transaction.

For each file: look at it, recognise its format by content, read records and rejects, stage them,
merge them with what is known, write the ledger row; then commit. Killed anywhere before the
commit, the store holds nothing of the file; after it, all of it. The ledger (`imports`) knows a
file by the hash of its content and by the stamps given with it, so importing it again changes
nothing, and a file that has grown is read again, its known calls recognised by their keys.

    report = import_paths(store, catalogue, [Path("logs/")], stamps={"team": "search"})
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import fast
from ingest.files import ZIP, Source, UnreadableFile, look, look_at_bytes, zip_members
from ingest.readers import all_readers
from ingest.readers.base import ReadContext, Reader
from ingest.readers.mapping import MappingError, check_mapping, columns_of
from ingest.record import DIMENSIONS, Reject, ReportedRow, UsageRecord
from ingest.store import ledger, load
from ingest.store.database import Store, bounded
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import duckdb

SURE_ENOUGH = 0.3
"""Confidence below which a file is not imported by guess."""

BATCH = 20_000

Progress = Callable[[str, int], None]
"""Told the file's path and how many of its records are read so far."""

_SKIPPED_NAMES = {".git", "__pycache__", "node_modules", ".venv"}
_SKIPPED_ENDINGS = {
    ".duckdb", ".wal", ".py", ".md", ".png", ".jpg", ".pdf", ".toml", ".html", ".lock",
}  # fmt: skip


@dataclass(slots=True)
class FileReport:
    """What became of one file.

    `state` is imported, unchanged (its ledger row was found), failed (unreadable or not
    recognised: nothing of it is stored) or planned (a dry run).
    """

    path: str
    state: str = "imported"
    format: str = ""
    confidence: float = 0.0
    records: int = 0
    added: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: int = 0
    reported: int = 0
    error: str = ""
    notes: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain types, the first rejects in full."""
        return {
            "path": self.path, "state": self.state, "format": self.format,
            "confidence": round(self.confidence, 2), "records": self.records, "added": self.added,
            "replaced": self.replaced, "duplicates": self.duplicates, "rejected": self.rejected,
            "reported": self.reported, "error": self.error or None, "notes": self.notes,
            "rejects": [{"line": r.line, "reason": r.reason} for r in self.rejects[:20]],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How files are read: a forced format, dimensions to stamp, a column mapping, options.

    `keep_text` keeps the first 200 characters of a rejected line in the table `rejects`. A broken
    line may hold a prompt, so without it only the line's number and the reason are kept.
    """

    format: str | None = None
    stamps: Mapping[str, str] = field(default_factory=dict[str, str])
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    keep_text: bool = False

    @property
    def stamp(self) -> str:
        """What besides the content decides the outcome: part of a file's identity."""
        parts = [self.format, dict(self.stamps), dict(self.mapping), dict(self.options)]
        return json.dumps([*parts, "keep_text"] if self.keep_text else parts, sort_keys=True)


def find_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files to import: those named, and all inside named folders that may be logs."""
    for path in paths:
        if path.is_dir():
            for found in sorted(p for p in path.rglob("*") if p.is_file()):
                parts = found.relative_to(path).parts
                hidden = any(p.startswith(".") or p in _SKIPPED_NAMES for p in parts)
                if not hidden and found.suffix.lower() not in _SKIPPED_ENDINGS:
                    yield found
        else:
            yield path


def recognise(source: Source, options: ImportOptions) -> tuple[Reader | None, float, str]:
    """The reader for a file, how sure it is, and why there is none."""
    readers = all_readers()
    if options.format is not None:
        reader = readers.get(options.format)
        if reader is None:
            return None, 0.0, f"unknown format {options.format!r}; known: {', '.join(readers)}"
        return reader, 1.0, ""
    if options.mapping:
        return readers["table"], 1.0, ""
    if source.kind == "empty":
        return None, 0.0, "the file is empty"
    ranked = sorted(
        ((_confidence(r, source), r.name, r) for r in readers.values()), key=lambda x: (-x[0], x[1])
    )
    sure, _, reader = ranked[0]
    if sure < SURE_ENOUGH:
        packed = len(zip_members(source.path)) if source.head[:4] == ZIP else 0
        if packed:
            return None, sure, f"a ZIP archive of {packed} files: unpack it and import the folder"
        what = {"binary": "binary data", "csv": "text or a table"}.get(source.kind, source.kind)
        columns = columns_of(source)[:8] if source.kind in ("csv", "parquet") else []
        hint = (
            f"; its columns are {', '.join(columns)}: name them with --map FIELD=COLUMN"
            if columns
            else "; see `tokenbooks formats`"
        )
        return None, sure, f"no known log format (it looks like {what}){hint}"
    return reader, sure, ""


def _confidence(reader: Reader, source: Source) -> float:
    try:
        return reader.identify(source)
    except Exception:  # a reader that stumbles over foreign content does not claim it
        return 0.0


def read_source(
    source: Source, reader: Reader, options: ImportOptions
) -> tuple[Iterator[UsageRecord | ReportedRow | Reject], ReadContext]:
    """Results of one file with the stamps applied. Raises `MappingError` for a wrong mapping."""
    if options.mapping:
        check_mapping(options.mapping, columns_of(source) or None, str(source.path))
    context = ReadContext(source, mapping=options.mapping, options=options.options)

    def results() -> Iterator[UsageRecord | ReportedRow | Reject]:
        for result in reader.read(source, context):
            if isinstance(result, UsageRecord):
                _stamp(result, options.stamps)
            elif isinstance(result, ReportedRow) and options.stamps.get("project"):
                result.project = result.project or options.stamps["project"]
            yield result

    return results(), context


# Values a reader takes, not the record: when a trace with relative times began.
_READER_OPTIONS = ("start",)
_RECORD_STAMPS = ("tier", "region", "seller", "provider", "model", "effort", "session")


def _stamp(record: UsageRecord, stamps: Mapping[str, str]) -> None:
    """Apply `--set` values: what a person says of the whole file. A dimension given this way
    wins over the log's; tier, model and the like only fill what the log leaves open."""
    for name, value in stamps.items():
        if name in DIMENSIONS:
            record.dimensions[name] = value
        elif name == "seller" or (name in _RECORD_STAMPS and getattr(record, name) is None):
            setattr(record, name, value)
        elif name not in (*_RECORD_STAMPS, *_READER_OPTIONS):
            record.tags[name] = value


def import_paths(
    store: Store,
    catalogue: Catalogue,
    paths: Sequence[Path],
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
) -> list[FileReport]:
    """Import files and folders; each file is a transaction of its own. Never raises for a bad
    file: its report says what is wrong and the rest goes on."""
    chosen = options or ImportOptions()
    return [
        found
        if isinstance(found, FileReport)
        else import_source(store, catalogue, found, chosen, progress=progress)
        for found in sources(paths, store.path, progress=progress)
    ]


def sources(
    paths: Sequence[Path], own: Path, *, progress: Progress | None = None
) -> Iterator[Source | FileReport]:
    """Every file looked at (`-` is standard input); one that cannot be read is a report already.

    The store itself (`own`) is never opened: closing it again would drop this process's lock.
    """
    for path in find_files(paths):
        if progress is not None:
            progress(str(path), 0)
        try:
            if str(path) == "-":
                yield look_at_bytes(sys.stdin.buffer.read())
            elif path.resolve() == own.resolve():
                yield FileReport(str(path), "failed", error=f"{path} is the database itself")
            else:
                yield look(path)
        except UnreadableFile as error:
            yield FileReport(str(path), "failed", error=str(error))


def import_bytes(
    store: Store, catalogue: Catalogue, data: bytes, options: ImportOptions, name: str = "-"
) -> FileReport:
    """Import content that is not in a file (standard input)."""
    return import_source(store, catalogue, look_at_bytes(data, name), options)


def plan(path: Path, options: ImportOptions, seen: set[str] | None = None) -> FileReport:
    """What importing a file would do, without a store: its format, records and rejects.

    `seen` are the keys of the calls in the files before it, which are not new in this one; those of
    this file are added.
    """
    report = FileReport(str(path), "planned")
    try:
        source = look(path)
    except UnreadableFile as error:
        report.state, report.error = "failed", str(error)
        return report
    reader, report.confidence, why = recognise(source, options)
    if reader is None:
        report.state, report.error = "failed", why
        return report
    report.format = reader.name
    try:
        results, context = read_source(source, reader, options)
    except MappingError as error:
        report.state, report.error = "failed", str(error)
        return report
    keys = set[str]() if seen is None else seen
    before = len(keys)
    extract = Extract(ledger.Entry(str(path), "", options.stamp, reader.name, source.size))
    try:
        for record in extract.records(results, options):
            report.records += 1
            keys.add(record.call_key)
    except UnreadableFile as error:
        report.state, report.error = "failed", str(error)
        return report
    report.rejects, report.rejected = extract.entry.rejects, len(extract.entry.rejects)
    report.reported = len(extract.reported)
    report.added = len(keys) - before
    report.duplicates = report.records - report.added
    report.notes = context.notes
    return report


@dataclass(slots=True)
class Extract:
    """One file's results sorted: records are handed on, everything else is collected here."""

    entry: ledger.Entry
    reported: list[ReportedRow] = field(default_factory=list)

    def staged(self, number: int, progress: Progress | None = None) -> None:
        """Count records that were staged in bulk."""
        self.entry.records += number
        if progress is not None:
            progress(self.entry.path, self.entry.records)

    def records(self, results: Iterator[Any], options: ImportOptions) -> Iterator[UsageRecord]:
        """The records that the store can take. Raises `UnreadableFile` when the reader breaks
        down: that costs the file, never the files after it."""
        line = 0
        while True:
            try:
                result = next(results, None)
            except (UnreadableFile, MappingError):
                raise
            except Exception as error:
                raise UnreadableFile(
                    f"{self.entry.path}: cannot be read as {self.entry.format} after line {line}:"
                    f" {type(error).__name__}: {str(error)[:200]}"
                ) from error
            if result is None:
                return
            if isinstance(result, UsageRecord):
                line = result.line or line
                why = load.refusal(result)
                if why is None:
                    self.entry.records += 1
                    yield result
                    continue
                result = Reject(why, result.line)
            if isinstance(result, Reject):
                line = result.line or line
                raw = result.raw if options.keep_text else None
                self.entry.rejects.append(Reject(result.reason, result.line, raw))
            else:
                self.reported.append(result)


def stage_source(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    reader: Reader,
    options: ImportOptions,
    entry: ledger.Entry,
    progress: Progress | None = None,
) -> Extract:
    """Stage a file's records in a table `load.STAGE` of this connection: most lines in bulk, the
    rest one by one. Raises `MappingError`, `UnreadableFile`.

    The connection holds some thousand records, its table the others: bound its memory
    (`database.bounded`) where a file may be large.
    """
    bulk = fast.prepare(source, reader, options)
    results, context = read_source(bulk or source, reader, options)
    extract = Extract(entry)
    load.create_stage(con)
    if bulk is not None:
        bulk.into(con, lambda number: extract.staged(number, progress))
    rows: list[tuple[Any, ...]] = []
    for record in extract.records(results, options):
        rows.append(load.stage_row(record))
        if len(rows) >= BATCH:
            load.stage(con, rows)
            rows = []
            if progress is not None:
                progress(entry.path, entry.records)
    load.stage(con, rows)
    entry.notes = context.notes
    return extract


def import_source(
    store: Store,
    catalogue: Catalogue,
    source: Source,
    options: ImportOptions,
    *,
    progress: Progress | None = None,
) -> FileReport:
    """Import one file that has been looked at, in one transaction."""
    report = FileReport(str(source.path))
    reader, report.confidence, why = recognise(source, options)
    if reader is None:
        report.state, report.error = "failed", why
        return report
    report.format = reader.name
    try:
        entry = ledger.Entry(report.path, source.sha256, options.stamp, reader.name, source.size)
        known = ledger.known_records(store.con, entry.identity)
        if known is not None:
            report.state, report.records = "unchanged", known
            return report
        with bounded(store.con), store.transaction() as con:
            extract = stage_source(con, source, reader, options, entry, progress)
            merged, report.reported = ledger.commit(con, catalogue, entry, extract.reported)
        report.records, report.rejects = entry.records, entry.rejects
        report.added, report.replaced = merged.added, merged.replaced
        report.duplicates, report.rejected = merged.duplicates, len(entry.rejects)
        report.notes = entry.notes
    except (MappingError, UnreadableFile) as error:
        report.state, report.error = "failed", str(error)
    except Exception as error:
        if _is_disk_or_range(error):
            report.state, report.error = "failed", f"nothing of it was stored: {error}"
        else:
            raise
    return report


def _is_disk_or_range(error: Exception) -> bool:
    """Errors of the machine or the data, not of this program."""
    import duckdb

    return isinstance(error, OSError | duckdb.IOException | duckdb.OutOfRangeException)
