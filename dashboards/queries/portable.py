"""The core questions over a lake, defined once for every engine: price, roll up, report, compare.

The definitions are ibis expressions, compiled to DuckDB's or Spark's SQL (optional extra `spark`);
Spark Connect reaches a cluster, or a server such as Sail, at `sc://host:port`. They keep to what
all engines agree on: equality and range joins, sums, CASE, whole-hour and calendar buckets. Money
is DECIMAL(38,0) whole pico-dollars throughout: engines that let BIGINT sums wrap do not get any.

Like the store's own queries they sum calls into *cells* first (a route, a price period, a prompt
size, an hour window, the kinds of meters counted), where prices are linear; the few hundred cells
then meet the prices here, in one exact way for both engines.

    lake = open_lake(Path("lake"))                               # DuckDB in this process
    lake = open_lake(Path("lake"), "sc://127.0.0.1:50051")       # Spark Connect
    report(lake, catalogue, by=["team", "month"]).total.cost_usd
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dashboards.queries.compare import CompareRow, Comparison, Target, parse_target
from dashboards.queries.scope import SIMULATED, ScopeError
from dashboards.queries.spend import Spend, SpendRow
from pricing import sql
from pricing.catalogue import Catalogue, Route
from pricing.meters import CACHE_READ, CACHE_WRITE, COUNTED, METERS
from pricing.rates import ALL_WEEK, DAY_MINUTES, NO_LIMIT, RateVector

ROUTE_KEYS = ("provider", "seller_stated", "model", "tier_stated", "region")
PLAIN = (
    "effort", "team", "project", "feature", "customer", "environment", "session", "failed",
)  # fmt: skip
ROUTED = ("provider", "seller", "model", "variant", "tier", "region")
BUCKETS = {"hour": "h", "day": "D", "week": "W", "month": "M", "quarter": "Q", "year": "Y"}
DIMENSIONS = (*ROUTED, *PLAIN, "format", "status", *BUCKETS)
"""What a lake can be broken down by. Days and months are UTC: time zones differ by engine."""


class EngineError(Exception):
    """The engine or the lake cannot be used; the message says what to do."""


@dataclass(slots=True)
class Lake:
    """An open lake: an ibis connection, the calls in it (each once), and its engine's name."""

    con: Any
    calls: Any
    engine: str


def open_lake(path: Path, engine: str = "duckdb") -> Lake:
    """Open a lake on `duckdb` (in this process) or on Spark Connect (`sc://host:port`).

    Raises `EngineError` when the extra is not installed, the engine does not answer, or the lake
    holds no usage. A Spark server must see the lake under the same path.
    """
    try:
        import ibis  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise EngineError(
            "queries over a lake need the extra `spark`: pip install 'tokenbooks[spark]'"
        ) from error
    folder = path.resolve() / "usage"
    if next(folder.glob("date=*/*.parquet"), None) is None:
        raise EngineError(f"{path} holds no usage: write some with `tokenbooks lake export`")
    if engine == "duckdb":
        con = ibis.duckdb.connect()
        con.raw_sql("SET TimeZone = 'UTC'")
        con.raw_sql("SET enable_progress_bar = false")
        usage = con.read_parquet(str(folder / "date=*" / "*.parquet"), hive_partitioning=True)
    elif engine.startswith("sc://"):
        con = _spark(engine)
        usage = con.read_parquet(str(folder))
    else:
        raise EngineError(f"unknown engine {engine!r}; use duckdb or sc://host:port")
    return Lake(con, _each_once(usage), engine)


def _spark(address: str) -> Any:
    try:
        import ibis  # pyright: ignore[reportMissingImports]
        from pyspark.sql import SparkSession  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise EngineError(
            "Spark Connect needs the extra `spark`: pip install 'tokenbooks[spark]'"
        ) from error
    try:
        session = SparkSession.builder.remote(address).getOrCreate()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        return ibis.pyspark.connect(session)
    except Exception as error:
        raise EngineError(f"{address} does not answer: {str(error).splitlines()[0]}") from error


