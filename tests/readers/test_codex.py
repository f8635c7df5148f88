"""Codex sessions: a call is a rise of the totals, a fork's copy is the parent's call."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.files import look_at_bytes
from ingest.readers import codex
from ingest.readers.base import ReadContext, Result
from ingest.record import Reject, UsageRecord
from tests.readers.golden import FIXTURES, SAMPLES, check_golden, read_all

HERE = FIXTURES / "codex"


def read(lines: list[Any]) -> list[Result]:
    source = look_at_bytes("\n".join(map(json.dumps, lines)).encode())
    return list(codex.READER.read(source, ReadContext(source)))


def calls(results: list[Result]) -> list[UsageRecord]:
    return [r for r in results if isinstance(r, UsageRecord)]


def usage(total: tuple[int, ...]) -> dict[str, int]:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return dict(zip(names, total, strict=True))


def event(
    total: tuple[int, ...] | None, last: tuple[int, ...] | None = None, second: int = 9, **more: Any
) -> dict[str, Any]:
    info = {
        "total_token_usage": None if total is None else usage(total),
        "last_token_usage": None if last is None else usage(last),
    }
    return {
        "timestamp": f"2026-01-02T03:04:{second:02d}Z",
        "type": "event_msg",
        "payload": {"type": "token_count", "info": info},
        **more,
    }


def meta(thread: str, **more: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-01-02T03:04:00Z",
        "type": "session_meta",
        "payload": {"id": thread, **more},
    }


def output(results: list[Result]) -> list[int]:
    return [(r.counts["output_text"] or 0) + (r.counts["reasoning"] or 0) for r in calls(results)]


def sums(files: list[list[UsageRecord]]) -> dict[str, int]:
    """Totals of all distinct calls, as the store would keep them."""
    kept = {r.call_key: r for records in files for r in records}
    totals: dict[str, int] = {}
    for record in kept.values():
        for name, value in record.counts.items():
            totals[name] = totals.get(name, 0) + (value or 0)
    return totals


@pytest.mark.parametrize("name", ["parent", "child", "records", "exec"])
def test_golden(name: str) -> None:
    results = check_golden(codex, HERE / f"{name}.jsonl", HERE / f"{name}.golden.json")
    assert "SECRET" not in repr(results)


def test_parent_and_child_in_any_order_count_the_copy_once() -> None:
    parent, child = (calls(read_all(codex, HERE / f"{n}.jsonl")) for n in ("parent", "child"))
    assert (len(parent), len(child)) == (4, 3)
    assert len({r.call_key for r in parent} & {r.call_key for r in child}) == 2
    for order in itertools.product([parent, child], repeat=3):
        if parent in order and child in order:
            # 1000+1500+100+300 of the parent, 1500 of the child's own.
            assert sums(list(order))["input_uncached"] + sums(list(order))["cache_read"] == 4400
    assert [r.time_assumed for r in child] == [True, True, False]


@pytest.mark.parametrize("files", [("parent", "child"), ("child", "parent"), ("child",) * 2])
def test_sample_fork(files: tuple[str, ...]) -> None:
    found = {n: sorted(SAMPLES.glob(f"codex/archived-fork-*--{n}.jsonl")) for n in set(files)}
    if not all(found.values()):
        pytest.skip("../shared/samples is absent")
    totals = sums([calls(read_all(codex, found[n][0])) for n in (*files, *files)])
    assert totals["input_uncached"] + totals["cache_read"] == 15_253_283
    assert totals["cache_read"] == 13_549_696
    assert (totals["output_text"] + totals["reasoning"], totals["reasoning"]) == (55_895, 25_017)


def test_sample_repeated_count() -> None:
    found = sorted(SAMPLES.glob("codex/repeated-token-count-*"))
    if not found:
        pytest.skip("../shared/samples is absent")
    (only,) = calls(read_all(codex, found[0]))
    assert (only.input_total, only.counts["cache_read"]) == (14_475, 2_432)
    assert (only.counts["output_text"], only.model) == (216, "gpt-5.5")


def test_usage_records_are_preferred_to_the_counts_beside_them() -> None:
    results = read_all(codex, HERE / "records.jsonl")
    found = {r.call_key: r for r in calls(results)}
    # One call of the older version, two records with counts beside them, one without.
    assert sorted(k.partition(":")[0] for k in found) == ["codex", "codex", "openai", "openai"]
    written = found["openai:resp_000000000000000000000002"]
    assert (written.counts["input_uncached"], written.counts["cache_write_unknown"]) == (8, 4012)
    assert [r.line for r in results if isinstance(r, Reject)] == [11, 10]


def test_grandchild_finds_its_family_in_the_folder(tmp_path: Path) -> None:
    files = {
        "a": [meta("a"), event((10, 0, 1, 0)), event((30, 0, 3, 0))],
        "b": [meta("b", forked_from_id="a"), event((10, 0, 1, 0)), event((40, 0, 4, 0))],
        "c": [meta("c", forked_from_id="b"), event((10, 0, 1, 0)), event((40, 0, 4, 0))],
    }
    for name, lines in files.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = {n: calls(read_all(codex, tmp_path / f"{n}.jsonl")) for n in files}
    assert len({r.call_key for records in found.values() for r in records}) == 3


def test_unrelated_threads_with_equal_counts_are_two_calls() -> None:
    one = calls(read([meta("a"), event((10, 0, 1, 0))]))
    two = calls(read([meta("b"), event((10, 0, 1, 0))]))
    assert one[0].call_key != two[0].call_key


def test_siblings_that_copied_nothing_are_not_one_another() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}
    one = calls(read([meta("a", source=spawned), event((10, 0, 1, 0))]))
    two = calls(read([meta("b", source=spawned), event((10, 0, 1, 0))]))
    assert one[0].call_key != two[0].call_key


def test_subagent_with_a_copied_tail_leaves_it_to_the_parent() -> None:
    own = {"source": {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}}}
    lines = [
        meta("a", subagent_history_start_ordinal=2, **own),
        event((5_000_000, 0, 90, 0), (700, 0, 9, 0), ordinal=1),
        event((30_100, 0, 7, 0), (30_100, 0, 7, 0), ordinal=3),
    ]
    (only,) = calls(read(lines))
    assert only.input_total == 30_100
    assert not only.time_assumed


def test_a_total_that_goes_down_counts_the_last_call() -> None:
    lines = [meta("a"), event((10, 0, 5, 0)), event((9, 0, 4, 0), (3, 0, 2, 0))]
    assert output(read(lines)) == [5, 2]


def test_without_totals_the_last_call_counts_once_a_moment() -> None:
    lines = [meta("a"), *(event(None, (3, 0, 2, 0), second=s) for s in (9, 9, 11))]
    assert output(read(lines)) == [2, 2]


def test_a_file_without_its_beginning_keeps_the_sum_of_what_went_before() -> None:
    lines = [meta("a"), event((100, 0, 50, 0), (10, 0, 5, 0))]
    results = calls(read(lines))
    assert output(list(results)) == [45, 5]
    assert results[0].flags[0] == "the sum of calls before this file's first"


def test_only_total_tokens_rising_is_no_call() -> None:
    again = event((10, 0, 5, 0))
    again["payload"]["info"]["total_token_usage"]["total_tokens"] = 99
    assert output(read([meta("a"), event((10, 0, 5, 0)), again])) == [5]


def test_cached_equal_to_input_is_fine_and_one_more_is_not() -> None:
    assert calls(read([meta("a"), event((10, 10, 5, 5))]))[0].counts["cache_read"] == 10
    assert [type(r) for r in read([meta("a"), event((10, 11, 5, 5))])] == [Reject]


def test_model_is_the_last_turn_contexts() -> None:
    context = {"type": "turn_context", "payload": {"model": "gpt-5.5", "effort": "high"}}
    first, second = calls(
        read([meta("a"), event((10, 0, 5, 0)), context, event((20, 0, 9, 0), second=10)])
    )
    assert (first.model, first.effort) == (None, None)
    assert (second.model, second.effort) == ("gpt-5.5", "high")


totals = st.tuples(*(st.integers(0, 50) for _ in range(4)))


@given(st.lists(totals, min_size=1, max_size=12), st.integers(0, 12), st.integers(1, 3))
def test_every_copied_prefix_and_every_repeat_counts_once(
    rises: list[tuple[int, ...]], cut: int, repeats: int
) -> None:
    """For any history, any fork point and any number of repeats the two files together hold the
    parent's calls and the child's own, whatever the order."""
    history, running = [], (0, 0, 0, 0)
    for i, c, o, r in rises:
        running = tuple(map(sum, zip(running, (i + c, c, o + r, r), strict=True)))
        history.append(running)
    cut = min(cut, len(history))
    base = history[cut - 1] if cut else (0, 0, 0, 0)
    own = (base[0] + 77, base[1], base[2] + 777, base[3])
    parent = [meta("p"), *(event(t) for t in history for _ in range(repeats))]
    child = [meta("c", forked_from_id="p"), *(event(t) for t in [*history[:cut], own])]
    both = [calls(read(parent)), calls(read(child))]
    for order in (both, both[::-1]):
        found = sums(order)
        assert found.get("input_uncached", 0) + found.get("cache_read", 0) == running[0] + 77
        assert found.get("output_text", 0) + found.get("reasoning", 0) == running[2] + 777
