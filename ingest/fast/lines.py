"""Lines of JSON in SQL: which lines are well-formed beyond doubt, and the cells of their objects.

DuckDB's JSON parser takes more than Python's: a comma before a closing bracket, `nan` and `inf` in
any spelling, any depth, the first of two equal keys instead of the last. A line that could be one
of these is not *sound* and is left to the reader, as is one that is no JSON at all.

The objects of a chunk have few different lists of keys: they are looked at first, once each, so
that only columns that occur are taken out, and a list that names a wanted column twice is left.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.fast.cells import Cell, literal

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MOST_LISTS = 5_000
"""Different lists of keys in one chunk beyond which the chunk is left to the reader."""

_LONG = 1_900
_DEEP = 450
_BRACKETS = "strlen(text) - strlen(replace(replace(text, '[', ''), '{', ''))"
# What may stand after a comma, a colon or a bracket and is none of Python's JSON, or too long for
# it: a number in words (only where it ends there: prose has ", information"), an integer of very
# many digits. One search for each character before it: RE2 finds a first character quickly, a class
# of them four times slower.
_SPACE = r"[ \t\r\n]*"
_ODD = rf"[-+]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?){_SPACE}([,}}\]]|$)|-?[0-9]{{300}}"
SOUND = (
    "json_valid(text)"
    rf" AND NOT regexp_matches(text, ',{_SPACE}([}}\]]|{_ODD})')"
    rf" AND NOT regexp_matches(text, ':{_SPACE}({_ODD})')"
    rf" AND NOT regexp_matches(text, '\[{_SPACE}({_ODD})')"
    # Python stops at a thousand levels.
    f" AND CASE WHEN strlen(text) < {_LONG} THEN true ELSE {_BRACKETS} < {_DEEP} END"
)


@dataclass(frozen=True, slots=True)
class Usable:
    """What can be taken out of a chunk: `cells` by key; `lists` of keys to leave alone; whether
    some lines are not sound (`odd`)."""

    cells: dict[str, Cell] = field(default_factory=dict)
    lists: list[list[str]] = field(default_factory=list)
    odd: bool = False


def over(
    con: duckdb.DuckDBPyConnection,
    query: str,
    *,
    lines: pa.Table | None = None,
    chunk: pa.Table | None = None,
    bodies: pa.Table | None = None,
) -> duckdb.DuckDBPyConnection:
    """Run a query over Arrow tables under these names.

    DuckDB finds them as variables of this function. Registered, they would be views, and a view
    that is dropped in a transaction keeps its table in memory until the end of it.
    """
    return con.execute(query)


def key_lists(con: duckdb.DuckDBPyConnection, table: pa.Table) -> list[list[str] | None]:
    """The different lists of keys in a table of lines; None stands for lines not sound."""
    rows = over(
        con,
        f"SELECT DISTINCT CASE WHEN {SOUND} THEN json_keys(text) END FROM lines"
        f" LIMIT {MOST_LISTS + 1}",
        lines=table,
    ).fetchall()
    return [keys for (keys,) in rows]


def usable(found: Sequence[list[str] | None], wanted: Collection[str]) -> Usable:
    """What of the wanted keys these lists have."""
    if len(found) > MOST_LISTS:
        return Usable()
    lists = [keys for keys in found if keys]
    doubled = [k for k in lists if any(k.count(name) > 1 for name in wanted if name in k)]
    names = sorted({name for keys in lists for name in keys if name in wanted and name})
    odd = len(lists) < len(found)
    cells = {name: Cell(f"CAST({member('c.j', name)} AS VARCHAR)", "json") for name in names}
    return Usable(cells, doubled, odd)


def member(struct: str, name: str) -> str:
    """A field of a struct in SQL."""
    quoted = name.replace('"', '""')
    return f'{struct}."{quoted}"'


def parsed(what: Usable) -> str:
    """The relation of the sound lines with the usable cells (`c.line`, `c.j`)."""
    structure = literal(json.dumps(dict.fromkeys(what.cells, "JSON"), ensure_ascii=False))
    text = f"CASE WHEN {SOUND} THEN text END" if what.odd else "text"
    where = ""
    if what.lists:
        lists = ", ".join(f"[{', '.join(map(literal, keys))}]" for keys in what.lists)
        where = f" WHERE {SOUND} AND json_keys(text) NOT IN ({lists})"
    return f"(SELECT line, from_json({text}, {structure}) AS j FROM lines{where}) AS c"
