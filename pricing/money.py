"""Money is integers of pico-dollars; `Decimal` at the edge; float never.

A pico-dollar is 1e-12 USD. A published price of 1.75 USD per million tokens is
1,750,000 pico-dollars a token, so every price with at most six decimals per million
tokens is an integer and a cost is `count * price` with no rounding anywhere:

>>> pico_per_unit(Decimal("1.75"), per=1_000_000)
1750000
>>> usd(1_000 * 1_750_000)
Decimal('0.001750000000')
>>> show_usd(usd(1_000 * 1_750_000))
'$0.0018'
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

PICO = 10**12
"""Pico-dollars in a dollar."""

# Sums of millions of calls stay exact: 60 digits hold any total of 64-bit counts and prices.
EXACT = Context(prec=60)
_QUANTUM = Decimal(1).scaleb(-12)


class InexactPrice(ValueError):
    """A published price has no exact pico-dollar value for one unit."""


def usd(pico: int) -> Decimal:
    """Convert pico-dollars to USD, exactly, with twelve decimals."""
    return EXACT.quantize(EXACT.scaleb(Decimal(pico), -12), _QUANTUM)


def pico_from_usd(amount: Decimal) -> int:
    """Convert an amount in USD to whole pico-dollars (half to even below one pico-dollar)."""
    return int(EXACT.scaleb(amount, 12).to_integral_value(ROUND_HALF_EVEN))


def pico_per_unit(price_usd: Decimal, per: int) -> int:
    """Pico-dollars for one unit of a price stated per `per` units.

    Raises `InexactPrice` when the price is finer than one pico-dollar a unit: the caller
    decides whether rounding is legitimate (it is for a derived price, not for a published one).
    """
    exact = EXACT.divide(EXACT.scaleb(price_usd, 12), Decimal(per))
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    if exact != whole:
        raise InexactPrice(f"{price_usd} USD per {per:,} is {exact} pico-dollars a unit")
    return int(whole)


def pico_per_unit_rounded(price_usd: Decimal, per: int) -> tuple[int, bool]:
    """As `pico_per_unit`, rounding half to even; the flag says whether it had to."""
    exact = EXACT.divide(EXACT.scaleb(price_usd, 12), Decimal(per))
    whole = exact.to_integral_value(ROUND_HALF_EVEN)
    return int(whole), exact != whole


def published_pico(price_usd: Decimal, per: int) -> tuple[int, bool]:
    """Pico-dollars for one unit of a published price, and whether that had to be rounded.

    Only a price for a number of units that is no power of ten may be rounded (an hour's price to
    a second's: an error below 1e-7 of it). Raises `InexactPrice` as `pico_per_unit` does.
    """
    if _is_power_of_ten(per):
        return pico_per_unit(price_usd, per), False
    return pico_per_unit_rounded(price_usd, per)


def usd_per(pico: int, per: int) -> Decimal:
    """The price in USD for `per` units of a unit price in pico-dollars, without trailing zeros.

    Where `per` is no power of ten (an hour has 3,600 seconds) a published price need not be whole
    in pico-dollars a unit: it is shown to 1e-8, which gives back what was published.
    """
    value = EXACT.scaleb(Decimal(pico * per), -12)
    if not _is_power_of_ten(per):
        value = value.quantize(Decimal("1e-8"), ROUND_HALF_EVEN, context=EXACT)
    value = value.normalize(EXACT)
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"


def plain(amount: Decimal | None) -> str | None:
    """A decimal string for JSON: no exponent, no trailing zeros beyond the cent."""
    if amount is None:
        return None
    text = format(amount, "f")
    if "." not in text:
        return text + ".00"
    whole, fraction = text.split(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def show_usd(amount: Decimal | None, *, signed: bool = False) -> str:
    """Money for people: cents from one dollar up, two significant digits below; never for sums."""
    if amount is None:
        return "unpriced"
    sign = "-" if amount < 0 else "+" if signed and amount > 0 else ""
    size = abs(amount)
    if size == 0:
        return "$0.00"
    if size >= 1:
        return f"{sign}${size.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    places = min(12, 1 - size.adjusted())
    if places <= 2:
        return f"{sign}${size.quantize(Decimal('0.01'), ROUND_HALF_UP)}"
    return f"{sign}${size.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
