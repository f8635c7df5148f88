"""The lake: usage and rates as date-partitioned Parquet, for engines past one machine.

    usage/date=2026-03-01/<name>.parquet     one row a call, as logged: counts, model, dimensions
    rates/date=2026-03-02/<name>.parquet     every rate ever recorded, by the day it was recorded
    batches/<writer>.json                    the files of each writer that count

A Parquet file is written under a hidden name, renamed when it is whole, and never changed; its
name is made from what it holds. It counts from the moment a batch names it, so many machines can
append at once, a replay changes nothing, and a killed writer leaves nothing half done. Cost is not
in the lake: as in the store, it is usage × rate, computed when asked (`dashboards.lake`).
"""

from __future__ import annotations

from ingest.lake.append import ingest_to_lake
from ingest.lake.export import LakeReport, export_store
from ingest.lake.folder import Batch, LakeError, LakeFolder

__all__ = [
    "Batch", "LakeError", "LakeFolder", "LakeReport", "export_store", "ingest_to_lake",
]  # fmt: skip
