"""One export, made whole in memory and checked against the report before anyone takes it away.

    made = prepare(con, catalogue, Wish("focus-1.2"), Scope(since=…, zone="Europe/Berlin"))
    made.file_pico == made.report_pico      # the written file, read back, against the report
    made.data, made.name, made.mime         # what a browser downloads
    command(wish, scope)                    # the same from a terminal

The sum is not the exporter's own word: the finished file is read again and its cost column added.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dashboards.exports.focus import DEFAULT_TAGS, export_focus
from dashboards.exports.tables import DEFAULT_GROUPS, Rows, export_table
from dashboards.exports.write import ExportError
from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from pricing.catalogue import Catalogue
from pricing.money import plain

if TYPE_CHECKING:
    import duckdb

    from budgets.spend.model import Budget
    from dashboards.queries.anomalies import Rules
    from pricing.currency import Exchange

Kind = Literal["csv", "parquet", "focus-1.4", "focus-1.2", "report", "report-pdf"]
KINDS: dict[Kind, str] = {
    "csv": "CSV",
    "parquet": "Parquet",
    "focus-1.4": "FOCUS 1.4",
    "focus-1.2": "FOCUS 1.2",
    "report": "Month report",
    "report-pdf": "Month report (PDF)",
}
_MIME = {
    "csv": "text/csv", "parquet": "application/vnd.apache.parquet", "html": "text/html",
    "pdf": "application/pdf",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What file is wanted. `rows` and `by` are for CSV and Parquet, the rest for FOCUS."""

    kind: Kind
    rows: Rows = "groups"
    by: tuple[str, ...] = DEFAULT_GROUPS
    period: Literal["day", "hour"] = "day"
    tags: tuple[str, ...] = DEFAULT_TAGS
    account: str = "seller"

    @property
    def ending(self) -> str:
        """The file's ending."""
        ends = {"parquet": "parquet", "report": "html", "report-pdf": "pdf"}
        return ends.get(self.kind, "csv")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A finished file. Money is pico-dollars; what has no price is in neither sum."""

    name: str
    mime: str
    data: bytes
    rows: int | None
    """Lines of a table; None for a report."""
    file_pico: int
    """The file's cost column, read back and added up."""
    report_pico: int
    """What `tokenbooks report` says for the same calls."""
    unpriced_calls: int
    unpriced_tokens: int
    head: tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]] = ((), ())
    """Column names and the first rows."""

    @property
    def equal(self) -> bool:
        """Whether the file adds up to the report, to the pico-dollar."""
        return self.file_pico == self.report_pico


@dataclass(frozen=True, slots=True)
class MonthSettings:
    """What the month's report takes from the settings."""

    budgets: Sequence[Budget] = ()
    exchange: Exchange | None = None
    rules: Rules | None = None


def prepare(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    wish: Wish,
    scope: Scope,
    month: MonthSettings | None = None,
) -> Prepared:
    """Make a file in memory and read its sum back.

    A report covers the month of the scope's last day. Raises `ExportError` when the file cannot
    be made, `ScopeError` for an unknown dimension.
    """
    with tempfile.TemporaryDirectory(prefix="tokenbooks-export-") as folder:
        if wish.kind in ("report", "report-pdf"):
            return _report(con, catalogue, wish, scope, month or MonthSettings(), Path(folder))
        name = f"-{wish.kind}" if wish.kind.startswith("focus") else ""
        path = Path(folder) / f"tokenbooks{name}{_days(scope)}.{wish.ending}"
        if wish.kind in ("csv", "parquet"):
            by = () if wish.rows == "calls" else wish.by
            kind: Any = wish.kind
            rows = export_table(con, kind, path, scope, rows=wish.rows, by=by).rows
            column = "cost_usd"
        else:
            rows = export_focus(
                con, catalogue, path, scope, version=wish.kind.removeprefix("focus-"),
                period=wish.period, tags=wish.tags, account=wish.account,
            ).rows  # fmt: skip
            column = "BilledCost"
        total = spend(con, scope=scope).total
        return Prepared(
            path.name, _MIME[wish.ending], path.read_bytes(), rows, sum_of(con, path, column),
            total.cost_pico, total.unpriced_calls, total.unpriced_tokens, _head(con, path),
        )  # fmt: skip


