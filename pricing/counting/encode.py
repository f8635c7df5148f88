"""Count the tokens of a text in one encoding: tiktoken, or splintr-rs when it is installed.

tiktoken is the reference. The optional extra ``fast`` (splintr-rs) gives the same ids faster; it is
built here from the same verified vocabulary bytes and the same split pattern, so the two can differ
only by a fault, and a property test compares them on every run of the test suite.

Example: ``encoder("o200k_base").count("hello world")`` is 2. Text that spells a special token is
ordinary text (``<|endoftext|>`` is 7 tokens, not 1), because that is how the APIs bill it.

With the extra installed, models of other vendors whose vocabulary is public are counted in it
(:func:`vendor_encoder`); splintr-rs ships those, and a probe text guards them.

Lone surrogates (half of an emoji cut by a log writer) are replaced exactly as tiktoken does before
either counter sees them; splintr-rs would raise.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Protocol

from pricing.counting.result import VocabularyError
from pricing.counting.vocab import tiktoken_folder, vocabulary_bytes

BACKEND_VARIABLE = "TOKENBOOKS_TOKENIZER"

# A conversation is counted again with each turn, a prompt again for each size of its variables, and
# their long texts are the same each time. Short texts are as quick to count as to look up; what is
# longer than a prompt is counted once anyway and not worth its memory.
REMEMBERED = range(500, 50_000)  # characters
KEPT = 128  # texts an encoding

# Other vendors' vocabularies inside splintr-rs: the SHA-256 of the ids of a probe text. They are
# compiled into the wheel, so there is no file to hash; another split or merge changes the ids.
PROBE = (
    "The quick brown fox can't JUMP over 13,374,242 lazy dogs; naïve café — ¿qué? "
    "def f(x: int) -> dict[str, list[int]]:\n\treturn {'a': [x ** 2, 0x1F]}  # ok\r\n\n\n"
    '{"role":"user","content":null,"tags":["a_b","camelCase","SNAKE_CASE"]} '
    "天气很好，我们去公园吧。 こんにちは世界 안녕하세요 Привет, мир! مرحبا بالعالم नमस्ते 🤷🏽‍♀️ "
    "<|im_start|><start_of_turn>[INST]</s>"
)
VENDOR_VOCABULARIES = {
    "gemma3": "1762c29dd8bf0563dc191d747a09fe83d9eec27be6eb4e127f0f27d5c75e4b27",
    "llama3": "ca61d00088bef6a2d95a570cc96843d26512b2a73922d5587cc0fbc3507ad8ce",
    "deepseek_v3": "abeff20308608ec1a0fed3714c5dea91521a87fae857adda135efd2c057fd601",
    "qwen3": "7549268d7806f4e6dec0f4875f44952fb9454b240523c112890b7faa523096bf",
    "glm4": "cc2a98c24655217fbc035e96231dd81083bd0b895581b3ffca64f9faf1987377",
    "mistral_v3": "67683f4242f43c9bfa2c164d1babdc3b9247a60bf2f3613431a8148295538189",
    "kimi_k2": "4376ff34bbd48f845899d303a79e4c674bc0a10dc6af60a50266c37b1ffabd27",
}


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


def vendor_encoder(name: str) -> Encoder | None:
    """The counter for another vendor's public vocabulary, or None without the extra ``fast``.

    ``name`` is a key of ``VENDOR_VOCABULARIES``. Raises
    :class:`pricing.counting.VocabularyError` when it no longer gives the ids it gave when its
    counts were measured.
    """
    return _vendor(name) if backend() == "splintr-rs" else None


@lru_cache(maxsize=8)
def _vendor(name: str) -> Encoder:
    import splintr

    encoder = Encoder(name, "splintr-rs", splintr.Tokenizer.from_pretrained(name))
    if fingerprint(encoder) != VENDOR_VOCABULARIES[name]:
        raise VocabularyError(
            f"The vocabulary {name!r} of splintr-rs gives other ids than the one the counting "
            "rules were measured with. Install the version in constraints.txt, or set "
            f"{BACKEND_VARIABLE}=tiktoken to count by ratio."
        )
    return encoder


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 (hexadecimal) of the ids of the probe text."""
    return hashlib.sha256(repr(encoder.ids(PROBE)).encode()).hexdigest()
