"""A lake on an object store: moto's S3 server stands in for one (the extra `objects`).

Written through Arrow's own file system, asked by DuckDB and by Sail, equal to the same lake in a
folder.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from ingest.lake import LakeFolder, export_store, ingest_to_lake
from ingest.store.database import open_reader
from pricing.catalogue import default_catalogue
from tests.lake.conftest import need
from tests.lake.test_write import MIDNIGHT, body, files, small_store


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty bucket's address, with the environment that leads to it."""
    for name in ("moto", "flask"):
        pytest.importorskip(name, reason="the extra `objects` is not installed (moto)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address, "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        try:
            for _ in range(240):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, Path(log.name).read_text()[-2000:]
                time.sleep(0.25)
            s3, _ = fs.FileSystem.from_uri("s3://books?allow_bucket_creation=true")
            s3.create_dir("books")
            yield "s3://books"
        finally:
            process.terminate()
            process.wait(30)
            log.close()


def objects(where: str) -> dict[str, bytes]:
    """Every object of a lake and what it holds, by its path within the lake."""
    files, root = fs.FileSystem.from_uri(where)
    found = files.get_file_info(fs.FileSelector(root, recursive=True))
    return {
        info.path.removeprefix(f"{root}/"): files.open_input_stream(info.path).read()
        for info in found
        if info.type == fs.FileType.File
    }


def test_an_object_store_holds_what_a_folder_holds(bucket: str, tmp_path: Path) -> None:
    store = open_reader(small_store(tmp_path / "t.duckdb", second=True))
    log = tmp_path / "a.jsonl"
    log.write_text(body(77, MIDNIGHT) + "\n")
    for where in (f"{bucket}/same", tmp_path / "same"):
        export_store(store, where)
        assert export_store(store, where).written == 0
        ingest_to_lake(where, [log])
        assert ingest_to_lake(where, [log])[0].state == "unchanged"
    store.close()
    assert objects(f"{bucket}/same") == files(tmp_path / "same")


@pytest.mark.parametrize("engine", ["duckdb", "sail"])
def test_it_is_asked_where_it_is(
    bucket: str, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    need("ibis")
    from dashboards.lake import cell_book, open_lake

    chosen = engine if engine == "duckdb" else request.getfixturevalue("sail")
    store = open_reader(small_store(tmp_path / "t.duckdb", second=True))
    export_store(store, f"{bucket}/asked")
    by = ["day", "team", "variant", "status"]
    lake = open_lake(f"{bucket}/asked", chosen)
    with cell_book(lake, default_catalogue(), by, Scope()) as book:
        assert spend(book.store.con, by) == spend(store.con, by)
    store.close()


def test_a_writer_that_fails_leaves_no_object(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_reader(small_store(tmp_path / "t.duckdb", second=False))
    seen: list[str] = []

    def fails(self: pq.ParquetWriter, rows: object) -> None:
        raise OSError("cut")

    def removed(self: LakeFolder, path: str) -> bool:
        seen.append(path)
        return True

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", fails)
    monkeypatch.setattr(LakeFolder, "_remove", removed)
    with pytest.raises(OSError, match="cut"):
        export_store(store, f"{bucket}/cut")
    assert objects(f"{bucket}/cut") == {}
    store.close()
