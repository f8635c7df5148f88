"""Prices as they were known on a date, from the store's own append-only record.

"Priced as of the event" is the default; "at today's rates" replaces the instant in the join;
this module makes the third: a temporary vector table from the rates this store had recorded, and
not yet superseded, on date D.

    table = vectors_as_known(store, catalogue, datetime(2026, 3, 1))
    spend(store.con, ["month"], vectors=table)
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from ingest.store.book import insert_rows
from ingest.store.database import Store
from pricing import sql
from pricing.catalogue import Catalogue
from pricing.rates import Rate, compile_card

TABLE = "vectors_as_known"

_FIELDS = (
    "rate_id, seller, variant, meter, price_pico, tier, region, min_input, max_input, weekdays,"
    " minute_from, minute_to, valid_from, valid_to, recorded_at, in_force, negotiated,"
    " coalesce(assumed, false)"
)


def vectors_as_known(store: Store, catalogue: Catalogue, known_at: datetime | None) -> str:
    """Compile the vectors of every routed card as known at `known_at` (naive UTC) into a
    temporary table; returns its name. Routes are today's: what a name means did not change."""
    cards = store.con.execute(
        "SELECT card_id, seller, variant, tier, region FROM card_keys"
    ).fetchall()
    held: dict[tuple[str, str], list[Rate]] = defaultdict(list)
    for row in store.con.execute(
        f"SELECT {_FIELDS} FROM rates_stored WHERE recorded_at <= ? AND"
        " (superseded_at IS NULL OR superseded_at > ?) AND (seller, variant) IN"
        " (SELECT (seller, variant) FROM card_keys)",
        [known_at, known_at],
    ).fetchall():
        rate = Rate(
            row[1], row[2], row[3], row[4], tier=row[5], region=row[6], min_input=row[7],
            max_input=row[8], weekdays=row[9], minute_from=row[10], minute_to=row[11],
            valid_from=row[12], valid_to=row[13], recorded_at=row[14], in_force=row[15],
            negotiated=row[16], assumed=row[17], rate_id=row[0],
        )  # fmt: skip
        held[(rate.seller, rate.variant)].append(rate)
    rows: list[tuple[Any, ...]] = []
    for card_id, seller, variant, tier, region in cards:
        rates = held[(seller, variant)]
        own = [r for r in rates if (r.tier, r.region) == (tier, region)]
        plain = [r for r in rates if (r.tier, r.region) == ("standard", "")]
        base = [] if (tier, region) == ("standard", "") else plain
        for vector in compile_card(own, base):
            rows.append(sql.vector_row(len(rows) + 1, card_id, vector))
    store.con.execute(sql.create_table(TABLE, sql.VECTOR_COLUMNS, temporary=True))
    insert_rows(store.con, TABLE, sql.VECTOR_COLUMNS, rows)
    return TABLE
