"""Many machines write one lake: processes of their own, the same files and others, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from ingest.lake import LakeFolder, ingest_to_lake
from tests.lake.test_write import MIDNIGHT, body, content, files

ROOT = Path(__file__).parents[2]
DAY = 86_400


def log_of(path: Path, numbers: range, dates: int) -> Path:
    """A log of these calls, in turns on so many dates."""
    path.write_text("".join(f"{body(n, MIDNIGHT + n % dates * DAY)}\n" for n in numbers))
    return path


def writer(lake: Path, logs: list[Path]) -> subprocess.Popen[bytes]:
    """Another machine, as far as this one allows: a process that ingests these logs."""
    program = (
        "import sys; from pathlib import Path; from ingest.lake import ingest_to_lake;"
        "done = ingest_to_lake(sys.argv[1], [Path(p) for p in sys.argv[2:]]);"
        "sys.exit(any(r.state not in ('imported', 'unchanged') for r in done))"
    )
    return subprocess.Popen([sys.executable, "-c", program, lake, *logs], cwd=ROOT)


def test_eight_processes_leave_the_lake_that_one_leaves(tmp_path: Path) -> None:
    shared = [log_of(tmp_path / f"shared-{n}.jsonl", range(n * 50, n * 50 + 60), 4) for n in (0, 1)]
    own = [
        log_of(tmp_path / f"own-{n}.jsonl", range(m, m + 50), 3)
        for n, m in enumerate(range(1000, 1160, 40))
    ]
    logs = [[*shared, log] for log in own] + [[*shared[::-1], log] for log in own]
    running = [writer(tmp_path / "lake", some) for some in logs]
    assert [process.wait(120) for process in running] == [0] * 8
    ingest_to_lake(tmp_path / "one", [*shared, *own])
    assert files(tmp_path / "lake") == files(tmp_path / "one")
    assert sum(row[2] for row in content(tmp_path / "lake")) == 2 * 60 + 4 * 50


def whole(lake: Path) -> None:
    """Every file that is not a draft can be read to its end."""
    for path in lake.rglob("*.parquet"):
        if not path.name.startswith("."):
            assert pq.read_table(path, partitioning=None).num_rows


def test_a_killed_process_leaves_no_half_file_and_the_next_one_finishes(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.jsonl", range(2_400), 60)
    ingest_to_lake(tmp_path / "clean", [log])
    expected = files(tmp_path / "clean")
    assert len(expected) == 62
    cut = 0
    for finished in (1, 30):
        lake = tmp_path / f"lake-{finished}"
        process = writer(lake, [log])
        while process.poll() is None and len(list(lake.rglob("[!.]*.parquet"))) < finished:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        whole(lake)
        if LakeFolder(lake).batches():  # it was quicker than the kill
            assert content(lake) == content(tmp_path / "clean")
        else:
            assert content(lake) == []
            cut += 1
        (again,) = ingest_to_lake(lake, [log])
        assert (again.state, again.added) in {("imported", 2_400), ("unchanged", 0)}
        held = files(lake)
        assert {n: held[n] for n in held if not n.endswith(".tmp")} == expected
    assert cut
