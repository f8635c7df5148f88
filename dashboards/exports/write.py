"""Writing a query to a file: DuckDB's own COPY to a draft, then one rename.

Nobody ever sees half an export, and an export that fails leaves the older file as it was.

    rows = copy_query(con, "SELECT 1 AS a", [], Path("out.csv"))
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


class ExportError(ValueError):
    """An export cannot be made as asked; the message says what to change."""


def format_of(path: Path) -> str:
    """`parquet` or `csv`, by the file's ending; CSV where it says nothing."""
    return "parquet" if path.suffix.lower() in (".parquet", ".pq") else "csv"


def copy_query(
    con: duckdb.DuckDBPyConnection,
    query: str,
    values: Sequence[Any],
    path: Path,
    *,
    kind: str = "",
) -> int:
    """Write a query's rows to `path` as CSV or Parquet (`kind`, by default by the ending).

    Decimals are written as they are, never through a float; instants in CSV are RFC 3339 UTC.
    Returns the number of rows. Raises `ExportError` when the file cannot be written.
    """
    kind = kind or format_of(path)
    options = "FORMAT parquet, COMPRESSION zstd"
    if kind == "csv":
        options = "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'"
    if path.is_dir():
        raise ExportError(f"{path} is a folder: give a file name with --out")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    quoted = str(draft).replace("'", "''")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = con.execute(f"COPY ({query}) TO '{quoted}' ({options})", list(values)).fetchall()
        draft.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    except Exception as error:
        if type(error).__name__ == "IOException":
            raise ExportError(f"{path} cannot be written: {str(error).splitlines()[0]}") from error
        raise
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return int(rows[0][0])
