"""Kill a collecting server at random moments under load; then compare with a calm run.

Each round starts a server over the same store and four senders that post as fast as they are
answered, kills the server (SIGKILL) after a random delay, and looks into the store: every request
that was answered 2xx must be in it, and of the others all records or none. What was not answered
is sent again to the next server, as a client would. At the end everything has been answered, and
the store must equal, call for call, one that was given everything once.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ingest.collector import Collector, own_cursor, reading
from ingest.store import book
from ingest.store.database import open_store
from tests.books import chat, dump, small_catalogue

SENDERS = 4
_UNDER_WAY = 0.8
"""Share of the kills that come after the server has begun to answer; the others may come while it
still starts, on whatever the one before it left."""

SERVER = """
import socket, sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from ingest.collector import Collector, own_cursor, routes
from ingest.store import book
from ingest.store.database import open_store
from tests.books import small_catalogue
prices = small_catalogue()
store = open_store(Path(sys.argv[1]))
book.sync(store, prices)
collector = Collector(prices, own_cursor(store))
collector.start()
sock = socket.socket(); sock.bind(("127.0.0.1", 0)); sock.listen(128)
print(sock.getsockname()[1], flush=True)
config = uvicorn.Config(Starlette(routes=routes(collector)), log_level="error", lifespan="off")
uvicorn.Server(config).run(sockets=[sock])
"""


def start(db: Path) -> tuple[subprocess.Popen[str], str]:
    """A server over a store, and its address."""
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(db)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert child.stdout is not None
    return child, f"http://127.0.0.1:{int(child.stdout.readline())}"


def request(number: int) -> list[dict[str, Any]]:
    """One request's documents: a record of its own, and a response of which every second request
    brings a fuller sighting than the one before it did."""
    own = {
        "call_key": f"own:{number}", "provider": "acme", "model": "plain", "input": 100 + number,
        "output": 10, "occurred_at": "2026-01-05T12:00:00Z", "team": f"team-{number % 3}",
    }  # fmt: skip
    body = chat(
        number // 2, model="plain", created=1767225600 + number // 2 * 60, answer=50 + number % 2
    )
    return [own, {"provider": "acme", "response": body}]


@dataclass
class Load:
    """The senders' memory: what was sent, what was answered, what is to be sent again."""

    most: int
    next: int = 0
    again: list[int] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int | None:
        """The next request: one without an answer first; None when all are done."""
        with self.lock:
            if self.again:
                return self.again.pop(0)
            if self.next >= self.most:
                return None
            self.next += 1
            return self.next - 1

    def send(self, url: str) -> None:
        """Post until the server is gone or nothing is left."""
        with httpx.Client(timeout=30) as client:
            while (number := self.take()) is not None:
                try:
                    status = client.post(f"{url}/v1/usage", json=request(number)).status_code
                except httpx.HTTPError:
                    status = 0
                with self.lock:
                    if status == 200:
                        self.answered.add(number)
                    else:
                        self.again.append(number)
                if status == 0:
                    return

    def wait_for_an_answer(self) -> None:
        """Return when a request has been answered since the call, or after half a minute."""
        before, until = len(self.answered), time.monotonic() + 30
        while len(self.answered) == before and time.monotonic() < until:
            time.sleep(0.002)

    def against(self, url: str) -> list[threading.Thread]:
        """All senders at work."""
        threads = [threading.Thread(target=self.send, args=(url,)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        return threads


def look(db: Path, load: Load) -> int:
    """After a kill: every answered request is stored, and no request in part. Returns how many
    own records there are."""
    store = open_store(db)
    try:
        rows = store.con.execute("SELECT call_key FROM usage ORDER BY 1").fetchall()
    finally:
        store.close()
    keys = [key for (key,) in rows]
    assert len(keys) == len(set(keys)), "a call is stored twice"
    own = {int(key.removeprefix("own:")) for key in keys if key.startswith("own:")}
    bodies = {int(key.rpartition("-")[2]) for key in keys if not key.startswith("own:")}
    lost = load.answered - own
    assert not lost, f"{len(lost)} requests were answered 200 and are not stored"
    assert bodies == {number // 2 for number in own}, "a request is stored in part"
    return len(own)


def calm_run(db: Path, count: int) -> list[tuple[object, ...]]:
    """Everything once, without a network and without a kill; the store's dump."""
    prices = small_catalogue()
    store = open_store(db)
    try:
        book.sync(store, prices)
        collector = Collector(prices, own_cursor(store))
        collector.start()
        documents = [d for n in range(count) for d in request(n)]
        batch = reading.read_usage_documents(json.loads(json.dumps(documents)))
        assert not batch.rejects
        collector.submit(batch.records, source="/v1/usage").result(60)
        collector.close()
        return dump(store)
    finally:
        store.close()


def chaos_collecting(folder: Path, kills: int, *, seed: int = 0, longest: float = 0.7) -> list[int]:
    """Kill `kills` servers under load, then compare with a calm run. Returns the requests stored
    after each kill."""
    rng = random.Random(seed)
    db = folder / "collecting.duckdb"
    load = Load(most=10**9)
    progress: list[int] = []
    for _ in range(kills):
        child, url = start(db)
        senders = load.against(url)
        if rng.random() < _UNDER_WAY:
            load.wait_for_an_answer()
        time.sleep(rng.uniform(0, longest))
        child.kill()
        child.wait()
        for sender in senders:
            sender.join(30)
        progress.append(look(db, load))
    load.most = load.next  # nothing new: only what was never answered
    child, url = start(db)
    try:
        for sender in load.against(url):
            sender.join(60)
    finally:
        child.kill()
        child.wait()
    assert load.answered == set(range(load.next)), "a request was never answered"
    store = open_store(db)
    found = dump(store)
    store.close()
    wanted = calm_run(folder / "calm-collecting.duckdb", load.next)
    assert found == wanted, "the store differs from that of an undisturbed run"
    assert len(set(progress)) > kills // 3, "the kills did not come under load"
    return progress
