"""Spend: what was used and what it cost, by any dimensions, to the pico-dollar.

The answer's rows add up to its total exactly, whatever they are broken down by. Besides cost it
says how sure it is: calls that could not be priced, calls that needed an assumption, and what the
cache saved against paying every cached token at the input price (write premiums taken off).

    answer = spend(con, by=["team", "month"], scope=Scope(zone="Europe/Berlin"))
    answer.total.cost_usd == sum(row.cost_usd for row in answer.rows)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, as_cheap, dimension, show_value
from ingest.store.resolve import repriced
from ingest.store.rollup import source_for
from ingest.store.schema import priced_from, routed_from, status_reason, used_meters
from pricing.meters import CACHE_READ, CACHE_WRITE
from pricing.money import plain, usd
from pricing.sql import status_name

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class SpendRow:
    """One group. Tokens are counts, money is pico-dollars; `cost_pico` covers the priced part."""

    keys: tuple[Any, ...]
    calls: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_pico: int
    cache_savings_pico: int
    unpriced_calls: int
    unpriced_tokens: int
    assumed_calls: int
    failed_calls: int
    source_cost_usd: Decimal | None

    @property
    def cost_usd(self) -> Decimal:
        """Cost of the priced part in USD, exact."""
        return usd(self.cost_pico)

    @property
    def cached_share(self) -> float | None:
        """Cached tokens over all input tokens; None without input."""
        return self.cached_tokens / self.input_tokens if self.input_tokens else None

    @property
    def unpriced_share(self) -> float:
        """Calls that could not be priced over all calls."""
        return self.unpriced_calls / self.calls if self.calls else 0.0

    @property
    def wholly_unpriced(self) -> bool:
        """Whether there is nothing priced in the group: its cost is unknown, not zero."""
        return bool(self.calls) and self.unpriced_calls == self.calls and self.cost_pico == 0

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain types; money as decimal strings in USD (null where nothing was priced)."""
        return {
            **{
                n: None if k is None else show_value(k, n)
                for n, k in zip(names, self.keys, strict=True)
            },
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cached_share": None if self.cached_share is None else round(self.cached_share, 6),
            "cost_usd": None if self.wholly_unpriced else plain(self.cost_usd),
            "cache_savings_usd": plain(usd(self.cache_savings_pico)),
            "unpriced_calls": self.unpriced_calls,
            "unpriced_tokens": self.unpriced_tokens,
            "unpriced_share": round(self.unpriced_share, 6),
            "assumed_calls": self.assumed_calls,
            "failed_calls": self.failed_calls,
            "source_cost_usd": plain(self.source_cost_usd),
        }


@dataclass(frozen=True, slots=True)
class Spend:
    """The answer: rows by the dimensions asked for, and their total."""

    by: tuple[str, ...]
    rows: tuple[SpendRow, ...]
    total: SpendRow

    @classmethod
    def of(cls, by: Sequence[str], rows: Sequence[SpendRow]) -> Spend:
        """An answer from its rows: ordered by period, then by cost, with their exact total."""
        ordered = sorted(rows, key=lambda r: _order(r, by))
        return cls(tuple(by), tuple(ordered) if by else (), _total(ordered))

    def by_one(self, name: str) -> Spend:
        """The same answer by one of its dimensions alone: sums of sums, without asking again."""
        at = self.by.index(name)
        groups: dict[Any, list[SpendRow]] = {}
        for row in self.rows:
            groups.setdefault(row.keys[at], []).append(row)
        return Spend.of((name,), [replace(_total(g), keys=(k,)) for k, g in groups.items()])

    def as_json(self) -> dict[str, Any]:
        """Plain types, rows and total."""
        return {
            "by": list(self.by),
            "rows": [row.as_json(self.by) for row in self.rows],
            "total": self.total.as_json(()),
        }


def _sums(meters: Sequence[str]) -> str:
    """What is summed over the calls of a group and one status and outcome, over the meters the
    store counts. Plain sums: a FILTER in each would cost twice as much as these few more groups."""

    def total(kinds: Sequence[str]) -> str:
        return " + ".join(f"coalesce(sum(u.{m}), 0)" for m in kinds if m in meters) or "0"

    return (
        "sum(u.requests) AS n, sum(u.input_tokens) AS tokens_in,"
        f" {total(CACHE_READ)} AS tokens_read, {total(CACHE_WRITE)} AS tokens_written,"
        " sum(u.output_total) AS tokens_out, sum(u.reasoning) AS tokens_thought,"
        " sum(u.cost_pico) AS cost, sum(u.saved_pico) AS saved, sum(u.source_cost_usd) AS stated"
    )


_MEASURES = (
    "sum(n)::BIGINT, sum(tokens_in)::BIGINT, sum(tokens_read)::BIGINT,"
    " sum(tokens_written)::BIGINT, sum(tokens_out)::BIGINT,"
    " coalesce(sum(tokens_thought), 0)::BIGINT, coalesce(sum(cost), 0), coalesce(sum(saved), 0),"
    " coalesce(sum(n) FILTER (u.severity = 3), 0)::BIGINT,"
    " coalesce(sum(tokens_in + tokens_out) FILTER (u.severity = 3), 0)::BIGINT,"
    " coalesce(sum(n) FILTER (u.severity IN (1, 2)), 0)::BIGINT,"
    " coalesce(sum(n) FILTER (u.failed), 0)::BIGINT, sum(stated)"
)


