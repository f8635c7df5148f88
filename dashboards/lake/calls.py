"""Each call of a lake once, in a scope: the definition that every engine runs first.

Two machines may have seen the same call, one of them early and without knowing the team. The rule
is the store's (`ingest.store.load`): the best sighting gives the counts (final before partial,
then the larger total, then the more detailed), the others fill in what it does not say. Only calls
seen more than once are sorted; all others pass by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dashboards.lake.engine import Lake, load_ibis
from dashboards.queries.scope import Scope, to_utc
from ingest.store.schema import DIMENSION_COLUMNS
from pricing.meters import COUNTED

ROUTE_KEYS = ("provider", "seller_stated", "model", "tier_stated", "region")
PLAIN = ("effort", *DIMENSION_COLUMNS, "session")
"""Text dimensions that are columns of a usage file."""
_FILLED = (*PLAIN, "seller_stated", "model", "tier_stated", "region")
_BEST = (
    "provider", *COUNTED, "input_total", "output_total", "kinds", "requests", "source_format",
    "failed",
)  # fmt: skip


def tags_of(names: Iterable[str]) -> list[str]:
    """The tags among dimension names."""
    return sorted({n.removeprefix("tags.") for n in names if n.startswith("tags.")})


def tag_column(position: int) -> str:
    """The column that holds a tag's value: a tag may be called anything."""
    return f"tag_{position}"


def calls_once(lake: Lake, tags: Sequence[str] = ()) -> Any:
    """One row a call, with a column for each tag asked for."""
    usage = lake.usage.mutate(
        **{tag_column(n): lake.usage.tags.get(tag) for n, tag in enumerate(tags)}
    )
    wanted = [
        "call_key", "occurred_at", "time_assumed", "source_cost_usd", *_BEST, *_FILLED,
        *(tag_column(n) for n in range(len(tags))),
    ]  # fmt: skip
    if lake.each_once:
        return usage.select(*wanted)
    counted = usage.group_by("call_key").aggregate(sightings=usage.count())
    often = counted.filter(counted.sightings > 1).select("call_key")
    once = usage.anti_join(often, "call_key").select(*wanted)
    again = _folded(usage.semi_join(often, "call_key"), len(tags)).select(*wanted)
    return once.union(again)


def _folded(sightings: Any, tags: int) -> Any:
    """One row a call from several sightings of it, as `ingest.store.load` folds them."""
    ibis = load_ibis()

    def nulls_last(column: Any) -> list[Any]:
        return [column.isnull().cast("int8"), column]

    kinds = sum(((sightings[m].fill_null(0) > 0).cast("int64") for m in COUNTED), ibis.literal(0))
    ranked = sightings.mutate(_kinds=kinds, _total=sightings.input_total + sightings.output_total)
    order = [
        (ranked.finality == "final").cast("int8").desc(), ranked._total.desc(),
        ranked._kinds.desc(), ranked.time_assumed.cast("int8"), ranked.occurred_at,
        ranked.source_format, ranked.provider,
        *(key for name in ("model", "tier_stated", "region", *COUNTED, "line")
          for key in nulls_last(ranked[name])),
    ]  # fmt: skip
    window = ibis.window(group_by=ranked.call_key, order_by=order)
    t = ranked.mutate(_place=ibis.row_number().over(window).cast("int64"))
    best = t._place == 0
    timed = t.occurred_at.argmin(t._place, where=~t.time_assumed)
    charge = t.source_cost_usd.argmin(
        t._place, where=(t.finality == "final") & t.source_cost_usd.notnull()
    )
    return t.group_by("call_key").aggregate(
        occurred_at=ibis.coalesce(timed, t.occurred_at.max(where=best)),
        time_assumed=t.time_assumed.cast("int8").min() == 1,
        source_cost_usd=ibis.coalesce(t.source_cost_usd.max(where=best), charge),
        **{name: t[name].max(where=best) for name in _BEST if name != "failed"},
        failed=t.failed.cast("int8").max(where=best) == 1,
        **{
            name: t[name].argmin(t._place, where=t[name].notnull())
            for name in (*_FILLED, *(tag_column(n) for n in range(tags)))
        },
    )


def scoped(calls: Any, scope: Scope) -> Any:
    """Only the calls of a period, and of the values asked for where those are columns; the rest
    of a scope is applied to the cells."""
    if scope.since is not None:
        calls = calls.filter(calls.occurred_at >= to_utc(scope.since, scope.zone))
    if scope.until is not None:
        calls = calls.filter(calls.occurred_at < to_utc(scope.until, scope.zone))
    for name, wanted in scope.where.items():
        if name in PLAIN:
            test = calls[name].isin([w for w in wanted if w])
            calls = calls.filter(test | calls[name].isnull() if "" in wanted else test)
    return calls
