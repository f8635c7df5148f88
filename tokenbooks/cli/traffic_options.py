"""What the traffic commands share: their options, prices, and reading a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenbooks.cli.common import catalogue, pairs, settings
from tokenbooks.cli.output import MISUSE, fail, say

if TYPE_CHECKING:
    from ingest.traffic import CataloguePrices, Trace

BlockSize = Annotated[
    int | None,
    typer.Option("--block-size", min=1, help="Tokens in one prefix block of hash_ids."),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", help="Our column = theirs, as input_tokens=prompt_len, or a model = its variant."
    ),
]
Components = Annotated[
    Path | None,
    typer.Option("--components", help="Lengths of prompt components (hash_id, tokens)."),
]
Variants = Annotated[
    str, typer.Option("--variants", help="Variants, comma-separated; SELLER/VARIANT for others.")
]
Lifetime = Annotated[
    float | None,
    typer.Option("--ttl", min=0, help="Cache lifetime in seconds (default: the variant's own)."),
]
MinTokens = Annotated[
    int | None, typer.Option("--min-tokens", min=0, help="Shortest prompt that is cached.")
]
Step = Annotated[
    int | None, typer.Option("--step", min=1, help="Cached tokens are a multiple of this.")
]
Share = Annotated[
    str, typer.Option("--scope", help="Who shares a cache: all requests, or each session.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same numbers.")]


def listed(text: str) -> list[str]:
    """A comma-separated option as a list without blanks."""
    return [part.strip() for part in text.split(",") if part.strip()]


def price_source() -> CataloguePrices:
    """Rate sheets from the catalogue of the settings (contract cards and discounts included)."""
    from ingest.traffic import CataloguePrices

    return CataloguePrices(catalogue(settings()))


def read_trace(
    path: Path, block_size: int | None, rename: list[str] | None, components: Path | None
) -> Trace:
    """The trace, or exit code 3 with what to do."""
    from ingest.traffic import load_trace

    # A comma separates pairs only where each part is one: names may hold commas.
    given = [
        part
        for item in rename or []
        for part in (listed(item) if all("=" in p for p in listed(item)) else [item])
    ]
    return load_trace(
        path, block_size=block_size, rename=pairs(given, "--map"), components=components
    )


def checked_scope(scope: str) -> str:
    """`all` or `session`; anything else is exit code 2."""
    if scope not in ("all", "session"):
        fail(f"--scope {scope!r} must be all or session", MISUSE)
    return scope


def write_text(path: Path, text: str, force: bool) -> None:
    """Write a new file; one that exists is kept unless `force`."""
    if path.exists() and not force:
        fail(f"{path} exists; give another name with -o, or --force to replace it", MISUSE)
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}")


def money(value: str | None) -> str:
    """A decimal string in USD for people."""
    from decimal import Decimal

    from pricing.money import show_usd

    return show_usd(None if value is None else Decimal(value))


def estimate(value: str | None) -> str:
    """An estimate in USD for people: no cents from a hundred dollars up, they mean nothing."""
    from decimal import ROUND_HALF_UP, Decimal

    if value is None or abs(Decimal(value)) < 100:
        return money(value)
    return f"${Decimal(value).quantize(Decimal(1), ROUND_HALF_UP):,}"


def say_wrapped(text: str) -> None:
    """A sentence of the answer, in lines of 80 columns."""
    import textwrap

    for line in textwrap.wrap(text, 80, subsequent_indent="  ", break_on_hyphens=False):
        say(line)


def unpriced(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The variants of an answer that have no cost."""
    return [r for r in rows if r["cost_usd"] is None]
