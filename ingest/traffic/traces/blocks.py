"""The prefix blocks of a trace: ids with one size, with lengths of their own, or components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.columns import Columns
from ingest.traffic.traces.layouts import COMPONENT_COLUMNS
from ingest.traffic.traces.tables import read_table
from ingest.traffic.traces.trace import TraceError
from pricing.caching import chain, number

IntArray = npt.NDArray[np.int64]

# Block sizes in use; tried in turn when none is given.
_BLOCK_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
_AGREEMENT = 0.9


def blocks_in(
    table: Columns, inputs: IntArray, block_size: int | None, components: str | Path | None
) -> tuple[npt.NDArray[Any] | None, IntArray | None, int | None, IntArray | None]:
    """Ids, offsets, and either a block size or the length of each block; Nones without blocks.

    ``components`` names the table of lengths of a trace that lists prompt components.
    """
    if table.layout.name == "ragpulse" and "hash_ids" not in table.asked:
        return _components(table, components)
    column = table.column("hash_ids")
    if column is None:
        return None, None, None, None
    ids, offsets = table.lists(column, table.names["hash_ids"])
    lengths_column = table.column("block_tokens")
    if lengths_column is not None:
        lengths, other = table.lists(lengths_column, table.names["block_tokens"])
        if len(lengths) != len(ids) or (other != offsets).any():
            raise TraceError(f"{table.path}: block_tokens and hash_ids differ in length")
        return ids, offsets, None, lengths.astype(np.int64)
    size = block_size or table.layout.block_size or _guess_block_size(inputs, offsets)
    if size is None:
        raise TraceError(
            f"{table.path}: hash_ids need a block size, and none fits the input lengths; "
            f"give it with --block-size"
        )
    if block_size is None:
        table.notes.append(f"block size {size} tokens, read off the trace")
    elif (share := _fitting(size, inputs, offsets)) < 0.5:
        better = _guess_block_size(inputs, offsets)
        table.notes.append(
            f"only {share:.0%} of the rows have as many hash_ids as blocks of {size} tokens in "
            f"their input: cached tokens are off where the size is wrong"
            + (f"; {better} would fit" if better else "")
        )
    return ids, offsets, size, None


def _components(
    source: Columns, given: str | Path | None
) -> tuple[npt.NDArray[Any], IntArray, None, IntArray]:
    """Prompt pieces in column order, made into prefixes; lengths from the second table."""
    path = Path(given) if given else _sibling(source.path)
    if path is None or not path.exists():
        raise TraceError(
            f"{source.path}: its prompts are lists of components; the table of their lengths "
            f"(hash_id, tokens) is needed: name it with --components"
        )
    table = read_table(path)
    if not {"hash_id", "tokens"} <= set(table.column_names):
        raise TraceError(f"{path}: a components table needs hash_id and tokens")
    keys = table["hash_id"].to_numpy()
    tokens = table["tokens"].to_numpy().astype(np.int64)
    parts = [source.lists(source.table[c], c) for c in COMPONENT_COLUMNS]
    lengths = np.stack([np.diff(offsets) for _, offsets in parts], axis=1)
    offsets = np.concatenate(([0], np.cumsum(lengths.sum(axis=1)))).astype(np.int64)
    ids = np.zeros(offsets[-1], dtype=np.int64)
    begin = offsets[:-1].copy()
    for k, (flat, cuts) in enumerate(parts):
        at = np.repeat(begin - cuts[:-1], lengths[:, k]) + np.arange(len(flat))
        ids[at] = flat
        begin += lengths[:, k]
    order = np.argsort(keys)
    place = np.searchsorted(keys[order], ids)
    found = place < len(keys)
    found[found] = keys[order][place[found]] == ids[found]
    if not found.all():
        lost = int(ids[np.argmin(found)])
        raise TraceError(f"{path}: no length for component {lost}")
    return chain(number(ids), offsets), offsets, None, tokens[order][place]


def _sibling(path: Path) -> Path | None:
    stem = path.name.removesuffix(path.suffix).removesuffix("_requests")
    found = sorted(path.parent.glob(f"{stem}*components{path.suffix}"))
    return found[0] if found else None


def _guess_block_size(inputs: IntArray, offsets: IntArray) -> int | None:
    """The size for which nearly every row has ceil(input / size) or floor(input / size) ids."""
    if not ((np.diff(offsets) > 1) & (inputs > 0)).any():
        return None
    share, best = max((_fitting(size, inputs, offsets), size) for size in _BLOCK_SIZES)
    return best if share >= _AGREEMENT else None


def _fitting(size: int, inputs: IntArray, offsets: IntArray) -> float:
    """The share of rows with one id a full block of ``size``, or one more for a partial one; rows
    of one id or none tell nothing."""
    lengths = np.diff(offsets)
    rows = (lengths > 1) & (inputs > 0)
    more = lengths[rows] - inputs[rows] // size
    return float(((more >= 0) & (more <= 1)).mean()) if rows.any() else 1.0
