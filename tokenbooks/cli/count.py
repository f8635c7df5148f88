"""`tokenbooks count` and `tokenbooks calibrate`: tokens of a text or of a whole request body.

    tokenbooks count prompt.md --model gpt-5.2
    tokenbooks calibrate pairs.jsonl --model claude-opus-4-5

A JSON object with `messages`, `input`, `contents` or `prompt` (or a list of messages) is a request
body and is counted with its frame, tools, schema and images as it will be billed; anything else is
text. Every answer
says how it was found and how far off it may be.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.json_types import JsonDict, JsonList
from tokenbooks.cli.common import Db, Json, reading, settings
from tokenbooks.cli.output import MISUSE, fail, note, print_json, say, table

if TYPE_CHECKING:
    from pricing.counting import RequestTokens, TextTokens

_BODY_KEYS = ("messages", "input", "contents", "prompt")
# Tags under which a logging application may have kept its own estimate of the input tokens.
ESTIMATE_TAGS = ("estimated_tokens", "estimated_input_tokens", "token_estimate")
_PART_WORDS = {
    "frame": "frame around the messages",
    "messages": "messages",
    "tool_calls": "tool calls and results",
    "tools": "tool definitions",
    "schema": "output schema",
    "images": "images",
    "hidden": "added unseen by the API",
}
_ASK_MODEL = "which model? give --model, such as --model gpt-5.2"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("count")(count)
    app.command("calibrate")(calibrate)


def count(
    file: Annotated[str, typer.Argument(help="A text or a request body; - for standard input.")],
    model: Annotated[
        str | None, typer.Option("--model", help="The model (default: the body's own).")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", help="chat.completions, responses, messages… (default: told)."),
    ] = None,
    as_text: Annotated[
        bool, typer.Option("--text", help="Count a JSON body as the plain text it is.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", help="When it was sent, as 2025-03-12: APIs added other text then."),
    ] = None,
    json_: Json = False,
) -> None:
    """Count the tokens of a text or of a whole request as it will be billed.

    Exit code 3 when the model or a vocabulary is unknown: nothing is guessed.
    """
    from pricing.counting import count_request, count_text, endpoint_of

    try:
        sent = datetime.fromisoformat(at) if at else None
    except ValueError:
        fail(f"--at {at}: is not a date or an instant, such as 2025-03-12", MISUSE)
        raise
    raw = _read(file)
    body = None if as_text else _body(raw)
    if body is None:
        if not model:
            fail(_ASK_MODEL, MISUSE)
        counted = count_text(_text(raw, file), model or "")
    else:
        if not (model or body.get("model")):
            fail(f"the body names no model: {_ASK_MODEL}", MISUSE)
        counted = count_request(body, model, endpoint or endpoint_of(body, model), sent)
    if json_:
        kind = "text" if body is None else "request"
        parts = {"text": counted.total} if body is None else {}
        print_json({"file": file, "kind": kind, "parts": parts, **_plain(counted)})
    else:
        _print(counted)
        if body is None and not as_text and raw.lstrip().startswith((b"{", b"[")):
            note("JSON, but no request body: counted as the plain text it is")


def _plain(counted: RequestTokens | TextTokens) -> dict[str, Any]:
    return {**asdict(counted), "basis": str(counted.basis), "notes": list(counted.notes)}


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    path = Path(file)
    if path.is_dir():
        fail(f"{file} is a folder: count one file, or measure its prompts with `tokenbooks check"
             f" {file}`", MISUSE)  # fmt: skip
    if not path.is_file():
        fail(f"{file}: no such file")
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
        raise AssertionError from error


def _text(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{file}: is not UTF-8 text (byte {error.start:,}); convert it first")
        raise AssertionError from error


def _body(raw: bytes) -> Mapping[str, Any] | None:
    """The request body, when the whole input is one; JSON of another shape is text."""
    if not raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return None
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        return None
    if isinstance(document, JsonList):
        talk = bool(document) and all(isinstance(m, JsonDict) and "role" in m for m in document)
        return {"messages": document} if talk else None
    # A line of a batch file, or a logged pair, holds the body that was sent.
    for key in ("body", "request"):
        inner = document.get(key)
        if isinstance(inner, JsonDict) and any(k in inner for k in _BODY_KEYS):
            return inner
    return document if any(k in document for k in _BODY_KEYS) else None


def _print(counted: RequestTokens | TextTokens) -> None:
    total = f"{counted.total:,} tokens"
    if counted.low != counted.high:
        total += f" ({counted.low:,} to {counted.high:,})"
    say(f"{total}  {counted.basis}, {counted.model}")
    parts: dict[str, int] = getattr(counted, "parts", {})
    if parts:
        table(
            [("Part", "left"), ("Tokens", "right")],
            [(_PART_WORDS.get(name, name), f"{n:,}") for name, n in parts.items()],
            footer=("Total", f"{counted.total:,}"),
        )
    note(f"encoding: {counted.encoding}")
    for text in counted.notes:
        note(text)


def calibrate(
    file: Annotated[
        str | None,
        typer.Argument(help="Lines with a request and the usage it was billed; - for stdin."),
    ] = None,
    model: Annotated[str, typer.Option("--model", help="The model to learn.")] = "",
    db: Db = None,
    json_: Json = False,
) -> None:
    """Learn what a model really bills: the ratio to the count, the hidden constant, the interval.

    A line of FILE is {"request": {…}, "response": {…}} or {"request": {…}, "usage": {…}}, or
    {"estimated": 120, "billed": 131}. Without FILE, stored calls tagged `estimated_tokens` (or
    `estimated_input_tokens`, `token_estimate`) are taken from the database.
    """
    from pricing.counting import Sample
    from pricing.counting import calibrate as learn

    if not model:
        fail(_ASK_MODEL, MISUSE)
    skipped: dict[str, int] = {}
    if file is None:
        samples = _stored_samples(db, model)
        source = "the store"
    else:
        samples = [
            found
            for number, row in _lines(_text(_read(file), file), skipped)
            if (found := _sample(row, model, skipped, f"{file}:{number}")) is not None
        ]
        source = file
    if len([s for s in samples if s.estimated > 0 and s.billed > 0]) < 3:
        why = "".join(f"\n  {n:,} x {reason}" for reason, n in skipped.items())
        fail(_missing(source, model, len(samples)) + why)
    got = learn([Sample(s.estimated, s.billed) for s in samples])
    if json_:
        print_json(
            {"model": model, "source": source, **asdict(got), "skipped": skipped,
             "example": dict(zip(("total", "low", "high"), got.correct(1000), strict=True))}
        )  # fmt: skip
        return
    scale = "of the count" if got.relative else "tokens"
    low, high = (
        (f"{100 * got.low:+.1f} %", f"{100 * got.high:+.1f} %") if got.relative
        else (f"{got.low:+,.0f}", f"{got.high:+,.0f}")
    )  # fmt: skip
    say(f"{model}: billed = {got.slope:.4f} x counted {got.offset:+,.1f} tokens")
    say(f"single calls lie {low} to {high} {scale} from that (90 %), from {got.n:,} calls")
    total, least, most = got.correct(1000)
    say(f"1,000 tokens counted are {total:,} billed ({least:,} to {most:,})")
    note(got.found)
    for reason, number in skipped.items():
        note(f"left out {number:,} x {reason}")


def _missing(source: str, model: str, found: int) -> str:
    what = (
        f"{source} has {found} usable calls of {model}; at least 3 with a count and a billed "
        "number are needed. "
    )
    if source == "the store":
        return what + (
            "The store keeps no request bodies: tag calls with your own estimate "
            f"({', '.join(f'tags.{t}' for t in ESTIMATE_TAGS)}) before importing them, or give a "
            "FILE of request and response pairs."
        )
    return what + "Each line needs a `request` and its `response` or `usage`."


def _lines(text: str, skipped: dict[str, int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, JsonDict):
            yield number, row
        else:
            _skip(skipped, "a line that is not a JSON object")


def _skip(skipped: dict[str, int], reason: str) -> None:
    skipped[reason] = skipped.get(reason, 0) + 1


def _sample(row: Mapping[str, Any], model: str, skipped: dict[str, int], place: str) -> Any:
    """One pair of counted and billed tokens, or None with the reason counted in `skipped`."""
    from pricing.counting import (
        CountingError,
        Sample,
        UnknownModelError,
        VocabularyError,
        count_request,
        endpoint_of,
    )

    if "estimated" in row and "billed" in row:
        try:
            return Sample(int(row["estimated"]), int(row["billed"]))
        except (TypeError, ValueError):
            fail(f"{place}: estimated and billed must be whole numbers")
    request, response = row.get("request"), row.get("response")
    if not isinstance(request, JsonDict):
        return _skip(skipped, "a line without a request")
    answered = response if isinstance(response, JsonDict) else row
    named = str(row.get("model") or request.get("model") or answered.get("model") or "")
    if named and _plain_name(named) != _plain_name(model):
        return _skip(skipped, "another model")
    billed = _billed(answered)
    if billed is None:
        return _skip(skipped, "no usage with input tokens")
    try:
        counted = count_request(request, model, endpoint_of(request, model))
    except (UnknownModelError, VocabularyError):
        raise
    except CountingError:
        return _skip(skipped, "a request that cannot be counted")
    if str(counted.basis) == "server-side":
        return _skip(skipped, "only the server can count it")
    return Sample(counted.total, billed)


def _plain_name(model: str) -> str:
    """A model's name without a gateway's prefix, a date, or `-latest`."""
    return re.sub(r"(-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-latest)$", "", model.lower().rsplit("/", 1)[-1])


def _billed(answered: Mapping[str, Any]) -> int | None:
    """Input tokens billed, cached and written ones included; None when the usage says none."""
    from pricing.usage import UsageError, read_usage, total_input

    usage = answered.get("usage") or answered.get("usageMetadata")
    try:
        return total_input(read_usage(usage).counts) or None
    except UsageError:
        return None


def _stored_samples(db: Path | None, model: str) -> list[Any]:
    from pricing.counting import Sample

    tag = "coalesce(" + ", ".join(f"tags['{t}']" for t in ESTIMATE_TAGS) + ")"
    with reading(db, settings(db)) as store:
        rows = store.con.execute(
            f"SELECT TRY_CAST({tag} AS BIGINT) AS estimated, input_total FROM usage"
            " WHERE (model = ? OR variant = ?) AND requests = 1"
            f" AND TRY_CAST({tag} AS BIGINT) IS NOT NULL ORDER BY call_key",
            [model, model],
        ).fetchall()
    return [Sample(int(e), int(b)) for e, b in rows]
