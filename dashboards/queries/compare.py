"""Compare: the same stored traffic on other variants, tiers and sellers, side by side.

A target is written `[seller:]variant[@tier]`: `gpt-5-mini`, `gpt-5.2@batch`,
`cometapi:gpt-5.2`. Token counts are kept as logged (another maker's tokenizer would count a few
percent otherwise, and the answer says so); each is billed at the target's price of the same
meter, a cached token at the full input price where the target sells no cache.

Traffic is summed once into cells (`dashboards.queries.cells`), which is exact because prices are
linear inside a cell; the cards it was billed by and every target then price the few cells.

    answer = compare(con, catalogue, ["gpt-5.2@batch", "claude-opus-4-5"])
    answer.rows[0].cost_usd - answer.base.cost_usd
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dashboards.queries.cells import Extent, make_cells
from dashboards.queries.scope import Scope, ScopeError, as_cheap
from ingest.store import book
from ingest.store.rollup import is_cell_book
from ingest.store.schema import routed_from
from pricing import sql
from pricing.catalogue import Catalogue, Route
from pricing.meters import TIERS
from pricing.money import EXACT, plain, usd
from pricing.rates import RateVector
from pricing.variants import normal_seller

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Target:
    """Where traffic is repriced."""

    variant: str
    seller: str
    tier: str

    @property
    def label(self) -> str:
        """As people write it."""
        return self.variant + (f"@{self.tier}" if self.tier != "standard" else "")


@dataclass(frozen=True, slots=True)
class CompareRow:
    """One target. Money is pico-dollars over the calls that could be carried over and are priced
    today; None when the target prices nothing."""

    target: Target
    cost_pico: int | None
    base_pico: int
    calls: int
    carried_calls: int
    notes: tuple[str, ...] = ()

    @property
    def cost_usd(self) -> Decimal | None:
        """The target's cost, exact."""
        return None if self.cost_pico is None else usd(self.cost_pico)

    @property
    def difference_usd(self) -> Decimal | None:
        """Target less base, over the same calls."""
        return None if self.cost_pico is None else usd(self.cost_pico - self.base_pico)

    @property
    def per_thousand_usd(self) -> Decimal | None:
        """USD for 1,000 calls."""
        if self.cost_pico is None or not self.carried_calls:
            return None
        return EXACT.divide(usd(self.cost_pico) * 1000, Decimal(self.carried_calls))

    def as_json(self) -> dict[str, Any]:
        """Plain types; money as decimal strings in USD."""
        per = self.per_thousand_usd
        return {
            "variant": self.target.variant,
            "seller": self.target.seller,
            "tier": self.target.tier,
            "cost_usd": plain(self.cost_usd),
            "base_cost_usd": plain(usd(self.base_pico)),
            "difference_usd": plain(self.difference_usd),
            "per_1000_calls_usd": None if per is None else plain(per.quantize(Decimal("1e-12"))),
            "calls": self.calls,
            "carried_calls": self.carried_calls,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer: what the traffic cost as logged, and what it would on each target."""

    calls: int
    unpriced_calls: int
    base_pico: int
    rows: tuple[CompareRow, ...]
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "calls": self.calls,
            "unpriced_calls": self.unpriced_calls,
            "base_cost_usd": plain(usd(self.base_pico)),
            "rows": [row.as_json() for row in self.rows],
            "notes": list(self.notes),
        }


def parse_target(text: str, catalogue: Catalogue) -> Target:
    """Read `[seller:]variant[@tier]`; the seller defaults to the variant's maker.

    Raises `ScopeError` for an empty name or an unknown tier.
    """
    name, _, tier = text.strip().partition("@")
    tier = tier or "standard"
    if tier not in TIERS:
        raise ScopeError(f"unknown tier {tier!r} in {text!r}; known: {', '.join(TIERS)}")
    seller, colon, rest = name.partition(":")
    if colon and seller:
        return Target(rest, normal_seller(seller), tier)
    if not name:
        raise ScopeError(f"{text!r} names no variant")
    for maker in catalogue.sellers_of(name):
        return Target(catalogue.resolve(maker, name) or name, maker, tier)
    return Target(name, "unknown", tier)


def compare(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    targets: Sequence[str] = (),
    scope: Scope | None = None,
    *,
    at: datetime | None = None,
    now: datetime | None = None,
) -> Comparison:
    """Reprice the stored traffic of a scope on each target.

    Without targets, the variants seen in the traffic are taken, dearest first, with the batch
    tier of the first. `at` (naive UTC) prices
    the targets at that instant's rates instead of those of each call's own time: for traffic older
    than a variant. Only calls that are priced as logged are compared: the rest are counted.
    """
    where, values = (scope or Scope()).clause()
    where = as_cheap(con, where)
    chosen = [parse_target(t, catalogue) for t in targets] or _seen(con, catalogue, where, values)
    today = (now or datetime.now(UTC)).replace(tzinfo=None)
    routes: list[tuple[Target, Route, tuple[RateVector, ...]]] = []
    for target in chosen:
        route = catalogue.route(
            target.seller, target.variant, seller=target.seller, tier=target.tier
        )
        routes.append(
            (target, route, catalogue.vectors(route.card) if route.card is not None else ())
        )
    reach = make_cells(con, _CELLS, [v for _, _, vs in routes for v in vs], where, values)
    calls, unpriced, base_pico = _as_logged(con)
    limits = _over_limits(con, catalogue, [t for t, _, _ in routes], where, values)
    priced = _price_targets(con, catalogue, [route for _, route, _ in routes], reach, at)
    rows = [
        _row(catalogue, target, route, vectors, calls, base_pico, priced[n], limits.get(n), today)
        for n, (target, route, vectors) in enumerate(routes)
    ]
    con.execute(f"DROP TABLE IF EXISTS {_CELLS}")
    notes = ["token counts are kept as logged: another maker's tokenizer counts differently"]
    if unpriced:
        notes.append(f"{unpriced:,} calls have no price as logged and are left out on both sides")
    return Comparison(calls, unpriced, base_pico, tuple(rows), tuple(notes))


def seen_targets(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, scope: Scope
) -> list[Target]:
    """What traffic is compared with when nobody says: the variants seen in it, dearest first,
    and the batch tier of the first."""
    return _seen(con, catalogue, *scope.clause())


def _seen(
    con: duckdb.DuckDBPyConnection, catalogue: Catalogue, where: str, values: list[Any]
) -> list[Target]:
    rows = con.execute(
        f"SELECT r.variant, r.seller, sum(u.cost_pico) AS cost FROM {routed_from()}"
        f" WHERE {where} AND r.card_id IS NOT NULL GROUP BY ALL ORDER BY cost DESC NULLS LAST"
        " LIMIT 8",
        values,
    ).fetchall()
    targets = [Target(variant, seller, "standard") for variant, seller, _ in rows]
    if targets and "batch" in catalogue.tiers(targets[0].seller, targets[0].variant):
        targets.insert(1, Target(targets[0].variant, targets[0].seller, "batch"))
    return targets


_CELLS = "compare_cells"


def _as_logged(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Keep the cells that have a price as logged: (priced calls, unpriced calls, cost in
    pico-dollars)."""
    row = con.execute(
        "SELECT coalesce(sum(requests) FILTER (severity < 3), 0)::BIGINT,"
        " coalesce(sum(requests) FILTER (severity = 3), 0)::BIGINT,"
        f" coalesce(sum(base_pico) FILTER (severity < 3), 0) FROM {_CELLS}"
    ).fetchall()[0]
    con.execute(f"DELETE FROM {_CELLS} WHERE severity = 3")
    return int(row[0]), int(row[1]), int(row[2])


def _price_targets(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    routes: Sequence[Route],
    reach: Extent,
    at: datetime | None,
) -> dict[int, tuple[Any, ...]]:
    """The cells on every target's card at once: (calls carried over, their cost, their cost as
    logged, calls that use a meter without a price), by the target's position."""
    cards = [(n, route.card) for n, route in enumerate(routes) if route.card is not None]
    con.execute(sql.create_table("compare_vectors", sql.VECTOR_COLUMNS, temporary=True))
    book.add_vectors(con, catalogue, cards, table="compare_vectors", rates_table=None)
    moment = f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'" if at is not None else ""
    condition = sql.join_condition(card="t.n", at=moment)
    meters = reach.meters if "request" in reach.meters else (*reach.meters, "request")
    rows = con.execute(
        "SELECT n, coalesce(sum(requests) FILTER (ok), 0), sum(cost) FILTER (ok),"
        " sum(base_pico) FILTER (ok), coalesce(sum(requests) FILTER (NOT ok AND priced), 0)"
        f" FROM (SELECT t.n, u.requests, u.base_pico, {sql.cost_pico(meters=meters)} AS cost,"
        f" v.card_id IS NOT NULL AS priced, v.card_id IS NOT NULL AND NOT {sql.missing()} AS ok"
        f" FROM {_CELLS} AS u CROSS JOIN range({len(routes)}) AS t(n)"
        f" LEFT JOIN compare_vectors AS v ON {condition}) GROUP BY n"
    ).fetchall()
    con.execute("DROP TABLE compare_vectors")
    return dict.fromkeys(range(len(routes)), (0, None, None, 0)) | {r[0]: r[1:] for r in rows}


def _row(
    catalogue: Catalogue,
    target: Target,
    route: Route,
    vectors: Sequence[RateVector],
    calls: int,
    base_pico: int,
    found: tuple[Any, ...],
    over: tuple[int, int] | None,
    today: datetime,
) -> CompareRow:
    notes: list[str] = []
    if route.card is None:
        return CompareRow(target, None, base_pico, calls, 0, (route.reason,))
    carried = int(found[0])
    if carried < calls:
        gap, why = calls - carried, int(found[3])
        if why:
            notes.append(f"{why:,} calls use a meter it has no price for")
        if gap - why:
            first = min(v.valid_from for v in vectors) if vectors else None
            notes.append(
                f"{gap - why:,} calls fall outside its dated prices"
                + (f" (from {first:%Y-%m-%d})" if first else "")
            )
    variant = catalogue.variant(target.variant, target.seller)
    if over is not None and variant is not None:
        if over[0]:
            notes.append(
                f"{over[0]:,} of the calls: too long for its context of"
                f" {variant.context_window:,} tokens"
            )
        if over[1]:
            notes.append(
                f"{over[1]:,} of the answers: longer than its maximum of {variant.max_output:,}"
            )
    if variant is not None and variant.retired is not None:
        gone = variant.retired_on(today.date())
        after = f"; successor {variant.successor}" if variant.successor else ""
        notes.append(f"{'retired' if gone else 'retires'} {variant.retired:%Y-%m-%d}{after}")
    return CompareRow(
        target,
        int(found[1]) if found[1] is not None else None,
        int(found[2] or 0),
        calls,
        carried,
        tuple(notes),
    )


def _over_limits(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    targets: Sequence[Target],
    where: str,
    values: list[Any],
) -> dict[int, tuple[int, int]]:
    """Per target: calls above its context window, answers above its maximum output."""
    total, answer = "u.input_total + u.output_total", "u.output_total"
    single, counted = "u.requests = 1", "count(*)"
    if is_cell_book(con):  # all calls of a cell are on the same side of every target's limits
        total, answer = "u.longest", "u.longest_output"
        single, counted = "u.longest IS NOT NULL", "sum(u.requests)"
    tests: list[str] = []
    for target in targets:
        variant = catalogue.variant(target.variant, target.seller)
        window = variant.context_window if variant else None
        longest = variant.max_output if variant else None
        tests += [f"{total} > {int(window)}" if window else "false"]
        tests += [f"{answer} > {int(longest)}" if longest else "false"]
    if not con.execute(
        "SELECT 1 FROM (SELECT longest AS input_total, 0 AS output_total, longest,"
        f" NULL AS longest_output FROM {_CELLS}"
        f" UNION ALL SELECT 0, longest_output, NULL, longest_output FROM {_CELLS}) AS u"
        f" WHERE {' OR '.join(tests) or 'false'} LIMIT 1"
    ).fetchall():
        return {}
    # Summed rows of an aggregate mapping are no single prompt: only one-request rows count.
    counts = ", ".join(f"coalesce({counted} FILTER ({test}), 0)" for test in tests)
    row = con.execute(
        f"SELECT {counts} FROM {routed_from()} WHERE {where} AND u.severity < 3"
        f" AND {single} AND ({' OR '.join(sorted(set(tests)))})",
        values,
    ).fetchall()[0]
    return {n: (int(row[2 * n]), int(row[2 * n + 1])) for n in range(len(targets))}
