"""What every page is made of: figures in words, tables with a download, notices.

Money reaches people as text made from exact values (`$139.31`, two significant digits below a
dollar); tables carry it as decimals, so that they sort and copy; a download holds every digit.
What has no price says *unpriced* and is never shown as $0.

    show([{"team": "search", "cost": 1_750_000}], [Column("team", "Team"), usd_column("cost")], …)
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from dashboards.queries.scope import show_calls, zone_info
from pricing.money import plain, show_usd, usd

if TYPE_CHECKING:
    import altair as alt
    import pyarrow as pa

CENT = 10**10
"""Pico-dollars."""
Kind = Literal["text", "usd", "price", "count", "share", "time", "date"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the row's key, its heading, and what its values are.

    `usd` is whole pico-dollars, `price` a Decimal in USD, `share` a fraction of one, `time` naive
    local wall-clock time; None is nothing known, in any of them.
    """

    key: str
    label: str
    kind: Kind = "text"
    help: str | None = None


# --- figures in words -----------------------------------------------------------------------


def money(pico: int | None, *, signed: bool = False) -> str:
    """Pico-dollars for people; None is unpriced."""
    return show_usd(None if pico is None else usd(pico), signed=signed)


def count(number: int) -> str:
    """A count in at most four signs and a unit: 1,234 or 67.5 M."""
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**5, "k")):
        if abs(number) >= size:
            value = Decimal(number) / (1000 if unit == "k" else size)
            digits = "0.1" if abs(value) < 100 else "1"
            return f"{value.quantize(Decimal(digits), ROUND_HALF_UP):,} {unit}"
    return f"{number:,}"


def share(value: float | None) -> str:
    """A fraction as a percentage; a share that is not zero never reads 0 %."""
    if value is None:
        return "none"
    if 0 < value < 0.0005:
        return "<0.1 %"
    if 0.9995 < value < 1:
        return ">99.9 %"
    return f"{value * 100:,.1f} %"


def change(before: int, now: int) -> str | None:
    """A relative change in words; None where there was nothing before."""
    if not before:
        return None
    tenths = Decimal((now - before) * 100) / Decimal(before)
    rounded = tenths.quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{rounded:+,} %" if rounded else "0 %"


def plain_text(text: str) -> str:
    """A text of the reader's own that Markdown shall show as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~:])", r"\\\1", text)


def local(instant: datetime | None, zone: str) -> datetime | None:
    """A naive UTC instant as naive wall-clock time."""
    if instant is None:
        return None
    return instant.replace(tzinfo=UTC).astimezone(zone_info(zone)).replace(tzinfo=None)


# --- tables ---------------------------------------------------------------------------------


def csv_text(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """The rows as CSV: money as exact decimals in USD, instants in ISO form, nothing as empty.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f"{c.key}_usd" if c.kind in ("usd", "price") else c.key for c in columns])
    for row in rows:
        writer.writerow([_cell(row.get(c.key), c.kind) for c in columns])
    return out.getvalue()


