"""How much of a recorded prompt stream a prefix cache would have served.

A request is a row of *blocks*: ids such that an equal id means an equal prefix up to and
including that block (512-token prefix hashes, or named components with lengths of their own).
The rule, for requests taken in file order:

1. cached blocks = the longest leading run whose blocks were all seen before and last used no
   more than ``ttl`` ago (age equal to the lifetime still counts);
2. every block of the request, cached or not, is then marked as used now;
3. cached tokens = min(tokens of those blocks, input tokens of the request).

A provider's minimum and step are applied afterwards (`apply_floor`): they change what is billed
as cached, not what the cache remembers.

>>> import numpy as np
>>> stream = BlockStream(
...     time_us=np.array([0, 200_000_000]), input_tokens=np.array([1000, 1000]),
...     ids=np.array([7, 8, 7, 9]), offsets=np.array([0, 2, 4]), block_size=512)
>>> cached_tokens(stream, [300.0])[0].tolist()
[0, 512]
>>> cached_tokens(stream, [199.0])[0].tolist()
[0, 0]

Speed: one pass over the requests with two dense arrays (last use, and in session scope the
session that made it) indexed by block id; each request costs a gather, a compare and a scatter
over its own slice, whatever the number of lifetimes asked for. Not modelled: capacity eviction,
the delay until a first answer makes an entry usable, limits on lookback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

# A dense array is used while the largest id is at most this many times the number of entries;
# beyond that (64-bit hashes) the ids are numbered first.
_SPARSE_FACTOR = 4
_NEVER = np.iinfo(np.int64).min // 2
_PROGRESS_EVERY = 4096
_FOREVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class BlockStream:
    """Requests with their prefix blocks, in the order in which the cache saw them.

    Shapes: ``time_us``, ``input_tokens`` and ``sessions`` have one entry a request (n);
    ``offsets`` has n + 1 entries into ``ids``, so request i owns ``ids[offsets[i]:offsets[i+1]]``.
    Block lengths are either one ``block_size`` for all or ``block_tokens``, parallel to ``ids``.
    ``sessions`` (integer codes) is needed for session scope only.
    """

    time_us: IntArray
    input_tokens: IntArray
    ids: npt.NDArray[Any]
    offsets: IntArray
    block_size: int | None = None
    block_tokens: IntArray | None = None
    sessions: IntArray | None = None
    _dense: list[npt.NDArray[Any]] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        n = len(self.time_us)
        if len(self.input_tokens) != n or len(self.offsets) != n + 1:
            raise ValueError(
                f"shapes disagree: {n} times, {len(self.input_tokens)} input counts and "
                f"{len(self.offsets)} offsets (should be {n + 1})"
            )
        if (self.block_size is None) == (self.block_tokens is None):
            raise ValueError("give either block_size or block_tokens")
        if self.block_size is not None and self.block_size < 1:
            raise ValueError(f"block size must be at least 1 token, not {self.block_size}")
        if self.block_tokens is not None and len(self.block_tokens) != len(self.ids):
            raise ValueError("block_tokens and ids differ in length")

    @property
    def requests(self) -> int:
        """Number of requests."""
        return len(self.time_us)

    def dense_ids(self) -> npt.NDArray[Any]:
        """The ids as small non-negative integers (computed once)."""
        if not self._dense:
            self._dense.append(number(self.ids))
        return self._dense[0]


def number(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return codes 0..k-1 for any ids (integers of any size, or strings); equal id, equal code.

    Already small non-negative integers come back as they are.
    """
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    if values.dtype.kind in "iu":
        low, high = values.min(), values.max()
        if low >= 0 and int(high) < max(1024, _SPARSE_FACTOR * len(values)):
            return values
        if int(high) - int(low) < max(1024, _SPARSE_FACTOR * len(values)):
            return values - low
    import pandas as pd

    return pd.factorize(values)[0]  # pyright: ignore[reportUnknownMemberType]


def chain(ids: npt.NDArray[Any], offsets: IntArray) -> IntArray:
    """Turn ids of *pieces* into ids of *prefixes*: equal id, equal piece and equal all before it.

    Needed for traces that name components (a passage, a tool list) wherever they stand in the
    prompt: a prefix cache serves a piece only behind the same beginning. Exact, no hashing; one
    numbering pass for each position in the longest request.

    >>> import numpy as np
    >>> chain(np.array([5, 6, 6, 5, 5, 6]), np.array([0, 2, 4, 6])).tolist()
    [0, 2, 1, 3, 0, 2]
    """
    codes = number(ids).astype(np.int64, copy=False)
    out = np.zeros(len(codes), dtype=np.int64)
    if len(codes) == 0:
        return out
    width = int(codes.max()) + 1
    lengths = np.diff(offsets)
    active = np.flatnonzero(lengths > 0)
    parent = np.zeros(len(active), dtype=np.int64)  # 0: the empty prefix; prefixes count from 1
    numbered = 0
    depth = 0
    while len(active):
        at = offsets[active] + depth
        pair = parent * width + codes[at]
        _, local = np.unique(pair, return_inverse=True)
        local = local.reshape(-1)
        out[at] = numbered + local
        parent = out[at] + 1
        numbered += int(local.max()) + 1
        depth += 1
        keep = lengths[active] > depth
        active, parent = active[keep], parent[keep]
    return out


