"""The outlook: volume forecast per leaf, priced at the rates in force on each coming day.

    seen = look_ahead(con, catalogue, ["team", "variant"], Scope(), horizon=30)
    seen.money()                      # (paths, days) USD of everything
    seen.money(team="search")         # a parent is the sum of its children on every path
    seen.end_of(span)                 # (P10, P50, P90) of a period, spend to date included

Volume first, price second: an announced price is simply another integer from its day on, and a
scenario (`price_change`, `move`, `launch`) shares every path with the base, so the difference is
its effect. Where a leaf's traffic falls into several price bands, the mix of its last four weeks
is the mix of its future. Scenarios are in `scenarios`.

If nothing has come in for more than two days the forecast starts on the day after the newest call
and says so: a month of silence is far more often a log that was not imported than a real zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from budgets.spend.outlook import period_end
from budgets.spend.periods import Span
from dashboards.forecasting.coming import ALL_BANDS, coming_prices
from dashboards.forecasting.paths import Rung, weekday_profile
from dashboards.forecasting.portfolio import Portfolio, forecast_portfolio
from dashboards.forecasting.shares import Grouping, Shares, grouped, split
from dashboards.forecasting.tuning import HISTORY
from dashboards.queries.scope import Scope, zone_info
from dashboards.queries.volume import Leaf, Volumes, first_and_last, volumes
from pricing.catalogue import Catalogue
from pricing.meters import METERS

if TYPE_CHECKING:
    import duckdb

Floats = NDArray[np.float64]
Where = Mapping[str, str | Sequence[str]]
PICO = 10**12
FEW_DAYS = 28
LEAVES = ("team", "variant")
"""Dimensions every forecast is made by, whatever is shown: so every view gives one answer."""
LENGTHS = (100, 400)
"""Days forecast, whatever is asked for: a month's end is the same seen alone or in a quarter."""


class ForecastError(ValueError):
    """A forecast or a scenario that cannot be made as asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Priced forecast paths of every leaf, and the actual days they continue."""

    seen: Volumes
    """Complete days before `start`, with what was counted on `start` itself in `today`."""
    start: date
    """First day forecast."""
    dates: NDArray[np.datetime64]
    portfolio: Portfolio[Leaf | tuple[str, ...]]
    """Forecasts of the leaves that stand alone, and of groups of small ones."""
    units: Shares[Leaf]
    """(paths, days) units still to come; what was already used on the first day is taken off."""
    prices: dict[Leaf, list[int] | None]
    """Pico-dollars per unit by day; None: no price."""
    today: dict[Leaf, tuple[int, int]]
    """Units and pico-dollars already counted on the first day."""
    stands: dict[Leaf, Rung]
    """How much history each leaf's forecast rests on."""
    notes: tuple[str, ...] = ()
    extra: dict[str, Floats] = field(default_factory=dict)
    """Launches: USD paths that belong to no leaf."""
    _groups: dict[tuple[str, ...], list[Leaf]] = field(default_factory=dict, init=False, repr=False)
    """Leaves by their dimensions: pages ask for hundreds of selections of thousands of leaves."""
    _usd: dict[Leaf, Floats] = field(default_factory=dict, init=False, repr=False)
    """USD a unit on each day, of the leaves that have a price."""
    _middle: list[Floats] = field(default_factory=list, init=False, repr=False)
    """(days,) mean over the paths of each base."""

    def __post_init__(self) -> None:
        """Group the leaves; lay the prices out as arrays."""
        for leaf in self.units:
            self._groups.setdefault(leaf.keys, []).append(leaf)
            price = self.prices[leaf]
            if price is not None:
                self._usd[leaf] = np.array([float(p) for p in price]) / PICO
        self._middle.extend(base.mean(axis=0) for base in self.units.bases)

    def leaves(self, where: Where | None = None) -> list[Leaf]:
        """The leaves whose dimensions have the given value, or one of the given values."""
        at = {
            self.seen.by.index(name): (value,) if isinstance(value, str) else tuple(value)
            for name, value in (where or {}).items()
        }
        if len(at) == len(self.seen.by) and all(len(v) == 1 for v in at.values()):
            return list(self._groups.get(tuple(at[n][0] for n in range(len(at))), ()))
        chosen = [g for g in self._groups if all(g[n] in v for n, v in at.items())]
        return [leaf for group in chosen for leaf in self._groups[group]]

    def priced(self, where: Where | None = None) -> bool:
        """Whether any leaf that matches has a price on the days ahead; without one, what it will
        cost is unknown. Where nothing matches there is nothing unknown either."""
        chosen = self.leaves(where)
        return not chosen or any(leaf in self._usd for leaf in chosen)

    def money(self, where: Where | None = None, within: NDArray[np.bool_] | None = None) -> Floats:
        """(paths, days) USD still to come: of everything, or of the leaves that match; on all days
        forecast, or on those `within` (see `ahead`)."""
        each = {leaf: self._usd[leaf] for leaf in self.leaves(where) if leaf in self._usd}
        total = self.units.weighted(each, within)
        if not where:
            for paths in self.extra.values():
                part = paths if within is None else paths[:, within]
                total = part if total is None else total + part
        if total is None:
            return np.zeros((2, len(self.dates) if within is None else int(within.sum())))
        return total

    def tokens(self, where: Where | None = None) -> Floats:
        """(paths, days) tokens still to come, priced or not."""
        one = np.ones(len(self.dates))
        chosen = {f: one for f in self.leaves(where) if METERS[f.meter].unit == "token"}
        total = self.units.weighted(chosen)
        return np.zeros((2, len(self.dates))) if total is None else total

    def spent(self, span: Span, where: Where | None = None) -> int:
        """Pico-dollars already spent in a span; the span must lie within the days seen."""
        total = 0
        inside = [n for n, day in enumerate(self.seen.days) if day in span]
        for leaf in self.leaves(where):
            row = self.seen.cost.get(leaf)
            if row is not None:
                total += sum(row[n] for n in inside)
            if self.start in span:
                total += self.today.get(leaf, (0, 0))[1]
        return total

    def history(self, scope: Scope) -> Scope:
        """The calls of a scope that this forecast rests on."""
        first, end = (
            datetime(d.year, d.month, d.day)
            for d in (self.seen.days[0], self.start + timedelta(days=1))
        )
        return replace(scope, since=first, until=end)

    def ahead(self, span: Span) -> NDArray[np.bool_]:
        """Which forecast days lie in a span. Raises `ForecastError` if the span goes on longer."""
        last = self.start + timedelta(days=len(self.dates))
        if span.until > last:
            raise ForecastError(f"the forecast ends on {last}, before {span.until}")
        low, high = np.datetime64(span.since, "D"), np.datetime64(span.until, "D")
        return (self.dates >= low) & (self.dates < high)

    def end_of(self, span: Span, where: Where | None = None) -> tuple[float, ...]:
        """P10, P50 and P90 of a span's total in USD, what is spent included."""
        paths = self.money(where, self.ahead(span))
        return tuple(float(v) for v in period_end(paths, self.spent(span, where) / PICO))

    def rungs(self, where: Where | None = None) -> dict[Rung, float]:
        """Share of the forecast money that stands on each rung, largest first."""
        share: dict[Rung, float] = {}
        for leaf in self.leaves(where):
            rung, usd = self.stands.get(leaf), self._usd.get(leaf)
            if rung is None or usd is None:
                continue
            weight = sum(
                float((self._middle[number] * part * usd).sum())
                for number, part in self.units.terms[leaf].items()
            )
            share[rung] = share.get(rung, 0.0) + weight
        total = sum(share.values())
        ranked = sorted(share.items(), key=lambda r: -r[1])
        return {rung: value / total if total else 0.0 for rung, value in ranked}


