"""Group commit: many requests, one writer, few transactions, and an answer only after COMMIT.

Each request submits its records and waits on a future. One thread takes everything that is
waiting (at most `max_group` records, after a short linger), merges it in one transaction and then
resolves the futures. While a transaction runs the next group forms by itself, so the busier the
collector is, the larger its groups and the fewer its commits.

    done = collector.submit([record], source="/v1/usage")   # raises Busy when the queue is full
    done.result()                                           # returns after COMMIT

A crash loses only what was not acknowledged; a sender that repeats it doubles nothing, because a
call is known by its key. The ledger (`imports`) has one row a day for the collector, which every
group adds its counts to in its own transaction.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.record import Reject, UsageRecord
from ingest.store import load, rollup
from ingest.store.database import Store
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("tokenbooks.collector")

WINDOW = timedelta(days=2)
"""How far around a group known calls are searched: exporters retry for minutes, polls for a day."""

_REASONS_A_DAY = 200
_QUIET_S = 2.0
"""A pause in the traffic long enough to sum the hours that calls came to."""
_RETRIES = 3

Writing = Callable[[], AbstractContextManager[Store]]
"""Gives the store to one writer at a time, for the time of the `with` block."""


class CollectorError(Exception):
    """A submission was not stored: the message says why."""


class Busy(CollectorError):
    """Too much is waiting: the sender should try again in a moment."""


class Unavailable(CollectorError):
    """The store cannot take anything now (disk full, closed): nothing of it was stored."""


class Refused(CollectorError):
    """The store cannot hold these records, now or later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the collector. Bytes for bodies (after unpacking), records for queue and group,
    seconds for the linger.

    A transaction costs about the same for one record as for a hundred. So a group waits
    `linger_s`, and under load as long as the last transaction took (at most `max_linger_s`): the
    writer then works half of the time at most, and the rest is the senders'. `rollup_s` is how
    long the hourly rollup may be set aside while records keep coming.
    """

    max_body: int = 16 * 1024 * 1024
    max_waiting: int = 20_000
    max_group: int = 4_000
    linger_s: float = 0.025
    max_linger_s: float = 0.15
    rollup_s: float = 30.0


@dataclass(slots=True)
class Stats:
    """What a collector has done since it started."""

    groups: int = 0
    records: int = 0
    rejected: int = 0
    refused: int = 0
    busy: int = 0


@dataclass(slots=True)
class _Submission:
    records: Sequence[UsageRecord]
    rejects: Sequence[Reject]
    source: str
    done: Future[None]

    @property
    def size(self) -> int:
        return max(1, len(self.records))


def own_cursor(store: Store) -> Writing:
    """Write through one cursor of this collector's own, one writer at a time."""
    cursor = store.cursor()
    lock = threading.Lock()

    @contextmanager
    def writing() -> Generator[Store]:
        with lock:
            yield cursor

    return writing


