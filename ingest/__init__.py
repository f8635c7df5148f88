"""What was, or would be, used?

Logs, bodies, spans and simulated traffic become usage records with disjoint counts in one DuckDB
file, each call once, a file whole or not at all. Cost is not stored: it is usage times the rates
in force, computed by the views (`calls`, `costs`) that `ingest.store` keeps beside the records.
`docs/examples/books.py` imports a log and asks it a question in fifteen lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from ingest.importer import ImportOptions, import_bytes, import_paths
    from ingest.record import UsageRecord
    from ingest.store.database import Store, open_reader, open_store

__all__ = [
    "ImportOptions",
    "Store",
    "UsageRecord",
    "import_bytes",
    "import_paths",
    "open_reader",
    "open_store",
]

__getattr__ = public(
    __name__,
    {
        "ImportOptions": "ingest.importer",
        "import_bytes": "ingest.importer",
        "import_paths": "ingest.importer",
        "UsageRecord": "ingest.record",
        "Store": "ingest.store.database",
        "open_reader": "ingest.store.database",
        "open_store": "ingest.store.database",
    },
)
