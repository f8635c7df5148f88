"""Cost reports against the calls of their periods, by the dimensions a report states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards.queries.reconcile.answer import Reconciled, Row, ordered
from dashboards.queries.reconcile.causes import find_late, finest_digit, measure_missing, settle
from dashboards.queries.reconcile.cells import cells_of, value_of
from dashboards.queries.reconcile.cuts import chosen
from dashboards.queries.scope import Scope, ScopeError, to_utc
from pricing.catalogue import Catalogue

if TYPE_CHECKING:
    import duckdb

REPORT_DIMENSIONS = ("variant", "project")
"""What a cost report can be compared by, besides source, provider and period."""


def reconcile_reports(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    by: Sequence[str] = (),
    scope: Scope | None = None,
) -> Reconciled:
    """Cost reports against the calls of their periods (days are the provider's: UTC).

    `by` may name "variant" and "project"; a report that does not state one of them in every row
    is compared without it. Raises `ScopeError` for anything else.
    """
    for name in by:
        if name not in REPORT_DIMENSIONS:
            raise ScopeError(
                f"cost reports cannot be compared by {name!r}, only by "
                f"{' and '.join(REPORT_DIMENSIONS)}"
            )
    asked = scope or Scope()
    if asked.where:
        raise ScopeError("cost reports are of whole accounts: they cannot be narrowed with --where")
    notes: list[str] = []
    answer: list[Row] = []
    for (source, provider), rows in _cost_rows(con, asked, by, notes).items():
        own = [d for d in by if all(value_of(r, d, provider, catalogue) is not None for r in rows)]
        dropped = [d for d in by if d not in own]
        if dropped:
            notes.append(f"{source} of {provider} does not state {' and '.join(dropped)}")
        cells = cells_of(con, catalogue, source, provider, rows, by, own, notes)
        unit = finest_digit(rows)
        for cell in cells.values():
            measure_missing(cell, catalogue, provider)
        find_late(list(cells.values()), unit)
        for cell in cells.values():
            settle(cell, unit)
            answer.append(cell.row)
    names = ("source", "provider", "period", *by)
    return Reconciled(names, ordered(answer), tuple(notes))


_COST_FIELDS = (
    "period_start", "period_end", "model", "line_item", "project", "amount", "read_at",
)  # fmt: skip


def _cost_rows(
    con: duckdb.DuckDBPyConnection, scope: Scope, by: Sequence[str], notes: list[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Cost rows by source and provider. Two sources that report the same days stay apart."""
    where = ["p.amount IS NOT NULL"]
    values: list[Any] = []
    for edge, test in ((scope.since, "p.period_start >= ?"), (scope.until, "p.period_end <= ?")):
        if edge is not None:
            where.append(test)
            values.append(to_utc(edge, scope.zone))
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    foreign: dict[str, int] = defaultdict(int)
    again: dict[str, int] = defaultdict(int)
    for source, provider, taken, currency, *rest in con.execute(
        "SELECT p.source_format, p.provider, p.taken, upper(coalesce(p.currency, 'USD')),"
        " p.period_start, p.period_end, p.model, p.line_item, p.project, p.amount, i.imported_at"
        f" FROM {chosen('cost', by)} AS p LEFT JOIN imports AS i ON i.import_id = p.import_id"
        f" WHERE {' AND '.join(where)} ORDER BY ALL",
        values,
    ).fetchall():
        if not taken:
            again[source] += 1
            continue
        if currency != "USD":
            foreign[currency] += 1
            continue
        found[source, provider].append(dict(zip(_COST_FIELDS, rest, strict=True)))
    for source, number in again.items():
        rows = "row" if number == 1 else "rows"
        notes.append(f"{number:,} {rows} of {source} left out: the same days told in another cut")
    for currency, number in foreign.items():
        rows = "row" if number == 1 else "rows"
        notes.append(f"{number:,} {rows} in {currency} left out: only USD is compared")
    return found
