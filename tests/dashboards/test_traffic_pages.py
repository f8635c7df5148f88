"""The pages Simulate and Replay: first sight, links, uploads, errors in words."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app import source, traces
from dashboards.app.registry import VIEWS
from dashboards.app.scenarios import (
    Answers,
    fan,
    lifetime_rows,
    packed,
    result_csv,
    scenario_text,
    unpacked,
    uploaded_scenario,
    variant_rows,
)
from ingest.traffic import (
    CataloguePrices,
    ScenarioError,
    TraceError,
    parse_scenario,
    replay,
    simulate,
)

Open = Callable[..., AppTest]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Open]:
    """Open a page that asks nothing of the store; the store's folder is the test's own."""
    from pricing.catalogue import default_catalogue

    def no_store() -> None:
        raise AssertionError("the page asked the store")

    before = list(source._installed)
    source.install(source.Source(tmp_path / "t.duckdb", default_catalogue(), no_store))  # type: ignore[arg-type]

    def run(name: str, **query: str) -> AppTest:
        test = AppTest.from_file(str(VIEWS / f"{name}.py"), default_timeout=90)
        for key, value in query.items():
            test.query_params[key] = value
        test.run()
        assert not test.exception, test.exception
        return test

    yield run
    source._installed[:] = before


def metrics(test: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in test.metric}


def test_a_first_visitor_sees_a_bill_at_once(page: Open) -> None:
    shown = metrics(page("simulate"))
    text = scenario_text(Answers(variants=("gpt-5.2",)))
    row = simulate(parse_scenario(text), CataloguePrices(), levers=False)["variants"][0]
    middle = float(row["cost_usd"]["p50"])
    assert shown["30 days on gpt-5.2"] == f"${middle:,.0f}"
    assert shown["80 % confidence"].startswith("$")


def test_the_form_is_what_is_simulated_and_downloaded() -> None:
    answers = Answers(users=90, users_sure="a third to three times", cap_usd=7, batch=0.25,
                      effort="high", reasoning_tokens=400, variants=("gpt-5.2",))  # fmt: skip
    scenario = parse_scenario(scenario_text(answers))
    work = scenario.workloads[0]
    assert work.volume.users.model_dump() == {"p10": 30.0, "p90": 270.0}  # type: ignore[union-attr]
    assert (work.tiers.batch, work.output.effort, work.output.reasoning_tokens) == (
        0.25, "high", 400,
    )  # fmt: skip
    assert scenario.limits["default"].monthly_usd == 7


def test_the_fan_ends_at_the_bill() -> None:
    scenario = parse_scenario(scenario_text(Answers(variants=("gpt-5-mini",))))
    rows = fan(scenario, CataloguePrices(), "gpt-5-mini")
    whole = simulate(scenario, CataloguePrices(), levers=False)["variants"][0]["cost_usd"]
    assert [rows[-1][p] for p in ("p10", "p50", "p90")] == [
        float(whole[p]) for p in ("p10", "p50", "p90")
    ]
    assert [r["p50"] for r in rows] == sorted(r["p50"] for r in rows)
    assert (rows[0]["day"], rows[-1]["day"]) == ("2026-12-01T00:00:00", "2026-12-31T00:00:00")


def test_a_link_carries_the_answers(page: Open) -> None:
    test = page("simulate", users="2000", sim_variants="gpt-5-mini", sim_days="15")
    assert test.number_input(key="users").value == 2000
    assert "15 days on gpt-5-mini" in metrics(test)


def test_a_changed_answer_changes_the_bill(page: Open) -> None:
    test = page("simulate", sim_variants="gpt-5-mini")
    before = metrics(test)["A session"]
    test.number_input(key="output").set_value(3000).run()
    assert metrics(test)["A session"] != before
    assert not test.exception


def test_a_pasted_prompt_is_counted(page: Open) -> None:
    test = page("simulate", sim_variants="gpt-5.2")
    test.text_area(key="prompt_text").set_value("hello world " * 500).run()
    next(b for b in test.button if b.label == "Use its tokens").click().run()
    assert 1000 <= test.number_input(key="system").value <= 1006
    assert not test.exception


def test_an_unknown_variant_is_named_and_no_cost_is_shown(page: Open) -> None:
    test = page("simulate")
    test.multiselect(key="sim_variants").set_value([]).run()
    assert "Choose at least one variant." in test.info[0].value
    rows = variant_rows(
        simulate(parse_scenario(scenario_text(Answers(variants=("gpt-9",)))), CataloguePrices())
    )
    assert rows[0]["p50"] is None
    assert "no price" in rows[0]["status"]


def test_a_budget_is_held_against_the_bill(page: Open) -> None:
    test = page("simulate", sim_variants="gpt-5.2", cap="50")
    assert any("spend cap" in w.value for w in test.warning)


def test_replay_shows_an_example_at_once(page: Open) -> None:
    test = page("replay", replay_variants="gpt-5.2")
    shown = metrics(test)
    assert shown["Requests"] == "2,000"  # 250 sessions x 4 questions x 2 calls
    assert shown["From the cache on gpt-5.2"].endswith("%")


def rows() -> bytes:
    return b"".join(
        json.dumps({"t_s": t, "input_tokens": 2048, "output_tokens": 100, "hash_ids": [1, 2, 3, 4]})
        .encode() + b"\n"
        for t in (0, 60, 2000)
    )  # fmt: skip


def test_an_upload_is_replayed_by_the_rule_given(page: Open) -> None:
    test = page("replay", replay_variants="gpt-5.2", own_rule="false")
    test.segmented_control(key="trace_from").set_value("Upload").run()
    test.file_uploader(key="trace_file").upload("t.jsonl", rows()).run()
    assert not test.exception
    assert metrics(test)["Requests"] == "3"
    assert metrics(test)["From the cache on gpt-5.2"] == "33.3 %"


def test_a_broken_upload_is_explained_without_our_paths() -> None:
    with pytest.raises(TraceError, match=r"^t\.jsonl: cannot be read as a trace: line 1") as error:
        traces.uploaded("t.jsonl", b"{")
    assert "tmp" not in str(error.value).replace("t.jsonl", "")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b'{"t_s": 1, "input_tokens": 5}', "under Columns, for example output_tokens=THEIR_NAME"),
        (b'{"t_s": 1, "input_tokens": 5, "output_tokens": 1, "hash_ids": [1, 2, 3, 4]}',
         "give it under Tokens a block"),
    ],
)  # fmt: skip
def test_a_page_names_its_fields_not_the_options_of_a_command(line: bytes, field: str) -> None:
    with pytest.raises(TraceError, match=field) as error:
        traces.uploaded("t.jsonl", line)
    assert "--" not in str(error.value)


def test_only_files_below_the_stores_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "secret.jsonl").write_bytes(rows())
    (tmp_path / "books" / "t.jsonl").write_bytes(rows())
    (tmp_path / "books" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert traces.beside("t.jsonl", tmp_path / "books").requests == 3
    for name in ("../secret.jsonl", str(tmp_path / "secret.jsonl"), "link.jsonl"):
        with pytest.raises(TraceError, match="only files below"):
            traces.beside(name, tmp_path / "books")


def test_the_curve_of_lifetimes(tmp_path: Path) -> None:
    trace = traces.uploaded("t.jsonl", rows(), block_size=512)
    shares = {r["words"]: r["cached"] for r in traces.by_lifetime(trace, "all", 0, 1)}
    # 60 s between the first two, 1,940 s before the third
    assert shares == {"1 min": 2048, "5 min": 2048, "10 min": 2048, "30 min": 2048, "1 h": 4096,
                      "6 h": 4096, "24 h": 4096}  # fmt: skip


def test_charts_become_pictures() -> None:
    vl_convert = pytest.importorskip("vl_convert")
    from dashboards.app import traffic_charts

    days = [{"day": f"2026-12-0{n}T00:00:00", "p10": n, "p50": 2 * n, "p90": 3 * n}
            for n in (1, 2)]  # fmt: skip
    bars = [{"name": "users", "low": 1.0, "high": 4.0, "label": "-50 % to +100 %"}]
    for drawing in (traffic_charts.fan(days, 5.0), traffic_charts.tornado(bars, 2.0)):
        made = vl_convert.vegalite_to_png(drawing.properties(width=300).to_json())
        assert made.startswith(b"\x89PNG")


def test_several_workloads_add_up(page: Open) -> None:
    one = page("simulate", sim_variants="gpt-5-mini", users_sure="exactly", output_sure="exactly")
    two = page("simulate", sim_variants="gpt-5-mini", users_sure="exactly", output_sure="exactly",
               workloads="1", name_2="search", users_2="1000")  # fmt: skip

    def bill(test: AppTest) -> float:
        return float(metrics(test)["30 days on gpt-5-mini"].strip("$").replace(",", ""))

    assert bill(two) == pytest.approx(2 * bill(one), rel=0.06)
    again = Answers(more=(Answers(name="search", turns=9),))
    names = [w.name for w in parse_scenario(scenario_text(again)).workloads]
    assert names == ["chat", "search"]


def test_a_scenario_file_is_simulated_edited_and_in_the_link(page: Open) -> None:
    test = page("simulate", sim_from="Scenario file")
    text = scenario_text(Answers(variants=("gpt-5-mini",), days=10))
    test.file_uploader(key="scenario_file").upload("s.toml", text.encode()).run()
    assert "10 days on gpt-5-mini" in metrics(test)
    link = test.query_params["scenario"]
    link = link[0] if isinstance(link, list) else link
    opened = page("simulate", sim_from="Scenario file", scenario=link)
    assert metrics(opened) == metrics(test)
    opened.text_area(key="scenario_edit").set_value(text.replace("days = 10", "dyas = 10")).run()
    assert not opened.exception
    assert any("did you mean 'days'" in e.value for e in (*opened.error, *opened.warning))
    # Two problems are two paragraphs.
    wrong = text.replace("days = 10", "dyas = 10\nsede = 3")
    opened.text_area(key="scenario_edit").set_value(wrong).run()
    (said,) = (e.value for e in (*opened.error, *opened.warning))
    assert said.split("\n\n") == [
        "dyas: unknown key 'dyas'; did you mean 'days'?",
        "sede: unknown key 'sede'; did you mean 'seed'?",
    ]


@pytest.mark.parametrize("line", ['trace = "/etc/passwd"', 'structure.system_file = "../secret"'])
def test_an_uploaded_scenario_opens_no_file_of_this_machine(line: str) -> None:
    text = scenario_text(Answers()).replace('name = "chat"', f'name = "chat"\n{line}')
    if line.startswith("structure"):
        text = text.replace(line, "").replace("system_tokens = 800", 'system_file = "../secret"')
    if line.startswith("trace"):  # recorded sessions have no other structure or lengths
        text = f'[[workloads]]\nname = "w"\n{line}\n[workloads.volume]\nsessions_per_day = 1\n'
    with pytest.raises(ScenarioError, match="names a file, which this page does not open"):
        uploaded_scenario(text)


def test_links_that_are_cut_or_swell_are_no_scenario() -> None:
    link = packed("days = 30\n" * 50)
    assert link is not None
    assert unpacked(link) == "days = 30\n" * 50
    assert unpacked(link[:-9]) == ""
    assert unpacked("§") == ""
    bomb = packed("a" * 5_000_000)
    assert bomb is None or unpacked(bomb) == ""
    assert packed("".join(map(str, range(20_000)))) is None


def test_a_trace_is_simulated_as_it_is_uploaded(page: Open) -> None:
    calls = b"".join(
        json.dumps({"t_s": 600.0 * i, "input_tokens": 1000, "output_tokens": 100}).encode() + b"\n"
        for i in range(145)
    )  # fmt: skip
    test = page("simulate", sim_from="Recorded trace", sim_variants="gpt-5.2", sim_days="10")
    test.file_uploader(key="sim_trace").upload("t.jsonl", calls).run()
    assert not test.exception
    assert test.number_input(key="sim_rate").value == pytest.approx(144, rel=0.001)
    # 1,440 calls of 1,000 x $1.75 + 100 x $14 a million.
    middle = metrics(test)["10 days on gpt-5.2"]
    assert float(middle.strip("$")) == pytest.approx(1440 * (1000 * 1.75 + 100 * 14) / 1e6, rel=0.1)
    test.number_input(key="sim_rate").set_value(288.0).run()
    assert float(metrics(test)["10 days on gpt-5.2"].strip("$")) > 1.8 * float(middle.strip("$"))


def test_the_csv_has_a_row_a_variant_with_exact_columns() -> None:
    answers = Answers(variants=("gpt-5-mini", "gpt-9"))
    answer = simulate(parse_scenario(scenario_text(answers)), CataloguePrices(), levers=False)
    head, mini, nine = csv.reader(result_csv(answer).splitlines())
    row = dict(zip(head, mini, strict=True))
    assert row["cost_usd_p50"] == answer["variants"][0]["cost_usd"]["p50"]
    assert row["output_tokens_p90"] == str(answer["variants"][0]["tokens"]["output"]["p90"])
    assert dict(zip(head, nine, strict=True))["cost_usd_p50"] == ""


def test_the_session_scope_without_sessions_is_said_in_the_pages_words() -> None:
    trace = traces.uploaded("t.jsonl", b'{"t_s": 1, "input_tokens": 5, "output_tokens": 1}')
    with pytest.raises(TraceError) as error:
        replay(trace, ["gpt-5.2"], CataloguePrices(), scope="session")
    assert traces.in_fields(str(error.value)).endswith(
        "name it under Columns with session=THEIR_NAME, or let all share the cache"
    )


def test_uncertain_shares_have_their_intervals_on_the_page(page: Open) -> None:
    plain = page("simulate")
    assert "A successful task" not in metrics(plain)
    test = page("simulate", success="50", can_wait="10")  # both ends are needed: the defaults hold
    assert "A successful task" not in metrics(test)
    test.slider(key="success").set_value((50, 80))
    test.slider(key="can_wait").set_value((10, 40))
    test.run()
    assert not test.exception
    low, high = metrics(test)["A successful task"].split(" – ")
    assert float(low.strip("$")) < float(high.strip("$"))
    tables = [t.value for t in test.dataframe]
    variants, levers = tables[0], next(t for t in tables if "lever" in t)
    assert (variants["task_p10"] < variants["task"]).all()
    assert (variants["task"] < variants["task_p90"]).all()
    batch = levers[levers["lever"] == "batch for what can wait"].iloc[0]
    assert batch["p10"] < batch["saves"] < batch["p90"]
    # Of a lever whose share is known there is no interval.
    assert levers[levers["lever"] == "no retries"]["p10"].isna().all()


def test_the_bill_by_how_long_the_cache_lives() -> None:
    def row(*costs: str) -> dict[str, object]:
        lives = zip((300, 600, 3600), costs, (False, True, False), strict=True)
        return {"cache_lifetime": [
            {"lifetime_s": s, "cost_usd": c, "assumed": a} for s, c, a in lives
        ]}  # fmt: skip

    rows = lifetime_rows(row("12", "11", "10"))
    assert [(r["lifetime"], r["cost"], r["assumed"]) for r in rows] == [
        ("5 min", 12 * 10**12, ""), ("10 min", 11 * 10**12, "assumed here"),
        ("1 h", 10 * 10**12, ""),
    ]  # fmt: skip
    assert lifetime_rows(row("10.0", "10.0", "9.95")) == []  # less than a percent
    assert lifetime_rows({}) == []
