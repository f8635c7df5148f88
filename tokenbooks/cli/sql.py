"""`tokenbooks sql`: a read-only question to the store."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pricing.json_types import JsonDict, JsonList, JsonTuple
from tokenbooks.cli.common import Db, reading, settings
from tokenbooks.cli.output import MISUSE, as_json, fail, note, print_json, table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT over usage, calls, costs, rates, …")],
    db: Db = None,
    json_: Annotated[bool, typer.Option("--json", help='{"columns": […], "rows": [{…}]}')] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
    limit: Annotated[int, typer.Option(help="Rows to print as a table (0: all).")] = 200,
) -> None:
    """Query the store read-only: tables usage, calls, costs, rates, rejects, imports, reported.

    Nothing outside the database can be read or written by a query.
    """
    import duckdb

    with reading(db, settings(db)) as store:
        store.con.execute("SET enable_external_access = false")
        store.con.execute("SET lock_configuration = true")
        try:
            answer = store.con.execute(query)
            columns = [d[0] for d in answer.description or []]
            rows = answer.fetchall()
        except duckdb.Error as error:
            fail(str(error).strip(), MISUSE)
            raise AssertionError from error
        taken = store.snapshot
    names = _unique(columns)
    if json_:
        print_json({"columns": names, "rows": [_json_row(names, r) for r in rows]})
    elif csv:
        _print_csv(names, rows)
    else:
        shown = rows[:limit] if limit else rows
        sides = ["right" if _numeric([r[n] for r in shown]) else "left" for n in range(len(names))]
        table(list(zip(names, sides, strict=True)), [[_cell(v) for v in r] for r in shown])
        if len(shown) < len(rows):
            note(f"{len(rows) - len(shown):,} more rows: --limit 0, --json or --csv")
    if taken:
        note("the database is in use; this is its newest snapshot")


def _unique(columns: list[str]) -> list[str]:
    """Column names as JSON keys: a repeated name gets a number, so no value is lost."""
    seen: dict[str, int] = {}
    names: list[str] = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _json_row(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {n: _plain(v) for n, v in zip(names, row, strict=True)}


def _plain(value: Any) -> Any:
    """A value JSON has; DuckDB's decimals and instants as text, infinities as null."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, JsonDict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, JsonList | JsonTuple):
        return [_plain(v) for v in value]
    return as_json(value)


def _numeric(values: list[Any]) -> bool:
    from decimal import Decimal

    real = [v for v in values if v is not None]
    return bool(real) and all(isinstance(v, int | float | Decimal) for v in real)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(_plain(value))


def _print_csv(names: list[str], rows: list[tuple[Any, ...]]) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if v is None else _plain(v) for v in row] for row in rows])
