"""Which variant a model name means at a seller, over all cards and the genai-prices package.

A name is tried as it stands and in the forms its seller writes it in (`candidates`), on the
seller's own cards, on those it resells, and in the package. One variant has one id whoever sells
it. A name that no card lists means nothing: what it may have meant is told, never taken.

>>> from pricing.cards import shipped_texts
>>> names = Names(Shelf((), shipped_texts()), packaged=True)
>>> names.resolve("openai", "gpt-5.2-2025-12-11"), names.resolve("openai", "gpt-5.2-turbo")
('gpt-5.2', None)
>>> names.resolve("openrouter", "anthropic/claude-opus-4.5")
'claude-opus-4-5'
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from pricing import genai
from pricing.shelf import Shelf
from pricing.variants import Variant, candidates, without_maker

# Makers sell their own variants directly: a variant's id is the maker's id for it.
MAKERS = (
    "openai", "anthropic", "google", "x-ai", "deepseek", "mistral", "meta", "cohere", "moonshotai",
    "zai", "minimax", "perplexity", "voyageai",
)  # fmt: skip

_CLOSE = 0.85
"""How alike two names have to be for one to be told as the other's nearest."""

_VERSION = re.compile(r"(?<=-)(\d)-(\d)(?!\d)")


def dashed(model: str) -> str:
    """An id with the points of its version written as dashes, as makers and gateways differ."""
    return model.lower().replace(".", "-")


class Names:
    """The names of a catalogue's variants; remembers what it found."""

    def __init__(self, shelf: Shelf, *, packaged: bool) -> None:
        self._shelf = shelf
        self._packaged = packaged
        self._resolved: dict[tuple[str, str], str | None] = {}
        self._hints: dict[tuple[str, str], str] = {}

    def sellers(self) -> list[str]:
        """Every seller that has a card."""
        packaged = genai.sellers() if self._packaged else []
        return sorted({*self._shelf, *packaged})

    def resolve(self, seller: str, model: str) -> str | None:
        """The variant that `model` means at `seller`, or None when no card lists it."""
        key = (seller, model)
        if key not in self._resolved:
            names = candidates(model)
            self._resolved[key] = self._resolve(seller, names) if names else None
        return self._resolved[key]

    def sellers_of(self, model: str) -> list[str]:
        """Sellers whose cards list a model under this name: its maker first, then by name."""
        named = [s for s in self.sellers() if self.resolve(s, model) is not None]
        return sorted(named, key=lambda s: (s not in MAKERS, s))

    def _resolve(self, seller: str, names: list[str]) -> str | None:
        for card in self._shelf.get(seller, ()):
            for name in names:
                if name in card.aliases:
                    return card.aliases[name]
        for offer in self._shelf.offers(seller):
            if offer.of == seller:
                continue
            found = self.at_maker(offer.of, names)
            if found is not None and offer.covers(found):
                return found
        packaged = genai.listing(seller) if self._packaged else None
        found = packaged.find(names) if packaged is not None else None
        if found is not None:
            return self.global_id(seller, found)
        # A direct seller's own name in front (`openai/gpt-5.2` sent to OpenAI) changes nothing.
        split = without_maker(names[0])
        if split is not None and split[0] == seller:
            return self._resolve(seller, candidates(split[1]))
        return self._resolve_behind_maker(seller, names) if split is None else None

    def _resolve_behind_maker(self, seller: str, names: list[str]) -> str | None:
        """A maker's own name at a gateway that puts the maker in front: `openai/gpt-5.2`.

        Gateways also write Claude's versions with a point: claude-opus-4-5 is
        `anthropic/claude-opus-4.5` there.
        """
        if seller in MAKERS:
            return None
        for maker in MAKERS:
            if any(name in card.aliases for card in self._shelf.get(maker, ()) for name in names):
                for name in names:
                    for form in (name, _VERSION.sub(r"\1.\2", name)):
                        found = self._resolve(seller, [f"{maker}/{form}"])
                        if found is not None:
                            return found
        return None

    def at_maker(self, maker: str, names: list[str]) -> str | None:
        """The variant that one of `names` means at a maker, its own name in front or not."""
        found = self._resolve(maker, names)
        if found is not None:
            return found
        split = without_maker(names[0])
        return self.resolve(maker, split[1]) if split is not None and split[0] == maker else None

    def global_id(self, seller: str, local: str) -> str:
        """One id for a variant whoever sells it: `openai/gpt-5.2` at a gateway is `gpt-5.2`, and
        `anthropic/claude-opus-4.5` is `claude-opus-4-5`."""
        split = without_maker(local)
        if split is not None and split[0] != seller and ":" not in local:
            at_maker = self.resolve(split[0], split[1])
            if at_maker is not None and dashed(at_maker) == dashed(split[1]):
                return at_maker
        if split is None:
            for maker in MAKERS:
                if maker != seller:
                    known = next(
                        (
                            c.aliases[local]
                            for c in self._shelf.get(maker, ())
                            if local in c.aliases
                        ),
                        None,
                    )
                    if known == local:
                        return local
        return local

    def variant(self, name: str, seller: str | None = None) -> Variant | None:
        """What is known of a variant; `seller` decides between gateways that list it alone."""
        for maker in MAKERS:
            for card in self._shelf.get(maker, ()):
                if name in card.variants and card.variants[name].maker == maker:
                    return card.variants[name]
        for cards in self._shelf.values():
            for card in cards:
                if name in card.variants and card.variants[name].maker == card.seller:
                    return card.variants[name]
        for cards in self._shelf.values():
            for card in cards:
                if name in card.variants:
                    return card.variants[name]
        if not self._packaged:
            return None
        for where in [seller] if seller else [*MAKERS, *genai.sellers()]:
            packaged = genai.listing(where)
            if packaged is not None:
                local = packaged.find(candidates(name))
                if local is not None and self.global_id(where, local) == name:
                    return packaged.variants[local]
        return None

    def hint(self, seller: str, model: str, listed: Callable[[str], list[str]]) -> str:
        """What an unknown name may have meant: told, never taken."""
        key = (seller, model)
        if key not in self._hints:
            makers = [m for m in MAKERS if m != seller and self.resolve(m, model) is not None]
            names = {a for card in self._shelf.get(seller, ()) for a in card.aliases}
            names |= set(listed(seller))
            near = difflib.get_close_matches(model.strip().lower(), sorted(names), 1, _CLOSE)
            self._hints[key] = (
                f" (it is on that of {makers[0]!r})"
                if makers
                else f" (the nearest name there is {near[0]!r})"
                if near
                else ""
            )
        return self._hints[key]
