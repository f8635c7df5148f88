"""Published request traces with only times and token counts, recognised by their exact columns.

Each layout is a named mapping (`LAYOUTS`): which column is the time and in what unit, which are
the counts. Columns must match a layout exactly (its optional columns aside): a table with other
columns is somebody's own log and needs a column mapping, not a guess.

Traces name no model, except BurstGPT: set `model` (and `provider`, if the model's name does not
tell) or the calls stay unpriced. Most have clocks that start at zero: set `start`, an instant with
offset, or the times are assumed to begin when the file was last written, and every record says so.

    t_ms,input_tokens,output_tokens      --set start=2026-01-01T00:00:00Z --set model=gpt-5.2
    1500,6758,500

is one call at 00:00:01.5 of 6,758 input tokens (how many were cached, nobody published) and 500
output tokens. Requests are told apart by their content and its repetition, scoped to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ingest.files import BadLine, Source, UnreadableFile
from ingest.readers.base import ReadContext, Result
from ingest.readers.cells import milliseconds
from ingest.readers.makers import maker_of
from ingest.readers.parts import number
from ingest.readers.rows import columns, rows
from ingest.record import Reject, UsageRecord, instant, short_text
from pricing.usage import Counts, UsageError, shown
from pricing.variants import normal_seller

Clock = Literal["absolute", "seconds", "milliseconds", "either"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A trace's columns. `clock` says what `time` is: an instant, seconds or milliseconds from a
    start nobody published, or (`either`) an instant where it reads as one, else seconds."""

    name: str
    time: str
    clock: Clock
    input: str
    output: str
    other: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    model: str = ""
    session: str = ""
    tag: str = ""
    total: str = ""

    def matches(self, names: set[str]) -> bool:
        """Whether a table with these columns is this trace."""
        needed = {self.time, self.input, self.output, *self.other} | {
            name for name in (self.model, self.tag, self.total) if name
        }
        return needed <= names <= needed | self.optional


LAYOUTS = (
    Layout(
        "azure-llm", "TIMESTAMP", "absolute", "ContextTokens", "GeneratedTokens",
        optional=frozenset({"NumImages"}),
    ),
    Layout("azure-llm-renamed", "ts", "absolute", "input_tokens", "output_tokens"),
    Layout(
        "burstgpt", "Timestamp", "seconds", "Request tokens", "Response tokens",
        optional=frozenset({"Session ID", "Elapsed time"}), model="Model",
        session="Session ID", tag="Log Type", total="Total tokens",
    ),
    Layout(
        "mooncake", "timestamp", "milliseconds", "input_length", "output_length",
        other=frozenset({"hash_ids"}),
    ),
    Layout(
        "mooncake-renamed", "t_ms", "milliseconds", "input_tokens", "output_tokens",
        optional=frozenset({"hash_ids"}),
    ),
    Layout(
        "bailian", "timestamp", "seconds", "input_length", "output_length",
        other=frozenset({"chat_id", "parent_chat_id", "turn", "hash_ids"}),
        optional=frozenset({"type"}), session="chat_id",
    ),
    Layout(
        "ragpulse", "t_s", "seconds", "input_tokens", "output_tokens",
        other=frozenset({"sys_prompt", "passages_ids", "history", "web_search", "user_input"}),
        optional=frozenset({"session"}), session="session",
    ),
    Layout(
        "servegen", "timestamp", "either", "input_tokens", "output_tokens",
        optional=frozenset(
            {"request_id", "client_id", "client", "reason_ratio", "hash_ids", "session"}
        ),
        session="session",
    ),
    Layout(
        "servegen-seconds", "t_s", "seconds", "input_tokens", "output_tokens",
        optional=frozenset({"client", "client_id", "reason_ratio", "session"}), session="session",
    ),
)  # fmt: skip

# Statistics that look like traces: rates and lengths by window, not requests.
_STATISTICS = (
    {"model", "client", "t_s", "req_per_s"},
    {"model", "client", "t_s", "field", "quantiles_0_100"},
    {"client", "t_s", "field", "values", "probs"},
    {"hash_id", "component", "tokens"},
)
# BurstGPT's two services, by the names its authors explain them with.
_BURSTGPT = {"chatgpt": "gpt-3.5-turbo", "gpt-4": "gpt-4"}


def layout_of(names: set[str]) -> Layout | None:
    """The trace a table with these columns is, or None."""
    return next((layout for layout in LAYOUTS if layout.matches(names)), None)


def _statistics(names: set[str]) -> bool:
    return any(known <= names for known in _STATISTICS)


