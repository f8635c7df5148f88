"""Pages over a large store: the time of each page's script on the server, not in a browser.

Each page runs once to import what it needs. Then its filters change (another time zone), so that
every question is asked anew; then it runs again unchanged, as after a click elsewhere on it. The
ratio is the first of the two over one bare sum of the calls; the second is what "warm" means: no
question is asked of the store twice. Processor time is that of all threads together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.common import Row, synthetic_store

if TYPE_CHECKING:
    import duckdb

SKIPPED = {"simulate", "replay"}  # they ask nothing of the stored calls


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument(
        "--page-rows", type=int, nargs="+", default=[1_000_000],
        help="calls behind the pages, each in turn",
    )  # fmt: skip


def rows(calls: int) -> list[Row]:
    """One row a page. Needs a gigabyte of disk for ten million calls."""
    from streamlit.testing.v1 import AppTest

    from dashboards.app import source
    from dashboards.app.registry import PAGES
    from pricing.catalogue import default_catalogue

    main = Path(source.__file__).parent / "main.py"
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        store = synthetic_store(Path(folder) / "books.duckdb", calls)
        source.install(source.Source(store.path, default_catalogue(), store.con.cursor, zone="UTC"))
        bare = median(_seconds(lambda: _bare_sum(store.con)) for _ in range(5))
        for entry in PAGES:
            if entry.name in SKIPPED:
                continue

            def page(zone: str, name: str = entry.name) -> AppTest:
                app = AppTest.from_file(str(main), default_timeout=600)
                app.query_params["tz"] = zone
                if name != PAGES[0].name:
                    app.switch_page(f"views/{name}.py")
                return app

            page("UTC").run()
            # West of the store's UTC: its latest month is a whole month there too.
            app = page("America/New_York")
            cpu = time.process_time()
            anew = _seconds(app.run)
            cpu = time.process_time() - cpu
            again = median(_seconds(app.run) for _ in range(3))
            failed = [error.message for error in app.exception]
            detail = f"{anew:.2f} s anew ({cpu:.2f} s CPU), {again:.2f} s again, {calls:,} calls"
            found.append(
                Row("pages", f"{entry.title} / bare sum", anew / bare, detail + "".join(failed))
            )
        store.close()
    return found


def _bare_sum(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SELECT sum(input_total), sum(output_total) FROM calls_stored").fetchall()


def _seconds(task: Callable[[], object]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began
