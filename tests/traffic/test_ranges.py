"""Shares, ramp, compaction and success as ranges: what each moves, and where it ends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.traffic import ScenarioError, fill_from_store, fit, parse_scenario, schema, simulate
from ingest.traffic.scenarios.fitting import asks_failures
from ingest.traffic.simulation.legs import Leg, build_legs
from ingest.traffic.simulation.library import shaped_output
from ingest.traffic.simulation.parameters import number_at, parameters, with_number
from ingest.traffic.simulation.routing import drawn_shares
from ingest.traffic.simulation.sobol import Z90
from ingest.traffic.traces.stored import failures_in_store
from ingest.traffic.traces.trace import Trace
from tests.traffic.prices import PRICES

TEXT = """
draws = 512
variants = ["gpt-5.2", "gpt-5-mini"]
[[workloads]]
name = "w"
{top}
[workloads.volume]
sessions_per_day = 10_000
{volume}
[workloads.structure]
system_tokens = 400
user_tokens = 100
turns = 3
session_spread = 0
[workloads.output]
tokens = 200
{rest}
"""

# Where each number stands; X is its value.
PLACES = {
    "failed_input_share": ("rest", "[workloads.failures]\nfailed_rate = 0.5\nfailed_input_share=X"),
    "share of gpt-5-mini": ("rest", '[[workloads.routing]]\nvariant = "gpt-5-mini"\nshare = X'),
    "share of gpt-5-mini by rule": (
        "rest",
        '[[workloads.routing]]\nvariant = "gpt-5-mini"\nshare = X\nwhen = { turn_from = 2 }',
    ),
    "fallback_rate": ("top", 'fallback_variant = "gpt-5-mini"\nfallback_rate = X'),
    "failed_rate": (
        "rest",
        '[workloads.failures]\nfailed_rate = X',
    ),
    "compaction keep_share": ("rest", "[workloads.compaction]\nat_tokens = 1000\nkeep_share = X"),
    "ramp_start": ("volume", "ramp_days = 20\nramp_start = X"),
}  # fmt: skip


def text_with(name: str, value: str) -> str:
    where, line = PLACES[name]
    parts = {"top": "", "volume": "", "rest": "", where: line.replace("X", value)}
    if name == "failed_rate":
        parts["top"] = 'fallback_variant = "gpt-5-mini"'
    return TEXT.format(**parts)


def row(text: str) -> dict[str, Any]:
    scenario = parse_scenario(text)
    return simulate(scenario, PRICES, levers=False, variants=["gpt-5.2"])["variants"][0]


def width(answer: dict[str, Any]) -> float:
    cost = answer["cost_usd"]
    return float(cost["p90"]) - float(cost["p10"])


@pytest.mark.parametrize("name", list(PLACES))
def test_a_range_of_equal_ends_is_the_value_and_a_wider_one_is_wider(name: str) -> None:
    plain, equal, some, wide = (
        row(text_with(name, x))
        for x in ("0.4", "{ p10 = 0.4, p90 = 0.4 }", "{ p10 = 0.3, p90 = 0.5 }",
                  "{ p10 = 0.2, p90 = 0.8 }")
    )  # fmt: skip
    assert equal["cost_per_session_usd"] == plain["cost_per_session_usd"]
    assert float(equal["cost_usd"]["p50"]) == pytest.approx(float(plain["cost_usd"]["p50"]), 2e-3)
    assert width(equal) == pytest.approx(width(plain), rel=0.1)
    assert width(plain) < width(some) < width(wide)
    (line,) = (
        t for t in wide["tornado"] if t["parameter"] == f"w: {name.removesuffix(' by rule')}"
    )
    assert abs(line["high"] - line["low"]) > 0.01


@pytest.mark.parametrize("name", [n for n in PLACES if n != "compaction keep_share"])
def test_the_ends_of_the_tornado_are_the_bills_at_the_ends(name: str) -> None:
    def cost(value: str) -> float:
        scenario = parse_scenario(text_with(name, value))
        legs = build_legs(scenario, scenario.workloads[0], "gpt-5.2", PRICES, ranges=False)
        return sum(share * leg.central() for share, leg in legs)

    wide = row(text_with(name, "{ p10 = 0.2, p90 = 0.8 }"))
    (line,) = (
        t for t in wide["tornado"] if t["parameter"] == f"w: {name.removesuffix(' by rule')}"
    )
    assert line["low"] == pytest.approx(cost("0.2") / cost("0.4") - 1, abs=1e-6)
    assert line["high"] == pytest.approx(cost("0.8") / cost("0.4") - 1, abs=1e-6)


# A number of each kind that is not a share: its low, middle and high end.
COUNTS = {
    "output n": ("rest", "[workloads.output]\nn = X", (1, 4)),
    "output max_output": ("rest", "[workloads.output]\nmax_output = X", (50, 150)),
    "output median_scale": ("rest", "[workloads.output]\nmedian_scale = X", (0.5, 2)),
    "output tail_scale": ("rest", "[workloads.output]\ntail_scale = X", (0.5, 2)),
    "cache lifetime_s": ("rest", "[workloads.cache]\nlifetime_s = X", (30, 4000)),
    "cache min_tokens": ("rest", "[workloads.cache]\nlifetime_s = 3000\nmin_tokens = X",
                         (400, 3000)),
    "cache machines": ("rest", "[workloads.cache]\nmin_tokens = 0\nmachines = X", (1, 9)),
    "session_spread": ("rest", "[workloads.structure]\nsession_spread = X", (0.2, 1.4)),
}  # fmt: skip


def counted(name: str, value: str) -> str:
    """A chat with long histories and varying answers, with the number at ``value``."""
    _, line, _ = COUNTS[name]
    tables = {
        "structure": "system_tokens = 400\nuser_tokens = 200\nturns = { p10 = 2, p50 = 6, p90 = "
        "20 }\nturn_gap_s = { p10 = 10, p50 = 200, p90 = 2000 }\n",
        "output": "tokens = { p10 = 50, p50 = 150, p90 = 600 }\nreasoning_tokens = 60\n",
    }
    table, _, key = line.partition("\n")
    head = table.strip("[]").removeprefix("workloads.")
    tables[head] = tables.get(head, "") + key.replace("X", value)
    body = "".join(f"[workloads.{t}]\n{keys}\n" for t, keys in tables.items())
    return (
        'draws = 512\n[[workloads]]\nname = "w"\n[workloads.volume]\nsessions_per_day = 1000\n'
        + body
    )


@pytest.mark.parametrize("name", list(COUNTS))
def test_the_tornado_of_other_numbers_goes_from_bill_to_bill(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.traffic.simulation.synth.LIBRARY_CALLS", 800)

    def leg(value: str, ranges: bool = False) -> Leg:
        scenario = parse_scenario(counted(name, value))
        return build_legs(scenario, scenario.workloads[0], "gpt-5.2", PRICES, ranges)[0][1]

    low, high = COUNTS[name][2]
    bills = [leg(f"{x!r}").central() for x in (low, (low * high) ** 0.5, high)]
    got = leg(f"{{ p10 = {low}, p90 = {high} }}", ranges=True)
    (drawn,) = got.params
    assert drawn.name == name
    ends = got.evaluate(np.array([[-Z90], [0.0], [Z90]]))["cost"]
    assert ends.tolist() == pytest.approx(bills, rel=1e-9)
    assert abs(ends[2] / ends[0] - 1) > 0.002


def test_candidates_of_recorded_calls_multiply_what_was_recorded() -> None:
    trace = Trace(np.arange(4), np.full(4, 100), np.array([10, 20, 30, 40]),
                  reasoning_tokens=np.full(4, 5))  # fmt: skip
    text = (
        '[[workloads]]\nname = "w"\ntrace = "t.parquet"\n[workloads.volume]\n'
        "sessions_per_day = 1\n[workloads.output]\nn = 3\nmax_output = 30"
    )
    shaped = shaped_output(trace, parse_scenario(text).workloads[0])
    assert shaped.output_tokens.tolist() == [30, 60, 90, 90]
    # The part that was thought stays the part it was.
    assert shaped.reasoning_tokens.tolist() == [15, 15, 15, 11]


@given(st.floats(0.01, 0.5), st.floats(1, 5))
def test_a_range_of_drift_counts_as_the_root_of_its_mean_square(low: float, ratio: float) -> None:
    high = low * ratio
    drift = f"{{ p10 = {low}, p90 = {high} }}"
    text = TEXT.format(top="", rest="", volume=f"drift = {drift}")
    (drawn,) = parameters(parse_scenario(text).workloads[0], "gpt-5.2")
    # By numbers: sd's drawn as a lognormal between the two.
    at = np.exp(np.linspace(-6, 6, 4001) * np.log(ratio) / (2 * Z90)) * (low * high) ** 0.5
    weight = np.exp(-(np.linspace(-6, 6, 4001) ** 2) / 2)
    sd = float(np.sqrt((at**2 * weight).sum() / weight.sum()))
    assert np.log(drawn.ends[1]) / Z90 == pytest.approx(sd, rel=1e-3)
    assert drawn.ends[0] == pytest.approx(1 / drawn.ends[1])


def test_a_peak_from_a_range_is_judged_by_its_p90() -> None:
    text = TEXT.format(top="", rest="", volume="peak_over_mean = X")
    limit = "[limits.default]\nrequests_per_minute = 60\n"
    # 10,000 sessions of three calls a day are 20.8 a minute.
    for peak, warned in (("2.8", False), ("2.9", True), ("{ p10 = 1, p90 = 2.9 }", True),
                         ("{ p10 = 1, p90 = 2.8 }", False)):  # fmt: skip
        said = row(text.replace("X", peak) + limit)["warnings"]
        assert any("rate limit" in w for w in said) == warned, peak


def test_the_store_tells_drift_peak_and_shapes() -> None:
    text = (
        '[[workloads]]\nname = "w"\n[workloads.volume]\nsessions_per_day = "from store"\n'
        'drift = "from store"\npeak_over_mean = "from store"\nhour_shape = "from store"\n'
        'weekday_shape = "from store"\n'
    )
    # Four weeks from a Monday, a call an hour by day (8 to 19) on working days.
    hours = [d * 24 + h for d in range(28) if d % 7 < 5 for h in range(8, 20)]
    start = 1_772_409_600  # 2026-03-02, a Monday
    trace = Trace((np.array(hours) * 3600 + start) * 1_000_000, np.full(len(hours), 100),
                  np.full(len(hours), 10), layout="store")  # fmt: skip
    volume = fill_from_store(parse_scenario(text), trace).workloads[0].volume
    assert volume.hour_shape == [0.0] * 8 + [2.0] * 12 + [0.0] * 4
    assert volume.weekday_shape == [1.4] * 5 + [0.0] * 2
    assert volume.drift == fit(trace).drift < 0.3 * (3 / 6) ** 0.5  # weeks were alike
    assert volume.peak_over_mean is not None
    short = trace.select(np.arange(20))
    assert fill_from_store(parse_scenario(text), short).workloads[0].volume.hour_shape is None
    with pytest.raises(ScenarioError, match="still 'from store'"):
        row(text.replace('sessions_per_day = "from store"', "sessions_per_day = 5"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[workloads.cache]\nstep = { p10 = 1, p90 = 2 }", "cache.step: is a setting: it takes one"
         " value, not a range"),
        ("[workloads.cache]\nenabled = { p10 = 1, p90 = 2 }", "cache.enabled: is a setting"),
        ('[workloads.cache]\nstep = "from store"', 'one value, not "from store"'),
        ("[workloads.cache]\nmachines = 0.5", "cache.machines: must be at least 1, got 0.5"),
    ],
)  # fmt: skip
def test_settings_take_one_value_and_say_so(line: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(said)):
        parse_scenario(TEXT.format(top="", volume="", rest=line))


def test_a_prompt_is_counted_or_given() -> None:
    text = TEXT.format(top="", volume="", rest="").replace(
        "system_tokens = 400", 'system_tokens = X\nsystem_file = "p.md"'
    )
    with pytest.raises(ScenarioError, match="system_file is counted: leave out system_tokens"):
        parse_scenario(text.replace("X", "400"))
    assert parse_scenario(text.replace("X", "0")).workloads[0].structure.system_file == "p.md"


def test_a_recording_is_not_described_besides() -> None:
    text = TEXT.format(top='trace = "t.parquet"', volume="", rest="")
    with pytest.raises(ScenarioError, match=r"workload w: trace draws recorded sessions, which "
                       r"have their own structure, output.tokens: leave out"):  # fmt: skip
        parse_scenario(text)


def test_a_shape_has_a_number_for_each_hour() -> None:
    for count in (23, 25):
        text = TEXT.format(top="", rest="", volume=f"hour_shape = {[1] * count}")
        said = f"volume.hour_shape: must have 24 entries, not {count}"
        with pytest.raises(ScenarioError, match=said):
            parse_scenario(text)


def test_ramp_days_and_compaction_tokens_take_ranges() -> None:
    ramp = TEXT.format(top="", rest="", volume="ramp_days = X")
    sure, wide = (row(ramp.replace("X", x)) for x in ("20", "{ p10 = 10, p90 = 40 }"))
    assert width(sure) < width(wide)
    # A ramp from a tenth: half of 0.9 of the days and half a day are missing (30 - 8.55 - 0.45 = 21
    # of 20 days); ten days miss 4.95.
    (line,) = (t for t in wide["tornado"] if t["parameter"] == "w: ramp_days")
    assert line["low"] == pytest.approx((30 - 4.95) / (30 - 9.45) - 1)
    cut = TEXT.format(top="", volume="", rest="[workloads.compaction]\nat_tokens = X")
    bills = {x: float(row(cut.replace("X", x))["cost_per_session_usd"]) for x in ("600", "1500")}
    both = row(cut.replace("X", "{ p10 = 600, p90 = 1500 }"))
    (line,) = (t for t in both["tornado"] if t["parameter"] == "w: compaction at_tokens")
    middle = float(both["cost_per_session_usd"])
    assert line["low"] == pytest.approx(bills["600"] / middle - 1, abs=0.02)
    assert line["high"] == pytest.approx(bills["1500"] / middle - 1, abs=0.02)


def test_draws_of_routes_never_take_more_than_all() -> None:
    route = '[[workloads.routing]]\nvariant = "{}"\nshare = {{ p10 = {}, p90 = {} }}\n'
    text = TEXT.format(top="", volume="", rest=route.format("gpt-5-mini", 0.2, 0.5)
                       + route.format("claude-opus-4-5", 0.1, 0.4))  # fmt: skip
    workload = parse_scenario(text).workloads[0]
    places = [p.field for p in parameters(workload, "gpt-5.2")]
    assert places == ["routing.0.share", "routing.1.share"]
    high = {place: np.array([1.0, 4.0]) for place in places}
    got = drawn_shares(workload, "gpt-5.2", high, 2)
    assert sum(got.values()) == pytest.approx([1.0, 1.0])
    assert got["gpt-5.2"][1] == 0
    # In proportion: sqrt(0.1) to 0.2.
    assert got["gpt-5-mini"][1] / got["claude-opus-4-5"][1] == pytest.approx(0.1**0.5 / 0.2)
    # Sessions and requests are neither lost nor made, whatever is drawn.
    answer = row(text)
    assert answer["requests"]["p50"] == pytest.approx(900_000, rel=0.01)
    assert answer["sessions"]["p90"] == pytest.approx(300_000, rel=0.01)


def test_a_share_drawn_beyond_all_is_all() -> None:
    text = text_with("failed_input_share", "{ p10 = 0.5, p90 = 1 }")
    scenario = parse_scenario(text)
    (_, leg), = build_legs(scenario, scenario.workloads[0], "gpt-5.2", PRICES)  # fmt: skip
    at = leg.evaluate(np.array([[Z90], [2.0]]))["input"]
    assert at[0] == pytest.approx(at[1], rel=1e-9)
    assert at[0] / (leg.means.tokens["input_uncached"] * leg.sessions) == pytest.approx(1.5)


def test_success_moves_a_task_and_not_the_bill() -> None:
    plain, unsure = (
        row(TEXT.format(top=f"success_rate = {x}", volume="", rest=""))
        for x in ("0.4", "{ p10 = 0.2, p90 = 0.8 }")
    )
    assert unsure["cost_per_successful_task_usd"] == plain["cost_per_successful_task_usd"]
    assert not any("success" in t["parameter"] for t in unsure["tornado"])
    assert "successful_task_usd" not in plain
    task = {p: float(v) for p, v in unsure["successful_task_usd"].items()}
    middle = float(plain["cost_per_successful_task_usd"])
    assert (task["p10"], task["p90"]) == (
        pytest.approx(middle / 2, rel=0.05), pytest.approx(middle * 2, rel=0.05),
    )  # fmt: skip
    assert width(unsure) == pytest.approx(width(plain), rel=0.2)


def test_levers_say_what_an_uncertain_share_makes_of_them() -> None:
    def levers(top: str) -> dict[str, dict[str, Any]]:
        scenario = parse_scenario(TEXT.format(top=top, volume="", rest=""))
        return {r["lever"]: r for r in simulate(scenario, PRICES)["levers"]}

    low, sure, high = (levers(f"can_wait = {x}\neasy_share = {x}") for x in ("0.2", "0.4", "0.8"))
    span = "{ p10 = 0.2, p90 = 0.8 }"
    unsure = levers(f"can_wait = {span}\neasy_share = {span}")
    for name in ("batch for what can wait", "route the easy share to gpt-5-mini"):
        assert unsure[name]["saving_usd"] == sure[name]["saving_usd"]
        assert unsure[name]["saving_p10_usd"] == low[name]["saving_usd"]
        assert unsure[name]["saving_p90_usd"] == high[name]["saving_usd"]
        assert "20% to 80%" in unsure[name]["assumes"]
        assert "saving_p10_usd" not in sure[name]


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [("0.6", "0.4", True), ("0.6", "0.41", False),
     ("{ p10 = 0.1, p90 = 0.6 }", "0.4", True), ("{ p10 = 0.1, p90 = 0.61 }", "0.4", False)],
)  # fmt: skip
def test_shares_of_routes_add_up_to_at_most_one(first: str, second: str, fits: bool) -> None:
    routes = "".join(
        f'[[workloads.routing]]\nvariant = "gpt-5-mini"\nshare = {x}\n' for x in (first, second)
    )
    text = TEXT.format(top="", volume="", rest=routes)
    if fits:
        assert len(parse_scenario(text).workloads[0].routing) == 2
        return
    with pytest.raises(ScenarioError, match="routing add up to more than 1") as said:
        parse_scenario(text)
    assert ("p90" in str(said.value)) == ("p90" in first)


@pytest.mark.parametrize("name", [n for n in PLACES if n != "failed_rate"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1.01", "at most 1"), ("{ p10 = 0.5, p90 = 1.01 }", "p90: must be at most 1, got 1.01"),
        ("{ p10 = 0, p90 = 0.5 }", "p10: must be greater than 0"),
        ("{ p10 = 0.5, p90 = 0.4 }", "must not be below p10"),
    ],
)  # fmt: skip
def test_a_share_that_cannot_be_is_an_error(name: str, value: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        parse_scenario(text_with(name, value))
    assert parse_scenario(text_with(name, "{ p10 = 0.5, p90 = 1 }"))


def test_a_success_rate_of_nothing_is_an_error() -> None:
    with pytest.raises(ScenarioError, match="greater than 0"):
        parse_scenario(TEXT.format(top="success_rate = 0", volume="", rest=""))


def test_numbers_are_found_and_changed_by_their_place() -> None:
    workload = parse_scenario(text_with("share of gpt-5-mini", "0.5")).workloads[0]
    changed = with_number(workload, "routing.0.share", 0.25)
    assert number_at(changed, "routing.0.share") == 0.25
    assert number_at(workload, "routing.0.share") == 0.5
    assert number_at(with_number(workload, "fallback_rate", 0.1), "fallback_rate") == 0.1


def test_the_schema_names_the_forms_a_share_may_have() -> None:
    tables = schema()["$defs"]
    for table, key in (
        ("Workload", "success_rate"), ("Route", "share"), ("Volume", "ramp_start"),
        ("Failures", "failed_input_share"), ("Compaction", "keep_share"),
    ):  # fmt: skip
        assert "ShareRange" in str(tables[table]["properties"][key]), key
    assert tables["ShareRange"]["properties"]["p90"]["maximum"] == 1


def test_what_failed_can_come_from_the_store(tmp_path: Path) -> None:
    import duckdb

    con = duckdb.connect()
    con.sql("CREATE TABLE calls_stored (failed BOOLEAN, input_total BIGINT, output_total BIGINT,"
            " requests BIGINT)")  # fmt: skip
    con.sql("INSERT INTO calls_stored VALUES (false, 100, 5, 1), (false, 300, 5, 1),"
            " (false, 200, 5, 1), (false, 200, 5, 1), (true, 100, 0, 1),"
            " (true, 9, 0, 40)")  # fmt: skip
    failures = failures_in_store(con)
    assert failures == (0.25, 0.5)
    trace = Trace(np.arange(5) * 10**6, np.full(5, 200), np.full(5, 5))
    store = '"from store"'
    asked = parse_scenario(TEXT.format(
        top="", volume="",
        rest=f"[workloads.failures]\nfailed_rate = {store}\nfailed_input_share = {store}",
    ))  # fmt: skip
    assert asks_failures(asked)
    got = fill_from_store(asked, trace, failures).workloads[0].failures
    assert (got.failed_rate, got.failed_input_share) == failures
    for name, place in (("share of gpt-5-mini", r"routing\[1\].share"),
                        ("fallback_rate", "fallback_rate")):  # fmt: skip
        other = parse_scenario(text_with(name, store))
        assert not asks_failures(other)
        with pytest.raises(ScenarioError, match=place + " is 'from store', but a log cannot"):
            fill_from_store(other, trace)
