"""Which prompt-cache rule holds for a variant on a day.

The rules are rows of `rules.toml` (package data) with a source and dates. Lookup is by explicit
names: a rule names families; a variant belongs to a family whose name it equals or continues
after a hyphen, and the longest such name wins.

>>> from datetime import date
>>> rule_for("gpt-5.2-codex", date(2026, 7, 1)).lifetime_s
600
>>> rule_for("gpt-5.2-codex", date(2026, 9, 1)).lifetime_s
86400
>>> rule_for("claude-opus-4-5", date(2026, 9, 1)).write_class
'5m'
>>> rule_for("some-unknown-model", date(2026, 9, 1)) is None
True
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any

WRITE_CLASSES = ("none", "5m", "30m", "1h", "12h")


@dataclass(frozen=True)
class CacheRule:
    """One provider's cache behaviour for a family of variants over a span of days.

    Tokens and seconds throughout. ``mode`` is "prefix", or "none" where nothing is cached.
    ``write_class`` names the meter that bills input newly put into the cache ("none": free).
    """

    id: str
    provider: str
    families: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    mode: str
    min_tokens: int
    step: int
    lifetime_s: int
    lifetime_low_s: int
    lifetime_high_s: int
    write_class: str
    options: tuple[tuple[int, str], ...]
    breakpoints: int
    lookback: int
    overflow_rpm: int
    source: str
    checked: date
    assumed: tuple[str, ...] = ()
    note: str = ""

    def in_force(self, day: date) -> bool:
        """Whether the rule holds on ``day`` (half-open: valid_from <= day < valid_to)."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def with_lifetime(self, seconds: int) -> CacheRule:
        """The rule with another lifetime, and the write class that lifetime is billed at.

        A lifetime the provider sells keeps its own class; any other (a measured eviction time,
        say) keeps the rule's class.
        """
        chosen = dict(self.options).get(seconds, self.write_class)
        return replace(
            self,
            lifetime_s=seconds,
            lifetime_low_s=seconds,
            lifetime_high_s=seconds,
            write_class=chosen,
        )


def parse_rules(document: Mapping[str, Any], origin: str = "rules.toml") -> tuple[CacheRule, ...]:
    """Turn a parsed TOML document into rules; ValueError names the row and field at fault."""
    out: list[CacheRule] = []
    for place, row in enumerate(document.get("rule", []), start=1):
        where = f"{origin}, rule {place} ({row.get('id', 'no id')})"
        missing = [
            k
            for k in ("id", "provider", "families", "valid_from", "source", "checked")
            if k not in row
        ]
        if missing:
            raise ValueError(f"{where}: missing {', '.join(missing)}")
        unknown = set(row) - set(CacheRule.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{where}: unknown field {', '.join(sorted(unknown))}")
        rule = CacheRule(
            id=row["id"],
            provider=row["provider"],
            families=tuple(row["families"]),
            valid_from=row["valid_from"],
            valid_to=row.get("valid_to"),
            mode=row.get("mode", "prefix"),
            min_tokens=row.get("min_tokens", 0),
            step=row.get("step", 1),
            lifetime_s=row.get("lifetime_s", 0),
            lifetime_low_s=row.get("lifetime_low_s", row.get("lifetime_s", 0)),
            lifetime_high_s=row.get("lifetime_high_s", row.get("lifetime_s", 0)),
            write_class=row.get("write_class", "none"),
            options=tuple((o["seconds"], o["write_class"]) for o in row.get("options", [])),
            breakpoints=row.get("breakpoints", 0),
            lookback=row.get("lookback", 0),
            overflow_rpm=row.get("overflow_rpm", 0),
            source=row["source"],
            checked=row["checked"],
            assumed=tuple(row.get("assumed", [])),
            note=row.get("note", ""),
        )
        _check(rule, where)
        out.append(rule)
    _check_overlap(out, origin)
    return tuple(out)


def _check(rule: CacheRule, where: str) -> None:
    if rule.mode not in ("prefix", "none"):
        raise ValueError(f"{where}: mode must be prefix or none, not {rule.mode!r}")
    if not {rule.write_class, *(c for _, c in rule.options)} <= set(WRITE_CLASSES):
        raise ValueError(f"{where}: write_class must be one of {', '.join(WRITE_CLASSES)}")
    if rule.step < 1 or rule.min_tokens < 0:
        raise ValueError(f"{where}: step must be at least 1 and min_tokens at least 0")
    if not rule.lifetime_low_s <= rule.lifetime_s <= rule.lifetime_high_s:
        raise ValueError(f"{where}: lifetime_s must lie between its low and high end")
    if rule.mode == "prefix" and rule.lifetime_s <= 0:
        raise ValueError(f"{where}: a prefix cache needs lifetime_s")
    if rule.valid_to is not None and rule.valid_to <= rule.valid_from:
        raise ValueError(f"{where}: valid_to must be after valid_from")


def _check_overlap(rules: list[CacheRule], origin: str) -> None:
    spans: dict[str, list[CacheRule]] = {}
    for rule in rules:
        for family in rule.families:
            spans.setdefault(family, []).append(rule)
    for family, same in spans.items():
        ordered = sorted(same, key=lambda r: r.valid_from)
        for before, after in pairwise(ordered):
            if before.valid_to is None or before.valid_to > after.valid_from:
                raise ValueError(
                    f"{origin}: {before.id} and {after.id} both hold for {family} "
                    f"on {after.valid_from}"
                )


@lru_cache(maxsize=1)
def load_rules() -> tuple[CacheRule, ...]:
    """The rules shipped with the package."""
    text = resources.files("pricing.caching").joinpath("rules.toml").read_text("utf-8")
    return parse_rules(tomllib.loads(text))


def rule_for(
    variant: str, day: date, rules: tuple[CacheRule, ...] | None = None
) -> CacheRule | None:
    """The cache rule of ``variant`` on ``day``, or None where none is known."""
    names: dict[str, list[CacheRule]] = {}
    for rule in load_rules() if rules is None else rules:
        for family in rule.families:
            if variant == family or variant.startswith(family + "-"):
                names.setdefault(family, []).append(rule)
    for family in sorted(names, key=len, reverse=True):
        for rule in names[family]:
            if rule.in_force(day):
                return rule
        return None
    return None
