"""Published recordings of coding agents, brought to our column names.

- GitHub Copilot coding agents (Azure Public Dataset, June 2026): a session a line, with `turns`
  of `llm_calls`, each with `timestamp`, `model` and `tokens` of prompt, completion and cached.
  https://github.com/Azure/AzurePublicDataset (analysis/GitHubCopilotCodingAgents/schema.json)
- TraceLab: a round a line, with `prefix_tokens` (what was cached) of `input_tokens_total`, and
  `timing_events` whose first instant is when the round began. Its exported CSV has no absolute
  times: a session's rounds follow each other after the tools' waits.
  https://github.com/uw-syfi/TraceLab (artifacts/utils/DB_SCHEMA.md)

Both say how much of each prompt came from the cache, not which blocks: `cached_tokens`, from which
the loader rebuilds prompts that share exactly that much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ingest.traffic.traces.tables import documents, read_bytes
from ingest.traffic.traces.trace import TraceError
from pricing.json_types import JsonList

if TYPE_CHECKING:
    import pyarrow as pa

TRACELAB = frozenset({"session_id", "round_index", "input_tokens_total", "prefix_tokens",
                      "output_tokens"})  # fmt: skip
TRACELAB_CSV = frozenset({"id", "input_len", "output_len", "arrival_time", "round_idx",
                          "prefix_len"})  # fmt: skip
_OURS = ("t_s", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "session",
         "turn", "model", "client")  # fmt: skip


def is_coding_trace(row: Mapping[str, Any]) -> bool:
    """Whether a first row is a Copilot session or a TraceLab round."""
    return is_copilot(row) or set(row) >= TRACELAB


def is_copilot(row: Mapping[str, Any]) -> bool:
    """Whether a document is a Copilot session."""
    return isinstance(row.get("turns"), JsonList) and "session_id" in row


def shards(folder: Path) -> list[Path]:
    """The JSON-lines files of a folder and the folders in it, in order of their names."""
    return sorted(
        p for p in folder.rglob("*") if p.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst"))
    )


def coding_table(paths: Iterable[Path]) -> tuple[pa.Table, str]:
    """Rows in our own names from the files of one recording, and which recording it is."""
    rows: list[tuple[Any, ...]] = []
    layout = ""
    for path in paths:
        found = documents(path, read_bytes(path))
        for place, document in enumerate(found, start=1):
            if is_copilot(document):
                layout = "copilot"
                rows.extend(_session(path, place, document))
            elif set(document) >= TRACELAB:
                layout = "tracelab"
                rows.append(_round(path, place, document))
            else:
                raise TraceError(f"{path}, line {place}: neither a session nor a round")
    return _table(rows), layout


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    import pyarrow as pa

    if not rows:
        raise TraceError("the recording has no calls")
    columns = dict(zip(_OURS, zip(*rows, strict=True), strict=True))
    last: dict[Any, int] = {}
    times: list[int] = []
    for at, session in zip(columns["t_s"], columns["session"], strict=True):
        # A call without a time of its own follows the one before it in its session.
        known = at if at is not None else last.get(session, 0)
        last[session] = known
        times.append(known)
    arrays: dict[str, Any] = {"t_s": pa.array(times, pa.timestamp("us"))}
    arrays |= {
        name: pa.array(values)
        for name, values in columns.items()
        if name != "t_s" and any(v is not None for v in values)
    }
    return pa.table(arrays)


def _session(path: Path, line: int, document: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for number, turn in enumerate(document.get("turns") or [], start=1):
        for call in turn.get("llm_calls") or ():
            tokens: Mapping[str, Any] = call.get("tokens") or {}
            if tokens.get("prompt") is None or tokens.get("completion") is None:
                raise TraceError(
                    f"{path}, line {line}: a call of turn {number} has no prompt and completion "
                    f"tokens"
                )
            yield (
                _instant(path, line, call.get("timestamp")), tokens["prompt"],
                tokens.get("cached") or 0, tokens["completion"], None, document["session_id"],
                number, call.get("model"), None,
            )  # fmt: skip


def _round(path: Path, line: int, row: Mapping[str, Any]) -> tuple[Any, ...]:
    stamps = [e.get("timestamp") for e in row.get("timing_events") or () if e.get("timestamp")]
    at = min(stamps, default=row.get("timestamp"))
    session = "/".join(str(row[k]) for k in ("project", "session_file", "session_id") if row.get(k))
    return (
        _instant(path, line, at), row["input_tokens_total"], row["prefix_tokens"] or 0,
        row["output_tokens"], row.get("reasoning_output_tokens"), session, None,
        row.get("model"), row.get("user") or row.get("provider"),
    )  # fmt: skip


def _instant(path: Path, line: int, value: Any) -> int | None:
    """Microseconds since 1970 of an ISO instant (UTC where it names no offset) or of seconds."""
    from datetime import UTC, datetime

    if value is None:
        return None
    if isinstance(value, int | float):
        return round(value * 1e6)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise TraceError(f"{path}, line {line}: {value!r} is not a time") from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_tracelab_csv(table: pa.Table) -> pa.Table:
    """TraceLab's exported CSV in our names: whole prompts, and rounds one after another."""
    import pyarrow as pa

    new = table["input_len"].to_numpy().astype(np.int64)
    prefix = table["prefix_len"].to_numpy().astype(np.int64)
    arrival = table["arrival_time"].to_numpy().astype(np.float64)
    wait = np.zeros(len(new))
    if "tool_wait_after_ms" in table.column_names:
        wait = np.nan_to_num(table["tool_wait_after_ms"].to_numpy().astype(np.float64))
    ids: Any = table["id"]
    session = ids.combine_chunks().dictionary_encode().indices.to_numpy()
    index = table["round_idx"].to_numpy()
    order = np.lexsort((index, session))
    waited = np.concatenate(([0.0], np.cumsum(wait[order])[:-1]))
    first = np.concatenate(([True], session[order][1:] != session[order][:-1]))
    base = np.repeat(waited[first], np.diff(np.append(np.flatnonzero(first), len(order))))
    at = np.empty(len(order))
    at[order] = arrival[order] + waited - base
    columns: dict[str, Any] = {
        "t_ms": at, "input_tokens": new + prefix, "cached_tokens": prefix,
        "output_tokens": table["output_len"], "session": table["id"], "turn": index + 1,
    }  # fmt: skip
    return pa.table(columns)
