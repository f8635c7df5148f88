"""Where the pages' answers come from: one open store, one cursor a question, answers remembered.

The service installs the source once, and every page of every session asks it:

    source.install(Source(path, catalogue, owner_cursor, zone="Europe/Berlin"))
    answer = source.current().ask(spend, ["team"], Scope())     # spend(con, ["team"], Scope())

An answer is an aggregate of some hundred rows at most. It is remembered under the question and
the store's *generation*, which moves with every import, so it is never older than the store.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    import duckdb

    from pricing.catalogue import Catalogue

P = ParamSpec("P")
T = TypeVar("T")

_MAKERS = ("openai", "anthropic", "google", "x-ai", "deepseek", "mistral")

REMEMBERED = 256
"""Answers kept; the least recently used goes first."""


class Source:
    """The store as pages see it: read, never written.

    `open_cursor` gives a fresh connection for one question, which is closed after it;
    `generation` is any value that changes when the store's content may have changed.
    """

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue,
        open_cursor: Callable[[], duckdb.DuckDBPyConnection],
        *,
        generation: Callable[[], Hashable] = lambda: 0,
        zone: str = "UTC",
        settings: Any = None,
    ) -> None:
        self.path = path
        self.catalogue = catalogue
        self.zone = zone
        self.settings = settings
        self._open = open_cursor
        self._generation = generation
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._working: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    @property
    def generation(self) -> Hashable:
        """What changes whenever an answer may change."""
        return self._generation()

    @contextmanager
    def cursor(self) -> Generator[duckdb.DuckDBPyConnection]:
        """A connection of its own for one question: threads never share one."""
        con = self._open()
        try:
            yield con
        finally:
            con.close()

    def ask(
        self,
        query: Callable[Concatenate[duckdb.DuckDBPyConnection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`query(con, …)` on a cursor of its own, remembered until the store changes.

        Arguments must have a `repr` that tells them apart (texts, numbers, scopes).
        """

        def run() -> T:
            with self.cursor() as con:
                return query(con, *args, **kwargs)

        name = f"{query.__module__}.{query.__qualname__}"
        return self.remember((name, repr(args), repr(kwargs)), run)

    def ask_priced(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """As `ask`, for queries that take the catalogue after the connection."""

        def run() -> T:
            with self.cursor() as con:
                return query(con, self.catalogue, *args, **kwargs)

        name = f"{query.__module__}.{query.__qualname__}"
        return self.remember((name, repr(args), repr(kwargs)), run)

    def of_makers(self) -> list[str]:
        """The variants that have a price at their maker, by name."""
        return self.remember(
            "variants of makers",
            lambda: sorted({v for s in _MAKERS for v in self.catalogue.listed(s)}),
        )

    def remember(self, question: Hashable, work: Callable[[], T]) -> T:
        """The answer to `question`, worked out once for each generation of the store."""
        key = (self.generation, question)
        while True:
            with self._lock:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    return self._answers[key]
                waiting = self._working.get(key)
                if waiting is None:
                    done = self._working[key] = threading.Event()
                    break
            # Somebody is at it already: two who open a page at once share the work.
            waiting.wait()
        try:
            answer = work()
            with self._lock:
                self._answers[key] = answer
                while len(self._answers) > REMEMBERED:
                    self._answers.popitem(last=False)
            return answer
        finally:
            with self._lock:
                del self._working[key]
            done.set()


def reader(path: Path, catalogue: Catalogue, *, zone: str = "UTC", settings: Any = None) -> Source:
    """A source beside the owner: each question opens the file, or its newest snapshot, anew."""
    from ingest.store.database import newest_snapshot, open_reader

    def generation() -> Hashable:
        snapshot = newest_snapshot(path)
        return (path.stat().st_mtime_ns if path.exists() else 0, snapshot)

    return Source(
        path,
        catalogue,
        lambda: open_reader(path).con,
        generation=generation,
        zone=zone,
        settings=settings,
    )


_installed: list[Source] = []


def install(source: Source) -> None:
    """Make this the source of all pages in this process."""
    _installed[:] = [source]


def current() -> Source:
    """The source that was installed. Raises `RuntimeError` when there is none."""
    if not _installed:
        raise RuntimeError("the pages have no store: start them with `tokenbooks serve`")
    return _installed[0]
