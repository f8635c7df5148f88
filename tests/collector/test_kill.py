"""Killed while collecting: every acknowledged record is there, none twice, the rest may be sent
again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from ingest.store.database import open_store

SERVER = """
import socket, sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from ingest.collector import Collector, own_cursor, routes
from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue
store = open_store(Path(sys.argv[1]))
book.sync(store, default_catalogue())
collector = Collector(default_catalogue(), own_cursor(store))
collector.start()
sock = socket.socket(); sock.bind(("127.0.0.1", 0)); sock.listen(128)
print(sock.getsockname()[1], flush=True)
config = uvicorn.Config(Starlette(routes=routes(collector)), log_level="error", lifespan="off")
uvicorn.Server(config).run(sockets=[sock])
"""


def start(db: Path) -> tuple[subprocess.Popen[str], str]:
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(db)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    return child, f"http://127.0.0.1:{int(child.stdout.readline())}"


def body(worker: int, number: int) -> list[dict[str, object]]:
    return [
        {
            "call_key": f"kill:{worker}:{number}:{part}", "provider": "openai", "model": "gpt-5.2",
            "occurred_at": "2026-03-01T12:00:00Z", "input": 100, "output": 10,
        }
        for part in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize("delay", [0.25, 0.6])
def test_every_acknowledged_record_survives_kill_9(db: Path, delay: float) -> None:
    child, url = start(db)
    acknowledged: list[tuple[int, int]] = []
    sent: list[tuple[int, int]] = []

    def send(worker: int) -> None:
        with httpx.Client() as client:
            for number in range(10_000):
                sent.append((worker, number))
                try:
                    answer = client.post(f"{url}/v1/usage", json=body(worker, number), timeout=10)
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    acknowledged.append((worker, number))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while len(acknowledged) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait(10)
    for thread in threads:
        thread.join(10)
    assert len(acknowledged) >= 4

    def keys() -> list[str]:
        store = open_store(db)
        try:
            return [k for (k,) in store.con.execute("SELECT call_key FROM usage").fetchall()]
        finally:
            store.close()

    found = keys()
    assert len(found) == len(set(found))
    whole = {f"kill:{w}:{n}" for w, n in acknowledged}
    assert {k.rpartition(":")[0] for k in found} >= whole
    # All three of a request or none: it was one transaction.
    assert len(found) == 3 * len({k.rpartition(":")[0] for k in found})

    # Sending everything again completes the store and doubles nothing.
    child, url = start(db)
    try:
        everything = [record for w, n in sent for record in body(w, n)]
        assert httpx.post(f"{url}/v1/usage", json=everything, timeout=30).status_code == 200
    finally:
        child.kill()
        child.wait(10)
    assert sorted(keys()) == sorted({f"kill:{w}:{n}:{p}" for w, n in sent for p in range(3)})
