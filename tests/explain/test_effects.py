"""Effects between two periods are exact, whatever the cells."""

from hypothesis import given
from hypothesis import strategies as st

from dashboards.explain.effects import Cell, explain


def cell(tokens, price, group=("web", "m"), tier="standard", meter="input_uncached"):
    return Cell(group, tier, meter, tokens, price)


cells = st.lists(
    st.builds(
        Cell,
        group=st.tuples(st.sampled_from(["web", "ops"]), st.sampled_from(["a", "b"])),
        tier=st.sampled_from(["standard", "batch"]),
        meter=st.sampled_from(
            ["input_uncached", "cache_read", "output_text", "reasoning", "search"]
        ),
        tokens=st.integers(0, 10**10),
        price=st.none() | st.integers(0, 10**8),
    ),
    max_size=12,
)


@given(cells, cells)
def test_effects_sum_to_the_difference_exactly(before, after):
    result = explain(before, after)
    cost0 = sum(c.tokens * c.price for c in before if c.price is not None)
    cost1 = sum(c.tokens * c.price for c in after if c.price is not None)
    assert (result.before, result.after) == (cost0, cost1)
    assert sum(result.effects.values()) == cost1 - cost0
    steps = result.waterfall()
    assert steps[0][1] == cost0
    assert steps[-1][2] == cost1
    assert result.sentence().endswith(".")


@given(cells)
def test_nothing_changed_means_no_effect(same):
    assert set(explain(same, list(reversed(same))).effects.values()) == {0}


def test_price_and_volume():
    effects = explain([cell(10, 3)], [cell(20, 2)]).effects
    assert effects == {
        "retired": 0, "volume": 30, "mix": 0, "tier": 0, "cache": 0, "price": -20, "new": 0
    }  # fmt: skip


def test_cache_share_alone():
    before = [cell(10, 10), cell(0, 1, meter="cache_read"), cell(2, 1, meter="cache_read")]
    after = [cell(2, 10), cell(10, 1, meter="cache_read")]
    effects = explain(before, after).effects
    assert effects["cache"] == -72
    assert sum(abs(v) for v in effects.values()) == 72


def test_tier_share_alone():
    before = [cell(10, 10), cell(10, 5, tier="batch")]
    after = [cell(5, 10), cell(15, 5, tier="batch")]
    effects = explain(before, after).effects
    assert effects["tier"] == -25
    assert sum(abs(v) for v in effects.values()) == 25


def test_variant_mix_alone():
    cheap, dear = ("web", "cheap"), ("web", "dear")
    before = [cell(10, 1, cheap), cell(10, 9, dear)]
    after = [cell(4, 1, cheap), cell(16, 9, dear)]
    effects = explain(before, after).effects
    assert effects["mix"] == 48
    assert sum(abs(v) for v in effects.values()) == 48


def test_reasoning_share_of_output_is_mix_not_cache():
    before = [cell(10, 2, meter="output_text"), cell(10, 4, meter="reasoning")]
    after = [cell(5, 2, meter="output_text"), cell(15, 4, meter="reasoning")]
    effects = explain(before, after).effects
    assert (effects["mix"], effects["cache"]) == (10, 0)


def test_new_and_retired_are_named():
    result = explain([cell(10, 3, ("web", "old"))], [cell(4, 5, ("web", "new"))])
    assert result.new == {("web", "new"): 20}
    assert result.retired == {("web", "old"): 30}
    assert (result.effects["new"], result.effects["retired"]) == (20, -30)
    assert "web/new" in result.sentence()


def test_unpriced_is_counted_apart_and_said():
    result = explain([cell(7, None)], [cell(9, None)])
    assert (result.before, result.after, result.unpriced) == (0, 0, (7, 9))
    assert "have no price" in result.sentence()
