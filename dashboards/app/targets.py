"""What traffic can be put on, as people pick it: `variant`, `seller:variant`, `variant@tier`."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboards.app.source import Source
from dashboards.queries.pricing import listing


def target_names(books: Source) -> list[str]:
    """Everything with a price today: each variant at its maker by name, elsewhere as
    `seller:variant`; makers first."""
    today = datetime.now(UTC).replace(tzinfo=None)

    def work() -> list[str]:
        names: list[str] = []
        for row in listing(books.catalogue, at=today, tiers=("standard", "batch")):
            home = books.catalogue.sellers_of(row["variant"])[:1] == [row["seller"]]
            name = row["variant"] if home else f"{row['seller']}:{row['variant']}"
            names.append(name if row["tier"] == "standard" else f"{name}@{row['tier']}")
        return sorted(set(names), key=lambda n: (":" in n, n))

    return books.remember(("targets", books.catalogue.version, today.date()), work)
