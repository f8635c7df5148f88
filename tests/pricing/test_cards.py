"""The card reader: what it reads, and what it says of a file that is wrong."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from pricing.cards import Card, CardError, load_card, parse_card, shipped_texts
from pricing.rates import FOREVER, NO_LIMIT, Rate, compile_card

HEAD = """
schema = 1
seller = "acme"
recorded = 2026-01-02
[sources.list]
url = "https://acme.example/prices"
checked = 2026-01-01
"""
PLAIN = 'from = 2025-06-01\nsource = "list"\ninput = "2"\noutput = "8"\n'


def card(*blocks: str, variant: str = 'id = "m"', head: str = HEAD) -> Card:
    prices = "".join(f"[[variant.price]]\n{b}\n" for b in blocks)
    return parse_card(f"{head}\n[[variant]]\n{variant}\n{prices}", "acme.toml")


def error(*blocks: str, variant: str = 'id = "m"', head: str = HEAD) -> str:
    with pytest.raises(CardError) as caught:
        card(*blocks, variant=variant, head=head)
    return str(caught.value)


def only(read: Card, meter: str, tier: str = "standard") -> Rate:
    (rate,) = [r for r in read.rates if (r.meter, r.tier) == (meter, tier)]
    return rate


# --- reading -----------------------------------------------------------------------------------


def test_a_price_is_pico_dollars_a_unit_with_its_source() -> None:
    rate = only(card(PLAIN), "input_uncached")
    assert (rate.seller, rate.variant, rate.price) == ("acme", "m", 2_000_000)
    assert (rate.valid_from, rate.valid_to) == (datetime(2025, 6, 1), FOREVER)
    assert (rate.source, rate.checked) == ("https://acme.example/prices", date(2026, 1, 1))
    assert (rate.recorded_at, rate.origin) == (datetime(2026, 1, 2), "acme.toml")


def test_searches_are_priced_per_thousand() -> None:
    assert only(card('source = "list"\nweb_search = "10"'), "web_search").price == 10_000_000_000


def test_the_next_price_ends_the_one_before() -> None:
    read = card(PLAIN, PLAIN.replace("2025-06-01", "2025-09-01").replace('"2"', '"1"'))
    first, second = [r for r in read.rates if r.meter == "input_uncached"]
    assert (first.valid_to, second.valid_from) == (datetime(2025, 9, 1), datetime(2025, 9, 1))


def test_above_is_exclusive_and_at_least_inclusive() -> None:
    long = 'source = "list"\ninput = "4"\noutput = "9"\n'
    assert only(card(long + "above = 200_000"), "input_uncached").min_input == 200_001
    assert only(card(long + "at_least = 200_000"), "input_uncached").min_input == 200_000
    assert only(card(long), "input_uncached").max_input == NO_LIMIT


def test_multiply_follows_every_published_price_inside_its_dates() -> None:
    read = card(
        PLAIN,
        PLAIN.replace("2025-06-01", "2025-09-01").replace('"2"', '"1"'),
        'from = 2025-07-01\nsource = "list"\ntiers = ["batch", "flex"]\nmultiply = "0.5"',
    )
    found = [r for r in read.rates if (r.meter, r.tier) == ("input_uncached", "batch")]
    assert [(r.valid_from.month, r.valid_to, r.price) for r in found] == [
        (7, datetime(2025, 9, 1), 1_000_000),
        (9, FOREVER, 500_000),
    ]
    assert len([r for r in read.rates if r.tier == "flex"]) == 4


def test_regions_multiply_every_tier_but_no_fee() -> None:
    read = card(
        PLAIN,
        'source = "list"\nweb_search = "10"',
        'source = "list"\nregions = ["eu"]\nmultiply = "1.1"',
        'source = "list"\ntier = "batch"\nmultiply = "0.5"',
    )
    regional = {(r.tier, r.meter): r.price for r in read.rates if r.region == "eu"}
    assert regional == {
        ("standard", "input_uncached"): 2_200_000,
        ("standard", "output_text"): 8_800_000,
        ("batch", "input_uncached"): 1_100_000,
        ("batch", "output_text"): 4_400_000,
    }


def test_a_derived_price_finer_than_a_pico_dollar_is_rounded_and_says_so() -> None:
    tiny = 'source = "list"\ninput = "0.000001"\noutput = "8"'
    read = card(tiny, 'source = "list"\ntier = "batch"\nmultiply = "0.5"')
    assert only(read, "input_uncached", "batch").rounded
    assert not only(read, "output_text", "batch").rounded


def test_a_claim_out_of_force_prices_nothing() -> None:
    read = card('source = "list"\ninput = "2"\noutput = "8"\nin_force = false\nnote = "no"')
    assert [r.in_force for r in read.rates] == [False, False]
    assert compile_card(read.rates) == []


def test_hours_and_weekdays() -> None:
    rate = only(
        card('source = "list"\ninput = "2"\nhours = "22:00-24:00"\nweekdays = ["mon", "sun"]'),
        "input_uncached",
    )
    assert (rate.minute_from, rate.minute_to, rate.weekdays) == (1320, 1440, 0b1000001)


def test_an_instant_with_a_zone_is_read_as_utc() -> None:
    read = card(PLAIN.replace("2025-06-01", "2025-06-01T02:00:00+02:00"))
    assert only(read, "input_uncached").valid_from == datetime(2025, 6, 1)


def test_facts_of_a_variant() -> None:
    about = card(
        PLAIN,
        variant='id = "m"\naliases = ["M-2025-01-01"]\ncontext = 400_000\nretired = 2026-07-23\n'
        'efforts = ["low", "high"]\nsuccessor = "n"',
    )
    variant = about.variants["m"]
    assert (variant.maker, variant.context_window) == ("acme", 400_000)
    assert (variant.efforts, variant.retired) == (("low", "high"), date(2026, 7, 23))
    assert about.aliases == {"m": "m", "m-2025-01-01": "m"}


def test_an_offer_is_a_factor_on_another_card_in_its_dates() -> None:
    reseller = parse_card(
        HEAD.replace("acme", "shop")
        + '[[offer]]\nof = "acme"\nfactor = "0.2"\nfrom = 2025-08-01\nsource = "list"\n'
        'variants = ["m*", "!mini"]\ntiers = ["standard"]',
        "shop.toml",
    )
    (offer,) = reseller.offers
    rates = offer.apply(card(PLAIN, PLAIN.replace("source", 'tier = "batch"\nsource')).rates)
    assert {(r.seller, r.tier, r.meter, r.price) for r in rates} == {
        ("shop", "standard", "input_uncached", 400_000),
        ("shop", "standard", "output_text", 1_600_000),
    }
    assert {r.valid_from for r in rates} == {datetime(2025, 8, 1)}
    assert offer.factor == Decimal("0.2")
    assert (offer.covers("m"), offer.covers("mini"), offer.covers("other")) == (True, False, False)


def test_a_card_file_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    path.write_text(HEAD + f'[[variant]]\nid = "m"\n[[variant.price]]\n{PLAIN}negotiated = true')
    read = load_card(path)
    assert all(r.negotiated for r in read.rates)
    assert read.rates[0].origin == str(path)


# --- errors ------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(CardError, match=r"none\.toml: cannot read the rate card"):
        load_card(path)


def test_broken_toml_names_the_file_and_the_line() -> None:
    with pytest.raises(CardError, match=r"^acme\.toml: not valid TOML: .*line 2"):
        parse_card("schema = 1\nseller = acme", "acme.toml")


def test_an_error_names_file_place_and_reason() -> None:
    assert error(PLAIN, 'source = "list"\nimput = "2"') == (
        "acme.toml: variant m, price 2: unknown key 'imput'; did you mean 'input'?"
    )


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ('source = "list"\ninput = 1.75', 'input must be a string such as "1.75", not 1.75'),
        ('source = "list"\ninput = 2', 'input must be a string such as "1.75", not 2'),
        ('source = "list"\ninput = "cheap"', "input = 'cheap' is not a number"),
        ('source = "list"\ninput = "-1"', "input = '-1' must be zero or more"),
        ('source = "list"\ninput = "NaN"', "input = 'NaN' must be zero or more"),
        ('source = "list"\ninput = "0.18000000000000002"', "finer than a pico-dollar a token"),
        ('source = "list"', "states no price"),
        ('input = "2"', "`source` is missing: every price says where it was read"),
        ('source = "lsit"\ninput = "2"', "source 'lsit' is not under [sources] and is no address"),
        (
            'source = "list"\ninput = "2"\ntier = "turbo"',
            "unknown tier 'turbo'; known are standard",
        ),
        ('source = "list"\ninput = "2"\ntiers = "batch"', "`tiers` must be a list of strings"),
        ('source = "list"\ninput = "2"\ntiers = [1]', "`tiers` must be a list of strings"),
        (
            'source = "list"\ninput = "2"\ntier = "batch"\ntiers = ["flex"]',
            "`tier` and `tiers` exclude each other",
        ),
        (
            'source = "list"\ninput = "2"\nabove = 1\nat_least = 1',
            "`above` and `at_least` exclude each other",
        ),
        ('source = "list"\ninput = "2"\nabove = "200k"', "`above` must be a whole number"),
        ('source = "list"\ninput = "2"\nabove = true', "`above` must be a whole number"),
        ('source = "list"\ninput = "2"\nabove = -1', "`above` must be a whole number"),
        ('source = "list"\ninput = "2"\nin_force = "no"', "`in_force` must be true or false"),
        ('source = "list"\ninput = "2"\nhours = "22:00-02:00"', "must not wrap"),
        ('source = "list"\ninput = "2"\nhours = "evening"', "hours must look like"),
        ('source = "list"\ninput = "2"\nweekdays = ["monday"]', "weekdays are mon, tue"),
        ('source = "list"\ninput = "2"\nfrom = "2025-06-01"', "`from` must be a date"),
        ('source = "list"\ninput = "2"\nfrom = 2025-06-01T10:30:00Z', "not on a whole UTC hour"),
        ('source = "list"\ninput = "2"\nfrom = 2025-06-02\nto = 2025-06-02', "is not after `from`"),
        ('source = "list"\ninput = "2"\nchecked = "today"', "`checked` must be a date"),
        ('source = "list"\ninput = "2"\nmeters = ["output_text"]', "`meters` does not belong here"),
        ('source = "list"\nmultiply = "2"\ntier = "priority"', "multiplies nothing"),
        ('source = "list"\nmultiply = 0.5\ntier = "batch"', "multiply must be a string"),
        ('source = "list"\nmultiply = "2"\ninput = "3"', "`input` does not belong here"),
        ('source = "list"\nmultiply = "2"\nabove = 9', "`above` does not belong here"),
        ('source = "list"\nmultiply = "2"\nhours = "01:00-02:00"', "`hours` does not belong here"),
        ('source = "list"\nmultiply = "2"\nmeters = ["inputs"]', "unknown meter 'inputs'"),
    ],
)
def test_a_wrong_price_block(block: str, reason: str) -> None:
    said = error(block)
    assert reason in said
    assert said.startswith("acme.toml: variant m, price 1: ")


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ('name = "m"', "a [[variant]] has no `id`"),
        ('id = "m"\ncontext = "400K"', "variant m: `context` must be a whole number, not '400K'"),
        ('id = "m"\nretired = "2026-07-23"', "variant m: `retired` must be a date"),
        ('id = "m"\naliases = "n"', "variant m: `aliases` must be a list of strings"),
        ('id = "m"\nretried = 2026-07-23', "unknown key 'retried'; did you mean 'retired'?"),
        ('id = "m"\n[[variant]]\nid = "m"', "variant m: is listed twice"),
        (
            'id = "m"\naliases = ["x"]\n[[variant]]\nid = "n"\naliases = ["X"]',
            "variant n: alias 'X' already belongs to m",
        ),
    ],
)
def test_a_wrong_variant(variant: str, reason: str) -> None:
    assert reason in error(variant=variant)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ('seller = "acme"', "acme.toml: the first line must say `schema = 1`"),
        ("schema = 1", "acme.toml: `seller` is missing"),
        (
            'schema = 1\nseller = "a"\nsellers = "b"',
            "unknown key 'sellers'; did you mean 'seller'?",
        ),
        (
            'schema = 1\nseller = "a"\n[sources.list]\nurl = "u"\nchekced = 2026-01-01',
            "source list: unknown key 'chekced'; did you mean 'checked'?",
        ),
        (
            'schema = 1\nseller = "a"\n[sources]\nlist = "u"',
            "`sources` must be written as [sources.name] tables",
        ),
    ],
)
def test_a_wrong_head(head: str, reason: str) -> None:
    assert reason in error(head=head)


def test_a_single_bracket_is_explained() -> None:
    with pytest.raises(CardError, match=r"`variant` must be written as \[\[variant\]\] tables"):
        parse_card(HEAD + '[variant]\nid = "m"', "acme.toml")


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ('factor = "0.2"\nfrom = 2025-01-01\nsource = "list"', "offer 1: `of` is missing"),
        ('of = "a"\nfrom = 2025-01-01\nsource = "list"', "offer 1: `factor` is missing"),
        ('of = "a"\nfactor = 0.2\nfrom = 2025-01-01\nsource = "list"', "factor must be a string"),
        ('of = "a"\nfactor = "0.2"\nfrom = 2025-01-01\nsource = "list"\nvariant = "m"',
         "unknown key 'variant'; did you mean 'variants'?"),
        ('of = "a"\nfactor = "0.2"\nfrom = 2025-01-01\nsource = "list"\nvariants = "gpt-*"',
         "`variants` must be a list of strings"),
    ],
)  # fmt: skip
def test_a_wrong_offer(offer: str, reason: str) -> None:
    with pytest.raises(CardError) as caught:
        parse_card(f"{HEAD}[[offer]]\n{offer}", "acme.toml")
    assert reason in str(caught.value)


def test_prices_read_when_asked_for_are_those_of_the_whole_file() -> None:
    for text, origin in shipped_texts().values():
        whole, later = parse_card(text, origin), parse_card(text, origin, lazy=True)
        assert not later.priced
        for name in reversed(list(later.variants)):
            assert later.rates_of(name) == whole.rates_of(name)
        assert later.rates == whole.rates
        assert [r.rate_id for r in later.rates] == [r.rate_id for r in whole.rates]
        assert (later.variants, later.aliases, later.offers) == (
            whole.variants, whole.aliases, whole.offers,
        )  # fmt: skip


def test_a_variant_of_no_card_has_no_rates() -> None:
    text, origin = shipped_texts()["openai"]
    assert parse_card(text, origin, lazy=True).rates_of("no-such-model") == []
