"""Times as logs write them: one instant each, or none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ingest.record import instant

EIGHT = datetime(2026, 3, 8, 20)


@pytest.mark.parametrize(
    "written",
    [
        1773000000, 1773000000.0, 1773000000000, 1773000000000000, 1773000000000000000,
        "1773000000", "1773000000000",
        "2026-03-08T20:00:00Z", "2026-03-08 20:00:00", "2026-03-08T21:00:00+01:00",
        "2026-03-08T21:00:00+0100", "2026-03-08 21:00:00+01", "2026-03-08 20:00:00 UTC",
        "2026-03-08 20:00:00 GMT", "2026-03-08T15:00:00 -0500", "20260308T200000Z",
        "2026/03/08 20:00:00", "Sun, 08 Mar 2026 20:00:00 GMT", "8 Mar 2026 21:00:00 +0100",
        "08/Mar/2026:21:00:00 +0100", "3/8/2026, 8:00:00 PM", "3/8/2026 8:00 PM",
        "03/08/2026, 8:00:00.000 pm",
    ],
)  # fmt: skip
def test_one_instant_in_many_forms(written: Any) -> None:
    assert instant(written) == EIGHT


@pytest.mark.parametrize(
    "written",
    [
        "08/03/2026 20:00", "3/8/2026 20:00", "13/13/2026, 8:00 PM", "2026-02-30T00:00:00Z",
        "8 PM", "nan", "1e999", "-1", "99999999", 99_999_999, True, "", None, "last week",
    ],
)  # fmt: skip
def test_what_may_be_read_in_two_ways_or_not_at_all_is_none(written: Any) -> None:
    assert instant(written) is None


def test_fractions_are_kept_to_the_microsecond() -> None:
    for written in ("2026-03-08 20:00:00,123", "2026-03-08T20:00:00.123000999Z"):
        assert instant(written) == datetime(2026, 3, 8, 20, 0, 0, 123000)
