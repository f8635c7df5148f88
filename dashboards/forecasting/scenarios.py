"""Scenarios on an outlook: another price from a day on, traffic moved, a launch.

Each gives a new outlook that shares every path with the base, so their difference is the effect,
path by path. As they are written on the command line:

    --price-change gpt-5.2=-50%@2026-04-10            all its meters at half price
    --price-change gpt-5.2/output_text=10.00@2026-04-10      USD per 1,000,000, as published
    --move gpt-5.2=gpt-5-mini@batch:30%@2026-04-10    [seller:]variant[@tier], share, from when
    --launch scenario.toml:gpt-5-mini@2026-04-10      the simulated cost of a scenario
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from dashboards.forecasting.coming import ALL_BANDS, coming_prices
from dashboards.forecasting.outlook import Floats, ForecastError, Outlook
from dashboards.queries.volume import Band, Leaf
from pricing.catalogue import CardKey, Catalogue
from pricing.meters import METERS
from pricing.money import pico_per_unit_rounded
from pricing.rates import ALL_WEEK

if TYPE_CHECKING:
    from ingest.traffic.scenarios.scenario import Scenario


def price_change(
    base: Outlook,
    variant: str,
    on: date,
    *,
    meter: str = "",
    to: int | None = None,
    factor: Fraction | None = None,
) -> Outlook:
    """The same volume at another price from a day on: `to` pico-dollars a unit, or times `factor`.

    `meter` limits it to one meter. Raises `ForecastError` when nothing is priced by that variant.
    """
    start = np.datetime64(on, "D")

    def changed(price: int) -> int:
        if to is not None:
            return to
        # Rounded to a whole pico-dollar: a forecast, not a bill.
        return price if factor is None else round(price * factor)

    prices = dict(base.prices)
    touched = 0
    for leaf, row in base.prices.items():
        if row is None or leaf.card is None or leaf.card.variant != variant:
            continue
        if meter and leaf.meter != meter:
            continue
        touched += 1
        prices[leaf] = [
            changed(p) if d >= start else p for p, d in zip(row, base.dates, strict=True)
        ]
    if not touched:
        what = f"{meter} of {variant}" if meter else variant
        raise ForecastError(f"--price-change: nothing in the forecast is priced by {what!r}")
    return replace(base, prices=prices)


def move(
    base: Outlook, catalogue: Catalogue, source: str, target: CardKey, share: float, on: date
) -> Outlook:
    """Move a share (0 to 1) of a variant's volume to another card from a day on.

    Tokens are moved one for one: another maker's tokenizer counts a few percent otherwise.
    Raises `ForecastError` for an unknown source or a target without a price.
    """
    if not 0 <= share <= 1:
        raise ForecastError(f"--move: the share must be within 0 % and 100 %, got {share:.0%}")
    units = base.units
    moved = share * (base.dates >= np.datetime64(on, "D")).astype(np.float64)
    prices, stands = dict(base.prices), dict(base.stands)
    sources = [f for f in units if f.card is not None and f.card.variant == source]
    if not sources:
        raise ForecastError(f"--move: nothing in the forecast is priced by {source!r}")
    for leaf in sources:
        to = _moved(base, leaf, target)
        if to == leaf:
            raise ForecastError(f"--move: {source!r} already is what the target is")
        price = prices.get(to)
        if price is None:
            seen = base.seen.bands.get(leaf, {})
            mix = {Band(b.min_input, ALL_WEEK, 0): n for b, n in seen.items()} or {ALL_BANDS: 1}
            price = coming_prices(catalogue, target, leaf.meter, mix, base.dates)
        if price is None:
            raise ForecastError(
                f"--move: {target.variant!r} at {target.seller!r} has no price of {leaf.meter}"
                f" on tier {target.tier!r} for the days ahead"
            )
        prices[to] = price
        units = units.moved(leaf, to, moved)
        if leaf in stands:  # what arrives stands on what is known of where it comes from
            stands.setdefault(to, stands[leaf])
    return replace(base, units=units, prices=prices, stands=stands)


def _moved(base: Outlook, leaf: Leaf, target: CardKey) -> Leaf:
    """The leaf that a leaf's traffic becomes part of."""
    keys = list(leaf.keys)
    for name, value in (
        ("variant", target.variant),
        ("model", target.variant),
        ("seller", target.seller),
        ("tier", target.tier),
    ):
        if name in base.seen.by:
            keys[base.seen.by.index(name)] = value
    return Leaf(tuple(keys), target, leaf.meter)


