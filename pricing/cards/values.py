"""The values of a card file's tables, checked: keys, dates, hours, tiers, prices.

Whatever is wrong is a `CardError` that names the file, the place and what is allowed:

    acme.toml: variant gpt-5.2, price 2: unknown key 'imput'; did you mean 'input'?
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from pricing.cards.model import CardError, Source
from pricing.json_types import JsonDict, JsonList
from pricing.meters import METERS, TIERS
from pricing.rates import ALL_WEEK, DAY_MINUTES, EPOCH, FOREVER, NO_LIMIT, utc_hour

_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("above", "at_least", "context", "max_output"), (int, "a whole number")),
    **dict.fromkeys(("in_force", "assumed", "negotiated"), (bool, "true or false")),
    **dict.fromkeys(("checked", "released", "retired"), (date, "a date such as 2025-12-11")),
    **dict.fromkeys(("tier", "region", "hours", "source", "note", "of", "url", "maker", "family",
                     "role", "name", "cache", "successor"), (str, "a string")),
    **dict.fromkeys(("tiers", "regions", "meters", "weekdays", "aliases", "efforts", "endpoints",
                     "variants"), (list, 'a list of strings such as ["batch", "flex"]')),
}  # fmt: skip


class Values:
    """Reads values of one parsed file; keeps the place for error messages."""

    def __init__(self, data: dict[str, Any], origin: str) -> None:
        self.data = data
        self.origin = origin
        self.place = ""
        self.recorded = EPOCH
        self.sources: dict[str, Source] = {}

    def fail(self, reason: str) -> CardError:
        """The error that names the file and the place, to be raised."""
        where = f"{self.origin}: {self.place}: " if self.place else f"{self.origin}: "
        return CardError(where + reason)

    def keys(self, table: dict[str, Any], known: set[str]) -> None:
        """Refuse keys nobody knows, with the nearest one, and values of the wrong type."""
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
            elif kind is list and isinstance(value, JsonList):
                right = all(isinstance(v, str) for v in value)
            if not right:
                raise self.fail(f"`{key}` must be {words}, not {value!r}")

    def tables(self, key: str, shape: type) -> Any:
        """The [[variant]] or [[offer]] blocks or the [sources.x] tables, all of them tables."""
        found = self.data.get(key, shape())
        inner = found.values() if isinstance(found, JsonDict) else found
        if not isinstance(found, shape) or not all(isinstance(t, JsonDict) for t in inner):
            head = f"[[{key}]]" if shape is list else f"[{key}.name]"
            raise self.fail(f"`{key}` must be written as {head} tables")
        return found

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
        """Where a price was read: a name under [sources], an address, or `contract`."""
        name = block.get("source")
        if name is None:
            raise self.fail("`source` is missing: every price says where it was read")
        if name in self.sources:
            return self.sources[name]
        if "://" in name or name == "contract":
            return Source(name)
        raise self.fail(f"source {name!r} is not under [sources] and is no address")

    def tiers(self, block: dict[str, Any]) -> tuple[str, ...]:
        """The tiers a block is for; none where it does not say."""
        tiers = tuple(block.get("tiers", [block["tier"]] if "tier" in block else []))
        for tier in tiers:
            if tier not in TIERS:
                raise self.fail(f"unknown tier {tier!r}; known are {', '.join(TIERS)}")
        return tiers

    def regions(self, block: dict[str, Any]) -> tuple[str, ...]:
        """The regions a block is for; none where it does not say."""
        return tuple(block.get("regions", [block["region"]] if "region" in block else []))

    def meters(self, block: dict[str, Any]) -> tuple[str, ...]:
        """The meters a factor is for; none means all."""
        meters = tuple(block.get("meters", ()))
        for meter in meters:
            if meter not in METERS:
                raise self.fail(f"unknown meter {meter!r}; known are {', '.join(METERS)}")
        return meters

    def weekdays(self, block: dict[str, Any]) -> int:
        """`weekdays = ["sat", "sun"]` as a mask, Monday first."""
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
        """`HH:MM` as minutes of the day; raises ValueError."""
        if text.strip() == "24:00":
            return DAY_MINUTES
        clock = time.fromisoformat(text.strip())
        return clock.hour * 60 + clock.minute

    def instant(self, value: object, key: str) -> datetime:
        """A date or an hour in UTC, naive."""
        if not isinstance(value, date):
            raise self.fail(f"`{key}` must be a date, not {value!r}")
        try:
            return utc_hour(value, f"{self.origin}: {self.place}: {key}")
        except ValueError as error:
            raise CardError(str(error)) from error

    def decimal(self, value: object, key: str) -> Decimal:
        """A price or a factor: text that is a number, zero or more."""
        if not isinstance(value, str):
            raise self.fail(f'{key} must be a string such as "1.75", not {value!r}')
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise self.fail(f"{key} = {value!r} is not a number") from error
        if not number.is_finite() or number < 0:
            raise self.fail(f"{key} = {value!r} must be zero or more")
        return number