def spend(
    con: duckdb.DuckDBPyConnection,
    by: Sequence[str] = (),
    scope: Scope | None = None,
    *,
    vectors: str = "rate_vectors",
    at: str = "",
    calls: str | None = None,
    limit: int | None = None,
) -> Spend:
    """Answer "what did it cost, by …?". `vectors` and `at` price by another table or date;
    `calls` names the relation to read (by default the rollup where that is exact).

    With a `limit` only the dearest groups come back (for dimensions such as sessions that have
    very many); the total still covers all.

    Raises `ScopeError` for an unknown dimension. Rows come in the order of the periods first,
    then by cost, largest first.
    """
    asked = scope or Scope()
    where, values = asked.clause()
    where, zone = as_cheap(con, where), asked.zone
    stored = calls or source_for(
        con, [*by, *asked.where], zone, whole_hours_only=asked.on_whole_hours()
    )
    keys = [dimension(name, zone) for name in by]
    bound = [value for _, extra in keys for value in extra]
    # A call's own keys are grouped first; what its route says is looked up for the few groups.
    of_routes = {n: key for n, (key, _) in enumerate(keys) if "r." in key}
    inner = ["u.severity", "u.failed", *(["u.route_id"] if of_routes else [])]
    inner += [f"{key} AS k{n}" for n, (key, _) in enumerate(keys) if n not in of_routes]
    outer = ", ".join(f"{of_routes.get(n, f'u.k{n}')} AS k{n}" for n in range(len(keys)))
    grouped = ", ".join(column.rpartition(" AS ")[2] for column in inner)
    names = "".join(f"k{n}, " for n in range(len(keys)))
    grouping = f" GROUP BY {names[:-2]}" if keys else ""
    if keys and limit is not None:
        cost, count = len(keys) + 7, len(keys) + 1
        grouping += f" ORDER BY {cost} DESC, {count} DESC, 1 LIMIT {int(limit)}"
    if at or vectors != "rate_vectors":
        stored = repriced(stored, vectors, at)
    sums = (
        f"(SELECT {', '.join(inner)}, {_sums(used_meters(con))}"
        f" FROM {routed_from(stored) if 'r.' in where else f'{stored} AS u'}"
        f" WHERE {where} GROUP BY {grouped})"
    )
    rows = con.execute(
        f"SELECT {outer}{', ' if keys else ''}{_MEASURES}"
        f" FROM {routed_from(sums) if of_routes else f'{sums} AS u'}{grouping}",
        bound + values,
    ).fetchall()
    answer = [_row(row, len(keys)) for row in rows if row[len(keys)] is not None]
    answer.sort(key=lambda r: _order(r, by))
    if keys and limit is not None and len(answer) >= limit:
        whole = spend(con, (), scope, vectors=vectors, at=at, calls=stored).total
    else:
        whole = _total(answer)
    return Spend(tuple(by), tuple(answer) if by else (), whole)


def _row(row: tuple[Any, ...], keys: int) -> SpendRow:
    money = [int(value) for value in row[keys + 6 : keys + 8]]
    return SpendRow(row[:keys], *row[keys : keys + 6], *money, *row[keys + 8 :])


def _order(row: SpendRow, by: Sequence[str]) -> tuple[Any, ...]:
    periods = tuple(
        str(key)
        for name, key in zip(by, row.keys, strict=True)
        if name in ("hour", "day", "week", "month", "quarter", "year", "weekday", "hour_of_day")
    )
    return (periods, -row.cost_pico, tuple(show_value(k) for k in row.keys))


def _total(rows: Sequence[SpendRow]) -> SpendRow:
    """The exact sum of rows."""
    stated = [r.source_cost_usd for r in rows if r.source_cost_usd is not None]
    fields = (
        "calls", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
        "reasoning_tokens", "cost_pico", "cache_savings_pico", "unpriced_calls",
        "unpriced_tokens", "assumed_calls", "failed_calls",
    )  # fmt: skip
    sums = [sum(getattr(row, name) for row in rows) for name in fields]
    return SpendRow((), *sums, source_cost_usd=sum(stated, Decimal(0)) if stated else None)


def reasons(
    con: duckdb.DuckDBPyConnection, scope: Scope | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Why calls are unpriced or assumed, with how many calls and tokens each reason covers."""
    asked = scope or Scope()
    where, values = asked.clause()
    stored = source_for(con, asked.where, asked.zone, whole_hours_only=asked.on_whole_hours())
    rows = con.execute(
        f"SELECT {status_name('u.severity')} AS status, {status_reason()} AS reason, r.provider,"
        " r.model, sum(u.requests)::BIGINT, sum(u.input_tokens + u.output_total)::BIGINT"
        f" FROM {priced_from(stored)} WHERE u.severity > 0 AND ({where})"
        " GROUP BY ALL ORDER BY status DESC, 5 DESC, 4, reason, r.provider LIMIT ?",
        [*values, limit],
    ).fetchall()
    names = ("status", "reason", "provider", "model", "calls", "tokens")
    return [dict(zip(names, row, strict=True)) for row in rows]
