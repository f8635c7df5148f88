"""Unit economics: what a call, a session, a user, a customer, a task and a successful outcome cost.

    made = units(con, Scope(), task="tags.task", success={"tags.outcome": ["resolved"]})
    made.per("call").cost_pico, made.cache_missed_pico

Every figure is the scope's whole priced cost over a number of distinct things that priced calls
name, so what is spent on failures and retries is part of what a success costs, and a call without a
price makes none of them look cheaper. A unit that only some calls name says what
share of the cost those calls are, and divides only their cost (a success divides the whole cost).

* Cache savings *earned*: cached tokens at the plain input price less what they cost, write premiums
  taken off.
* Cache savings *missed*, at most: in a session, the part of a prompt that the call before had
  already sent, as far as it was not read from the cache, times input price less cached price. A
  prompt that changed at its front could not have been cached, hence "at most"; calls without a
  session are not counted.
* *Failed* calls are those the log marks as failed; their cost is money for nothing, their number
  the least number of retries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, dimension, show_value
from dashboards.queries.spend import SpendRow, spend
from ingest.store.schema import priced_from, routed_from
from pricing.meters import CACHE_READ
from pricing.money import EXACT, plain, usd

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Unit:
    """A thing that cost is divided by. `cost_pico` is the cost that is divided (pico-dollars)."""

    name: str
    count: int
    cost_pico: int
    coverage: float | None
    """Share of the scope's cost on calls that name the unit; None where it needs no name."""

    @property
    def each_usd(self) -> Decimal | None:
        """USD for one, to sixty digits; None when there is none."""
        return EXACT.divide(usd(self.cost_pico), Decimal(self.count)) if self.count else None

    def as_json(self) -> dict[str, Any]:
        """Plain types; the quotient rounded to a pico-dollar."""
        each = self.each_usd
        return {
            "unit": self.name,
            "count": self.count,
            "cost_usd": plain(usd(self.cost_pico)),
            "each_usd": None if each is None else plain(each.quantize(Decimal("1e-12"))),
            "coverage": None if self.coverage is None else round(self.coverage, 6),
        }


@dataclass(frozen=True, slots=True)
class Units:
    """The answer; money in pico-dollars."""

    total: SpendRow
    units: tuple[Unit, ...]
    cache_earned_pico: int
    cache_missed_pico: int
    session_share: float
    """Share of calls that name a session: what the missed savings rest on."""
    failed_calls: int
    failed_cost_pico: int
    top: tuple[tuple[str, SpendRow], ...]
    top_by: str

    def per(self, name: str) -> Unit:
        """A unit by its name. Raises KeyError."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """Plain types; money as decimal strings in USD."""
        total = self.total
        return {
            "calls": total.calls,
            "cost_usd": None if total.wholly_unpriced else plain(total.cost_usd),
            "unpriced_calls": total.unpriced_calls,
            "units": [u.as_json() for u in self.units],
            "cache": {
                "earned_usd": plain(usd(self.cache_earned_pico)),
                "missed_at_most_usd": plain(usd(self.cache_missed_pico)),
                "calls_in_sessions": round(self.session_share, 6),
            },
            "failed": {
                "calls": self.failed_calls,
                "share": round(self.failed_calls / total.calls, 6) if total.calls else 0.0,
                "cost_usd": plain(usd(self.failed_cost_pico)),
            },
            "top": [{**row.as_json((self.top_by,))} for _, row in self.top],
        }


def units(
    con: duckdb.DuckDBPyConnection,
    scope: Scope,
    *,
    task: str = "",
    success: Mapping[str, Sequence[str]] | None = None,
    user: str = "tags.user",
    top_by: str = "customer",
    top: int = 10,
) -> Units:
    """Unit costs of a scope. `task` and `user`: the dimensions that name a task and a user (users
    are left out where nothing names one); `success`: the values that make a call, or with `task`
    its task, a success. Raises `ScopeError`."""
    total = spend(con, scope=scope).total
    made = [Unit("call", total.calls - total.unpriced_calls, total.cost_pico, None)]
    named = {"session": "session", "user": user, "customer": "customer"}
    for name, column in (named | ({"task": task} if task else {})).items():
        count, cost = _distinct(con, scope, column)
        if name == "user" and not count:
            continue
        made.append(Unit(name, count, cost, _share(cost, total.cost_pico)))
    if success:
        won = _successes(con, scope, success, task)
        made.append(Unit("successful outcome", won, total.cost_pico, None))
    missed, in_session = _missed(con, scope)
    failed = [r for r in spend(con, ["failed"], scope).rows if r.keys[0]]
    ranked = [r for r in spend(con, [top_by], scope).rows if r.keys[0] is not None]
    return Units(
        total, tuple(made), total.cache_savings_pico, missed,
        in_session / total.calls if total.calls else 0.0,
        sum(r.calls for r in failed), sum(r.cost_pico for r in failed),
        tuple((show_value(r.keys[0], top_by), r) for r in ranked[:top]), top_by,
    )  # fmt: skip


def _share(part: int, whole: int) -> float:
    return float(Fraction(part, whole)) if whole else 0.0


def _distinct(con: duckdb.DuckDBPyConnection, scope: Scope, name: str) -> tuple[int, int]:
    """How many different values of a dimension the priced calls have, and what those cost."""
    expression, bound = dimension(name, scope.zone)
    where, values = scope.clause()
    count, cost = con.execute(
        "SELECT count(DISTINCT k) FILTER (s < 3), coalesce(sum(c) FILTER (k IS NOT NULL), 0) FROM ("
        f"SELECT {expression} AS k, u.cost_pico AS c, u.severity AS s"
        f" FROM {routed_from()} WHERE {where})",
        bound + values,
    ).fetchall()[0]
    return int(count), int(cost)


def _successes(
    con: duckdb.DuckDBPyConnection, scope: Scope, success: Mapping[str, Sequence[str]], task: str
) -> int:
    where, values = scope.clause()
    won, wanted = Scope(zone=scope.zone, where=success).clause()
    if task:
        expression, bound = dimension(task, scope.zone)
        what = f"count(DISTINCT {expression})"
    else:
        what, bound = "sum(u.requests)", []
    (count,) = con.execute(
        f"SELECT coalesce({what}, 0) FROM {routed_from()} WHERE ({where}) AND ({won})",
        bound + values + wanted,
    ).fetchall()[0]
    return int(count)


def _missed(con: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[int, int]:
    """Savings missed at most (pico-dollars), and the calls that name a session."""
    where, values = scope.clause()
    read = " + ".join(f"coalesce(u.{m}, 0)" for m in CACHE_READ)
    missed, calls = con.execute(
        "SELECT coalesce(sum(least(greatest(least(before, size) - hit, 0), fresh)::HUGEINT"
        " * greatest(full_price - cached_price, 0)) FILTER (before IS NOT NULL), 0),"
        " coalesce(sum(n), 0) FROM ("
        f"SELECT u.requests AS n, u.input_total AS size, {read} AS hit,"
        " coalesce(u.input_uncached, 0) AS fresh, v.p_input_uncached AS full_price,"
        " v.p_cache_read AS cached_price, lag(u.input_total) OVER"
        " (PARTITION BY u.session, u.route_id ORDER BY u.occurred_at, u.call_key) AS before"
        f" FROM {priced_from()} WHERE ({where}) AND u.session IS NOT NULL)",
        values,
    ).fetchall()[0]
    return int(missed), int(calls)
