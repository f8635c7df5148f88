"""The lint rules by name: how bad a finding is, what the rule looks for, and why it matters.

>>> RULES["missing-twin"][0]
'error'
"""

from __future__ import annotations

import difflib
from datetime import timedelta
from typing import Literal

Severity = Literal["error", "warning", "note"]

STALE_AFTER = timedelta(days=180)
"""A price nobody looked at for longer than this is reported: list prices move twice a year."""

RULES: dict[str, tuple[Severity, str]] = {
    "priority-below-standard": (
        "error",
        "A faster tier is cheaper than standard for the same meter, size and time. Sellers charge "
        "more for speed; one of the two prices is misread or belongs to another prompt size.",
    ),
    "cheap-tier-above-standard": (
        "error",
        "Batch or flex is dearer than standard for the same meter, size and time. These tiers "
        "exist to be cheaper.",
    ),
    "cached-above-input": (
        "error",
        "Reading a cached token costs more than sending it afresh on the same tier.",
    ),
    "write-below-input": (
        "warning",
        "Writing a token to the cache costs less than plain input. Makers that charge writes "
        "charge more than input (1.25 x or 2 x); a lower or zero price usually means that the "
        "field was filled in for a seller without such a meter.",
    ),
    "missing-twin": (
        "error",
        "A tier or prompt size prices input without output, or the reverse: half of every call "
        "would fall back to another tier's price or to none.",
    ),
    "input-only": (
        "note",
        "No tier prices output. Right for embeddings, rerankers and speech recognition, wrong for "
        "a chat model.",
    ),
    "overlapping-validity": (
        "error",
        "Two prices of one meter and condition are in force at once, recorded together, so "
        "nothing says which; or a prompt-size range is empty.",
    ),
    "date-gap": (
        "error",
        "Between two prices of one meter there are days without any: calls of those days would "
        "be unpriced.",
    ),
    "float-remnant": (
        "warning",
        "The price is not exact: finer than a pico-dollar a unit, or the neighbour of a round "
        "figure. Published prices have at most six decimals per million; 0.18000000000000002 is "
        "what binary floats leave behind.",
    ),
    "zero-price": (
        "warning",
        "Input or output is listed at 0. Free models exist; more often the price was unknown and "
        "a 0 was written, which makes every such call free.",
    ),
    "unknown-retirement": (
        "note",
        "A variant has a successor but no retirement date, so nothing warns before it is gone.",
    ),
    "unknown-successor": (
        "error",
        "A variant names a successor that no card lists: a comparison would offer it in vain.",
    ),
    "stale-check": (
        "note",
        f"Nobody compared the price with its source for more than {STALE_AFTER.days} days, or "
        "ever. Prices change in place, without notice.",
    ),
    "contradicting-claims": (
        "note",
        "A source states another price than the one in force, or one where none is in force. Both "
        "are kept on purpose; read their notes before trusting either.",
    ),
    "threshold-not-carried": (
        "warning",
        "Standard has a long-context price, another tier has none of its own, so long prompts on "
        "that tier keep the short price. Right where the tier refuses long prompts, else too low.",
    ),
    "alias-clash": (
        "error",
        "Two ids of one seller differ only in dots, dashes or case, and have different prices: a "
        "log that spells the name the other way is billed wrong.",
    ),
}
"""Every rule: how bad a finding is, and what the rule looks for."""


def explain(rule: str) -> str:
    """What a rule looks for and why. Raises `ValueError` naming the nearest rule otherwise."""
    if rule not in RULES:
        near = difflib.get_close_matches(rule, RULES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; rules are {', '.join(RULES)}"
        raise ValueError(f"no lint rule {rule!r}{hint}")
    severity, text = RULES[rule]
    return f"{rule} ({severity}): {text}"
