"""How many tokens is this text, and how many will this request be billed?

``count_text`` and ``count_request`` answer with a number, an interval, the parts it is made of and
how it was found; an unknown model or an untrusted vocabulary is an error, never a guess. Nothing
heavy is imported before the first count. A worked example::

    from pricing.counting import count_request
    count_request({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).total  # 8
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from pricing.counting.calibration import Calibration, Sample, calibrate
    from pricing.counting.count import count_request, count_text, endpoint_of
    from pricing.counting.encode import backend, encoder
    from pricing.counting.result import (
        Basis,
        CountingError,
        RequestError,
        RequestTokens,
        TextTokens,
        UnknownModelError,
        VocabularyError,
    )

_HOME = {
    "Calibration": ".calibration",
    "Sample": ".calibration",
    "calibrate": ".calibration",
    "count_request": ".count",
    "count_text": ".count",
    "backend": ".encode",
    "encoder": ".encode",
    "endpoint_of": ".count",
    "Basis": ".result",
    "CountingError": ".result",
    "RequestError": ".result",
    "RequestTokens": ".result",
    "TextTokens": ".result",
    "UnknownModelError": ".result",
    "VocabularyError": ".result",
}

__all__ = [
    "Basis", "Calibration", "CountingError", "RequestError", "RequestTokens", "Sample",
    "TextTokens", "UnknownModelError", "VocabularyError", "backend", "calibrate", "count_request",
    "count_text", "encoder", "endpoint_of",
]  # fmt: skip

__getattr__ = public(__name__, _HOME)
