"""What each call of a lake costs: priced on the engine, call by call.

A call's cell decides its prices: no edge of any price goes through a cell. So the few cells are
given their prices here, by the store's own SQL, and go back to the engine as a small table; there
each call is joined to its cell, and its counts are multiplied with the cell's prices.

    with priced_calls(lake, catalogue, Scope(since=…)) as priced:
        priced.total.cost_usd                     # exact, over all of them
        for rows in priced.batches(): …           # call_key, variant, status, cost_pico, …
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dashboards.lake.book import CellBook, cell_book, numbered
from dashboards.lake.engine import Lake, load_ibis
from dashboards.queries.scope import Scope
from dashboards.queries.spend import SpendRow, spend
from ingest.store import asof
from ingest.store.resolve import repriced
from pricing import sql
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import pyarrow as pa

NAMES = ("call_key", "occurred_at", "seller", "variant", "tier", "status", "cost_pico")
"""The columns of a priced call; no variant or tier is an empty text, no price a NULL cost."""
_NOT_NULL = ("source_format", "kinds", "time_assumed", "failed")


@dataclass(frozen=True, slots=True)
class PricedCalls:
    """A lake's calls in a scope with their costs. `query` is an expression, run when asked for."""

    lake: Lake
    total: SpendRow
    query: Any

    def first(self, number: int) -> pa.Table:
        """The first so many calls in time. Raises `EngineError`."""
        return self.lake.rows(self._ordered().limit(number))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All calls in the order of time, some thousand at a time. Raises `EngineError`."""
        yield from self.lake.batches_of(self._ordered())

    def _ordered(self) -> Any:
        return self.query.order_by(["occurred_at", "call_key"])


@contextmanager
def priced_calls(
    lake: Lake, catalogue: Catalogue, scope: Scope, *, known_at: datetime | None = None
) -> Generator[PricedCalls | None]:
    """The calls of a scope with their costs; None when there are none.

    `known_at` (naive UTC) prices them as known then. Raises `ScopeError`, `EngineError`.
    """
    with cell_book(lake, catalogue, (), scope, known_at=known_at) as found:
        if found.calls is None or found.cells is None:
            yield None
            return
        vectors = "rate_vectors"
        if known_at is not None:
            vectors = asof.vectors_as_known(found.store, catalogue, known_at)
        total = spend(found.store.con, (), scope, vectors=vectors).total
        if not total.calls:
            yield None
            return
        yield PricedCalls(lake, total, _joined(lake, found, _prices(found, scope, vectors)))


def _prices(found: CellBook, scope: Scope, vectors: str) -> pa.Table:
    """The cells in scope with what a call in each of them costs: no NULL in any added column, as
    tables with NULLs do not pass through every engine's front door as they are."""
    where, values = scope.clause()
    meters = ", ".join(f"coalesce(v.p_{m}, 0) AS x_{m}" for m in (*found.meters, "request"))
    stored = repriced("calls_stored", vectors)
    query = (
        "SELECT u.cell AS x_cell, r.seller AS seller, coalesce(r.variant, '') AS variant,"
        f" coalesce(r.tier, '') AS tier, {sql.status_name('u.severity')} AS status,"
        f" (u.cost_pico IS NOT NULL) AS x_priced, {meters}"
        f" FROM {stored} AS u JOIN routes AS r ON r.route_id = u.route_id"
        f" LEFT JOIN {vectors} AS v ON v.vector_id = u.vector_id WHERE {where} ORDER BY 1"
    )
    return found.store.con.sql(query, params=values).to_arrow_table()


def _joined(lake: Lake, found: CellBook, prices: pa.Table) -> Any:
    assert found.calls is not None
    assert found.cells is not None
    ibis = load_ibis()
    keys = found.calls.keys
    # The cells as the engine spelled them, beside their prices.
    cells = numbered(found.cells.select(list(keys))).take(prices["x_cell"])
    for name in prices.column_names:
        cells = cells.append_column(name, prices[name])
    names = [f"k_{n}" if n in keys else n for n in cells.column_names]
    priced = lake.put("cell_prices", cells.rename_columns(names).drop_columns(["cell"]))
    calls = found.calls.table
    same = [
        calls[k] == priced[f"k_{k}"]
        if k.startswith(("r_", "c_")) or k in _NOT_NULL
        else calls[k].identical_to(priced[f"k_{k}"])
        for k in keys
    ]
    both = calls.inner_join(priced, same)

    def part(count: Any, price: Any) -> Any:
        return count.fill_null(0).cast("decimal(18, 0)") * price.cast("decimal(18, 0)")

    cost: Any = part(both.requests, both.x_request)
    for meter in found.meters:
        cost += part(both[meter], both[f"x_{meter}"])
    cost = cost.cast("decimal(38, 0)")
    nothing = ibis.null("decimal(38, 0)")
    return both.mutate(cost_pico=ibis.cases((both.x_priced, cost), else_=nothing)).select(*NAMES)