def _each_once(usage: Any) -> Any:
    """One row a call: the final sighting, then the larger, then the more detailed one."""
    import ibis  # pyright: ignore[reportMissingImports]

    counted = sum(((usage[m].fill_null(0) > 0).cast("int64") for m in COUNTED), ibis.literal(0))
    ranked = usage.mutate(
        _final=(usage.finality == "final").cast("int64"),
        _total=usage.input_total + usage.output_total,
        _kinds=counted,
        _timed=(~usage.time_assumed).cast("int64"),
    )
    order = [
        ranked._final.desc(), ranked._total.desc(), ranked._kinds.desc(), ranked._timed.desc(),
        ranked.occurred_at, ranked.source_format, ranked.line,
    ]  # fmt: skip
    place = ibis.row_number().over(ibis.window(group_by=ranked.call_key, order_by=order))
    placed = ranked.mutate(_place=place)
    return placed.filter(placed._place == 0).drop("_final", "_total", "_kinds", "_timed", "_place")


@dataclass(slots=True)
class _Group:
    """Calls of one cell: who they are, and their exact sums."""

    keys: tuple[Any, ...]
    route: tuple[str | None, ...]
    first: datetime
    smallest: int
    kinds: int
    time_assumed: bool
    requests: int
    sums: Mapping[str, int]
    source_cost: Decimal | None
    failed: int
    input_total: int
    output_total: int


def _edges(values: Iterable[Any], low: Any, high: Any) -> list[Any]:
    return sorted({v for v in values if low < v <= high})


def _position(value: Any, edges: Sequence[Any]) -> Any:
    """Which interval between sorted edges a value is in, as a sum of comparisons."""
    import ibis  # pyright: ignore[reportMissingImports]

    return sum(((value >= edge).cast("int64") for edge in edges), ibis.literal(0).cast("int64"))


def _scoped(
    lake: Lake, since: datetime | None, until: datetime | None, where: Mapping[str, Sequence[str]]
) -> Any:
    calls = lake.calls
    if since is not None:
        calls = calls.filter(calls.occurred_at >= since)
    if until is not None:
        calls = calls.filter(calls.occurred_at < until)
    if "format" not in where:
        calls = calls.filter(calls.source_format != SIMULATED)
    for name, wanted in where.items():
        if name not in PLAIN:
            raise ScopeError(f"a lake is filtered by {', '.join(PLAIN)}, not by {name!r}")
        column = calls[name].cast("string")
        test = column.isin([w for w in wanted if w])
        calls = calls.filter(test | column.isnull() if "" in wanted else test)
    return calls


def _rows(lake: Lake, expression: Any) -> list[dict[str, Any]]:
    return lake.con.to_pyarrow(expression).to_pylist()


