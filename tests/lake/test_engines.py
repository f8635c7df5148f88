"""The core questions on a lake: the same numbers as the store's, on every engine.

The traffic stands on both sides of every edge that a price can have: prompt sizes n and n+1, the
instant a price changes and the one before, hours of the week; on more than ten rate cards, with
calls that nothing prices. Spark Connect is Sail here (no JVM), and Spark itself in the slow tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from budgets.spend.model import read_budgets
from dashboards.queries import compare as comparing
from dashboards.queries.budgets import budget_statuses, dimensions_of
from dashboards.queries.scope import Scope, ScopeError
from dashboards.queries.spend import reasons, spend
from ingest.lake import export_store, ingest_to_lake
from ingest.record import UsageRecord
from ingest.store.asof import vectors_as_known
from ingest.store.database import Store
from ingest.store.schema import routed_from
from pricing.catalogue import Catalogue
from pricing.currency import Exchange
from pricing.sql import status_name
from tests.books import chat, lines, memory_store, put, small_catalogue
from tests.lake.conftest import need

need("ibis")
from dashboards.lake import EngineError, cell_book, open_lake  # noqa: E402
from dashboards.lake.prices import priced_calls  # noqa: E402

SIZES = (199_999, 200_000, 200_001, 999_999, 1_000_000)
EDGES = (
    datetime(2026, 2, 1), datetime(2026, 2, 10), datetime(2026, 3, 1, 6),  # prices, a discount
    datetime(2026, 2, 2, 1), datetime(2026, 2, 3, 4), datetime(2026, 2, 7, 22, 30),  # hours
    datetime(2026, 3, 29, 1),  # summer time begins in Europe
)  # fmt: skip
NAMES = (
    ("acme", "plain", None, None), ("acme", "plain-latest", "default", None),
    ("acme", "tiered", None, None), ("acme", "tiered", "batch", None),
    ("acme", "tiered", "slow", None), ("acme", "tiered", "priority", None),
    ("acme", "tiered", None, "eu"), ("acme", "no-output", None, None),
    ("acme", "hourly", None, None), ("acme", "guessed", None, None),
    ("acme", "with-fee", None, None), ("gate", "acme/tiered", None, None),
    ("gate", "plain", None, None), ("acme", "nobody-knows-this", None, None),
    ("acme", None, None, None),
)  # fmt: skip


def traffic() -> Iterator[UsageRecord]:
    """Calls on both sides of every edge, on every name."""
    moments = [edge + by for edge in EDGES for by in (-timedelta(microseconds=1), timedelta())]
    for n, (name, moment) in enumerate(product(NAMES, moments)):
        seller, model, tier, region = name
        size, cached = SIZES[n % len(SIZES)], n * 7 % 1000
        yield UsageRecord(
            call_key=f"call-{n}", occurred_at=moment, provider="acme", model=model,
            source_format="mock" if n % 29 == 0 else "test", tier=tier, region=region,
            seller=seller if seller != "acme" else None,
            counts={
                "input_uncached": size - cached, "cache_read": cached or None,
                "output_text": n * 13 % 5000, "reasoning": n % 3 * 100 or None,
                "web_search": 2 if n % 11 == 0 else None,
            },
            requests=1 + (n % 17 == 0),
            source_cost_usd=Decimal(n).scaleb(-9) if n % 5 == 0 else None,
            finality="final", failed=n % 19 == 0, time_assumed=n % 23 == 0,
            effort="high" if n % 4 == 0 else None, session=f"s{n % 6}",
            dimensions={"team": ("search", "mail", None)[n % 3], "customer": f"c{n % 4}"},
            tags={"cost centre": str(n % 2)} if n % 7 else {},
        )  # fmt: skip
    yield UsageRecord(  # no count at all: nothing to price, and not free
        call_key="empty", occurred_at=EDGES[0], source_format="test", provider="acme",
        model="plain", tier=None, region=None, seller=None, counts={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalogue, Store, Path]:
    """A catalogue (list prices, a negotiated discount from 10 February), a store of the traffic,
    and its lake."""
    catalogue = small_catalogue(factor="0.87", fallbacks=True)
    store = memory_store(catalogue)
    put(store, catalogue, traffic())
    lake = tmp_path_factory.mktemp("lake")
    export_store(store, lake)
    return catalogue, store, lake


QUESTIONS: list[tuple[tuple[str, ...], Scope]] = [
    ((), Scope()),
    (("variant", "tier", "seller", "region", "status"), Scope()),
    (("day", "team"), Scope(zone="Europe/Berlin")),
    (("hour", "model"), Scope(zone="Asia/Kolkata")),
    (("week", "format", "failed", "customer"), Scope(zone="America/New_York")),
    (("month", "provider", "effort", "session"), Scope()),
    (("quarter", "year", "weekday", "hour_of_day", "tags.cost centre"), Scope()),
    (("variant",), Scope(EDGES[0], EDGES[2] - timedelta(microseconds=1))),
    (("team",), Scope(where={"team": ["mail", ""], "tags.cost centre": ["1"]})),
    (("format",), Scope(where={"format": ["mock", "test"]})),
    (("day",), Scope(where={"variant": ["tiered"], "status": ["assumed", "unpriced"]})),
]


@pytest.mark.parametrize(("by", "scope"), QUESTIONS)
def test_a_report_says_what_the_store_says(
    books: tuple[Catalogue, Store, Path], engine: str, by: tuple[str, ...], scope: Scope
) -> None:
    catalogue, store, lake = books
    expected = spend(store.con, by, scope)
    assert expected.total.calls > 5
    with cell_book(open_lake(lake, engine), catalogue, by, scope) as book:
        assert spend(book.store.con, by, scope) == expected
        assert reasons(book.store.con, scope) == reasons(store.con, scope)


def test_the_traffic_is_worth_asking(books: tuple[Catalogue, Store, Path]) -> None:
    _, store, _ = books
    cards = store.con.execute("SELECT count(*) FROM card_keys").fetchall()[0][0]
    statuses = {r.keys[0] for r in spend(store.con, ["status"]).rows}
    assert cards >= 10
    assert statuses == {"exact", "assumed", "unpriced"}


@pytest.mark.parametrize(
    ("at", "known_at"), [(datetime(2026, 4, 1), None), (None, datetime(2026, 1, 1))]
)
def test_prices_of_another_day(
    books: tuple[Catalogue, Store, Path],
    engine: str,
    at: datetime | None,
    known_at: datetime | None,
) -> None:
    catalogue, store, lake = books

    def ask(asked: Store) -> Any:
        vectors = vectors_as_known(asked, catalogue, known_at) if known_at else "rate_vectors"
        moment = f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'" if at else ""
        return spend(asked.con, ["variant", "tier"], vectors=vectors, at=moment)

    names = ["variant", "tier"]
    with cell_book(open_lake(lake, engine), catalogue, names, Scope(), known_at=known_at) as book:
        assert ask(book.store) == ask(store)


TARGETS = [
    "acme:plain", "acme:tiered", "acme:tiered@batch", "acme:tiered@flex", "acme:tiered@priority",
    "acme:no-output", "acme:hourly", "acme:guessed", "acme:with-fee", "gate:acme/tiered",
    "gate:plain", "acme:nobody",
]  # fmt: skip


@pytest.mark.parametrize("at", [None, datetime(2026, 2, 20)])
def test_a_comparison_says_what_the_store_says(
    books: tuple[Catalogue, Store, Path], engine: str, at: datetime | None
) -> None:
    catalogue, store, lake = books
    now, scope = datetime(2026, 4, 1), Scope(until=EDGES[-1])
    expected = comparing.compare(store.con, catalogue, TARGETS, scope, at=at, now=now)
    assert expected.unpriced_calls
    assert sum(row.cost_pico is not None for row in expected.rows) >= 10
    targets = [comparing.parse_target(t, catalogue) for t in TARGETS]
    with cell_book(open_lake(lake, engine), catalogue, (), scope, targets=targets) as book:
        assert (
            comparing.compare(book.store.con, catalogue, TARGETS, scope, at=at, now=now) == expected
        )


def test_calls_too_long_for_a_target_are_counted_alike(engine: str, tmp_path: Path) -> None:
    card = 'schema = 1\nseller = "wide"\nrecorded = 2026-01-01\n' + "".join(
        f'[[variant]]\nid = "{name}"\n{limits}[[variant.price]]\nfrom = 2026-01-01\n'
        'source = "https://x.example"\ninput = "1"\noutput = "2"\n'
        for name, limits in (
            ("any", ""), ("small", "context = 1000\nmax_output = 100\n"),
            ("tiny", "context = 999\nmax_output = 99\n"),
        )
    )  # fmt: skip
    catalogue = small_catalogue(cards=(card,))
    store = memory_store(catalogue)
    one = next(traffic())
    put(store, catalogue, [
        replace(
            one, call_key=f"k{n}", provider="wide", model="any", requests=requests,
            counts={"input_uncached": size - answer, "output_text": answer},
        )
        for n, (size, answer, requests) in enumerate(
            [(999, 99, 1), (1000, 100, 1), (1001, 101, 1), (5000, 1000, 2)]
        )
    ])  # fmt: skip
    export_store(store, tmp_path)
    targets = ["wide:small", "wide:tiny"]
    parsed = [comparing.parse_target(t, catalogue) for t in targets]
    expected = comparing.compare(store.con, catalogue, targets)
    assert [r.notes for r in expected.rows] == [
        ("1 of the calls: too long for its context of 1,000 tokens",
         "1 of the answers: longer than its maximum of 100"),
        ("2 of the calls: too long for its context of 999 tokens",
         "2 of the answers: longer than its maximum of 99"),
    ]  # fmt: skip
    with cell_book(open_lake(tmp_path, engine), catalogue, (), Scope(), targets=parsed) as book:
        assert comparing.compare(book.store.con, catalogue, targets) == expected


def test_budgets_stand_as_in_the_store(engine: str, tmp_path: Path) -> None:
    catalogue = small_catalogue(factor="0.87")
    store = memory_store(catalogue)
    one = next(r for r in traffic() if r.model == "plain" and r.counts["output_text"])
    first = datetime(2026, 2, 20, 22, 30)
    put(store, catalogue, [
        replace(one, call_key=f"b{n}", occurred_at=first + n * timedelta(hours=9),
                dimensions={"team": ("search", "mail")[n % 2], "customer": f"c{n % 3}"})
        for n in range(70)
    ])  # fmt: skip
    export_store(store, tmp_path)
    budgets = read_budgets([
        {"name": "all", "amount": "100 USD", "period": "quarter"},
        {"name": "search", "amount": "5 USD", "scope": {"team": "search"}},
        {"name": "c1", "amount": "2_000_000 tokens", "scope": {"customer": ["c1", "c2"]}},
    ])  # fmt: skip
    zone = "Europe/Berlin"
    asked: dict[str, Any] = {"zone": zone, "as_of": date(2026, 3, 12)}
    expected = budget_statuses(store.con, catalogue, budgets, Exchange(), **asked)
    assert all(status.spent for status in expected.statuses)
    assert all(status.ends for status in expected.statuses)
    names = dimensions_of(budgets, zone)
    with cell_book(open_lake(tmp_path, engine), catalogue, names, Scope(zone=zone)) as book:
        found = budget_statuses(book.store.con, catalogue, budgets, Exchange(), **asked)
    assert repr(found) == repr(expected)


def test_a_call_that_many_saw_is_one_and_knows_what_any_of_them_knew(
    engine: str, tmp_path: Path
) -> None:
    """Duplicates and late arrivals across batches, dates and stores: as one store folds them."""
    catalogue = small_catalogue()
    lake, everything = tmp_path / "lake", memory_store(catalogue)
    one = replace(next(traffic()), requests=1, failed=False, time_assumed=False, session=None)
    late = one.occurred_at + timedelta(days=3)
    sightings = [
        replace(one, finality="partial", dimensions={"team": "search"}, tags={"a": "1"}),
        replace(one, occurred_at=late, time_assumed=True, source_cost_usd=None, effort="low"),
        replace(one, counts={**one.counts, "output_text": 7}, tags={"a": "2", "b": "3"},
                dimensions={"customer": "c9"}, source_cost_usd=None),
        replace(one, call_key="other", model=None),
        replace(one, call_key="other", counts={"input_uncached": one.input_total}, tier="flex"),
        replace(one, call_key="alone"),
    ]  # fmt: skip
    for n, record in enumerate(sightings):
        each = memory_store(catalogue)
        each.con.execute(
            "INSERT INTO imports BY NAME SELECT ? AS import_id, '' AS path, '' AS sha256,"
            " '' AS stamp, '' AS format, 0 AS size, now()::TIMESTAMP AS imported_at, 0 AS records,"
            " 0 AS added, 0 AS replaced, 0 AS duplicates, 0 AS rejected, 0 AS reported",
            [n],
        )
        put(each, catalogue, [record])
        export_store(each, lake)
        export_store(each, lake)  # a replay
        put(everything, catalogue, [record])
    by = ("day", "model", "tier", "team", "customer", "effort", "tags.a", "tags.b", "status")
    expected = spend(everything.con, by)
    assert expected.total.calls == 3
    with cell_book(open_lake(lake, engine), catalogue, by, Scope()) as book:
        assert spend(book.store.con, by) == expected


def test_sums_do_not_wrap(engine: str, tmp_path: Path) -> None:
    """A billion calls in one cell cost more pico-dollars than 64 bits hold."""
    catalogue = small_catalogue()
    store = memory_store(catalogue)
    one = next(r for r in traffic() if r.model == "plain")
    big = 9_000_000_000
    put(store, catalogue, [
        replace(one, call_key=f"b{n}", counts={"input_uncached": big},
                requests=10**8, failed=False)
        for n in range(2000)
    ])  # fmt: skip
    export_store(store, tmp_path)
    with cell_book(open_lake(tmp_path, engine), catalogue, (), Scope()) as book:
        total = spend(book.store.con).total
    assert total.calls == 2000 * 10**8
    assert total.cost_pico == 2000 * big * 1_750_000 > 2**64


def test_simulated_calls_are_apart_from_real_ones_of_another_time(
    engine: str, tmp_path: Path
) -> None:
    catalogue = small_catalogue()
    one = next(r for r in traffic() if r.model == "plain" and r.source_format == "test")
    tried = replace(one, call_key="t", source_format="mock")
    later = one.occurred_at + timedelta(days=1) if one.occurred_at else None
    scope = Scope(until=later)
    for n, (record, calls) in enumerate(
        [(tried, 1), (replace(one, call_key="r", occurred_at=later), 0)]
    ):
        store = memory_store(catalogue)
        put(store, catalogue, [tried, record])
        export_store(store, tmp_path / str(n))
        assert spend(store.con, (), scope).total.calls == calls
        with cell_book(open_lake(tmp_path / str(n), engine), catalogue, (), scope) as book:
            assert spend(book.store.con, (), scope).total.calls == calls


def test_a_store_and_logs_are_asked_together(engine: str, tmp_path: Path) -> None:
    """Their files have columns of the same types: Spark unites no INT with a BIGINT."""
    catalogue = small_catalogue()
    store = memory_store(catalogue)
    one = next(r for r in traffic() if r.model == "plain" and r.source_format == "test")
    put(store, catalogue, [one])
    export_store(store, tmp_path / "lake")
    log = tmp_path / "a.jsonl"
    log.write_text(lines([chat(1, model="plain", prompt=1000)]))
    ingest_to_lake(tmp_path / "lake", [log])
    with cell_book(open_lake(tmp_path / "lake", engine), catalogue, (), Scope()) as book:
        assert spend(book.store.con).total.calls == one.requests + 1


def test_logs_need_no_store(engine: str, tmp_path: Path) -> None:
    catalogue = small_catalogue()
    log = tmp_path / "a.jsonl"
    log.write_text(lines(chat(n, model="plain", prompt=1000) for n in (1, 2, 2)))
    ingest_to_lake(tmp_path / "lake", [log])
    with cell_book(open_lake(tmp_path / "lake", engine), catalogue, ["team"], Scope()) as book:
        assert spend(book.store.con, ["team"]).total.calls == 2


def test_files_from_before_a_meter_was_known_are_read_beside_newer_ones(
    engine: str, tmp_path: Path
) -> None:
    catalogue = small_catalogue()
    for day in (1, 2):
        log = tmp_path / f"{day}.jsonl"
        log.write_text(lines([chat(day, model="plain", prompt=1000)]))
        ingest_to_lake(tmp_path / "lake", [log])
    older = next((tmp_path / "lake" / "usage").rglob("*.parquet"))
    rows = pq.read_table(older, partitioning=None)
    pq.write_table(rows.drop_columns(["pages", "citation"]), older)
    with cell_book(open_lake(tmp_path / "lake", engine), catalogue, ["team"], Scope()) as book:
        assert spend(book.store.con, ["team"]).total.calls == 2
    for file in (tmp_path / "lake" / "usage").rglob("*.parquet"):
        rows = pq.read_table(file, partitioning=None)
        pq.write_table(
            rows.drop_columns([n for n in ("pages", "citation") if n in rows.column_names]), file
        )
    with cell_book(open_lake(tmp_path / "lake", engine), catalogue, ["team"], Scope()) as book:
        assert spend(book.store.con, ["team"]).total.calls == 2


def test_errors_say_what_to_do(books: tuple[Catalogue, Store, Path], tmp_path: Path) -> None:
    catalogue, _, lake = books
    with pytest.raises(EngineError, match="export lake"):
        open_lake(tmp_path)
    with pytest.raises(EngineError, match="duckdb or sc://"):
        open_lake(lake, "trino")
    with pytest.raises(EngineError, match="nothing answers at sc"):
        open_lake(lake, "sc://127.0.0.1:1")
    with (
        pytest.raises(ScopeError, match="unknown dimension 'quarter_hour'"),
        cell_book(open_lake(lake), catalogue, ["quarter_hour"], Scope()),
    ):
        pass


@pytest.mark.parametrize(
    "question",
    [
        ("report", "--by", "team,month", "--tz", "Europe/Berlin"),
        ("report", "--by", "variant,status", "--where", "team=search", "--prices", "2026-03-10"),
        ("compare", "--variants", "gpt-5-mini,gpt-5.2@batch,claude-opus-4-5"),
        ("compare",),
        ("budget", "--as-of", "2026-03-20"),
    ],
)
def test_a_command_prints_the_same_of_a_lake(
    tokenbooks: Any, demo_db: Path, workdir: Path, question: tuple[str, ...]
) -> None:
    (workdir / "tokenbooks.toml").write_text(
        '[discounts]\nopenai = "0.85"\n[[budgets]]\nname = "all"\namount = "500 USD"\n'
    )
    db = workdir / "books.duckdb"
    db.write_bytes(demo_db.read_bytes())
    assert tokenbooks("export", "lake", "lake", "--db", db)[0] == 0
    for form in ((), ("--json",)):
        expected = tokenbooks(*question, "--db", db, *form)
        assert expected[1]
        assert tokenbooks(*question, "--lake", "lake", *form) == expected


SCOPES = [
    Scope(),
    Scope(EDGES[0], EDGES[2]),
    Scope(where={"team": ["mail", ""], "tags.cost centre": ["1"]}),
    Scope(where={"variant": ["tiered"], "status": ["assumed", "unpriced"]}),
    Scope(where={"hour_of_day": ["5", "11"], "format": ["mock", "test"]}, zone="Asia/Kolkata"),
]


@pytest.mark.parametrize("scope", SCOPES)
def test_each_call_costs_what_it_costs_in_the_store(
    books: tuple[Catalogue, Store, Path], engine: str, scope: Scope
) -> None:
    catalogue, store, lake = books
    where, values = scope.clause()
    expected = store.con.execute(
        "SELECT u.call_key, u.occurred_at, r.seller, coalesce(r.variant, ''),"
        f" coalesce(r.tier, ''), {status_name('u.severity')}, u.cost_pico"
        f" FROM {routed_from()} WHERE {where} ORDER BY u.occurred_at, u.call_key",
        values,
    ).fetchall()
    with priced_calls(open_lake(lake, engine), catalogue, scope) as priced:
        assert priced is not None
        rows = [tuple(r.values()) for batch in priced.batches() for r in batch.to_pylist()]
        first = priced.first(3).to_pylist()
        assert priced.total == spend(store.con, (), scope).total
    found = [(*r[:-1], None if r[-1] is None else int(r[-1])) for r in rows]
    assert len(found) > 5
    assert found == expected
    assert [r["call_key"] for r in first] == [r[0] for r in expected[:3]]


def test_calls_are_priced_as_known_on_another_day(
    books: tuple[Catalogue, Store, Path], engine: str
) -> None:
    catalogue, store, lake = books
    known = datetime(2026, 1, 1)
    vectors = vectors_as_known(store, catalogue, known)
    total = spend(store.con, vectors=vectors).total
    with priced_calls(open_lake(lake, engine), catalogue, Scope(), known_at=known) as priced:
        assert priced is not None
        costs = [r["cost_pico"] for batch in priced.batches() for r in batch.to_pylist()]
        assert priced.total == total
    assert total == spend(store.con).total  # nothing changed since, and guesses were guesses
    assert sum(int(c) for c in costs if c is not None) == total.cost_pico


def test_no_call_in_scope_is_nothing_priced(
    books: tuple[Catalogue, Store, Path], engine: str
) -> None:
    catalogue, _, lake = books
    nobody = Scope(where={"team": ["nobody"]})
    with priced_calls(open_lake(lake, engine), catalogue, nobody) as priced:
        assert priced is None
