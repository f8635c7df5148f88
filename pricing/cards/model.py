"""What a card file says once it is read: a card, its sources, and offers on other sellers' cards.

An offer multiplies: 0.8 on OpenAI's card makes its 1.75 USD a million tokens 1.40 at the reseller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from pricing.money import EXACT, pico_per_unit_rounded
from pricing.rates import Rate
from pricing.variants import Variant


class CardError(ValueError):
    """A rate-card file is wrong; the message names the file, the place and the reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a price was read, and when somebody last looked."""

    url: str
    checked: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A dated factor on another seller's card: how resellers, gateways and contracts price."""

    seller: str
    of: str
    factor: Decimal
    variants: tuple[str, ...]
    tiers: tuple[str, ...]
    meters: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime
    source: Source
    recorded_at: datetime
    in_force: bool = True
    negotiated: bool = False
    origin: str = ""
    note: str = ""

    def covers(self, variant: str) -> bool:
        """Whether the offer names the variant (shell patterns, `!` excludes)."""
        wanted = [p for p in self.variants if not p.startswith("!")]
        barred = [p[1:] for p in self.variants if p.startswith("!")]
        return any(fnmatchcase(variant, p) for p in wanted) and not any(
            fnmatchcase(variant, p) for p in barred
        )

    def apply(self, rates: Iterable[Rate]) -> list[Rate]:
        """This seller's rates: those of `of` that the offer covers, times the factor.

        A derived price finer than one pico-dollar a unit is rounded half to even and marked.
        """
        out: list[Rate] = []
        for rate in rates:
            if not self.covers(rate.variant) or not rate.in_force:
                continue
            if self.tiers and rate.tier not in self.tiers:
                continue
            if self.meters and rate.meter not in self.meters:
                continue
            start = max(rate.valid_from, self.valid_from)
            end = min(rate.valid_to, self.valid_to)
            if start >= end:
                continue
            price, rounded = pico_per_unit_rounded(
                EXACT.multiply(EXACT.scaleb(Decimal(rate.price), -12), self.factor), 1
            )
            out.append(
                replace(
                    rate,
                    seller=self.seller,
                    price=price,
                    rounded=rounded,
                    valid_from=start,
                    valid_to=end,
                    recorded_at=self.recorded_at,
                    source=self.source.url,
                    checked=self.source.checked,
                    in_force=self.in_force,
                    negotiated=self.negotiated,
                    origin=self.origin,
                    note=self.note or f"{self.factor} x {self.of}",
                    rate_id="",
                )
            )
        return out


@dataclass(slots=True)
class Card:
    """One card file, read.

    The prices of a variant in `waiting` are read when they are first asked for: a command that
    prices one variant of a hundred does not work out the tiers and regions of the others.
    """

    seller: str
    name: str
    origin: str
    kind: Literal["maker", "cloud", "gateway", "host", "contract"] = "maker"
    tier_aliases: dict[str, str] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    priced: dict[str, list[Rate]] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)
    waiting: dict[str, Callable[[], list[Rate]]] = field(default_factory=dict)

    def rates_of(self, variant: str) -> list[Rate]:
        """The rates the file states of a variant; none for a variant it does not list."""
        if variant not in self.priced and variant in self.waiting:
            # Threads may both read them; each gets the same rates.
            self.priced[variant] = self.waiting[variant]()
        return self.priced.get(variant, [])

    @property
    def rates(self) -> list[Rate]:
        """The rates of all variants, in the file's order."""
        return [rate for variant in self.variants for rate in self.rates_of(variant)]
