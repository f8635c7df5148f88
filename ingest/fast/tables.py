"""Rows of a table in SQL: what `ingest.readers.mapping.read_row` says, over a whole chunk at once.

`table_query` builds the SELECT that turns a chunk's cells into rows of the staging table. It
follows `read_row` field by field; where that raises, flags with an unusual text or makes a key
from the content, the row is not plain and stays out of the result. The flag for a total that does
not add up is common and simple enough to be made here too.

    cells = {"prompt_toks": Cell("c.c2", "text"), …}
    con.execute(f"INSERT INTO stage {table_query(shape, cells, 'chunk AS c', ascii_only=True)}")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ingest.fast import cells as plain
from ingest.fast.cells import ABSENT, Cell, Value, literal
from ingest.fast.staging import Row, query
from ingest.readers.mapping import constant
from ingest.record import DIMENSIONS, ID_LONG_ENOUGH, ID_MAKERS
from pricing.meters import COUNTED, INPUT, OUTPUT

_TEXTS = ("seller", "model", "tier", "region", "effort", "session", *DIMENSIONS)


@dataclass(frozen=True, slots=True)
class TableShape:
    """What is the same for every row of a file: the mapping (field to column or constant), whether
    a person gave it (then the table's own `tags` are not read), the time to assume."""

    mapping: Mapping[str, str]
    mapped: bool
    assumed_time: datetime
    stamps: Mapping[str, str]


def wanted_columns(shape: TableShape) -> set[str]:
    """The columns that any field is read from."""
    names = {c for c in shape.mapping.values() if not constant(c)}
    return names if shape.mapped else names | {"tags"}


def table_query(
    shape: TableShape, columns: Mapping[str, Cell], source: str, *, ascii_only: bool
) -> str:
    """SELECT of the plain rows of a relation (named `c`, with its `line`) as staging rows.

    `columns` are the cells the chunk has, by column name.
    """

    def cell(field: str) -> Cell | None:
        column = shape.mapping.get(field)
        if column is None:
            return None
        if constant(column):
            return Cell(literal(column[1:-1]), "text")
        return columns.get(column)

    def text(field: str) -> Value:
        found = cell(field)
        sure = ascii_only and not constant(shape.mapping.get(field, ""))
        return ABSENT if found is None else plain.text(found, ascii_only=sure)

    def count(field: str) -> Value:
        found = cell(field)
        return ABSENT if found is None else plain.count(found)

    row = Row()
    counts = {name: row.let(name, count(name)) for name in COUNTED}
    whole, beside = row.let("whole", count("input")), row.let("beside", count("input_beside"))
    output = row.let("output_whole", count("output"))
    if whole != "NULL":
        uncached = counts["input_uncached"]
        parts = _sum(counts[m] for m in INPUT if m != "input_uncached")
        row.need(f"({whole} IS NULL OR {uncached} IS NOT NULL OR {parts} <= {whole})")
        if beside != "NULL":
            row.need(f"({whole} IS NULL OR {beside} IS NULL)")
        counts["input_uncached"] = coalesce(uncached, f"{whole} - {parts}")
    if beside != "NULL":
        counts["input_uncached"] = coalesce(counts["input_uncached"], beside)
    if output != "NULL":
        parts = _sum(counts[m] for m in OUTPUT if m != "output_text")
        row.need(
            f"({output} IS NULL OR {counts['output_text']} IS NOT NULL OR {parts} <= {output})"
        )
        counts["output_text"] = coalesce(counts["output_text"], f"{output} - {parts}")
    row.counts(counts)
    stated, total = count("total_reported"), count("total")
    row.total(coalesce(row.let("stated", stated), row.let("total", total)))

    when = cell("occurred_at")
    at = row.let("at", ABSENT if when is None else plain.instant(when))
    row.set("occurred_at", coalesce(at, f"TIMESTAMP '{shape.assumed_time.isoformat(' ')}'"))
    row.set("time_assumed", f"{at} IS NULL")
    row.set("requests", coalesce(row.let("asked", count("requests")), "1"))
    row.set("latency_ms", row.let("latency", count("latency_ms")))
    cost = cell("source_cost_usd")
    row.set("source_cost_usd", row.let("cost", ABSENT if cost is None else plain.money(cost)))
    failed, finality = cell("failed"), cell("finality")
    row.set("failed", row.let("failed", Value("false") if failed is None else plain.flag(failed)))
    partial = Value("false") if finality is None else plain.word(finality, "partial")
    row.set("finality", f"CASE WHEN {row.let('partial', partial)} THEN 'partial' ELSE 'final' END")
    row.set("source_format", "'table'")

    provider = row.let("provider", text("provider"))
    if provider != "NULL":  # lower() of other scripts differs between the two languages
        row.need(f"({provider} IS NULL OR strlen({provider}) = length({provider}))")
    named = coalesce(provider, "'unknown'")
    row.set("provider", f"lower({named})")
    own, response = row.let("own_key", text("call_key")), row.let("response", text("response_id"))
    row.key(coalesce(own, "NULL" if response == "NULL" else call_key(named, response)))
    for field in _TEXTS:
        row.set(_STAGED.get(field, field), row.let(f"t_{field}", text(field)))
    _tags(row, shape, columns, text)
    return query(row, shape.stamps, source)


_STAGED = {"seller": "seller_stated", "tier": "tier_stated"}


def _tags(
    row: Row, shape: TableShape, columns: Mapping[str, Cell], text: Callable[[str], Value]
) -> None:
    own = None if shape.mapped else columns.get("tags")
    if own is not None and own.kind == "json":
        # Texts without escapes under names told apart: a map takes them as they stand.
        x = own.sql
        pair = r'\s*"[^"\\]*"\s*:\s*"[^"\\]*"\s*'
        found = f"TRY(from_json({x}, '\"MAP(VARCHAR,VARCHAR)\"'))"
        row.tags(
            row.let(
                "own_tags",
                Value(
                    found,
                    f"({x} IS NULL OR (regexp_full_match({x}, '\\{{({pair}(,{pair})*)?\\}}')"
                    f" AND {found} IS NOT NULL))",
                ),
            )
        )
    for number, field in enumerate(f for f in shape.mapping if f.startswith("tags.")):
        value = row.let(f"tag{number}", text(field))
        if value != "NULL":
            row.tag(field.removeprefix("tags."), value)


def call_key(provider: str, response_id: str) -> str:
    """`ingest.record.call_key` in SQL, for a provider and an id that are not NULL."""
    cases = " ".join(
        f"WHEN starts_with({response_id}, {literal(prefix)}) THEN {literal(maker + ':')}"
        for prefix, maker in ID_MAKERS
    )
    return (
        f"CASE WHEN length({response_id}) < {ID_LONG_ENOUGH} THEN {provider} || ':'"
        f" {cases} ELSE {provider} || ':' END || {response_id}"
    )


def _sum(terms: Iterable[str]) -> str:
    named = [t for t in terms if t != "NULL"]
    return "(" + (" + ".join(f"coalesce({t}, 0)" for t in named) or "0") + ")"


def coalesce(*terms: str) -> str:
    """The first of several terms that is there; those known to be NULL are left out."""
    named = [t for t in terms if t != "NULL"]
    return f"coalesce({', '.join(named)})" if len(named) > 1 else (named or ["NULL"])[0]