def starting_day(
    con: duckdb.DuckDBPyConnection, scope: Scope, now: datetime | None = None
) -> tuple[date, str]:
    """The first day to forecast, and a note when that is not today. Raises `ForecastError`."""
    here = (now or datetime.now(UTC)).astimezone(zone_info(scope.zone)).date()
    known = first_and_last(con, scope)
    if known is None:
        raise ForecastError("there are no calls in that scope: nothing to forecast from")
    newest = known[1].date()
    if newest >= here - timedelta(days=2):
        return here, ""
    return newest + timedelta(days=1), (
        f"the newest call is of {newest}: the forecast starts there, not today (--as-of changes it)"
    )


def look_ahead(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    by: Sequence[str],
    scope: Scope,
    *,
    horizon: int,
    start: date | None = None,
    since: date | None = None,
    now: datetime | None = None,
    paths: int = 300,
    seed: int = 0,
) -> Outlook:
    """Forecast a scope's leaves for `horizon` days from `start` (default: today).

    The scope's own edges are ignored: history is the 180 days before `start`, or from `since` if
    that is earlier (so that a period's spend to date is whole). Raises `ForecastError`.
    """
    if horizon < 1:
        raise ForecastError(f"the horizon must be at least one day, got {horizon}")
    whole = replace(scope, since=None, until=None)
    by = tuple(dict.fromkeys((*LEAVES, *by)))
    note = ""
    if start is None:
        start, note = starting_day(con, Scope(zone=scope.zone), now)
    known = first_and_last(con, whole)
    if known is None or known[0].date() >= start:
        raise ForecastError(f"there are no calls before {start}: nothing to forecast from")
    oldest = max(known[0].date(), start - timedelta(days=HISTORY))
    if since is not None:
        oldest = min(oldest, max(since, known[0].date()))
    seen = volumes(con, by, whole, since=oldest, until=start)
    partly = volumes(con, by, whole, since=start, until=start + timedelta(days=1))
    today = {leaf: (partly.units[leaf][0], partly.cost[leaf][0]) for leaf in partly.units}
    series, days = _series(seen, today)
    dates = np.datetime64(start, "D") + np.arange(horizon)
    prices: dict[Leaf, list[int] | None] = {}
    for leaf in series:
        mix = seen.bands.get(leaf) or partly.bands.get(leaf) or {ALL_BANDS: 1}
        prices[leaf] = coming_prices(catalogue, leaf.card, leaf.meter, mix, dates)
    worth = {leaf: (row[0] / PICO if row else 0.0) for leaf, row in prices.items()}
    made = grouped(series, worth, {leaf: leaf.keys[0] for leaf in series})
    rows: dict[Leaf | tuple[str, ...], Floats] = {leaf: series[leaf] for leaf in made.alone}
    rows |= made.series
    length = next((n for n in LENGTHS if n >= horizon), horizon)
    profiles = _profiles(series, days, made.alone)
    portfolio = forecast_portfolio(rows, days, length, paths=paths, seed=seed, profiles=profiles)
    used = _used(made, today, worth)
    bases: list[Floats] = []
    for key, forecast in portfolio.leaves.items():
        base = forecast.paths[:, :horizon].copy()
        base[:, 0] = np.maximum(base[:, 0] - used.get(key, 0.0), 0.0)
        bases.append(base)
    numbers: dict[object, int] = {key: n for n, key in enumerate(portfolio.leaves)}
    units = Shares(bases, split(made, series, numbers, horizon))
    stands = {leaf: portfolio.leaves[leaf].rung for leaf in made.alone}
    stands |= {k: portfolio.leaves[g].rung for g, held in made.groups.items() for k in held}
    notes = [note] if note else []
    if made.groups:
        count = sum(map(len, made.groups.values()))
        notes.append(
            f"{count:,} smaller series (team, variant and meter), {made.part:.0%} of the last four "
            "weeks' cost, are forecast together by team and split as they were used in those weeks"
        )
    notes += _unpriced_notes(seen, units, prices)
    return Outlook(seen, start, dates, portfolio, units, prices, today, stands, tuple(notes))


