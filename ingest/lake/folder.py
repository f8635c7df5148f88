"""The lake's folder: where it is, which files count, and writing them whole.

A lake is on a mounted path, or at an address Arrow knows (`s3://bucket/books`, `gs://…`). What is
in it is said by its *batches*: one small JSON file each, naming the Parquet files that belong to
it. A Parquet file that no batch names does not count, so a writer that is killed leaves the lake
as it was, and one rename (on an object store: one copy) moves it from the old state to the new one.

    folder = LakeFolder("lake")
    folder.write_table("usage/date=2026-03-01/log-77f0.parquet", schema, rows)
    folder.commit(Batch("log-77f0", usage=("usage/date=2026-03-01/log-77f0.parquet",)))
    [f for batch in folder.batches() for f in batch.usage]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

USAGE, RATES, BATCHES, SCHEMAS = "usage", "rates", "batches", "schemas"
LEFTOVER = timedelta(days=1)
"""Age from which a file that no batch names is removed: nobody can still be writing it."""


class LakeError(Exception):
    """A lake that cannot be read or written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one writer put into the lake: paths within it. `previous` were its files before that,
    kept for one batch longer, for readers that began before. `schema` names the columns that its
    usage has (`LakeFolder.schema`), so that nobody opens each file to learn them; batches written
    before there were any say None."""

    name: str
    usage: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    schema: str | None = None

    @property
    def from_store(self) -> bool:
        """Whether the batch is a store's whole content, in which each call is one row."""
        return self.name.startswith("store-")

    def text(self) -> str:
        """The batch file: the same content makes the same bytes."""
        body: dict[str, Any] = {
            "usage": self.usage, "rates": self.rates, "previous": self.previous,
        }  # fmt: skip
        if self.schema is not None:
            body["schema"] = self.schema
        return json.dumps(body, indent=1) + "\n"


