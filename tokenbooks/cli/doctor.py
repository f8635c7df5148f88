"""`tokenbooks doctor`: is everything in order? Environment, store, prices, what is not priced.

Each check says fine, a remark, or a *finding* (something to do, named with the command that does
it); findings make the exit code 1, so a scheduled `tokenbooks doctor` is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tokenbooks.cli.common import Db, Json, database, settings
from tokenbooks.cli.output import FINDING, calls, print_json, say, table

if TYPE_CHECKING:
    import duckdb

    from pricing.catalogue import Catalogue
    from tokenbooks.settings import Settings

STALE_DAYS = 60
"""Days after which nobody having looked at any price is a finding."""
UNPRICED_SHARE = 0.01
"""Share of calls without a price from which it is a finding."""


@dataclass(frozen=True, slots=True)
class Check:
    """One checked thing; `state` is fine, remark or finding."""

    area: str
    state: str
    text: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(db: Db = None, json_: Json = False) -> None:
    """Check the installation, the store and the prices; exit 1 when there is something to do."""
    chosen = settings(db)
    path = database(db, chosen)
    checks = [
        *environment(chosen, db),
        *vocabularies(),
        *catalogue_age(chosen),
        *store(path, chosen),
    ]
    findings = [c for c in checks if c.state == "finding"]
    if json_:
        print_json({"checks": [asdict(c) for c in checks], "findings": len(findings)})
    else:
        table(
            [("", "left"), ("Area", "left"), ("", "left")],
            [({"fine": "ok", "remark": "-"}.get(c.state, "!!"), c.area, c.text) for c in checks],
        )
        say(f"{len(findings)} findings" if len(findings) != 1 else "1 finding")
    if findings:
        raise typer.Exit(FINDING)


def environment(chosen: Settings, db: Path | None = None) -> Iterator[Check]:
    """Program, interpreter, libraries, settings file and variables."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from tokenbooks.cli import program_version
    from tokenbooks.settings import find_file, settings_environment

    yield Check(
        "program",
        "fine",
        f"tokenbooks {program_version()}, Python {platform.python_version()}, {platform.system()}",
    )
    held: list[str] = []
    absent: list[str] = []
    for name in ("duckdb", "pandas", "streamlit", "tiktoken", "genai-prices"):
        try:
            held.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    yield Check("libraries", "fine", ", ".join(held))
    if absent:
        yield Check("libraries", "finding", f"not installed: {', '.join(absent)}")
    extras: list[str] = []
    for extra, name in _EXTRAS.items():
        try:
            version(name)
            extras.append(extra)
        except PackageNotFoundError:
            continue
    yield Check("extras", "fine", ", ".join(extras) or "none installed")
    found = find_file(db=db)
    names = ", ".join(f"{k}={v}" for k, v in settings_environment().items())
    yield Check("settings", "fine", f"{found or 'no settings file'}{f'; {names}' if names else ''}")
    absent_cards = [str(card) for card in chosen.cards if not Path(card).is_file()]
    if absent_cards:
        yield Check("settings", "finding", f"card files do not exist: {', '.join(absent_cards)}")


def vocabularies() -> Iterator[Check]:
    """Whether every vocabulary is in place and is what it should be; restores a missing one."""
    from pricing.counting.encode import backend
    from pricing.counting.result import VocabularyError
    from pricing.counting.vocab import VOCABULARIES, vocabulary_path

    for name in VOCABULARIES:
        try:
            vocabulary_path(name)
        except VocabularyError as error:
            yield Check("vocabulary", "finding", f"{name}: {error}")
        else:
            yield Check("vocabulary", "fine", f"{name}, hash as expected, counted by {backend()}")


def catalogue_age(chosen: Settings) -> Iterator[Check]:
    """How many rates there are, and when a person last looked at any of them."""
    from pricing.cards import CardError

    try:
        book = chosen.catalogue()
    except CardError as error:
        yield Check("prices", "finding", str(error))
        return
    rates = list(book.all_rates())
    dates = [r.checked for r in rates if r.checked is not None]
    newest = max(dates, default=None)
    today = datetime.now(UTC).date()
    size = f"{len(rates):,} rates of {len(book.sellers())} sellers"
    if newest is None:
        yield Check("prices", "finding", f"{size}; none says when it was checked")
        return
    age = (today - newest).days
    text = f"{size}, last checked {newest} ({age} days ago)"
    if age > STALE_DAYS:
        yield Check("prices", "finding", f"{text}: upgrade tokenbooks, or add a newer card")
    else:
        yield Check("prices", "fine", text)


def store(path: Path, chosen: Settings) -> Iterator[Check]:
    """The file, its disk, what waits beside it, its contents, and what has no price."""
    from ingest.store.database import StoreError, open_reader, unreadable_table
    from pricing.cards import CardError

    if not path.exists():
        yield Check("store", "remark", f"{path} does not exist yet: import something first")
        return
    yield from _beside(path)
    try:
        opened = open_reader(path)
    except StoreError as error:
        yield Check("store", "finding", str(error))
        return
    try:
        if opened.snapshot is not None:
            yield Check("store", "remark", f"in use; this is the snapshot {opened.snapshot.name}")
        if damaged := unreadable_table(opened.con):
            yield Check("store", "finding", damaged)
            return
        try:
            book = chosen.catalogue()
        except CardError:
            book = None
        yield from _contents(opened.con, book)
    finally:
        opened.close()