def cached_tokens(
    stream: BlockStream,
    ttls: Sequence[float],
    scope: str = "all",
    progress: Callable[[int, int], None] | None = None,
    partition: IntArray | None = None,
) -> list[IntArray]:
    """Tokens served from the cache, per request, for each lifetime in seconds.

    scope "all": one cache for all requests. scope "session": entries are visible only within
    the session that made them (needs ``stream.sessions``). ``partition`` (integer codes, one a
    request) splits one cache for all into caches that do not see each other, each in file order:
    machines, models, or the two halves of a validation; in session scope it splits each session.
    Raises ValueError for another scope, a negative lifetime, or session scope without sessions.
    """
    if scope not in ("all", "session"):
        raise ValueError(f"scope must be 'all' or 'session', not {scope!r}")
    if any(not t >= 0 for t in ttls):
        raise ValueError(f"a lifetime must be zero or more seconds: {list(ttls)}")
    limits = [_microseconds(t) for t in ttls]
    codes, order = partition, None
    if scope == "session":
        if stream.sessions is None:
            raise ValueError("scope 'session' needs a session column (name it with the map)")
        # Within a session time decides, and file order where times are equal.
        codes = stream.sessions
        if partition is not None:
            _, split = np.unique(partition, return_inverse=True)
            codes = codes * (int(split.max(initial=0)) + 1) + split.reshape(-1)
        order = np.lexsort((stream.time_us, codes))
    elif codes is not None:
        order = np.argsort(codes, kind="stable")
    runs = _leading_runs(stream, limits, codes, order, progress)
    return [_tokens_of_runs(stream, run) for run in runs]


def _microseconds(seconds: float) -> int:
    return _FOREVER if seconds == float("inf") else round(seconds * 1_000_000)


def _leading_runs(
    stream: BlockStream,
    limits: list[int],
    codes: IntArray | None,
    order: IntArray | None,
    progress: Callable[[int, int], None] | None,
) -> list[IntArray]:
    n = stream.requests
    ids = stream.dense_ids()
    runs = [np.zeros(n, dtype=np.int64) for _ in limits]
    if len(ids) == 0:
        return runs
    last = np.full(int(ids.max()) + 1, _NEVER, dtype=np.int64)
    # Groups are walked one after another, so "seen in this group" is one stamp a block.
    owner = None if codes is None else np.full(len(last), np.iinfo(np.int64).min, dtype=np.int64)
    groups: list[int] = [] if codes is None else codes.tolist()
    walk = range(n) if order is None else order.tolist()
    times = stream.time_us.tolist()
    bounds = stream.offsets.tolist()
    lone = limits[0] if len(limits) == 1 else None
    for done, i in enumerate(walk):
        begin, end = bounds[i], bounds[i + 1]
        if begin == end:
            continue
        mine = ids[begin:end]
        now = times[i]
        seen = last[mine]
        if owner is not None:
            seen[owner[mine] != groups[i]] = _NEVER
            owner[mine] = groups[i]
        last[mine] = now
        if lone is not None:
            runs[0][i] = _run(seen >= now - lone)
        else:
            for run, limit in zip(runs, limits, strict=True):
                run[i] = _run(seen >= now - limit)
        if progress is not None and done % _PROGRESS_EVERY == 0:
            progress(done, n)
    return runs


def _run(fresh: npt.NDArray[np.bool_]) -> int:
    """Length of the leading run of True."""
    stop = int(fresh.argmin())
    return stop if not fresh[stop] else len(fresh)


def _tokens_of_runs(stream: BlockStream, runs: IntArray) -> IntArray:
    if stream.block_size is not None:
        tokens = runs * stream.block_size
    else:
        assert stream.block_tokens is not None
        total = np.concatenate(([0], np.cumsum(stream.block_tokens, dtype=np.int64)))
        start = stream.offsets[:-1]
        tokens = total[start + runs] - total[start]
    return np.minimum(tokens, stream.input_tokens)


def apply_floor(cached: IntArray, min_tokens: int = 0, step: int = 1) -> IntArray:
    """Round cached tokens down to the provider's step; below its minimum nothing is cached.

    >>> import numpy as np
    >>> apply_floor(np.array([1023, 1024, 1151, 1152]), 1024, 128).tolist()
    [0, 1024, 1024, 1152]
    """
    if step < 1 or min_tokens < 0:
        raise ValueError(f"step must be at least 1 and minimum at least 0: {step}, {min_tokens}")
    stepped = cached // step * step
    return np.where(stepped >= min_tokens, stepped, 0)
