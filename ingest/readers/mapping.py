"""Any CSV, JSON lines or Parquet table, through a column mapping; and tokenbooks' own records.

A mapping says which column holds which field: `--map model=model_name --map input=prompt_toks`,
or a `[mappings.NAME]` table in the settings. Fields are the usage columns (`input_uncached`,
`cache_read`, `output_text`, …), the totals that other logs keep (`input` with cached inside,
`input_beside` with cached beside, `output` with reasoning inside), and `call_key`, `occurred_at`,
`provider`, `seller`, `model`, `tier`, `region`, `effort`, `session`, `source_cost_usd`,
`requests`, `team` … `environment`; a field `tags.NAME` fills a tag. `provider="openai"` with the
quotes is a constant.

    time,model_name,prompt_toks,cached_toks,completion_toks
    2026-03-01T12:00:00Z,gpt-5.2,1000,800,50

with `occurred_at=time model=model_name input=prompt_toks cache_read=cached_toks
output=completion_toks provider="openai"` is 200 uncached, 800 cached and 50 output tokens. A
table whose columns already carry the fields' own names needs no mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.files import BadLine, Source
from ingest.readers.base import ReadContext, Result, reject
from ingest.readers.rows import columns, rows
from ingest.record import DIMENSIONS, UsageRecord, call_key, instant, short_text
from pricing.json_types import JsonObject
from pricing.meters import COUNTED
from pricing.usage import Counts, UsageError, count, shown, total_input, total_output

_TEXT_FIELDS = ("provider", "seller", "model", "tier", "region", "effort", "session")
_TOTALS = ("input", "input_beside", "output", "total")
_OTHER = (
    "call_key", "response_id", "occurred_at", "source_cost_usd", "requests", "latency_ms",
    "finality", "failed", "total_reported",
)  # fmt: skip
FIELDS: tuple[str, ...] = (*COUNTED, *_TOTALS, *_TEXT_FIELDS, *DIMENSIONS, *_OTHER)
"""Every field a mapping may name, besides `tags.NAME`."""

_OWN_NEEDS = {"occurred_at", "provider", "model"}


class MappingError(ValueError):
    """A mapping names a field that does not exist or a column that the file does not have."""


def check_mapping(mapping: Mapping[str, str], columns: list[str] | None, where: str) -> None:
    """Raise `MappingError` for unknown fields and for missing columns, naming each."""
    import difflib

    for name in mapping:
        if name not in FIELDS and not name.startswith("tags."):
            near = difflib.get_close_matches(name, FIELDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise MappingError(f"unknown field {name!r} in the mapping{hint}")
    if columns is None:
        return
    missing = sorted({c for c in mapping.values() if not constant(c) and c not in columns})
    if missing:
        raise MappingError(
            f"{where} has no column {', '.join(map(repr, missing))}; it has {', '.join(columns)}"
        )


def constant(column: str) -> bool:
    """Whether a mapping's column is a constant: text in double quotes."""
    return len(column) >= 2 and column[0] == column[-1] == '"'


class MappedTable:
    """Reader of tables through a column mapping, and of tables in our own column names."""

    name = "table"
    title = "Any CSV, JSON lines or Parquet, by column mapping; tokenbooks' own usage records"
    recognised_by = "a mapping given with --map or in the settings, or our own column names"

    def identify(self, source: Source) -> float:
        """Sure when the columns are our own; a mapping makes the importer choose this reader."""
        columns = set(columns_of(source))
        if not columns >= _OWN_NEEDS:
            return 0.0
        return 0.95 if columns & {*COUNTED, "input", "output"} else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Result]:
        """One record a row; a row that cannot be one is a reject."""
        mapping = dict(context.mapping) or {
            # Every field, not only those of the sampled lines: one may first appear later.
            **{c: c for c in columns_of(source) if c.startswith("tags.")},
            **{name: name for name in FIELDS},
        }
        for line, row in rows(source):
            if isinstance(row, BadLine):
                yield reject(row, line)
            else:
                yield read_row(row, mapping, line, context)


