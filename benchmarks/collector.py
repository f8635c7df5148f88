"""The collector under load on loopback: records a second, and how long a sender waits.

    python -m benchmarks.collector [--seconds 6] [--rate 1500] [--batch 1]

A server process (uvicorn, one store) and a sender process that *offers* a fixed rate: every
request has its due time, and its latency is counted from there, so a server that falls behind
shows it. Latency includes COMMIT. Afterwards the store must hold exactly the acknowledged records.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.common import Row

SERVER = """
import socket, sys, time
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from ingest.collector import Collector, own_cursor, routes
from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue
store = open_store(Path(sys.argv[1]))
book.sync(store, default_catalogue())
collector = Collector(default_catalogue(), own_cursor(store))
collector.start()
sock = socket.socket(); sock.bind(("127.0.0.1", 0)); sock.listen(512)
print(sock.getsockname()[1], flush=True)
def stats(request):
    return JSONResponse({"groups": collector.stats.groups, "cpu": time.process_time()})
app = Starlette(routes=[*routes(collector), Route("/stats", stats)])
uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).run(sockets=[sock])
"""


def body(number: int, batch: int) -> bytes:
    """A request of `batch` Chat Completions bodies, each with an id of its own."""
    documents = [
        {
            "id": f"chatcmpl-{number * batch + n:029d}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": "gpt-5.2",
            "service_tier": "default",
            "choices": [{"message": {"role": "assistant", "content": "x" * 200}}],
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "total_tokens": 1050,
                "prompt_tokens_details": {"cached_tokens": 768},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
        }
        for n in range(batch)
    ]
    return json.dumps(documents).encode()


class Connection:
    """One kept-alive connection; plain asyncio, so that the sender costs little of the machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, content: bytes) -> int:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        answer = await reader.readuntil(b"\r\n\r\n")
        low = answer.lower()
        length = int(low.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        return int(answer.split(b" ", 2)[1])


async def offer(port: int, rate: int, seconds: float, batch: int) -> tuple[list[float], int, float]:
    """Latencies of acknowledged requests (s), how many were turned away, and the time it took."""
    total = int(rate * seconds / batch)
    bodies = [body(n, batch) for n in range(total)]
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(512):
        free.put_nowait(Connection(port))
    latencies: list[float] = []
    refused = 0

    async def one(content: bytes, due: float) -> None:
        nonlocal refused
        connection = await free.get()
        status = await connection.post("/v1/usage", content)
        free.put_nowait(connection)
        if status == 200:
            latencies.append(time.perf_counter() - due)
        else:
            refused += 1

    start = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number, content in enumerate(bodies):
        due = start + number * batch / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(content, due)))
    await asyncio.gather(*tasks)
    return latencies, refused, time.perf_counter() - start


def stats(port: int) -> dict[str, float]:
    """Commits and processor seconds of the server so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
        return json.load(answer)


def measure(rate: int, seconds: float, batch: int) -> dict[str, float]:
    """One run: start a server, offer the load, stop it, and count what is in the store."""
    from ingest.store.database import open_store

    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "bench.duckdb"
        child = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(db)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        try:
            port = int(child.stdout.readline())
            asyncio.run(offer(port, 200, 1.0, 200))  # warm: the same ids come again below
            before = stats(port)
            latencies, refused, took = asyncio.run(offer(port, rate, seconds, batch))
            after = stats(port)
        finally:
            child.terminate()
            child.wait(60)
        store = open_store(db)
        stored = store.con.execute("SELECT count(DISTINCT call_key) FROM usage").fetchall()[0][0]
        store.close()
    latencies.sort()

    def at(share: float) -> float:
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1000

    acknowledged = len(latencies) * batch
    if stored < acknowledged:
        raise SystemExit(f"LOST: {acknowledged} acknowledged, {stored} stored")
    return {
        "offered_per_s": rate, "stored_per_s": round(acknowledged / took), "batch": batch,
        "acknowledged": acknowledged, "turned_away": refused * batch, "stored": stored,
        "commits": after["groups"] - before["groups"],
        "server_cpu_ms_per_record": round((after["cpu"] - before["cpu"]) * 1000 / acknowledged, 2),
        "p50_ms": round(at(0.5), 1), "p99_ms": round(at(0.99), 1),
    }  # fmt: skip


def rows() -> list[Row]:
    """For the table of all benchmarks: records a second stored over those offered."""
    found = []
    for rate, batch in ((1000, 1), (1000, 10), (4000, 100)):
        run = measure(rate, 5.0, batch)
        found.append(
            Row(
                "collector",
                f"{rate:,} records/s offered, {batch} a request: stored / offered",
                run["stored_per_s"] / rate,
                f"{run['stored_per_s']:,}/s, p50 {run['p50_ms']} ms, p99 {run['p99_ms']} ms,"
                f" {run['server_cpu_ms_per_record']} ms CPU a record",
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rate", type=int, action="append", help="records a second; repeatable")
    parser.add_argument("--batch", type=int, default=1, help="records in a request")
    given = parser.parse_args()
    for rate in given.rate or [1000]:
        print(json.dumps(measure(rate, given.seconds, given.batch)), flush=True)
    if not given.rate:
        print(json.dumps(measure(5000, given.seconds, 100)), flush=True)


if __name__ == "__main__":
    main()
