"""A small catalogue with every kind of condition, and stores for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ingest.record import UsageRecord
from ingest.store import book, load, schema
from ingest.store.database import JOINS_AS_WRITTEN, Store
from pricing.cards import parse_card
from pricing.catalogue import Catalogue, discount

ACME = """
schema = 1
seller = "acme"
recorded = 2026-01-01
tier_aliases = { slow = "flex" }

[sources.list]
url = "https://acme.example/prices"

[[variant]]
id = "plain"
aliases = ["plain-latest"]
  [[variant.price]]
  from = 2026-01-01
  to = 2026-03-01T06:00:00Z
  source = "list"
  input = "1.75"
  cache_read = "0.175"
  output = "14"
  [[variant.price]]
  from = 2026-03-01T06:00:00Z
  source = "list"
  input = "1.25"
  cache_read = "0.125"
  output = "10"

[[variant]]
id = "tiered"
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  input = "2"
  cache_read = "0.2"
  cache_write = "2.5"
  cache_write_5m = "2.5"
  cache_write_1h = "4"
  output = "8"
  reasoning = "9"
  web_search = "10"
  [[variant.price]]
  from = 2026-01-01
  above = 200_000
  source = "list"
  input = "4"
  output = "12"
  [[variant.price]]
  from = 2026-01-01
  at_least = 1_000_000
  source = "list"
  input = "5"
  [[variant.price]]
  tiers = ["batch", "flex"]
  from = 2026-02-01
  source = "list"
  multiply = "0.5"
  [[variant.price]]
  tier = "priority"
  from = 2026-01-01
  source = "list"
  input = "6"
  output = "24"
  [[variant.price]]
  region = "eu"
  from = 2026-01-01
  source = "list"
  multiply = "1.1"

[[variant]]
id = "no-output"
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  input = "0.02"

[[variant]]
id = "hourly"
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  input = "1"
  output = "2"
  [[variant.price]]
  from = 2026-01-01
  weekdays = ["mon", "tue", "wed", "thu", "fri"]
  hours = "01:00-04:00"
  source = "list"
  input = "2"
  output = "4"
  [[variant.price]]
  from = 2026-01-01
  weekdays = ["sat", "sun"]
  hours = "22:30-24:00"
  source = "list"
  input = "0.5"

[[variant]]
id = "guessed"
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  assumed = true
  input = "3"
  output = "5"

[[variant]]
id = "with-fee"
  [[variant.price]]
  from = 2026-01-01
  source = "list"
  input = "1"
  output = "1"
  request = "5"
"""
GATE = """
schema = 1
seller = "gate"
kind = "gateway"
recorded = 2026-01-01

[[offer]]
of = "acme"
factor = "1.055"
from = 2026-02-01
source = "https://gate.example/fees"
variants = ["*", "!hourly"]
"""


def small_catalogue(
    *, factor: str | None = None, fallbacks: bool = False, cards: Iterable[str] = (ACME, GATE)
) -> Catalogue:
    """The small catalogue: perhaps with a negotiated discount, perhaps with allowed fallbacks."""
    discounts = [discount("acme", Decimal(factor), since=datetime(2026, 2, 10))] if factor else []
    return Catalogue(
        [parse_card(text, f"test {n}") for n, text in enumerate(cards)],
        discounts=discounts,
        fallbacks={"nobody": ["acme"]} if fallbacks else None,
        packaged=False,
    )


def memory_store(catalogue: Catalogue) -> Store:
    """A store without a file."""
    con = duckdb.connect(config={"disabled_optimizers": JOINS_AS_WRITTEN})
    con.execute("SET TimeZone = 'UTC'")
    store = Store(con, Path("memory.duckdb"), True)
    for statement in schema.create_statements():
        con.execute(statement)
    book.sync(store, catalogue)
    return store


def put(store: Store, catalogue: Catalogue, records: Iterable[UsageRecord]) -> load.Merged:
    """Store records as one batch."""
    with store.transaction() as con:
        load.create_stage(con)
        load.stage(con, [load.stage_row(r) for r in records])
        return load.merge(con, catalogue, 1)


def dump(store: Store) -> list[tuple[Any, ...]]:
    """Everything a store says of its calls, without what depends on the order of imports."""
    return store.con.execute(
        "SELECT * EXCLUDE (import_id, line, tags), list_sort(map_entries(tags))::VARCHAR FROM calls"
        " ORDER BY call_key"
    ).fetchall()


def chat(
    number: int,
    *,
    created: int = 1767225600,
    model: str = "gpt-5.2",
    prompt: int = 1000,
    cached: int = 0,
    answer: int = 50,
    text: str = "",
    **more: Any,
) -> dict[str, Any]:
    """A Chat Completions body."""
    return {
        "id": f"chatcmpl-{number:027d}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "service_tier": "default",
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
        **more,
    }


def lines(documents: Iterable[Any]) -> str:
    """Lines of JSON."""
    return "".join(json.dumps(d) + "\n" for d in documents)
