"""Single values in SQL: what a cell is as text, count, time or money, and whether it is plain.

A cell has a *kind*, from where it stands: `json` (the JSON text of a value), `text` (a CSV cell),
or a Parquet column's type. Each function gives a `Value`: the SQL of the value, and the SQL of
"this is so plain that Python's reader would say exactly the same". What is not plain is left to
the reader, so a check here may be narrower than the reader's rule but never wider.

    count(Cell("c.prompt", "json")).plain    # c.prompt IS NULL OR regexp_full_match(…)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ingest.record import MAX_SESSION

Kind = Literal["json", "text", "whole", "float", "decimal", "bool", "time", "zoned", "other"]

DIGITS = "[0-9]{1,15}"
_CENTURY = "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{3}([0-9]{3})?)?"
INSTANT = f"{_CENTURY}[T ]{_CLOCK}(Z|[+]00:00)?"
"""Times that Python's and DuckDB's parsers read alike (a wrong day of the month is NULL here)."""

_EDGE = r"[^\p{Z}\p{C}]"
_INSIDE = r"[^\x00-\x1f]"
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a value stands (SQL) and what kind of value it is."""

    sql: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Value:
    """A value in SQL (NULL: absent), and when that is certain to be what the reader says."""

    sql: str
    plain: str = "true"


ABSENT = Value("NULL")


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _all(*conditions: str) -> str:
    return " AND ".join(c for c in conditions if c != "true") or "true"


def content(raw: str) -> str:
    """The text that a JSON string means (`raw` is the string with its quotes)."""
    return f"CASE WHEN contains({raw}, '\\') THEN CAST({raw} AS JSON) ->> '$' ELSE {raw}[2:-2] END"


