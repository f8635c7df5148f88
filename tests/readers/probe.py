"""Helpers of the reader tests: read lines given as values, add up what was read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ingest.files import look_at_bytes
from ingest.readers.base import ReadContext, Result
from ingest.record import Reject, ReportedRow, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden


def read_lines(reader: Any, lines: Iterable[Any]) -> list[Result]:
    """What `reader` (or a module's `READER`) makes of documents, one a line."""
    reader = getattr(reader, "READER", reader)
    source = look_at_bytes("\n".join(map(json.dumps, lines)).encode())
    return list(reader.read(source, ReadContext(source)))


def calls(results: Iterable[Result]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


def rows(results: Iterable[Result]) -> list[ReportedRow]:
    return [r for r in results if isinstance(r, ReportedRow)]


def rejects(results: Iterable[Result]) -> list[Reject]:
    return [r for r in results if isinstance(r, Reject)]


def counts(record: UsageRecord | ReportedRow) -> dict[str, int]:
    """Counts that are not zero."""
    return {k: v for k, v in record.counts.items() if v}


def golden(reader: Any, folder: str, name: str) -> list[Result]:
    """Compare a fixture with its golden file, and see that no text was kept."""
    path = FIXTURES / folder / name
    results = check_golden(reader, path, path.with_name(f"{name}.golden.json"))
    assert "SECRET" not in repr(results)
    return results


def sample(pattern: str) -> Path:
    """A file of the shared samples; skips the test where they are absent."""
    found = sorted(SAMPLES.glob(pattern))
    if not found:
        pytest.skip("../shared/samples is absent")
    return found[0]
