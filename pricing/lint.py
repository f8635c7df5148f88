"""Lint for price tables: what looks wrong in a list of rates, whoever wrote it.

Catalogues go wrong in the same few ways: a priority price below the standard one, an input price
without its output twin, a long-context price that one tier forgot, 0.18000000000000002. The
rules here read plain `Rate` rows, so they judge our own cards, a user's contract and another
catalogue alike. A finding says what is odd and where; whether it is an error is for a person:
published tables are sometimes odd on purpose.

>>> from pricing.rates import Rate
>>> dear = Rate("openai", "m", "cache_read", 2_000_000, checked=date(2026, 11, 20))
>>> plain = Rate("openai", "m", "input_uncached", 1_000_000, checked=date(2026, 11, 20))
>>> out = Rate("openai", "m", "output_text", 4_000_000, checked=date(2026, 11, 20))
>>> for f in lint([dear, plain, out], {}, today=date(2026, 11, 21)):
...     print(f.rule, f.message, sep=": ")
cached-above-input: cache_read on standard costs 2 USD, the uncached input_uncached 1 USD
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from pricing.lint_rules import RULES, STALE_AFTER, Severity, explain
from pricing.meters import METERS
from pricing.money import usd_per
from pricing.rates import FOREVER, NO_LIMIT, Rate
from pricing.variants import Variant

__all__ = ["RULES", "STALE_AFTER", "Finding", "Severity", "explain", "lint"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One odd thing: the rule's name, how bad, whose price, in words, and the file and tier."""

    rule: str
    severity: Severity
    seller: str
    variant: str
    message: str
    where: str


@dataclass(frozen=True, slots=True)
class _Group:
    """The rates of one (seller, variant), with what is known of the variant."""

    seller: str
    variant: str
    rates: Sequence[Rate]
    about: Variant | None
    today: date

    @property
    def live(self) -> list[Rate]:
        return [r for r in self.rates if r.in_force]

    def finding(self, rule: str, message: str, rate: Rate | None = None) -> Finding:
        origin = rate.origin if rate is not None else (self.about.origin if self.about else "")
        place = "" if rate is None else rate.tier + (f", {rate.region}" if rate.region else "")
        where = ": ".join(part for part in (origin, place) if part)
        return Finding(rule, RULES[rule][0], self.seller, self.variant, message, where)


def lint(
    rates: Sequence[Rate], variants: Mapping[str, Variant], today: date | None = None
) -> list[Finding]:
    """Every finding in `rates`, sorted by severity, seller and variant.

    `variants` maps a variant id to its facts and may be empty or partial; `today` is the day
    check dates are compared with. The same finding in several regions is told once.
    """
    day = today or date.today()
    groups: dict[tuple[str, str], list[Rate]] = {}
    for rate in rates:
        groups.setdefault((rate.seller, rate.variant), []).append(rate)
    found: dict[tuple[str, str, str, str], Finding] = {}
    for (seller, name), own in groups.items():
        group = _Group(seller, name, own, variants.get(name), day)
        for rule in _RATE_RULES:
            for finding in rule(group):
                key = (finding.rule, seller, name, finding.message)
                found.setdefault(key, finding)
    for finding in (*_variant_findings(variants), *_spelling_clashes(groups)):
        found.setdefault((finding.rule, finding.seller, finding.variant, finding.message), finding)
    order = ("error", "warning", "note")
    return sorted(
        found.values(),
        key=lambda f: (order.index(f.severity), f.seller, f.variant, f.rule, f.message),
    )


# --- comparing rates ---------------------------------------------------------------------------


def _usd(rate: Rate) -> str:
    return f"{usd_per(rate.price, METERS[rate.meter].per if rate.meter in METERS else 1)} USD"


def _size(rate: Rate) -> str:
    return f" above {rate.min_input - 1:,} tokens" if rate.min_input else ""


def _meet(a: Rate, b: Rate) -> bool:
    """Whether some instant falls into both rates' validity and hours."""
    return (
        max(a.valid_from, b.valid_from) < min(a.valid_to, b.valid_to)
        and bool(a.weekdays & b.weekdays)
        and max(a.minute_from, b.minute_from) < min(a.minute_to, b.minute_to)
    )


def _against(rate: Rate, others: Iterable[Rate]) -> list[Rate]:
    """Of `others` those that hold with `rate`: same hours, the nearest lower prompt size."""
    same = [
        o
        for o in others
        if o.min_input <= rate.min_input < o.max_input
        and o.windowed == rate.windowed
        and _meet(o, rate)
    ]
    nearest = max((o.min_input for o in same), default=0)
    return [o for o in same if o.min_input == nearest]


def _picked(
    rates: Iterable[Rate], *, meter: str | None = None, tier: str, region: str
) -> list[Rate]:
    return [
        r
        for r in rates
        if r.tier == tier and r.region == region and (meter is None or r.meter == meter)
    ]


