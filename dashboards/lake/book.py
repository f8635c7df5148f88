"""A lake's cells as a book in memory, which the store's own queries answer from.

    with cell_book(lake, catalogue, ["team", "day"], Scope(zone="Europe/Berlin")) as book:
        spend(book.store.con, ["team"])

The book answers for the dimensions it was made with, and no others. Prices are this machine's
catalogue (cards, negotiated rates and all), as in a store; the rates written with the lake say
what was known when (`--known-at`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboards.lake.calls import PLAIN, ROUTE_KEYS, calls_once, scoped, tag_column, tags_of
from dashboards.lake.cells import Cut, cut, reach, roll_up
from dashboards.lake.engine import Lake
from dashboards.queries.cells import Edges, Extent, edges_of
from dashboards.queries.compare import Target
from dashboards.queries.scope import SIMULATED, Scope, dimension
from ingest.lake.folder import LakeFolder
from ingest.store import asof, book, resolve, rollup, schema
from ingest.store.database import Store, open_store
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED
from pricing.rates import RateVector

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CellBook:
    """A book in memory of a lake's cells, and where they came from: the calls with their cells on
    the engine (None: there are no calls), and the cells, whose positions are `cell` in the book."""

    store: Store
    calls: Cut | None
    cells: pa.Table | None
    meters: tuple[str, ...]


@contextmanager
def cell_book(
    lake: Lake,
    catalogue: Catalogue,
    names: Iterable[str],
    scope: Scope,
    *,
    targets: Sequence[Target] = (),
    known_at: datetime | None = None,
) -> Generator[CellBook]:
    """A book of the lake's calls in a scope, by the dimensions named (the scope's own included).

    `targets` are what the calls will be compared with; `known_at` (naive UTC) that they will be
    priced as known then. Raises `ScopeError` for an unknown dimension, `EngineError`.
    """
    wanted = {*names, *scope.where}
    for name in wanted:
        dimension(name, scope.zone)
    store = open_store(Path(":memory:"))
    try:
        _add_rates(store, lake)
        book.sync(store, catalogue)
        calls = scoped(calls_once(lake, tags_of(wanted)), scope)
        found = reach(lake, calls)
        if not any(row["real"] for row in found) and _simulated_elsewhere(lake, scope):
            found = []
        keys = [tuple(row[f"r_{k}"] or None for k in ROUTE_KEYS) for row in found]
        with store.transaction() as con:
            book.add_routes(con, catalogue, sorted(keys, key=lambda k: [x or "" for x in k]))
        rollup.make_cell_book(store.con, _COLUMNS)
        if not found:
            yield CellBook(store, None, None, ())
            return
        extent = _extent(found)
        edges = _edges(store, catalogue, extent, targets, known_at)
        told = _cut(catalogue, calls, wanted, scope.zone, extent, edges, targets)
        meters = tuple(m for m in COUNTED if extent.kinds & sql.meter_bit(m))
        cells = roll_up(lake, told, meters)
        _insert(store, wanted, cells)
        yield CellBook(store, told, cells, meters)
    finally:
        store.close()


def _simulated_elsewhere(lake: Lake, scope: Scope) -> bool:
    """Whether a scope leaves simulated calls out because the lake has real ones, outside it."""
    if scope.where.keys() & {"format", "tags.simulated"}:
        return False
    real = lake.usage.filter(lake.usage.source_format != SIMULATED).select("line").limit(1)
    return bool(lake.rows(real).num_rows)


_COLUMNS: tuple[tuple[str, str], ...] = (
    ("occurred_at", "TIMESTAMP"), ("route_id", "INTEGER"), *((m, "HUGEINT") for m in COUNTED),
    ("input_total", "BIGINT"), ("output_total", "HUGEINT"), ("input_tokens", "HUGEINT"),
    ("kinds", "BIGINT"), ("requests", "HUGEINT"), ("source_cost_usd", "DECIMAL(38,12)"),
    ("source_format", "VARCHAR"), ("failed", "BOOLEAN"), ("time_assumed", "BOOLEAN"),
    *((name, "VARCHAR") for name in PLAIN), ("tags", "MAP(VARCHAR, VARCHAR)"),
    ("longest", "BIGINT"), ("longest_output", "BIGINT"), ("vector_id", "INTEGER"),
    ("cost_pico", "HUGEINT"), ("saved_pico", "HUGEINT"), ("severity", "UTINYINT"),
    ("cell", "BIGINT"),
)  # fmt: skip
"""A cell: `input_total` is its smallest prompt (any of its prompts finds the same price), the
tokens are in `input_tokens`. Sums are HUGEINT: a cell of a billion calls costs more than 64 bits
of pico-dollars."""


def _extent(found: Sequence[dict[str, Any]]) -> Extent:
    kinds = sum(sql.meter_bit(m) for m in COUNTED if any(row[f"has_{m}"] for row in found))
    return Extent(
        min(row["first"] for row in found), max(row["last"] for row in found),
        max(row["largest"] for row in found), kinds, True, True,
    )  # fmt: skip


def _edges(
    store: Store,
    catalogue: Catalogue,
    extent: Extent,
    targets: Sequence[Target],
    known_at: datetime | None,
) -> Edges:
    """Where any price that may be asked for changes, inside the calls' extent."""
    tables = ["rate_vectors", "list_vectors"]
    if known_at is not None:
        tables.append(asof.vectors_as_known(store, catalogue, known_at))
    extra: list[RateVector] = []
    for target in targets:
        route = catalogue.route(
            target.seller, target.variant, seller=target.seller, tier=target.tier
        )
        extra += catalogue.vectors(route.card) if route.card is not None else ()
    return edges_of(store.con, extra, extent, tables)


