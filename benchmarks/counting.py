"""Counting against plain tiktoken: one 1 MB text, and 10,000 short ones.

Both counters run in turns within the same process, so that whatever else the machine does falls on
both; the ratio (ours / tiktoken, below 1 is faster) is the median of the rounds.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.common import Row, interleaved

ROUNDS = 7


def _texts() -> tuple[str, list[str]]:
    rng = random.Random(7)
    words = [
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))
        for _ in range(4000)
    ]

    def sentence(n: int) -> str:
        return " ".join(rng.choice(words) for _ in range(n)).capitalize() + ".\n"

    long = ""
    parts: list[str] = []
    while sum(map(len, parts)) < 1_000_000:
        parts.extend(sentence(rng.randint(5, 25)) for _ in range(500))
    long = "".join(parts)[:1_000_000]
    return long, [sentence(30)[:200] for _ in range(10_000)]


def rows() -> list[Row]:
    """The measurements, one row a workload and backend."""
    from pricing.counting.encode import Encoder, _load, backend

    plain = _load("o200k_base", "tiktoken")._tokenizer
    backends = dict.fromkeys(["tiktoken", backend()])
    long, short = _texts()
    found: list[Row] = []
    for name in backends:
        counter: Encoder = _load("o200k_base", name)
        work: list[tuple[str, Callable[[], int], Callable[[], int]]] = [
            (
                "1 MB text",
                lambda c=counter: c.count(long),
                lambda: len(plain.encode_ordinary(long)),
            ),
            (
                "10,000 short texts",
                lambda c=counter: sum(c.count(text) for text in short),
                lambda: sum(len(plain.encode_ordinary(text)) for text in short),
            ),
        ]
        for what, ours, theirs in work:
            assert ours() == theirs()
            times = interleaved({"ours": ours, "tiktoken": theirs}, ROUNDS)
            detail = (
                f"{times.median('ours') * 1e3:.1f} ms, tiktoken"
                f" {times.median('tiktoken') * 1e3:.1f} ms"
            )
            ratio = times.ratio("ours", "tiktoken")
            found.append(Row("counting", f"{what} by {name} / tiktoken", ratio, detail))
    return found
