"""Logs of one call in several files, through the importer into a store: counted once, no text."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ingest.importer import ImportOptions, import_paths
from ingest.store import book
from ingest.store.database import open_store
from pricing.catalogue import default_catalogue
from tests.readers.golden import FIXTURES
from tests.readers.probe import sample


def imported(folder: Path, paths: Sequence[Path], query: str) -> tuple[int, ...]:
    """Import files one after another into a fresh store; the row `query` gives."""
    store = open_store(folder / "books.duckdb")
    try:
        catalogue = default_catalogue()
        book.sync(store, catalogue)
        for path in paths:
            (report,) = import_paths(store, catalogue, [path], ImportOptions())
            assert report.state in ("imported", "unchanged"), report.error
        return store.cursor().con.execute(query).fetchall()[0]
    finally:
        store.close()


SUMS = (
    "SELECT count(*), sum(input_uncached + cache_read), sum(cache_read),"
    " sum(output_text + reasoning), sum(reasoning), min(occurred_at)::DATE - DATE '2000-01-01'"
    " FROM usage"
)


@pytest.mark.parametrize("order", ["pc", "cp", "pcpc", "cpp"])
def test_fork_and_parent_in_any_order(order: str, tmp_path: Path) -> None:
    files = {
        "p": FIXTURES / "codex" / "parent.jsonl",
        "c": FIXTURES / "codex" / "child.jsonl",
    }
    copies = []
    for number, which in enumerate(order):
        # Another content hash: the ledger must not be what recognises it.
        copy = tmp_path / str(number) / "rollout.jsonl"
        copy.parent.mkdir()
        shutil.copy(files[which], copy)
        with copy.open("a") as stream:
            stream.write("\n" * (number + 1))
        copies.append(copy)
    calls, whole, cached, output, reasoning, _ = imported(tmp_path, copies, SUMS)
    assert (calls, whole, cached, output, reasoning) == (5, 4400, 2400, 215, 60)


@pytest.mark.parametrize("order", [("parent", "child"), ("child", "parent")])
def test_sample_fork_in_either_order(order: tuple[str, str], tmp_path: Path) -> None:
    paths = [sample(f"codex/archived-fork-*--{name}.jsonl") for name in order]
    row = imported(tmp_path, paths * 2, SUMS)
    assert row[:5] == (155, 15_253_283, 13_549_696, 55_895, 25_017)


def test_session_and_its_copy_under_another_session(tmp_path: Path) -> None:
    original = FIXTURES / "claude_code" / "session.jsonl"
    copy = tmp_path / "resumed.jsonl"
    text = original.read_text().replace('"s-1"', '"s-2"')
    copy.write_text(text.replace("req_0000000000000000000000A1", "req_0000000000000000000000Z1"))
    query = "SELECT count(*), sum(output_text) FROM usage"
    alone = imported(tmp_path, [original], query)
    (tmp_path / "books.duckdb").unlink()
    assert imported(tmp_path, [copy, original], query) == alone


def test_polls_and_streams_are_one_call(tmp_path: Path) -> None:
    query = "SELECT count(*) FROM usage WHERE call_key = 'openai:resp_000000000000000000000001'"
    path = FIXTURES / "openai_responses" / "bodies.jsonl"
    assert imported(tmp_path, [path], query) == (1,)


def test_no_text_reaches_the_store(tmp_path: Path) -> None:
    """Prompts, answers, headers and mail addresses stand in the fixtures as SECRET."""
    paths = [
        path
        for folder in ("claude_code", "codex", "bedrock", "openrouter", "openai_responses", "azure")
        for path in sorted((FIXTURES / folder).iterdir())
        if ".golden." not in path.name
    ]
    assert sum(b"SECRET" in path.read_bytes() for path in paths) > 5
    assert imported(tmp_path, paths, "SELECT count(*) FROM usage")[0] > 20
    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"SECRET" not in stored
