"""Looking at files: kind, compression, encoding, numbered lines, and one hash for one content."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.files import BadLine, UnreadableFile, look, look_at_bytes, parse
from ingest.importer import ImportOptions, recognise


def write(folder: Path, content: bytes, name: str = "x") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b'{"a": 1}\n{"a": 2}\n', "jsonl"),
        (b'{"a": 1}', "jsonl"),
        (b'{"a":\n 1}\n', "json"),
        (b'[{"a": 1},\n {"a": 2}]', "json"),
        (b'{"cut": \n{"a": 2}\n{"a": 3}\n', "jsonl"),
        (b'{"cut\n{"a": 2}\n{"a": 3}\n', "jsonl"),
        (b'data: {"a": 1}\n\ndata: [DONE]\n', "sse"),
        (b'event: x\ndata: {"a": 1}\n\n', "sse"),
        (b"a,b\n1,2\n", "csv"),
        (b"a\tb\n1\t2\n", "csv"),
        (b"\x00\x01\x02\x03" * 10, "binary"),
        (b"PAR1xxxx", "parquet"),
    ],
)
def test_kinds(tmp_path: Path, content: bytes, kind: str) -> None:
    assert look(write(tmp_path, content)).kind == kind
    if content:
        assert look_at_bytes(content).kind == kind


def test_compression_is_seen_by_content_not_by_name(tmp_path: Path) -> None:
    content = b'{"a": 1}\n{"a": 2}\n'
    packed = {
        "plain.gz": content,
        "gzip.log": gzip.compress(content),
        "zstd.log": pa.compress(content, "zstd", asbytes=True),
    }
    sources = [look(write(tmp_path, data, name)) for name, data in packed.items()]
    assert [s.compression for s in sources] == ["", "gzip", "zstd"]
    assert len({s.sha256 for s in sources}) == 1
    assert all(s.kind == "jsonl" for s in sources)


def test_lines_are_numbered_whatever_ends_them(tmp_path: Path) -> None:
    source = look(write(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 3}'))
    assert list(source.lines()) == [(1, '{"a": 1}'), (2, ""), (3, '{"a": 3}')]
    assert list(source.documents()) == [(1, {"a": 1}), (3, {"a": 3})]


def test_a_line_that_is_not_utf8_is_bad_and_the_others_are_not(tmp_path: Path) -> None:
    source = look(write(tmp_path, b'{"a": 1}\n{"b": "caf\xe9"}\n{"c": 1}\n'))
    found = dict(source.documents())
    assert isinstance(found[2], BadLine)
    assert "not UTF-8 (byte 11 of the line)" in found[2].reason
    assert (found[1], found[3]) == ({"a": 1}, {"c": 1})


def test_utf16_is_read_by_its_mark(tmp_path: Path) -> None:
    source = look(write(tmp_path, '{"a": "é"}\n{"a": 2}\n'.encode("utf-16")))
    assert [d for _, d in source.documents()] == [{"a": "é"}, {"a": 2}]


def test_a_document_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    source = look(write(tmp_path, b'[{"a": 1},\n {"b": "caf\xe9"},\n {"c": 1}]'))
    with pytest.raises(UnreadableFile, match=r"line 2: not UTF-8.*save the file as UTF-8"):
        source.text()


@pytest.mark.parametrize("pack", [gzip.compress, lambda d: pa.compress(d, "zstd", asbytes=True)])
def test_a_cut_off_stream_ends_in_a_bad_line(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    import random

    rng = random.Random(7)
    content = "".join(f'{{"n": {rng.random()}}}\n' for _ in range(60_000)).encode()
    data = pack(content)
    source = look(write(tmp_path, data[: len(data) * 9 // 10]))
    found = [line for _, line in source.lines()]
    assert isinstance(found[-1], BadLine)
    assert "cut off or damaged" in found[-1].reason
    assert found[:1000] == content.decode().splitlines()[:1000]
    assert source.sha256 != look(write(tmp_path, data, "whole")).sha256


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UnreadableFile, match=str(path)):
            look(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": ', "cut off"),
        ('{"a": "x', "cut off"),
        ("[" * 100_000, "nested too deeply"),
        ("{'a': 1}", "not JSON: Expecting property name"),
        ("9" * 5000, "not usable JSON"),
    ],
)
def test_what_is_wrong_with_a_line(text: str, reason: str) -> None:
    found = parse(text)
    assert isinstance(found, BadLine)
    assert reason in found.reason
    assert len(found.raw) <= 200


def test_events_of_a_saved_stream(tmp_path: Path) -> None:
    source = look(
        write(
            tmp_path, b': hi\nevent: a\ndata: {"n":\ndata: 1}\n\ndata: {"n": 2}\n\ndata: [DONE]\n'
        )
    )
    assert list(source.events()) == [(3, "a", {"n": 1}), (6, "", {"n": 2})]


def test_an_archive_of_one_file_is_that_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/", "")
        archive.writestr("logs/a.jsonl", '{"a": 1}\n{"a": 2}\n')
        archive.writestr("__MACOSX/logs/._a.jsonl", "x")
    source = look(tmp_path / "a.zip")
    assert (source.kind, source.compression) == ("jsonl", "zip")
    assert [d for _, d in source.documents()] == [{"a": 1}, {"a": 2}]
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert source.sha256 == look(tmp_path / "a.jsonl").sha256  # packed otherwise, the same log


def test_an_archive_of_several_files_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jsonl", "{}")
        archive.writestr("b.jsonl", "{}")
    reader, _, why = recognise(look(tmp_path / "a.zip"), ImportOptions())
    assert reader is None
    assert why == "a ZIP archive of 2 files: unpack it and import the folder"


def test_a_damaged_archive_is_no_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", '{"a": 1}\n' * 5000)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[45:60] = b"x" * 15
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UnreadableFile):
        look(tmp_path / "a.zip")