def launch(base: Outlook, name: str, a_day: Floats, on: date) -> Outlook:
    """Add a launch: `a_day` are sampled costs (USD a day), one laid on each path, from a day on."""
    count = base.units.shape[0]
    # Quantiles of the sample, dealt at random: the launch is independent of the rest.
    level = np.quantile(a_day, (np.arange(count) + 0.5) / count)
    dealt = np.random.default_rng(11).permutation(level)
    paths = dealt[:, None] * (base.dates >= np.datetime64(on, "D"))
    return replace(base, extra={**base.extra, name: paths})


# --- as people write them ------------------------------------------------------------------

_CHANGE = re.compile(
    r"^(?P<variant>[^=/]+)(?:/(?P<meter>[^=]+))?="
    r"(?:(?P<percent>[+-]\d+(?:\.\d+)?)%|(?P<usd>\d+(?:\.\d+)?))@(?P<on>\d{4}-\d\d-\d\d)$"
)
_MOVE = re.compile(
    r"^(?P<source>[^=]+)=(?P<target>.+?):(?P<share>\d+(?:\.\d+)?)%@(?P<on>\d{4}-\d\d-\d\d)$"
)
_LAUNCH = re.compile(r"^(?P<path>.+?\.toml)(?::(?P<variant>[^@]+))?@(?P<on>\d{4}-\d\d-\d\d)$")


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ForecastError(f"{option}: {text!r} is no date") from error


def apply_price_change(base: Outlook, text: str) -> Outlook:
    """`VARIANT[/METER]=±N%@DATE` or `VARIANT/METER=USD@DATE` (per published unit)."""
    found = _CHANGE.match(text)
    if not found:
        raise ForecastError(
            f"--price-change {text!r}: write gpt-5.2=-50%@2026-04-10 or "
            "gpt-5.2/output_text=10.00@2026-04-10"
        )
    on, meter = _day(found["on"], "--price-change"), found["meter"] or ""
    if meter and meter not in METERS:
        raise ForecastError(f"--price-change: unknown meter {meter!r}; known: {', '.join(METERS)}")
    if found["percent"] is not None:
        factor = 1 + Fraction(found["percent"]) / 100
        if factor < 0:
            raise ForecastError(f"--price-change {text!r}: a price cannot fall by over 100 %")
        return price_change(base, found["variant"], on, meter=meter, factor=factor)
    if not meter:
        raise ForecastError(f"--price-change {text!r}: a price needs its meter: VARIANT/METER=USD")
    pico, _ = pico_per_unit_rounded(Decimal(found["usd"]), METERS[meter].per)
    return price_change(base, found["variant"], on, meter=meter, to=pico)


def apply_move(base: Outlook, catalogue: Catalogue, text: str) -> Outlook:
    """`VARIANT=[seller:]VARIANT[@tier]:N%@DATE`."""
    from dashboards.queries.compare import parse_target

    found = _MOVE.match(text)
    if not found:
        raise ForecastError(f"--move {text!r}: write gpt-5.2=gpt-5-mini:30%@2026-04-10")
    target = parse_target(found["target"], catalogue)
    card = CardKey(target.seller, target.variant, target.tier, "")
    share = float(Fraction(found["share"]) / 100)
    return move(base, catalogue, found["source"], card, share, _day(found["on"], "--move"))


def apply_launch(base: Outlook, catalogue: Catalogue, text: str) -> Outlook:
    """`SCENARIO.toml[:VARIANT]@DATE`.

    Raises `ForecastError`, or the scenario's own error when the file is wrong.
    """
    from ingest.traffic.scenarios.scenario import load_scenario

    found = _LAUNCH.match(text)
    if not found:
        raise ForecastError(f"--launch {text!r}: write scenario.toml:gpt-5-mini@2026-04-10")
    on = _day(found["on"], "--launch")
    return launch_scenario(
        base, catalogue, load_scenario(found["path"]), found["variant"] or "", on
    )


def launch_scenario(
    base: Outlook, catalogue: Catalogue, scenario: Scenario, variant: str, on: date
) -> Outlook:
    """Add a scenario's simulated cost from a day on, spread evenly over the scenario's days.

    `variant`: "" is the scenario's first. Raises `ForecastError`.
    """
    from ingest.traffic.catalogue_prices import CataloguePrices
    from ingest.traffic.simulation.legs import build_legs
    from ingest.traffic.simulation.month import draw_legs

    variant = variant or scenario.variants[0]
    # Priced at the rates of the launch, not of the day the scenario was written for.
    scenario = scenario.model_copy(update={"start": on})
    prices = CataloguePrices(catalogue)
    try:
        groups = [build_legs(scenario, w, variant, prices) for w in scenario.workloads]
    except LookupError as error:
        raise ForecastError(f"--launch: {error}") from error
    totals, _ = draw_legs(scenario, groups)
    a_day = totals["cost"] / 10**12 / scenario.days
    return launch(base, f"{scenario.name} ({variant})", a_day, on)