def _tier_against_standard(g: _Group) -> Iterator[Finding]:
    live = g.live
    for rate in live:
        if rate.tier == "standard":
            continue
        for std in _against(
            rate, _picked(live, meter=rate.meter, tier="standard", region=rate.region)
        ):
            said = (
                f"{rate.meter}{_size(rate)} costs {_usd(rate)} on {rate.tier}, "
                f"{_usd(std)} on standard"
            )
            if rate.tier in ("batch", "flex") and rate.price > std.price:
                yield g.finding("cheap-tier-above-standard", said, rate)
            if rate.tier in ("priority", "fast", "ultrafast") and rate.price < std.price:
                yield g.finding("priority-below-standard", said, rate)


def _cache_against_input(g: _Group) -> Iterator[Finding]:
    live = g.live
    for rate in live:
        meter = METERS.get(rate.meter)
        if meter is None or meter.cache == "uncached":
            continue
        # A cached audio token competes with an uncached audio token where that has a price.
        for name in (f"input_{meter.modality}", "input_uncached"):
            plain = _against(rate, _picked(live, meter=name, tier=rate.tier, region=rate.region))
            if not plain:
                continue
            worst = plain[0]
            if meter.cache == "read" and rate.price > min(p.price for p in plain):
                yield g.finding(
                    "cached-above-input",
                    f"{rate.meter}{_size(rate)} on {rate.tier} costs {_usd(rate)}, "
                    f"the uncached {name} {_usd(worst)}",
                    rate,
                )
            if meter.cache == "write" and rate.price < max(p.price for p in plain):
                yield g.finding(
                    "write-below-input",
                    f"{rate.meter}{_size(rate)} on {rate.tier} costs {_usd(rate)}, "
                    f"plain input {_usd(worst)}",
                    rate,
                )
            break


def _missing_twin(g: _Group) -> Iterator[Finding]:
    live = g.live
    if "embed" in g.variant or (g.about is not None and g.about.role == "Embedding"):
        return
    if live and not any(r.meter == "output_text" for r in live):
        first = next((r for r in live if r.meter == "input_uncached"), None)
        if first is not None:
            yield g.finding("input-only", "input has a price, output has none on any tier", first)
        return
    places = sorted({(r.tier, r.region, r.min_input) for r in live})
    for tier, region, size in places:
        here = [r for r in _picked(live, tier=tier, region=region) if r.min_input == size]
        given = {r.meter for r in here}
        for meter, twin in (("input_uncached", "output_text"), ("output_text", "input_uncached")):
            if meter in given and twin not in given:
                rate = next(r for r in here if r.meter == meter)
                yield g.finding(
                    "missing-twin", f"{tier}{_size(rate)} prices {meter} but not {twin}", rate
                )


def _by_condition(rates: Iterable[Rate]) -> list[list[Rate]]:
    groups: dict[tuple[object, ...], list[Rate]] = {}
    for r in rates:
        key = (
            r.meter, r.tier, r.region, r.min_input, r.max_input,
            r.weekdays, r.minute_from, r.minute_to, r.negotiated,
        )  # fmt: skip
        groups.setdefault(key, []).append(r)
    return [sorted(g, key=lambda r: r.valid_from) for g in groups.values()]


def _time_line(g: _Group) -> Iterator[Finding]:
    for line in _by_condition(g.live):
        for a, b in combinations(line, 2):
            # Recorded later means: a correction. It wins, and is no accident.
            if _meet(a, b) and a.recorded_at == b.recorded_at:
                yield g.finding(
                    "overlapping-validity",
                    f"{a.meter}{_size(a)} on {a.tier} is {_usd(a)} and {_usd(b)} "
                    f"from {max(a.valid_from, b.valid_from):%Y-%m-%d}",
                    b,
                )
        reached = line[0].valid_to
        for rate in line[1:]:
            if rate.valid_from > reached:
                yield g.finding(
                    "date-gap",
                    f"{rate.meter}{_size(rate)} on {rate.tier} has no price from "
                    f"{reached:%Y-%m-%d} to {rate.valid_from:%Y-%m-%d}",
                    rate,
                )
            reached = max(reached, rate.valid_to)


def _float_remnants(g: _Group) -> Iterator[Finding]:
    for rate in g.rates:
        # 0.179999 or 0.180001 USD per million: a float's neighbour of 0.18 that was cut.
        neighbour = rate.price >= 10_000 and rate.price % 1_000 in (1, 999)
        meter = METERS.get(rate.meter)
        if meter is not None and meter.unit == "second":
            continue  # an hour's price is rarely whole a second
        if rate.rounded or neighbour:
            yield g.finding(
                "float-remnant",
                f"{rate.meter}{_size(rate)} on {rate.tier} is {_usd(rate)}"
                + (", rounded to a whole pico-dollar a unit" if rate.rounded else ""),
                rate,
            )


