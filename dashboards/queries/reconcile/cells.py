"""The periods of a report with what was charged and computed in each.

A period is a UTC day, or longer where the report's is. The calls of a report are those of its
seller, wherever they were logged; a gateway that reports what passed through it (LiteLLM) is
compared with the calls in its own log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dashboards.queries.reconcile.answer import Row
from dashboards.queries.reconcile.causes import MEASURED, Cell
from dashboards.queries.reconcile.cuts import chosen
from ingest.store.schema import routed_from
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED
from pricing.money import pico_from_usd
from pricing.variants import normal_seller

if TYPE_CHECKING:
    import duckdb

GATEWAYS = {"litellm-daily": "litellm"}
"""Reports of what passed through a gateway, and the format of that gateway's own log."""

BLANK = timedelta(days=31)
"""The longest stretch of days without a figure that a report may have inside it."""


def value_of(row: Mapping[str, Any], name: str, provider: str, catalogue: Catalogue) -> str | None:
    """A report row's value of a dimension. A model is named as an id, in a line item ("gpt-5.2,
    input") or by its title ("Claude Haiku 4.5"); a name on no card stands for itself."""
    if name == "project":
        return row["project"]
    stated = row["model"] or (row["line_item"] or "").split(",")[0].strip() or None
    if stated is None:
        return None
    seller = normal_seller(provider)
    titled = stated.lower().replace(" ", "-").replace(".", "-")
    return catalogue.resolve(seller, stated) or catalogue.resolve(seller, titled) or stated


def _period(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The cell a report's period belongs to: its day, or itself when it is longer."""
    if end - start > timedelta(days=1):
        return start, end
    day = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return day, day + timedelta(days=1)


def cells_of(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    source: str,
    provider: str,
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    own: Sequence[str],
    notes: list[str],
) -> dict[tuple[Any, ...], Cell]:
    """Charged and computed by period and dimension, over everything the report covers."""
    cells: dict[tuple[Any, ...], Cell] = {}

    def cell(period: tuple[datetime, datetime], values: Mapping[str, Any]) -> Cell:
        told = tuple(values.get(d) if d in own else None for d in by)
        key = (period, told)
        if key not in cells:
            cells[key] = Cell(Row((source, provider, period[0], *told), 0, 0, 0), period[1])
        return cells[key]

    exact: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows:
        found = cell(
            _period(row["period_start"], row["period_end"]),
            {d: value_of(row, d, provider, catalogue) for d in own},
        )
        exact[id(found)] += row["amount"]
        found.figures += 1
        found.read_at = max(filter(None, (found.read_at, row["read_at"])), default=None)
    for found in cells.values():
        found.row.charged_pico = pico_from_usd(exact[id(found)])
    first = min(row["period_start"] for row in rows)
    last = max(row["period_end"] for row in rows)
    periods = sorted({_period(r["period_start"], r["period_end"]) for r in rows})
    spans = _spans(periods)
    outside = 0
    seller = normal_seller(provider)
    gateway = GATEWAYS.get(source)
    whose = "u.source_format = ?" if gateway else "r.seller = ?"
    for hour, variant, project, tier, calls, cost, unpriced, assumed, *counts in con.execute(
        "SELECT date_trunc('hour', u.occurred_at), coalesce(r.variant, r.model), u.project, r.tier,"
        f" sum(u.requests)::BIGINT, coalesce(sum(u.cost_pico), 0),"
        f" coalesce(sum(u.requests) FILTER (u.severity = 3), 0)::BIGINT,"
        f" coalesce(sum(u.requests) FILTER (u.severity IN (1, 2)), 0)::BIGINT,"
        f" {', '.join(f'coalesce(sum(u.{m}), 0)::BIGINT' for m in COUNTED)}"
        f" FROM {routed_from()} WHERE {whose} AND u.occurred_at >= ? AND u.occurred_at < ?"
        " AND u.source_format <> 'mock' GROUP BY 1, 2, 3, 4",
        [gateway or seller, first, last],
    ).fetchall():
        if not _within(spans, hour):
            outside += calls
            continue
        held = cell(_holding(periods, hour), {"variant": variant, "project": project})
        held.row.calls += calls
        held.row.computed_pico += int(cost)
        held.unpriced += unpriced
        held.assumed += assumed
        _add(held.stored, (variant, tier), dict(zip(COUNTED, counts, strict=True)))
    if outside:
        calls = "call" if outside == 1 else "calls"
        whom = gateway or seller
        notes.append(f"{outside:,} {calls} of {whom} on days that {source} does not cover left out")
    _usage_rows(con, catalogue, provider, spans, own, cell, periods)
    return cells


_Span = tuple[datetime, datetime]


def _spans(periods: Sequence[_Span]) -> list[_Span]:
    """What a report covers: its periods and the blank days between them. Where no day of a month
    and more has a figure, two reports were imported, and nobody reported what lies between."""
    spans: list[_Span] = []
    for start, end in periods:
        if spans and start - spans[-1][1] <= BLANK:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def _within(spans: Iterable[_Span], at: datetime) -> bool:
    return any(start <= at < end for start, end in spans)


def _holding(
    periods: Sequence[tuple[datetime, datetime]], at: datetime
) -> tuple[datetime, datetime]:
    """The period an hour is in; a day inside the report's range without a row is a blank one."""
    for period in periods:
        if period[0] <= at < period[1]:
            return period
    return _period(at, at)


def _usage_rows(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    provider: str,
    spans: Sequence[_Span],
    own: Sequence[str],
    cell: Callable[[tuple[datetime, datetime], Mapping[str, Any]], Cell],
    periods: Sequence[tuple[datetime, datetime]],
) -> None:
    """The provider's own counts, where it reports them: what tells missing calls from prices."""
    for start, model, project, tier, *counts in con.execute(
        "SELECT period_start, model, project, tier,"
        f" {', '.join(f'coalesce({m}, 0)::BIGINT' for m in COUNTED)}"
        f" FROM {chosen('usage', ('model', *(d for d in own if d != 'variant')))}"
        " WHERE taken AND provider = ? AND model IS NOT NULL"
        " AND period_start >= ? AND period_end <= ?",
        [provider, spans[0][0], spans[-1][1]],
    ).fetchall():
        if not _within(spans, start):
            continue
        row = {"model": model, "line_item": None, "project": project}
        values = {d: value_of(row, d, provider, catalogue) for d in own}
        if "project" in own and project is None:
            continue
        route = catalogue.route(provider, model, tier=tier)
        name = route.variant or str(value_of(row, "variant", provider, catalogue))
        place = route.card.tier if route.card is not None and tier is not None else None
        found = cell(_holding(periods, start), values)
        _add(found.reported, (name, place), dict(zip(COUNTED, counts, strict=True)))


def _add(
    into: dict[tuple[str, str | None], dict[str, int]],
    key: tuple[str, str | None],
    counts: Mapping[str, int],
) -> None:
    """Add counts; reasoning is output there as here, and reports do not split it."""
    held = into.setdefault(key, dict.fromkeys(MEASURED, 0))
    for name, value in counts.items():
        held["output_text" if name == "reasoning" else name] += value
