"""Each lint rule with a card that breaks it, and the same card set right."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.lint import Finding, lint
from pricing.lint_rules import RULES, explain
from pricing.rates import Rate
from pricing.variants import Variant

TODAY = date(2026, 11, 21)
CHECKED = date(2026, 11, 20)


def rate(meter: str, usd_per_million: float, **more: object) -> Rate:
    given: dict[str, object] = {"checked": CHECKED, "origin": "acme.toml", **more}
    seller, name = str(given.pop("seller", "acme")), str(given.pop("variant", "m"))
    return Rate(seller, name, meter, round(usd_per_million * 1_000_000), **given)  # type: ignore[arg-type]


def pair(tier: str = "standard", factor: float = 1, **more: object) -> list[Rate]:
    return [
        rate("input_uncached", 2 * factor, tier=tier, **more),
        rate("output_text", 8 * factor, tier=tier, **more),
    ]


def rules(rates: list[Rate], facts: dict[str, Variant] | None = None) -> set[str]:
    return {f.rule for f in lint(rates, facts or {}, TODAY)}


def one(rates: list[Rate], rule: str, facts: dict[str, Variant] | None = None) -> Finding:
    found = [f for f in lint(rates, facts or {}, TODAY) if f.rule == rule]
    assert len(found) == 1, found
    return found[0]


def test_a_sound_card_has_no_finding() -> None:
    sound = [
        *pair(),
        rate("cache_read", 0.2),
        rate("cache_write_unknown", 2.5),
        *pair("batch", 0.5),
        *pair("priority", 2),
        *pair(min_input=200_001, factor=2),
        *pair("batch", 1, min_input=200_001),
        *pair("priority", 4, min_input=200_001),
    ]
    assert lint(sound, {}, TODAY) == []


# --- one rule at a time ------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["priority", "fast", "ultrafast"])
def test_priority_below_standard(tier: str) -> None:
    found = one(
        [*pair(), rate("input_uncached", 1.9, tier=tier), rate("output_text", 9, tier=tier)],
        "priority-below-standard",
    )
    assert found.message == "input_uncached costs 1.9 USD on " + tier + ", 2 USD on standard"
    assert (found.severity, found.seller, found.variant) == ("error", "acme", "m")
    assert found.where == f"acme.toml: {tier}"


def test_a_tier_at_the_standard_price_is_fine() -> None:
    assert rules([*pair(), *pair("priority"), *pair("batch")]) == set()


@pytest.mark.parametrize("tier", ["batch", "flex"])
def test_cheap_tier_above_standard(tier: str) -> None:
    rates = [*pair(), rate("input_uncached", 1, tier=tier), rate("output_text", 8.01, tier=tier)]
    assert "output_text" in one(rates, "cheap-tier-above-standard").message


def test_tiers_are_compared_at_the_same_prompt_size_and_time() -> None:
    long = [*pair(), *pair(min_input=272_001, factor=2)]
    dear_enough = [*pair("priority", 1.5), *pair("priority", 2, min_input=272_001)]
    assert rules([*long, *dear_enough]) == set()
    cheap = [*pair("priority", 1.5), *pair("priority", 1.9, min_input=272_001)]
    found = [f for f in lint([*long, *cheap], {}, TODAY) if f.rule == "priority-below-standard"]
    assert {f.message.split(" costs")[0] for f in found} == {
        "input_uncached above 272,000 tokens", "output_text above 272,000 tokens",
    }  # fmt: skip
    cut = datetime(2026, 1, 1)
    history = [
        *pair(factor=3, valid_to=cut),
        *pair(valid_from=cut),
        *pair("priority", 2, valid_from=cut),
    ]
    assert rules(history) == set()


def test_cached_above_input() -> None:
    assert rules([*pair(), rate("cache_read", 2)]) == set()
    found = one([*pair(), rate("cache_read", 2.01)], "cached-above-input")
    assert found.message == (
        "cache_read on standard costs 2.01 USD, the uncached input_uncached 2 USD"
    )


def test_cached_audio_is_compared_with_audio() -> None:
    audio = [*pair(), rate("input_audio", 10), rate("cache_read_audio", 5)]
    assert rules(audio) == set()
    assert rules([*pair(), rate("cache_read_audio", 5)]) == {"cached-above-input"}


def test_write_below_input() -> None:
    assert rules([*pair(), rate("cache_write_unknown", 2)]) == set()
    assert rules([*pair(), rate("cache_write_1h", 1.99)]) == {"write-below-input"}
    assert rules([*pair(), rate("cache_write_unknown", 0)]) == {"write-below-input"}


def test_missing_twin() -> None:
    found = one([*pair(), rate("input_uncached", 3, tier="priority")], "missing-twin")
    assert found.message == "priority prices input_uncached but not output_text"
    assert rules([rate("output_text", 8)]) == {"missing-twin"}
    # A threshold without its output is the same mistake.
    assert rules([*pair(), rate("input_uncached", 4, min_input=200_001)]) == {"missing-twin"}


def test_input_without_output_anywhere_is_only_noted() -> None:
    found = one([rate("input_uncached", 2), rate("cache_read", 0.2)], "input-only")
    assert (found.severity, found.where) == ("note", "acme.toml: standard")


def test_embeddings_have_no_output() -> None:
    assert rules([rate("input_uncached", 0.02, variant="text-embedding-3-small")]) == set()
    facts = {"m": Variant("m", "acme", role="Embedding")}
    assert rules([rate("input_uncached", 0.02)], facts) == set()


@pytest.mark.parametrize(
    ("first_end", "expected"),
    [
        (datetime(2026, 1, 1), set()),
        (datetime(2026, 1, 1, 1), {"overlapping-validity"}),
        (datetime(2025, 12, 31, 23), {"date-gap"}),
    ],
)
def test_overlap_and_gap(first_end: datetime, expected: set[str]) -> None:
    rates = [*pair(valid_to=first_end), *pair(factor=2, valid_from=datetime(2026, 1, 1))]
    assert rules(rates) == expected


def test_overlap_and_gap_in_words() -> None:
    later = datetime(2026, 1, 1)
    gap = [*pair(valid_to=datetime(2025, 12, 1)), *pair(factor=2, valid_from=later)]
    messages = {f.message for f in lint(gap, {}, TODAY)}
    assert "input_uncached on standard has no price from 2025-12-01 to 2026-01-01" in messages
    both = [*pair(), *pair(factor=2, valid_from=later)]
    messages = {f.message for f in lint(both, {}, TODAY)}
    assert "input_uncached on standard is 2 USD and 4 USD from 2026-01-01" in messages


def test_a_correction_recorded_later_is_no_overlap() -> None:
    corrected = pair(factor=2, recorded_at=datetime(2026, 2, 1))
    assert rules([*pair(recorded_at=datetime(2026, 1, 1)), *corrected]) == set()


def test_hours_of_the_day_do_not_overlap_the_whole_day() -> None:
    peak = pair(factor=2, minute_from=60, minute_to=240)
    assert rules([*pair(), *peak]) == set()
    assert rules([*pair(), *peak, *pair(factor=3, minute_from=60, minute_to=240)]) == {
        "overlapping-validity"
    }


def test_a_claim_out_of_force_overlaps_nothing() -> None:
    assert rules([*pair(), *pair(factor=2, in_force=False)]) == {"contradicting-claims"}


@pytest.mark.parametrize(
    ("price", "odd"),
    [(0.18, False), (0.180001, True), (0.179999, True), (0.003625, False), (3.4375, False)],
)
def test_float_remnants(price: float, odd: bool) -> None:
    rates = [rate("input_uncached", price), rate("output_text", 8)]
    assert rules(rates) == ({"float-remnant"} if odd else set())


def test_a_rounded_price_is_a_remnant() -> None:
    rates = [rate("input_uncached", 2, rounded=True), rate("output_text", 8)]
    assert "rounded" in one(rates, "float-remnant").message


def test_zero_price() -> None:
    assert one([rate("input_uncached", 0), rate("output_text", 8)], "zero-price").severity == (
        "warning"
    )


def test_unknown_retirement_and_successor() -> None:
    old = Variant("m", "acme", successor="n")
    new = Variant("n", "acme")
    assert rules(pair(), {"m": old, "n": new}) == {"unknown-retirement"}
    dated = Variant("m", "acme", successor="n", retired=date(2026, 7, 23))
    assert rules(pair(), {"m": dated, "n": new}) == set()
    found = one(pair(), "unknown-successor", {"m": dated})
    assert found.message == "its successor 'n' is on no card"


@pytest.mark.parametrize(
    ("checked", "odd"),
    [(date(2026, 5, 25), False), (date(2026, 5, 24), True), (None, True)],
)
def test_stale_check(checked: date | None, odd: bool) -> None:
    assert rules(pair(checked=checked)) == ({"stale-check"} if odd else set())


def test_what_is_over_or_negotiated_is_not_stale() -> None:
    ended = pair(checked=None, valid_to=datetime(2025, 1, 1))
    assert rules(ended) == set()
    assert rules(pair(checked=None, negotiated=True)) == set()
    gone = {"m": Variant("m", "acme", retired=date(2026, 7, 23))}
    assert rules(pair(checked=None), gone) == set()


def test_contradicting_claims_in_words() -> None:
    claim = rate("output_text", 9, in_force=False)
    assert one([*pair(), claim], "contradicting-claims").message == (
        "output_text on standard: a source says 9 USD, in force is 8 USD"
    )
    lone = rate("output_text", 4, in_force=False, tier="batch")
    assert one([*pair(), lone], "contradicting-claims").message == (
        "output_text on batch: a source says 4 USD, no price is in force"
    )


def test_threshold_not_carried() -> None:
    rates = [*pair(), *pair(min_input=272_001, factor=2), *pair("batch", 0.5)]
    found = [f for f in lint(rates, {}, TODAY) if f.rule == "threshold-not-carried"]
    assert [f.message for f in found] == [
        "input_uncached on batch has no price of its own above 272,000 tokens, standard has",
        "output_text on batch has no price of its own above 272,000 tokens, standard has",
    ]
    # A tier that began after the long price ended has nothing to carry.
    past = [
        *pair(),
        *pair(min_input=272_001, factor=2, valid_to=datetime(2026, 3, 13)),
        *pair("batch", 0.5, valid_from=datetime(2026, 3, 13)),
    ]
    assert rules(past) == set()


def test_alias_clash() -> None:
    dotted = pair(variant="acme-5.2")
    same = [*dotted, *pair(variant="acme-5-2")]
    assert rules(same) == set()
    clash = [*dotted, *pair(factor=2, variant="acme-5-2")]
    assert one(clash, "alias-clash").message == (
        "'acme-5.2' is the same name in another spelling, at other prices"
    )
    elsewhere = [*dotted, *pair(factor=2, variant="acme-5-2", seller="other")]
    assert rules(elsewhere) == set()


# --- the whole ---------------------------------------------------------------------------------


def test_the_same_finding_in_two_regions_is_told_once() -> None:
    rates = [*pair(), rate("cache_read", 3)]
    regional = [*pair(region="eu"), rate("cache_read", 3, region="eu")]
    assert len(lint([*rates, *regional], {}, TODAY)) == 1


def test_errors_come_first() -> None:
    rates = [*pair(checked=None), rate("cache_write_1h", 1), rate("cache_read", 3)]
    found = [f.severity for f in lint(rates, {}, TODAY)]
    assert found == ["error", "warning", "note"]


def test_every_rule_explains_itself() -> None:
    for rule, (severity, text) in RULES.items():
        assert explain(rule) == f"{rule} ({severity}): {text}"
        assert len(text) > 40


def test_an_unknown_rule_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'missing-twin'"):
        explain("missing-twins")
    with pytest.raises(ValueError, match="rules are priority-below-standard"):
        explain("xyz")


@given(st.integers(0, 10**8), st.integers(0, 10**8), st.sampled_from(["batch", "priority"]))
def test_a_tier_is_odd_exactly_on_its_wrong_side(standard: int, other: int, tier: str) -> None:
    rates = [
        Rate("acme", "m", "output_text", standard, checked=CHECKED),
        Rate("acme", "m", "output_text", other, tier=tier, checked=CHECKED),
    ]
    odd = {"cheap-tier-above-standard", "priority-below-standard"} & rules(rates)
    if tier == "batch":
        assert odd == ({"cheap-tier-above-standard"} if other > standard else set())
    else:
        assert odd == ({"priority-below-standard"} if other < standard else set())