def _used(
    made: Grouping[Leaf], today: Mapping[Leaf, tuple[int, int]], worth: Mapping[Leaf, float]
) -> dict[Leaf | tuple[str, ...], float]:
    """What was already used on the first day, in the units of each series that is forecast."""
    used: dict[Leaf | tuple[str, ...], float] = {leaf: float(n) for leaf, (n, _) in today.items()}
    for group, held in made.groups.items():
        used[group] = sum(today[k][0] * (worth[k] or 1.0) for k in held if k in today)
    return used


def _series(
    seen: Volumes, today: Mapping[Leaf, tuple[int, int]]
) -> tuple[dict[Leaf, Floats], NDArray[np.datetime64]]:
    """History of each leaf as the forecaster takes it; a leaf born today has zeros so far."""
    length = len(seen.days)
    series = {leaf: np.array(row, dtype=np.float64) for leaf, row in seen.units.items()}
    for leaf in today:
        series.setdefault(leaf, np.zeros(length))
    return series, np.array(seen.days, dtype="datetime64[D]")


def _profiles(
    series: Mapping[Leaf, Floats], days: NDArray[np.datetime64], alone: Sequence[Leaf]
) -> dict[Leaf | tuple[str, ...], Floats]:
    """The weekday profile a young leaf inherits: of everything its first dimension's value uses."""
    together: dict[tuple[str, ...], Floats] = {}
    for leaf, row in series.items():
        group = leaf.keys[:1]
        together[group] = together[group] + row if group in together else row
    found: dict[tuple[str, ...], Floats] = {}
    out: dict[Leaf | tuple[str, ...], Floats] = {}
    for leaf in alone:
        row = series[leaf]
        active = np.flatnonzero(row)
        if len(active) and len(row) - active[0] < FEW_DAYS <= len(row):
            group = leaf.keys[:1]
            if group not in found:
                found[group] = weekday_profile(together[group], days)
            out[leaf] = found[group]
    return out


def _unpriced_notes(
    seen: Volumes, units: Shares[Leaf], prices: Mapping[Leaf, list[int] | None]
) -> list[str]:
    """What the money does not hold, in words."""
    expected: dict[str, float] = {}
    for leaf in units:
        if prices[leaf] is None:
            name = leaf.card.variant if leaf.card else _named(seen, leaf)
            middle = float(np.median(units[leaf].sum(axis=1)))
            expected[name] = expected.get(name, 0.0) + middle
    return [
        f"{name} has no price on the days ahead: about {count:,.0f} units are not in the money"
        for name, count in sorted(expected.items(), key=lambda e: -e[1])
        if count >= 1
    ]


def _named(seen: Volumes, leaf: Leaf) -> str:
    return leaf.keys[seen.by.index("variant")] if "variant" in seen.by else "/".join(leaf.keys)
