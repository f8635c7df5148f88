"""Prompts rebuilt from what a log says of them: as blocks that share as much as was cached.

A log tells how many tokens each call read from the cache; that is the shortest beginning it can
have shared. A session of two calls, 1,000 tokens and then 1,500 of which 900 came from the cache,
becomes the blocks [900, 100] and [900, 600] with one id for the first:

>>> ids, offsets, lengths = blocks_of(np.array([0, 0]), np.array([1000, 1500]), np.array([0, 900]))
>>> lengths.tolist(), offsets.tolist(), bool(ids[0] == ids[2])
([900, 100, 900, 600], [0, 2, 4], True)
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Every length at which a prompt leaves the beginning all sessions share cuts it for all of them,
# so a million calls without sessions would be a million times thousands of blocks. Beyond this many
# lengths those next to each other count as their mean.
MOST_CUTS = 128


def blocks_of(
    sessions: IntArray, inputs: IntArray, cached: IntArray, most_cuts: int = MOST_CUTS
) -> tuple[IntArray, IntArray, IntArray]:
    """Prefix blocks (ids, offsets, tokens a block) that share what was cached.

    A call's cached tokens are the beginning of the session's call before it; beyond that call's
    length, and for a session's first call, they are the beginning all sessions share. Exact within
    sessions, and for up to ``most_cuts`` lengths of the shared beginning; beyond that the sum of
    cached tokens is kept and single calls are off by as much as such lengths lie apart.
    """
    hits = np.minimum(cached, inputs)
    shared, within = _shared(sessions, inputs, hits)
    hits[within] = _merged(hits[within], most_cuts)
    np.minimum(hits, inputs, out=hits)
    common = _Chain()
    latest: dict[int, _Chain] = {}
    chains: list[_Chain] = []
    for session, size, hit, trunk in zip(
        sessions.tolist(), inputs.tolist(), hits.tolist(), shared.tolist(), strict=True
    ):
        before = latest.get(session)
        if trunk or before is None:
            common.grow(hit)
            before = common
        chain = before.beginning(hit)
        chain.grow(size)
        latest[session] = chain
        chains.append(chain)
    ids, lengths = array("q"), array("q")
    offsets = array("q", [0])
    free = 0
    for chain in chains:
        for piece, used in chain.parts:
            if piece.first < 0:
                # Cuts are final only now; a piece of k runs has k consecutive ids.
                piece.first, piece.edges = free, sorted(piece.cuts)
                piece.runs = array("q", (end - begin for begin, end in pairwise(piece.edges)))
                free += len(piece.runs)
            k = bisect_left(piece.edges, used)
            ids.extend(range(piece.first, piece.first + k))
            lengths.extend(piece.runs[:k])
        offsets.append(len(ids))
    return _numbers(ids), _numbers(offsets), _numbers(lengths)


def _shared(sessions: IntArray, inputs: IntArray, hits: IntArray) -> tuple[BoolArray, BoolArray]:
    """Which calls begin with what all sessions share rather than with the session's call before,
    and which end their cached tokens inside it."""
    order = np.argsort(sessions, kind="stable")
    codes, hit = sessions[order], hits[order]
    before = np.concatenate(([-1], np.where(codes[1:] == codes[:-1], inputs[order][:-1], -1)))
    fresh = before < hit
    latest = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    shared, within = np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype=bool)
    shared[order], within[order] = fresh, hit <= hit[latest]
    return shared, within


def _merged(values: IntArray, most: int) -> IntArray:
    """The values with at most about ``most`` different ones: equally many next to each other
    become their mean, so that the sum is kept.

    >>> _merged(np.array([0, 10, 20, 40]), 1).tolist(), _merged(np.array([3, 5, 3]), 2).tolist()
    ([0, 23, 23, 23], [3, 5, 3])
    """
    some = values > 0
    known, counts = np.unique(values[some], return_counts=True)
    if len(known) <= most:
        return values
    group = (np.cumsum(counts) - counts) * most // counts.sum()
    total = np.bincount(group, weights=known * counts)
    each = np.bincount(group, weights=counts)
    mean = np.round(total / np.maximum(each, 1)).astype(np.int64)
    out = values.copy()
    out[some] = mean[group[np.searchsorted(known, values[some])]]
    return out


def _numbers(values: array[int]) -> IntArray:
    return np.frombuffer(values, dtype=np.int64) if values else np.zeros(0, dtype=np.int64)


class _Piece:
    """A run of tokens first sent by one call; `cuts` are where prompts begin or leave it."""

    __slots__ = ("cuts", "edges", "first", "runs", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.cuts = {0, size}
        self.edges: list[int] = []
        self.runs: array[int] = array("q")
        self.first = -1


class _Chain:
    """A prompt as a list of (piece, tokens of it from its beginning)."""

    def __init__(self) -> None:
        self.parts: list[tuple[_Piece, int]] = []
        self.length = 0

    def grow(self, length: int) -> None:
        """Append fresh tokens up to `length`."""
        if length > self.length:
            piece = _Piece(length - self.length)
            self.parts.append((piece, piece.size))
            self.length = length

    def beginning(self, tokens: int) -> _Chain:
        """A prompt that shares the first `tokens` of this one."""
        out = _Chain()
        for piece, used in self.parts:
            take = min(used, tokens - out.length)
            if take <= 0:
                break
            piece.cuts.add(take)
            out.parts.append((piece, take))
            out.length += take
        return out
