"""Opening log files: compression, encoding, and what kind of file it is, by content.

A file is looked at once (`look`) and then read by the reader that recognised it. Lines come with
their numbers, because every error names one.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "x.jsonl"
>>> _ = path.write_text('{"a": 1}\\n{"a": 2}\\n{"a"')
>>> source = look(path)
>>> source.kind, [document for _, document in source.documents()]
('jsonl', [{'a': 1}, {'a': 2}, BadLine(reason='cut off: the line is incomplete JSON', raw='{"a"')])
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from pricing.json_types import JsonDict, JsonList

Kind = Literal["json", "jsonl", "sse", "csv", "parquet", "binary", "empty"]

HEAD_BYTES = 256 * 1024
MAX_LINE = 64 * 1024 * 1024
MAX_DOCUMENT = 512 * 1024 * 1024
RAW_SHOWN = 200
_SAMPLE = 40


class UnreadableFile(Exception):
    """A file cannot be read at all: the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not what the file's format needs it to be."""

    reason: str
    raw: str


@dataclass
class Source:
    """A file that has been looked at: where it is, what kind of content it has, how to read it."""

    path: Path
    kind: Kind
    compression: str
    head: bytes
    sample: list[Any] = field(default_factory=list)
    modified: float = 0.0
    size: int = 0
    data: bytes | None = None
    passed: int = 0
    """Lines so far that were read by other means (`ingest.fast`) and so do not come up."""

    def open(self) -> BinaryIO:
        """The uncompressed bytes, as a stream. The caller closes it."""
        if self.data is not None:
            return io.BytesIO(self.data)
        return _open(self.path, self.compression)

    @cached_property
    def sha256(self) -> str:
        """Hash of the uncompressed content: the same log, packed otherwise, is the same log."""
        digest = hashlib.sha256()
        with self.open() as stream:
            try:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
            except BROKEN:  # cut off: known by what can be read, and by being cut off
                digest.update(b"cut off")
        return digest.hexdigest()

    def text(self) -> str:
        """The whole content as text. Raises `UnreadableFile` when it is not UTF-8 or too large."""
        with self.open() as stream:
            try:
                data = stream.read(MAX_DOCUMENT + 1)
            except BROKEN as error:
                raise UnreadableFile(f"{self.path}: cannot be read: {_broken(error)}") from error
        if len(data) > MAX_DOCUMENT:
            raise UnreadableFile(f"{self.path}: one JSON document of over 512 MiB; split it")
        text, error = decode(data)
        if error:
            raise UnreadableFile(f"{self.path}: {error}")
        return text

    def lines(self) -> Iterator[tuple[int, str | BadLine]]:
        """Numbered lines as text; a line that is not UTF-8 comes as a `BadLine`."""
        encoding = utf16(self.head)
        with self.open() as stream:
            if encoding:
                reader = io.TextIOWrapper(cast(Any, stream), encoding, errors="replace")
                for number, line in enumerate(reader, 1):
                    yield number, line.rstrip("\r\n")
                return
            number = 0
            while True:
                try:
                    raw = stream.readline(MAX_LINE + 1)
                except BROKEN as error:
                    yield number + 1, BadLine(_broken(error), "")
                    return
                if not raw:
                    return
                number += 1
                if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                    while raw and not raw.endswith(b"\n"):
                        raw = stream.readline(MAX_LINE)
                    yield number, BadLine("the line is longer than 64 MiB", "")
                    continue
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield number, raw.rstrip(b"\r\n").decode("utf-8")
                except UnicodeDecodeError as error:
                    yield (
                        number,
                        BadLine(
                            f"not UTF-8 (byte {error.start + 1} of the line)",
                            raw[:RAW_SHOWN].decode("utf-8", "replace"),
                        ),
                    )

    def documents(self) -> Iterator[tuple[int, Any | BadLine]]:
        """JSON documents with the line each begins on: lines of JSON, one document, or an array
        of documents (each element comes alone), or several documents one after another."""
        if self.kind == "jsonl":
            for number, line in self.lines():
                if isinstance(line, BadLine):
                    yield number, line
                elif line.strip():
                    yield number, parse_line(line)
            return
        for number, document in values(self.text()):
            if isinstance(document, JsonList):
                for element in document:
                    yield number, element
            else:
                yield number, document

    def readable(self) -> Iterator[tuple[int, Any | BadLine]]:
        """`documents`, where a file that is no text at all is one `BadLine`."""
        try:
            yield from self.documents()
        except UnreadableFile as error:
            yield 1, BadLine(str(error), "")

    def events(self) -> Iterator[tuple[int, str, Any | BadLine]]:
        """Server-sent events: line, event name ("" when unnamed), parsed data."""
        name, data = "", list[tuple[int, str]]()
        for number, line in self.lines():
            if isinstance(line, BadLine):
                yield number, name, line
            elif line.startswith("event:"):
                # Some programs drop the empty lines between events.
                yield from self._event(name, data)
                name, data = line[6:].strip(), []
            elif line.startswith("data:"):
                data.append((number, line[5:].strip()))
            elif not line and data:
                yield from self._event(name, data)
                name, data = "", []
        yield from self._event(name, data)

    def _event(self, name: str, data: list[tuple[int, str]]) -> Iterator[tuple[int, str, Any]]:
        """One event's data, which may span lines; lines that are documents each are events each."""
        texts = [(number, text) for number, text in data if text != "[DONE]"]
        if not texts:
            return
        whole = parse("\n".join(text for _, text in texts))
        if isinstance(whole, BadLine) and len(texts) > 1:
            yield from ((number, name, parse(text)) for number, text in texts)
        else:
            yield texts[0][0], name, whole


BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError)
"""What gzip, zlib, zipfile and zstd raise in the middle of a stream that is cut off or damaged."""


def _broken(error: BaseException) -> str:
    return f"the compressed file is cut off or damaged here ({error}); export it again"


_FILLER = "\x00\x1e"
"""NULs are left by a crash or a log truncated while it was open; RS begins a JSON sequence."""


def parse(text: str) -> Any | BadLine:
    """Parse one JSON document; a failure is a `BadLine` that says what kind of failure."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text[:1] in _FILLER or text[-1:] in _FILLER:
            rest = text.strip(_FILLER)
            return parse(rest) if rest.strip() else BadLine("NUL bytes in place of a line", "")
        cut = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
        reason = (
            "cut off: the line is incomplete JSON" if cut else f"not JSON: {error.msg} "
            f"at column {error.colno}"
        )  # fmt: skip
        return BadLine(reason, text[:RAW_SHOWN])
    except RecursionError:
        return BadLine("JSON nested too deeply", text[:RAW_SHOWN])
    except ValueError as error:
        return BadLine(f"not usable JSON: {error}", text[:RAW_SHOWN])


_LONGEST_PREFIX = 200


def parse_line(line: str) -> Any | BadLine:
    """Parse one line of a log: JSON, or an object after what a logger writes before it, whose time
    it takes over.

    >>> parse_line('2026-03-01 10:00:00,250 INFO llm: {"a": 1}')
    {'time': '2026-03-01 10:00:00,250', 'a': 1}
    """
    found = parse(line)
    if not isinstance(found, BadLine):
        return found
    start = line.find("{", 0, _LONGEST_PREFIX)
    # After a tab it is a table's cell.
    if start < 1 or "\t" in line[:start] or line.lstrip()[:1] in ("{", "["):
        return found
    inner = parse(line[start:].rstrip())
    if not isinstance(inner, JsonDict):
        return found
    time = _LOGGED_AT.search(line[:start])
    return {"time": time.group(), **inner} if time else inner


_LOGGED_AT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?(?=[\s\]|]|$)"
)


def values(text: str) -> Iterator[tuple[int, Any | BadLine]]:
    """The JSON documents of a text, one after another, with the line each begins on; of an array
    that is cut off or broken, the elements that are whole."""
    whole = parse(text)
    array = text.lstrip()[:1] == "["
    if not isinstance(whole, BadLine) or not (array or "Extra data" in whole.reason):
        yield 1, whole
        return
    decoder, at, line, seen = json.JSONDecoder(), text.index("[") + 1 if array else 0, 1, 0
    while at < len(text):
        if text[at] in _BETWEEN:
            at += 1
            continue
        line, seen = line + text.count("\n", seen, at), at
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield line, parse(text[at:])
            return
        yield line, document
    if array and text.rstrip()[-1:] != "]":
        yield line, BadLine("cut off: the array does not end", "")


# Commas, brackets and record separators stand between documents.
_BETWEEN = " \t\r\n,]\x1e"


def utf16(head: bytes) -> str:
    """The UTF-16 codec a byte order mark announces or every other byte being NUL shows, or ""."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = head[:64]
    if len(start) >= 8 and not any(start[1::2]) and all(start[::2]):
        return "utf-16-le"
    if len(start) >= 8 and not any(start[::2]) and all(start[1::2]):
        return "utf-16-be"
    return ""


def decode(data: bytes) -> tuple[str, str]:
    """Decode UTF-8 (or UTF-16 with a mark); the second value is the error in words, or ""."""
    codec = utf16(data) or "utf-8-sig"
    try:
        return data.decode(codec), ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", (
            f"line {line}: not {codec.removesuffix('-sig').upper()} (byte {error.start}); "
            "save the file as UTF-8 and import it again"
        )


def look(path: Path) -> Source:
    """Look at a file: unpack its head, tell its kind, and parse the first documents.

    Raises `UnreadableFile` when it cannot be opened or unpacked.
    """
    try:
        stat = path.stat()
        with path.open("rb") as stream:
            magic = stream.read(4)
        compression = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(magic[:2], "")
        if magic == ZIP and len(zip_members(path)) == 1:
            compression = "zip"
        with _open(path, compression) as stream:
            head = stream.read(HEAD_BYTES)
    except PermissionError as error:
        raise UnreadableFile(f"{path}: no permission to read it") from error
    except (*BROKEN, ValueError) as error:
        raise UnreadableFile(f"{path}: cannot be read: {error}") from error
    return _classify(
        Source(path, "empty", compression, head, modified=stat.st_mtime, size=stat.st_size)
    )