def _report(
    con: duckdb.DuckDBPyConnection,
    catalogue: Catalogue,
    wish: Wish,
    scope: Scope,
    month: MonthSettings,
    folder: Path,
) -> Prepared:
    from budgets.spend.periods import period_of
    from dashboards.monthly.facts import gather
    from dashboards.monthly.page import render
    from dashboards.monthly.pdf import print_pdf
    from dashboards.queries.spans import scope_of
    from dashboards.queries.volume import first_and_last

    known = first_and_last(con, scope)
    if known is None:
        raise ExportError("there are no calls in this period: nothing to report")
    span = period_of(known[1].date(), "month")
    facts = gather(
        con, catalogue, span, zone=scope.zone, budgets=month.budgets, exchange=month.exchange,
        rules=month.rules, where=scope.where,
    )  # fmt: skip
    html = render(facts)
    where = {name: list(values) for name, values in scope.where.items()}
    total = spend(con, scope=scope_of(span, scope.zone, where)).total
    # The page states its total in full; a page that states another is not handed out as equal.
    told = total.cost_pico if f"Exactly {plain(total.cost_usd)} USD" in html else -1
    data = html.encode()
    if wish.kind == "report-pdf":
        print_pdf(html, folder / "month.pdf")
        data = (folder / "month.pdf").read_bytes()
    return Prepared(
        f"tokenbooks-{span.since:%Y-%m}.{wish.ending}", _MIME[wish.ending], data, None, told,
        total.cost_pico, total.unpriced_calls, total.unpriced_tokens,
    )  # fmt: skip


def sum_of(con: duckdb.DuckDBPyConnection, path: Path, column: str) -> int:
    """The cost column of a written file, in whole pico-dollars: read back, never through a float.

    Raises `ExportError` for an amount finer than a pico-dollar.
    """
    quoted = "'" + str(path).replace("'", "''") + "'"
    what = f"read_csv({quoted}, all_varchar = true)"
    if path.suffix == ".parquet":
        what = f"read_parquet({quoted})"
    # Twelve places and not one more: a cast to DECIMAL would round a thirteenth away unseen.
    fine, total = con.execute(
        f"SELECT coalesce(bool_and(length(split_part(c::VARCHAR, '.', 2)) <= 12), true),"
        " coalesce(sum((c::DECIMAL(38,12) * 1000000000000)::HUGEINT), 0) FROM (SELECT"
        f" nullif({column}::VARCHAR, '') AS c FROM {what})"
    ).fetchall()[0]
    if not fine:
        raise ExportError(f"{path.name}: {column} holds an amount finer than a pico-dollar")
    return int(total)


def _head(
    con: duckdb.DuckDBPyConnection, path: Path, rows: int = 10
) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    quoted = "'" + str(path).replace("'", "''") + "'"
    what = f"read_csv({quoted}, all_varchar = true)"
    if path.suffix == ".parquet":
        what = f"(SELECT COLUMNS(*)::VARCHAR FROM read_parquet({quoted}))"
    found = con.execute(f"SELECT * FROM {what} LIMIT {rows}")
    names = tuple(str(d[0]) for d in found.description or ())
    return names, tuple(found.fetchall())


def _days(scope: Scope) -> str:
    """The period as part of a file name: first and last day."""
    if scope.since is None or scope.until is None:
        return ""
    return f"-{scope.since:%Y-%m-%d}-{scope.until - timedelta(microseconds=1):%Y-%m-%d}"


def command(wish: Wish, scope: Scope, db: Path) -> str:
    """The terminal command that makes the same file; a report of the newest call's month."""
    words = ["tokenbooks"]
    if wish.kind in ("report", "report-pdf"):
        words += ["report-month"]
    else:
        kind, _, version = wish.kind.partition("-")
        words += ["export", kind]
        if version:
            words += ["--version", version]
            words += ["--period", wish.period] if wish.period != "day" else []
            words += ["--tags", ",".join(wish.tags)] if wish.tags != DEFAULT_TAGS else []
            words += ["--account", wish.account] if wish.account != "seller" else []
        else:
            words += ["--rows", wish.rows]
            words += ["--by", ",".join(wish.by)] if wish.rows != "calls" else []
        for option, edge in (("--since", scope.since), ("--until", scope.until)):
            words += [option, _edge(edge)] if edge is not None else []
    words += ["--tz", scope.zone]
    for name, values in scope.where.items():
        words += ["--where", f"{name}={','.join(values)}"]
    words += ["--out", f"{wish.kind}.{wish.ending}", "--db", str(db)]
    return shlex.join(words)


def _edge(edge: datetime) -> str:
    midnight = edge == datetime.combine(date(edge.year, edge.month, edge.day), datetime.min.time())
    return f"{edge:%Y-%m-%d}" if midnight else edge.isoformat(timespec="minutes")
