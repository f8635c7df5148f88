"""The short way for new calls gives the store that `merge` gives, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.collector import arrivals
from ingest.collector.writer import WINDOW
from ingest.record import UsageRecord
from ingest.store import load
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue

START = datetime(2026, 3, 1)

records = st.builds(
    lambda key, hours, tokens, final, guess, team, tier: UsageRecord(
        f"k{key}", START + timedelta(hours=hours), "test", "openai", "gpt-5.2",
        {"input_uncached": tokens, "output_text": 1}, tier=tier,
        finality="final" if final else "partial", time_assumed=guess,
        dimensions={"team": team} if team else {},
    ),
    st.integers(0, 5), st.sampled_from([0, 1, 30, 47, 49, 200]), st.integers(0, 3), st.booleans(),
    st.booleans(), st.sampled_from(["", "a", "b"]), st.sampled_from([None, "default", "flex"]),
)  # fmt: skip
groups = st.lists(st.lists(records, min_size=1, max_size=5), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    import shutil

    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("arrivals") / "t.duckdb"))
    opened = open_store(path)
    yield opened
    opened.close()


def outcome(store: Store, batches: list[list[UsageRecord]], short: bool) -> list[Any]:
    """What the store and the counts are after the batches; everything is rolled back."""
    con = store.con
    con.execute("BEGIN TRANSACTION")
    counts = []
    try:
        for number, batch in enumerate(batches, 1):
            rows = [load.stage_row(record) for record in batch]
            if short:
                counts.append(arrivals.put(con, default_catalogue(), rows, number, WINDOW))
            else:
                load.create_stage(con)
                load.stage(con, rows)
                counts.append(load.merge(con, default_catalogue(), number, window=WINDOW))
        kept = con.execute("SELECT * EXCLUDE (tags) FROM usage ORDER BY ALL").fetchall()
        told = con.execute("SELECT * EXCLUDE (replaced_at) FROM replacements ORDER BY ALL")
        return [counts, kept, told.fetchall()]
    finally:
        con.execute("ROLLBACK")


@given(groups)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_short_way_is_the_long_way(store: Store, batches: list[list[UsageRecord]]) -> None:
    assert outcome(store, batches, short=True) == outcome(store, batches, short=False)


@pytest.mark.parametrize(("hours", "calls"), [(48, 1), (49, 2)])
def test_the_window_bounds_the_search(store: Store, hours: int, calls: int) -> None:
    def seen(after: int) -> UsageRecord:
        counts: dict[str, int | None] = {"input_uncached": 5}
        time = START + timedelta(hours=after)
        return UsageRecord("same", time, "test", "openai", "gpt-5.2", counts)

    _, kept, _ = outcome(store, [[seen(0)], [seen(hours)]], short=True)
    assert len(kept) == calls
