"""One cut of each reported day: the same total told by model and told by project is one total.

A provider's page can be fetched ungrouped, by line item, by project, by the hour. Each is all of
the day; imported side by side they would add up to a multiple of it. What an import states of a
report's dimensions is its *cut*; of a day that several cuts tell, one is taken: the one that has
the dimensions asked for, then the one with more of them, then the longer buckets (an hour's export
may hold half a day), then the later import. Imports of one cut belong together: two projects'
exports are two parts of a day.

    costs-page.json (ungrouped)   2026-03-01   5.00
    costs-by-project.csv          2026-03-01   3.00 (a), 2.00 (b)      5.00, not 10.00
"""

from __future__ import annotations

from collections.abc import Sequence

_DIMENSIONS = ("model", "line_item", "project", "api_key", "tier", "region", "tags")
_STATED = {"variant": ("model", "line_item"), "model": ("model",), "project": ("project",)}
_KEY = "source_format, provider, kind"


def chosen(kind: str, asked: Sequence[str]) -> str:
    """A relation in place of `reported`: its rows of a kind ("usage", "cost"), with `taken` true
    for those of the chosen cut. `asked` names dimensions ("variant", "model", "project") that a
    cut should state if any does."""
    bits = ", ".join(
        f"bool_or({name} IS NOT NULL) OVER (PARTITION BY import_id, {_KEY}) AS has_{name}"
        for name in _DIMENSIONS
    )
    states = " + ".join(f"has_{name}::INTEGER" for name in _DIMENSIONS)
    wanted = " + ".join(
        f"({' OR '.join(f'has_{column}' for column in _STATED[name])})::INTEGER" for name in asked
    )
    told = f"concat_ws(' ', {', '.join(f'has_{name}' for name in _DIMENSIONS)}, width)"
    rank = f"row(({wanted or '0'}), {states}, width, import_id)"
    return (
        f"(SELECT *, cut = max_by(cut, rank) OVER (PARTITION BY {_KEY}, day) AS taken FROM"
        f" (SELECT *, {told} AS cut, {rank} AS rank FROM"
        f" (SELECT *, period_end - period_start AS width,"
        f" date_trunc('day', period_start) AS day, {bits} FROM reported WHERE kind = '{kind}')))"
    )
