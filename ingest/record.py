"""The usage record: one priced call, its disjoint counts, and the key that tells it from others.

The same call turns up in many places: a streamed snapshot, a polled response, a copied session,
an SDK span beside a proxy row. Its *call key* is the same in all of them, because it is made from
the id the provider gave the response:

>>> call_key("azure", "chatcmpl-BI9zeX5oxGehJnciAiPXRPREeePmY")
'openai:chatcmpl-BI9zeX5oxGehJnciAiPXRPREeePmY'
>>> call_key("groq", "42", source="proxy-3")
'proxy-3:42'

Ids with a well-known, globally unique prefix name their own maker, so that a call seen through a
cloud, an SDK span and a proxy is one call. Short ids are unique only within their source.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from pricing.usage import Counts, total_input

Finality = Literal["final", "partial"]

DIMENSIONS = ("team", "project", "feature", "customer", "environment")
"""Named dimensions of a record; every other tag is in the `tags` map."""

MAX_SESSION = 200


@dataclass(slots=True)
class UsageRecord:
    """One call as a log tells it. Counts are disjoint tokens (None: not reported); `occurred_at`
    is naive UTC; `source_cost_usd` is the charge the source itself states.

    `time_assumed` marks a record whose log states no time; `line` is where it stood in the file.
    """

    call_key: str
    occurred_at: datetime | None
    source_format: str
    provider: str
    model: str | None
    counts: Counts = field(default_factory=dict)
    seller: str | None = None
    tier: str | None = None
    region: str | None = None
    effort: str | None = None
    total_reported: int | None = None
    source_cost_usd: Decimal | None = None
    finality: Finality = "final"
    failed: bool = False
    requests: int = 1
    latency_ms: int | None = None
    session: str | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    line: int | None = None
    time_assumed: bool = False

    @property
    def input_total(self) -> int:
        """The prompt size that context thresholds compare with."""
        return total_input(self.counts)


@dataclass(slots=True)
class ReportedRow:
    """One row of an aggregated report (an organisation's usage or cost page, a dashboard export).

    Aggregates never become calls: they live in the table `reported` and serve reconciliation.
    `period_start` and `period_end` are naive UTC, the end exclusive; `kind` says whether the row
    counts usage or states cost; counts are disjoint as in a record; `slice_key` names the (source,
    period, dimensions) slice: a later report of the same slice replaces the earlier one.
    """

    source_format: str
    provider: str
    kind: Literal["usage", "cost"]
    period_start: datetime
    period_end: datetime
    counts: Counts = field(default_factory=dict)
    requests: int | None = None
    model: str | None = None
    tier: str | None = None
    region: str | None = None
    line_item: str | None = None
    amount: Decimal | None = None
    currency: str = "USD"
    list_amount: Decimal | None = None
    project: str | None = None
    api_key: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    line: int | None = None

    @property
    def slice_key(self) -> str:
        """What this row is the total of."""
        parts = (
            self.source_format, self.provider, self.kind, self.period_start.isoformat(),
            self.period_end.isoformat(), self.model, self.tier, self.region, self.line_item,
            self.project, self.api_key, self.currency, *sorted(self.tags.items()),
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not become a record: where, why, and its first characters.

    `raw` may hold a prompt: the importer drops it unless `keep_text` is asked for.
    """

    reason: str
    line: int | None = None
    raw: str | None = None


# Prefixes that are unique across accounts, and who hands them out.
ID_MAKERS = (
    ("chatcmpl-", "openai"), ("cmpl-", "openai"), ("resp_", "openai"), ("cmp_", "openai"),
    ("batch_req_", "openai"), ("msg_", "anthropic"), ("gen-", "openrouter"),
)  # fmt: skip
ID_LONG_ENOUGH = 20


def call_key(provider: str, response_id: str, source: str = "") -> str:
    """The key of a call from its response id; `source` scopes ids that are not globally unique."""
    for prefix, maker in ID_MAKERS:
        if response_id.startswith(prefix) and len(response_id) >= ID_LONG_ENOUGH:
            return f"{maker}:{response_id}"
    return f"{source or provider}:{response_id}"


class ContentKeys:
    """Keys for records without any id: a hash of the content, and which copy of it this is.

    Two equal lines of one file are two calls (a trace with only times and counts has many); the
    same file read again gives the same keys.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def key(self, content: Any) -> str:
        """The key of the next record with this content."""
        text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        number = self._seen.get(digest, 0) + 1
        self._seen[digest] = number
        return f"content:{digest}" if number == 1 else f"content:{digest}:{number}"


_ISO = re.compile(r"^\d{4}-\d\d-\d\d($|[T ]\d\d:\d\d)|^\d{8}T\d{4}")
_ZONE_NAME = re.compile(r" ?(?:UTC|GMT|Z)$")
_SLASHES = re.compile(r"^(\d{4})/(\d\d)/(\d\d)(?=$|[T ]\d\d:\d\d)")
_RFC_5322 = re.compile(r"^(?:[A-Z][a-z]{2}, ?)?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d")
# Written with a month's name, or as only Americans do (a half of the day goes with no other order).
_WRITTEN = (
    (re.compile(r"^\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$"), "%d/%b/%Y:%H:%M:%S %z"),
    (re.compile(r"^[\d/]+,? \d+:\d+ [AP]M$", re.I), "%m/%d/%Y %I:%M %p"),
    (re.compile(r"^[\d/]+,? \d+:\d+:\d+ [AP]M$", re.I), "%m/%d/%Y %I:%M:%S %p"),
    (re.compile(r"^[\d/]+,? \d+:\d+:\d+\.\d+ [AP]M$", re.I), "%m/%d/%Y %I:%M:%S.%f %p"),
)
_SECONDS, _MILLIS, _MICROS, _NANOS = 1e11, 1e14, 1e17, 1e20
_OLDEST = 1e8
"""Seconds below which a number is a counter, not a clock (March 1973)."""


def instant(value: Any) -> datetime | None:
    """A log's time as naive UTC: RFC 3339 text, text without offset (UTC), the date of an HTTP
    header, or Unix time in seconds, milliseconds, microseconds or nanoseconds. None when it is none
    of these: a date that may be read in two orders is none.

    >>> str(instant("2026-03-01 10:00:00 UTC")), str(instant("Sun, 01 Mar 2026 10:00:00 GMT"))
    ('2026-03-01 10:00:00', '2026-03-01 10:00:00')
    >>> str(instant("3/1/2026, 10:00:00.5 PM")), instant("03/01/2026 10:00")
    ('2026-03-01 22:00:00.500000', None)
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, str):
        return _written(value.strip())
    if not isinstance(value, int | float | Decimal):
        return None
    for limit, unit in ((_SECONDS, 1), (_MILLIS, 10**3), (_MICROS, 10**6), (_NANOS, 10**9)):
        if 0 < value < limit:
            if unit == 1 and value < _OLDEST:
                return None
            # Whole numbers stay whole: a nanosecond clock does not fit a float.
            whole = isinstance(value, int)
            micros = value * 10**6 // unit if whole else round(float(value) / unit * 10**6)
            return datetime(1970, 1, 1) + timedelta(microseconds=micros)
    return None


