"""Count the tokens of a text in one encoding: tiktoken, or splintr-rs when it is installed.

tiktoken is the reference. The optional extra ``fast`` (splintr-rs) gives the same ids faster; it is
built here from the same verified vocabulary bytes and the same split pattern, so the two can differ
only by a fault, and a property test compares them on every run of the test suite.

Example: ``encoder("o200k_base").count("hello world")`` is 2. Text that spells a special token is
ordinary text (``<|endoftext|>`` is 7 tokens, not 1), because that is how the APIs bill it.

Lone surrogates (half of an emoji cut by a log writer) are replaced exactly as tiktoken does before
either counter sees them; splintr-rs would raise.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Protocol

from pricing.counting.vocab import tiktoken_folder, vocabulary_bytes

BACKEND_VARIABLE = "TOKENBOOKS_TOKENIZER"

# A conversation is counted again with each turn, a prompt again for each size of its variables, and
# their long texts are the same each time. Short texts are as quick to count as to look up; what is
# longer than a prompt is counted once anyway and not worth its memory.
REMEMBERED = range(500, 50_000)  # characters
KEPT = 128  # texts an encoding


class _Ordinary(Protocol):
    def encode_ordinary(self, text: str, /) -> list[int]: ...


def clean(text: str) -> str:
    """Replace lone surrogates by U+FFFD and join split pairs, as tiktoken does.

    Text without surrogates comes back unchanged.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Encoder:
    """One encoding, ready to count. ``name`` is tiktoken's name, ``backend`` who does the work."""

    def __init__(self, name: str, backend: str, tokenizer: _Ordinary) -> None:
        self.name = name
        self.backend = backend
        self._tokenizer = tokenizer
        self._remembered = lru_cache(KEPT)(self._counted)

    def ids(self, text: str) -> list[int]:
        """Token ids of ``text``, special tokens read as ordinary text."""
        return self._tokenizer.encode_ordinary(clean(text))

    def count(self, text: str) -> int:
        """Number of tokens of ``text``; 0 for the empty string."""
        if len(text) in REMEMBERED:
            return self._remembered(text)
        return self._counted(text) if text else 0

    def _counted(self, text: str) -> int:
        return len(self.ids(text))


def backend() -> str:
    """Who counts: ``"splintr-rs"`` when the extra is installed, else ``"tiktoken"``.

    ``TOKENBOOKS_TOKENIZER=tiktoken`` forces the reference.
    """
    if os.environ.get(BACKEND_VARIABLE) == "tiktoken":
        return "tiktoken"
    return "splintr-rs" if find_spec("splintr") else "tiktoken"


def encoder(name: str) -> Encoder:
    """The counter for an encoding (``"o200k_base"`` or ``"cl100k_base"``), loaded once a process.

    Raises :class:`pricing.counting.VocabularyError` when the vocabulary cannot be trusted.
    """
    return _load(name, backend())


@lru_cache(maxsize=8)
def _load(name: str, using: str) -> Encoder:
    return Encoder(name, using, _splintr(name) if using == "splintr-rs" else _tiktoken(name))


def _tiktoken(name: str) -> _Ordinary:
    with tiktoken_folder(name):
        import tiktoken

        return tiktoken.get_encoding(name)


def _splintr(name: str) -> _Ordinary:
    import splintr

    pattern = {
        "o200k_base": splintr.O200K_BASE_PATTERN,
        "cl100k_base": splintr.CL100K_BASE_PATTERN,
    }[name]
    return splintr.Tokenizer.from_bytes(vocabulary_bytes(name), pattern, {})
