"""Replay speed: the simulator against a plain dictionary loop over blocks, in the same run.

Both walk made-up coding-agent sessions of 64-token blocks and must agree on every request.
"""

from __future__ import annotations

import numpy as np

from benchmarks.common import Row, interleaved
from pricing.caching import BlockStream, cached_tokens

BLOCK = 64
TTL = 300.0


def agent_stream(requests: int, seed: int = 0) -> BlockStream:
    """Sessions whose prompt grows by a few blocks a call, 5 to 40 thousand tokens each."""
    rng = np.random.default_rng(seed)
    ids, lengths, times, base = [], [], [], 0
    while len(times) < requests:
        calls = min(int(rng.integers(20, 120)), requests - len(times))
        grown = np.cumsum(np.concatenate(([rng.integers(80, 300)], rng.integers(1, 8, calls))))
        own = np.arange(base, base + int(grown[-1]))
        base += len(own)
        now = rng.uniform(0, 86_400)
        for blocks in grown[:calls]:
            ids.append(own[:blocks])
            lengths.append(int(blocks))
            times.append(now)
            now += rng.exponential(90)
    order = np.argsort(times, kind="stable")
    sizes = np.array(lengths)[order]
    return BlockStream(
        (np.array(times)[order] * 1e6).astype(np.int64),
        sizes * BLOCK,
        np.concatenate([ids[i] for i in order]),
        np.concatenate(([0], np.cumsum(sizes))),
        BLOCK,
    )


def plain(stream: BlockStream, ttl: float) -> list[int]:
    """The rule written down block by block."""
    last: dict[int, int] = {}
    limit = round(ttl * 1e6)
    out = []
    ids, cuts = stream.ids.tolist(), stream.offsets.tolist()
    for i, now in enumerate(stream.time_us.tolist()):
        mine = ids[cuts[i] : cuts[i + 1]]
        run = 0
        for block in mine:
            seen = last.get(block)
            if seen is None or now - seen > limit:
                break
            run += 1
        for block in mine:
            last[block] = now
        out.append(min(run * BLOCK, int(stream.input_tokens[i])))
    return out


def rows(requests: int = 50_000) -> list[Row]:
    """The simulator against the loop; both must give the same cached tokens for every request."""
    stream = agent_stream(requests)
    ours: list[list[int]] = []
    theirs: list[list[int]] = []
    times = interleaved(
        {
            "simulator": lambda: ours.append(cached_tokens(stream, [TTL])[0].tolist()),
            "loop": lambda: theirs.append(plain(stream, TTL)),
        },
        rounds=3,
    )
    assert ours[0] == theirs[0], "the two disagree"
    detail = (
        f"{times.median('simulator'):.2f} s for {len(stream.ids):,} blocks, loop"
        f" {times.median('loop'):.2f} s"
    )
    return [Row("traffic", "cache replay / block loop", times.ratio("simulator", "loop"), detail)]
