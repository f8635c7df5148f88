"""Inside or beside: counts whose log does not say whether the parts are in the whole.

Telemetry spans and observation exports carry `input`, `output`, a few details and perhaps a total,
written by programs that disagree: some count cached tokens inside input, some beside it, and the
same for reasoning and output. The total decides where there is one; a part larger than its whole
decides too; otherwise the convention is assumed, and the record says so where it matters.

>>> reading = settle(Parts(input=6, output=2055, reasoning=1104, total=2061))
>>> reading.counts["output_text"], reading.counts["reasoning"], reading.flags   # inside
(951, 1104, [])
>>> reading = settle(Parts(input=179, output=35, reasoning=64, total=278))
>>> reading.counts["output_text"], reading.counts["reasoning"], reading.flags   # beside
(35, 64, [])

What comes out is the inclusive form that `pricing.usage.read_usage` reads, so the arithmetic
exists once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from pricing.usage import Reading, UsageError, count, read_usage, shown

LIVES = ("5m", "30m", "1h", "12h")


@dataclass(slots=True)
class Parts:
    """Counts as a log names them (tokens; None: not named). `written` is all cache writes,
    `lives` those whose lifetime is known; media stand where the other parts of their side do."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cached: int | None = None
    written: int | None = None
    lives: dict[str, int] = field(default_factory=dict)
    reasoning: int | None = None
    input_media: dict[str, int] = field(default_factory=dict)
    output_media: dict[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is any count at all."""
        return any(v is not None for v in (self.input, self.output, self.total))

    @property
    def beside_input(self) -> int:
        """Everything that is either inside input or beside it."""
        return self.cache + sum(self.input_media.values())

    @property
    def beside_output(self) -> int:
        """Everything that is either inside output or beside it."""
        return (self.reasoning or 0) + sum(self.output_media.values())

    @property
    def cache(self) -> int:
        """All cache tokens, read and written."""
        return (self.cached or 0) + max(self.written or 0, sum(self.lives.values()))


def number(value: Any, name: str) -> int | None:
    """A count that may have been written as text. Raises `UsageError` when it is none."""
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            value = int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError as error:
            raise UsageError(f"{name} = {shown(text)} is not a number") from error
    return count(value, name)


def settle(
    parts: Parts,
    *,
    cache_inside: bool = True,
    reasoning_inside: bool = True,
    doubtful: bool = False,
    whole: bool = True,
) -> Reading:
    """Disjoint counts of `parts`.

    `cache_inside` and `reasoning_inside` are what to assume where nothing proves either;
    `doubtful` says that the assumption deserves a flag. `whole` False drops a stated total from
    the proof (a total that a program merely added up). Raises `UsageError` for impossible counts.
    """
    inp, out = parts.input or 0, parts.output or 0
    into, outof = parts.beside_input, parts.beside_output
    # Inside, a cached audio token may stand in two lists; beside, every list is counted.
    largest_in = max(parts.cache, sum(parts.input_media.values()))
    largest_out = max(parts.reasoning or 0, sum(parts.output_media.values()))
    total = parts.total if whole else None
    assumed = (cache_inside, reasoning_inside)

    def possible(option: tuple[bool, bool]) -> bool:
        return (not option[0] or largest_in <= inp) and (not option[1] or largest_out <= out)

    def makes(option: tuple[bool, bool]) -> int:
        return inp + out + (0 if option[0] else into) + (0 if option[1] else outof)

    options = [o for o in product((True, False), (True, False)) if possible(o)]
    # A part that is nothing is inside and beside alike: keep the assumed one of each pair.
    if not into:
        options = [o for o in options if o[0] == cache_inside]
    if not outof:
        options = [o for o in options if o[1] == reasoning_inside]
    proven = [o for o in options if total is not None and makes(o) == total]
    flags: list[str] = []
    if proven:
        chosen = assumed if assumed in proven else proven[0]
    else:
        chosen = assumed if assumed in options else options[0]
        for side, what in enumerate(("input", "output")):
            open_question = len({o[side] for o in options}) > 1
            if doubtful and open_question and (into, outof)[side]:
                where = "inside" if chosen[side] else "beside"
                flags.append(
                    f"{what} details taken as {where} {what}: nothing in the log proves it"
                )
    usage: dict[str, Any] = {
        "prompt_tokens": None if parts.input is None else inp + (0 if chosen[0] else into),
        "completion_tokens": None if parts.output is None else out + (0 if chosen[1] else outof),
        "total_tokens": parts.total,
        "prompt_tokens_details": {
            "cached_tokens": parts.cached,
            "cache_write_tokens": parts.written,
            "cache_write_tokens_details": {f"ttl_{k}_tokens": v for k, v in parts.lives.items()},
            **{f"{k}_tokens": v for k, v in parts.input_media.items()},
        },
        "completion_tokens_details": {
            "reasoning_tokens": parts.reasoning,
            **{f"{k}_tokens": v for k, v in parts.output_media.items()},
        },
    }
    if parts.input is None and into:
        usage["prompt_tokens"] = into
    if parts.output is None and outof:
        usage["completion_tokens"] = outof
    reading = read_usage(usage)
    reading.flags[:0] = flags
    return reading


def first(named: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first count among several spellings of one thing."""
    for name in names:
        value = named.get(name)
        if value is not None and not isinstance(value, Mapping | list):
            found = number(value, name)
            if found is not None:
                return found
    return None
