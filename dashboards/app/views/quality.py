"""Imports & data quality: how far the books can be trusted, and what to do about the rest."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from dashboards.app import parts, source
from dashboards.app.parts import Column
from dashboards.queries import quality
from dashboards.queries.spend import reasons, spend

books = source.current()
zone = books.zone
MOST = 200

sums = books.ask(quality.totals)
total = books.ask(spend, ()).total
with st.grid(5, min_column_width=140):
    st.metric("Imports", f"{sums.imports:,}", border=True, height="stretch")
    st.metric("Calls in the books", parts.count(total.calls), border=True, height="stretch")
    st.metric(
        "Seen again", parts.count(sums.duplicates), border=True, height="stretch",
        help="Records of calls that were known already: counted once.",
    )  # fmt: skip
    st.metric("Lines refused", parts.count(sums.rejected), border=True, height="stretch")
    st.metric(
        "Priced calls", parts.share(1 - total.unpriced_share if total.calls else None),
        border=True, height="stretch",
    )  # fmt: skip

st.header("Calls that are not priced exactly")
why = books.ask(reasons, None, MOST)
if why:
    parts.table(
        why,
        [
            Column("status", "Status"), Column("reason", "Why"), Column("provider", "Provider"),
            Column("model", "Model"), Column("calls", "Calls", "count"),
            Column("tokens", "Tokens", "count"),
        ],
        "not-exact",
        alt="Why calls are unpriced or priced with an assumption",
    )  # fmt: skip
    st.caption(
        "**Unpriced**: the cost is unknown and in no amount. A card for the model prices the past"
        " as well: name it in the settings under `cards`, then reopen. **Assumed**: the log leaves"
        " something open that the price depends on; `ingest --set tier=…` states it."
    )
else:
    st.success("Every call in the books is priced exactly.", icon=":material/verified:")

st.header("Imports")
parts.table(
    [
        {
            **row, "file": PurePath(row["path"]).name,
            "at": parts.local(row["imported_at"], zone),
            "first": parts.local(row["first_at"], zone), "last": parts.local(row["last_at"], zone),
        }
        for row in books.ask(quality.imports, MOST)
    ],
    [
        Column("at", "Imported", "time"), Column("file", "File"), Column("format", "Format"),
        Column("records", "Records", "count"), Column("added", "New calls", "count"),
        Column("duplicates", "Seen again", "count"), Column("replaced", "Replaced", "count"),
        Column("rejected", "Refused", "count"),
        Column("reported", "Report rows", "count", "Rows of aggregated reports: kept apart"),
        Column("first", "First call", "time"), Column("last", "Last call", "time"),
        Column("notes", "Notes"), Column("path", "Path"),
    ],
    "imports",
    alt="The import ledger, newest first",
)  # fmt: skip
st.caption(f"The latest {MOST} imports at most, newest first; times in {zone}.")

refused, replaced, flagged = (
    books.ask(quality.rejects, MOST),
    books.ask(quality.replacements, MOST),
    books.ask(quality.flags),
)
st.header("Refused lines")
if refused:
    parts.table(
        [{**r, "file": PurePath(r["path"]).name} for r in refused],
        [
            Column("file", "File"), Column("line", "Line", "count"), Column("reason", "Why"),
            Column("raw", "Begins with"), Column("path", "Path"),
        ],
        "rejects",
        alt="Lines that could not become calls",
    )  # fmt: skip
    st.caption("These lines are in no figure. Mend the file and import it again.")
else:
    st.success("No line was refused.", icon=":material/verified:")

st.header("Replaced calls")
if replaced:
    parts.table(
        [{**r, "at": parts.local(r["replaced_at"], zone)} for r in replaced],
        [
            Column("at", "Replaced", "time"), Column("call_key", "Call"), Column("reason", "Why"),
            Column("old_total", "Tokens before", "count"),
            Column("new_total", "Tokens now", "count"),
            Column("old_import", "Import before", "count"),
            Column("new_import", "Import now", "count"),
        ],
        "replacements",
        alt="Calls seen again with better numbers",
    )  # fmt: skip
    st.caption("A call seen twice is one call: final beats partial, then the larger total.")
else:
    st.markdown("No call was replaced by a better sighting.")

if flagged:
    st.header("Remarks of the readers")
    parts.table(
        [
            {
                **r, "first": parts.local(r["first_at"], zone),
                "last": parts.local(r["last_at"], zone),
            }
            for r in flagged
        ],
        [
            Column("format", "Format"), Column("flag", "Remark"), Column("calls", "Calls", "count"),
            Column("first", "First", "time"), Column("last", "Last", "time"),
        ],
        "flags",
        alt="What readers remarked on calls",
    )  # fmt: skip
    st.caption("Counts that contradict each other are kept as logged and marked, never adjusted.")
