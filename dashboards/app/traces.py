"""The Replay page's traces: an upload, a file beside the store, or one made up to look around.

Only files below the store's folder can be named: whoever can see the page must not be able to
read the rest of the machine.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.traffic.traces.trace import TraceError

if TYPE_CHECKING:
    from ingest.traffic import Trace

TYPES = ("parquet", "jsonl", "json", "csv", "gz", "zst")
MOST_MB = 100
"""Largest upload, in megabytes: it is held in memory."""
LIFETIMES = (
    (60, "1 min"), (300, "5 min"), (600, "10 min"), (1800, "30 min"), (3600, "1 h"),
    (21600, "6 h"), (86400, "24 h"),
)  # fmt: skip


def uploaded(
    name: str,
    data: bytes,
    *,
    block_size: int | None = None,
    rename: Mapping[str, str] | None = None,
    components: tuple[str, bytes] | None = None,
) -> Trace:
    """A trace from an upload: its bytes go to a private folder that is gone afterwards."""
    from ingest.traffic import load_trace

    with tempfile.TemporaryDirectory(prefix="tokenbooks-") as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(data)
        pieces = None
        if components is not None:
            pieces = Path(folder) / f"components-{Path(components[0]).name}"
            pieces.write_bytes(components[1])
        try:
            return load_trace(path, block_size=block_size, rename=rename, components=pieces)
        except TraceError as error:
            # The private folder's name means nothing to the reader.
            raise TraceError(in_fields(str(error).replace(f"{folder}/", ""))) from error


def beside(
    name: str,
    folder: Path,
    *,
    block_size: int | None = None,
    rename: Mapping[str, str] | None = None,
) -> Trace:
    """A trace below the store's folder, by its path there. TraceError for any other place."""
    from ingest.traffic import load_trace

    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise TraceError(f"{name}: only files below the store's folder can be replayed here")
    if not path.is_file():
        raise TraceError(f"{name}: no such file below the store's folder")
    try:
        return load_trace(path, block_size=block_size, rename=rename)
    except TraceError as error:
        raise TraceError(in_fields(str(error))) from error


def in_fields(message: str) -> str:
    """A message of the command line in the words of the page's fields.

    >>> in_fields("Name them with --map, for example --map t_s=THEIR_NAME")
    'Name them under Columns, for example t_s=THEIR_NAME'
    """
    for option, field in (
        ("with --map, for example --map ", "under Columns, for example "),
        ("with --map session=THEIR_NAME, or use --scope all",
         "under Columns with session=THEIR_NAME, or let all share the cache"),
        ("with --block-size", "under Tokens a block"),
        ("name it with --components", "give it under Lengths of prompt components"),
    ):  # fmt: skip
        message = message.replace(option, field)
    return message


def made_up() -> Trace:
    """An assistant with tools, made up: 250 sessions over a few hours, four turns each."""
    from dataclasses import replace

    from ingest.traffic.scenarios.scenario import Output, Structure, Volume, Workload
    from ingest.traffic.simulation.synth import make_sessions

    workload = Workload(
        name="example",
        volume=Volume(sessions_per_day=1000),
        structure=Structure(
            system_tokens=1200, tools_tokens=800, turns=4, calls_per_turn=2,
            tool_result_tokens=400, user_tokens=120, turn_gap_s=240,
        ),
        output=Output(tokens=250),
    )  # fmt: skip
    trace = make_sessions(workload, "gpt-5.2", 250, 1000, seed=1, shared=(1200, 800))
    return replace(trace, name="made-up assistant", _stream=[])


def rename_from(text: str) -> dict[str, str]:
    """`ours=theirs`, one a line or separated by commas, as a mapping."""
    found: dict[str, str] = {}
    for item in text.replace(",", "\n").splitlines():
        if not item.strip():
            continue
        ours, equals, theirs = item.partition("=")
        if not equals:
            raise TraceError(f"{item.strip()!r} must look like input_tokens=prompt_len")
        found[ours.strip()] = theirs.strip()
    return found


def by_lifetime(trace: Trace, scope: str, min_tokens: int, step: int) -> list[dict[str, Any]]:
    """Cached share of the input at each lifetime, in one pass over the trace."""
    from ingest.traffic.replaying import AppliedRule, cached_under

    rules = [AppliedRule(s, min_tokens, step, "none", "given") for s, _ in LIFETIMES]
    found = cached_under(trace, rules, scope)
    total = int(trace.input_tokens.sum())
    rows: list[dict[str, Any]] = []
    for rule, (seconds, words) in zip(rules, LIFETIMES, strict=True):
        cached = int(found[rule].sum())
        part = cached / total if total else 0.0
        rows.append({"seconds": seconds, "words": words, "share": part, "cached": cached,
                     "label": f"{100 * part:.2f} %"})  # fmt: skip
    return rows


def cost_rows(variants: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two bars a priced variant: without and with its cache (floats, for the eye)."""
    return [
        {"name": v["variant"], "kind": kind, "value": float(v[key]),
         "label": f"${float(v[key]):,.2f}"}
        for v in variants if v["cost_usd"] is not None
        for kind, key in (("without cache", "cost_without_cache_usd"), ("with cache", "cost_usd"))
    ]  # fmt: skip


def fingerprint(data: bytes) -> str:
    """Tells uploads apart."""
    return hashlib.sha256(data).hexdigest()
