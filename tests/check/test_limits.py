"""Every limit, at n and n + 1, absolute and against a base; what never fails for lack of a base."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.check.helpers import Project, gaps, head, prompt, rules, size, words


def usd(text: str | None) -> Decimal:
    assert text is not None
    return Decimal(text)


# --- absolute ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "failing"), [(100, []), (101, ["max-tokens"])])
def test_tokens_a_call(project: Project, tokens: int, failing: list[str]) -> None:
    project.config("[check.limits]\nmax_tokens = 100")
    project.write("prompts/a.md", words(tokens))
    result = project.check()
    assert (rules(result), result.exit_code) == (failing, len(failing))


def test_usd_a_call_is_input_and_expected_output(project: Project) -> None:
    # 1,000 x 2 + 100 x 10 USD per million = 0.003 USD.
    project.write("prompts/a.md", words(1000))
    for limit, failing in (("0.003", []), ("0.002999999999", ["max-usd-per-call"])):
        project.config(
            f"[check.traffic]\noutput_tokens = 100\n[check.limits]\nmax_usd_per_call = '{limit}'"
        )
        assert rules(project.check()) == failing
    assert usd(head(project.check(), "prompts/a.md")["usd_per_call"]["expected"]) == Decimal(
        "0.003"
    )


def test_the_worst_call_has_all_output_that_is_allowed(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.config("[check.limits]\nmax_usd_per_call_worst = '0.012'")
    result = project.check()  # the model's own 1,000 output tokens: 0.002 + 0.01
    assert result.exit_code == 0
    worst = head(result, "prompts/a.md")
    assert usd(worst["usd_worst_call"]) == Decimal("0.012")
    assert worst["output"]["cap_source"] == "model limit (no cap set)"
    project.config("[check.limits]\nmax_usd_per_call_worst = '0.011999'")
    assert rules(project.check()) == ["max-usd-per-call-worst"]
    project.config(
        "[check.limits]\nmax_usd_per_call_worst = '0.007'\n[check.traffic]\nmax_output_tokens = 500"
    )
    assert project.check().exit_code == 0


def test_usd_a_month(project: Project) -> None:
    # 0.002 USD a call, 300,000 calls.
    project.write("prompts/a.md", words(1000))
    for limit, failing in ((600, []), ("'599.99'", ["max-usd-per-month"])):
        project.config(
            "[check.traffic]\ncalls_per_month = 300000\n"
            f"[check.limits]\nmax_usd_per_month = {limit}"
        )
        assert rules(project.check()) == failing


def test_share_of_the_context(project: Project) -> None:
    project.config("[check.limits]\nmax_context_share = '50 %'")
    for tokens, failing in ((5000, []), (5001, ["max-context-share"])):
        project.write("prompts/a.md", words(tokens))
        assert rules(project.check()) == failing


def test_a_prompt_above_the_context_is_seen_with_its_history(project: Project) -> None:
    project.config(
        "[check.limits]\nmax_context_share = 1\n"
        "[check.traffic]\nturns = 4\nuser_tokens = 1000\noutput_tokens = 1000"
    )
    project.write("prompts/a.md", words(3000))
    assert project.check().exit_code == 0  # 3,000 + 4 x 1,000 + 3 x 1,000 = 10,000
    project.write("prompts/a.md", words(3001))
    assert rules(project.check()) == ["max-context-share"]


def test_the_judged_end_of_the_interval_can_be_chosen(project: Project) -> None:
    project.write("prompts/a.j2", "{{ x }}")
    for judge, code in (("low", 0), ("expected", 0), ("high", 1)):
        project.config(
            f"[check.limits]\nmax_tokens = 10\njudge = '{judge}'\n"
            "[check.traffic.variables]\nx = [1, 10, 11]"
        )
        assert project.check().exit_code == code


def test_warn_does_not_fail(project: Project) -> None:
    project.write("prompts/a.md", words(11))
    project.config("[check.limits]\nmax_tokens = 10\nlevel = 'warn'")
    result = project.check()
    assert (result.exit_code, result.status, rules(result)) == (0, "pass", ["max-tokens"])


@pytest.mark.parametrize(
    "place",
    ["path = 'prompts/big/**'", "prompt = 'prompts/big/*'", "model = 'gpt-4o'"],
)
def test_limits_by_path_prompt_and_model(project: Project, place: str) -> None:
    project.write("prompts/big/a.md", words(50))
    project.write("prompts/b.md", words(10))
    project.config(
        f"[check.limits]\nmax_tokens = 10\n[[check.overrides]]\n{place}\nmax_tokens = 50"
    )
    assert project.check().exit_code == 0
    project.write("prompts/big/a.md", words(51))
    assert rules(project.check()) == ["max-tokens"]


def test_a_prompts_own_section_beats_overrides(project: Project) -> None:
    project.write("prompts/a.md", words(50))
    project.config(
        "[check.limits]\nmax_tokens = 10\n[[check.overrides]]\npath = '**'\nmax_tokens = 20\n"
        "[[check.prompts]]\npath = 'prompts/a.md'\nlimits = {max_tokens = 50}"
    )
    assert project.check().exit_code == 0


def test_limits_of_the_whole_project(project: Project) -> None:
    project.write("prompts/a.md", words(50))
    project.write("prompts/b.md", words(50))
    for limit, failing in ((100, []), (99, ["max-tokens"])):
        project.config(f"[check.total]\nmax_tokens = {limit}")
        assert rules(project.check()) == failing
    for limit, failing in (("'20'", []), ("'19.99'", ["max-usd-per-month"])):
        project.config(
            f"[check.total]\nmax_usd_per_month = {limit}\n[check.traffic]\ncalls_per_month = 100000"
        )
        assert rules(project.check()) == failing


# --- traffic -----------------------------------------------------------------------------------


def test_without_traffic_no_month_is_made_up(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.config("")
    priced = head(project.check(), "prompts/a.md")
    assert priced["usd_per_month"] is None
    assert usd(priced["usd_per_1000_calls"]["expected"]) == Decimal(2)


def test_history_grows_with_every_turn(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.config("[check.traffic]\nturns = 5\nuser_tokens = 100\noutput_tokens = 200")
    talk = head(project.check(), "prompts/a.md")["conversation"]
    # n·S + U·n(n+1)/2 + O·n(n-1)/2
    sent = 5 * 1000 + 100 * 15 + 200 * 10
    assert (talk["turns"], talk["input_tokens"]) == (5, sent)
    assert usd(talk["usd"]["expected"]) == Decimal(sent * 2 + 5 * 200 * 10) / 10**6


def test_conversations_a_month_count_every_turn(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.config("[check.traffic]\nturns = 5\nconversations_per_month = 1000")
    priced = head(project.check(), "prompts/a.md")
    assert usd(priced["usd_per_month"]["expected"]) == Decimal(10)


def test_low_and_high_reach_the_month(project: Project) -> None:
    project.write("prompts/a.j2", "{{ x }}")
    project.config(
        "[check.traffic]\ncalls_per_month = 1000000\noutput_tokens = [0, 10, 100]\n"
        "variables.x = [10, 100, 1000]"
    )
    month = head(project.check(), "prompts/a.j2")["usd_per_month"]
    assert [usd(month[k]) for k in ("low", "expected", "high")] == [20, 300, 3000]


def test_a_prompts_traffic_is_merged_with_the_defaults(project: Project) -> None:
    project.write("prompts/a.j2", "{{ x }}{{ y }}")
    project.config(
        "[check.traffic]\ncalls_per_month = 10\nvariables.x = 3\n"
        "[[check.prompts]]\npath = 'prompts/a.j2'\ntraffic = {variables = {y = 4}}"
    )
    result = project.check()
    assert size(result, "prompts/a.j2") >= 6
    assert prompt(result, "prompts/a.j2")["traffic"]["calls_per_month"] == 10


def test_a_cached_share_lowers_the_price_of_the_stable_prefix(project: Project) -> None:
    project.write("prompts/a.md", words(2100))  # 2,048 cacheable: whole steps of 128
    project.config("[check.traffic]\ncached_share = '50 %'")
    priced = head(project.check(), "prompts/a.md")
    assert priced["cache"] == {
        "prefix_tokens": 2100, "cacheable_tokens": 2048, "hit_share": "0.5",
    }  # fmt: skip
    full, hit = 2100 * 2, 52 * 2 + 2048
    assert usd(priced["usd_per_call"]["expected"]) == Decimal(full + hit) / 2 / 10**6


@pytest.mark.parametrize(("tokens", "kept"), [(1023, 0), (1024, 1024), (1151, 1024), (1152, 1152)])
def test_the_caches_minimum_and_step(project: Project, tokens: int, kept: int) -> None:
    project.write("prompts/a.md", words(tokens))
    found = head(project.check(models=["gpt-4o"]), "prompts/a.md")["cache"]
    assert found["cacheable_tokens"] == kept


def test_a_miss_pays_for_the_write_where_writes_have_a_price(project: Project) -> None:
    model = "claude-sonnet-4-5"
    project.write("prompts/a.md", words(2000))  # 2,400 of its tokens
    project.config("[check.traffic]\ncached_share = 0", model=model)
    plain = head(project.check(), "prompts/a.md", model)
    assert usd(plain["usd_per_call"]["expected"]) == Decimal(2400 * 3) / 10**6
    project.config("[check.traffic]\ncached_share = '75 %'", model=model)
    cached = head(project.check(), "prompts/a.md", model)
    kept = cached["cache"]["cacheable_tokens"]
    rest = (2400 - kept) * Decimal(3)
    hit, miss = rest + kept * Decimal("0.3"), rest + kept * Decimal("3.75")
    assert usd(cached["usd_per_call"]["expected"]) == (hit * 3 + miss) / 4 / 10**6


class Logged:
    """A store that has seen one prompt."""

    def __init__(self, ident: str, **numbers: Any) -> None:
        self.ident = ident
        self.numbers = numbers

    def traffic(self, names: Sequence[str], where: object, logged: object) -> Any:
        from budgets.check import LoggedTraffic

        return LoggedTraffic(**self.numbers) if self.ident in names else None


def test_traffic_from_the_store_beats_what_is_stated(project: Project) -> None:
    project.write("prompts/a.md", words(1000))
    project.write("prompts/b.md", words(1000))
    project.config("[check.traffic]\ncalls_per_month = 5\nturns = 1")
    store = Logged(
        "prompts/a.md", calls_per_month=1000, output_tokens=(0, 100, 300), window="30 days"
    )
    result = project.check(store=store)
    priced = head(result, "prompts/a.md")
    assert usd(priced["usd_per_month"]["expected"]) == 3
    assert prompt(result, "prompts/a.md")["traffic"]["source"] == "store"
    assert prompt(result, "prompts/a.md")["notes"] == ["traffic from the store (30 days)"]
    # A prompt nobody logged has no month: the volume of all prompts is not its own.
    assert gaps(result) == ["no-logged-calls"] and result.exit_code == 3
    assert head(result, "prompts/b.md")["usd_per_month"] is None


def test_a_new_prompt_may_state_its_own_volume(project: Project) -> None:
    project.write("prompts/new.md", words(1000))
    project.config("[[check.prompts]]\npath = 'prompts/new.md'\ntraffic = {calls_per_month = 10}")
    result = project.check(store=Logged("another", calls_per_month=1))
    assert result.exit_code == 0
    assert prompt(result, "prompts/new.md")["traffic"]["source"] == "stated"
    assert "no logged calls" in prompt(result, "prompts/new.md")["notes"][0]


# --- against a base ----------------------------------------------------------------------------


def changed(
    project: Project, config: str, before: int, after: int, path: str = "prompts/a.md"
) -> Any:
    project.config(config)
    project.write(path, words(before))
    project.commit()
    project.branch()
    project.write(path, words(after))
    return project.check(base="main")


@pytest.mark.parametrize(("after", "failing"), [(150, []), (151, ["max-tokens-increase"])])
def test_absolute_change(project: Project, after: int, failing: list[str]) -> None:
    result = changed(project, "[check.limits]\nmax_tokens_increase = 50", 100, after)
    assert (rules(result), result.exit_code) == (failing, len(failing))


@pytest.mark.parametrize(("after", "failing"), [(110, []), (111, ["max-increase-percent"])])
def test_relative_change(project: Project, after: int, failing: list[str]) -> None:
    result = changed(project, "[check.limits]\nmax_increase_percent = 10", 100, after)
    assert rules(result) == failing


@pytest.mark.parametrize(("after", "failing"), [(59, []), (60, ["max-increase-percent"])])
def test_a_large_share_of_a_tiny_prompt_is_ignored(
    project: Project, after: int, failing: list[str]
) -> None:
    config = "[check.limits]\nmax_increase_percent = 10\nmin_tokens_increase = 50"
    assert rules(changed(project, config, 10, after)) == failing


@pytest.mark.parametrize(("after", "failing"), [(1500, []), (1501, ["max-usd-increase-per-month"])])
def test_change_in_usd_a_month(project: Project, after: int, failing: list[str]) -> None:
    config = (
        "[check.traffic]\ncalls_per_month = 1000000\n[check.limits]\n"
        "max_usd_increase_per_month = 1000"
    )
    assert rules(changed(project, config, 1000, after)) == failing


@pytest.mark.parametrize(
    ("before", "after", "failing"),
    [
        (400, 500, []),
        (400, 501, ["budget-crossed"]),
        (500, 501, ["budget-crossed"]),
        (501, 900, []),  # was above before: this change is not blamed
        (900, 400, []),
    ],
)
def test_a_budget_is_crossed_from_below_only(
    project: Project, before: int, after: int, failing: list[str]
) -> None:
    traffic = "[check.traffic]\ncalls_per_month = 1000000\n"
    config = traffic + "[check.limits]\nbudget_usd_per_month = 1000"
    assert rules(changed(project, config, before, after)) == failing
    config = traffic + "[check.total]\nbudget_usd_per_month = 1000"
    project.config(config)
    assert rules(project.check(base="main")) == failing


def test_the_projects_bill_counts_new_and_removed_prompts(project: Project) -> None:
    project.config(
        "[check.traffic]\ncalls_per_month = 1000000\n[check.total]\n"
        "max_usd_increase_per_month = 100"
    )
    project.write("prompts/a.md", words(100))
    project.write("prompts/old.md", words(70))
    project.commit()
    project.branch()
    (project.root / "prompts/old.md").unlink()
    project.write("prompts/new.md", words(120))
    result = project.check(base="main")
    assert result.exit_code == 0  # +120 - 70 tokens: 100 USD exactly
    assert {p["id"]: p["status"] for p in result.report["prompts"]} == {
        "prompts/a.md": "unchanged", "prompts/new.md": "added", "prompts/old.md": "removed",
    }  # fmt: skip
    project.write("prompts/new.md", words(121))
    assert rules(project.check(base="main")) == ["max-usd-increase-per-month"]


ALL_CHANGE_LIMITS = (
    "[check.traffic]\ncalls_per_month = 1000\n[check.limits]\nmax_tokens_increase = 0\n"
    "max_increase_percent = 0\nmax_usd_increase_per_month = 0\nbudget_usd_per_month = 0\n"
    "[check.total]\nbudget_usd_per_month = 0\nmax_usd_increase_per_month = 0"
)


def test_the_first_run_without_a_base_never_fails_for_lack_of_one(project: Project) -> None:
    project.config(ALL_CHANGE_LIMITS)
    project.write("prompts/a.md", words(100))
    result = project.check()
    assert (result.exit_code, rules(result)) == (0, [])
    assert "No base to compare with" in result.report["notes"][0]


def test_a_new_prompt_is_not_compared_with_nothing(project: Project) -> None:
    project.config(ALL_CHANGE_LIMITS.split("[check.total]", maxsplit=1)[0])
    project.write("prompts/a.md", words(100))
    project.commit()
    project.branch()
    project.write("prompts/new.md", words(100))
    result = project.check(base="main")
    assert (result.exit_code, rules(result)) == (0, [])


def test_the_merge_base_is_compared_not_the_tip(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens_increase = 5")
    project.write("prompts/a.md", words(100))
    base = project.commit()
    project.branch()
    project.write("prompts/b.md", words(10))
    project.commit()
    project.git("checkout", "-q", "main")
    project.write("prompts/a.md", words(10))  # main shrinks it: not this branch's growth
    project.commit()
    project.git("checkout", "-q", "pr")
    result = project.check(base="main")
    assert (result.exit_code, rules(result)) == (0, [])
    assert result.report["base"] == {"ref": "main", "merge_base": base}


def test_uncommitted_changes_are_measured(project: Project) -> None:
    result = changed(project, "[check.limits]\nmax_tokens_increase = 5", 10, 16)
    assert rules(result) == ["max-tokens-increase"]


def test_a_renamed_file_is_the_same_prompt(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens_increase = 5")
    project.write("prompts/a.md", "\n".join(["word word word word"] * 50))
    project.commit()
    project.branch()
    project.git("mv", "prompts/a.md", "prompts/b.md")
    project.write("prompts/b.md", "\n".join(["word word word word"] * 50) + "\n" + words(20))
    project.commit()
    result = project.check(base="main")
    assert rules(result) == ["max-tokens-increase"]
    (only,) = result.report["prompts"]
    assert (only["id"], only["status"], only["renamed_from"]) == (
        "prompts/b.md", "renamed", "prompts/a.md",
    )  # fmt: skip


def test_growth_of_an_include_is_the_parents_growth(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens_increase = 5")
    for name in "ab":
        project.write(f"prompts/{name}.j2", "word {% include 'part.j2' %}")
    project.write("prompts/part.j2", "word\nword")
    project.commit()
    project.branch()
    project.write("prompts/part.j2", "word\n" + words(20) + "\nword")
    result = project.check(base="main")
    places = [(f["prompt"], f["path"], f["line"]) for f in result.report["findings"]]
    assert places == [
        ("prompts/a.j2", "prompts/part.j2", 2), ("prompts/b.j2", "prompts/part.j2", 2),
    ]  # fmt: skip


def test_the_line_that_grew_most_is_named(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens_increase = 1")
    lines = [f"line {i} " + words(5) for i in range(1, 21)]
    project.write("prompts/a.md", "\n".join(lines))
    project.commit()
    project.branch()
    lines[2] += " more"
    lines[12] += words(40)
    project.write("prompts/a.md", "\n".join(lines))
    (finding,) = project.check(base="main").report["findings"]
    assert (finding["path"], finding["line"]) == ("prompts/a.md", 13)


def test_a_subfolder_can_be_the_project(project: Project) -> None:
    inner = Project(project.root / "apps/bot")
    inner.config("[check.limits]\nmax_tokens_increase = 5")
    inner.write("prompts/a.md", words(10))
    project.commit()
    project.branch()
    inner.write("prompts/a.md", words(16))
    result = inner.check(base="main")
    assert rules(result) == ["max-tokens-increase"]
    assert inner.check("a.md", base="main", cwd=inner.root / "prompts").exit_code == 1


def test_variables_that_only_the_base_declares_are_known_there(project: Project) -> None:
    project.config("[check.traffic.variables]\nold = 10\n[check.limits]\nmax_tokens_increase = 5")
    project.write("prompts/a.j2", "word {{ old }}")
    project.commit()
    project.branch()
    project.config("[check.traffic.variables]\nnew = 20\n[check.limits]\nmax_tokens_increase = 5")
    project.write("prompts/a.j2", "word {{ new }}")
    result = project.check(base="main")
    assert rules(result) == ["max-tokens-increase"]


def test_a_change_that_repairs_a_broken_prompt_can_pass(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens_increase = 5")
    project.write("prompts/a.j2", "{% if %}")
    project.commit()
    project.branch()
    project.write("prompts/a.j2", "word")
    result = project.check(base="main")
    assert (result.exit_code, rules(result)) == (0, ["base-unmeasured"])


def test_constants_are_compared_across_revisions(project: Project) -> None:
    project.config(
        "[check.limits]\nmax_tokens_increase = 5\n[[check.prompts]]\npath = 'app.py::SYSTEM'"
    )
    project.write("app.py", f"SYSTEM = '{words(10)}'\n")
    project.commit()
    project.branch()
    project.write("app.py", f"OTHER = 1\nSYSTEM = '{words(16)}'\n")
    result = project.check(base="main")
    assert rules(result) == ["max-tokens-increase"]


# --- the cached prefix -------------------------------------------------------------------------


def moved(project: Project, traffic: str) -> Any:
    project.config(f"[check.traffic]\nvariables.now = 8\n{traffic}")
    long = words(3000)
    project.write("prompts/a.j2", long + "\nToday is {{ now }}.")
    project.commit()
    project.branch()
    project.write("prompts/a.j2", "Today is {{ now }}.\n" + long)
    return project.check(base="main")


def test_a_value_moved_to_the_top_breaks_the_prefix_and_is_priced(project: Project) -> None:
    result = moved(project, "calls_per_month = 1000000\ncached_share = '91 %'")
    (finding,) = result.report["findings"]
    assert (finding["rule"], finding["level"], result.exit_code) == (
        "cache-prefix-broken",
        "warn",
        0,
    )
    # 2,944 tokens (23 steps of 128) were read at 1 USD instead of 2 in 91 % of a million calls.
    (row,) = prompt(result, "prompts/a.j2")["models"]
    broken = row["cache_break"]
    assert (broken["before"], broken["after"], broken["per"]) == (2944, 0, "month")
    assert usd(broken["usd"]) == Decimal("0.91") * 2944
    assert "2,944 → 0 tokens" in finding["message"]
    assert "+$2,679.04 a month at the stated 91 % hit share" in finding["message"]


def test_without_traffic_a_break_is_priced_by_the_thousand(project: Project) -> None:
    (finding,) = moved(project, "").report["findings"]
    assert "+$2.94 per 1,000 calls if every call found its prefix cached" in finding["message"]


def test_a_broken_prefix_can_fail_or_be_left_alone(project: Project) -> None:
    moved(project, "")
    text = (project.root / "tokenbooks.toml").read_text()
    project.write("tokenbooks.toml", text + "[check.limits]\ncache_prefix = 'fail'\n")
    assert project.check(base="main").exit_code == 1
    project.write("tokenbooks.toml", text + "[check.limits]\ncache_prefix = 'off'\n")
    assert rules(project.check(base="main")) == []


def test_a_shorter_prompt_is_no_broken_prefix(project: Project) -> None:
    result = changed(project, "", 3000, 1000)
    assert rules(result) == []


def test_a_fixed_variable_does_not_end_the_prefix(project: Project) -> None:
    project.write("prompts/a.j2", "Brand {{ brand }} " + words(2000))
    for fixed, long in (("true", True), ("false", False)):
        project.config(f"[check.traffic.variables]\nbrand = {{value = 'Acme', fixed = {fixed}}}")
        found = head(project.check(), "prompts/a.j2")
        whole = found["cache"]["prefix_tokens"] == found["tokens"]["expected"]
        assert whole is long


def test_the_prefix_of_a_chat_with_tools(project: Project) -> None:
    project.write(
        "prompts/a.json",
        [{"role": "system", "content": words(1500)}, {"role": "user", "content": "{{ q }}"}],
    )
    project.config("[check.traffic.variables]\nq = 100")
    found = head(project.check(), "prompts/a.json")
    assert found["tokens"]["expected"] == 3 + 4 + 1500 + 4 + 100
    assert found["cache"]["prefix_tokens"] == 3 + 1500 + 3
    assert found["cache"]["cacheable_tokens"] == 1408


def test_gaps_do_not_hide_limits(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens = 5")
    project.write("prompts/a.md", words(6))
    project.write("prompts/b.j2", "{{ x }}")
    result = project.check()
    assert (rules(result), gaps(result), result.exit_code) == (
        ["max-tokens"], ["undefined-variable"], 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("after", "said"),
    [(120, "+20 %"), (1099, "+999 %"), (1100, "+1,000 %"), (8100, "+8,000 %")],
)
def test_a_share_is_said_in_plain_numbers(project: Project, after: int, said: str) -> None:
    result = changed(project, "[check.limits]\nmax_increase_percent = 10", 100, after)
    (finding,) = result.report["findings"]
    assert f": {said} tokens on gpt-4o" in finding["message"]
