"""Anomalies in stored cost: what stood out, who caused it, and what was announced beforehand.

Daily cost of leaves (team x variant x feature x API key x meter) goes through
`dashboards.anomalies`; an anomaly is set aside as *announced* when the variant behind at least
half of its excess changed a price, or was launched, in the seven days before it began. Both facts
come from the rates.

    found = store_anomalies(con, catalogue, Rules(), zone="UTC", until=date(2026, 4, 1))
    found.reported[0].causes["variant"]
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, ScopeError
from dashboards.queries.volume import Volumes, volumes
from pricing.catalogue import CardKey, Catalogue
from pricing.money import pico_from_usd, plain, usd
from pricing.rates import EPOCH, RateVector

if TYPE_CHECKING:
    import duckdb

    from dashboards.anomalies.find import Anomaly, Known

HISTORY_DAYS = 60
"""Days looked at before the first day reported."""
ANNOUNCED_DAYS = 7
KEY_TAGS = ("api_key_alias", "api_key_id", "api_key")
"""Tags that name the API key, the first that occurs in the store is a cause dimension."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`[anomalies]` of the settings.

    [anomalies]
    by = ["team"]                  # the scopes watched
    floor = "1.00"                 # least excess in USD
    threshold = 4.0                # how unusual; higher finds less
    known = [{ on = 2026-03-10, what = "relaunch", where = { team = "search" }, days = 7 }]
    """

    by: tuple[str, ...] = ("team",)
    floor_pico: int = 10**12
    threshold: float = 4.0
    known: tuple[Known, ...] = ()

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any]) -> Rules:
        """Read `[anomalies]`. Raises `ScopeError` naming the key."""
        from dashboards.anomalies.find import Known

        _keys(raw, ("by", "floor", "threshold", "known"), "anomalies")
        try:
            floor = pico_from_usd(Decimal(str(raw.get("floor", "1"))))
            threshold = float(raw.get("threshold", 4.0))
        except (InvalidOperation, ValueError) as error:
            raise ScopeError(f"anomalies: floor and threshold are numbers ({error})") from error
        known: list[Known] = []
        for entry in raw.get("known", []):
            _keys(entry, ("on", "what", "where", "days"), "anomalies.known")
            if not isinstance(entry.get("on"), date):
                raise ScopeError("anomalies.known: on must be a date such as 2026-03-10")
            what, days = str(entry.get("what", "announced")), int(entry.get("days", 7))
            known.append(Known(entry["on"], what, entry.get("where"), days))
        by = raw.get("by", ["team"])
        return cls((by,) if isinstance(by, str) else tuple(by), floor, threshold, tuple(known))


def _keys(raw: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
            raise ScopeError(f"{where}: unknown key {key!r}{hint}")


@dataclass(frozen=True, slots=True)
class Found:
    """Anomalies of a period, and those a price change or launch had announced."""

    since: date
    until: date
    reported: tuple[Anomaly, ...]
    announced: tuple[tuple[Anomaly, str], ...]
    days: int
    """Days of history the search had."""
    cost: Mapping[date, int] = field(default_factory=dict[date, int])
    """Pico-dollars of everything in scope, by day, from `HISTORY_DAYS` before `since` on."""


def store_anomalies(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    rules: Rules,
    *,
    since: date,
    until: date,
    zone: str = "UTC",
    where: Mapping[str, Sequence[str]] | None = None,
    by: Sequence[str] | None = None,
) -> Found:
    """Anomalies that begin from `since` on, before `until` (complete local days).

    Raises `ScopeError` for an unknown dimension.
    """
    import numpy as np

    from dashboards.anomalies.find import find_anomalies

    scopes = tuple(by if by is not None else rules.by)
    scope = Scope(zone=zone, where=where or {})
    causes = tuple(dict.fromkeys((*scopes, "team", "variant", "feature", *_key_tag(con))))
    seen = volumes(con, causes, scope, since=since - timedelta(days=HISTORY_DAYS), until=until)
    costs: dict[tuple[str, ...], list[int]] = {}
    for leaf, row in seen.cost.items():
        key = (*leaf.keys, leaf.meter)
        held = costs.get(key)
        costs[key] = row if held is None else [a + b for a, b in zip(held, row, strict=True)]
    if not costs:
        return Found(since, until, (), (), 0)
    # Silence before the first call is no history of spending nothing.
    first = min(next(n for n, c in enumerate(r) if c) for r in costs.values() if any(r)) if any(
        any(r) for r in costs.values()
    ) else 0  # fmt: skip
    found = find_anomalies(
        {key: row[first:] for key, row in costs.items()}, [*causes, "meter"],
        np.array(seen.days[first:], dtype="datetime64[D]"), by=scopes, floor=rules.floor_pico,
        threshold=rules.threshold, known=rules.known, since=since,
    )  # fmt: skip
    events = announcements(catalogue, seen)
    reported: list[Anomaly] = []
    announced: list[tuple[Anomaly, str]] = []
    for anomaly in found:
        what = _announced(anomaly, events)
        if what:
            announced.append((anomaly, what))
        else:
            reported.append(anomaly)
    together = (sum(column) for column in zip(*costs.values(), strict=True))
    by_day = dict(zip(seen.days, together, strict=True))
    return Found(since, until, tuple(reported), tuple(announced), len(seen.days) - first, by_day)


def usual_by_day(cost: Mapping[date, int], days: Sequence[date]) -> dict[date, int | None]:
    """What each day would usually cost: the mean of the same weekday in the four weeks before, in
    pico-dollars rounded down; None where no such day lies within the history.

    >>> usual_by_day({date(2026, 3, 2): 10, date(2026, 3, 9): 21}, [date(2026, 3, 16)])
    {datetime.date(2026, 3, 16): 15}
    """
    first = min(cost, default=date.max)
    found: dict[date, int | None] = {}
    for day in days:
        same = [day - timedelta(days=7 * n) for n in range(1, 5)]
        seen = [cost.get(d, 0) for d in same if d >= first]
        found[day] = sum(seen) // len(seen) if seen else None
    return found


def _key_tag(con: duckdb.DuckDBPyConnection) -> list[str]:
    for name in KEY_TAGS:
        if con.execute(
            "SELECT 1 FROM calls_stored WHERE tags IS NOT NULL AND tags[?] IS NOT NULL LIMIT 1",
            [name],
        ).fetchall():
            return [f"tags.{name}"]
    return []


def _cell_then_time(v: RateVector) -> tuple[int, int, int, datetime]:
    return v.min_input, v.weekdays, v.minute_from, v.valid_from


def announcements(catalogue: Catalogue, seen: Volumes) -> dict[str, list[tuple[date, str]]]:
    """Launches and price changes of the variants in use, by variant: (day, what)."""
    events: dict[str, list[tuple[date, str]]] = defaultdict(list)
    cards: dict[CardKey, set[str]] = defaultdict(set)
    for leaf in seen.units:
        if leaf.card is not None:
            cards[leaf.card].add(leaf.meter)
    for card, meters in cards.items():
        vectors = sorted(catalogue.vectors(card), key=_cell_then_time)
        first = min((v.valid_from for v in vectors), default=EPOCH)
        if first > EPOCH:
            events[card.variant].append((first.date(), f"{card.variant} launched"))
        for old, new in pairwise(vectors):
            same_cell = (old.min_input, old.weekdays, old.minute_from) == (
                new.min_input, new.weekdays, new.minute_from,
            )  # fmt: skip
            if not same_cell or old.valid_to != new.valid_from:
                continue
            if any(old.price(m) != new.price(m) for m in meters):
                text = f"{card.variant} changed its price"
                events[card.variant].append((new.valid_from.date(), text))
    return {name: sorted(set(held)) for name, held in events.items()}


def _announced(anomaly: Anomaly, events: Mapping[str, list[tuple[date, str]]]) -> str:
    """What had announced an anomaly, or nothing."""
    ranked = anomaly.causes.get("variant", [])
    if not ranked or 2 * ranked[0][1] < anomaly.excess:
        return ""
    for day, what in events.get(ranked[0][0], []):
        if day <= anomaly.first < day + timedelta(days=ANNOUNCED_DAYS):
            return f"{what} on {day}"
    return ""


def as_json(anomaly: Anomaly) -> dict[str, Any]:
    """Plain types; money as decimal strings in USD."""
    return {
        "scope": anomaly.scope,
        "kind": anomaly.kind,
        "first": anomaly.first,
        "last": anomaly.last,
        "score": round(anomaly.score, 3),
        "actual_usd": plain(usd(anomaly.actual)),
        "expected_usd": plain(usd(anomaly.expected)),
        "excess_usd": plain(usd(anomaly.excess)),
        "causes": {
            name: [{"value": value, "excess_usd": plain(usd(pico))} for value, pico in ranked]
            for name, ranked in anomaly.causes.items()
        },
    }
