"""How the cost of a question grows with the calls: each in a process of its own, with its memory.

    python -m benchmarks --only growth --growth-rows 1000000 --growth-rows 10000000
    python -m benchmarks --only growth --growth-store books.duckdb        # a store that is there

The ratio is a question's time over the bare sum of the columns it prices, in the same process, in
turns; the peak is that process's, with Python and the catalogue (0.1 GiB). A store of 100 million
calls is 4.4 GB and takes half an hour to make: give it with `--growth-store` to ask it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

from benchmarks.common import Row, interleaved, peak_gib, synthetic_store

QUESTIONS = (
    "report", "report by team", "report by day", "report of one day", "compare 1", "compare 10",
    "budget", "write the hourly sums",
)  # fmt: skip
_BUDGETS = [
    {"name": "all", "amount": "1_000_000 USD", "period": "quarter"},
    {"name": "one team", "amount": "50_000 USD", "scope": {"team": "team-7"}},
    {"name": "tokens", "amount": "9_000_000_000 tokens", "scope": {"feature": "search"}},
]
_METERS = "input_uncached", "cache_read", "cache_write_5m", "output_text", "reasoning"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, or stores of any size; both repeatable."""
    parser.add_argument("--growth-rows", type=int, action="append", help="calls (default 1000000)")
    parser.add_argument("--growth-store", type=Path, action="append", help="a store to ask")


def rows(sizes: Sequence[int] | None, stores: Sequence[Path] | None) -> list[Row]:
    """Every question on a store of each size, smallest first, then on the stores given."""
    found: list[Row] = []
    for size in sorted(sizes or ([] if stores else [1_000_000])):
        with tempfile.TemporaryDirectory(prefix="growth-") as folder:
            path = Path(folder) / "books.duckdb"
            synthetic_store(path, size).close()
            found += _asked(path)
    for path in stores or ():
        found += _asked(path)
    return found


def _asked(path: Path) -> list[Row]:
    found: list[Row] = []
    for question in QUESTIONS:
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.growth", str(path), question],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode:
            raise RuntimeError(f"{question}: {answer.stderr.strip()[-2000:]}")
        said = json.loads(answer.stdout)
        found.append(Row(
            "growth", f"{said['calls'] / 1e6:g}M calls: {question} / bare sum", said["ratio"],
            f"{said['seconds']:.2f} s, peak {said['peak_gib']:.2f} GiB, store"
            f" {path.stat().st_size / 2**20:,.0f} MiB",
        ))  # fmt: skip
    return found


def ask(path: Path, question: str) -> dict[str, float]:
    """Time one question on a store, and say the peak memory of this process."""
    from benchmarks.pricing import TARGETS
    from budgets.spend.model import read_budgets
    from dashboards.queries.budgets import budget_statuses
    from dashboards.queries.compare import compare
    from dashboards.queries.scope import Scope
    from dashboards.queries.spend import spend
    from ingest.store import book, rollup
    from ingest.store.database import open_store
    from pricing.catalogue import default_catalogue
    from pricing.currency import Exchange

    catalogue = default_catalogue()
    store = open_store(path)
    book.sync(store, catalogue)
    con = store.con
    con.execute("SET enable_progress_bar = false")
    calls = con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
    sums = ", ".join(f"sum({m})" for m in _METERS)

    def hours() -> None:
        con.execute("BEGIN")
        rollup.rebuild(con)
        con.execute("ROLLBACK")

    one_day = Scope(datetime(2026, 2, 10), datetime(2026, 2, 11))
    asked: dict[str, Callable[[], object]] = {
        "report": lambda: spend(con),
        "report by team": lambda: spend(con, ["team"]),
        "report by day": lambda: spend(con, ["day"]),
        "report of one day": lambda: spend(con, ["team"], one_day),
        "compare 1": lambda: compare(con, catalogue, TARGETS[:1]),
        "compare 10": lambda: compare(con, catalogue, TARGETS),
        "budget": lambda: budget_statuses(
            con, catalogue, read_budgets(_BUDGETS), Exchange(), as_of=date(2026, 3, 20)
        ),
        "write the hourly sums": hours,
    }
    times = interleaved(
        {
            "bare": lambda: con.execute(f"SELECT {sums} FROM calls_stored").fetchall(),
            "ours": asked[question],
        },
        rounds=3 if calls > 2_000_000 else 5,
    )
    store.close()
    peak = peak_gib()
    return {
        "calls": calls, "ratio": times.ratio("ours", "bare"), "seconds": times.median("ours"),
        "peak_gib": peak,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(ask(Path(sys.argv[1]), sys.argv[2])))
