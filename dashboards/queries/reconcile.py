"""Reconciliation: what sources charged against what tokenbooks computes, the difference by cause.

Two questions, answered apart because they overlap:

- *per call*: calls whose source states its own charge (`usage.cost`, a proxy's spend column);
- *per period*: the cost reports of a provider (table `reported`) against the calls of the same
  UTC period, by the dimensions that report states.

The residual is charged minus computed, in whole pico-dollars, and its causes add up to it exactly:

| cause | when |
| --- | --- |
| unpriced | calls in it have no price, so what was charged for them is not in the computed cost |
| assumed | the tier (or cache lifetime, region, another seller's card) had to be assumed |
| missing_calls | the provider's own usage report counts tokens that no stored call has, or |
| | there is a charge and no call at all |
| late_cost | the same amount (within 1 %) lacks on one day and is over on one of the next three, |
| | or the report was read less than two days after the period ended |
| rounding | no more than half a unit of the finest digit this source writes, per figure |
| unexplained | none of these: a price that differs, a discount, a credit |

    OpenAI charged 5.00, computed 4.20, usage report 1,000,000 input tokens above the stored calls
    at 0.60 per million:   residual 0.80 = missing_calls 0.60 + unexplained 0.20
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, ScopeError, dimension, show_value, to_utc
from ingest.store.schema import routed_from
from pricing.catalogue import Catalogue
from pricing.meters import COUNTED
from pricing.money import pico_from_usd, plain, usd
from pricing.variants import normal_seller

if TYPE_CHECKING:
    import duckdb

CAUSES = ("unpriced", "assumed", "missing_calls", "late_cost", "rounding", "unexplained")
REPORT_DIMENSIONS = ("variant", "project")
"""What a cost report can be compared by, besides source, provider and period."""

BLANK = timedelta(days=31)
"""The longest stretch of days without a figure that a report may have inside it."""
LATE_DAYS = 3
SETTLED = timedelta(days=2)
_SAME = 100  # two amounts are the same when they differ by less than one part in this many
_MEASURED = tuple(m for m in COUNTED if m != "reasoning")


@dataclass(slots=True)
class Row:
    """One group: what was charged and computed, in pico-dollars, and why they differ."""

    keys: tuple[Any, ...]
    calls: int
    charged_pico: int
    computed_pico: int
    causes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))

    @property
    def residual_pico(self) -> int:
        """Charged minus computed: the sum of the causes."""
        return self.charged_pico - self.computed_pico

    @property
    def main_cause(self) -> str:
        """The cause of the largest part of the residual, or "" where there is no residual."""
        cause, value = max(self.causes.items(), key=lambda item: abs(item[1]))
        return cause if value else ""

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain types, money as decimal strings in USD."""
        keys = {
            n: None if k is None else show_value(k) for n, k in zip(names, self.keys, strict=True)
        }
        return {
            **keys,
            "calls": self.calls,
            "charged_usd": plain(usd(self.charged_pico)),
            "computed_usd": plain(usd(self.computed_pico)),
            "residual_usd": plain(usd(self.residual_pico)),
            "causes_usd": {name: plain(usd(value)) for name, value in self.causes.items()},
        }


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One of the two answers: its rows, their total, and what was left out."""

    by: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Row:
        """The exact sum of the rows."""
        total = Row((), 0, 0, 0)
        for row in self.rows:
            total.calls += row.calls
            total.charged_pico += row.charged_pico
            total.computed_pico += row.computed_pico
            for name in CAUSES:
                total.causes[name] += row.causes[name]
        return total

    @property
    def unexplained_share(self) -> Decimal:
        """The unexplained part of all rows, each at its size, over what was charged."""
        off = sum(abs(row.causes["unexplained"]) for row in self.rows)
        charged = sum(abs(row.charged_pico) for row in self.rows)
        return Decimal(off) / charged if charged else Decimal(1 if off else 0)

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "by": list(self.by),
            "rows": [row.as_json(self.by) for row in self.rows],
            "total": self.total.as_json(()),
            "unexplained_share": str(round(self.unexplained_share, 6)),
            "notes": list(self.notes),
        }


# --- per call -----------------------------------------------------------------------------------


def reconcile_calls(
    con: duckdb.DuckDBPyConnection, by: Sequence[str] = ("format",), scope: Scope | None = None
) -> Reconciled:
    """Calls with a stated charge, by any dimensions. Raises `ScopeError` for an unknown one."""
    asked = scope or Scope()
    where, values = asked.clause()
    keys = [dimension(name, asked.zone) for name in by]
    bound = [value for _, extra in keys for value in extra]
    named = "".join(f"{expression} AS k{n}, " for n, (expression, _) in enumerate(keys))
    groups = "".join(f"k{n}, " for n in range(len(keys)))
    charged = "(u.source_cost_usd * 1000000000000)::HUGEINT"
    digits = "length(rtrim(split_part(u.source_cost_usd::VARCHAR, '.', 2), '0'))"
    rows = con.execute(
        f"WITH each AS (SELECT {named} u.source_format AS f, r.seller AS s, {charged} AS charged,"
        f" coalesce(u.cost_pico, 0)::HUGEINT AS computed, u.severity AS severity,"
        f" {digits} AS digits, u.requests AS n"
        f" FROM {routed_from()} WHERE u.source_cost_usd IS NOT NULL AND {where}),"
        # The finest digit a source writes, cents at least, is its unit; half of it is rounding.
        " told AS (SELECT *, charged - computed AS off,"
        "  (10 ** (12 - greatest(max(digits) OVER (PARTITION BY f, s), 2)))::HUGEINT AS unit"
        "  FROM each),"
        " caused AS (SELECT *, CASE WHEN severity = 3 THEN 'unpriced'"
        "  WHEN 2 * abs(off) <= greatest(unit, 2) THEN 'rounding'"
        "  WHEN severity > 0 THEN 'assumed' ELSE 'unexplained' END AS cause FROM told)"
        f" SELECT {groups} cause, sum(n)::BIGINT, sum(charged), sum(computed) FROM caused"
        " GROUP BY ALL",
        [*bound, *values],
    ).fetchall()
    found: dict[tuple[Any, ...], Row] = {}
    for *key, cause, calls, paid, computed in rows:
        row = found.setdefault(tuple(key), Row(tuple(key), 0, 0, 0))
        row.calls += int(calls)
        row.charged_pico += int(paid)
        row.computed_pico += int(computed)
        row.causes[cause] += int(paid) - int(computed)
    silent = con.execute(
        f"SELECT coalesce(sum(u.requests), 0)::BIGINT FROM {routed_from()}"
        f" WHERE u.source_cost_usd IS NULL AND {where}",
        values,
    ).fetchall()[0][0]
    states = "call states no charge of its own" if silent == 1 else "calls state no charge"
    notes = (f"{silent:,} {states}",) if silent else ()
    return Reconciled(tuple(by), _ordered(found.values()), notes)


# --- per period ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cell:
    """One period of one report in one value of its dimensions."""

    row: Row
    end: datetime
    figures: int = 0
    unpriced: int = 0
    assumed: int = 0
    read_at: datetime | None = None
    reported: dict[tuple[str, str | None], dict[str, int]] = field(default_factory=dict)
    stored: dict[tuple[str, str | None], dict[str, int]] = field(default_factory=dict)


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
    for (source, provider), rows in _cost_rows(con, asked, notes).items():
        own = [d for d in by if all(_value(r, d, provider, catalogue) is not None for r in rows)]
        dropped = [d for d in by if d not in own]
        if dropped:
            notes.append(f"{source} of {provider} does not state {' and '.join(dropped)}")
        cells = _cells(con, catalogue, source, provider, rows, by, own, notes)
        unit = _unit(rows)
        for cell in cells.values():
            _measure_missing(cell, catalogue, provider)
        _find_late(list(cells.values()), unit)
        for cell in cells.values():
            _settle(cell, unit)
            answer.append(cell.row)
    names = ("source", "provider", "period", *by)
    return Reconciled(names, _ordered(answer), tuple(notes))


_COST_FIELDS = (
    "period_start", "period_end", "model", "line_item", "project", "amount", "read_at",
)  # fmt: skip


def _cost_rows(
    con: duckdb.DuckDBPyConnection, scope: Scope, notes: list[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Cost rows by source and provider. Two sources that report the same days stay apart."""
    where = ["p.kind = 'cost'", "p.amount IS NOT NULL"]
    values: list[Any] = []
    for edge, test in ((scope.since, "p.period_start >= ?"), (scope.until, "p.period_end <= ?")):
        if edge is not None:
            where.append(test)
            values.append(to_utc(edge, scope.zone))
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    foreign: dict[str, int] = defaultdict(int)
    for source, provider, currency, *rest in con.execute(
        "SELECT p.source_format, p.provider, upper(coalesce(p.currency, 'USD')),"
        " p.period_start, p.period_end, p.model, p.line_item, p.project, p.amount, i.imported_at"
        " FROM reported AS p LEFT JOIN imports AS i ON i.import_id = p.import_id"
        f" WHERE {' AND '.join(where)} ORDER BY ALL",
        values,
    ).fetchall():
        if currency != "USD":
            foreign[currency] += 1
            continue
        found[source, provider].append(dict(zip(_COST_FIELDS, rest, strict=True)))
    for currency, number in foreign.items():
        rows = "row" if number == 1 else "rows"
        notes.append(f"{number:,} {rows} in {currency} left out: only USD is compared")
    return found


