"""Kill an importing process at random moments, again and again; then compare with a calm run.

    python -m tests.chaos 200          # what `make chaos` runs: importing and collecting

Each round starts a child that imports the same files into one store and kills it (SIGKILL) after
a random delay. After every kill the store must open and hold whole files only; at the end one
undisturbed import must make it equal, row for row, to a store that was never disturbed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ingest.importer import import_paths
from ingest.store import book, handover
from ingest.store.database import open_store
from pricing.catalogue import Catalogue
from tests.books import chat, dump, lines, small_catalogue
from tests.chaos_collecting import chaos_collecting

FILES = 6
CALLS_A_FILE = 1_500

CHILD = """
import sys
from pathlib import Path
from ingest.store import handover
from tests.books import small_catalogue
prices = small_catalogue()
print("ready", flush=True)
reports = handover.import_or_hand_over(
    Path(sys.argv[1]), prices, [Path(p) for p in sys.argv[3:]], patience_s=float(sys.argv[2]))
print(*(r.state for r in reports), sep=",", flush=True)
"""


def write_logs(folder: Path, *, files: int = FILES, calls: int = CALLS_A_FILE) -> list[Path]:
    """Log files that overlap by a tenth, each with one broken line."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for n in range(files):
        start = n * calls * 9 // 10
        body = lines(
            chat(k, model="plain", created=1767225600 + 60 * k, prompt=10 + k % 7, provider="acme")
            for k in range(start, start + calls)
        )
        path = folder / f"log-{n}.jsonl"
        path.write_text(body + '{"cut": \n')
        paths.append(path)
    return paths


def child(db: Path, paths: Sequence[Path], patience_s: float = 2.0) -> subprocess.Popen[str]:
    """A process that imports the files and prints their states."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(db), str(patience_s), *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def calm_run(db: Path, prices: Catalogue, paths: Sequence[Path]) -> list[tuple[object, ...]]:
    """Import everything without disturbance and return the store's dump."""
    store = open_store(db)
    try:
        book.sync(store, prices)
        handover.absorb(store, prices)
        import_paths(store, prices, paths)
        return dump(store)
    finally:
        store.close()


def whole_files_only(db: Path, calls: int) -> int:
    """Open the store after a kill; the number of files in it. Raises when one is partial."""
    store = open_store(db)
    try:
        ledger = store.con.execute("SELECT count(*), sum(added) FROM imports").fetchall()[0]
        stored = store.con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
        assert stored == (ledger[1] or 0), f"{stored} calls, the ledger says {ledger[1]}"
        rejects = store.con.execute("SELECT count(*) FROM rejects").fetchall()[0][0]
        assert rejects == ledger[0], f"{rejects} rejects of {ledger[0]} files"
        assert stored <= ledger[0] * calls
        return ledger[0]
    finally:
        store.close()


def seconds_of_a_run(db: Path, paths: Sequence[Path]) -> float:
    """How long an undisturbed child takes from its first word to its end on this machine."""
    worker = child(db, paths)
    assert worker.stdout is not None
    worker.stdout.readline()
    began = time.monotonic()
    worker.wait()
    return time.monotonic() - began


def chaos(folder: Path, kills: int, *, seed: int = 0, files: int = FILES,
          calls: int = CALLS_A_FILE) -> list[int]:  # fmt: skip
    """Kill `kills` imports, then compare with a calm run. Returns the files in after each kill."""
    rng = random.Random(seed)
    prices = small_catalogue()
    paths = write_logs(folder / "logs", files=files, calls=calls)
    wanted = calm_run(folder / "calm.duckdb", prices, paths)
    whole = seconds_of_a_run(folder / "timed.duckdb", paths)
    db = folder / "chaos.duckdb"
    progress: list[int] = []
    for _ in range(kills):
        if progress and progress[-1] == files:  # all in: begin again with an empty store
            for old in folder.glob("chaos.duckdb*"):
                old.unlink() if old.is_file() else None
        worker = child(db, paths)
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(rng.uniform(0, whole))
        worker.kill()
        worker.wait()
        progress.append(whole_files_only(db, calls))
    found = calm_run(db, prices, paths)
    assert found == wanted, "the store differs from that of an undisturbed run"
    return progress


def main(kills: int) -> None:
    """Both kinds of chaos, with what they found."""
    with tempfile.TemporaryDirectory() as name:
        after = chaos(Path(name), kills)
        print(f"importing: {kills} kills; files in the store after each: {after}")
        print("no partial file was ever visible; the store equals that of an undisturbed run")
        stored = chaos_collecting(Path(name), kills)
        print(f"collecting: {kills} kills under load; {stored[-1]:,} requests in the end")
        print("every request answered 2xx was stored, none in part, and after sending the rest")
        print("again the store equals that of an undisturbed run")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
