"""How shares read on the command line."""

from __future__ import annotations

import pytest

from tokenbooks.cli.output import percent


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (None, 0, "-"), (0.0, 0, "0 %"), (1.0, 0, "100 %"), (0.5, 0, "50 %"),
        (0.0049, 0, "<1 %"), (0.0051, 0, "1 %"), (0.9949, 0, "99 %"), (0.9951, 0, ">99 %"),
        (0.9978, 1, "99.8 %"), (0.9999, 1, ">99.9 %"), (0.0004, 1, "<0.1 %"),
        (69.44, 0, "6,944 %"), (1.004, 0, "100 %"),
    ],
)  # fmt: skip
def test_a_part_reads_neither_as_nothing_nor_as_the_whole(
    share: float | None, digits: int, shown: str
) -> None:
    assert percent(share, digits) == shown
