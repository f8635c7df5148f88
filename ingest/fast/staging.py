"""A staging row as SQL expressions: named steps, conditions, and the columns they fill.

`Row` collects what a format's rule says: `let` names a value and adds its check, `need` adds a
condition, `set` fills a column. `query` lays it out as nested SELECTs (so that each expression is
computed once), adds what holds for every format (totals, limits, stamps), and keeps the plain rows.

>>> row = Row()
>>> row.let("n", Value("TRY_CAST(c.a AS BIGINT)", "c.a IS NOT NULL"))
'n_n'
>>> row.steps, row.checks
({'n_n': 'TRY_CAST(c.a AS BIGINT)'}, ['c.a IS NOT NULL'])
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.fast.cells import Value, literal
from ingest.record import DIMENSIONS
from ingest.store import load
from pricing.meters import INPUT, OUTPUT

_DEFAULTS = {"requests": "1", "failed": "false", "finality": "'final'"}
_NOT_NULL = ("call_key", "occurred_at", "provider", "source_format")


class Row:
    """The expressions that make one staging row of one line of a chunk."""

    def __init__(self) -> None:
        self.steps: dict[str, str] = {}
        self.checks: list[str] = []
        self.later: list[str] = []
        self.columns: dict[str, str] = {}
        self.tag_maps: list[str] = []
        self.tag_pairs: list[tuple[str, str]] = []
        self.flags: list[str] = []

    def let(self, name: str, value: Value) -> str:
        """Name a value of the line's cells; its check becomes a condition of the row."""
        if value.plain != "true":
            self.checks.append(value.plain)
        if value.sql in ("NULL", "false"):
            return value.sql
        self.steps[f"n_{name}"] = value.sql
        return f"n_{name}"

    def need(self, condition: str) -> None:
        """A condition on named values."""
        self.later.append(condition)

    def set(self, column: str, sql: str) -> None:
        """Fill a column of the staging table from named values."""
        self.columns[column] = sql

    def key(self, sql: str) -> None:
        """The call key; a row without one is not plain."""
        self.columns["call_key"] = sql

    def counts(self, counts: Mapping[str, str]) -> None:
        """The disjoint counts."""
        self.columns |= counts

    def total(self, sql: str) -> None:
        """The total the source states: a row whose parts do not make it is flagged."""
        self.columns["total_reported"] = sql
        if sql != "NULL":
            self.flags.append(
                "CASE WHEN total_reported <> input_total + output_total THEN 'parts add up to '"
                " || (input_total + output_total) || ', reported total is ' || total_reported END"
            )

    def tags(self, sql: str) -> None:
        """A map of tags."""
        if sql != "NULL":
            self.tag_maps.append(sql)

    def tag(self, name: str, sql: str) -> None:
        """One tag, absent where its value is NULL."""
        self.tag_pairs.append((name, sql))


def _total(names: tuple[str, ...], row: Row) -> str:
    counted = [n for n in names if row.columns.get(n, "NULL") != "NULL"]
    return " + ".join(f"coalesce({n}, 0)" for n in counted) or "0"


def _tags(row: Row, stamps: Mapping[str, str]) -> str:
    maps = list(row.tag_maps)
    for name, value in row.tag_pairs:
        entry = f"MAP {{{literal(name)}: {value}}}"
        maps.append(f"CASE WHEN {value} IS NOT NULL THEN {entry} END")
    own = [f"{literal(n)}: {literal(v)}" for n, v in stamps.items() if n in _other(stamps)]
    if own:
        maps.append(f"MAP {{{', '.join(own)}}}")
    if not maps:
        return "NULL"
    empty = "CAST(MAP {} AS MAP(VARCHAR, VARCHAR))"
    each = ", ".join(f"coalesce({m}, {empty})" for m in maps)
    joined = f"map_concat({each})" if len(maps) > 1 else maps[0]
    return f"CASE WHEN cardinality({joined}) > 0 THEN {joined} END"


_READER_OPTIONS = ("start",)
_FILLS = {
    "tier": "tier_stated", "region": "region", "model": "model", "effort": "effort",
    "session": "session",
}  # fmt: skip


def _other(stamps: Mapping[str, str]) -> set[str]:
    """Stamps that are tags: neither a dimension nor a field of the record."""
    return set(stamps) - {*DIMENSIONS, *_FILLS, *_READER_OPTIONS, "seller", "provider"}


def _stamped(column: str, sql: str, stamps: Mapping[str, str]) -> str:
    """`ingest.importer`'s rule of stamps: dimensions and the seller win, the rest fills."""
    if column in DIMENSIONS and column in stamps:
        return literal(stamps[column])
    if column == "seller_stated" and "seller" in stamps:
        return literal(stamps["seller"])
    for name, filled in _FILLS.items():
        if filled == column and name in stamps:
            return f"coalesce({sql}, {literal(stamps[name])})"
    return sql


def query(row: Row, stamps: Mapping[str, str], source: str) -> str:
    """The SELECT of the plain lines of `source` as rows of `load.STAGE_COLUMNS`, in that order."""
    steps = "".join(f", {sql} AS {name}" for name, sql in row.steps.items())
    where = " AND ".join(row.checks) or "true"
    inner = f"SELECT c.line{steps} FROM {source} WHERE {where}"
    names = [n for n, _ in load.STAGE_COLUMNS]
    computed = {"input_total", "output_total", "tags", "flags", "line"}
    filled = ", ".join(
        f"{row.columns.get(n, _DEFAULTS.get(n, 'NULL'))} AS {n}" for n in names if n not in computed
    )
    tags = _tags(row, stamps)
    middle = f"SELECT line, {filled}, {tags} AS tags FROM ({inner})"
    if row.later:
        middle += f" WHERE {' AND '.join(row.later)}"
    summed = (
        f"SELECT *, {_total(INPUT, row)} AS input_total, {_total(OUTPUT, row)} AS output_total"
        f" FROM ({middle})"
    )
    kinds = dict(load.STAGE_COLUMNS)
    flags = f"concat_ws('; ', {', '.join(row.flags)})" if row.flags else "NULL"
    special = {"flags": f"nullif({flags}, '')" if row.flags else "NULL"}
    last = ", ".join(
        f"CAST({special.get(n, _stamped(n, n, stamps))} AS {kinds[n].removesuffix(' NOT NULL')})"
        f" AS {n}"
        for n in names
    )
    limits = (
        f"input_total + output_total <= {load.MOST_TOKENS}"
        f" AND coalesce(web_search, 0) + coalesce(file_search, 0) <= {load.MOST_SEARCHES}"
        f" AND requests BETWEEN 1 AND {load.MOST_REQUESTS}"
    )
    known = " AND ".join(f"{n} IS NOT NULL" for n in _NOT_NULL)
    return f"SELECT {last} FROM ({summed}) WHERE {limits} AND {known}"
