"""`tokenbooks demo`: the whole tour on sample data, in under half a minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tokenbooks.cli.common import Json
from tokenbooks.cli.output import fail, note, print_json, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Where the sample logs and the demo database go.")
    ] = Path("data/demo"),
    open_: Annotated[bool, typer.Option("--open", help="Open the dashboards afterwards.")] = False,
    json_: Json = False,
) -> None:
    """Write a month of sample logs, import them, and print the report and the comparison."""
    from ingest.importer import FileReport, ImportOptions, import_paths
    from ingest.store import book
    from ingest.store.database import StoreError, open_store
    from pricing.catalogue import default_catalogue
    from tokenbooks import sample_logs

    began = time.monotonic()
    db = folder / "tokenbooks.duckdb"
    files = sample_logs.write_sample_logs(folder / "logs")
    sample_logs.write_sample_settings(folder)
    catalogue = default_catalogue()
    try:
        store = open_store(db)
    except StoreError as error:
        fail(str(error))
        raise AssertionError from error
    book.sync(store, catalogue)
    reports: list[FileReport] = []
    for path in files:
        mapping = sample_logs.GATEWAY_MAPPING if path.suffix == ".csv" else {}
        reports += import_paths(store, catalogue, [path], ImportOptions(mapping=mapping))
    from dashboards.queries.compare import compare
    from dashboards.queries.spend import reasons, spend

    by_team = spend(store.con, ["team", "variant"])
    why = reasons(store.con)
    targets = ["gpt-5.2", "gpt-5.2@batch", "gpt-5-mini", "claude-opus-4-5", "gemini-2.5-pro",
               "cometapi:gpt-5.2", "gpt-5.2-pro"]  # fmt: skip
    answer = compare(store.con, catalogue, targets)
    store.close()
    if json_:
        print_json(
            {
                "db": db, "imports": [r.as_json() for r in reports], "report": by_team.as_json(),
                "compare": answer.as_json(),
            }
        )  # fmt: skip
    else:
        from tokenbooks.cli.ingest import print_reports
        from tokenbooks.cli.report import print_comparison, print_spend

        say(f"1. A month of sample logs, {len(files)} files in {folder / 'logs'}")
        print_reports(reports)
        say("\n2. What it cost: tokenbooks report --by team,variant")
        print_spend(by_team, why)
        say("\n3. The same traffic elsewhere: tokenbooks compare --variants gpt-5-mini,…")
        print_comparison(answer)
        say(f"\nDone in {time.monotonic() - began:.1f} s. Ask it yourself:")
        say(f"  export TOKENBOOKS_DB={db}")
        say("  tokenbooks report --by feature,month      tokenbooks rates show gpt-5.2")
        say("  tokenbooks budget                         tokenbooks forecast --by team")
        say("  tokenbooks serve                          opens the dashboards")
    if open_:
        from tokenbooks import service
        from tokenbooks.cli.common import settings

        chosen = settings(db)
        note("starting the dashboards; stop with Ctrl-C")
        service.run(
            host=chosen.serve.host, port=chosen.serve.port, db=db, settings=chosen,
            open_browser=True,
        )  # fmt: skip
