"""Prices of made-up variants for tests, and two real ones for the golden figures."""

from __future__ import annotations

from ingest.traffic.prices import NO_LIMIT, Band, FixedPrices, RateSheet


def sheet(variant, input_, cached, output, *, tier="standard", extra=None, **known):
    pico = {
        "input_uncached": round(input_ * 10**6),
        "cache_read": round(cached * 10**6),
        "output_text": round(output * 10**6),
        **(extra or {}),
    }
    return RateSheet(variant, (Band(0, NO_LIMIT, pico),), tier, **known)


SHEETS = [
    sheet("gpt-5.2", 1.75, 0.175, 14, context_window=400_000, max_output=128_000),
    sheet("gpt-5.2", 0.875, 0.0875, 7, tier="batch"),
    sheet("gpt-5.2", 0.875, 0.0875, 7, tier="flex"),
    sheet("gpt-5-mini", 0.25, 0.025, 2, context_window=400_000, max_output=128_000),
    sheet(
        "claude-opus-4-5", 5, 0.5, 25,
        extra={"cache_write_5m": 6_250_000, "cache_write_1h": 10_000_000},
        context_window=200_000, max_output=64_000,
    ),
]  # fmt: skip
PRICES = FixedPrices({(s.variant, s.tier): s for s in SHEETS})
