"""Roll up: a lake's calls summed into cells that no price's edge crosses.

The same cells as `dashboards.queries.cells`, as an ibis expression: equality and comparison, sums
and CASE, calendar buckets; no ASOF join, no quarter-hours, no quantiles. Sums are DECIMAL(38,0):
engines that let BIGINT sums wrap do not get any. Days are cut in the reader's time zone by adding
the zone's offset of that instant, which is found here and not left to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboards.lake.calls import PLAIN, ROUTE_KEYS, tag_column, tags_of
from dashboards.lake.engine import Lake, load_ibis
from dashboards.queries.cells import Edges
from dashboards.queries.scope import SIMULATED, zone_info
from pricing.meters import COUNTED

if TYPE_CHECKING:
    import pyarrow as pa

_FINEST = {
    "hour": ("hour", "hour_of_day"), "day": ("day", "weekday", "week"),
    "month": ("month", "quarter"), "year": ("year",),
}  # fmt: skip
_UNITS = {"hour": "h", "day": "D", "month": "M", "year": "Y"}


def reach(lake: Lake, calls: Any) -> list[dict[str, Any]]:
    """What there is, by route: first and last instant, largest prompt, and which meters."""
    keys = {name: calls[name].fill_null("") for name in ROUTE_KEYS}
    named = calls.mutate(**{f"r_{name}": value for name, value in keys.items()})
    found = named.group_by([f"r_{name}" for name in ROUTE_KEYS]).aggregate(
        first=named.occurred_at.min(),
        last=named.occurred_at.max(),
        largest=named.input_total.max(),
        real=(named.source_format != SIMULATED).cast("int8").max(),
        **{f"has_{m}": named[m].max() for m in COUNTED},
    )
    return lake.rows(found).to_pylist()


def shifts(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, timedelta]]:
    """A zone's offsets from UTC between two instants (naive UTC): from when, and how much."""
    info = zone_info(zone)

    def offset(at: datetime) -> timedelta:
        return at.replace(tzinfo=UTC).astimezone(info).utcoffset() or timedelta()

    found = [(datetime.min, offset(first))]
    at = first
    while at < last:
        step = min(at + timedelta(days=1), last)
        if offset(step) != found[-1][1]:
            low, high = at, step  # the change lies in (low, high]
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            edge = high.replace(microsecond=0)
            found.append((edge, offset(high)))
        at = step
    return found


def _local(column: Any, zone: str, first: datetime, last: datetime) -> Any:
    """An instant as the zone's wall-clock time."""
    ibis = load_ibis()

    found = shifts(zone, first, last)

    def shifted(by: timedelta) -> Any:
        seconds = int(by.total_seconds())
        return column + ibis.interval(seconds=seconds) if seconds else column

    if len(found) == 1:
        return shifted(found[0][1])
    later = [(column >= start, shifted(by)) for start, by in reversed(found[1:])]
    return ibis.cases(*later, else_=shifted(found[0][1]))


def _position(value: Any, edges: Sequence[Any]) -> Any:
    """Which interval between sorted edges a value is in, as a sum of comparisons."""
    ibis = load_ibis()

    return sum(((value >= edge).cast("int64") for edge in edges), ibis.literal(0).cast("int64"))


@dataclass(frozen=True, slots=True)
class Cut:
    """Calls with the cell that each is in: `keys` name the columns that say which."""

    table: Any
    keys: tuple[str, ...]
    single: bool


def cut(
    calls: Any,
    names: Iterable[str],
    zone: str,
    edges: Edges,
    *,
    first: datetime,
    last: datetime,
    totals: Sequence[int] = (),
    answers: Sequence[int] = (),
) -> Cut:
    """Say of every call in which cell it is: of the dimensions named, between which edges.

    `totals` and `answers` are limits (context windows, longest answers) that single calls are to
    be counted above.
    """
    wanted = set(names)
    grouped: dict[str, Any] = {f"r_{name}": calls[name].fill_null("") for name in ROUTE_KEYS}
    grouped |= {name: calls[name] for name in PLAIN if name in wanted}
    grouped |= {tag_column(n): calls[tag_column(n)] for n in range(len(tags_of(wanted)))}
    unit = next((u for u, needs in _FINEST.items() if wanted & set(needs)), None)
    if unit is not None:
        grouped["period"] = _local(calls.occurred_at, zone, first, last).truncate(_UNITS[unit])
    clock = calls.occurred_at.hour().cast("int64") * 60 + calls.occurred_at.minute().cast("int64")
    sized = calls.input_total + calls.output_total
    parts = {
        "c_time": (calls.occurred_at, edges.times),
        "c_size": (calls.input_total, edges.sizes),
        "c_minute": (clock, edges.minutes),
        "c_total": (sized, [n + 1 for n in sorted(set(totals))]),
        "c_answer": (calls.output_total, [n + 1 for n in sorted(set(answers))]),
    }
    grouped |= {name: _position(value, at) for name, (value, at) in parts.items() if at}
    if edges.weekdays:
        grouped["c_weekday"] = calls.occurred_at.day_of_week.index().cast("int64")
    single = bool(totals or answers)
    if single:
        grouped["c_single"] = calls.requests == 1
    keys = (*grouped, "source_format", "kinds", "time_assumed", "failed")
    return Cut(calls.mutate(**grouped, _sized=sized), keys, single)


def roll_up(lake: Lake, calls: Cut, meters: Sequence[str]) -> pa.Table:
    """Sum calls into their cells: one row a cell.

    Where single calls are told apart, a cell says its longest one (columns `longest` and
    `longest_output`, empty for rows that are sums of several requests).
    """
    ibis = load_ibis()

    table = calls.table

    def total(column: Any) -> Any:
        return column.cast("decimal(18, 0)").sum().cast("decimal(38, 0)")

    longest = {}
    if calls.single:
        nothing = ibis.literal(None).cast("int64")
        longest = {
            "longest": ibis.cases((table.c_single, table._sized), else_=nothing).max(),
            "longest_output": ibis.cases((table.c_single, table.output_total), else_=nothing).max(),
        }
    return lake.rows(
        table.group_by(calls.keys).aggregate(
            first=table.occurred_at.min(),
            smallest=table.input_total.min(),
            n=total(table.requests),
            tokens_in=total(table.input_total),
            tokens_out=total(table.output_total),
            stated=table.source_cost_usd.cast("decimal(38, 12)").sum(),
            **{f"s_{m}": total(table[m]) for m in meters},
            **longest,
        )
    )
