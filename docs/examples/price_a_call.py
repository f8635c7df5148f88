"""What one call costs, from the usage object exactly as the API returned it."""

# %% A call on three tiers, a year of prices apart
from datetime import datetime

from pricing import price_call

usage = {
    "prompt_tokens": 12_000,
    "completion_tokens": 900,
    "prompt_tokens_details": {"cached_tokens": 9_600},
    "completion_tokens_details": {"reasoning_tokens": 512},
}
for tier in ("default", "batch", "priority"):
    call = price_call("openai", "gpt-5.2", usage, at=datetime(2026, 3, 1), tier=tier)
    print(f"{tier:9} {call.cost_usd:.6f} USD, {call.status}")

# %% Meter by meter
for line in price_call("openai", "gpt-5.2", usage, at=datetime(2026, 3, 1), tier="default").lines:
    print(f"{line.meter:15} {line.quantity:>6,} at {line.price_usd_per}")

# %% What is not known is not free
print(price_call("openai", "gpt-9", usage).cost_usd)

# %% It prints
# default   0.018480 USD, exact
# batch     0.009240 USD, exact
# priority  0.036960 USD, exact
# input_uncached   2,400 at 1.75 per 1M
# cache_read       9,600 at 0.175 per 1M
# output_text        388 at 14 per 1M
# reasoning          512 at 14 per 1M
# None
