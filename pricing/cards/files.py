r"""Card files: those that ship inside the package, and a user's own.

>>> parse_card('schema = 1\nseller = "acme"', "acme.toml").seller
'acme'
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

from pricing.cards.model import Card, CardError
from pricing.cards.reading import CardReader


def shipped_texts() -> dict[str, tuple[str, str]]:
    """Text and origin of every card file that ships inside this package, by its seller.

    Reading costs next to nothing; parsing is what a command that needs one seller puts off.
    """
    folder = resources.files("pricing") / "cards_data"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        text, origin = file.read_text("utf-8"), f"cards_data/{file.name}"
        seller = _SELLER.search(text)
        if seller is None or seller[1] in found:
            raise CardError(f"{origin}: `seller` is missing, or another file's")
        found[seller[1]] = (text, origin)
    return found


def shipped_cards() -> list[Card]:
    """Read every card file that ships inside this package."""
    return [parse_card(text, origin) for text, origin in shipped_texts().values()]


_SELLER = re.compile(r'^seller = "([^"]+)"', re.MULTILINE)


def load_card(path: Path) -> Card:
    """Read one card file. Raises `CardError` naming file, place and reason."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot read the rate card: {error}") from error
    return parse_card(text, str(path))


def parse_card(text: str, origin: str, *, lazy: bool = False) -> Card:
    """Read the text of a card file; `origin` names it in errors and in each rate.

    Raises `CardError`. With `lazy` (for files known to be right: those that ship) prices are read
    and checked when they are asked for.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{origin}: not valid TOML: {error}") from error
    return CardReader(data, origin).card(lazy)
