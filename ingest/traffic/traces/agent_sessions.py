"""Coding-agent sessions: one JSON document a session, its calls and sub-agents nested.

A document has `block_size` and `requests`, each with `t` (seconds from the session's start), `in`,
`out`, `hash_ids` and `model`; an entry with `requests` of its own is a sub-agent. Every session
has its own clock, and its own block ids unless it says `hash_id_scope = "global"`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.trace import Trace, TraceError
from pricing.json_types import JsonDict


def read_agent_sessions(path: Path) -> Trace | None:
    """Coding-agent sessions: JSON documents with `requests` of t, in, out, hash_ids, model.

    Sub-agents are nested entries with requests of their own; they share the session's blocks.
    Ids are local to a document unless it says `hash_id_scope = "global"`.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            return None
    elif path.suffix == ".json":
        files = [path]
        if not _is_session(path):
            return None
    else:
        return None
    rows: list[tuple[int, float, int, int, str, npt.NDArray[np.int64]]] = []
    sizes: set[int] = set()
    base = 0
    for session, file in enumerate(files):
        try:
            document = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            raise TraceError(f"{file}: not JSON: {error}") from error
        if not isinstance(document, JsonDict) or "requests" not in document:
            raise TraceError(f"{file}: not a session document (no `requests`)")
        sizes.add(int(document.get("block_size", 64)))
        calls: list[tuple[float, str, int, dict[str, Any]]] = []
        _collect(document["requests"], "", 0.0, calls, file)
        calls.sort(key=lambda c: c[:3])
        shift = 0 if document.get("hash_id_scope") == "global" else base
        for t, _, _, call in calls:
            blocks = np.asarray(call.get("hash_ids") or [], dtype=np.int64)
            base = max(base, int(blocks.max()) + 1 + shift if len(blocks) else 0)
            rows.append(
                (session, t, int(call["in"]), int(call["out"]), call.get("model", ""),
                 blocks + shift)
            )  # fmt: skip
    if len(sizes) != 1:
        raise TraceError(f"{path}: sessions of different block sizes {sorted(sizes)}")
    names = tuple(dict.fromkeys(r[4] for r in rows))
    code = {name: i for i, name in enumerate(names)}
    lengths = [len(r[5]) for r in rows]
    return Trace(
        time_us=np.array([round(r[1] * 1e6) for r in rows], dtype=np.int64),
        input_tokens=np.array([r[2] for r in rows], dtype=np.int64),
        output_tokens=np.array([r[3] for r in rows], dtype=np.int64),
        ids=np.concatenate([r[5] for r in rows]) if rows else np.zeros(0, dtype=np.int64),
        offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        block_size=sizes.pop(),
        sessions=np.array([r[0] for r in rows], dtype=np.int64),
        models=np.array([code[r[4]] for r in rows], dtype=np.int64),
        model_names=names,
        name=path.name,
        layout="agent-sessions",
        session_origin="column",
        notes=("each session has a clock of its own: use session scope",),
    )


def _is_session(path: Path) -> bool:
    """Whether a .json file is one session document, rather than rows or lines of rows."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError:
        return False
    return isinstance(document, JsonDict) and "requests" in document


def _collect(
    requests: list[dict[str, Any]],
    agent: str,
    origin: float,
    out: list[tuple[float, str, int, dict[str, Any]]],
    file: Path,
) -> None:
    for place, call in enumerate(requests):
        start = origin + float(call.get("t", 0.0))
        if "requests" in call:
            # A nested clock may run on from the session's or start at zero with the sub-agent.
            inner = [float(c.get("t", 0.0)) for c in call["requests"]]
            runs_on = bool(inner) and origin + min(inner) >= start
            shift = origin if runs_on else start
            _collect(call["requests"], f"{agent}/{place}", shift, out, file)
        elif "in" in call and "out" in call:
            out.append((start, agent, place, call))
        else:
            raise TraceError(f"{file}: request {place + 1} has no `in` and `out`")
