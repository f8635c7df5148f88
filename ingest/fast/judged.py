"""The shapes of one file's bodies as they are met, chunk by chunk, and judged once each.

Most lines of a chunk have a shape that is known by then: one query stages them (`quick`), taking
out only the paths that lines of known shapes have. What it leaves is taken apart along every path
the layout knows, its new shapes are judged, and it is staged from that.

    judged = Judged("plain", source, assumed_time, stamps)
    query = judged.quick(block)           # SELECT of staging rows of the relation `lines`, or None
    left = judged.take_apart(con, lines_left, block)
    query = judged.query(block)           # SELECT of staging rows of the relation `bodies`: `left`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ingest.fast import bodies, layouts, shapes
from ingest.fast.chunks import Block
from ingest.fast.layouts import Layout, Scope
from ingest.fast.lines import over
from ingest.files import Source
from ingest.record import UsageRecord
from ingest.store import load
from ingest.store.book import insert_rows
from pricing import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_LINE = [name for name, _ in load.STAGE_COLUMNS].index("line")


@dataclass
class Judged:
    """What is known of a file's shapes; `disagreed` counts those of which SQL and reader said
    different things (none, as far as tests can tell: such a shape is read by the reader)."""

    layout: Layout
    source: Source
    assumed_time: datetime
    stamps: Mapping[str, str]
    number: int = 0
    disagreed: int = 0
    paths: set[str] = field(default_factory=set[str])
    """The paths that lines of the shapes read in bulk have."""

    def take_apart(self, con: duckdb.DuckDBPyConnection, lines: pa.Table, block: Block) -> pa.Table:
        """The lines of a chunk taken apart; new shapes among them are judged."""
        if not self.number:
            con.execute(sql.create_table("shapes", shapes.COLUMNS, temporary=True))
            self.number = 1
        parsed = con.sql(bodies.parse_query(Scope(self.layout))).to_arrow_table()
        self._judge(con, parsed, block)
        return parsed

    def query(self, block: Block) -> str:
        """The SELECT of the staging rows of the plain lines of `bodies`, a chunk taken apart."""
        return self._staging(Scope(self.layout), "bodies", self.stamps, block)

    def quick(self, block: Block) -> str | None:
        """The SELECT of the staging rows of the plain lines of `lines` of shapes known so far;
        None where there are none."""
        if not self.paths:
            return None
        scope = Scope(self.layout, frozenset(self.paths))
        return self._staging(scope, f"({bodies.parse_query(scope)})", self.stamps, block)

    def _staging(
        self, scope: Scope, relation: str, stamps: Mapping[str, str], block: Block, **where: str
    ) -> str:
        return bodies.staging_query(
            scope, relation, self.assumed_time, stamps, ascii_only=block.unescaped, **where
        )

    def _judge(self, con: duckdb.DuckDBPyConnection, parsed: pa.Table, block: Block) -> None:
        fresh = over(
            con,
            "SELECT shape, arg_min(keys, line), any_value(metadata), min(line), max(line)"
            " FROM bodies AS b ANTI JOIN shapes AS s ON s.shape = b.shape"
            f" WHERE shape IS NOT NULL GROUP BY shape LIMIT {shapes.MOST_SHAPES}",
            bodies=parsed,
        ).fetchall()
        places, known = layouts.place_names(self.layout), layouts.known_keys(self.layout)
        rows: list[tuple[Any, ...]] = []
        records: dict[str, dict[int, UsageRecord]] = {}
        for shape, lists, metadata, first, last in fresh:
            if self.number > shapes.MOST_SHAPES:
                break
            self.number += 1
            keys: dict[str, list[str]] = {place: [] for place in places}
            for place, found in zip(places, lists, strict=True):
                keys[place] += found or []
            lines = sorted({first, last})
            texts = [str(block.line(line - block.first)) for line in lines]
            seen = shapes.Seen(shape, keys, metadata, texts)
            answer = shapes.judge(seen, known, bodies.TAG_LABELS, self.source)
            if answer is None:
                rows.append((shape, *[None] * (len(shapes.COLUMNS) - 1)))
            else:
                rows.append(answer[0])
                records[shape] = dict(zip(lines, answer[1], strict=True))
                self.paths.update(layouts.paths_of(self.layout, lists))
        if rows:
            insert_rows(con, "shapes", shapes.COLUMNS, rows)
        if records:
            self._compare(con, parsed, records, block)

    def _compare(
        self,
        con: duckdb.DuckDBPyConnection,
        parsed: pa.Table,
        records: Mapping[str, Mapping[int, UsageRecord]],
        block: Block,
    ) -> None:
        """Withdraw every shape of which the SQL does not say what the reader says."""
        wanted = [line for some in records.values() for line in some]
        where = f"b.line IN ({', '.join(map(str, wanted))})"
        query = self._staging(Scope(self.layout), "bodies", {}, block, where=where)
        made = {row[_LINE]: row for row in over(con, query, bodies=parsed).fetchall()}
        unproven: list[str] = []
        for shape, some in records.items():
            pairs = [(made[n], load.stage_row(r)) for n, r in some.items() if n in made]
            if any(_facts(mine) != _facts(theirs) for mine, theirs in pairs):
                self.disagreed += 1
                con.execute("UPDATE shapes SET inclusive = NULL WHERE shape = ?", [shape])
            elif not pairs:
                unproven.append(shape)
        if unproven:  # neither line was plain: another chunk may have a better example
            self.number -= len(unproven)
            con.execute("DELETE FROM shapes WHERE list_contains(?, shape)", [unproven])


def _facts(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:_LINE], *row[_LINE + 1 :])
