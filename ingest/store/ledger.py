"""The ledger: what was imported, from which content, with which outcome.

A file is known by the hash of its content and by the stamps given with it (`Entry.identity`), so a
replay is recognised whatever the file is called. The ledger row, the rejects and the report rows
are written in the transaction that stores the calls: either all of a file is there, or nothing.

    create_stage(con); stage(con, rows)
    outcome = commit(con, catalogue, entry, reported)     # inside a transaction
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest.record import Reject, ReportedRow
from ingest.store import load
from ingest.store.book import insert_rows
from ingest.store.load import Merged, scaled
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import duckdb


@dataclass(slots=True)
class Entry:
    """What the ledger says of one file besides the outcome of storing it."""

    path: str
    sha256: str
    stamp: str
    format: str
    size: int
    records: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def identity(self) -> tuple[str, str]:
        """Content and stamps: an import with the same two changes nothing."""
        return self.sha256, self.stamp


def known_records(con: duckdb.DuckDBPyConnection, identity: tuple[str, str]) -> int | None:
    """How many records an import of this identity had, or None when there was none."""
    rows = con.execute(
        "SELECT records FROM imports WHERE sha256 = ? AND stamp = ?", list(identity)
    ).fetchall()
    return rows[0][0] if rows else None


def commit(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    entry: Entry,
    reported: Sequence[ReportedRow],
) -> tuple[Merged, int]:
    """Store the staged records, report rows, rejects and the ledger row; call in a transaction.

    Returns what became of the records and how many report rows there are.
    """
    import_id = con.execute("SELECT coalesce(max(import_id), 0) + 1 FROM imports").fetchall()[0][0]
    merged = load.merge(con, catalogue, import_id)
    report_rows = store_reported(con, reported, import_id)
    insert_rows(
        con,
        "rejects",
        _REJECT_COLUMNS,
        [(import_id, entry.path, r.line, r.reason, r.raw) for r in entry.rejects],
    )
    con.execute(
        "INSERT INTO imports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            import_id, entry.path, entry.sha256, entry.stamp, entry.format, entry.size,
            datetime.now(UTC).replace(tzinfo=None), entry.records, merged.added, merged.replaced,
            merged.duplicates, len(entry.rejects), report_rows, merged.first_at, merged.last_at,
            "; ".join(entry.notes) or None,
        ],
    )  # fmt: skip
    return merged, report_rows


_REJECT_COLUMNS = (
    ("import_id", "INTEGER"), ("path", "VARCHAR"), ("line", "INTEGER"), ("reason", "VARCHAR"),
    ("raw", "VARCHAR"),
)  # fmt: skip

_REPORTED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("slice_key", "VARCHAR"), ("source_format", "VARCHAR"), ("provider", "VARCHAR"),
    ("kind", "VARCHAR"), ("period_start", "TIMESTAMP"), ("period_end", "TIMESTAMP"),
    ("model", "VARCHAR"), ("tier", "VARCHAR"), ("region", "VARCHAR"), ("line_item", "VARCHAR"),
    ("project", "VARCHAR"), ("api_key", "VARCHAR"), ("requests", "BIGINT"),
    ("amount", "DECIMAL(38,18)"), ("currency", "VARCHAR"), ("list_amount", "DECIMAL(38,18)"),
    *((name, "BIGINT") for name in COUNTED), ("tags", "MAP(VARCHAR, VARCHAR)"),
    ("import_id", "INTEGER"), ("line", "INTEGER"),
)  # fmt: skip


def store_reported(
    con: duckdb.DuckDBPyConnection, rows: Sequence[ReportedRow], import_id: int
) -> int:
    """Store aggregate rows; a later report of the same slice replaces the earlier one."""
    last: dict[str, ReportedRow] = {row.slice_key: row for row in rows}
    if not last:
        return 0
    con.execute(sql.create_table("incoming_reported", _REPORTED_COLUMNS, temporary=True))
    insert_rows(
        con,
        "incoming_reported",
        _REPORTED_COLUMNS,
        [
            (
                key, r.source_format, r.provider, r.kind, r.period_start, r.period_end, r.model,
                r.tier, r.region, r.line_item, r.project, r.api_key, r.requests,
                scaled(r.amount), r.currency, scaled(r.list_amount),
                *(r.counts.get(name) for name in COUNTED), r.tags or None, import_id, r.line,
            )
            for key, r in last.items()
        ],
    )  # fmt: skip
    con.execute("DELETE FROM reported WHERE slice_key IN (SELECT slice_key FROM incoming_reported)")
    names = ", ".join(n for n, _ in _REPORTED_COLUMNS)
    con.execute(f"INSERT INTO reported ({names}) SELECT {names} FROM incoming_reported")
    con.execute("DROP TABLE incoming_reported")
    return len(last)
