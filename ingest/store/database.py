"""Opening the store: as its owner, or as a reader beside the owner.

A DuckDB file takes one read-write process. Whoever opens it is the owner for that moment. A
command that only reads opens the file read-only, and when the owner holds it, the newest
*snapshot* instead; a command that writes and finds the file held drops its finished batch into
the `inbox/` beside the file, where the owner absorbs it (`ingest.store.handover`). So nobody
waits on a lock and nobody fails because someone else is at work.

    with open_store(path) as store:            # owner: read and write
        store.con.execute("SELECT …")
    with open_reader(path) as store: …         # the file itself, or its newest snapshot
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.store import resolve, schema

if TYPE_CHECKING:
    import duckdb


# DuckDB 2.0.0 can stop with an internal error, and takes the open database with it, when a hash
# join is built from the output of another join (duckdb/duckdb#24807). Our joins name the small
# table on the right; run as written, every one of them is built from a plain table scan.
JOINS_AS_WRITTEN = "join_order,build_side_probe_side"


class StoreError(Exception):
    """The store cannot be used: the message says why and what to do."""


class StoreHeld(StoreError):
    """Another process has the file open for writing."""


@dataclass(slots=True)
class Store:
    """An open store: its connection, where it is, and whether this process may write."""

    con: duckdb.DuckDBPyConnection
    path: Path
    writable: bool
    snapshot: Path | None = None

    @contextmanager
    def transaction(self) -> Generator[duckdb.DuckDBPyConnection]:
        """All or nothing: rolls back and re-raises on any error (a COMMIT after a failed
        statement would report success and store nothing)."""
        self.con.execute("BEGIN TRANSACTION")
        try:
            yield self.con
        except BaseException:
            with contextlib.suppress(Exception):
                self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")

    def cursor(self) -> Store:
        """Another connection to the same open database, for another thread."""
        return Store(self.con.cursor(), self.path, self.writable, self.snapshot)

    def close(self) -> None:
        """Close this connection."""
        self.con.close()


IMPORT_MEMORY = "1GiB"
"""What DuckDB may hold in memory while a file is imported, however large the file: the rest of
what is staged, sorted and joined waits on disk (`<store>.tmp`, emptied when it is done)."""


@contextmanager
def bounded(con: duckdb.DuckDBPyConnection) -> Generator[None]:
    """Hold the database's memory to `IMPORT_MEMORY` for a while, then to its default again."""
    import duckdb

    with contextlib.suppress(duckdb.OutOfMemoryException):  # others hold more at this moment
        con.execute(f"SET memory_limit = '{IMPORT_MEMORY}'")
    try:
        yield
    finally:
        con.execute("RESET memory_limit")


@contextmanager
def staging_area(beside_what: Path | None = None) -> Generator[duckdb.DuckDBPyConnection]:
    """A database of its own in which to stage a file for somewhere else: in memory as far as
    `IMPORT_MEMORY`, beyond it in a folder made in `beside_what` (or where temporary files are)."""
    import tempfile

    import duckdb

    with tempfile.TemporaryDirectory(prefix=".staged-", dir=beside_what) as folder:
        con = duckdb.connect(
            config={"disabled_optimizers": JOINS_AS_WRITTEN, "temp_directory": folder}
        )
        try:
            con.execute("SET TimeZone = 'UTC'")
            con.execute("SET enable_progress_bar = false")
            con.execute(f"SET memory_limit = '{IMPORT_MEMORY}'")
            yield con
        finally:
            con.close()


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect, turning DuckDB's errors into ones that say what to do."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "disabled_optimizers": JOINS_AS_WRITTEN,
    }
    if not read_only and not path.exists():
        config["storage_compatibility_version"] = "v1.5.0"
    try:
        con = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.IOException as error:
        text = str(error)
        if "lock" in text:
            owner = f" (PID {text.split('PID ')[1].partition(')')[0]})" if "PID " in text else ""
            raise StoreHeld(f"{path} is open in another process{owner}") from error
        if "newer version" in text or "storage version" in text.lower():
            raise StoreError(
                f"{path} was written by a newer DuckDB than this one: upgrade the duckdb package"
            ) from error
        if "not a valid DuckDB database" in text:
            raise StoreError(
                f"{path} is not a tokenbooks database (nor any DuckDB file); "
                "choose another path with --db, or move that file away"
            ) from error
        raise StoreError(f"{path} cannot be opened: {text.splitlines()[0]}") from error
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"{path} cannot be opened: {str(error).splitlines()[0]}") from error
    con.execute("SET TimeZone = 'UTC'")
    return con


_DAMAGE = ("Corrupt database file", "Could not read enough bytes", "checksum")


def damage(error: Exception) -> str | None:
    """What to say of an error that a damaged file makes wherever its broken part is read (the
    disk lost something, or the file was cut); None for any other error."""
    text = str(error).strip()
    if not any(sign in text for sign in _DAMAGE):
        return None
    return (
        f"the database file is damaged ({text.splitlines()[0]}): move it away, and take the newest"
        " file of the folder .snapshots beside it, a backup, or import the logs anew"
    )


