"""One file read both ways, in bulk and by the reader alone: what each would store of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from ingest.fast.bulk import bulk_of
from ingest.files import look
from ingest.importer import Extract, ImportOptions, read_source, recognise
from ingest.record import Reject
from ingest.store import ledger, load


@dataclass(frozen=True)
class Outcome:
    """Staged rows (in the order of their lines), rejects, the number of records, and how many
    of them were staged in bulk."""

    rows: list[tuple[Any, ...]]
    rejects: list[Reject]
    records: int
    notes: list[str]
    in_bulk: int


SHARED = Path(os.environ.get("TOKENBOOKS_SHARED", Path(__file__).parents[3] / "shared")) / "samples"


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 1})
    con.execute("SET TimeZone = 'UTC'")
    return con


def read(path: Path, options: ImportOptions, *, bulk: bool, block: int = 0) -> Outcome:
    """Read one file as the importer does, up to the staging table."""
    source = look(path)
    reader, _, why = recognise(source, options)
    assert reader is not None, why
    extract = Extract(ledger.Entry(str(path), "", "", reader.name, 0))
    with _connection().cursor() as con:
        load.create_stage(con)
        quick = bulk_of(source, reader, options) if bulk else None
        if quick is not None:
            quick.block = block
            quick.into(con, extract.staged)
        results, context = read_source(quick or source, reader, options)
        load.stage(con, [load.stage_row(r) for r in extract.records(results, options)])
        staged = con.execute(f"SELECT * FROM {load.STAGE}").fetchall()
    assert not (quick and quick.judged and quick.judged.disagreed), "SQL and reader disagree"
    return Outcome(
        sorted(staged, key=repr),
        extract.entry.rejects,
        extract.entry.records,
        context.notes,
        quick.records if quick else 0,
    )


def same(path: Path, options: ImportOptions | None = None, block: int = 0) -> Outcome:
    """Read a file both ways, hold the two equal, and return what the bulk way gave."""
    chosen = options or ImportOptions()
    slow = read(path, chosen, bulk=False)
    quick = read(path, chosen, bulk=True, block=block)
    for mine, theirs in zip(quick.rows, slow.rows, strict=False):
        assert mine == theirs
    assert quick.rows == slow.rows
    assert quick.rejects == slow.rejects
    assert (quick.records, quick.notes) == (slow.records, slow.notes)
    return quick
