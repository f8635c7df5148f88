"""Killed while collecting: every acknowledged record is there, none twice, the rest may be sent
again. `make chaos` does the same two hundred times."""

from __future__ import annotations

import time
from pathlib import Path

from tests.chaos_collecting import chaos_collecting


def test_every_acknowledged_record_survives_kill_9(tmp_path: Path) -> None:
    progress = chaos_collecting(tmp_path, 2, seed=int(time.time()))
    assert len(progress) == 2
    assert progress == sorted(progress)
