"""Why a cost moved between two periods, exact to the pico-dollar.

The way from the old cost to the new one is walked in a fixed order, one thing changing at a time:

    old cost
      -> retired: groups that are gone take their cost with them
      -> volume:  as many tokens as now, shared out as before, at old prices
      -> mix:     shares of groups (team, variant…) and of input against output as now
      -> tier:    shares of tiers as now
      -> cache:   shares of cache reads, cache writes and uncached input as now
      -> price:   prices as now
      -> new:     groups that were not there before
    new cost

Each waypoint is an exact fraction rounded once, half up, to a whole pico-dollar; an effect is the
difference of two waypoints, so effects telescope: they sum to the difference exactly, whatever the
rounding. The order is a convention: first quantities, then prices; a change of
price and volume together is counted under price. A tier or meter without a price before is valued
at its price now, so it makes no price effect.

Example: 10 tokens at 3 before, 20 tokens at 2 now: 30 -> 40. Volume +30, price −20.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

ORDER = ("retired", "volume", "mix", "tier", "cache", "price", "new")


@dataclass(frozen=True, slots=True)
class Cell:
    """Usage of one kind in one period."""

    group: tuple[str, ...]
    """Dimensions that make a group: team, variant, …"""
    tier: str
    meter: str
    tokens: int
    price: int | None
    """Pico-dollars per unit; None is unpriced and never counted as free."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Effects in pico-dollars; `sum(effects.values()) == after - before`, always."""

    before: int
    after: int
    effects: dict[str, int]
    new: dict[tuple[str, ...], int]
    """Groups only in the later period, with their cost, largest first."""
    retired: dict[tuple[str, ...], int]
    """Groups only in the earlier period, with the cost they had, largest first."""
    unpriced: tuple[int, int]
    """Units without a price, before and after; they are in no effect."""

    def waterfall(self) -> list[tuple[str, int, int]]:
        """Steps (name, from, to) in pico-dollars, from the old cost to the new one."""
        steps: list[tuple[str, int, int]] = []
        at = self.before
        for name, value in self.effects.items():
            steps.append((name, at, at + value))
            at += value
        return steps

    def sentence(self) -> str:
        """One sentence for people: the difference, then the effects, largest first."""
        delta = self.after - self.before
        if not any(self.effects.values()):
            text = f"Cost stayed at {usd(self.after)}"
        else:
            share = f" ({delta * 100 / self.before:+.1f} %)" if self.before else ""
            verb = "rose by" if delta > 0 else "fell by" if delta < 0 else "did not move:"
            text = f"Cost {verb} {usd(abs(delta))}{share} from {usd(self.before)} to "
            text += usd(self.after) + ": "
            ranked = sorted(self.effects.items(), key=lambda e: -abs(e[1]))
            text += ", ".join(self._named(n, v) for n, v in ranked if v)
        if any(self.unpriced):
            text += f". Not counted: {self.unpriced[0]:,} units before and {self.unpriced[1]:,} now"
            text += " have no price"
        return text + "."

    def _named(self, name: str, value: int) -> str:
        groups = self.new if name == "new" else self.retired if name == "retired" else {}
        who = ", ".join("/".join(g) for g in list(groups)[:3])
        more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
        sign = "+" if value >= 0 else "−"
        return f"{name} {sign}{usd(abs(value))}" + (f" ({who}{more})" if who else "")


def usd(pico: int) -> str:
    """US dollars of a whole number of pico-dollars, in cents or, below a dollar, 4 digits."""
    amount = Decimal(pico).scaleb(-12)
    return f"{amount:,.2f} USD" if pico == 0 or abs(pico) >= 10**12 else f"{amount:,.4f} USD"


def kind_of(meter: str) -> str:
    """Input, output, or the meter itself where it counts something else (searches, images…)."""
    if meter.startswith(("input", "cache")):
        return "input"
    return "output" if meter.startswith(("output", "reasoning")) else meter


def _half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


Leaf = tuple[tuple[str, ...], str, str, str]  # group, kind, tier, meter