def _written(text: str) -> datetime | None:
    """An instant written as text."""
    text = _SLASHES.sub(r"\1-\2-\3", text)
    try:
        if _ISO.match(text):
            return instant(datetime.fromisoformat(_ZONE_NAME.sub("+00:00", text)))
        if _RFC_5322.match(text):
            return instant(parsedate_to_datetime(text))
        for pattern, form in _WRITTEN:
            if pattern.match(text):
                return instant(datetime.strptime(text.replace(",", ""), form))
        return instant(float(text)) if text else None
    except (ValueError, OverflowError, TypeError):
        return None


def short_text(value: Any) -> str | None:
    """A value fit for a dimension or tag: text, number or boolean, not empty, at most 200 long."""
    if value is None or isinstance(value, Mapping | list | tuple):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    return text[:MAX_SESSION] or None


def split_tags(tags: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Split free-form tags into the named dimensions and the rest; nested values are left out."""
    dimensions: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in tags.items():
        text = short_text(value)
        if text is None:
            continue
        key = str(name).strip().lower().removeprefix("tokenbooks.")
        if key in ("env", "deployment.environment", "deployment.environment.name"):
            key = "environment"
        if key in DIMENSIONS:
            dimensions[key] = text
        else:
            rest[str(name)[:MAX_SESSION]] = text
    return dimensions, rest
