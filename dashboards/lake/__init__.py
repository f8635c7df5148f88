"""The core questions over a lake, defined once for every engine: price, roll up, report, compare,
budget.

What reads all the calls is an ibis expression (`calls`, `cells`), compiled to DuckDB's or Spark's
SQL: each call once, then summed into cells that no price's edge crosses. The few cells come back
and become a book in memory (`book`), from which the store's own queries answer: so a number cannot
differ from the store's, whatever engine added it up.

    lake = open_lake("lake")                               # DuckDB in this process
    lake = open_lake("lake", "sc://127.0.0.1:50051")       # Spark Connect
    with cell_book(lake, catalogue, ["team", "month"], Scope()) as book:
        spend(book.store.con, ["team", "month"]).total.cost_usd
"""

from __future__ import annotations

from dashboards.lake.book import cell_book
from dashboards.lake.engine import EngineError, Lake, open_lake

__all__ = ["EngineError", "Lake", "cell_book", "open_lake"]
