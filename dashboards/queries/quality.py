"""How far the books can be trusted: what was imported, refused, replaced, and priced by guess.

totals(con).unpriced_calls, imports(con), rejects(con), replacements(con)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_IMPORTS = (
    "import_id", "imported_at", "path", "format", "size", "records", "added", "replaced",
    "duplicates", "rejected", "reported", "first_at", "last_at", "notes",
)  # fmt: skip
_REPLACED = (
    "replaced_at", "call_key", "reason", "old_total", "new_total", "old_import", "new_import",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """Whole-store counts."""

    imports: int
    records: int
    added: int
    duplicates: int
    replaced: int
    rejected: int


def totals(con: duckdb.DuckDBPyConnection) -> Totals:
    """Sums over the import ledger."""
    sums = ", ".join(
        f"coalesce(sum({n}), 0)::BIGINT"
        for n in ("records", "added", "duplicates", "replaced", "rejected")
    )
    return Totals(*con.execute(f"SELECT count(*), {sums} FROM imports").fetchall()[0])


def imports(con: duckdb.DuckDBPyConnection, limit: int = 200) -> list[dict[str, Any]]:
    """The ledger, newest first; instants are naive UTC."""
    rows = con.execute(
        f"SELECT {', '.join(_IMPORTS)} FROM imports ORDER BY import_id DESC LIMIT ?", [limit]
    ).fetchall()
    return [dict(zip(_IMPORTS, row, strict=True)) for row in rows]


def rejects(con: duckdb.DuckDBPyConnection, limit: int = 200) -> list[dict[str, Any]]:
    """Lines that could not become calls: file, line, reason, and how the line begins."""
    rows = con.execute(
        "SELECT path, line, reason, left(raw, 120) FROM rejects"
        " ORDER BY import_id DESC, line LIMIT ?",
        [limit],
    ).fetchall()
    return [dict(zip(("path", "line", "reason", "raw"), row, strict=True)) for row in rows]


def replacements(con: duckdb.DuckDBPyConnection, limit: int = 200) -> list[dict[str, Any]]:
    """Calls seen again with better numbers, newest first."""
    rows = con.execute(
        f"SELECT {', '.join(_REPLACED)} FROM replacements"
        " ORDER BY replaced_at DESC, call_key LIMIT ?",
        [limit],
    ).fetchall()
    return [dict(zip(_REPLACED, row, strict=True)) for row in rows]


def flags(con: duckdb.DuckDBPyConnection, limit: int = 50) -> list[dict[str, Any]]:
    """What readers remarked on single calls (a total that does not add up, a guessed time)."""
    rows = con.execute(
        "SELECT source_format, flags, count(*), min(occurred_at), max(occurred_at)"
        " FROM calls_stored WHERE coalesce(flags, '') <> '' GROUP BY ALL ORDER BY 3 DESC LIMIT ?",
        [limit],
    ).fetchall()
    names = ("format", "flag", "calls", "first_at", "last_at")
    return [dict(zip(names, row, strict=True)) for row in rows]
