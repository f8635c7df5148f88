"""Other currencies: dated rates from the settings, each with its source, applied when reporting.

The books are in USD; nothing stored is ever converted. A report in another currency uses the last
rate on or before its date and says which one that was:

    [currency]
    show = "EUR"

    [[currency.rates]]
    currency = "EUR"
    usd = "1.0842"              # US dollars for one euro
    on = 2026-03-02
    source = "ECB reference rate"

>>> book = Exchange.from_settings({"rates": [
...     {"currency": "EUR", "usd": "1.25", "on": date(2026, 3, 2), "source": "ECB"}]})
>>> book.from_pico(10 * 10**12, "EUR", date(2026, 3, 31)).amount
Decimal('8.0000000000')
>>> book.to_pico(Decimal(8), "EUR", date(2026, 3, 31))
10000000000000

A date before the first rate has none: that is an error, never a guess.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pricing.money import EXACT, plain, usd


class CurrencyError(ValueError):
    """A currency setting is wrong, or there is no rate for a date; says what to write."""


@dataclass(frozen=True, slots=True)
class FxRate:
    """US dollars for one unit of a currency, from a day on, by somebody's word."""

    currency: str
    usd: Decimal
    on: date
    source: str

    def as_json(self) -> dict[str, str]:
        """Plain types."""
        return {
            "currency": self.currency,
            "usd": format(self.usd, "f"),
            "on": self.on.isoformat(),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Converted:
    """An amount in another currency, and the rate it stands on."""

    amount: Decimal
    rate: FxRate

    def show(self) -> str:
        """`12.34 EUR`, rounded half up for people."""
        return f"{self.amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,} {self.rate.currency}"

    def as_json(self) -> dict[str, Any]:
        """Plain types: the amount to twelve decimals, and the rate with date and source."""
        twelve = self.amount.quantize(Decimal(1).scaleb(-12), ROUND_HALF_EVEN, EXACT)
        return {"amount": plain(twelve), "rate": self.rate.as_json()}


_DOLLAR = FxRate("USD", Decimal(1), date.min, "the currency of the books")
_KEYS = {"show", "rates"}
_RATE_KEYS = {"currency", "usd", "on", "source"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """The rates of the settings, and the currency reports are shown in beside USD."""

    rates: tuple[FxRate, ...] = ()
    show: str = "USD"
    _by_currency: Mapping[str, tuple[FxRate, ...]] = field(
        default_factory=dict[str, tuple[FxRate, ...]], repr=False
    )

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any]) -> Exchange:
        """Read `[currency]`. Raises `CurrencyError` naming the key."""
        _known(raw, _KEYS, "currency")
        rates = tuple(_rate(entry, n) for n, entry in enumerate(raw.get("rates", []), 1))
        by: dict[str, list[FxRate]] = {}
        for rate in sorted(rates, key=lambda r: r.on):
            held = by.setdefault(rate.currency, [])
            if held and held[-1].on == rate.on and held[-1].usd != rate.usd:
                raise CurrencyError(
                    f"currency.rates: two rates of {rate.currency} on {rate.on}: keep one"
                )
            held.append(rate)
        show = code(str(raw.get("show", "USD")), "currency.show")
        if show != "USD" and show not in by:
            raise CurrencyError(f"currency.show is {show}, but [[currency.rates]] has no {show}")
        return cls(rates, show, {name: tuple(held) for name, held in by.items()})

    def rate(self, currency: str, on: date) -> FxRate:
        """The last rate of a currency on or before a day. Raises `CurrencyError` without one."""
        if currency == "USD":
            return _DOLLAR
        held = self._by_currency.get(currency, ())
        known = [r for r in held if r.on <= on]
        if known:
            return known[-1]
        first = f"; the first is of {held[0].on}" if held else ""
        raise CurrencyError(
            f"no rate of {currency} on or before {on}{first}: add one to [[currency.rates]]"
            " with currency, usd, on and source"
        )

    def from_pico(self, pico: int, currency: str, on: date) -> Converted:
        """Pico-dollars in another currency, to sixty digits."""
        rate = self.rate(currency, on)
        return Converted(EXACT.divide(usd(pico), rate.usd), rate)

    def to_pico(self, amount: Decimal, currency: str, on: date) -> int:
        """An amount in a currency as pico-dollars, rounded once, half to even."""
        dollars = EXACT.multiply(amount, self.rate(currency, on).usd)
        return int(EXACT.scaleb(dollars, 12).to_integral_value(ROUND_HALF_EVEN))


def code(text: str, where: str) -> str:
    """A currency code as ISO 4217 writes it. Raises `CurrencyError`."""
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise CurrencyError(f"{where}: {text!r} is no currency code; write EUR, GBP, JPY…")
    return text


def _known(raw: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in raw:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            hint = (
                f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(sorted(keys))})"
            )
            raise CurrencyError(f"{where}: unknown key {key!r}{hint}")


def _rate(raw: Mapping[str, Any], number: int) -> FxRate:
    where = f"currency.rates, entry {number}"
    _known(raw, _RATE_KEYS, where)
    missing = sorted(_RATE_KEYS - raw.keys())
    if missing:
        raise CurrencyError(f"{where}: {', '.join(missing)} missing")
    if isinstance(raw["usd"], float):
        raise CurrencyError(f'{where}: write usd in quotes, as a decimal: "{raw["usd"]}"')
    try:
        value = Decimal(str(raw["usd"]))
    except InvalidOperation as error:
        raise CurrencyError(f"{where}: usd {raw['usd']!r} is no number") from error
    if not value.is_finite() or value <= 0:
        raise CurrencyError(f"{where}: usd must be above 0, got {value}")
    return FxRate(code(str(raw["currency"]), where), value, _day(raw["on"], where),
                  str(raw["source"]))  # fmt: skip


def _day(value: Any, where: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise CurrencyError(f"{where}: on = {value!r} is no date; write 2026-03-02") from error