def _cells(
    lake: Lake, calls: Any, by: Sequence[str], catalogue: Catalogue, extra: Sequence[RateVector]
) -> tuple[list[_Group], dict[tuple[str | None, ...], Route]]:
    """Sum calls into cells that no price's edge crosses, and the route of each."""
    import ibis  # pyright: ignore[reportMissingImports]

    reach = _rows(
        lake,
        calls.aggregate(
            first=calls.occurred_at.min(),
            last=calls.occurred_at.max(),
            largest=calls.input_total.max(),
            **{f"has_{m}": calls[m].max() for m in COUNTED},
        ),
    )[0]
    if reach["first"] is None:
        return [], {}
    meters = [m for m in COUNTED if reach[f"has_{m}"]]
    keys = {name: calls[name].fill_null("") for name in ROUTE_KEYS}
    named = _rows(lake, calls.select(**keys).distinct())
    routes = {
        tuple(row[k] for k in ROUTE_KEYS): catalogue.route(
            row["provider"], row["model"] or None, seller=row["seller_stated"] or None,
            tier=row["tier_stated"] or None, region=row["region"] or None,
        )
        for row in named
    }  # fmt: skip
    vectors = [*extra]
    for route in routes.values():
        vectors += catalogue.vectors(route.card) if route.card is not None else ()
    times = _edges((t for v in vectors for t in (v.valid_from, v.valid_to)), reach["first"],
                   reach["last"])  # fmt: skip
    sizes = _edges((n for v in vectors for n in (v.min_input, v.max_input)), 0,
                   min(reach["largest"], NO_LIMIT - 1))  # fmt: skip
    minutes = _edges((m for v in vectors for m in (v.minute_from, v.minute_to)), 0,
                     DAY_MINUTES - 1)  # fmt: skip
    weekly = any(v.weekdays != ALL_WEEK for v in vectors)
    clock = calls.occurred_at.hour().cast("int64") * 60 + calls.occurred_at.minute().cast("int64")
    none = ibis.literal(0).cast("int64")
    grouped = {f"r_{n}": keys[name] for n, name in enumerate(ROUTE_KEYS)}
    for n, name in enumerate(by):
        if name in PLAIN:
            grouped[f"k_{n}"] = calls[name]
        elif name == "format":
            grouped[f"k_{n}"] = calls.source_format
        elif name in BUCKETS:
            grouped[f"k_{n}"] = calls.occurred_at.truncate(BUCKETS[name])
        elif name not in DIMENSIONS:
            raise ScopeError(f"a lake has no dimension {name!r} (known: {', '.join(DIMENSIONS)})")
    table = calls.mutate(
        **grouped,
        c_time=_position(calls.occurred_at, times),
        c_size=_position(calls.input_total, sizes),
        c_minute=_position(clock, minutes),
        c_day=calls.occurred_at.day_of_week.index().cast("int64") if weekly else none,
    )

    def total(column: Any) -> Any:
        return column.cast("decimal(18, 0)").sum().cast("decimal(38, 0)")

    found = table.group_by([
        *grouped, "c_time", "c_size", "c_minute", "c_day", "kinds", "time_assumed",
    ]).aggregate(
        first=table.occurred_at.min(),
        smallest=table.input_total.min(),
        n=total(table.requests),
        n_failed=total(ibis.cases((table.failed, table.requests), else_=0)),
        tokens_in=total(table.input_total),
        tokens_out=total(table.output_total),
        stated=table.source_cost_usd.cast("decimal(38, 12)").sum(),
        **{f"s_{m}": total(table[m]) for m in meters},
    )  # fmt: skip
    groups = [
        _Group(
            tuple(row.get(f"k_{n}") for n in range(len(by))),
            tuple(row[f"r_{n}"] for n in range(len(ROUTE_KEYS))),
            row["first"], row["smallest"], row["kinds"], row["time_assumed"], int(row["n"]),
            {m: int(row[f"s_{m}"] or 0) for m in meters}, row["stated"], int(row["n_failed"]),
            int(row["tokens_in"]), int(row["tokens_out"]),
        )
        for row in _rows(lake, found)
    ]  # fmt: skip
    return groups, routes


def _vector(vectors: Sequence[RateVector], group: _Group, at: datetime | None) -> RateVector | None:
    return next((v for v in vectors if v.covers(at or group.first, group.smallest)), None)


def _price(
    group: _Group, vectors: Sequence[RateVector], at: datetime | None = None
) -> tuple[int | None, bool, bool]:
    """A cell's cost in pico-dollars (None: no price in force), whether a counted meter has no
    price, and whether a price needed an assumption."""
    vector = _vector(vectors, group, at)
    if vector is None or group.kinds < 0:
        return None, True, False
    used = [m for m in group.sums if group.kinds & sql.meter_bit(m)]
    cost = sum(group.sums[m] * (vector.price(m) or 0) for m in used)
    cost += group.requests * (vector.price("request") or 0)
    missing = any(vector.price(m) is None for m in used)
    return cost, missing, any(m in vector.prices and vector.prices[m].assumed for m in used)