def _beside(path: Path) -> Iterator[Check]:
    import shutil

    from ingest.store.database import beside

    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    text = f"{path}, {size / 2**20:,.1f} MiB, {free / 2**30:,.1f} GiB free on its disk"
    # A snapshot is a full copy, and two of them are kept.
    yield Check("disk", "finding" if free < 3 * size + 2**26 else "fine", text)
    inbox = beside(path, "inbox")
    waiting = sorted(inbox.glob("*.parquet")) if inbox.is_dir() else []
    if waiting:
        oldest = datetime.now().timestamp() - min(p.stat().st_mtime for p in waiting)
        stuck = oldest > 600
        text = f"{len(waiting)} batches wait to be absorbed, the oldest {oldest / 60:.0f} minutes"
        more = ": any `tokenbooks ingest` or the service absorbs them" if stuck else ""
        yield Check("inbox", "finding" if stuck else "remark", text + more)
    bad = [p for p in (inbox / "bad").glob("*") if p.suffix == ".parquet"]
    if bad:
        yield Check("inbox", "finding", f"{len(bad)} batches nobody could read in {inbox / 'bad'}")
    snapshots = list(beside(path, "snapshots").glob("snapshot-*.duckdb"))
    if snapshots:
        size = sum(p.stat().st_size for p in snapshots)
        yield Check("snapshots", "fine", f"{len(snapshots)}, {size / 2**20:,.1f} MiB")


_EXTRAS = {
    "fast": "splintr-rs", "png": "vl-convert-python", "login": "authlib",
    "spark": "ibis-framework", "sail": "pysail",
}  # fmt: skip
"""The extras a user may want, and the distribution that tells each is there."""
_BROKEN = (
    ("calls without a route", "SELECT count(*) FROM calls_stored WHERE route_id NOT IN"
     " (SELECT route_id FROM routes)"),
    ("calls stored twice", "SELECT count(*) - count(DISTINCT call_key) FROM calls_stored"),
    ("negative counts", "SELECT count(*) FROM calls_stored WHERE input_total < 0"
     " OR output_total < 0 OR requests < 0"),
    ("rates that overlap", "SELECT count(*) FROM rate_vectors AS a JOIN rate_vectors AS b"
     " ON a.card_id = b.card_id AND a.vector_id < b.vector_id AND a.valid_from < b.valid_to"
     " AND b.valid_from < a.valid_to AND a.min_input < b.max_input AND b.min_input < a.max_input"
     " AND a.weekdays & b.weekdays <> 0 AND a.minute_from < b.minute_to"
     " AND b.minute_from < a.minute_to"),
)  # fmt: skip


def _contents(con: duckdb.DuckDBPyConnection, book: Catalogue | None) -> Iterator[Check]:
    from ingest.store import resolve

    def one(query: str) -> tuple[Any, ...]:
        return con.execute(query).fetchall()[0]

    total, first, last = one("SELECT count(*), min(occurred_at), max(occurred_at) FROM usage")
    imports, rejected = one("SELECT count(*), coalesce(sum(rejected), 0)::BIGINT FROM imports")
    span = f" from {first:%Y-%m-%d} to {last:%Y-%m-%d}" if total else ""
    yield Check("store", "fine", f"{calls(total)}{span} in {imports:,} imports")
    broken = [(count, what) for what, query in _BROKEN if (count := one(query)[0])]
    # Judged by the prices, so only where these are whole.
    if not broken and (stale := resolve.mismatches(con)):
        broken.append((stale, "calls whose kept cost is not what their prices say"))
    for count, what in broken:
        yield Check("store", "finding", f"{count:,} {what}: restore a backup or import anew")
    held = con.execute("SELECT value FROM meta WHERE key = 'catalogue_version'").fetchall()
    if book is not None and held and held[0][0] != book.version:
        text = "priced by an older table: any `tokenbooks report` brings it up to date"
        yield Check("store", "remark", text)
    if rejected:
        text = f"{rejected:,} lines rejected; `tokenbooks sql 'SELECT * FROM rejects'` says why"
        yield Check("rejects", "remark", text)
    unpriced = con.execute(
        "SELECT provider, coalesce(model, '(no model)'), status_reason, sum(requests)::BIGINT"
        " FROM calls WHERE status = 'unpriced' GROUP BY ALL ORDER BY 4 DESC, 1, 2"
    ).fetchall()
    missing = sum(row[3] for row in unpriced)
    share = missing / total if total else 0
    for provider, model, reason, count in unpriced[:10]:
        yield Check("unpriced", "remark", f"{calls(count)} of {provider} {model}: {reason}")
    if share >= UNPRICED_SHARE:
        text = f"{share:.1%} of calls have no price: add a card (see `rates lint`) to the settings"
        yield Check("unpriced", "finding", text)
    elif not missing:
        yield Check("unpriced", "fine", "every call has a price" if total else "no calls")