class Collector:
    """The one writer behind the routes. Safe to submit to from any thread."""

    def __init__(
        self, catalogue: Catalogue, writing: Writing, limits: Limits | None = None
    ) -> None:
        """`writing` hands out the store (see `own_cursor`; a service passes its own)."""
        self.catalogue = catalogue
        self.limits = limits or Limits()
        self.stats = Stats()
        self._writing = writing
        self._queue: deque[_Submission] = deque()
        self._waiting = 0
        self._change = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._took = 0.0
        self._behind = False
        self._caught_up = time.monotonic()

    # --- the senders' side ----------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Records that are submitted and not yet taken into a transaction."""
        return self._waiting

    def submit(
        self, records: Sequence[UsageRecord], rejects: Sequence[Reject] = (), *, source: str
    ) -> Future[None]:
        """Queue records; the future resolves after COMMIT, or with a `CollectorError`.

        `rejects` are counted in the ledger beside them and their reasons kept, never their text.
        Raises `Busy` when the queue is full and `Unavailable` when the collector is closed.
        """
        done: Future[None] = Future()
        if not records and not rejects:
            done.set_result(None)
            return done
        item = _Submission(records, rejects, source, done)
        with self._change:
            if self._closing or self._thread is None:
                raise Unavailable("the collector is not running")
            # One submission always fits an empty queue, however large it is.
            if self._queue and self._waiting + item.size > self.limits.max_waiting:
                self.stats.busy += 1
                raise Busy(f"{self._waiting:,} records are waiting to be stored")
            self._queue.append(item)
            self._waiting += item.size
            self._change.notify()
        return done

    def start(self) -> None:
        """Begin writing in a thread of its own. Starting twice changes nothing."""
        with self._change:
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(
                    target=self._run, name="tokenbooks-collector", daemon=True
                )
                self._thread.start()

    def close(self, timeout: float = 30.0) -> None:
        """Take no more, store what is waiting, and stop. Call it before the store is closed."""
        with self._change:
            self._closing = True
            thread = self._thread
            self._change.notify_all()
        if thread is not None:
            thread.join(timeout)
        with self._change:
            self._thread = None
            left, self._waiting = list(self._queue), 0
            self._queue.clear()
        for item in left:
            if item.done.set_running_or_notify_cancel():
                item.done.set_exception(Unavailable("the collector was stopped"))

    # --- the writer's side ----------------------------------------------------------------------

    def _run(self) -> None:
        while (group := self._take()) is not None:
            if group:
                began = time.monotonic()
                self._settle(group)
                self._took = time.monotonic() - began if len(group) > 1 else 0.0
                self._behind = True
            if self._behind and (
                not group or time.monotonic() - self._caught_up > self.limits.rollup_s
            ):
                self._catch_up()
        if self._behind:
            self._catch_up()

    def _catch_up(self) -> None:
        """Bring the rollup up to date. It is no sender's business if that fails: questions go to
        the calls themselves until it succeeds."""
        self._behind = False
        try:
            with self._writing() as store, store.transaction() as con:
                rollup.catch_up(con)
        except Exception:
            log.warning("the hourly rollup was not brought up to date", exc_info=True)
        self._caught_up = time.monotonic()

    def _take(self) -> list[_Submission] | None:
        """The next group; blocks until there is one. Empty after a quiet moment with something
        left to do; None when closing and all is stored."""
        with self._change:
            while not self._queue:
                if self._closing:
                    return None
                if not self._change.wait(_QUIET_S if self._behind else None):
                    return []
            linger = max(self.limits.linger_s, min(self._took, self.limits.max_linger_s))
            deadline = time.monotonic() + linger
            while not self._closing and self._waiting < self.limits.max_group:
                left = deadline - time.monotonic()
                if left <= 0 or not self._change.wait(left):
                    break
            group: list[_Submission] = []
            size = 0
            while self._queue:
                if group and size + self._queue[0].size > self.limits.max_group:
                    break
                item = self._queue.popleft()
                self._waiting -= item.size
                if item.done.set_running_or_notify_cancel():
                    group.append(item)
                    size += item.size
            return group

    def _settle(self, group: list[_Submission]) -> None:
        """Store a group; if it cannot be stored as a whole, each submission for itself, so that
        one sender's impossible record does not cost the others theirs."""
        if not group:
            return
        try:
            self._store(group)
        except Exception as error:
            failure = _failure(error)
            if isinstance(failure, Refused) and len(group) > 1:
                for item in group:
                    self._settle([item])
                return
            if not isinstance(failure, Refused):
                log.exception("a group of %d submissions was not stored", len(group))
            self.stats.refused += len(group)
            for item in group:
                item.done.set_exception(failure)
            return
        for item in group:
            self.stats.records += len(item.records)
            self.stats.rejected += len(item.rejects)
            item.done.set_result(None)
        self.stats.groups += 1

    def _store(self, group: list[_Submission]) -> None:
        rows = [load.stage_row(record) for item in group for record in item.records]
        for attempt in range(_RETRIES):
            with self._writing() as store:
                try:
                    with store.transaction() as con:
                        self._merge(con, rows, group)
                    return
                except Exception as error:
                    # Another writer of this process touched the same rows: theirs stands, again.
                    if type(error).__name__ != "TransactionException" or attempt == _RETRIES - 1:
                        raise

    def _merge(
        self, con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], group: list[_Submission]
    ) -> None:
        import_id = _ledger_row(con)
        merged = load.Merged(0, 0, 0, None, None)
        if rows:
            load.create_stage(con)
            filled = load.stage(con, rows)
            merged = load.merge(
                con, self.catalogue, import_id, window=WINDOW, small=True, filled=filled
            )
        rejected = _note_rejects(con, import_id, group)
        con.execute(
            "UPDATE imports SET records = records + ?, added = added + ?, replaced = replaced + ?,"
            " duplicates = duplicates + ?, rejected = rejected + ?, imported_at = ?,"
            " first_at = least(first_at, ?), last_at = greatest(last_at, ?) WHERE import_id = ?",
            [len(rows), merged.added, merged.replaced, merged.duplicates, rejected, _now(),
             merged.first_at, merged.last_at, import_id],
        )  # fmt: skip


def _ledger_row(con: duckdb.DuckDBPyConnection) -> int:
    """The collector's ledger row of today (UTC), made when it is the first of the day."""
    name = f"collector:{_now():%Y-%m-%d}"
    known = con.execute(
        "SELECT import_id FROM imports WHERE sha256 = ? AND format = 'collector'", [name]
    ).fetchall()
    if known:
        return known[0][0]
    import_id = con.execute("SELECT coalesce(max(import_id), 0) + 1 FROM imports").fetchall()[0][0]
    con.execute(
        "INSERT INTO imports (import_id, path, sha256, stamp, format, size, imported_at, records,"
        " added, replaced, duplicates, rejected, reported)"
        " VALUES (?, ?, ?, '', 'collector', 0, ?, 0, 0, 0, 0, 0, 0)",
        [import_id, name, name, _now()],
    )
    return import_id


def _note_rejects(con: duckdb.DuckDBPyConnection, import_id: int, group: list[_Submission]) -> int:
    """Count rejects, and keep each distinct reason once a day: a sender that repeats a broken
    record all day fills no table."""
    found = {(item.source, r.reason) for item in group for r in item.rejects}
    if found:
        known = con.execute(
            "SELECT path, reason FROM rejects WHERE import_id = ?", [import_id]
        ).fetchall()
        fresh = sorted(found - set(known))[: max(0, _REASONS_A_DAY - len(known))]
        if fresh:
            con.executemany(
                "INSERT INTO rejects VALUES (?, ?, NULL, ?, NULL)",
                [(import_id, source, reason) for source, reason in fresh],
            )
    return sum(len(item.rejects) for item in group)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


_DATA_ERRORS = {
    "ArrowInvalid", "ArrowTypeError", "ArrowException", "OverflowError", "UnicodeError",
    "OutOfRangeException", "ConversionException", "ConstraintException", "InvalidInputException",
}  # fmt: skip


def _failure(error: Exception) -> CollectorError:
    """An error of the store in the sender's terms."""
    if isinstance(error, CollectorError):
        return error
    names = {kind.__name__ for kind in type(error).__mro__}
    first = (str(error).splitlines() or [""])[0][:200]
    if names & _DATA_ERRORS:
        return Refused(f"the store cannot hold a record of it: {first}")
    return Unavailable(f"nothing of it was stored: {type(error).__name__}: {first}")
