"""`tokenbooks lake`: usage and rates as Parquet for engines past one machine, and questions to it.

`lake_command` is the export, to be attached under `export` as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import Db, Json, Since, Until, Where, catalogue, pairs, reading, settings
from tokenbooks.cli.output import (
    FINDING,
    MISUSE,
    UNREADABLE,
    fail,
    note,
    print_json,
    say,
)

Folder = Annotated[Path, typer.Argument(help="The lake's folder, on any mounted path.")]
Engine = Annotated[
    str, typer.Option("--engine", help="duckdb, or a Spark Connect server: sc://host:port.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lake = typer.Typer(
        no_args_is_help=True, help="Usage and rates as date-partitioned Parquet; ask any engine."
    )
    lake.command("export")(lake_command)
    lake.command("ingest")(lake_ingest)
    lake.command("report")(lake_report)
    lake.command("compare")(lake_compare)
    app.add_typer(lake, name="lake")


def lake_command(folder: Folder, db: Db = None, json_: Json = False) -> None:
    """Write the store's calls and rates that the lake does not have yet.

    A date that has not changed is not written again; every file appears whole or not at all.
    """
    from ingest.lake import export_store

    with reading(db, settings(db)) as store:
        taken = store.snapshot
        try:
            report = export_store(store, folder)
        except OSError as error:
            fail(f"{folder} cannot be written: {error}")
            raise AssertionError from error
    if json_:
        print_json(report.as_json())
        return
    say(
        f"{report.written:,} files written ({report.calls:,} calls), {report.unchanged:,} unchanged"
        + (f", {report.replaced:,} replaced" if report.replaced else "")
    )
    if taken:
        note("the database is in use; this is its newest snapshot")


def lake_ingest(
    folder: Folder,
    paths: Annotated[list[Path], typer.Argument(help="Log files or folders.")],
    format_: Annotated[
        str | None, typer.Option("--format", "-f", help="Read as this format instead of guessing.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Stamp a dimension or field: team=search…")
    ] = None,
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN of a table.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when anything is rejected.")
    ] = False,
    json_: Json = False,
) -> None:
    """Append logs to a lake without a store: many machines at once; a replay changes nothing."""
    from ingest.importer import ImportOptions
    from ingest.lake import ingest_to_lake
    from tokenbooks.cli.ingest import print_reports, total_of

    for path in paths:
        if not path.exists():
            fail(f"{path}: no such file or folder")
    options = ImportOptions(
        format=format_,
        stamps={**settings().dimensions, **pairs(set_, "--set")},
        mapping=pairs(map_, "--map"),
        options=pairs(set_, "--set"),
    )
    reports = ingest_to_lake(folder, paths, options)
    if json_:
        print_json({"files": [r.as_json() for r in reports], "total": total_of(reports)})
    else:
        print_reports(reports)
    if all(r.state == "failed" for r in reports):
        raise typer.Exit(UNREADABLE)
    if strict and any(r.rejected for r in reports):
        raise typer.Exit(FINDING)


def _scope(since: str | None, until: str | None, where: list[str] | None) -> dict[str, Any]:
    from dashboards.queries.scope import ScopeError, parse_edge

    try:
        return {
            "since": parse_edge(since) if since else None,
            "until": parse_edge(until) if until else None,
            "where": {k: v.split(",") for k, v in pairs(where, "--where").items()},
        }
    except ScopeError as error:
        fail(str(error), MISUSE)
        raise AssertionError from error


def _open(folder: Path, engine: str) -> Any:
    from dashboards.queries.portable import EngineError, open_lake

    try:
        return open_lake(folder, engine)
    except EngineError as error:
        fail(str(error))
        raise AssertionError from error


def lake_report(
    folder: Folder,
    by: Annotated[str, typer.Option("--by", help="Dimensions, comma-separated.")] = "variant",
    since: Since = None,
    until: Until = None,
    where: Where = None,
    engine: Engine = "duckdb",
    json_: Json = False,
) -> None:
    """Spend by any dimensions, from a lake: the answer of `report`, on DuckDB or Spark (UTC)."""
    from dashboards.queries import portable
    from tokenbooks.cli.report import print_spend

    prices = catalogue(settings())
    names = [n.strip() for n in by.split(",") if n.strip()]
    asked = _scope(since, until, where)
    answer = portable.report(_open(folder, engine), prices, names, **asked)
    if json_:
        print_json({**answer.as_json(), "timezone": "UTC", "engine": engine})
    else:
        print_spend(answer, [])


def lake_compare(
    folder: Folder,
    variants: Annotated[
        str, typer.Option("--variants", help="[seller:]variant[@tier], comma-separated.")
    ],
    since: Since = None,
    until: Until = None,
    where: Where = None,
    engine: Engine = "duckdb",
    json_: Json = False,
) -> None:
    """A lake's traffic on other variants, tiers and sellers: the answer of `compare`."""
    from dashboards.queries import portable
    from tokenbooks.cli.report import print_comparison

    prices = catalogue(settings())
    targets = [t.strip() for t in variants.split(",") if t.strip()]
    asked = _scope(since, until, where)
    answer = portable.compare(_open(folder, engine), prices, targets, **asked)
    if json_:
        print_json({**answer.as_json(), "engine": engine})
    else:
        print_comparison(answer)