def _cut(
    catalogue: Catalogue,
    calls: Any,
    names: set[str],
    zone: str,
    extent: Extent,
    edges: Edges,
    targets: Sequence[Target],
) -> Cut:
    assert extent.first is not None
    assert extent.last is not None
    variants = [catalogue.variant(t.variant, t.seller) for t in targets]
    return cut(
        calls, names, zone, edges, first=extent.first, last=extent.last,
        totals=[v.context_window for v in variants if v is not None and v.context_window],
        answers=[v.max_output for v in variants if v is not None and v.max_output],
    )  # fmt: skip


def _insert(store: Store, names: set[str], cells: pa.Table) -> None:
    held = set(cells.column_names)
    tags = [f"{{'key': ?, 'value': c.{tag_column(n)}}}" for n in range(len(tags_of(names)))]
    columns: dict[str, str] = {
        "cell": "c.cell", "occurred_at": "c.first", "route_id": "r.route_id",
        **{m: f"c.s_{m}" if f"s_{m}" in held else "NULL::HUGEINT" for m in COUNTED},
        "input_total": "c.smallest", "output_total": "c.tokens_out",
        "input_tokens": "c.tokens_in", "kinds": "c.kinds", "requests": "c.n",
        "source_format": "c.source_format",
        "source_cost_usd": "c.stated", "failed": "c.failed", "time_assumed": "c.time_assumed",
        "tags": f"map_from_entries([{', '.join(tags)}])" if tags else "NULL",
        **{n: f"c.{n}" for n in (*PLAIN, "longest", "longest_output")
           if n in held},
    }  # fmt: skip
    same = " AND ".join(f"coalesce(r.{k}, '') = c.r_{k}" for k in ROUTE_KEYS)
    store.con.register("lake_cells", numbered(cells))
    selected = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    store.con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE lake_calls AS SELECT {selected}"
        f" FROM lake_cells AS c JOIN routes AS r ON {same}",
        tags_of(names),
    )
    resolve.insert(store.con, "SELECT * FROM lake_calls")
    store.con.execute("DROP TABLE lake_calls")
    store.con.unregister("lake_cells")


def numbered(cells: pa.Table) -> pa.Table:
    """Cells with their positions, as `cell`."""
    import numpy as np
    import pyarrow as pa

    return cells.append_column("cell", pa.array(np.arange(len(cells), dtype=np.int64)))


def _add_rates(store: Store, lake: Lake) -> None:
    """What the lake's stores knew of rates, and when: a rate that one of them saw go is gone."""
    paths = sorted({path for batch in lake.batches for path in batch.rates})
    if not paths:
        return
    store.con.register("lake_rates", _read(lake.folder, paths))
    names = [name for name, _ in schema.RATE_COLUMNS]
    folded = {"superseded_at": "min(superseded_at)", "assumed": "bool_or(assumed)"}
    kept = ", ".join(n for n in names if n not in folded)
    chosen = ", ".join(folded.get(n, n) for n in names)
    store.con.execute(
        f"INSERT INTO rates_stored ({', '.join(names)}) SELECT {chosen} FROM lake_rates"
        f" GROUP BY {kept}"
    )
    store.con.unregister("lake_rates")


def _read(folder: LakeFolder, paths: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables: list[pa.Table] = []
    for path in paths:
        with folder.files.open_input_file(folder.full(path)) as file:
            tables.append(pq.ParquetFile(file).read())  # pyright: ignore[reportUnknownMemberType]
    found = pa.concat_tables(tables, promote_options="default")
    if "assumed" not in found.column_names:  # a lake of before rates said so
        found = found.append_column("assumed", pa.nulls(len(found), pa.bool_()))
    return found
