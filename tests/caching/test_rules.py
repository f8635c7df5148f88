"""The dated cache rules: lookup by explicit name, dates half-open, data fit to be used."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from pricing.caching import load_rules, parse_rules, rule_for

ROW = """
[[rule]]
id = "a"
provider = "p"
families = ["m"]
valid_from = 2026-01-01
lifetime_s = 300
source = "https://example.org"
checked = 2026-02-01
"""


def rules(text):
    return parse_rules(tomllib.loads(text))


def test_every_shipped_rule_has_source_dates_and_a_known_write_class():
    loaded = load_rules()
    assert len(loaded) >= 10
    for rule in loaded:
        assert rule.source.startswith("https://")
        assert rule.checked >= date(2025, 1, 1)
        assert rule.mode == "none" or rule.lifetime_s >= 60


@pytest.mark.parametrize(
    ("variant", "minimum", "step", "write"),
    [
        ("gpt-4o-mini", 1024, 128, "none"),
        ("gpt-5.2", 1024, 128, "none"),
        ("gpt-5.2-codex", 1024, 128, "none"),
        ("gpt-5.6-sol", 1024, 1, "30m"),
        ("claude-opus-5", 512, 1, "5m"),
        ("claude-opus-4-8", 1024, 1, "5m"),
        ("claude-opus-4-7", 2048, 1, "5m"),
        ("claude-opus-4-5", 4096, 1, "5m"),
        ("claude-haiku-4-5-20251001", 4096, 1, "5m"),
        ("gemini-2.5-flash", 1024, 1, "none"),
        ("gemini-2.5-pro", 4096, 1, "none"),
    ],
)
def test_rule_of_a_variant(variant, minimum, step, write):
    rule = rule_for(variant, date(2026, 9, 1))
    assert rule is not None
    assert (rule.min_tokens, rule.step, rule.write_class) == (minimum, step, write)


def test_the_longest_family_name_wins_and_likeness_does_not():
    assert rule_for("gpt-5.2-pro", date(2026, 9, 1)).mode == "none"
    assert rule_for("gpt-5.25", date(2026, 9, 1)) is None
    assert rule_for("my-gpt-5.2", date(2026, 9, 1)) is None


def test_dates_are_half_open():
    assert rule_for("gpt-5.2", date(2026, 7, 31)).lifetime_s == 600
    assert rule_for("gpt-5.2", date(2026, 8, 1)).lifetime_s == 86400
    assert rule_for("gpt-5.2", date(2024, 9, 30)) is None


def test_a_sold_lifetime_brings_its_write_class():
    opus = rule_for("claude-opus-5", date(2026, 9, 1))
    assert opus.with_lifetime(3600).write_class == "1h"
    assert opus.with_lifetime(480).write_class == "5m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW.replace('source = "https://example.org"\n', ""), "missing source"),
        (ROW + "ttl = 5\n", "unknown field ttl"),
        (ROW + "step = 0\n", "step must be"),
        (ROW + 'write_class = "2h"\n', "write_class"),
        (ROW + "lifetime_low_s = 400\n", "lifetime_s must lie"),
        (ROW + "valid_to = 2026-01-01\n", "valid_to"),
        (ROW + ROW.replace('"a"', '"b"').replace("2026-01-01", "2026-03-01"), "both hold"),
    ],
)
def test_a_faulty_row_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        rules(text)


def test_rows_that_follow_each_other_do_not_overlap():
    text = ROW + "valid_to = 2026-03-01\n" + ROW.replace('"a"', '"b"').replace("-01-01", "-03-01")
    early, late = rules(text)
    assert not early.in_force(date(2026, 3, 1))
    assert late.in_force(date(2026, 3, 1))
