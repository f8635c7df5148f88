"""Engines to ask a lake: DuckDB, Sail's Spark Connect server, and Spark itself in local mode.

Sail (`pysail`) needs no JVM. Spark needs the whole of `pyspark` (its server) and Java 17, and takes
its time: marked slow.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


def need(*modules: str) -> None:
    """Skip, saying so, where the extra `spark` is not installed."""
    for name in modules:
        pytest.importorskip(name, reason=f"the extra `spark` is not installed ({name})")


@pytest.fixture(scope="session")
def sail() -> Iterator[str]:
    """A Spark Connect server of the tests' own, in this process."""
    need("ibis", "pyspark", "grpc")
    server = pytest.importorskip("pysail.spark", reason="no Spark Connect server (pysail)")
    running = server.SparkConnectServer("127.0.0.1", 0)
    running.start(background=True)
    host, port = running.listening_address
    yield f"sc://{host}:{port}"
    running.stop()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Spark itself as a Connect server in local mode."""
    need("ibis", "pyspark", "grpc")
    if shutil.which("java") is None:
        pytest.skip("no Java on the path: Spark in local mode needs Java 17")
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    jars = sorted((home / "jars").glob("spark-connect_*.jar"))
    if not jars:
        pytest.skip("this is pyspark-client: Spark's own server is in the package pyspark")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("spark")
    log = (folder / "log").open("w")
    settings = {
        "spark.connect.grpc.binding.port": port,
        "spark.sql.shuffle.partitions": 2,
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": folder / "warehouse",
    }
    server = subprocess.Popen(
        [
            home / "bin" / "spark-submit", "--master", "local[2]", "--driver-memory", "1g",
            *(part for k, v in settings.items() for part in ("--conf", f"{k}={v}")),
            "--class", "org.apache.spark.sql.connect.service.SparkConnectServer", jars[0],
        ],
        cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        env={**os.environ, "SPARK_HOME": str(home)},
    )  # fmt: skip
    try:
        for _ in range(240):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.5)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


ENGINES = ["duckdb", "sail", pytest.param("spark", marks=pytest.mark.slow)]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """An engine's address, as `--engine` takes it."""
    need("ibis")
    return "duckdb" if request.param == "duckdb" else request.getfixturevalue(request.param)
