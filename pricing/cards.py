"""Rate-card files: one TOML file a seller, read into rates, variants and offers.

A card file says who sells, from which sources, which variants, at which prices from when:

    schema = 1
    seller = "openai"
    recorded = 2026-11-21

    [sources.list]
    url = "https://openai.com/api/pricing/"
    checked = 2026-11-20

    [[variant]]
    id = "gpt-5.2"
    maker = "openai"
    context = 400_000
    aliases = ["gpt-5.2-2025-12-11"]

      [[variant.price]]              # USD per 1M tokens (per 1,000 searches), as strings
      from = 2025-12-11
      source = "list"
      input = "1.75"
      cache_read = "0.175"
      output = "14"

      [[variant.price]]              # half the standard price on two tiers
      tiers = ["batch", "flex"]
      from = 2025-12-11
      source = "list"
      multiply = "0.5"

A price block may carry `above = 272_000` or `at_least = 200_000` (total input tokens, moving the
whole request), `regions`, `weekdays` and `hours` (UTC), `to`, `in_force = false` (a claim that is
recorded but contradicted), `negotiated = true`. A reseller's file has `[[offer]]` blocks instead:
a dated factor on another seller's card. Prices are strings because TOML floats are binary.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pricing.meters import BY_PRICE_KEY, METERS, TIERS
from pricing.money import EXACT, InexactPrice, pico_per_unit_rounded, published_pico
from pricing.rates import (
    ALL_WEEK,
    DAY_MINUTES,
    EPOCH,
    FOREVER,
    NO_LIMIT,
    Rate,
    close_open_ends,
    utc_hour,
)
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


_TOP_KEYS = {
    "schema", "seller", "name", "kind", "recorded", "tier_aliases", "sources", "variant", "offer",
    "note",
}  # fmt: skip
_VARIANT_KEYS = {
    "id", "maker", "family", "role", "name", "aliases", "context", "max_output", "efforts",
    "endpoints", "cache", "released", "retired", "successor", "note", "price",
}  # fmt: skip
_PRICE_KEYS = {
    "from", "to", "tier", "tiers", "region", "regions", "above", "at_least", "weekdays", "hours",
    "source", "checked", "recorded", "in_force", "assumed", "note", "multiply", "meters",
    "negotiated",
} | set(BY_PRICE_KEY)  # fmt: skip
_SOURCE_KEYS = {"url", "checked", "note"}
_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("above", "at_least", "context", "max_output"), (int, "a whole number")),
    **dict.fromkeys(("in_force", "assumed", "negotiated"), (bool, "true or false")),
    **dict.fromkeys(("checked", "released", "retired"), (date, "a date such as 2025-12-11")),
    **dict.fromkeys(("tier", "region", "hours", "source", "note", "of", "url", "maker", "family",
                     "role", "name", "cache", "successor"), (str, "a string")),
    **dict.fromkeys(("tiers", "regions", "meters", "weekdays", "aliases", "efforts", "endpoints",
                     "variants"), (list, 'a list of strings such as ["batch", "flex"]')),
}  # fmt: skip
_OFFER_KEYS = {
    "of", "factor", "variants", "tiers", "meters", "from", "to", "source", "checked", "recorded",
    "in_force", "negotiated", "note",
}  # fmt: skip


def shipped_texts() -> dict[str, tuple[str, str]]:
    """Text and origin of every card file that ships inside this package, by its seller.

    Reading costs next to nothing; parsing is what a command that needs one seller puts off.
    """
    folder = resources.files("pricing") / "cards_data"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        text, origin = file.read_text("utf-8"), f"cards_data/{file.name}"
        seller = _SELLER.search(text)
        if seller is None or seller[1] in found:
            raise CardError(f"{origin}: `seller` is missing, or another file's")
        found[seller[1]] = (text, origin)
    return found


def shipped_cards() -> list[Card]:
    """Read every card file that ships inside this package."""
    return [parse_card(text, origin) for text, origin in shipped_texts().values()]


_SELLER = re.compile(r'^seller = "([^"]+)"', re.MULTILINE)


def load_card(path: Path) -> Card:
    """Read one card file. Raises `CardError` naming file, place and reason."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot read the rate card: {error}") from error
    return parse_card(text, str(path))


