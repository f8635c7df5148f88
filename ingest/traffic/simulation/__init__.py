"""From a scenario to a month: sessions, their variants and prices, the bill and what drives it."""
