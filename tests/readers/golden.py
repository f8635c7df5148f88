"""Golden files: what a reader makes of a fixture, as sorted JSON beside the fixture.

`UPDATE_GOLDEN=1 pytest tests/readers` rewrites them; read the difference before committing it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from ingest.files import look
from ingest.readers.base import ReadContext, Result

FIXTURES = Path(__file__).parents[1] / "fixtures"
SAMPLES = (
    Path(os.environ.get("TOKENBOOKS_SHARED") or Path(__file__).parents[2].parent / "shared")
    / "samples"
)


def read_all(reader: Any, path: Path, **context: Any) -> list[Result]:
    """Everything `reader` (or a module's `READER`) yields for one file."""
    reader = getattr(reader, "READER", reader)
    source = look(path)
    source.modified = 0.0  # an assumed time is then 1970-01-01, wherever the test runs
    return list(reader.read(source, ReadContext(source, **context)))


def plain(result: Result) -> dict[str, Any]:
    """A result as JSON values, without fields that say nothing."""
    named = {
        k: v
        for k, v in dataclasses.asdict(result).items()
        if v is not None and v != {} and v != [] and v is not False
    }
    if "counts" in named:
        named["counts"] = {k: v for k, v in named["counts"].items() if v is not None}
    return {"what": type(result).__name__, **json.loads(json.dumps(named, default=str))}


def check_golden(reader: Any, fixture: Path, golden: Path, **context: Any) -> list[Result]:
    """Read `fixture` and compare with `golden`; returns what was read."""
    results = read_all(reader, fixture, **context)
    rows = [json.dumps(plain(r), sort_keys=True, ensure_ascii=False) for r in results]
    text = json.dumps(
        [json.loads(row) for row in sorted(rows)], indent=1, sort_keys=True, ensure_ascii=False
    )
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(text + "\n", encoding="utf-8")
    assert golden.exists(), f"no golden file {golden.name}: run once with UPDATE_GOLDEN=1"
    assert text + "\n" == golden.read_text(encoding="utf-8")
    return results
