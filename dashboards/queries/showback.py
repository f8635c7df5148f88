"""Showback: what each team answers for, with shared cost split by a stated rule, to the last unit.

    [showback]
    by = "team"
    shared = ["platform", ""]         # whose cost everybody uses; "" is cost that names no team
    rule = "proportional"             # to the teams' own cost; or "even", or "fixed"
    shares = { search = "60", assistant = "40" }      # for fixed: percent, or any weights
    among = ["search", "assistant"]   # who shares; default: everybody with own cost

Shares are exact fractions of whole pico-dollars. What rounding down leaves over, less than one
pico-dollar a team, goes one each to the largest fractions, by name where they are equal: the parts
always add up to the whole.

>>> split(10, {"a": Fraction(1), "b": Fraction(1), "c": Fraction(1)})
{'a': 4, 'b': 3, 'c': 3}
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, dimension, show_value
from dashboards.queries.spend import spend
from pricing.money import plain, usd

if TYPE_CHECKING:
    import duckdb

RULES = ("even", "proportional", "fixed")
_KEYS = ("by", "shared", "rule", "shares", "among")


class ShowbackError(ValueError):
    """A showback rule is wrong; the message says what to write."""


def split(amount: int, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """Split a whole amount by weights, exactly: the parts sum to it. Raises `ShowbackError` when
    there is nobody to carry it, or a weight is negative."""
    total = sum(weights.values(), Fraction(0))
    if total <= 0 or any(w < 0 for w in weights.values()):
        raise ShowbackError("shares must not be negative, and at least one must be above 0")
    exact = {name: amount * w / total for name, w in weights.items()}
    parts = {name: value.numerator // value.denominator for name, value in exact.items()}
    left = amount - sum(parts.values())
    # Largest remainder first; equal ones by name, so that the same data always splits alike.
    order = sorted(parts, key=lambda n: (parts[n] - exact[n], n))
    for name in order[:left]:
        parts[name] += 1
    return parts


@dataclass(frozen=True, slots=True)
class Rule:
    """How shared cost is split; see the module for how it is written."""

    by: str = "team"
    shared: tuple[str, ...] = ("",)
    rule: str = "proportional"
    shares: Mapping[str, Fraction] | None = None
    among: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any]) -> Rule:
        """Read `[showback]`. Raises `ShowbackError` naming the key."""
        for key in raw:
            if key not in _KEYS:
                near = difflib.get_close_matches(key, _KEYS, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(_KEYS)})"
                raise ShowbackError(f"showback: unknown key {key!r}{hint}")
        rule = raw.get("rule", "proportional")
        if rule not in RULES:
            raise ShowbackError(f"showback.rule {rule!r}: {', '.join(RULES)}")
        shares = {name: _weight(name, value) for name, value in raw.get("shares", {}).items()}
        if (rule == "fixed") != bool(shares):
            raise ShowbackError('showback: shares belong to rule = "fixed", and it needs them')
        shared = raw.get("shared", [""])
        return cls(
            str(raw.get("by", "team")),
            (shared,) if isinstance(shared, str) else tuple(shared),
            rule, shares or None, tuple(raw.get("among", ())),
        )  # fmt: skip


def _weight(name: str, value: Any) -> Fraction:
    try:
        if isinstance(value, float):
            value = str(value)
        weight = Fraction(value.replace("%", "").strip() if isinstance(value, str) else value)
    except (ValueError, TypeError) as error:
        raise ShowbackError(f"showback.shares.{name}: {value!r} is no number") from error
    if weight < 0:
        raise ShowbackError(f"showback.shares.{name} must not be negative")
    return weight


@dataclass(frozen=True, slots=True)
class ShowbackRow:
    """One team: its own cost, its part of what is shared (pico-dollars), and its calls."""

    name: str
    own: int
    part: int
    calls: int
    unpriced_calls: int

    @property
    def wholly_unpriced(self) -> bool:
        """Whether none of its calls has a price: its own cost is unknown, not zero."""
        return bool(self.calls) and self.unpriced_calls == self.calls and self.own == 0

    @property
    def total(self) -> int:
        """What it answers for."""
        return self.own + self.part


@dataclass(frozen=True, slots=True)
class Showback:
    """The statement: `sum(row.total) == own + shared == the report's total`, always."""

    rule: Rule
    rows: tuple[ShowbackRow, ...]
    shared: int
    shared_names: tuple[str, ...]
    unpriced_calls: int
    """Calls without a price, of the shared too: they are in nobody's cost."""

    @property
    def wholly_unpriced(self) -> bool:
        """Whether nothing in the statement has a price."""
        return self.total == 0 and any(row.wholly_unpriced for row in self.rows)

    @property
    def total(self) -> int:
        """Everything, in pico-dollars."""
        return sum(row.total for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Plain types; money as decimal strings in USD."""
        return {
            "by": self.rule.by,
            "rule": self.rule.rule,
            "shared": list(self.shared_names),
            "shared_usd": plain(usd(self.shared)),
            "rows": [
                {
                    self.rule.by: row.name,
                    "own_usd": None if row.wholly_unpriced else plain(usd(row.own)),
                    "shared_usd": plain(usd(row.part)),
                    "total_usd": None
                    if row.wholly_unpriced and not row.part
                    else plain(usd(row.total)),
                    "calls": row.calls,
                    "unpriced_calls": row.unpriced_calls,
                }
                for row in self.rows
            ],
            "total_usd": None if self.wholly_unpriced else plain(usd(self.total)),
            "unpriced_calls": self.unpriced_calls,
        }


def showback(con: duckdb.DuckDBPyConnection, scope: Scope, rule: Rule) -> Showback:
    """Own cost and parts of shared cost. Raises `ScopeError` for an unknown dimension,
    `ShowbackError` when nobody is there to carry the shared cost."""
    dimension(rule.by, scope.zone)
    answer = spend(con, [rule.by], scope)
    rows, missing = answer.rows, answer.total.unpriced_calls
    common = {"(none)" if name == "" else name for name in rule.shared}
    own = {show_value(r.keys[0], rule.by): r for r in rows}
    shared = sum(r.cost_pico for name, r in own.items() if name in common)
    carriers = [n for n in own if n not in common]
    everybody: list[str] = [*carriers, *rule.among, *(rule.shares or {})]
    names: list[str] = list(dict.fromkeys(everybody))
    sharing: list[str] = list(rule.among) or names
    costs = {n: own[n].cost_pico if n in own and n not in common else 0 for n in names}
    if not names:
        # Nobody but the shared: it stays where it is, under its own names.
        kept = tuple(
            ShowbackRow(n, r.cost_pico, 0, r.calls, r.unpriced_calls) for n, r in own.items()
        )
        return Showback(rule, kept, 0, tuple(sorted(common & own.keys())), missing)
    parts = split(shared, _weights(rule, sharing, costs)) if shared else {}
    made = [
        ShowbackRow(
            n, costs[n], parts.get(n, 0), own[n].calls if n in own else 0,
            own[n].unpriced_calls if n in own else 0,
        )
        for n in names
    ]  # fmt: skip
    made.sort(key=lambda r: (-r.total, r.name))
    return Showback(rule, tuple(made), shared, tuple(sorted(common & own.keys())), missing)


def _weights(rule: Rule, sharing: Sequence[str], costs: Mapping[str, int]) -> dict[str, Fraction]:
    if rule.rule == "fixed":
        return dict(rule.shares or {})
    if rule.rule == "proportional" and any(costs.get(n, 0) for n in sharing):
        return {n: Fraction(costs.get(n, 0)) for n in sharing}
    # Proportional to nothing would divide by nothing: everybody carries the same.
    return {n: Fraction(1) for n in sharing}
