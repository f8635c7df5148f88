"""`tokenbooks mock` as a user runs it: a process, a client, then a report of what it would cost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import openai

from pricing.counting import count_request

ROOT = Path(__file__).parents[2]
RUN = (
    "import typer\nfrom tokenbooks.cli import mock\napp = typer.Typer()\nmock.register(app)\napp()"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_run_ask_stop_report(
    tokenbooks: Callable[..., tuple[int, str, str]], workdir: Path
) -> None:
    import json

    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN, "--port", str(port), "--profile", "fixed"]
    child = subprocess.Popen(command, cwd=workdir, env=environment)
    try:
        for _ in range(300):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
        messages = [{"role": "user", "content": "Hello"}]
        client.chat.completions.create(model="gpt-4o", messages=messages)  # type: ignore[arg-type]
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(20)
    total = count_request({"messages": messages}, "gpt-4o").total
    code, out, _ = tokenbooks("report", "--db", "data/mock.duckdb", "--json")
    assert code == 0
    row = json.loads(out)["rows"][0]
    # gpt-4o: 2.50 and 10 USD per million; 100 tokens out.
    assert (row["variant"], row["calls"], row["input_tokens"]) == ("gpt-4o", 1, total)
    assert float(row["cost_usd"]) == (total * 2.5 + 1000) / 1_000_000
    assert not Path("data/tokenbooks.duckdb").exists()