def parse_card(text: str, origin: str, *, lazy: bool = False) -> Card:
    """Read the text of a card file; `origin` names it in errors and in each rate.

    Raises `CardError`. With `lazy` (for files known to be right: those that ship) prices are read
    and checked when they are asked for.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{origin}: not valid TOML: {error}") from error
    return _Reader(data, origin).card(lazy)


class _Reader:
    """Reads one parsed file; keeps the place for error messages."""

    def __init__(self, data: dict[str, Any], origin: str) -> None:
        self.data = data
        self.origin = origin
        self.place = ""

    def fail(self, reason: str) -> CardError:
        where = f"{self.origin}: {self.place}: " if self.place else f"{self.origin}: "
        return CardError(where + reason)

    def keys(self, table: dict[str, Any], known: set[str]) -> None:
        import difflib

        for key, value in table.items():
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise self.fail(f"unknown key {key!r}{hint}")
            kind, words = _KINDS.get(key, (object, ""))
            right = isinstance(value, kind)
            if kind is int:  # TOML's true is Python's 1
                right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            elif kind is list and isinstance(value, list):
                right = all(isinstance(v, str) for v in value)
            if not right:
                raise self.fail(f"`{key}` must be {words}, not {value!r}")

    def tables(self, key: str, shape: type) -> Any:
        """The [[variant]] or [[offer]] blocks or the [sources.x] tables, all of them tables."""
        found = self.data.get(key, shape())
        inner = found.values() if isinstance(found, dict) else found
        if not isinstance(found, shape) or not all(isinstance(t, dict) for t in inner):
            head = f"[[{key}]]" if shape is list else f"[{key}.name]"
            raise self.fail(f"`{key}` must be written as {head} tables")
        return found

    def card(self, lazy: bool) -> Card:
        self.keys(self.data, _TOP_KEYS)
        if self.data.get("schema") != 1:
            raise self.fail("the first line must say `schema = 1`")
        seller = self.data.get("seller")
        if not isinstance(seller, str) or not seller:
            raise self.fail("`seller` is missing")
        self.recorded = self.instant(self.data.get("recorded", EPOCH.date()), "recorded")
        self.sources = {}
        for name, s in self.tables("sources", dict).items():
            self.place = f"source {name}"
            self.keys(s, _SOURCE_KEYS)
            self.sources[name] = Source(s.get("url", ""), s.get("checked"), s.get("note", ""))
        self.place = ""
        card = Card(
            seller,
            self.data.get("name", seller),
            self.origin,
            self.data.get("kind", "maker"),
            dict(self.data.get("tier_aliases", {})),
        )
        for table in self.tables("variant", list):
            name = self.variant(card, table)
            card.waiting[name] = partial(self.rates, card.seller, name, table)
            if not lazy:
                card.rates_of(name)
        for number, table in enumerate(self.tables("offer", list), 1):
            self.place = f"offer {number}"
            card.offers.append(self.offer(card, table))
        self.place = ""
        return card

    def variant(self, card: Card, table: dict[str, Any]) -> str:
        """Add a variant and its names to the card; its id."""
        name = table.get("id")
        if not isinstance(name, str) or not name:
            raise self.fail("a [[variant]] has no `id`")
        self.place = f"variant {name}"
        self.keys(table, _VARIANT_KEYS)
        if name in card.variants:
            raise self.fail("is listed twice")
        card.variants[name] = Variant(
            id=name,
            maker=table.get("maker", card.seller),
            family=table.get("family", ""),
            role=table.get("role", ""),
            name=table.get("name", name),
            context_window=table.get("context"),
            max_output=table.get("max_output"),
            efforts=tuple(table.get("efforts", ())),
            endpoints=tuple(table.get("endpoints", ())),
            cache_rule=table.get("cache", ""),
            released=table.get("released"),
            retired=table.get("retired"),
            successor=table.get("successor", ""),
            note=table.get("note", ""),
            origin=self.origin,
        )
        for alias in (name, *table.get("aliases", ())):
            held = card.aliases.setdefault(alias.lower(), name)
            if held != name:
                raise self.fail(f"alias {alias!r} already belongs to {held}")
        return name

    def rates(self, seller: str, name: str, table: dict[str, Any]) -> list[Rate]:
        """All rates of a [[variant]]: the published ones, then those derived from them."""
        published: list[Rate] = []
        derived: list[tuple[int, dict[str, Any]]] = []
        for number, block in enumerate(table.get("price", []), 1):
            self.place = f"variant {name}, price {number}"
            self.keys(block, _PRICE_KEYS)
            self.exclusive(block)
            if "multiply" in block:
                derived.append((number, block))
            else:
                published += self.prices(seller, name, block)
        published = close_open_ends(published)
        rates = list(published)
        # Tiers are factors on the standard price, regions factors on every tier: in that order.
        derived.sort(key=lambda item: "regions" in item[1] or "region" in item[1])
        for number, block in derived:
            self.place = f"variant {name}, price {number}"
            rates += self.multiplied(block, published, rates)
        return rates

    def exclusive(self, block: dict[str, Any]) -> None:
        """Refuse keys that would be passed over in silence beside others."""
        if "multiply" in block:
            barred = [*BY_PRICE_KEY, "above", "at_least", "weekdays", "hours"]
            why = "a factor keeps the meters, prompt sizes and hours of the prices it multiplies"
        else:
            barred, why = ["meters"], "`meters` chooses what `multiply` multiplies"
        for key in barred:
            if key in block:
                raise self.fail(f"`{key}` does not belong here: {why}")
        for one, many in (("tier", "tiers"), ("region", "regions"), ("above", "at_least")):
            if one in block and many in block:
                raise self.fail(f"`{one}` and `{many}` exclude each other")

    def prices(self, seller: str, variant: str, block: dict[str, Any]) -> list[Rate]:
        common = self.conditions(block)
        tiers = self.tiers(block) or ("standard",)
        regions = self.regions(block) or ("",)
        found = [(BY_PRICE_KEY[k], v) for k, v in block.items() if k in BY_PRICE_KEY]
        if not found:
            raise self.fail("states no price")
        out: list[Rate] = []
        for meter, text in found:
            try:
                price, rounded = published_pico(self.decimal(text, meter.price_key), meter.per)
            except InexactPrice as error:
                raise self.fail(
                    f"{meter.price_key} = {text!r} is finer than a pico-dollar a {meter.unit}: "
                    f"{error}"
                ) from error
            out += [
                Rate(
                    seller,
                    variant,
                    meter.name,
                    price,
                    tier=tier,
                    region=region,
                    rounded=rounded,
                    **common,
                )
                for tier in tiers
                for region in regions
            ]
        return out

    def multiplied(
        self, block: dict[str, Any], published: Sequence[Rate], so_far: Sequence[Rate]
    ) -> list[Rate]:
        factor = self.decimal(block["multiply"], "multiply")
        window = self.conditions(block)
        regions = self.regions(block)
        tiers = self.tiers(block)
        meters = self.meters(block)
        base = [
            r
            for r in (so_far if regions else published)
            if r.region == "" and r.in_force and METERS[r.meter].direction != "extra"
            and (not meters or r.meter in meters)
            and ((not tiers or r.tier in tiers) if regions else r.tier == "standard")
        ]  # fmt: skip
        out: list[Rate] = []
        for rate in base:
            start = max(rate.valid_from, window["valid_from"])
            end = min(rate.valid_to, window["valid_to"])
            if start >= end:
                continue
            amount = EXACT.multiply(EXACT.scaleb(Decimal(rate.price), -12), factor)
            price, rounded = pico_per_unit_rounded(amount, 1)
            for tier in (rate.tier,) if regions else tiers or ("standard",):
                for region in regions or ("",):
                    out.append(
                        replace(
                            rate, price=price, rounded=rounded, tier=tier, region=region,
                            valid_from=start, valid_to=end, source=window["source"],
                            checked=window["checked"], recorded_at=window["recorded_at"],
                            in_force=window["in_force"], assumed=window["assumed"],
                            note=window["note"] or f"{factor} x standard",
                            negotiated=window["negotiated"], rate_id="",
                        )
                    )  # fmt: skip
        if not out:
            raise self.fail("multiplies nothing: no published price overlaps its dates")
        return out

    def offer(self, card: Card, table: dict[str, Any]) -> Offer:
        self.keys(table, _OFFER_KEYS)
        for key in ("of", "factor", "from"):
            if key not in table:
                raise self.fail(f"`{key}` is missing")
        window = self.conditions(table)
        return Offer(
            seller=card.seller,
            of=table["of"],
            factor=self.decimal(table["factor"], "factor"),
            variants=tuple(v.lower() for v in table.get("variants", ("*",))),
            tiers=self.tiers(table),
            meters=self.meters(table),
            valid_from=window["valid_from"],
            valid_to=window["valid_to"],
            source=Source(window["source"], window["checked"]),
            recorded_at=window["recorded_at"],
            in_force=window["in_force"],
            negotiated=window["negotiated"],
            origin=self.origin,
            note=window["note"],
        )

    def conditions(self, block: dict[str, Any]) -> dict[str, Any]:
        """The fields of a rate that a block's conditions decide."""
        source = self.source(block)
        low = block["above"] + 1 if "above" in block else block.get("at_least", 0)
        start, end = self.hours(block)
        valid_from = self.instant(block.get("from", EPOCH.date()), "from")
        valid_to = self.instant(block["to"], "to") if "to" in block else FOREVER
        if valid_from >= valid_to:
            raise self.fail(f"`to` {valid_to} is not after `from` {valid_from}")
        return {
            "min_input": low,
            "max_input": NO_LIMIT,
            "weekdays": self.weekdays(block),
            "minute_from": start,
            "minute_to": end,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "recorded_at": self.instant(block["recorded"], "recorded")
            if "recorded" in block
            else self.recorded,
            "source": source.url,
            "checked": block.get("checked", source.checked),
            "note": block.get("note", ""),
            "in_force": block.get("in_force", True),
            "assumed": block.get("assumed", False),
            "negotiated": block.get("negotiated", False),
            "origin": self.origin,
        }

    def source(self, block: dict[str, Any]) -> Source:
        name = block.get("source")
        if name is None:
            raise self.fail("`source` is missing: every price says where it was read")
        if name in self.sources:
            return self.sources[name]
        if "://" in name or name == "contract":
            return Source(name)
        raise self.fail(f"source {name!r} is not under [sources] and is no address")

    def tiers(self, block: dict[str, Any]) -> tuple[str, ...]:
        tiers = tuple(block.get("tiers", [block["tier"]] if "tier" in block else []))
        for tier in tiers:
            if tier not in TIERS:
                raise self.fail(f"unknown tier {tier!r}; known are {', '.join(TIERS)}")
        return tiers

    def regions(self, block: dict[str, Any]) -> tuple[str, ...]:
        return tuple(block.get("regions", [block["region"]] if "region" in block else []))

    def meters(self, block: dict[str, Any]) -> tuple[str, ...]:
        meters = tuple(block.get("meters", ()))
        for meter in meters:
            if meter not in METERS:
                raise self.fail(f"unknown meter {meter!r}; known are {', '.join(METERS)}")
        return meters

    def weekdays(self, block: dict[str, Any]) -> int:
        names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        days = block.get("weekdays")
        if days is None:
            return ALL_WEEK
        try:
            return sum(1 << names.index(d) for d in set(days))
        except ValueError as error:
            raise self.fail(f"weekdays are {', '.join(names)}") from error

    def hours(self, block: dict[str, Any]) -> tuple[int, int]:
        """`hours = "01:00-04:00"`, UTC, end exclusive, `24:00` for midnight."""
        text = block.get("hours")
        if text is None:
            return 0, DAY_MINUTES
        try:
            start, end = (self.minute(part) for part in text.split("-"))
        except ValueError as error:
            raise self.fail(f'hours must look like "01:00-04:00", not {text!r}') from error
        if start >= end:
            raise self.fail(f"hours {text!r} must not wrap: write two blocks, up to 24:00 and on")
        return start, end

    def minute(self, text: str) -> int:
        if text.strip() == "24:00":
            return DAY_MINUTES
        clock = time.fromisoformat(text.strip())
        return clock.hour * 60 + clock.minute

    def instant(self, value: object, key: str) -> datetime:
        if not isinstance(value, date):
            raise self.fail(f"`{key}` must be a date, not {value!r}")
        try:
            return utc_hour(value, f"{self.origin}: {self.place}: {key}")
        except ValueError as error:
            raise CardError(str(error)) from error

    def decimal(self, value: object, key: str) -> Decimal:
        if not isinstance(value, str):
            raise self.fail(f'{key} must be a string such as "1.75", not {value!r}')
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise self.fail(f"{key} = {value!r} is not a number") from error
        if not number.is_finite() or number < 0:
            raise self.fail(f"{key} = {value!r} must be zero or more")
        return number
