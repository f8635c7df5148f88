"""Import: JSON lines, CSV and Parquet into the store, beside a bare scan and a plain loop.

The limit is DuckDB's own scan of the same file (the columns an import needs, summed, nothing
stored). The plain loop parses each record with the standard library and adds up its tokens,
storing nothing: what a script of ten lines would do.

Each import runs in a process of its own, into an empty store that is ready (opened, its rates
written), so that its memory and processor time are its own; scan and loop run here, in turns with
it.

    python -m benchmarks.import jsonl calls.jsonl store.duckdb     # one import, as JSON
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import Row, peak_gib, rate

MAPPING = {
    "call_key": "id", "occurred_at": "time", "model": "model", "input": "input",
    "cache_read": "cached", "output": "output", "team": "team", "provider": '"openai"',
}  # fmt: skip
_COLUMNS = "id: 'VARCHAR', created: 'BIGINT', model: 'VARCHAR', service_tier: 'VARCHAR'"
_USAGE = (
    "usage: 'STRUCT(prompt_tokens BIGINT, completion_tokens BIGINT, total_tokens BIGINT,"
    " prompt_tokens_details STRUCT(cached_tokens BIGINT),"
    " completion_tokens_details STRUCT(reasoning_tokens BIGINT))'"
)


def write_files(folder: Path, count: int) -> dict[str, Path]:
    """The same made-up calls as Chat Completions bodies, a CSV table and a Parquet table."""
    import duckdb

    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    con.execute(
        f"CREATE TABLE made AS SELECT 'chatcmpl-' || substr(md5(i::VARCHAR), 1, 24) AS id,"
        f" 1767225600 + (i * 2592000) // {count} AS created,"
        " ['gpt-5.2', 'gpt-5-mini', 'gpt-5.2-codex'][1 + i % 3] AS model,"
        " (200 + hash(i) % 20000)::BIGINT AS input, ((hash(i) >> 9) % 200)::BIGINT AS cached,"
        " (20 + (hash(i) >> 30) % 900)::BIGINT AS output, 'team-' || i % 25 AS team"
        f" FROM range({count}) AS t(i)"
    )
    paths = {kind: folder / f"calls-{count}.{kind}" for kind in ("jsonl", "csv", "parquet")}
    con.execute(
        "COPY (SELECT id, 'chat.completion' AS object, created, model, [] AS choices,"
        " {'prompt_tokens': input, 'completion_tokens': output, 'total_tokens': input + output,"
        " 'prompt_tokens_details': {'cached_tokens': cached},"
        " 'completion_tokens_details': {'reasoning_tokens': output // 4}} AS usage,"
        f" 'default' AS service_tier FROM made) TO '{paths['jsonl']}' (FORMAT json)"
    )
    table = (
        "SELECT id, to_timestamp(created)::TIMESTAMP AS time, model, input, cached, output, team"
        " FROM made"
    )
    con.execute(f"COPY ({table}) TO '{paths['csv']}' (FORMAT csv, HEADER)")
    con.execute(f"COPY ({table}) TO '{paths['parquet']}' (FORMAT parquet, COMPRESSION zstd)")
    con.close()
    return paths


def _bare(kind: str, path: Path) -> object:
    import duckdb

    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    if kind == "jsonl":
        return con.execute(
            "SELECT sum(usage.prompt_tokens), sum(usage.completion_tokens),"
            " sum(usage.prompt_tokens_details.cached_tokens), max(id), max(created), max(model)"
            f" FROM read_json('{path}', format = 'newline_delimited',"
            f" columns = {{{_COLUMNS}, {_USAGE}}})"
        ).fetchall()
    source = f"read_csv('{path}')" if kind == "csv" else f"read_parquet('{path}')"
    return con.execute(
        "SELECT sum(input), sum(output), sum(cached), max(id), max(time), max(model), max(team)"
        f" FROM {source}"
    ).fetchall()


def _loop(kind: str, path: Path) -> int:
    total = 0
    if kind == "jsonl":
        with path.open() as lines:
            for line in lines:
                usage = json.loads(line)["usage"]
                total += usage["prompt_tokens"] + usage["completion_tokens"]
    elif kind == "csv":
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                total += int(row["input"]) + int(row["output"])
    else:
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                total += row["input"] + row["output"]
    return total


def _import(kind: str, path: Path, db: Path) -> dict[str, float]:
    """Import one file in this process: records added, seconds, processor seconds, peak GiB."""
    from ingest.importer import ImportOptions, import_paths
    from ingest.store import book
    from ingest.store.database import open_store
    from pricing.catalogue import default_catalogue

    store = open_store(db)
    store.con.execute("SET enable_progress_bar = false")
    try:
        book.sync(store, default_catalogue())
        options = ImportOptions(mapping={} if kind == "jsonl" else MAPPING)
        cpu, began = time.process_time(), time.perf_counter()
        report = import_paths(store, default_catalogue(), [path], options)[0]
    finally:
        store.close()  # part of it: the last checkpoint
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert not report.rejected and not report.error, report
    peak = peak_gib()
    return {"added": report.added, "seconds": seconds, "cpu": cpu, "peak": peak}


def _import_apart(kind: str, path: Path, db: Path) -> dict[str, float]:
    """The same in a process of its own; the store is removed again."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.import", kind, str(path), str(db)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parent.parent,
    )  # fmt: skip
    db.unlink()
    return json.loads(done.stdout)


def _seconds(task: Callable[[], Any]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def rows(counts: Sequence[int] = (1_000_000, 5_000_000), rounds: int = 3) -> list[Row]:
    """Imports of each file (into a new store each time: a second one would find it known), each
    beside its limit and the loop."""
    return [row for count in counts for row in _rows(count, rounds)]


def _rows(count: int, rounds: int) -> list[Row]:
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for kind, path in write_files(folder, count).items():
            _bare(kind, path)
            scans: list[float] = []
            loops: list[float] = []
            taken: list[dict[str, float]] = []
            for _ in range(rounds):
                scans.append(_seconds(lambda kind=kind, path=path: _bare(kind, path)))
                taken.append(_import_apart(kind, path, folder / f"{kind}.duckdb"))
                loops.append(_seconds(lambda kind=kind, path=path: _loop(kind, path)))
            assert all(t["added"] == count for t in taken), (kind, taken)
            size = path.stat().st_size / 2**20
            seconds = median(t["seconds"] for t in taken)
            cpu = median(t["cpu"] for t in taken)
            said = (
                f"{rate(count, seconds)} rows, {size / seconds:.1f} MB/s, {cpu:.1f} s CPU,"
                f" {max(t['peak'] for t in taken):.1f} GiB at most"
            )
            what = f"{kind}, {count:,} calls"
            for against, others in (("bare scan", scans), ("per-record loop", loops)):
                ratio = median(t["seconds"] / o for t, o in zip(taken, others, strict=True))
                detail = said if others is scans else f"loop {median(loops):.1f} s"
                found.append(Row("import", f"{what} / {against}", ratio, detail))
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument(
        "--import-rows", type=int, nargs="+", default=[1_000_000],
        help="calls to import, each in turn",
    )  # fmt: skip
    parser.add_argument("--import-rounds", type=int, default=3, help="imports of each file")


if __name__ == "__main__":
    print(json.dumps(_import(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