def unreadable_table(con: duckdb.DuckDBPyConnection) -> str | None:
    """Read every column of every table, which checks each block's sum; what is damaged, if any."""
    import duckdb

    tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
    for (name,) in tables:
        try:
            con.execute(f'SELECT bit_xor(hash(t)) FROM "{name}" AS t').fetchall()
        except duckdb.Error as error:
            return f"table {name}: {damage(error) or str(error).splitlines()[0]}"
    return None


def open_store(path: Path, *, create: bool = True) -> Store:
    """Open the store as its owner, making or migrating it as needed.

    Raises `StoreHeld` when another process owns it, `StoreError` for anything else.
    """
    if not path.exists():
        if not create:
            raise StoreError(f"{path} does not exist yet: import something first")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be made: {error.strerror}") from error
    store = Store(_connect(path, read_only=False), path, True)
    try:
        _sweep_spill(path)
        _prepare(store)
    except BaseException:
        store.close()
        raise
    return store


def _sweep_spill(path: Path) -> None:
    """Remove what a killed owner had spilled to disk. Only the new owner may: it holds the lock,
    so nobody else can be using the folder."""
    for left in beside(path, "tmp").glob("duckdb_temp_*"):
        with contextlib.suppress(OSError):
            left.unlink()


def open_reader(path: Path) -> Store:
    """Open for reading: the file itself, or the newest snapshot when its owner holds it."""
    if not path.exists():
        raise StoreError(f"{path} does not exist yet: import something first")
    try:
        store = Store(_connect(path, read_only=True), path, False)
    except StoreHeld as held:
        newest = newest_snapshot(path)
        if newest is None:
            raise StoreHeld(
                f"{held}, and it has published no snapshot yet; try again in a moment"
            ) from held
        store = Store(_connect(newest, read_only=True), path, False, newest)
    try:
        version = _check_version(store)
    except BaseException:
        store.close()
        raise
    if version < schema.VERSION:
        store.close()
        return _migrated_reader(path, store.snapshot)
    return store


def _migrated_reader(path: Path, snapshot: Path | None) -> Store:
    """Bring an older file up to date first; one held by an older program stays unreadable."""
    if snapshot is None:
        open_store(path).close()
        return open_reader(path)
    raise StoreError(
        f"{path} is held by an older tokenbooks: stop it, upgrade it and start it again"
    )


def _tables(store: Store) -> set[str]:
    rows = store.con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return {name for (name,) in rows}


def _check_version(store: Store) -> int:
    """The file's schema version. Raises for foreign and for newer files."""
    tables = _tables(store)
    if "meta" not in tables or "calls_stored" not in tables:
        raise StoreError(
            f"{store.path} is a DuckDB file but not a tokenbooks store"
            + (f" (it has {', '.join(sorted(tables)[:4])})" if tables else "")
            + "; choose another path with --db"
        )
    import duckdb

    try:
        rows = store.con.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    except duckdb.Error as error:
        found = damage(error) or str(error).strip().partition("\n")[0]
        raise StoreError(f"{store.path}: {found}") from error
    version = int(rows[0][0]) if rows else 0
    if version > schema.VERSION:
        raise StoreError(
            f"{store.path} has schema version {version}, this program knows {schema.VERSION}: "
            "upgrade tokenbooks"
        )
    return version


def _prepare(store: Store) -> None:
    """Make the tables of a new file, or bring an older one up to date, in one transaction."""
    if not _tables(store):
        with store.transaction() as con:
            for statement in schema.create_statements():
                con.execute(statement)
        return
    version = _check_version(store)
    if version < schema.VERSION:
        with store.transaction() as con:
            for statement in schema.migration_statements(version):
                con.execute(statement)
            if version < 2:
                resolve.reprice(con)


# --- snapshots ------------------------------------------------------------------------------


def beside(path: Path, what: str) -> Path:
    """A folder of the store's own beside its file: `inbox`, `snapshots` or `tmp`."""
    return path.with_name(f"{path.name}.{what}")


def publish_snapshot(store: Store) -> Path:
    """Checkpoint and copy the file to a new versioned name that readers may open.

    A name in use is never replaced: an old handle would keep serving old data under it. The two
    newest snapshots are kept; removing an older one under an open reader is safe.
    """
    store.con.execute("CHECKPOINT")
    folder = beside(store.path, "snapshots")
    folder.mkdir(parents=True, exist_ok=True)
    number = time.time_ns()
    draft = folder / f".{number}.{os.getpid()}.tmp"
    _copy_elsewhere(store.path, draft)
    final = folder / f"snapshot-{number:020d}.duckdb"
    draft.rename(final)
    for old in sorted(folder.glob("snapshot-*.duckdb"))[:-2]:
        with contextlib.suppress(OSError):
            old.unlink()
    return final


def _copy_elsewhere(source: Path, target: Path) -> None:
    """Copy a file in a child process. A POSIX lock falls as soon as its process closes *any* handle
    of the file: copying it here would open the store to a second writer."""
    code = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        target.unlink(missing_ok=True)
        raise OSError(f"no snapshot of {source}: {done.stderr.strip().splitlines()[-1:]}")


def newest_snapshot(path: Path) -> Path | None:
    """The newest published snapshot of a store, if any."""
    found = sorted(beside(path, "snapshots").glob("snapshot-*.duckdb"))
    return found[-1] if found else None
