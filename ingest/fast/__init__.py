"""The fast import: most lines of a file in bulk, in SQL; the rest by the reader, one by one.

A reader (`ingest.readers`) says what a line means, in Python, a record at a time. The modules here
say the same once more, in SQL over many thousand lines, but only of lines they recognise strictly:
every key, type, range and text as expected. Such lines go straight into the staging table. Every
other line (cut off, an odd type, an impossible count, an unknown key that matters) is *left over*
and goes to the reader, which stays the only one that rejects, flags or repairs. So one bad line
among a million costs one slow line, and both ways give the same store: tests hold them equal.

    bulk = prepare(source, reader, options)      # a Source that leaves lines out, or None
    bulk.into(con)                               # where the staging table is
    for result in reader.read(bulk, context):    # reading what is left also stages the rest
        ...
    bulk.records                                 # how many were staged in bulk

| module | what it knows |
| --- | --- |
| `chunks` | a file in pieces of some MB: lines, CSV cells, Parquet batches, as Arrow tables |
| `cells` | a value of each type as text, count, time or money, and whether it is a plain one |
| `tables` | `ingest.readers.mapping` in SQL: mapped tables and tokenbooks' own records |
| `bodies` | `ingest.readers.bodies` in SQL: Chat Completions, Responses, Messages |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.fast.bulk import Bulk
    from ingest.files import Source
    from ingest.importer import ImportOptions
    from ingest.readers.base import Reader

__all__ = ["WORTH_BYTES", "prepare"]

WORTH_BYTES = 200_000
"""Size (unpacked) from which the bulk way pays: planning its SQL takes as long as reading some
hundred lines one by one."""


def prepare(source: Source, reader: Reader, options: ImportOptions) -> Bulk | None:
    """The source with most of its lines read in bulk, or None where there is no such way."""
    if len(source.head) < WORTH_BYTES and not (
        source.kind == "parquet" and source.size > WORTH_BYTES // 8
    ):
        return None
    from ingest.fast.bulk import bulk_of

    return bulk_of(source, reader, options)