class LakeFolder:
    """A lake's files. Paths within it are relative and written with `/`."""

    def __init__(self, where: str | Path) -> None:
        from pyarrow import fs

        self.where = str(where)
        if "://" in self.where:
            try:
                self.files, root = fs.FileSystem.from_uri(self.where)
            except (OSError, ValueError) as error:
                raise LakeError(f"{where}: {str(error).splitlines()[0]}") from error
            self.root = root.rstrip("/")
        else:
            self.files, self.root = fs.LocalFileSystem(), str(Path(where).resolve())
        self.local = self.files.type_name == "local"

    def full(self, path: str) -> str:
        """A path as this lake's file system knows it."""
        return f"{self.root}/{path}"

    def address(self, path: str) -> str:
        """A path as another engine finds it."""
        return self.full(path) if self.local else f"{self.where.rstrip('/')}/{path}"

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        from pyarrow import fs

        return self.files.get_file_info(self.full(path)).type == fs.FileType.File

    def batches(self) -> list[Batch]:
        """Every batch, by name. Raises `LakeError` for one that is not ours."""
        from pyarrow import fs

        found: list[Batch] = []
        seek = fs.FileSelector(self.full(BATCHES), allow_not_found=True)
        for info in sorted(self.files.get_file_info(seek), key=lambda i: i.path):
            name = info.path.rsplit("/", 1)[-1]
            if name.endswith(".json") and not name.startswith("."):
                batch = self.batch(name.removesuffix(".json"))
                if batch is not None:
                    found.append(batch)
        return found

    def batch(self, name: str) -> Batch | None:
        """A batch by its name; None when there is none."""
        path = f"{BATCHES}/{name}.json"
        try:
            with self.files.open_input_stream(self.full(path)) as stream:
                body: dict[str, Any] = json.loads(stream.read())
            parts = (tuple(map(str, body[k])) for k in ("usage", "rates", "previous"))
            schema = body.get("schema")
            return Batch(name, *parts, schema=None if schema is None else str(schema))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{self.where}/{path} is no batch of a lake: {error}") from error

    def write_table(self, path: str, schema: pa.Schema, rows: Iterable[pa.RecordBatch]) -> bool:
        """Write rows as one Parquet file, whole or not at all; False when it is there already."""
        if self.exists(path):
            return False
        import pyarrow.parquet as pq

        with (
            self._whole(path) as draft,
            self.files.open_output_stream(draft) as stream,
            pq.ParquetWriter(stream, schema, compression="zstd") as writer,
        ):
            for batch in rows:
                writer.write_batch(batch)
        return True

    def schema(self, name: str) -> pa.Schema | None:
        """The columns that batches know by this name; None when nobody wrote them down."""
        import pyarrow as pa

        try:
            with self.files.open_input_stream(self.full(f"{SCHEMAS}/{name}.arrow")) as stream:
                return pa.ipc.read_schema(pa.py_buffer(stream.read()))
        except (FileNotFoundError, EOFError, pa.ArrowException):
            return None

    def keep_schema(self, schema: pa.Schema) -> str:
        """Write the columns of usage files down, once; the name that a batch gives them."""
        text = schema.remove_metadata().serialize().to_pybytes()
        name = hashlib.sha256(text).hexdigest()[:12]
        path = f"{SCHEMAS}/{name}.arrow"
        if not self.exists(path):
            with self._whole(path) as draft, self.files.open_output_stream(draft) as stream:
                stream.write(text)
        return name

    def columns(self, batches: Sequence[Batch]) -> pa.Schema:
        """The columns of all the batches' usage together. Batches say them; only the files of those
        that do not, written by an older program, are opened (one request each, one by one)."""
        import pyarrow as pa

        ds: Any = import_module("pyarrow.dataset")
        stated = {name: self.schema(name) for name in {b.schema for b in batches if b.schema}}
        found = [schema for schema in stated.values() if schema is not None]
        silent = [
            self.full(path)
            for batch in batches
            if batch.schema is None or stated[batch.schema] is None
            for path in batch.usage
        ]
        if silent:
            files = ds.dataset(silent, format="parquet", filesystem=self.files)
            found += [part.physical_schema.remove_metadata() for part in files.get_fragments()]
        # Logs once wrote `kinds` narrower than stores did.
        return pa.unify_schemas(found, promote_options="permissive")

    def commit(self, batch: Batch) -> None:
        """Make a batch count, at once and as a whole, in place of the one of its name."""
        with (
            self._whole(f"{BATCHES}/{batch.name}.json") as draft,
            self.files.open_output_stream(draft) as stream,
        ):
            stream.write(batch.text().encode())

    def sweep(self, prefix: str, keep: set[str]) -> int:
        """Remove a writer's files (their names begin with `prefix`) that are not to be kept, and
        anybody's drafts: those old enough that no process can be about to name or finish them."""
        from pyarrow import fs

        removed = 0
        oldest = datetime.now(UTC) - LEFTOVER
        seek = fs.FileSelector(self.full(USAGE), allow_not_found=True, recursive=True)
        for info in self.files.get_file_info(seek):
            path = info.path.removeprefix(self.root).lstrip("/")
            name = path.rsplit("/", 1)[-1]
            draft = name.startswith(".") and name.endswith(".tmp")
            if (
                info.type == fs.FileType.File
                and (draft or name.startswith(prefix))
                and path not in keep
                and info.mtime is not None
                and info.mtime < oldest
            ):
                removed += self._remove(path)
        return removed

    def remove(self, paths: Iterable[str]) -> int:
        """Remove files; how many were there."""
        return sum(self._remove(path) for path in paths)

    def _remove(self, path: str) -> bool:
        try:
            self.files.delete_file(self.full(path))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _whole(self, path: str) -> Generator[str]:
        """Where to write so that `path` appears whole: a hidden name beside it, renamed at the
        end. An object store copies it there in one request: a writer that fails half way would
        otherwise leave the object that it had begun, closed as if it were whole."""
        final = self.full(path)
        folder, _, name = final.rpartition("/")
        if self.local:
            self.files.create_dir(folder, recursive=True)
        draft = f"{folder}/.{name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            yield draft
            self.files.move(draft, final)
        except BaseException:
            with contextlib.suppress(OSError):
                self.files.delete_file(draft)
            raise
