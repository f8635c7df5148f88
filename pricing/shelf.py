"""The cards of a catalogue, by seller, each parsed when somebody asks for its seller.

>>> from pricing.cards import shipped_texts
>>> shelf = Shelf((), shipped_texts())
>>> "openai" in shelf, [card.seller for card in shelf["openai"]]
(True, ['openai'])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from pricing.cards import Card, Offer, parse_card


class Shelf(Mapping[str, list[Card]]):
    """Cards by seller; a shipped card is parsed when somebody asks for its seller.

    Most commands price with one or two sellers, and parsing all of them is a tenth of a second.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        texts: Mapping[str, tuple[str, str]],
        discounts: Iterable[Offer] = (),
    ) -> None:
        """`texts` are card files (text, origin) by seller; `discounts` are the settings' offers."""
        self.discounts = list(discounts)
        self._texts = texts
        self._parsed: dict[str, list[Card]] = {}
        self._extra: dict[str, list[Card]] = {}
        for card in cards:
            self.add(card)

    def add(self, card: Card) -> None:
        """Another card of a seller, after those it has."""
        self._extra.setdefault(card.seller, []).append(card)

    def __getitem__(self, seller: str) -> list[Card]:
        if seller not in self._parsed:
            extra = self._extra.get(seller, [])
            if seller in self._texts:
                self._parsed[seller] = [_shipped(*self._texts[seller]), *extra]
            elif extra:
                self._parsed[seller] = extra
            else:
                raise KeyError(seller)
        return self._parsed[seller]

    def __contains__(self, seller: object) -> bool:
        return seller in self._texts or seller in self._extra

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._texts, *self._extra)))

    def __len__(self) -> int:
        return len({*self._texts, *self._extra})

    def offers(self, seller: str) -> list[Offer]:
        """What a seller sells of another's list, or below its own: its cards' and the settings'."""
        found = [o for card in self.get(seller, ()) for o in card.offers]
        return found + [d for d in self.discounts if d.seller == seller]


@cache
def _shipped(text: str, origin: str) -> Card:
    return parse_card(text, origin, lazy=True)