def _cell(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    if kind == "usd":
        return plain(usd(value)) or ""
    if isinstance(value, Decimal):
        return plain(value) or ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if kind == "text" and text[:1] in ("=", "+", "-", "@", "\t") else text


def arrow(rows: Sequence[Row], columns: Sequence[Column]) -> pa.Table:
    """The rows as an Arrow table in the columns' order; money is rounded to nothing.

    Money goes as float64 here, for the eye only: the browser's tables format and sort numbers
    they know. Exact values are in the figures, the totals and the download.
    """
    import pyarrow as pa

    kinds: dict[Kind, pa.DataType] = {
        "text": pa.string(), "usd": pa.float64(), "price": pa.float64(), "count": pa.int64(),
        "share": pa.float64(), "time": pa.timestamp("us"), "date": pa.date32(),
    }  # fmt: skip
    arrays = [
        pa.array([_arrow_value(row.get(c.key), c.kind) for row in rows], kinds[c.kind])
        for c in columns
    ]
    return pa.table(arrays, names=[c.key for c in columns])


def _arrow_value(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "usd":
        return float(usd(value))
    if kind in ("price", "share"):
        return float(value)
    return str(value) if kind == "text" else value


def configuration(
    rows: Sequence[Row], columns: Sequence[Column], *, even: bool = False
) -> dict[str, Any]:
    """How Streamlit shows each column; `even`: amounts with as many decimals in all of them."""
    made: dict[str, Any] = {}
    money = [c for c in columns if c.kind == "usd"]
    places = {c.key: _places(rows, money if even else [c]) for c in money}
    for c in columns:
        if c.kind == "price":
            made[c.key] = st.column_config.NumberColumn(
                f"{c.label} ($)", help=c.help, format="plain"
            )
        elif c.kind == "usd":
            made[c.key] = st.column_config.NumberColumn(
                f"{c.label} ($)", help=c.help, format=f"%,.{places[c.key]}f"
            )
        elif c.kind == "count":
            made[c.key] = st.column_config.NumberColumn(c.label, help=c.help, format="localized")
        elif c.kind == "share":
            made[c.key] = st.column_config.NumberColumn(c.label, help=c.help, format="percent")
        elif c.kind == "time":
            made[c.key] = st.column_config.DatetimeColumn(
                c.label, help=c.help, format="YYYY-MM-DD HH:mm:ss"
            )
        elif c.kind == "date":
            made[c.key] = st.column_config.DateColumn(c.label, help=c.help, format="YYYY-MM-DD")
        else:
            made[c.key] = st.column_config.TextColumn(c.label, help=c.help)
    return made


def _places(rows: Sequence[Row], columns: Sequence[Column]) -> int:
    """Decimals that show the smallest amount in the columns with two digits, at most eight.

    Nothing, and what is less than a millionth of the largest, asks for no decimals of its own;
    amounts in whole cents have two.
    """
    held = [v for row in rows for c in columns if (v := row.get(c.key))]
    if not any(v % CENT for v in held):
        return 2
    seen = [abs(usd(v)) for v in held]
    least = max(seen, default=Decimal(1)) / 1_000_000
    smallest = min((v for v in seen if v >= least), default=Decimal(1))
    return min(8, max(2, 1 - smallest.adjusted()))


def table(
    rows: Sequence[Row],
    columns: Sequence[Column],
    name: str,
    *,
    alt: str,
    height: int | Literal["auto"] = "auto",
    on_select: Any = "ignore",
    key: str | None = None,
    even: bool = False,
) -> Any:
    """A table with its CSV download; `name` names the file, `alt` tells a screen reader. `even`
    gives all amounts as many decimals, where they are there to be compared."""
    streamlit: Any = st  # its `dataframe` leaves an array's type open
    shown = streamlit.dataframe(
        arrow(rows, columns),
        column_config=configuration(rows, columns, even=even),
        hide_index=True,
        height=height,
        alt=alt,
        key=key or f"table_{name}",
        on_select=on_select,
        selection_mode="single-row",
        placeholder="–",
    )
    st.download_button(
        "Download CSV",
        lambda: csv_text(rows, columns),
        file_name=f"tokenbooks-{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
        key=f"csv_{name}",
        help="Every digit: money as exact decimals in USD.",
    )
    return shown


def draw(drawing: alt.Chart | alt.LayerChart | alt.FacetChart, *, alt: str, key: str) -> None:
    """A chart as wide as its place, with what a screen reader says of it."""
    from dashboards.app.charts import legible

    st.altair_chart(legible(drawing), alt=alt, width="stretch", key=key)


def chart(
    drawing: alt.Chart | alt.LayerChart | alt.FacetChart,
    rows: Sequence[Row],
    columns: Sequence[Column],
    name: str,
    *,
    caption: str,
    alt: str,
) -> None:
    """A chart, what it counts, and the table behind it."""
    draw(drawing, alt=alt, key=f"chart_{name}")
    st.caption(caption)
    with st.expander("Table behind this chart"):
        table(rows, columns, name, alt=f"The figures of the chart: {alt}")


# --- notices --------------------------------------------------------------------------------


def empty_store(path: Path) -> None:
    """What a new user sees before anything is imported."""
    st.info(f"Nothing has been imported into `{path}` yet.", icon=":material/inbox:")
    st.markdown(
        "Import logs of any known format, or folders of them, from a terminal, then reload this"
        " page. It can stay open meanwhile."
    )
    st.code(f"tokenbooks ingest path/to/logs --db {path}", language="bash")
    st.markdown(
        "The pricing table can be read without any traffic: see [Rates](rates). "
        "To try everything on sample data, run `tokenbooks demo`."
    )


def nothing(what: str = "No calls in this period with these filters.") -> None:
    """What a page says when its question has no calls."""
    st.info(
        f"{what} Widen the period or remove a filter on the left.", icon=":material/search_off:"
    )


def unknown(what: str) -> None:
    """What a part of a page says where calls are but no price: no amount can be shown."""
    st.warning(f"{what} [Why](quality)", icon=":material/help:")


def nothing_yet(what: str) -> None:
    """What a part of a page says before its question is complete."""
    st.info(what, icon=":material/edit_note:")


def problem(message: str) -> None:
    """An error of the reader's making or of the store, in words."""
    st.error(message, icon=":material/error:")


def unpriced_notice(calls: int, all_calls: int, tokens: int, assumed: int = 0) -> None:
    """Says what a total leaves out. Shows nothing when everything has a price."""
    if calls:
        st.warning(
            f"**{calls:,} of {show_calls(all_calls)} ({share(calls / all_calls)})"
            f" {'has' if calls == 1 else 'have'} no price**"
            f" ({count(tokens)} tokens). Their cost is unknown and in no amount below."
            " [Why](quality)",
            icon=":material/help:",
        )
    if assumed:
        st.caption(
            f"{show_calls(assumed)} {'was' if assumed == 1 else 'were'} priced with an assumption"
            " (a tier, cache lifetime, region or time their log does not state). [Which](quality)"
        )
