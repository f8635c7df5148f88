"""What does a unit cost, and how many units is this text?

`pricing` holds the rate cards (dated prices of every meter of every variant at every seller), the
estimator that prices one call from its raw usage object, and the token counter. It imports
nothing else of this project. Everything public is named here and imported when first used:

>>> from pricing import price_call
>>> price_call("openai", "gpt-5.2", {"input_tokens": 1_000_000, "output_tokens": 0}).cost_usd
Decimal('1.750000000000')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pricing.lazy import public

if TYPE_CHECKING:
    from pricing.catalogue import Catalogue, build_catalogue, default_catalogue
    from pricing.counting import RequestTokens, count_request, count_text
    from pricing.estimator import PricedCall, price_call
    from pricing.usage import UsageError, read_usage

_HOME = {
    "Catalogue": "pricing.catalogue",
    "build_catalogue": "pricing.catalogue",
    "default_catalogue": "pricing.catalogue",
    "PricedCall": "pricing.estimator",
    "price_call": "pricing.estimator",
    "UsageError": "pricing.usage",
    "read_usage": "pricing.usage",
    "RequestTokens": "pricing.counting",
    "count_request": "pricing.counting",
    "count_text": "pricing.counting",
}

__all__ = [
    "Catalogue",
    "PricedCall",
    "RequestTokens",
    "UsageError",
    "build_catalogue",
    "count_request",
    "count_text",
    "default_catalogue",
    "price_call",
    "read_usage",
]

__getattr__ = public(__name__, _HOME)