def report(
    lake: Lake,
    catalogue: Catalogue,
    by: Sequence[str] = (),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
) -> Spend:
    """What `dashboards.queries.spend.spend` answers, from a lake on any engine.

    `since` and `until` are naive UTC. Raises `ScopeError` for a dimension a lake does not have.
    """
    calls = _scoped(lake, since, until, where or {})
    groups, routes = _cells(lake, calls, by, catalogue, ())
    rows: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0] * 12 + [None])
    for group in groups:
        route = routes[group.route]
        vectors = catalogue.vectors(route.card) if route.card is not None else ()
        cost, missing, assumed = _price(group, vectors)
        status = "unpriced" if missing else route.status
        if status == "exact" and (assumed or group.time_assumed):
            status = "assumed"
        facts = {
            "provider": route.provider, "seller": route.seller, "status": status,
            "model": route.model or None, "tier": route.card.tier if route.card else route.tier,
            "variant": route.variant or (f"{route.model} (unknown)" if route.model else None),
            "region": route.region,
        }  # fmt: skip
        keys = tuple(facts.get(n, k) for n, k in zip(by, group.keys, strict=True))
        saved = _saved(group, _vector(vectors, group, None)) if group.kinds >= 0 else 0
        reads = sum(group.sums.get(m, 0) for m in CACHE_READ)
        writes = sum(group.sums.get(m, 0) for m in CACHE_WRITE)
        unpriced = group.requests if status == "unpriced" else 0
        lost = group.input_total + group.output_total if status == "unpriced" else 0
        guessed = group.requests if status in ("assumed", "fallback") else 0
        add = (
            group.requests, group.input_total, reads, writes, group.output_total,
            group.sums.get("reasoning", 0), cost or 0, saved, unpriced, lost, guessed, group.failed,
        )  # fmt: skip
        row = rows[keys]
        row[:12] = [a + b for a, b in zip(row[:12], add, strict=True)]
        if group.source_cost is not None:
            row[12] = (row[12] or Decimal(0)) + group.source_cost
    return Spend.of(by, [SpendRow(keys, *row) for keys, row in rows.items()])


def _saved(group: _Group, vector: RateVector | None) -> int:
    """What the cache saved, as `dashboards.queries.spend.cache_savings` counts it."""
    saved = 0
    for meter in (*CACHE_READ, *CACHE_WRITE):
        kind = METERS[meter].modality
        plain = (
            vector.price("input_uncached" if kind == "text" else f"input_{kind}")
            if vector
            else None
        )
        own = vector.price(meter) if vector else None
        if plain is not None and own is not None:
            saved += group.sums.get(meter, 0) * (plain - own)
    return saved


def compare(
    lake: Lake,
    catalogue: Catalogue,
    targets: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    at: datetime | None = None,
) -> Comparison:
    """What `dashboards.queries.compare.compare` answers, from a lake on any engine: one pass over
    the calls whatever the number of targets. Context windows are not checked here."""
    chosen: list[tuple[Target, Route]] = []
    extra: list[RateVector] = []
    for text in targets:
        target = parse_target(text, catalogue)
        route = catalogue.route(
            target.seller, target.variant, seller=target.seller, tier=target.tier
        )
        chosen.append((target, route))
        extra += catalogue.vectors(route.card) if route.card is not None else ()
    groups, routes = _cells(lake, _scoped(lake, since, until, where or {}), (), catalogue, extra)
    priced: list[tuple[_Group, int]] = []
    unpriced = 0
    for group in groups:
        card = routes[group.route].card
        cost, missing, _ = _price(group, catalogue.vectors(card) if card is not None else ())
        if missing or cost is None:
            unpriced += group.requests
        else:
            priced.append((group, cost))
    calls, base = sum(g.requests for g, _ in priced), sum(c for _, c in priced)
    rows = []
    for target, route in chosen:
        if route.card is None:
            rows.append(CompareRow(target, None, base, calls, 0, (route.reason,)))
            continue
        vectors = catalogue.vectors(route.card)
        carried = [(g, c, *_price(g, vectors, at)) for g, c in priced]
        kept = [
            (g, c, cost) for g, c, cost, missing, _ in carried if cost is not None and not missing
        ]
        rows.append(
            CompareRow(
                target,
                sum(cost for *_, cost in kept) if kept else None,
                sum(c for _, c, _ in kept),
                calls,
                sum(g.requests for g, *_ in kept),
            )
        )
    return Comparison(calls, unpriced, base, tuple(rows))
