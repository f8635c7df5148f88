"""What a count says: the number, the interval, how it was found, and what it is made of.

Example: a gpt-4o chat of one user message "hi" is ``RequestTokens(total=8, low=8, high=8,
basis=Basis.EXACT, parts={"frame": 7, "messages": 1})``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Basis(StrEnum):
    """How a count was found, best first."""

    EXACT = "exact"  # the model's own encoding, nothing but text and rules proven exact
    RECONSTRUCTED = "reconstructed"  # own encoding, hidden rendering rebuilt from recordings
    RATIO = "ratio"  # another encoding times a measured ratio
    UNKNOWN = "server-side"  # the request holds something only the server can count


class CountingError(ValueError):
    """A count could not be made. The message says what, where and what to do."""


class UnknownModelError(CountingError):
    """The model is not in the table, so its encoding is not known and is not guessed."""

    def __init__(self, model: str | None) -> None:
        self.model = model
        if not model:
            text = "No model given: the request has no 'model' and none was passed."
        else:
            text = (
                f"Unknown model {model!r}: no encoding or ratio is recorded for it, and tokenbooks "
                "does not guess. Use a known model name, or add the model to the counting table."
            )
        super().__init__(text)


class VocabularyError(CountingError):
    """A vocabulary file is missing, damaged or cannot be stored."""


class RequestError(CountingError):
    """The request body is not of the shape its endpoint takes."""


@dataclass(frozen=True)
class TextTokens:
    """Tokens of one text: ``low <= total <= high``; equal when the basis is exact."""

    total: int
    low: int
    high: int
    basis: Basis
    encoding: str
    model: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestTokens:
    """Input tokens of a whole request as it will be billed.

    ``parts`` sums to ``total``: ``frame`` (message envelopes and the opening of the answer),
    ``messages``, ``tool_calls`` (earlier calls and their results), ``tools``, ``schema``,
    ``images``, ``hidden`` (constants the API adds unseen). ``[low, high]`` covers about 90 % of
    recorded requests of that kind. ``notes`` name every assumption.
    """

    total: int
    low: int
    high: int
    basis: Basis
    parts: dict[str, int] = field(default_factory=dict)
    model: str = ""
    family: str = ""
    endpoint: str = ""
    encoding: str = ""
    notes: tuple[str, ...] = ()

    @property
    def countable(self) -> bool:
        """False when something in the request can only be counted by the server."""
        return self.basis is not Basis.UNKNOWN
