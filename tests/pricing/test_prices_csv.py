"""Every row of the shared price table against the compiled cards, differences listed one by one."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from pricing.cards import Card, shipped_cards
from pricing.meters import BY_PRICE_KEY
from pricing.money import pico_per_unit
from pricing.rates import Rate, RateVector, compile_card

SHARED = Path(os.environ.get("TOKENBOOKS_SHARED") or Path(__file__).parents[2].parent / "shared")
TABLE = SHARED / "notes" / "prices.csv"
pytestmark = pytest.mark.skipif(not TABLE.exists(), reason=f"no price table at {TABLE}")

SELLER = {"xai": "x-ai", "aws-bedrock": "bedrock", "azure-ai": "azure", "vertex-ai": "google"}
COLUMNS = {
    "input": "input",
    "cached_input": "cache_read",
    "cache_write": "cache_write",
    "output": "output",
}
TIER = re.compile(
    r"(?P<tier>[a-z-]+)"
    r"(?: (?P<start>\d{4}-\d\d-\d\d)?\.\.(?P<end>\d{4}-\d\d-\d\d)?)?"
    r"(?: (?P<hour>\d\d):00-\d\d:00 UTC)?"
    r"(?: (?P<op>>=?)(?P<size>\d+)k)?"
)
TODAY = datetime(2026, 11, 20, 12)  # a Friday, off-peak hour

INHERITED = "genai-prices lets the name inherit its base model's tiers; kept as a claim"
OTHER_NAMES = (
    "gpt-5.2-chat-latest gpt-5.2-codex gpt-5.1-chat-latest gpt-5.1-codex-max gpt-5.1-codex "
    "gpt-5-chat-latest gpt-5-codex"
)
CONFIRMED = {("gpt-5.1-codex", "priority"), ("gpt-5-codex", "priority")}
"""OpenAI's own page of priority prices lists them."""

CLAIMS: dict[tuple[str, str, str], str] = {
    **{(m, t, c): INHERITED for m in OTHER_NAMES.split() for t in ("batch", "flex", "priority")
       for c in COLUMNS if c != "cache_write" and (m, t) not in CONFIRMED},
    ("gpt-5-nano", "priority", "input"): "fifty times standard, without output: a slip",
    ("gemini-3-pro-preview", "standard >200k", "cache_write"): "Gemini charges no write",
}  # fmt: skip
"""Prices of the table that our cards record, but not in force."""

LEFT_OUT: dict[tuple[str, str, str], str] = {
    ("deepseek-v4-flash", "peak", "cache_write"): "0 for a meter DeepSeek does not have",
    ("deepseek-v4-pro", "peak", "cache_write"): "0 for a meter DeepSeek does not have",
}


@dataclass(frozen=True)
class Case:
    seller: str
    model: str
    label: str
    tier: str
    at: datetime
    tokens: int
    row: dict[str, str]

    @property
    def edge(self) -> bool:
        return ">" in self.label


def read_cases() -> list[Case]:
    if not TABLE.exists():
        return []
    cases = []
    for row in csv.DictReader(TABLE.open(encoding="utf-8")):
        found = TIER.fullmatch(row["tier"])
        assert found, row["tier"]
        at = TODAY
        if found["start"]:
            at = datetime.fromisoformat(found["start"]) + timedelta(hours=12)
        elif found["end"]:
            at = datetime.fromisoformat(found["end"]) - timedelta(hours=12)
        tier = found["tier"].replace("fast-mode", "fast")
        if tier == "peak":
            tier, at = "standard", at.replace(hour=int(found["hour"] or 3))
        tokens = int(found["size"] or 0) * 1000 + (1 if found["op"] == ">" else 0)
        seller = SELLER.get(row["provider"], row["provider"])
        cases.append(Case(seller, row["model"], row["tier"], tier, at, tokens or 1000, row))
    return cases


@cache
def cards() -> dict[str, Card]:
    return {c.seller: c for c in shipped_cards()}


