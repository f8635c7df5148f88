"""Replay speed: the simulator against a plain dictionary loop over blocks, in the same run.

    python benchmarks/traffic.py [--requests 50000] [--json]

Both walk made-up coding-agent sessions of 64-token blocks and must agree on every request.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    stream = agent_stream(options.requests)
    begin = time.perf_counter()
    ours = cached_tokens(stream, [TTL])[0]
    middle = time.perf_counter()
    theirs = plain(stream, TTL)
    end = time.perf_counter()
    assert ours.tolist() == theirs, "the two disagree"
    result = {
        "requests": stream.requests,
        "blocks": len(stream.ids),
        "cached_share": float(ours.sum() / stream.input_tokens.sum()),
        "simulator_s": round(middle - begin, 3),
        "plain_loop_s": round(end - middle, 3),
        "ratio": round((end - middle) / (middle - begin), 1),
    }
    print(json.dumps(result) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
