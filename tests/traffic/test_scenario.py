"""Scenario files: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.traffic import ScenarioError, load_scenario, parse_scenario, scenario_template, schema
from ingest.traffic.scenarios.efforts import EFFORTS, effort_ratio
from ingest.traffic.scenarios.lengths import mean_of, quantile_of
from ingest.traffic.scenarios.numbers import Distribution, Empirical, Quantiles, middle

LEAST = """
[[workloads]]
name = "chat"
[workloads.volume]
sessions_per_day = 10
"""


def test_the_least_scenario():
    s = parse_scenario(LEAST)
    assert s.variants == ["gpt-5.2"]
    assert s.workloads[0].output.tokens == 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + "sesions_per_day = 3\n", "unknown key 'sesions_per_day'; did you mean 'sessions_"),
        ("sede = 1\n" + LEAST, "top level|sede: unknown key 'sede'; did you mean 'seed'"),
        (LEAST.replace("= 10", '= "many"'), "must be a number of zero or more, a range"),
        (LEAST.replace("= 10", "= -1"), "sessions_per_day: must be at least 0, got -1"),
        (LEAST.replace("= 10", "= inf"), "sessions_per_day: must be a finite number"),
        (LEAST.replace("= 10", "= { p10 = 3, p90 = 1 }"), r"p90 \(1\) must not be below p10 \(3\)"),
        (LEAST + "calls_per_day = 3\n", "exactly one of"),
        (LEAST + "[workloads.tiers]\nbatch = 0.7\nflex = 0.4\n", "add up to more than 1"),
        (LEAST + '[workloads.output]\neffort = "hihg"\n', "got 'hihg'; did you mean 'high'"),
        (LEAST + "hour_shape = [1, 2]\n", "must have 24 entries, not 2"),
        ("days = 30\n", "workloads"),
        ("days = [\n", "not valid TOML"),
        (LEAST + "[workloads.output]\ntokens = { p10 = 9, p50 = 3, p90 = 4 }\n", "not decrease"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(text)


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        parse_scenario(text, "s")
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        # Of a table only the form it was meant as is spoken of, once.
        (
            "tokens = { mean = { p10 = -1, p90 = 4 } }",
            ["output.tokens.mean.p10: must be greater than 0, got -1"],
        ),
        (
            "tokens = { mean = 5, famly = 1 }",
            ["tokens.famly: unknown key 'famly'; did you mean 'family'?"],
        ),
        ("tokens = { values = [3, -1] }", ["output.tokens.values[2]: must be at least 0, got -1"]),
        (
            "tokens = { p10 = 1, p80 = 5 }",
            ["tokens.p90: is missing", "tokens.p80: unknown key 'p80'; did you mean 'p90'?"],
        ),
        ("n = 0.5", ["output.n: must be at least 1, got 0.5"]),
        ("n = { p10 = 0.5, p90 = 2 }", ["output.n.p10: must be at least 1, got 0.5"]),
        # A key of another table is sent home rather than to its nearest neighbour.
        ("turns = 4", ["output.turns: unknown key 'turns'; it belongs in [workloads.structure]"]),
        ("days = 4", ["output.days: unknown key 'days'; it belongs at the top of the file"]),
        (
            "qqq = 4",
            [
                "output.qqq: unknown key 'qqq'; there are tokens, reasoning_tokens, effort, "
                "reference_effort, median_scale, tail_scale, max_output, n"
            ],
        ),
    ],
)
def test_one_line_a_problem(line: str, said: list[str]) -> None:
    got = problems(LEAST + f"[workloads.output]\n{line}\n")
    assert len(got) == len(said)
    for told, expected in zip(got, said, strict=True):
        assert told.startswith("s: workload chat: output.")
        assert told.endswith(expected)


def test_a_number_that_is_none_names_the_forms_it_may_have() -> None:
    (plain,) = problems(LEAST.replace("= 10", '= "many"'))
    assert plain.endswith("p90 = ... } or \"from store\", got 'many'")
    (length,) = problems(LEAST + '[workloads.output]\ntokens = "many"\n')
    assert "a distribution { mean = ... }" in length
    assert "a distribution" not in plain


def test_numbers_may_be_ranges_or_from_the_store():
    s = parse_scenario(LEAST.replace("= 10", "= { p10 = 5, p90 = 20 }"))
    assert middle(s.workloads[0].volume.sessions_per_day) == pytest.approx(10)
    s = parse_scenario(LEAST.replace("= 10", '= "from store"'))
    with pytest.raises(ScenarioError, match="from store"):
        middle(s.workloads[0].volume.sessions_per_day)


def test_the_template_is_a_valid_scenario(tmp_path):
    (tmp_path / "prompt.md").write_text("You are helpful.")
    path = tmp_path / "s.toml"
    path.write_text(scenario_template(name='A "quoted" name', prompt_file="prompt.md"))
    s = load_scenario(path)
    assert s.name == 'A "quoted" name'
    # Files are found beside the scenario.
    assert s.workloads[0].structure.system_file == str(tmp_path / "prompt.md")


def test_schema_names_every_table():
    names = set(schema()["$defs"])
    assert {"Workload", "Volume", "Structure", "Output", "Cache", "Compaction"} <= names


@pytest.mark.parametrize("family", ["gamma", "lognormal", "weibull"])
@pytest.mark.parametrize("ratio", [1.8, 2.5, 3.0])
def test_families_have_the_mean_and_tail_asked_for(family, ratio):
    length = Distribution(family=family, mean=200, p95_over_mean=ratio)
    u = (np.arange(40_000) + 0.5) / 40_000
    values = quantile_of(length, u)
    assert values.mean() == pytest.approx(200, rel=0.01)
    assert values[38_000] == pytest.approx(200 * ratio, rel=0.01)
    assert values.min() >= 0


def test_an_impossible_tail_is_refused():
    with pytest.raises(ScenarioError, match="outside what this family can do"):
        mean_of(Distribution(family="lognormal", mean=1, p95_over_mean=50))


def test_quantiles_are_met_and_empirical_values_kept():
    q = Quantiles(p10=10, p50=100, p90=500, p99=900)
    got = quantile_of(q, np.array([0.1, 0.5, 0.9, 0.99]))
    assert got == pytest.approx([10, 100, 500, 900], rel=1e-6)
    # Nothing beyond the last quantile is invented.
    assert quantile_of(q, np.array([0.99999]))[0] == pytest.approx(900)
    e = Empirical(values=[1, 2, 9], scale=2)
    assert sorted(set(quantile_of(e, np.linspace(0.01, 0.99, 50)).tolist())) == [2, 4, 18]
    assert mean_of(e) == pytest.approx(8, rel=0.01)


def test_effort_ratios_are_relative_to_the_reference():
    assert effort_ratio("gpt-5-mini", "low", "high").mid == pytest.approx(1.79 / 0.53)
    r = effort_ratio("some-other-model", "medium", "high")
    assert (r.low, r.mid, r.high) == (1.24, 1.77, 2.6)
    for effort in EFFORTS:
        r = effort_ratio("claude-opus-5", "medium", effort)
        assert r.low <= r.mid <= r.high
        assert r.source
    with pytest.raises(ValueError, match="effort must be one of"):
        effort_ratio("gpt-5", "medium", "extreme")