def look_at_bytes(data: bytes, name: str = "-") -> Source:
    """As `look`, for content that is not in a file (standard input, a request body)."""
    import time

    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    source = Source(
        Path(name), "empty", "", data[:HEAD_BYTES], modified=time.time(), size=len(data), data=data
    )
    return _classify(source)


def _open(path: Path, compression: str) -> BinaryIO:
    if compression == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if compression == "zip":
        return _member(path)
    if compression == "zstd":
        return cast(BinaryIO, _zstd(path))
    return path.open("rb")


def _zstd(path: Path) -> io.BufferedIOBase:
    """A zstd stream through pyarrow, which Streamlit brings: no package more."""
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd")
    return io.BufferedReader(cast(Any, stream))


ZIP = b"PK\x03\x04"


def zip_members(path: Path) -> list[zipfile.ZipInfo]:
    """The files in a ZIP archive, without what macOS adds; none where it is no whole archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
    except BROKEN:
        return []
    return [m for m in found if not m.is_dir() and not m.filename.startswith("__MACOSX/")]


def _member(path: Path) -> BinaryIO:
    """The only file of an archive, as a stream. An encrypted one raises `OSError`."""
    member = zip_members(path)[0]
    if member.flag_bits & 1:
        raise OSError("the ZIP archive is encrypted: unpack it first")
    return cast(BinaryIO, zipfile.ZipFile(path).open(member))


_SSE_FIELDS = ("event:", "data:", "id:", "retry:", ":")


def _classify(source: Source) -> Source:
    """Set kind and sample from the head."""
    head = source.head
    if not head.strip():
        source.kind = "empty"
    elif head[:4] == b"PAR1":
        source.kind = "parquet"
    else:
        codec = utf16(head)
        text = head.decode(codec or "utf-8", "replace").lstrip("\ufeff")
        if text.startswith("\x00" * 16):  # a log truncated while it was open begins with NULs
            text = text.lstrip("\x00")
        stripped = text.lstrip()
        if stripped[:1] not in ("{", "[") and (
            "\x00" in text[:2048] or text[:2048].count("\ufffd") > 100
        ):
            source.kind = "binary"
        elif not stripped:
            source.kind = "empty"
        elif stripped[0] in "{[":
            source.kind = _json_kind(source, stripped)
        elif stripped.startswith(_SSE_FIELDS) and "data:" in stripped:
            source.kind = "sse"
            source.sample = _events(source)
        elif lines := _objects_among(text):
            source.kind, source.sample = "jsonl", lines
        elif _comma(text):
            source.kind = "csv"
        else:
            source.kind = "binary" if not text[:200].isprintable() and "\n" not in text else "csv"
    return source


def _objects_among(text: str) -> list[Any]:
    """Objects that stand on lines among lines of plain text, or after a logger's own words."""
    lines = [line.rstrip("\r") for line in text.split("\n")[:_SAMPLE] if "{" in line]
    return [d for d in map(parse_line, lines) if isinstance(d, JsonDict)]


def _json_kind(source: Source, text: str) -> Kind:
    """One document or lines of them: lines when the first line parses alone and more follow."""
    # Not `splitlines`: JSON texts may hold the other characters that it takes for line ends.
    lines = [line for line in text.split("\n") if line.strip()]
    whole = len(source.head) < HEAD_BYTES
    first = parse(lines[0])
    if not isinstance(first, BadLine) and (len(lines) > 1 or not text.startswith("[")):
        complete = lines if whole else lines[:-1] or lines
        source.sample = [d for d in map(parse, complete[:_SAMPLE]) if not isinstance(d, BadLine)]
        if len(lines) > 1 or isinstance(first, JsonDict):
            return "jsonl"
    if isinstance(first, BadLine) and len(lines) > 1 and not text.startswith("["):
        # A broken first line of a log still leaves a log; a pretty-printed document does not.
        later = [d for d in map(parse, lines[1 : _SAMPLE + 1]) if isinstance(d, JsonDict)]
        if later and lines[0].rstrip()[-1:] not in "{[,":
            source.sample = later
            return "jsonl"
    try:
        text = source.text()
    except UnreadableFile:
        return "binary"
    for _, document in islice(values(text), _SAMPLE):
        if isinstance(document, JsonList):
            source.sample += document[:_SAMPLE]
        elif not isinstance(document, BadLine):
            source.sample.append(document)
    return "json"


def _events(source: Source) -> list[Any]:
    found: list[Any] = []
    for _, _, data in source.events():
        if not isinstance(data, BadLine):
            found.append(data)
        if len(found) >= _SAMPLE:
            break
    return found


def _comma(text: str) -> bool:
    first = text.split("\n", 1)[0]
    return any(first.count(mark) >= 1 for mark in ",;\t")