def _stale_checks(g: _Group) -> Iterator[Finding]:
    held = [r for r in g.live if r.valid_to == FOREVER]
    retired = g.about is not None and g.about.retired_on(g.today)
    if not held or retired or any(r.negotiated for r in held):
        return
    oldest = min(held, key=lambda r: r.checked or date.min)
    if oldest.checked is None:
        yield g.finding("stale-check", "a price has no check date", oldest)
    elif g.today - oldest.checked > STALE_AFTER:
        yield g.finding("stale-check", f"last looked at on {oldest.checked}", oldest)


def _contradictions(g: _Group) -> Iterator[Finding]:
    live = g.live
    for claim in g.rates:
        if claim.in_force:
            continue
        rivals = [
            r
            for r in _picked(live, meter=claim.meter, tier=claim.tier, region=claim.region)
            if r.min_input == claim.min_input and _meet(r, claim) and r.price != claim.price
        ]
        said = f"{claim.meter}{_size(claim)} on {claim.tier}: a source says {_usd(claim)}, "
        if rivals:
            # The rival with the same hours, if any, is the one it contradicts.
            rival = next((r for r in rivals if r.windowed == claim.windowed), rivals[0])
            yield g.finding("contradicting-claims", f"{said}in force is {_usd(rival)}", claim)
        elif not any(_same_place(r, claim) for r in live):
            yield g.finding("contradicting-claims", f"{said}no price is in force", claim)


def _same_place(a: Rate, b: Rate) -> bool:
    return (a.meter, a.tier, a.region, a.min_input, a.price) == (
        b.meter, b.tier, b.region, b.min_input, b.price,
    ) and _meet(a, b)  # fmt: skip


def _thresholds(g: _Group) -> Iterator[Finding]:
    live = [r for r in g.live if r.meter in ("input_uncached", "output_text")]
    for std in _picked(live, tier="standard", region=""):
        if std.min_input == 0:
            continue
        for tier in sorted({r.tier for r in live} - {"standard"}):
            others = _picked(live, meter=std.meter, tier=tier, region="")
            there = [r for r in others if _meet(r, std)]
            if there and not any(r.min_input == std.min_input for r in there):
                yield g.finding(
                    "threshold-not-carried",
                    f"{std.meter} on {tier} has no price of its own{_size(std)}, standard has",
                    there[0],
                )


def _bounds(g: _Group) -> Iterator[Finding]:
    for rate in g.rates:
        if rate.price == 0 and rate.meter in ("input_uncached", "output_text"):
            yield g.finding("zero-price", f"{rate.meter} on {rate.tier} costs nothing", rate)
        if rate.min_input >= min(rate.max_input, NO_LIMIT):
            yield g.finding(
                "overlapping-validity", f"{rate.meter} on {rate.tier} holds for no prompt", rate
            )


_RATE_RULES: tuple[Callable[[_Group], Iterator[Finding]], ...] = (
    _tier_against_standard,
    _cache_against_input,
    _missing_twin,
    _time_line,
    _float_remnants,
    _stale_checks,
    _contradictions,
    _thresholds,
    _bounds,
)


def _variant_findings(variants: Mapping[str, Variant]) -> Iterator[Finding]:
    known = set(variants)
    for v in variants.values():
        if v.successor and v.successor not in known:
            yield Finding(
                "unknown-successor", RULES["unknown-successor"][0], v.maker, v.id,
                f"its successor {v.successor!r} is on no card", v.origin,
            )  # fmt: skip
        if v.successor and v.retired is None:
            yield Finding(
                "unknown-retirement", RULES["unknown-retirement"][0], v.maker, v.id,
                f"{v.successor} replaces it, yet no retirement date is known", v.origin,
            )  # fmt: skip


def _spelling_clashes(groups: Mapping[tuple[str, str], Sequence[Rate]]) -> Iterator[Finding]:
    """Ids of one seller that differ in dots, dashes or case alone, at different prices."""
    spelled: dict[tuple[str, str], list[str]] = {}
    for seller, name in groups:
        key = name.lower().replace(".", "-").replace("_", "-")
        spelled.setdefault((seller, key), []).append(name)
    for (seller, _), names in spelled.items():
        for a, b in combinations(sorted(names), 2):
            tables = [
                {(r.meter, r.tier, r.region, r.min_input, r.price) for r in groups[seller, n]}
                for n in (a, b)
            ]
            if tables[0] != tables[1]:
                rate = groups[seller, a][0]
                yield Finding(
                    "alias-clash", RULES["alias-clash"][0], seller, a,
                    f"{b!r} is the same name in another spelling, at other prices", rate.origin,
                )  # fmt: skip
