"""Measure the counter on recorded requests: ``python -m pricing.counting.measure FILE [--misses]``.

FILE holds one JSON object a line with ``request``, ``model``, ``endpoint``, ``category`` and
``prompt_tokens`` (the input tokens that were billed). The table shows, a category a line, how many
requests are countable from the request alone, how many of those are exact and within 2 %, the mean
error in tokens and how often the stated interval holds the bill.

*Countable* is decided by rule from the request, never by the outcome: no server-side tools or
items, files, audio, stored conversations or replayed reasoning, and no image whose pixel size is
absent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricing.counting.count import count_request
from pricing.counting.result import CountingError, RequestTokens


@dataclass(frozen=True)
class Measured:
    """One recorded request: what was counted (or why not) and what was billed, in tokens."""

    line: int
    category: str
    billed: int
    counted: RequestTokens | None
    error: str = ""

    @property
    def countable(self) -> bool:
        """True when the request alone determines the count, and a bill is there to compare with.

        Some streams end without a usage object; their recordings say 0.
        """
        return self.billed > 0 and self.counted is not None and self.counted.countable


@dataclass(frozen=True)
class Row:
    """A line of the table; shares are of the countable requests."""

    category: str
    requests: int
    countable: int
    exact: int
    within_2: int
    covered: int
    error: float
    failed: int


def measure(lines: Iterable[str]) -> list[Measured]:
    """Count every recorded request. A request that cannot be counted keeps its error message."""
    measured: list[Measured] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = json.loads(line)
        category = str(record.get("category") or record.get("endpoint"))
        billed = _billed(record)
        try:
            tokens = count_request(record["request"], record["model"], record["endpoint"])
        except CountingError as error:
            measured.append(Measured(number, category, billed, None, str(error)))
        else:
            measured.append(Measured(number, category, billed, tokens))
    return measured


def _billed(record: Mapping[str, Any]) -> int:
    usage: Mapping[str, Any] = record.get("usage") or {}
    if "cache_read_input_tokens" in usage:  # Anthropic reports cached input beside, not inside
        keys = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return sum(usage.get(key) or 0 for key in keys)
    return int(record["prompt_tokens"])


def table(measured: list[Measured]) -> list[Row]:
    """Rows by category in alphabetical order, and a last row "all"."""
    categories = sorted({m.category for m in measured})
    rows = [_row(c, [m for m in measured if m.category == c]) for c in categories]
    return [*rows, _row("all", measured)]


def _row(name: str, measured: list[Measured]) -> Row:
    pairs = [(m.billed, m.counted) for m in measured if m.countable and m.counted]
    off = [abs(billed - counted.total) for billed, counted in pairs]
    return Row(
        name,
        len(measured),
        len(pairs),
        sum(o == 0 for o in off),
        sum(o <= 0.02 * billed for o, (billed, _) in zip(off, pairs, strict=True)),
        sum(counted.low <= billed <= counted.high for billed, counted in pairs),
        sum(off) / len(off) if off else 0.0,
        sum(m.counted is None for m in measured),
    )


def render(rows: list[Row]) -> str:
    """The table as text."""
    head = f"{'category':<26}{'requests':>9}{'countable':>10}{'exact':>9}{'in 2 %':>9}"
    lines = [head + f"{'covered':>9}{'error':>8}{'failed':>8}"]
    for row in rows:
        shares = "".join(
            f"{n / row.countable:>9.1%}" if row.countable else f"{'-':>9}"
            for n in (row.exact, row.within_2, row.covered)
        )
        lines.append(
            f"{row.category:<26}{row.requests:>9}{row.countable:>10}{shares}"
            f"{row.error:>8.1f}{row.failed:>8}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table; with ``--misses`` also every countable request that is not exact."""
    files = [a for a in arguments if not a.startswith("--")]
    if len(files) != 1:
        print("usage: python -m pricing.counting.measure FILE [--misses]", file=sys.stderr)
        return 2
    try:
        with Path(files[0]).open(encoding="utf-8") as lines:
            measured = measure(lines)
    except (OSError, ValueError, KeyError) as error:
        print(f"Cannot measure {files[0]}: {error!r}", file=sys.stderr)
        return 3
    print(render(table(measured)))
    for reason in sorted({m.error for m in measured if m.error}):
        print(f"failed: {reason}")
    if "--misses" in arguments:
        for m in measured:
            if m.countable and m.counted and m.counted.total != m.billed:
                print(f"line {m.line}: {m.category}: billed {m.billed}, counted {m.counted.total}")
                print(f"    {m.counted.model} {m.counted.endpoint} {m.counted.parts}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
