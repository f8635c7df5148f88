"""A negotiated price: a card of one's own wins over the shipped one."""

# %% Ten percent off, agreed for the year
from datetime import datetime

from pricing import Catalogue, price_call
from pricing.cards import parse_card, shipped_cards

agreed = parse_card(
    """
schema = 1
seller = "openai"
recorded = 2026-01-05

[sources.contract]
url = "contract 2026-17, annex B"
checked = 2026-01-05

[[variant]]
id = "gpt-5.2"
maker = "openai"

  [[variant.price]]
  from = 2026-01-01
  source = "contract"
  input = "1.575"
  cache_read = "0.1575"
  output = "12.6"
""",
    "contract.toml",
)
catalogue = Catalogue(shipped_cards(), user_cards=[agreed])
usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
for name, book in (("agreed", catalogue), ("list", None)):
    call = price_call("openai", "gpt-5.2", usage, at=datetime(2026, 6, 1), catalogue=book)
    print(f"{name:7} {call.cost_usd:.4f} USD")

# %% It prints
# agreed  2.8350 USD
# list    3.1500 USD
