"""A lake: how large it is, how long it takes to write and to ask, beside the store it came from.

    python -m benchmarks --only lake --lake-rows 1000000 --lake-rows 10000000

The lake is asked as one store's export (each call is one row by construction) and as two writers'
(every call key is looked at for repetition), the answers are held equal to the store's, and the
ratio of each row is its time over the store's own.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.common import Row, peak_gib, synthetic_store


def arguments(parser: argparse.ArgumentParser) -> None:
    """How many calls; repeatable."""
    parser.add_argument(
        "--lake-rows", type=int, action="append", help="calls in the lake (default 1,000,000)"
    )


def rows(sizes: Sequence[int] | None) -> list[Row]:
    """Measure a lake of each size, smallest first."""
    if find_spec("ibis") is None:
        why = "skipped: the extra `spark` is not installed"
        return [Row("lake", "questions to a lake", math.nan, why)]
    found: list[Row] = []
    for size in sorted(sizes or [1_000_000]):
        folder = Path(tempfile.mkdtemp(prefix="lake-"))
        try:
            found += _measure(folder, size)
        finally:
            shutil.rmtree(folder)
    return found


def _timed(task: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = task()
    return time.perf_counter() - began, answer


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(p.stat().st_size for p in files if p.is_file())


def _measure(folder: Path, size: int) -> list[Row]:
    from dashboards.lake import cell_book, open_lake
    from dashboards.queries.compare import compare, parse_target
    from dashboards.queries.scope import Scope
    from dashboards.queries.spend import spend
    from ingest.lake import export_store
    from ingest.store.rollup import RAW
    from pricing.catalogue import default_catalogue

    catalogue = default_catalogue()
    store, where = synthetic_store(folder / "books.duckdb", size), folder / "lake"
    written, report = _timed(lambda: export_store(store, where))
    again, _ = _timed(lambda: export_store(store, where))
    stored, kept = _size(folder / "books.duckdb"), _size(where)
    by, targets = ["team", "month"], ["gpt-5-mini", "gpt-5.2@batch", "claude-opus-4-5"]
    parsed = [parse_target(t, catalogue) for t in targets]

    def report_of(writers: int) -> Any:
        lake = open_lake(where)
        if writers > 1:  # as if a second machine had written too: keys may repeat
            lake = replace(lake, batches=lake.batches * writers)
        with cell_book(lake, catalogue, by, Scope()) as book:
            return spend(book.store.con, by)

    def compared() -> Any:
        with cell_book(open_lake(where), catalogue, (), Scope(), targets=parsed) as book:
            return compare(book.store.con, catalogue, targets)

    own, expected = _timed(lambda: spend(store.con, by, calls=RAW))
    one, found = _timed(lambda: report_of(1))
    assert found == expected, "a lake's report differs from its store's"
    many, found = _timed(lambda: report_of(2))
    assert found == expected, "a lake's report differs from its store's"
    own_compare, expected = _timed(lambda: compare(store.con, catalogue, targets))
    lake_compare, found = _timed(compared)
    assert found == expected, "a lake's comparison differs from its store's"
    store.close()
    peak = peak_gib()

    def row(what: str, ratio: float, detail: str) -> Row:
        return Row("lake", f"{size / 1e6:g}M calls: {what}", ratio, detail)

    return [
        row("lake's bytes / store's", kept / stored,
            f"{kept / 2**20:,.0f} MiB in {report.written} files; store {stored / 2**20:,.0f} MiB"),
        row("export / store's report", written / own,
            f"{written:.1f} s; again, nothing changed: {again:.1f} s"),
        row("report, one writer / store's", one / own, f"{one:.2f} s; store {own:.2f} s"),
        row("report, many writers / store's", many / own, f"{many:.2f} s"),
        row("compare 3 targets / store's", lake_compare / own_compare,
            f"{lake_compare:.2f} s; store {own_compare:.2f} s; peak memory {peak:.1f} GiB"),
    ]  # fmt: skip
