"""Local time written out as additions is what the database's own time-zone tables say.

Zones whose rules changed of late are left out: the two tables may be of different years.
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest

from dashboards.queries.scope import local_time

ZONES = (
    "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Kathmandu",
    "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo", "Australia/Lord_Howe", "Europe/Berlin",
    "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham",
    "Etc/GMT+5",
)  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_every_half_hour_of_twelve_years(zone: str) -> None:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    differing = con.execute(
        f"SELECT u.occurred_at, {local_time(zone)} AS ours, expected FROM (SELECT t AS occurred_at,"
        " t AT TIME ZONE 'UTC' AT TIME ZONE ? AS expected FROM"
        " range(TIMESTAMP '2018-01-01', TIMESTAMP '2030-01-01', INTERVAL 30 MINUTE) AS r(t)) AS u"
        " WHERE ours IS DISTINCT FROM expected LIMIT 3",
        [zone],
    ).fetchall()
    assert differing == []


def test_the_hour_the_clock_jumps_and_the_one_before() -> None:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    rows = con.execute(
        f"SELECT {local_time('Europe/Berlin')} FROM (VALUES (TIMESTAMP '2026-03-29 00:59:59'),"
        " (TIMESTAMP '2026-03-29 01:00:00')) AS u(occurred_at) ORDER BY 1"
    ).fetchall()
    assert rows == [(datetime(2026, 3, 29, 1, 59, 59),), (datetime(2026, 3, 29, 3),)]
