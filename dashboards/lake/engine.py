"""Opening a lake on an engine: DuckDB in this process, or a Spark Connect server.

The optional extra `spark` brings ibis and the Spark Connect client. A server must see the lake
under the same path or address. Which files count is read once, here: whatever is written while a
question runs is for the next one.

    lake = open_lake("s3://books/lake", "sc://spark.example:15002")
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest.lake.folder import Batch, LakeFolder
from ingest.store.database import JOINS_AS_WRITTEN
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 65_536
_SPARK_PORT = 15002
_CONNECT_SECONDS = 10
_RETRIES = 5  # some 17 seconds
INSTALL = "pip install 'tokenbooks[spark]'"


class EngineError(Exception):
    """The engine or the lake cannot be used; the message says what to do."""


@dataclass(slots=True)
class Lake:
    """An open lake: an ibis connection, every sighting of every call, and what is known of it."""

    folder: LakeFolder
    batches: list[Batch]
    con: Any
    usage: Any
    engine: str

    @property
    def each_once(self) -> bool:
        """Whether each call is one row already: all of it is one store's export."""
        return len(self.batches) == 1 and self.batches[0].from_store

    def rows(self, expression: Any) -> pa.Table:
        """Run an expression on the engine. Raises `EngineError` when the engine fails."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.con.to_pyarrow(expression)
            except Exception as error:
                raise self._failed(error) from error

    def batches_of(self, expression: Any) -> Iterator[pa.RecordBatch]:
        """`rows`, some thousand at a time."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                if self.engine == "duckdb":  # ibis 12 asks for what DuckDB 2 no longer has
                    found = self.con.con.sql(self.con.compile(expression))
                    yield from found.to_arrow_reader(_BATCH)
                else:
                    yield from self.con.to_pyarrow_batches(expression, chunk_size=_BATCH)
            except Exception as error:
                raise self._failed(error) from error

    def put(self, name: str, rows: pa.Table) -> Any:
        """A small table beside the calls, on the engine: columns without NULLs."""
        if self.engine == "duckdb":
            self.con.con.register(name, rows)
        else:
            columns: Any = rows
            frame = self.con._session.createDataFrame(columns.to_pandas())
            frame.createOrReplaceTempView(name)
        return self.con.table(name)

    def _failed(self, error: Exception) -> EngineError:
        text = str(error).strip() or type(error).__name__
        return EngineError(f"{self.engine} could not answer: {text.splitlines()[0][:300]}")


def load_ibis() -> Any:
    """The module that the definitions are written in. Raises `EngineError` where it is not
    installed."""
    try:
        return import_module("ibis")
    except ImportError as error:
        raise EngineError(f"questions to a lake need the extra `spark`: {INSTALL}") from error


def open_lake(where: str | Path, engine: str = "duckdb") -> Lake:
    """Open a lake on `duckdb` or on Spark Connect (`sc://host:port`).

    Raises `EngineError` when the extra is not installed, the engine does not answer, or the lake
    holds no usage; `LakeError` when it is no lake.
    """
    load_ibis()
    if engine != "duckdb" and not engine.startswith("sc://"):
        raise EngineError(f"unknown engine {engine!r}; use duckdb or sc://host:port")
    folder = LakeFolder(where)
    batches = folder.batches()
    paths = [path for batch in batches for path in batch.usage]
    if not paths:
        raise EngineError(
            f"{where} holds no usage: write some with `tokenbooks export lake {where}`"
            f" or `tokenbooks ingest --lake {where} LOGS`"
        )
    if engine == "duckdb":
        con, usage = _duckdb(folder, batches, paths)
    else:
        con, usage = _spark(engine, folder, paths)
    return Lake(folder, batches, con, _with_every_meter(usage), engine)


def _with_every_meter(usage: Any) -> Any:
    """The table with a column for each meter: files written before a meter was known lack it."""
    ibis = load_ibis()
    lacking = [m for m in COUNTED if m not in usage.columns]
    return usage.mutate(**{m: ibis.null("int64") for m in lacking}) if lacking else usage


def _duckdb(folder: LakeFolder, batches: list[Batch], paths: list[str]) -> tuple[Any, Any]:
    con = load_ibis().duckdb.connect()
    con.raw_sql("SET TimeZone = 'UTC'")
    con.raw_sql("SET enable_progress_bar = false")
    con.raw_sql(f"SET disabled_optimizers = '{JOINS_AS_WRITTEN}'")
    if folder.local:
        full = [folder.full(path) for path in paths]
        return con, con.read_parquet(
            full, table_name="usage", hive_partitioning=False, union_by_name=True
        )
    ds: Any = import_module("pyarrow.dataset")
    # The wheel's DuckDB has no reader for object stores: Arrow has.
    full = [folder.full(path) for path in paths]
    files = ds.dataset(
        full, schema=folder.columns(batches), format="parquet", filesystem=folder.files
    )
    con.con.register("usage", files)
    return con, con.table("usage")


def _listens(address: str) -> None:
    """Raise `EngineError` at once where nothing answers at a Spark Connect address."""
    found = urlsplit(address)
    try:
        where = (found.hostname or "", found.port or _SPARK_PORT)
        socket.create_connection(where, timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise EngineError(f"nothing answers at {address}: {error}") from error


def _spark(address: str, folder: LakeFolder, paths: list[str]) -> tuple[Any, Any]:
    _listens(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sessions = import_module("pyspark.sql.connect.session")
            retries = import_module("pyspark.sql.connect.client.retries")
        except ImportError as error:
            raise EngineError(
                f"Spark Connect needs the extra `spark`: {INSTALL} ({str(error).splitlines()[0]})"
            ) from error
        try:
            session = sessions.SparkSession(connection=address)
            # The client's own policy tries for ten minutes, when the process ends too.
            session.client.set_retry_policies([retries.DefaultPolicy(max_retries=_RETRIES)])
            session.conf.set("spark.sql.session.timeZone", "UTC")
            con = load_ibis().pyspark.connect(session)
            files = session.read.option("mergeSchema", "true")
            files.parquet(*map(folder.address, paths)).createOrReplaceTempView("usage")
            return con, con.table("usage")
        except Exception as error:
            text = str(error).strip() or type(error).__name__
            raise EngineError(
                f"{address} does not answer for {folder.where}: {text.splitlines()[0][:300]}"
            ) from error