def _value(row: Mapping[str, Any], name: str, provider: str, catalogue: Catalogue) -> str | None:
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


def _cells(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    source: str,
    provider: str,
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    own: Sequence[str],
    notes: list[str],
) -> dict[tuple[Any, ...], _Cell]:
    """Charged and computed by period and dimension, over everything the report covers."""
    cells: dict[tuple[Any, ...], _Cell] = {}

    def cell(period: tuple[datetime, datetime], values: Mapping[str, Any]) -> _Cell:
        told = tuple(values.get(d) if d in own else None for d in by)
        key = (period, told)
        if key not in cells:
            cells[key] = _Cell(Row((source, provider, period[0], *told), 0, 0, 0), period[1])
        return cells[key]

    exact: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows:
        found = cell(
            _period(row["period_start"], row["period_end"]),
            {d: _value(row, d, provider, catalogue) for d in own},
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
    for hour, variant, project, tier, calls, cost, unpriced, assumed, *counts in con.execute(
        "SELECT date_trunc('hour', u.occurred_at), coalesce(r.variant, r.model), u.project, r.tier,"
        f" sum(u.requests)::BIGINT, coalesce(sum(u.cost_pico), 0),"
        f" coalesce(sum(u.requests) FILTER (u.severity = 3), 0)::BIGINT,"
        f" coalesce(sum(u.requests) FILTER (u.severity IN (1, 2)), 0)::BIGINT,"
        f" {', '.join(f'coalesce(sum(u.{m}), 0)::BIGINT' for m in COUNTED)}"
        f" FROM {routed_from()} WHERE r.seller = ? AND u.occurred_at >= ? AND u.occurred_at < ?"
        " AND u.source_format <> 'mock' GROUP BY 1, 2, 3, 4",
        [seller, first, last],
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
        notes.append(
            f"{outside:,} {calls} of {seller} on days that {source} does not cover left out"
        )
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
    cell: Callable[[tuple[datetime, datetime], Mapping[str, Any]], _Cell],
    periods: Sequence[tuple[datetime, datetime]],
) -> None:
    """The provider's own counts, where it reports them: what tells missing calls from prices."""
    for start, model, project, tier, *counts in con.execute(
        "SELECT period_start, model, project, tier,"
        f" {', '.join(f'coalesce({m}, 0)::BIGINT' for m in COUNTED)} FROM reported"
        " WHERE kind = 'usage' AND provider = ? AND model IS NOT NULL"
        " AND period_start >= ? AND period_end <= ?",
        [provider, spans[0][0], spans[-1][1]],
    ).fetchall():
        if not _within(spans, start):
            continue
        row = {"model": model, "line_item": None, "project": project}
        values = {d: _value(row, d, provider, catalogue) for d in own}
        if "project" in own and project is None:
            continue
        route = catalogue.route(provider, model, tier=tier)
        name = route.variant or str(_value(row, "variant", provider, catalogue))
        place = route.card.tier if route.card is not None and tier is not None else None
        found = cell(_holding(periods, start), values)
        _add(found.reported, (name, place), dict(zip(COUNTED, counts, strict=True)))


def _add(
    into: dict[tuple[str, str | None], dict[str, int]],
    key: tuple[str, str | None],
    counts: Mapping[str, int],
) -> None:
    """Add counts; reasoning is output there as here, and reports do not split it."""
    held = into.setdefault(key, dict.fromkeys(_MEASURED, 0))
    for name, value in counts.items():
        held["output_text" if name == "reasoning" else name] += value


def _measure_missing(cell: _Cell, catalogue: Catalogue, provider: str) -> None:
    """Tokens the provider counts and no stored call has, at the card's base prices."""
    at = cell.row.keys[2]
    for variant in sorted({variant for variant, _ in cell.reported}):
        tiers = {tier for name, tier in cell.reported if name == variant}
        whole = None in tiers
        for tier in [None] if whole else sorted(t for t in tiers if t is not None):
            told = _sum(cell.reported, variant, None if whole else tier)
            held = _sum(cell.stored, variant, None if whole else tier)
            route = catalogue.route(provider, variant, tier=tier or "standard")
            if route.card is None:
                continue
            for v in catalogue.vectors(route.card):
                if v.valid_from <= at < v.valid_to and v.min_input == 0 and v.minute_from == 0:
                    cell.row.causes["missing_calls"] += sum(
                        (told[m] - held[m]) * (v.price(m) or 0) for m in _MEASURED
                    )
                    break


def _sum(
    counts: Mapping[tuple[str, str | None], Mapping[str, int]], variant: str, tier: str | None
) -> dict[str, int]:
    """Counts of a variant on one tier, or on all (None)."""
    total = dict.fromkeys(_MEASURED, 0)
    for (name, place), held in counts.items():
        if name == variant and (tier is None or place == tier):
            for meter in _MEASURED:
                total[meter] += held[meter]
    return total


def _unit(rows: Iterable[Mapping[str, Any]]) -> int:
    """The finest digit a source writes, cents at least, in pico-dollars (1 at the smallest)."""
    digits = max(
        (len(format(r["amount"], "f").partition(".")[2].rstrip("0")) for r in rows), default=2
    )
    return 10 ** max(0, 12 - max(2, digits))


def _rest(cell: _Cell) -> int:
    return cell.row.residual_pico - sum(cell.row.causes.values())


def _rounds(cell: _Cell, unit: int) -> bool:
    return 2 * abs(_rest(cell)) <= max(unit, 2) * max(1, cell.figures)


def _find_late(cells: list[_Cell], unit: int) -> None:
    """Amounts that lack on one day and are over on one of the next days."""
    series: dict[tuple[Any, ...], list[_Cell]] = defaultdict(list)
    for cell in cells:
        series[cell.row.keys[3:]].append(cell)
    for days in series.values():
        days.sort(key=lambda c: c.row.keys[2])
        for place, cell in enumerate(days):
            short = -_rest(cell)
            if short <= 0 or _rounds(cell, unit):
                continue
            for later in days[place + 1 :]:
                if later.row.keys[2] - cell.row.keys[2] > timedelta(days=LATE_DAYS):
                    break
                over = _rest(later)
                if over > 0 and abs(over - short) * _SAME <= short:
                    moved = min(over, short)
                    cell.row.causes["late_cost"] -= moved
                    later.row.causes["late_cost"] += moved
                    break
        newest = days[-1]
        early = newest.read_at is not None and newest.read_at < newest.end + SETTLED
        if early and _rest(newest) < 0 and not _rounds(newest, unit):
            newest.row.causes["late_cost"] += _rest(newest)


def _settle(cell: _Cell, unit: int) -> None:
    """Give what is left of the residual its cause."""
    rest = _rest(cell)
    if not rest:
        return
    if cell.row.calls == 0 and not cell.reported and rest > 0:
        cause = "missing_calls"
    elif _rounds(cell, unit):
        cause = "rounding"
    elif cell.unpriced and rest > 0:
        cause = "unpriced"
    elif cell.assumed:
        cause = "assumed"
    else:
        cause = "unexplained"
    cell.row.causes[cause] += rest


def _ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """By their keys, nothing first."""
    return tuple(sorted(rows, key=lambda r: tuple("" if k is None else str(k) for k in r.keys)))
