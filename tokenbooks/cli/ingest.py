"""`tokenbooks ingest` and `tokenbooks formats`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import Db, Json, catalogue, database, pairs, settings
from tokenbooks.cli.output import (
    FINDING,
    FINE,
    MISUSE,
    UNREADABLE,
    calls,
    count,
    fail,
    note,
    print_json,
    progress,
    say,
    table,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)
    app.command("formats")(formats)


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(help="Log files or folders; - for standard input.")
    ],
    format_: Annotated[
        str | None, typer.Option("--format", "-f", help="Read as this format instead of guessing.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Stamp a dimension or field: team=search, tier=batch…"),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="FIELD=COLUMN of a table; FIELD='\"text\"' is a constant."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--mapping", help="A named mapping from the settings.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when anything is rejected.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")
    ] = False,
    keep_text: Annotated[
        bool,
        typer.Option("--keep-text", help="Keep the start of rejected lines (may hold prompts)."),
    ] = False,
    db: Db = None,
    lake: Annotated[
        str | None,
        typer.Option("--lake", help="Append to this lake (a folder or address)."),
    ] = None,
    json_: Json = False,
) -> None:
    """Import usage logs: any known format, recognised by content; again changes nothing.

    With --lake the calls are appended to a lake, which any number of machines may do at once.
    Rejected lines are listed with their reason and kept in the table `rejects`. A file of a
    folder that is no log is passed over; one that you name is an error.
    """
    chosen = settings(db)
    from ingest import importer

    options = importer.ImportOptions(
        format=format_,
        stamps={**chosen.dimensions, **pairs(set_, "--set")},
        mapping=_mapping(mapping, map_, chosen.mappings),
        options=pairs(set_, "--set"),
        keep_text=keep_text,
    )
    _check_paths(paths)
    if lake is not None and db is not None:
        fail("--db and --lake: import into one of them", MISUSE)
    if dry_run:
        seen: set[str] = set()
        reports = [importer.plan(p, options, seen) for p in importer.find_files(paths)]
    elif lake is not None:
        from ingest.lake import LakeError, ingest_to_lake

        try:
            reports = ingest_to_lake(lake, paths, options)
        except LakeError as error:
            fail(str(error))
            raise AssertionError from error
    else:
        reports = _import(paths, options, database(db, chosen), chosen)
    if json_:
        print_json({"files": [r.as_json() for r in reports], "total": total_of(reports)})
    else:
        print_reports(reports, dry_run=dry_run)
    named = {str(p) for p in paths}
    # In a folder, files that are no logs are expected; a named one that cannot be read is not.
    failed = [r for r in reports if r.state == "failed" and (r.path in named or _is_error(r))]
    if not any(r.state != "failed" for r in reports):
        where = ", ".join(map(str, paths))
        if not failed:
            fail(f"{where}: no usage log found; `tokenbooks formats` lists what is known")
        raise typer.Exit(UNREADABLE)
    if failed:
        raise typer.Exit(UNREADABLE)
    raise typer.Exit(FINDING if strict and any(r.rejected for r in reports) else FINE)


def _is_error(report: Any) -> bool:
    return "cannot be read" in report.error or "nothing of it was stored" in report.error


def _check_paths(paths: list[Path]) -> None:
    for path in paths:
        if str(path) != "-" and not path.exists():
            fail(f"{path}: no such file or folder")


def _mapping(
    name: str | None, given: list[str] | None, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    found = dict(known.get(name, {})) if name else {}
    if name and not found:
        fail(
            f"no mapping {name!r} in the settings (known: {', '.join(sorted(known)) or 'none'})",
            MISUSE,
        )
    return found | pairs(given, "--map")


def _import(paths: list[Path], options: Any, db: Path, chosen: Any) -> list[Any]:
    from ingest.store import handover
    from ingest.store.database import StoreError

    prices = catalogue(chosen)
    try:
        with progress("importing") as tell:

            def show(path: str, records: int) -> None:
                tell(f"{Path(path).name} {records:,} records" if records else Path(path).name)

            return handover.import_or_hand_over(db, prices, paths, options, progress=show)
    except StoreError as error:
        fail(str(error))
        raise AssertionError from error


def total_of(reports: list[Any]) -> dict[str, int]:
    """The counts of several file reports, summed."""
    names = ("records", "added", "replaced", "duplicates", "rejected", "reported")
    totals = {name: sum(getattr(r, name) for r in reports) for name in names}
    for state in ("imported", "unchanged", "failed", "planned", "handed over"):
        totals[state.replace(" ", "_")] = sum(r.state == state for r in reports)
    return totals


def print_reports(reports: list[Any], *, dry_run: bool = False) -> None:
    """What became of each file, the rejects with their lines, and the totals."""
    shown = [r for r in reports if r.state != "failed" or r.error]
    table(
        [("File", "left"), ("Format", "left"), ("Calls", "right"), ("New", "right"),
         ("Known", "right"), ("Rejected", "right")],
        [
            (
                _short(r.path),
                r.format or "-" if r.state != "unchanged" else f"{r.format} (unchanged)",
                count(r.records or r.reported),
                count(r.added) if r.state != "unchanged" else "-",
                count(r.duplicates + r.replaced) if r.state != "unchanged" else "-",
                count(r.rejected),
            )
            for r in shown
            if r.state != "failed"
        ],
    )  # fmt: skip
    for r in shown:
        if r.state == "failed":
            note(
                f"not imported: {r.path if r.path not in r.error else ''} {r.error}".replace(
                    "  ", " "
                )
            )
        if dry_run and r.state == "planned":
            note(f"{r.path}: {r.format}, {r.confidence:.0%} sure")
        for text in r.notes:
            note(f"{r.path}: {text}")
        for reject in r.rejects[:10]:
            line = f":{reject.line}" if reject.line else ""
            note(f"rejected {r.path}{line}: {reject.reason}")
        if len(r.rejects) > 10:
            note(f"… and {len(r.rejects) - 10:,} more in {r.path} (table `rejects`)")
    totals = total_of(reports)
    verb = "would be added" if dry_run else "added"
    say(
        f"{calls(totals['added'])} {verb}, {totals['duplicates']:,} already known, "
        f"{totals['replaced']:,} replaced, {totals['rejected']:,} rejected"
        + (f", {totals['reported']:,} report rows" if totals["reported"] else "")
    )


def _short(path: str, width: int = 34) -> str:
    return path if len(path) <= width else "…" + path[-width + 1 :]


def formats(json_: Json = False) -> None:
    """List the log formats that `ingest` reads and how each is recognised."""
    from ingest.readers import all_readers, body_modules

    rows = [(r.name, r.title, r.recognised_by) for r in all_readers().values()]
    apis = [(m.BODY.name, (m.__doc__ or "").strip().split("\n")[0]) for m in body_modules()]
    if json_:
        print_json(
            {
                "formats": [
                    dict(zip(("name", "title", "recognised_by"), r, strict=True)) for r in rows
                ],
                "apis": [{"name": n, "title": t} for n, t in apis],
            }
        )
        return
    table([("Format", "left"), ("What it is", "left"), ("Recognised by", "left")], rows)
    table([("API body", "left"), ("What it is", "left")], apis, title="APIs that `bodies` knows")