class Traces:
    """Reader of published request traces."""

    name = "traces"
    title = "Request traces (Azure LLM, BurstGPT, Mooncake, Bailian, RAGPulse, ServeGen)"
    recognised_by = "the exact columns of a known trace (CSV, JSON lines, Parquet)"

    def identify(self, source: Source) -> float:
        """By the exact set of columns."""
        if source.kind not in ("csv", "json", "jsonl", "parquet"):
            return 0.0
        names = set(columns(source))
        if layout_of(names) is not None:
            return 0.9
        return 0.6 if names and _statistics(names) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row, in file order."""
        names = set(columns(source))
        layout = layout_of(names)
        if layout is None:
            why = (
                "the table holds rates or lengths by window, not requests: simulate from it instead"
                if _statistics(names)
                else f"no known trace has the columns {', '.join(sorted(names)) or '(none)'}"
            )
            yield Reject(why, 1)
            return
        clock = _start(layout, context)
        if isinstance(clock, Reject):
            yield clock
            return
        noted = False
        if not context.options.get("model") and not layout.model:
            context.notes.append(
                f"{layout.name}: the trace names no model, so its calls are unpriced. Set model=…"
            )
        scope = "" if layout.clock == "absolute" else source.sha256[:16]
        try:
            for line, row in rows(source):
                if isinstance(row, BadLine):
                    yield Reject(row.reason, line)
                    continue
                try:
                    record = _record(layout, row, line, clock, scope, context)
                except UsageError as error:
                    yield Reject(str(error), line)
                    continue
                if record.time_assumed and not noted:
                    noted = True
                    context.notes.append(_assumed(layout, context))
                yield record
        except UnreadableFile as error:
            yield Reject(str(error), None)


def _start(layout: Layout, context: ReadContext) -> datetime | Reject | None:
    """The instant a relative clock starts at; None when it has to be assumed."""
    stated = context.options.get("start")
    if not stated or layout.clock == "absolute":
        return None
    start = instant(stated)
    if start is None:
        return Reject(f"start = {stated[:40]!r} is no instant; write 2026-01-01T00:00:00Z", None)
    return start


def _assumed(layout: Layout, context: ReadContext) -> str:
    return (
        f"{layout.name}: times count from an unpublished start; assumed to begin at "
        f"{context.assumed_time:%Y-%m-%dT%H:%M:%SZ}. Set start=2026-01-01T00:00:00Z"
    )


def _record(
    layout: Layout,
    row: Mapping[str, Any],
    line: int,
    start: datetime | None,
    scope: str,
    context: ReadContext,
) -> UsageRecord:
    into = number(row.get(layout.input), layout.input)
    out = number(row.get(layout.output), layout.output)
    if into is None and out is None:
        raise UsageError(f"no counts in {layout.input} and {layout.output}")
    total = number(row.get(layout.total), layout.total) if layout.total else None
    flags: list[str] = []
    if total is not None and total != (into or 0) + (out or 0):
        flags.append(f"parts add up to {(into or 0) + (out or 0)}, reported total is {total}")
    raw_time = row.get(layout.time)
    when, assumed = _when(layout, raw_time, start, context)
    model = _model(layout, row, context)
    provider = context.options.get("provider") or maker_of(model) or "unknown"
    session = short_text(row.get(layout.session)) if layout.session else None
    tag = short_text(row.get(layout.tag)) if layout.tag else None
    counts: Counts = {"input_uncached": into, "output_text": out}
    return UsageRecord(
        call_key=context.keys.key(
            [layout.name, scope, str(raw_time), into, out, model, session, tag]
        ),
        occurred_at=when,
        time_assumed=assumed,
        source_format="traces",
        provider=normal_seller(provider),
        model=model,
        counts=counts,
        total_reported=total,
        # BurstGPT keeps failed requests: they have no answer.
        failed=layout.name == "burstgpt" and out == 0,
        latency_ms=_elapsed(row.get("Elapsed time")),
        session=session,
        tags={"trace": layout.name} | ({"kind": tag} if tag else {}),
        flags=flags,
        line=line,
    )


def _when(
    layout: Layout, value: Any, start: datetime | None, context: ReadContext
) -> tuple[datetime, bool]:
    """The instant of a row, and whether its clock's start was assumed."""
    if layout.clock in ("absolute", "either"):
        found = instant(_microseconds(value))
        if found is not None:
            return found, False
        if layout.clock == "absolute":
            raise UsageError(f"{layout.time} = {shown(value)} is no time")
    try:
        offset = float(value)
        if layout.clock == "milliseconds":
            offset /= 1000
        if offset < 0:
            raise UsageError(f"{layout.time} = {shown(value)} is negative")
        base = start if start is not None else context.assumed_time
        return base + timedelta(seconds=offset), start is None
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{layout.time} = {shown(value)} is no time") from error


_FRACTION = re.compile(r"(\.\d{6})\d+")


def _microseconds(value: Any) -> Any:
    """Azure writes seven decimals of a second."""
    if isinstance(value, str):
        return _FRACTION.sub(r"\1", value)
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def _model(layout: Layout, row: Mapping[str, Any], context: ReadContext) -> str | None:
    chosen = context.options.get("model")
    if chosen:
        return chosen
    named = short_text(row.get(layout.model)) if layout.model else None
    return _BURSTGPT.get(named.lower(), named) if named else None


def _elapsed(value: Any) -> int | None:
    """Seconds, as BurstGPT writes them, in milliseconds."""
    found = milliseconds(value)  # whole seconds at worst: only a test for a usable number
    return None if found is None else milliseconds(float(value) * 1000)


READER = Traces()
