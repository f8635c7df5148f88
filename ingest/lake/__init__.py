"""The lake: usage and rates as date-partitioned Parquet, for engines past one machine.

    usage/date=2026-03-01/<name>.parquet     one row a call, as logged: counts, model, dimensions
    rates/date=2026-03-02/<name>.parquet     every rate ever recorded, by the day it was recorded

A file is written under a hidden name and renamed when it is whole, and never changed afterwards.
Its name is made from what it holds: writing the same thing again finds the file there and does
nothing, so many machines can append at once and a replay changes nothing. Cost is not in it: as
in the store, it is usage × rate, computed when asked (`dashboards.queries.portable`).
"""

from __future__ import annotations

from ingest.lake.write import LakeReport, export_store, ingest_to_lake

__all__ = ["LakeReport", "export_store", "ingest_to_lake"]