def text(cell: Cell, *, ascii_only: bool, limit: int = MAX_SESSION) -> Value:
    """A text fit for a dimension (`ingest.record.short_text`), NULL when empty.

    `ascii_only` says that the whole chunk is ASCII without control characters.
    """
    x = cell.sql
    if cell.kind == "json":
        value = content(x)
        strict = (
            f"regexp_full_match({value}, '{_EDGE}({_INSIDE}*{_EDGE})?')"
            f" AND length({value}) <= {limit}"
        )
        quick = (
            f"CASE WHEN contains({x}, '\\') THEN {strict} ELSE NOT starts_with({x}, '\" ')"
            f" AND NOT ends_with({x}, ' \"') AND strlen({x}) BETWEEN 3 AND {limit + 2} END"
        )
        plain = f"({x} IS NULL OR (starts_with({x}, '\"') AND ({quick if ascii_only else strict})))"
        return Value(f"({value})", plain)
    if cell.kind == "text":
        if ascii_only:
            edges = f"NOT starts_with({x}, ' ') AND NOT ends_with({x}, ' ')"
            return Value(
                f"nullif({x}, '')",
                f"({x} IS NULL OR ({edges} AND strlen({x}) <= {limit}))",
            )
        whole = f"regexp_full_match({x}, '({_EDGE}({_INSIDE}*{_EDGE})?)?')"
        return Value(f"nullif({x}, '')", f"({x} IS NULL OR ({whole} AND length({x}) <= {limit}))")
    if cell.kind == "whole":
        return Value(f"CAST({x} AS VARCHAR)")
    if cell.kind == "bool":
        return Value(f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' END")
    return Value("NULL", f"({x} IS NULL)")


def label(cell: Cell, *, ascii_only: bool) -> Value:
    """A text or a whole number of JSON as a text."""
    x = cell.sql
    inner = text(cell, ascii_only=ascii_only)
    number = f"regexp_full_match({x}, '0|[1-9][0-9]{{0,14}}')"
    return Value(
        f"CASE WHEN starts_with({x}, '\"') THEN {inner.sql} ELSE {x} END",
        f"({inner.plain} OR {number})",
    )


def count(cell: Cell) -> Value:
    """A count (`ingest.readers.mapping._whole`) as BIGINT."""
    x = cell.sql
    if cell.kind == "json":
        return Value(
            f"TRY_CAST({x} AS BIGINT)", f"({x} IS NULL OR regexp_full_match({x}, '{DIGITS}'))"
        )
    if cell.kind == "text":  # dashboards write 31422.0
        return Value(
            f"CASE WHEN {x} <> '' THEN TRY_CAST(split_part({x}, '.', 1) AS BIGINT) END",
            f"({x} IS NULL OR regexp_full_match({x}, '({DIGITS}([.]0{{1,3}})?)?'))",
        )
    if cell.kind == "whole":
        return Value(f"TRY_CAST({x} AS BIGINT)", f"({x} IS NULL OR {x} BETWEEN 0 AND {_MOST - 1})")
    if cell.kind == "float":
        return Value(
            f"CASE WHEN NOT isnan({x}) THEN TRY_CAST({x} AS BIGINT) END",
            f"({x} IS NULL OR isnan({x}) OR ({x} >= 0 AND {x} < {_MOST} AND {x} = floor({x})))",
        )
    return Value("NULL", f"({x} IS NULL)")


def instant(cell: Cell) -> Value:
    """A log's time (`ingest.record.instant`) as TIMESTAMP in UTC."""
    x = cell.sql
    if cell.kind == "json":
        stamp = f"TRY_CAST({x}[2:-2] AS TIMESTAMP)"
        plain = (
            f"({x} IS NULL OR (regexp_full_match({x}, '\"{INSTANT}\"') AND {stamp} IS NOT NULL)"
            f" OR {_clock_digits(x)})"
        )
        return Value(f"CASE WHEN starts_with({x}, '\"') THEN {stamp} ELSE {_unix(x)} END", plain)
    if cell.kind == "text":
        stamp = f"TRY_CAST({x} AS TIMESTAMP)"
        plain = (
            f"({x} IS NULL OR {x} = '' OR (regexp_full_match({x}, '{INSTANT}')"
            f" AND {stamp} IS NOT NULL) OR ({_clock_digits(x)} AND strlen({x}) <= 10))"
        )
        return Value(f"CASE WHEN contains({x}, '-') THEN {stamp} ELSE {_unix(x)} END", plain)
    if cell.kind == "whole":
        plain = f"({x} IS NULL OR {x} BETWEEN 100000000 AND 99999999999999)"
        return Value(_unix(x), plain)
    if cell.kind in ("time", "zoned"):
        # A clock finer than microseconds is left to the reader.
        fine = f"epoch_ns({x}) % 1000 = 0" if cell.kind == "time" else "true"
        limits = f"epoch_us({x}) BETWEEN 0 AND 4000000000000000"
        return Value(f"make_timestamp(epoch_us({x}))", f"({x} IS NULL OR ({_all(limits, fine)}))")
    return Value("NULL", f"({x} IS NULL)")


def _clock_digits(x: str) -> str:
    # An SDK's dump writes whole seconds as 1741476542.0.
    return f"regexp_full_match({x}, '[1-9][0-9]{{8,13}}|[1-9][0-9]{{8,9}}[.]0')"


def _unix(x: str) -> str:
    """Unix time in seconds or milliseconds as TIMESTAMP."""
    n = f"TRY_CAST({x} AS BIGINT)"
    return f"make_timestamp(CASE WHEN {n} < 100000000000 THEN {n} * 1000000 ELSE {n} * 1000 END)"


def money(cell: Cell) -> Value:
    """A stated charge in USD as DECIMAL(24,12), the column's own type."""
    x = cell.sql
    if cell.kind in ("json", "text"):
        # At most fifteen digits: what a JSON float means is then exactly what is written.
        pattern = "([0-9]{1,3}([.][0-9]{1,12})?)" + ("?" if cell.kind == "text" else "")
        given = x if cell.kind == "json" else f"nullif({x}, '')"
        return Value(
            f"TRY_CAST({given} AS DECIMAL(24,12))",
            f"({x} IS NULL OR regexp_full_match({x}, '{pattern}'))",
        )
    if cell.kind == "whole":
        return Value(
            f"TRY_CAST({x} AS DECIMAL(24,12))", f"({x} IS NULL OR {x} BETWEEN 0 AND 999999999)"
        )
    if cell.kind == "float":
        exact = f"TRY_CAST({x} AS DECIMAL(24,12))"
        return Value(exact, f"({x} IS NULL OR ({x} >= 0 AND {x} < 1000"
                     f" AND CAST({exact} AS DOUBLE) = {x}))")  # fmt: skip
    if cell.kind == "decimal":
        return Value(
            f"TRY_CAST({x} AS DECIMAL(24,12))",
            f"({x} IS NULL OR {x} BETWEEN -999999999 AND 999999999)",
        )
    return Value("NULL", f"({x} IS NULL)")


def flag(cell: Cell) -> Value:
    """Whether a cell says yes (`failed`)."""
    x = cell.sql
    words = "('true', '1', 'yes')"
    if cell.kind == "json":
        return Value(
            f"coalesce(lower(trim({x}, '\"')) IN {words}, false)",
            f"({x} IS NULL OR (NOT contains({x}, '\\') AND NOT contains({x}, '\"\"')))",
        )
    if cell.kind == "text":
        return Value(f"coalesce(lower({x}) IN {words}, false)")
    if cell.kind == "bool":
        return Value(f"coalesce({x}, false)")
    if cell.kind == "whole":
        return Value(f"coalesce({x} = 1, false)")
    return Value("false", f"({x} IS NULL)")


def word(cell: Cell, wanted: str) -> Value:
    """Whether a cell is exactly one text."""
    x = cell.sql
    if cell.kind == "json":
        quoted = literal(f'"{wanted}"')
        return Value(
            f"coalesce({x} = {quoted}, false)", f"({x} IS NULL OR NOT contains({x}, '\\'))"
        )
    if cell.kind == "text":
        return Value(f"coalesce({x} = {literal(wanted)}, false)")
    return Value("false")
