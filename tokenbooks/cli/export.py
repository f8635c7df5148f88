"""`tokenbooks export`: CSV, Parquet and FOCUS files whose sums are the report's; a lake."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import (
    Db,
    Json,
    Since,
    Until,
    Where,
    Zone,
    catalogue,
    names_of,
    reading,
    say_simulated,
    scope,
    settings,
)
from tokenbooks.cli.output import FINDING, MISUSE, calls, fail, note, print_json, say


class Kind(StrEnum):
    """What is written."""

    csv = "csv"
    parquet = "parquet"
    focus = "focus"
    lake = "lake"


class Rows(StrEnum):
    """What a row is in CSV and Parquet."""

    calls = "calls"
    meters = "meters"
    groups = "groups"


class Period(StrEnum):
    """How long a FOCUS charge period is."""

    day = "day"
    hour = "hour"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    kind: Annotated[Kind, typer.Argument(help="csv, parquet, focus or lake.")],
    folder: Annotated[
        str | None, typer.Argument(help="Of a lake: its folder or address (s3://…).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write (all but lake).")
    ] = None,
    version: Annotated[str, typer.Option(help="FOCUS version: 1.2 or 1.4.")] = "1.4",
    rows: Annotated[
        Rows, typer.Option(help="CSV and Parquet: a row a call, a meter and price, or a group.")
    ] = Rows.calls,
    by: Annotated[
        str, typer.Option(help="Dimensions of --rows meters or groups, comma-separated.")
    ] = "",
    period: Annotated[Period, typer.Option(help="FOCUS charge period, in UTC.")] = Period.day,
    tags: Annotated[
        str, typer.Option(help="FOCUS: dimensions that become Tags (also tags.NAME).")
    ] = "team,project,feature,environment",
    account: Annotated[
        str, typer.Option(help="FOCUS: the dimension that is the billing account.")
    ] = "seller",
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when usage without a price is left out.")
    ] = False,
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Write usage and cost to a file; its sum is the report's total, to the pico-dollar.

    `export lake DIR` brings a lake of Parquet files up to date with the whole database: dates that
    have not changed are not written again, and it is all there or as it was.
    """
    if kind is Kind.lake:
        if folder is None:
            fail("which lake? tokenbooks export lake DIR", MISUSE)
            raise AssertionError
        if out is not None or since or until or tz or where or by:
            fail("a lake holds everything: export lake DIR takes --db and --json only", MISUSE)
        _lake(folder, db, json_)
        return
    if folder is not None:
        fail(f"{folder!r}: a folder belongs to export lake; a file is named by --out", MISUSE)
    if out is None:
        fail(f"where to? tokenbooks export {kind.value} --out FILE", MISUSE)
        raise AssertionError
    if version not in ("1.2", "1.4"):
        fail(f"--version {version}: FOCUS 1.2 and 1.4 are written", MISUSE)
    chosen = settings(db)
    asked = scope(since, until, tz, where, chosen)
    made: Any
    with reading(db, chosen) as store:
        if kind is Kind.focus:
            from dashboards.exports.focus import export_focus

            made = export_focus(
                store.con, catalogue(chosen), out, asked, version=version, period=period.value,
                tags=names_of(tags), account=account,
            )  # fmt: skip
        else:
            from dashboards.exports.tables import export_table

            made = export_table(store.con, kind.value, out, asked, rows=rows.value, by=names_of(by))
        apart = say_simulated(store, asked)
    if json_:
        print_json({**made.as_json(), **apart})
    else:
        _print(made, kind)
    if strict and (made.unpriced if kind is Kind.focus else made.unpriced_units):
        raise typer.Exit(FINDING)


def _lake(folder: str, db: Path | None, json_: bool) -> None:
    from ingest.lake import LakeError, export_store

    with reading(db, settings(db)) as store:
        taken = store.snapshot
        try:
            report = export_store(store, folder)
        except (LakeError, OSError) as error:
            fail(f"{folder} cannot be written: {error}")
            raise AssertionError from error
    if json_:
        print_json(report.as_json())
        return
    say(
        f"{report.written:,} files written ({calls(report.calls)}), {report.unchanged:,} unchanged"
        + (f", {report.replaced:,} replaced" if report.replaced else "")
    )
    if taken:
        note("the database is in use; this is its newest snapshot")


def _print(made: Any, kind: Kind) -> None:
    from pricing.money import plain

    what = f"FOCUS {made.version}" if kind is Kind.focus else made.format
    rows = f"{made.rows:,} row{'' if made.rows == 1 else 's'}"
    say(f"{made.path}: {rows} ({what}), {plain(made.cost_usd)} USD")
    if kind is not Kind.focus:
        if made.unpriced_units:
            note(
                f"{calls(made.unpriced_calls)} with {made.unpriced_units:,} units have no price: "
                "their cost is empty in the file, not 0"
            )
        return
    units = sum(n for _, _, n in made.unpriced)
    if units:
        note(f"left out because no price is known (a FOCUS cost cannot be empty): {units:,} units")
        for variant, meter, count in made.unpriced[:5]:
            note(f"  {variant}, {meter}: {count:,}")
    if not made.rows:
        note("no priced usage in that period: the file has only its header")