def _gather(
    cells: Iterable[Cell], kind: Callable[[str], str]
) -> tuple[dict[Leaf, int], dict[Leaf, int], int]:
    units: dict[Leaf, int] = defaultdict(int)
    cost: dict[Leaf, int] = defaultdict(int)
    unpriced = 0
    for c in cells:
        if c.tokens < 0:
            msg = f"{c.tokens} units of {c.meter} in {'/'.join(c.group)}: usage cannot be negative"
            raise ValueError(msg)
        if c.price is None:
            unpriced += c.tokens
        elif c.tokens:
            leaf = (c.group, kind(c.meter), c.tier, c.meter)
            units[leaf] += c.tokens
            cost[leaf] += c.tokens * c.price
    return units, cost, unpriced


def _sums(units: Mapping[Leaf, int], depth: Callable[[Leaf], object]) -> dict[object, int]:
    out: dict[object, int] = defaultdict(int)
    for leaf, n in units.items():
        out[depth(leaf)] += n
    return out


def explain(
    before: Sequence[Cell], after: Sequence[Cell], kind: Callable[[str], str] = kind_of
) -> Explanation:
    """Split the difference of two periods' costs into exact effects (pico-dollars).

    Cells with the same dimensions add up, also at several prices: the price of the sum is their
    exact mean. Raises ValueError for negative usage.
    """
    n0, c0, u0 = _gather(before, kind)
    n1, c1, u1 = _gather(after, kind)
    groups0, groups1 = {leaf[0] for leaf in n0}, {leaf[0] for leaf in n1}
    stay = groups0 & groups1
    new = _by_group(c1, groups1 - stay)
    retired = _by_group(c0, groups0 - stay)
    old = {leaf: n for leaf, n in n0.items() if leaf[0] in stay}
    now = {leaf: n for leaf, n in n1.items() if leaf[0] in stay}
    leaves = sorted(old.keys() | now.keys())
    price1 = {leaf: Fraction(c1[leaf], n1[leaf]) for leaf in now}
    price0 = {
        leaf: Fraction(c0[leaf], n0[leaf]) if leaf in old else price1[leaf] for leaf in leaves
    }

    def pool(leaf: Leaf) -> object:
        return "tokens" if leaf[1] in ("input", "output") else leaf[1]

    def shared_as_before(depth: Callable[[Leaf], object]) -> dict[Leaf, Fraction]:
        """Units now at `depth`, below it shared out as before (as now where there was none)."""
        total0, total1 = _sums(old, depth), _sums(now, depth)
        out: dict[Leaf, Fraction] = {}
        for leaf in leaves:
            at = depth(leaf)
            base, total = (old, total0) if total0.get(at) else (now, total1)
            count = total1.get(at, 0)
            out[leaf] = Fraction(base.get(leaf, 0) * count, total[at]) if count else Fraction(0)
        return out

    def value(quantity: Mapping[Leaf, Fraction]) -> int:
        return _half_up(sum((quantity[f] * price0[f] for f in leaves), Fraction(0)))

    exact = {leaf: Fraction(now.get(leaf, 0)) for leaf in leaves}
    tiers = shared_as_before(lambda f: f[:3])
    # Within output the split (text, reasoning) is mix, not cache: take it with the mix step.
    kinds = shared_as_before(lambda f: f[:2])
    points = [
        sum(c0.values()),
        sum(c0[leaf] for leaf in old),
        value(shared_as_before(pool)),
        value(kinds),
        value(tiers),
        value(exact),
        sum(c1[leaf] for leaf in now),
        sum(c1.values()),
    ]
    effects = {name: points[i + 1] - points[i] for i, name in enumerate(ORDER)}
    inside = {leaf: exact[leaf] if leaf[1] == "input" else tiers[leaf] for leaf in leaves}
    not_cache = points[5] - value(inside)
    effects["mix"] += not_cache
    effects["cache"] -= not_cache
    return Explanation(points[0], points[-1], effects, new, retired, (u0, u1))


def _by_group(cost: Mapping[Leaf, int], groups: set[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    out: dict[tuple[str, ...], int] = defaultdict(int)
    for leaf, value in cost.items():
        if leaf[0] in groups:
            out[leaf[0]] += value
    return dict(sorted(out.items(), key=lambda g: (-g[1], g[0])))
