"""Which requests belong together, for traces that do not say.

A conversation shows in its prefix blocks: the next turn's prompt begins with all of the previous
one's. So a request joins the conversation that last used its deepest known block, if that
earlier request is *contained* in it (all its blocks but the last, possibly partial, one) and the
block is not part of a common trunk. A trunk block (a system prompt, a shared document) is one
after which many different prompts went on.

Blocks [0] then [0, 1], [0, 1, 2]; 0 is a system prompt when many prompts start with it:

>>> import numpy as np
>>> from ingest.traffic.traces.trace import Trace
>>> rows = [[0, 1], [0, 5], [0, 6], [0, 7], [0, 8], [0, 1, 2], [0, 5, 9, 10]]
>>> flat = np.array([i for r in rows for i in r])
>>> cuts = np.concatenate(([0], np.cumsum([len(r) for r in rows])))
>>> n = len(rows)
>>> trace = Trace(np.arange(n), np.full(n, 900), np.full(n, 9), ids=flat, offsets=cuts,
...               block_size=512)
>>> infer_sessions(trace).sessions.tolist()
[0, 1, 2, 3, 4, 0, 1]
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.trace import Trace
from pricing.caching import number

IntArray = npt.NDArray[np.int64]

# A block followed by at least this many different blocks is common property, not a conversation.
# Edits and regenerations of one conversation branch two or three times; shared beginnings do so
# as often as they are used.
TRUNK_BRANCHES = 4


def with_sessions(trace: Trace) -> Trace:
    """The trace with session codes: its own, else inferred from prefixes, else one a request."""
    if trace.sessions is not None:
        return trace
    if trace.has_blocks:
        return infer_sessions(trace)
    return replace(
        trace,
        sessions=np.arange(trace.requests, dtype=np.int64),
        session_origin="request",
        _stream=[],
        notes=(*trace.notes, "no sessions: every request stands for itself"),
    )


def infer_sessions(trace: Trace) -> Trace:
    """Return the trace with sessions inferred from prefix chains (see the module)."""
    if trace.ids is None or trace.offsets is None:
        raise ValueError("prefix blocks are needed to infer sessions")
    ids = number(trace.ids)
    trunk = _trunk(ids, trace.offsets)
    n = trace.requests
    session = np.zeros(n, dtype=np.int64)
    lengths = np.diff(trace.offsets)
    size = int(ids.max()) + 1 if len(ids) else 0
    last_user = np.full(size, -1, dtype=np.int64)  # request that used the block last
    bounds = trace.offsets.tolist()
    fresh = 0
    for i in range(n):
        mine = ids[bounds[i] : bounds[i + 1]]
        home = -1
        if len(mine):
            users = last_user[mine]
            known = users >= 0
            depth = int(known.argmin()) if not known.all() else len(mine)
            if depth and not trunk[mine[depth - 1]]:
                before = int(users[depth - 1])
                # The earlier request may have ended in a partial block, which then changed its id.
                if lengths[before] - depth <= 1:
                    home = int(session[before])
            last_user[mine] = i
        if home < 0:
            home = fresh
            fresh += 1
        session[i] = home
    return replace(
        trace,
        sessions=session,
        session_origin="prefix",
        _stream=[],
        notes=(*trace.notes, f"{fresh} sessions inferred from prefix chains"),
    )


def _trunk(ids: npt.NDArray[np.int64], offsets: IntArray) -> npt.NDArray[np.bool_]:
    """For each block id, whether at least TRUNK_BRANCHES different blocks follow it."""
    if len(ids) == 0:
        return np.zeros(0, dtype=bool)
    size = int(ids.max()) + 1
    follows = np.ones(len(ids), dtype=bool)
    starts = offsets[:-1][np.diff(offsets) > 0]
    follows[starts] = False
    at = np.flatnonzero(follows)
    pairs = np.unique(ids[at - 1].astype(np.int64) * size + ids[at])
    return np.bincount(pairs // size, minlength=size) >= TRUNK_BRANCHES
