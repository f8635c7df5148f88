"""What every command prints: tables for people, JSON for machines, errors that help.

Tables fit 80 columns, honour NO_COLOR, and go to standard output; progress and notes go to
standard error, so a pipe sees only the answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pricing.json_types import JsonSet, JsonTuple

if TYPE_CHECKING:
    from rich.console import Console

FINE, FINDING, MISUSE, UNREADABLE = 0, 1, 2, 3
"""Exit codes: fine; a finding; usage or configuration error; could not read or measure."""


def console(*, stderr: bool = False) -> Console:
    """A console that wraps nothing inside a pipe narrower than it needs to."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in __import__("os").environ:
        made = Console(stderr=stderr, highlight=False, width=80)
    return made


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=as_json, ensure_ascii=False) + "\n")


def as_json(value: Any) -> Any:
    """Types JSON lacks: money and decimals as strings, instants as RFC 3339 UTC."""
    from pricing.money import plain

    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date | Path):
        return str(value)
    if isinstance(value, JsonSet | JsonTuple):
        return list(value)
    return str(value)


def table(
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    footer: Sequence[str] | None = None,
) -> None:
    """Print a table. `columns` are (heading, "left" or "right"); the footer is a total."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        collapse_padding=True,
        show_footer=footer is not None,
        header_style="bold",
        footer_style="bold",
    )
    for position, (heading, side) in enumerate(columns):
        made.add_column(
            heading,
            justify="right" if side == "right" else "left",
            footer=footer[position] if footer is not None else "",
            no_wrap=side == "right",
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(_escape(cell) for cell in row))
    console().print(made)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def note(text: str) -> None:
    """A remark for people, on standard error."""
    console(stderr=True).print(_escape(text), style="dim", soft_wrap=True)


def say(text: str = "") -> None:
    """A line of the answer, on standard output."""
    console().print(_escape(text), soft_wrap=True)


def fail(text: str, code: int = UNREADABLE) -> None:
    """An error for people, on standard error, and out."""
    import typer

    console(stderr=True).print(f"[bold red]error:[/] {_escape(text)}", soft_wrap=True)
    raise typer.Exit(code)


def _silent(_text: str) -> None:
    """What `progress` says where nobody is watching."""


@contextmanager
def progress(label: str) -> Generator[Callable[[str], None]]:
    """A spinner with a count on standard error, when a person is watching."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield _silent
        return
    with screen.status(label) as status:

        def told(text: str) -> None:
            status.update(f"{label} {_escape(text)}")

        yield told


def count(number: int) -> str:
    """A count with thousands separators; in short from a million on (JSON has every digit)."""
    for limit, unit in ((10**9, "B"), (10**6, "M")):
        if abs(number) >= limit:
            return f"{number / limit:,.2f}{unit}"
    return f"{number:,}"


def calls(number: int) -> str:
    """`1 call`, `2 calls`."""
    return f"{number:,} call{'' if number == 1 else 's'}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage; a dash when there is none. Small but real shares never show as 0,
    nor one that is not the whole as 100."""
    if share is None:
        return "-"
    least, half = 10**-digits, 0.5 * 10 ** -(digits + 2)
    if 0 < share < half:
        return f"<{least:g} %"
    if 1 - half <= share < 1:
        return f">{100 - least:g} %"
    return f"{share * 100:,.{digits}f} %"
