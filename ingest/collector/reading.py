"""From request bodies to records: what each door accepts, and what is checked before storing.

`POST /v1/usage` takes one document, a list of them, `{"records": […]}` or lines of JSON. Each
document is told by its own keys, whatever came before it:

- tokenbooks' own record (`provider`, `model` and counts, as in a mapping): strict, a field that
  does not exist is an error and not a count silently left out;
- a LiteLLM logging payload;
- a provider's response body in any wrapping that `ingest.readers.bodies` knows.

A call without an id of its own is known by a hash of its whole document, so a request sent twice
is stored once; an `Idempotency-Key` header tells two equal documents apart.

    {"provider": "openai", "model": "gpt-5.2", "call_key": "job-7", "input": 1000,
     "cache_read": 800, "output": 50, "team": "search"}
"""

from __future__ import annotations

import difflib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from pathlib import Path
from typing import Any

from ingest.files import BadLine, Source, parse
from ingest.readers import litellm
from ingest.readers.base import ReadContext, Result
from ingest.readers.bodies import read_document
from ingest.readers.mapping import FIELDS, read_row
from ingest.record import MAX_SESSION, ContentKeys, Reject, UsageRecord
from ingest.store import load
from pricing.json_types import JsonList, JsonObject
from pricing.meters import COUNTED
from pricing.money import EXACT

_EARLIEST = datetime(2015, 1, 1)
_AHEAD = timedelta(days=1)
_CHARGE = Decimal(1).scaleb(-12)
_MAX_CHARGE = Decimal(10) ** 11
_MAX_TAGS = 64
_MAX_KEY = 500
_INT64 = 2**63 - 1
_REASON = 200


@dataclass(slots=True)
class Batch:
    """What a body held: records to store, and why the rest is none, with its place (from 0)."""

    records: list[UsageRecord] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: int = 0

    def take(self, results: Iterator[Result]) -> None:
        """Sort results in, checking each record."""
        for result in results:
            if isinstance(result, UsageRecord):
                why = admit(result)
                if why:
                    self.rejects.append(Reject(why, result.line))
                else:
                    self.records.append(result)
            elif isinstance(result, Reject):
                # The raw text may hold a prompt: the reason is all that is kept.
                self.rejects.append(Reject(result.reason[:_REASON], result.line))
            else:
                self.rejects.append(
                    Reject("an aggregated report: import it as a file, it is no call")
                )


class DocumentKeys(ContentKeys):
    """Content keys scoped by a document: two calls without ids whose counts are equal differ in
    something else, and that something is in the document."""

    def __init__(self, scope: Callable[[], str]) -> None:
        super().__init__()
        self._find = scope
        self._scope: str | None = None

    def key(self, content: Any) -> str:
        """The key of the next record of this document. Most documents have ids: only one without
        is hashed."""
        if self._scope is None:
            self._scope = self._find()
        return super().key([self._scope, content])


def context(keys: ContentKeys | None = None) -> ReadContext:
    """A reading context for something that arrives now."""
    source = Source(Path("collector"), "json", "", b"", modified=time.time())
    return ReadContext(source, keys=keys or ContentKeys())