def read_row(
    row: Mapping[str, Any], mapping: Mapping[str, str], line: int, context: ReadContext
) -> Result:
    """One row as a record, or why it cannot be one."""

    def get(name: str) -> Any:
        column = mapping.get(name)
        if column is None:
            return None
        value = column[1:-1] if constant(column) else row.get(column)
        return None if value == "" else value

    try:
        counts, total = _counts(get)
        flags: list[str] = []
        stated = _whole(get("total_reported"), "total_reported")
        total = stated if stated is not None else total
        if total is not None and total_input(counts) + total_output(counts) != total:
            flags.append(
                f"parts add up to {total_input(counts) + total_output(counts)},"
                f" reported total is {total}"
            )
        time = get("occurred_at")
        occurred = instant(time)
        if time is not None and occurred is None:
            raise UsageError(f"occurred_at = {shown(time)} is not a time")
        requests = _whole(get("requests"), "requests")
        if requests is not None and requests < 1:
            raise UsageError(f"requests = {requests} must be at least 1")
        cost = _money(get("source_cost_usd"))
        latency = _whole(get("latency_ms"), "latency_ms")
    except UsageError as error:
        return reject(error, line)
    provider = short_text(get("provider")) or "unknown"
    response_id = short_text(get("response_id"))
    key = short_text(get("call_key")) or (
        call_key(provider, response_id) if response_id else context.keys.key(dict(row))
    )
    own_tags = row.get("tags") if not context.mapping else None
    tags = {k: str(v) for k, v in own_tags.items()} if isinstance(own_tags, JsonObject) else {}
    for name in mapping:
        if name.startswith("tags."):
            text = short_text(get(name))
            if text is not None:
                tags[name.removeprefix("tags.")] = text
    return UsageRecord(
        call_key=key,
        occurred_at=occurred or context.assumed_time,
        time_assumed=occurred is None,
        source_format="table",
        provider=provider.lower(),
        seller=short_text(get("seller")),
        model=short_text(get("model")),
        counts=counts,
        tier=short_text(get("tier")),
        region=short_text(get("region")),
        effort=short_text(get("effort")),
        total_reported=total,
        source_cost_usd=cost,
        finality="partial" if get("finality") == "partial" else "final",
        failed=str(get("failed")).lower() in ("true", "1", "yes"),
        requests=requests or 1,
        latency_ms=latency,
        session=short_text(get("session")),
        dimensions={d: t for d in DIMENSIONS if (t := short_text(get(d))) is not None},
        tags=tags,
        flags=flags,
        line=line,
    )


def _counts(get: Any) -> tuple[Counts, int | None]:
    """Disjoint counts from the fields, splitting totals that hold their parts inside."""
    counts: Counts = {name: _whole(get(name), name) for name in COUNTED}
    whole = _whole(get("input"), "input")
    beside = _whole(get("input_beside"), "input_beside")
    output = _whole(get("output"), "output")
    if whole is not None and beside is not None:
        raise UsageError("a mapping has either `input` or `input_beside`, not both")
    if whole is not None and counts["input_uncached"] is None:
        parts = total_input(counts)
        if parts > whole:
            raise UsageError(f"cached and other input parts ({parts}) above input ({whole})")
        counts["input_uncached"] = whole - parts
    if beside is not None and counts["input_uncached"] is None:
        counts["input_uncached"] = beside
    if output is not None and counts["output_text"] is None:
        parts = total_output(counts)
        if parts > output:
            raise UsageError(f"reasoning and other output parts ({parts}) above output ({output})")
        counts["output_text"] = output - parts
    return counts, _whole(get("total"), "total")


def _whole(value: Any, name: str) -> int | None:
    """A count from a table cell: CSV gives text, dashboards write `31422.0`."""
    if isinstance(value, str):
        try:
            value = Decimal(value.strip().replace(",", ""))
        except InvalidOperation as error:
            raise UsageError(f"{name} = {shown(value)} is not a number") from error
        if not value.is_finite():
            raise UsageError(f"{name} = {value} is not a count")
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - a table's empty cell
        return None
    return count(value, name)


def _money(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        amount = Decimal(str(value).strip().lstrip("$").replace(",", ""))
    except InvalidOperation as error:
        raise UsageError(f"source_cost_usd = {shown(value)} is not an amount") from error
    if not amount.is_finite():
        return None
    return amount


def columns_of(source: Source) -> list[str]:
    """The column names of a table, from its head; of lines of JSON, every sampled key."""
    if source.kind in ("csv", "parquet"):
        return list(columns(source))
    names: dict[str, None] = {}
    for document in source.sample:
        if isinstance(document, JsonObject):
            names |= dict.fromkeys(map(str, document))
    return list(names)


READER = MappedTable()
