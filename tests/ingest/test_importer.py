"""Importing files: again, grown, overlapping, broken, foreign; and what never enters the store."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.importer import ImportOptions, import_bytes, import_paths, plan
from ingest.store.database import Store
from pricing.catalogue import Catalogue
from tests.books import chat, dump, lines
from tests.ingest.conftest import Put


def number(store: Store, what: str = "count(*)", table: str = "calls") -> object:
    return store.con.execute(f"SELECT {what} FROM {table}").fetchall()[0][0]


def test_the_same_file_again_changes_nothing(store: Store, put_file: Put) -> None:
    content = lines(chat(n) for n in range(5))
    first = put_file(content)
    before = dump(store)
    again, renamed = put_file(content), put_file(content, "copy.jsonl")
    assert (first.state, first.added) == ("imported", 5)
    assert (again.state, renamed.state, again.records) == ("unchanged", "unchanged", 5)
    assert dump(store) == before
    assert number(store, table="imports") == 1


def test_packed_and_renamed_it_is_still_the_same_file(put_file: Put) -> None:
    content = lines(chat(n) for n in range(5)).encode()
    put_file(content)
    assert put_file(gzip.compress(content), "log.jsonl.gz").state == "unchanged"


def test_calls_are_stored_in_the_order_of_time(store: Store, put_file: Put) -> None:
    late, early = 1_767_230_000, 1_767_225_600
    put_file(lines([chat(1, created=late), chat(2, created=early), chat(3, created=late)]))
    times = store.con.execute("SELECT epoch(occurred_at) FROM calls_stored ORDER BY rowid")
    assert times.fetchall() == [(early,), (late,), (late,)]


def test_other_stamps_are_another_import_of_the_same_calls(store: Store, put_file: Put) -> None:
    content = lines([chat(1)])
    put_file(content)
    report = put_file(content, stamps={"team": "search"})
    assert (report.state, report.added, report.duplicates) == ("imported", 0, 1)
    assert number(store, "team") == "search"


def test_a_grown_file_adds_what_is_new(store: Store, put_file: Put) -> None:
    put_file(lines(chat(n) for n in range(5)))
    report = put_file(lines(chat(n) for n in range(8)))
    assert (report.records, report.added, report.duplicates) == (8, 3, 5)
    assert number(store) == 8


def test_overlapping_files_in_either_order(store: Store, put_file: Put, prices: Catalogue) -> None:
    put_file(lines(chat(n) for n in range(6)))
    assert put_file(lines(chat(n) for n in range(3, 9)), "b.jsonl").added == 3
    assert number(store) == 9
    assert number(store, "sum(cost_usd)") == 9 * Decimal("0.00245")


def test_records_without_ids_are_counted_by_content_and_place(store: Store, put_file: Put) -> None:
    row = {"occurred_at": "2026-02-01T00:00:00Z", "provider": "openai", "model": "gpt-5.2",
           "input": 10, "output": 1}  # fmt: skip
    put_file(lines([row, row, row]))
    assert number(store) == 3
    assert put_file(lines([row, row, row, row])).added == 1


# --- broken content -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"id": "chatcmpl-1', "cut off"),
        ("not json at all", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"hello": "world"}', "no usage that any known API would write"),
        (json.dumps(chat(7, prompt=-1)), "prompt_tokens = -1 is negative"),
        (json.dumps(chat(7, prompt=10, cached=11)), "cached tokens (11) above prompt_tokens (10)"),
        (json.dumps(chat(7, prompt=10**10 + 1, answer=0)), "10,000,000,001 tokens in one call"),
    ],
)
def test_a_bad_line_is_rejected_with_its_line_and_the_good_ones_stay(
    store: Store, put_file: Put, bad: str, reason: str
) -> None:
    report = put_file(lines([chat(1)]) + bad + "\n" + lines([chat(2)]))
    assert (report.state, report.added, report.rejected) == ("imported", 2, 1)
    assert report.rejects[0].line == 2
    assert reason in report.rejects[0].reason
    kept = store.con.execute("SELECT line, reason, raw FROM rejects").fetchall()
    assert kept == [(2, report.rejects[0].reason, None)]
    assert number(store, "min(cost_usd)") == Decimal("0.00245")


def test_cached_may_equal_the_input_and_ten_billion_tokens_are_still_stored(
    store: Store, put_file: Put
) -> None:
    report = put_file(lines([chat(1, prompt=10, cached=10), chat(2, prompt=10**10, answer=0)]))
    assert report.rejected == 0
    assert number(store, "max(cost_usd)") == Decimal(17_500)


def test_a_truncated_last_line(store: Store, put_file: Put) -> None:
    content = lines([chat(1), chat(2)])
    report = put_file(content[:-30])
    assert (report.added, [r.line for r in report.rejects]) == (1, [2])
    assert "cut off" in report.rejects[0].reason
    assert put_file(content).added == 1


def test_a_latin1_line_in_a_utf8_file(put_file: Put) -> None:
    broken = json.dumps(chat(2, text="caf\xe9"), ensure_ascii=False).encode("latin-1")
    report = put_file(lines([chat(1)]).encode() + broken + b"\n" + lines([chat(3)]).encode())
    assert (report.added, report.rejects[0].line) == (2, 2)
    assert "not UTF-8" in report.rejects[0].reason


def test_unknown_models_are_stored_and_unpriced(store: Store, put_file: Put) -> None:
    put_file(lines([chat(1, model="gpt-99"), chat(2)]))
    rows = store.con.execute("SELECT model, cost_usd, status FROM calls ORDER BY 1 DESC").fetchall()
    assert rows == [("gpt-99", None, "unpriced"), ("gpt-5.2", Decimal("0.00245"), "exact")]


def test_a_body_without_usage_is_unpriced_not_free(store: Store, put_file: Put) -> None:
    body = chat(1)
    del body["usage"]
    put_file(lines([body]))
    assert store.con.execute("SELECT cost_usd, status, input_total FROM calls").fetchall() == [
        (None, "unpriced", 0)
    ]
    assert number(store, table="costs") == 0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "empty"),
        (b"  \n\n", "empty"),
        (bytes(range(256)) * 20, "binary data"),
        (b"Dear diary,\ntoday I wrote a program, and it ran.\n", "no known log format"),
        (b"a,b,c\n1,2,3\n", "name them with --map"),
        (b'{"a": 1}\n{"a": 2}\n', "no known log format"),
        (b"PAR1 and then nothing of the kind", "no known log format"),
        (b"\x1f\x8b\x08\x00broken", "cannot be read"),
    ],
)
def test_a_file_that_is_no_log_says_so_and_stores_nothing(
    store: Store, put_file: Put, content: bytes, error: str
) -> None:
    report = put_file(content, "thing.bin")
    assert report.state == "failed"
    assert error in report.error
    assert number(store) == number(store, table="imports") == 0


def test_a_folder_is_searched_and_one_bad_file_does_not_stop_the_rest(
    store: Store, prices: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "a.jsonl").write_text(lines([chat(1)]))
    (folder / "b.bin").write_bytes(bytes(range(256)))
    (folder / "sub" / "c.jsonl").write_text(lines([chat(2)]))
    (folder / ".git" / "d.jsonl").write_text(lines([chat(3)]))
    (folder / "notes.md").write_text("# notes")
    reports = import_paths(store, prices, [folder, tmp_path / "missing.jsonl"])
    assert [(Path(r.path).name, r.state) for r in reports] == [
        ("a.jsonl", "imported"), ("b.bin", "failed"), ("c.jsonl", "imported"),
        ("missing.jsonl", "failed"),
    ]  # fmt: skip
    assert import_paths(store, prices, [tmp_path / "empty"]) != []
    empty = tmp_path / "nothing"
    empty.mkdir()
    assert import_paths(store, prices, [empty]) == []


def test_the_database_itself_is_not_read(
    db: Path, store: Store, prices: Catalogue, tmp_path: Path
) -> None:
    link = tmp_path / "log.jsonl"
    link.symlink_to(db)
    for path in (db, link):
        report = import_paths(store, prices, [path])[0]
        assert (report.state, report.error) == ("failed", f"{path} is the database itself")


def test_an_unknown_format_names_the_known_ones(put_file: Put) -> None:
    report = put_file(lines([chat(1)]), format="nonsense")
    assert report.state == "failed"
    assert "known: " in report.error and "bodies" in report.error


def test_a_reader_that_breaks_down_costs_its_file_only(
    store: Store, prices: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.readers import all_readers

    bodies = type(all_readers()["bodies"])
    read = bodies.read

    def breaking(self, source, context):  # type: ignore[no-untyped-def]
        for n, result in enumerate(read(self, source, context)):
            if source.path.name == "a.jsonl" and n == 1:
                raise ZeroDivisionError("oops")
            yield result

    monkeypatch.setattr(bodies, "read", breaking)
    for n, name in enumerate(("a.jsonl", "b.jsonl")):
        (tmp_path / name).write_text(lines([chat(2 * n), chat(2 * n + 1)]))
    first, second = import_paths(store, prices, [tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert (first.state, second.state) == ("failed", "imported")
    assert "cannot be read as bodies after line 1: ZeroDivisionError" in first.error
    assert number(store) == 2


def test_odd_values_are_stored_or_refused_but_never_stop_the_file(
    store: Store, put_file: Put
) -> None:
    odd = [
        chat(1, team="half \ud800 a character"),
        {**chat(2), "usage": {**chat(2)["usage"], "cost": 1.2345678901234567e-05}},
        {**chat(3), "usage": {**chat(3)["usage"], "cost": float("nan")}},
        {**chat(4), "usage": {**chat(4)["usage"], "cost": 1e300}},
        {"timestamp": "0001-01-01T00:00:00+05:00", "response": chat(5)},
        {"timestamp": "2026-01-01", "duration_ms": float("inf"), "response": chat(6)},
        chat(7, model=" "),
        chat(8, created=10**30),
        chat(9, session="\x00"),
    ]
    report = put_file(lines(odd))
    assert (report.state, report.records, report.rejected) == ("imported", 9, 0)
    costs = dict(
        store.con.execute(
            "SELECT line, source_cost_usd FROM usage WHERE line BETWEEN 2 AND 4"
        ).fetchall()
    )
    assert costs == {2: Decimal("0.000012345679"), 3: None, 4: None}
    assert number(store, "status", "calls WHERE line = 7") == "unpriced"


# --- what is never kept ---------------------------------------------------------------------------

MARK = "Zebrafinch marmalade"


def test_no_text_of_a_prompt_answer_or_header_reaches_the_disk(
    db: Path, store: Store, put_file: Put
) -> None:
    request = {"model": "gpt-5.2", "messages": [{"role": "user", "content": MARK}], "tools": [MARK]}
    headers = {"authorization": f"Bearer {MARK}", "date": "Sun, 01 Mar 2026 00:00:00 GMT"}
    whole = {
        "request": {**request, "headers": headers, "url": f"https://api.openai.com/v1?key={MARK}"},
        "response": {"status_code": 200, "headers": headers, "body": chat(1, text=MARK)},
    }
    usage = chat(2, text=MARK)
    usage["usage"]["prompt_tokens"] = MARK + " again"
    table = "time,model,tokens,out,note\n2026-01-01,gpt-5.2,5,5,x\n"
    table += f"2026-01-01,gpt-5.2,{MARK},5,{MARK}\n2026-01-01,{MARK},1\n"
    mapping = {"occurred_at": "time", "model": "model", "input": "tokens", "output": "out",
               "provider": '"openai"'}  # fmt: skip
    broken = json.dumps(whole)[:-2]
    report = put_file(lines([whole, usage, {"prompt": MARK}]) + broken + "\n" + MARK + "\n")
    assert (report.added, report.rejected) == (1, 4)
    mapped = put_file(table, "t.csv", mapping=mapping)
    assert (mapped.added, mapped.rejected) == (1, 2)
    assert MARK not in str(report) + str(mapped)
    wal = db.with_name(db.name + ".wal")
    assert MARK.encode() not in db.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
    store.con.execute("CHECKPOINT")
    assert MARK.encode() not in db.read_bytes()


def test_keep_text_keeps_the_beginning_of_a_rejected_line(store: Store, put_file: Put) -> None:
    content = lines([chat(1)]) + MARK + "x" * 300 + "\n"
    assert put_file(content).rejects[0].raw is None
    report = put_file(content, keep_text=True)
    assert (report.state, report.added) == ("imported", 0)
    raw = store.con.execute("SELECT raw FROM rejects ORDER BY import_id").fetchall()
    assert raw[0] == (None,)
    assert raw[1][0].startswith(MARK) and len(raw[1][0]) == 200


# --- wrappings and plans --------------------------------------------------------------------------


def test_compressed_marked_and_crlf_files_are_read_alike(store: Store, put_file: Put) -> None:
    def content(start: int) -> bytes:
        return lines(chat(n) for n in range(start, start + 3)).encode()

    zstd = pa.compress(content(10), "zstd", asbytes=True)
    utf16 = content(40).decode().encode("utf-16")
    found = [
        put_file(gzip.compress(content(0)), "a.jsonl.gz"),
        put_file(zstd, "b.jsonl.zst"),
        put_file(b"\xef\xbb\xbf" + content(20), "c.jsonl"),
        put_file(content(30).replace(b"\n", b"\r\n"), "d.jsonl"),
        put_file(utf16, "e.jsonl"),
    ]
    assert [(r.state, r.added, r.rejected) for r in found] == [("imported", 3, 0)] * 5
    assert number(store) == 15


def test_a_cut_off_gzip_file_gives_what_it_holds(put_file: Put) -> None:
    import random

    rng = random.Random(1)
    noise = [chat(n, text="".join(rng.choices("abcdefgh", k=400))) for n in range(3000)]
    packed = gzip.compress(lines(noise).encode())
    report = put_file(packed[: len(packed) * 3 // 4], "log.jsonl.gz")
    assert report.state == "imported"
    assert 1_500 < report.added < 3_000
    assert "cut off or damaged" in report.rejects[-1].reason


def test_standard_input(store: Store, prices: Catalogue) -> None:
    content = lines([chat(1)]).encode()
    report = import_bytes(store, prices, content, ImportOptions(stamps={"team": "x"}))
    assert (report.path, report.added) == ("-", 1)


def test_a_plan_stores_nothing_and_says_what_would_be_done(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(lines([chat(1), chat(1), chat(2)]) + "broken\n")
    report = plan(path, ImportOptions())
    assert (report.state, report.records, report.added, report.rejected) == ("planned", 3, 2, 1)
    damaged = tmp_path / "t.parquet"
    damaged.write_bytes(b"PAR1" + b"x" * 50)
    assert plan(damaged, ImportOptions(format="table")).state == "failed"


def test_a_plan_of_several_files_counts_a_call_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines([chat(1), chat(2)]))
    (tmp_path / "b.jsonl").write_text(lines([chat(2), chat(3)]))
    seen: set[str] = set()
    reports = [plan(tmp_path / n, ImportOptions(), seen) for n in ("a.jsonl", "b.jsonl")]
    assert [(r.added, r.duplicates) for r in reports] == [(2, 0), (1, 1)]


def test_the_ledger_says_what_was_imported(store: Store, put_file: Put) -> None:
    put_file(lines([chat(1, created=1767225600), chat(2, created=1767229200)]) + "broken\n")
    row = store.con.execute(
        "SELECT format, records, added, replaced, duplicates, rejected, first_at, last_at"
        " FROM imports"
    ).fetchall()[0]
    assert row == (
        "bodies", 2, 2, 0, 0, 1, datetime(2026, 1, 1), datetime(2026, 1, 1, 1)
    )  # fmt: skip