def documents(body: bytes, *, lines: bool = False) -> list[Any]:
    """The documents of a JSON body: one, a list, `{"records": […]}`, or lines of JSON.

    A document that is not JSON comes as a `BadLine`; when the body as a whole is not JSON it is
    the only one. Raises `ValueError` for a body that is not UTF-8 or holds nothing.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the body is not UTF-8 (byte {error.start})") from error
    if not text.strip():
        raise ValueError("the body is empty")
    if lines:
        return [parse(line) for line in text.split("\n") if line.strip()]
    document = parse(text)
    if isinstance(document, BadLine):
        cut = document.reason.startswith("cut off")
        raise ValueError(f"the body is {'incomplete JSON' if cut else document.reason}")
    if isinstance(document, JsonObject) and isinstance(document.get("records"), JsonList):
        document = document["records"]
    if not isinstance(document, JsonList):
        return [document]
    if not document:
        raise ValueError("the list is empty")
    return document


def read_usage_documents(items: Sequence[Any], idempotency_key: str = "") -> Batch:
    """Records of what came to `/v1/usage`."""
    batch = Batch()
    door = _Door(idempotency_key)
    for place, item in enumerate(items):
        batch.take(_placed(_read_one(item, door), place))
    return batch


@dataclass(slots=True)
class _Door:
    """What one request has told so far: equal documents in it are different calls."""

    idempotency_key: str
    timed: ContentKeys = field(default_factory=ContentKeys)
    seen: dict[str, int] = field(default_factory=dict)

    def keys(self, item: Mapping[str, Any]) -> DocumentKeys:
        """Keys for the records of one document."""

        def scope() -> str:
            digest = _digest(item)
            self.seen[digest] = self.seen.get(digest, 0) + 1
            return f"{digest}:{self.seen[digest]}:{self.idempotency_key}"

        return DocumentKeys(scope)


def read_litellm_documents(items: Sequence[Any]) -> Batch:
    """Records of what LiteLLM's callbacks and webhooks send. Its budget and key alerts are no
    calls and are ignored."""
    batch = Batch()
    for place, item in enumerate(items):
        if isinstance(item, JsonObject) and _is_alert(item):
            batch.ignored += 1
        elif isinstance(item, JsonObject):
            keys = DocumentKeys(partial(_digest, item))
            batch.take(_placed(litellm.read_payload(item, context(keys)), place))
        else:
            batch.take(iter([_no_object(item, place)]))
    return batch


def _placed(results: Iterator[Result], place: int) -> Iterator[Result]:
    for result in results:
        if isinstance(result, Reject):
            yield Reject(result.reason, place)
        else:
            result.line = None
            yield result


def _no_object(item: Any, place: int) -> Reject:
    return Reject(item.reason if isinstance(item, BadLine) else "not a JSON object", place)


def _is_alert(item: Mapping[str, Any]) -> bool:
    return "event" in item and "event_group" in item and "call_type" not in item


def _read_one(item: Any, door: _Door) -> Iterator[Result]:
    if not isinstance(item, JsonObject):
        yield _no_object(item, 0)
    elif is_own_record(item):
        yield _read_own(item, door)
    elif "call_type" in item or "standard_logging_object" in item:
        yield from litellm.read_payload(item, context(door.keys(item)))
    else:
        yield from read_document(item, 0, context(door.keys(item)))


def is_own_record(item: Mapping[str, Any]) -> bool:
    """Whether a document is written in tokenbooks' own field names.

    A Responses body also has `output` (a list) and a request `input` (a text), so those two only
    count as numbers.
    """
    if "model" not in item or "usage" in item or "usageMetadata" in item:
        return False
    # Whoever names provider and model meant a record: a misspelt count is to be named as one.
    if "provider" in item and not item.keys() & _NO_RECORD:
        return True
    totals = ("input", "output", "input_beside", "total")
    return any(name in item for name in COUNTED) or any(
        isinstance(item.get(name), int | float) for name in totals
    )


_NO_RECORD = {"id", "object", "choices", "request", "response", "body", "call_type", "done"}


def _read_own(item: Mapping[str, Any], door: _Door) -> Result:
    for name in item:
        if name not in FIELDS and name != "tags" and not name.startswith("tags."):
            near = difflib.get_close_matches(name, FIELDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return Reject(f"unknown field {name[:40]!r}{hint}")
    if not item.get("provider"):
        return Reject("'provider' is missing: who answered the call?")
    # A record with a time has the key that a file with the same row gives it.
    timed = item.get("occurred_at") is not None and not door.idempotency_key
    keys = door.timed if timed else door.keys(item)
    result = read_row(item, {n: n for n in item if n != "tags"}, 0, context(keys))
    tags = item.get("tags")
    if isinstance(result, UsageRecord) and isinstance(tags, JsonObject):
        nested = {k for k, v in tags.items() if not isinstance(v, str | int | float)}
        result.tags = {k: v for k, v in result.tags.items() if k not in nested}
    return result


def _digest(item: Mapping[str, Any]) -> str:
    text = json.dumps(item, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# --- before storing -----------------------------------------------------------------------------


def admit(record: UsageRecord) -> str:
    """Bring a record within the store's bounds; "" when it may be stored, else why not.

    Checked here and not in the transaction, so that one sender's impossible record is turned away
    before it shares a group with others.
    """
    if record.occurred_at is None:
        record.occurred_at = datetime.now(UTC).replace(tzinfo=None)
        record.time_assumed = True
    if record.occurred_at < _EARLIEST:
        return f"its time {record.occurred_at:%Y-%m-%d} is before 2015"
    if record.occurred_at > datetime.now(UTC).replace(tzinfo=None) + _AHEAD:
        return f"its time {record.occurred_at.isoformat()} lies in the future"
    refused = load.refusal(record)
    if refused:
        return refused
    if record.total_reported is not None and record.total_reported > _INT64:
        return f"total = {record.total_reported} is too large"
    if record.latency_ms is not None and not 0 <= record.latency_ms <= _INT64:
        record.latency_ms = None
    charge = record.source_cost_usd
    if charge is not None:
        if not charge.is_finite() or abs(charge) >= _MAX_CHARGE:
            return "its stated charge is no amount of money"
        record.source_cost_usd = charge.quantize(_CHARGE, ROUND_HALF_EVEN, EXACT)
    if len(record.call_key) > _MAX_KEY:
        digest = hashlib.sha256(record.call_key.encode("utf-8", "surrogatepass")).hexdigest()
        record.call_key = f"{record.call_key[: _MAX_KEY - 70]}#{digest}"
    record.call_key = _text(record.call_key)
    for name in ("provider", "model", "seller", "tier", "region", "effort", "session"):
        value = getattr(record, name)
        if value is not None:
            setattr(record, name, _text(value)[:MAX_SESSION])
    record.dimensions = {k: _text(v)[:MAX_SESSION] for k, v in record.dimensions.items()}
    record.tags = {
        _text(k)[:MAX_SESSION]: _text(v)[:MAX_SESSION]
        for k, v in list(record.tags.items())[:_MAX_TAGS]
    }
    record.flags = [_text(flag)[:_REASON] for flag in record.flags]
    return ""


def _text(value: str) -> str:
    """Text that any column can hold: lone surrogates and NUL become the replacement sign."""
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\x00", "\ufffd")