@cache
def rates(seller: str, model: str) -> tuple[Rate, ...]:
    card = cards()[seller]
    variant = card.aliases[model]
    return tuple(r for r in card.rates if r.variant == variant and r.region == "")


def vector(case: Case, tokens: int) -> RateVector | None:
    found = rates(case.seller, case.model)
    own = [r for r in found if r.tier == case.tier]
    base = [] if case.tier == "standard" else [r for r in found if r.tier == "standard"]
    return next((v for v in compile_card(own, base) if v.covers(case.at, tokens)), None)


def wanted(case: Case) -> dict[str, int]:
    given = {c: case.row[c] for c in COLUMNS if case.row[c]}
    prices = {
        c: pico_per_unit(Decimal(text), BY_PRICE_KEY[COLUMNS[c]].per) for c, text in given.items()
    }
    hour = re.search(r"cache write 1h ([\d.]+)", case.row["note"])
    if hour:
        prices["cache_write_1h"] = pico_per_unit(Decimal(hour[1]), 1_000_000)
    return prices


def test_the_table_is_read_whole() -> None:
    cases = read_cases()
    assert len(cases) == 347
    assert {c.seller for c in cases} <= set(cards())


@pytest.mark.parametrize(
    "case", read_cases(), ids=lambda c: f"{c.seller}-{c.model}-{c.label}".replace(" ", "_")
)
def test_row(case: Case) -> None:
    prices = wanted(case)
    listed = vector(case, case.tokens)
    for column, price in prices.items():
        key = (case.model, case.label, column)
        meter = BY_PRICE_KEY[COLUMNS.get(column, column)].name
        if key in LEFT_OUT:
            assert not any(r.meter == meter for r in rates(case.seller, case.model))
        elif key in CLAIMS:
            claims = [
                r
                for r in rates(case.seller, case.model)
                if (r.meter, r.tier, r.price) == (meter, case.tier, price) and not r.in_force
            ]
            assert claims, f"{key} is not recorded as a claim"
            assert all(r.note for r in claims)
            assert listed is None or listed.price(meter) != price
        else:
            assert listed is not None, "no price"
            assert listed.price(meter) == price, column


@pytest.mark.parametrize(
    "case",
    [c for c in read_cases() if c.edge],
    ids=lambda c: f"{c.seller}-{c.model}-{c.label}".replace(" ", "_"),
)
def test_one_token_less_is_the_short_price(case: Case) -> None:
    long, short = vector(case, case.tokens), vector(case, case.tokens - 1)
    assert long is not None and short is not None
    assert long.min_input == short.max_input == case.tokens
    assert short.price("input_uncached") != long.price("input_uncached")


@pytest.mark.parametrize(
    "case",
    [c for c in read_cases() if c.label == "standard" and c.row["context_window"]],
    ids=lambda c: f"{c.seller}-{c.model}",
)
def test_context_and_output_limit(case: Case) -> None:
    card = cards()[case.seller]
    about = card.variants[card.aliases[case.model]]
    assert about.context_window == int(case.row["context_window"])
    if case.row["max_output"]:
        assert about.max_output == int(case.row["max_output"])


def test_retirement_dates() -> None:
    for case in read_cases():
        found = re.search(r"LiteLLM retirement (\d{4}-\d\d-\d\d)", case.row["note"])
        if found:
            card = cards()[case.seller]
            about = card.variants[card.aliases[case.model]]
            assert about.retired == date.fromisoformat(found[1]), case.model


def test_no_listed_difference_is_out_of_date() -> None:
    seen = {(c.model, c.label, column) for c in read_cases() for column in wanted(c)}
    assert set(CLAIMS) | set(LEFT_OUT) <= seen


def test_dated_names_of_the_table_resolve() -> None:
    dated = re.compile(r"([a-z0-9.-]+)-\d{4}-\d\d-\d\d")
    for case in read_cases():
        known = cards()[case.seller].aliases
        for alias in case.row["aliases"].split("; "):
            found = dated.fullmatch(alias)
            if found:
                assert alias in known or found[1] in known, alias
