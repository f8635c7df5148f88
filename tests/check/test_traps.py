"""Each way in which a token check was seen to pass without checking: here it fails, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from budgets.check import CheckConfigError
from tests.check.helpers import Project, gaps, head, prompt, rules, size, words


def test_a_path_that_does_not_exist_is_no_pass(project: Project) -> None:
    result = project.check("prompts/nothing.md", models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, ["nothing-matched"])


def test_an_empty_project_is_no_pass(project: Project) -> None:
    project.config("")
    assert gaps(project.check()) == ["nothing-matched"]
    assert project.check().exit_code == 3


@pytest.mark.parametrize(
    "section",
    [
        'include = ["prompts/**", "promts/**"]',
        '[[check.prompts]]\npath = "other/*.md"',
        '[[check.overrides]]\npath = "prompts/x/**"\nmax_tokens = 10',
        '[[check.overrides]]\nmodel = "gpt-5*"\nmax_tokens = 10',
    ],
)
def test_a_pattern_that_matches_nothing_is_no_pass(project: Project, section: str) -> None:
    project.config(section)
    project.write("prompts/a.md", "hello")
    result = project.check()
    assert (result.exit_code, gaps(result)) == (3, ["nothing-matched"])
    project.write("promts/b.md", "hello")
    project.write("other/b.md", "hello")
    project.write("prompts/x/c.md", "hello")
    if "gpt-5*" not in section:
        assert project.check().exit_code == 0


def test_a_missing_vocabulary_is_no_zero(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pricing.counting import encode

    project.write("prompts/a.md", words(5000))
    project.config("[check.limits]\nmax_tokens = 10")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("TOKENBOOKS_CACHE_DIR", str(blocked))
    encode._load.cache_clear()
    try:
        result = project.check()
    finally:
        encode._load.cache_clear()
    assert (result.exit_code, gaps(result)) == (3, ["missing-vocabulary"])
    assert result.report["coverage"]["measured"] == 0


def test_a_tampered_vocabulary_is_no_count(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pricing.counting import encode
    from pricing.counting.vocab import VOCABULARIES

    folder = tmp_path / "cache" / "vocabularies"
    folder.mkdir(parents=True)
    (folder / VOCABULARIES["o200k_base"].cache_name).write_bytes(b"IQ== 0\n")
    monkeypatch.setenv("TOKENBOOKS_CACHE_DIR", str(tmp_path / "cache"))
    project.write("prompts/a.md", "hello")
    encode._load.cache_clear()
    try:
        result = project.check(models=["gpt-4o"])
    finally:
        encode._load.cache_clear()
    assert (result.exit_code, gaps(result)) == (3, ["missing-vocabulary"])


def test_an_unknown_model_is_not_free(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    project.config("[check.limits]\nmax_usd_per_call = 0.000001", model="gpt-9-huge")
    result = project.check()
    assert (result.exit_code, gaps(result)) == (3, ["unknown-model"])
    assert "gpt-9-huge" in result.report["unmeasured"][0]["message"]


def test_a_model_without_a_price_is_not_free(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    result = project.check(models=["gpt-4.1"])  # counted, but on no card of this catalogue
    assert (result.exit_code, gaps(result)) == (3, ["unpriced-model"])


def test_one_unknown_model_beside_a_known_one_is_no_pass(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    result = project.check(models=["gpt-4o", "gpt-9-huge"])
    assert (result.exit_code, gaps(result)) == (3, ["unknown-model"])
    assert size(result, "prompts/a.md") == 100


def test_unmeasured_is_allowed_only_when_asked_for(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    project.write("prompts/b.j2", "{{ missing }}")
    assert project.check(models=["gpt-4o"]).exit_code == 3
    allowed = project.check(models=["gpt-4o"], allow_unmeasured=True)
    assert (allowed.exit_code, allowed.status) == (0, "unmeasured")
    assert project.check(models=["gpt-4o"], exit_zero=True).exit_code == 0
    project.config("allow_unmeasured = true")
    assert project.check().exit_code == 0
    project.config("allow_unmeasured = true\n[check.limits]\nmax_tokens = 99")
    assert project.check().exit_code == 1


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("[check]\nmodle = 'gpt-4o'", "model"),
        ("[check.limits]\nmax_token = 5", "max_tokens"),
        ("[check.limits]\nmax_increase_pct = 5", "max_increase_percent"),
        ("[check.traffic]\ncalls_per_mont = 5", "calls_per_month"),
        ("[check.traffic.variables.x]\ntoken = 5", "tokens"),
        ("[[check.prompts]]\npath = 'a'\nentrys = ['x']", "entries"),
        ("[[check.overrides]]\npath = 'a'\nmax_usd_month = 1", "max_usd_per_month"),
        ("[check.total]\nmax_token = 1", "max_tokens"),
        ("[[check.prompts]]\npath = 'a'\ntraffic.turn = 1", "turns"),
        ("[chek]\nmodel = 'gpt-4o'", "check"),
    ],
)
def test_a_misspelt_key_is_an_error_with_the_nearest_name(
    project: Project, text: str, near: str
) -> None:
    project.write("prompts/a.md", "hello")
    project.write("tokenbooks.toml", text)
    with pytest.raises(CheckConfigError) as caught:
        project.check(models=["gpt-4o"])
    assert f"did you mean {near!r}?" in str(caught.value) or f"[{near}]?" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "limits.max_tokens = -1",
        "limits.level = 'error'",
        "traffic.output_tokens = [3, 2, 1]",
        "traffic.output_tokens = [1, 2]",
        "traffic.cached_share = 1.5",
        "traffic.cached_share = '120 %'",
        "traffic = {calls_per_month = 1, conversations_per_month = 1}",
        "traffic.variables.x = {tokens = 3, value = 'a'}",
        "overrides = [{max_tokens = 1}]",
        "models = ['gpt-4o']",  # beside `model`
    ],
)
def test_a_wrong_value_is_an_error(project: Project, text: str) -> None:
    project.config(text)
    with pytest.raises(CheckConfigError, match=r"tokenbooks\.toml"):
        project.check()


def test_without_a_model_nothing_is_assumed(project: Project) -> None:
    project.write("prompts/a.md", "hello")
    with pytest.raises(CheckConfigError, match=r"no model for prompts/a\.md"):
        project.check()


def test_an_undefined_variable_is_not_empty(project: Project) -> None:
    project.write("prompts/a.j2", "Hello\n{{ name }}")
    result = project.check(models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, ["undefined-variable"])
    problem = result.report["unmeasured"][0]
    assert (problem["path"], problem["line"]) == ("prompts/a.j2", 2)
    assert "'name' is undefined" in problem["message"]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("{% if x %}", "unrenderable-template"),
        ("{{ 1 / 0 }}", "unrenderable-template"),
        ("{% include 'gone.j2' %}", "missing-reference"),
        ("{% include '../../etc/passwd' %}", "missing-reference"),
        ("{% include 'a.j2' %}", "unrenderable-template"),
        ("{{ [1,2,3,4,5,6,7,8,9]|random }}{{ range(9999)|random }}", "unstable-template"),
        ("{{ 'x'.upper }}", "unstable-template"),
        ("{{ 'x' * 99999999 }}", "unrenderable-template"),
        ("{{ 'x'.ljust(99999999) }}", "unrenderable-template"),
        ("{{ '%099999999d' % 1 }}", "unrenderable-template"),
        ("{{ 9 ** 9999999 }}", "unrenderable-template"),
        ("{{ ''.__class__.__mro__ }}", "unrenderable-template"),
        ("{{ cycler.__init__.__globals__ }}", "unrenderable-template"),
        ("{% for i in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", "unrenderable-template"),
    ],
)
def test_a_template_that_does_not_render_is_named(project: Project, source: str, rule: str) -> None:
    project.write("prompts/a.j2", source)
    result = project.check(models=["gpt-4o"])
    assert result.exit_code == 3
    assert gaps(result)[0] in (rule, "undefined-variable" if "__" in source else rule)


def test_a_template_that_loops_is_stopped(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from budgets.check.prompts import templates

    monkeypatch.setattr(templates, "MAX_SECONDS", 0.2)
    loop = "{% for i in range(99999) %}" * 3 + "{% endfor %}" * 3
    project.write("prompts/a.j2", loop)
    result = project.check(models=["gpt-4o"])
    assert gaps(result) == ["unrenderable-template"]
    assert "takes longer" in result.report["unmeasured"][0]["message"]


@pytest.mark.parametrize("name", ["prompt.py", "prompt.js", "make.sh"])
def test_code_is_never_executed(project: Project, name: str) -> None:
    project.write(name, "open('ran', 'w').write('x')\nPROMPT = 'x'")
    result = project.check(name, models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, ["not-executed"])
    assert not (project.root / "ran").exists()


@pytest.mark.parametrize(
    "entry", ["file://make.py", "file://make.js:run", "exec: ./run.sh", "langfuse://a", "make.py"]
)
def test_a_promptfoo_script_is_never_executed(project: Project, entry: str) -> None:
    project.write("make.py", "open('ran', 'w')")
    project.write("promptfooconfig.yaml", f"prompts:\n  - Hello\n  - '{entry}'\nproviders: [x]\n")
    result = project.check(models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, ["not-executed"])
    assert size(result, "promptfooconfig.yaml::prompts[0]") == 1
    assert not (project.root / "ran").exists()


def test_importing_a_constant_runs_nothing(project: Project) -> None:
    project.write("app.py", "open('ran', 'w')\nSYSTEM = 'You are kind.'\nraise SystemExit(0)\n")
    result = project.check("app.py::SYSTEM", models=["gpt-4o"])
    assert (result.exit_code, size(result, "app.py::SYSTEM")) == (0, 4)
    assert not (project.root / "ran").exists()


@pytest.mark.parametrize(
    "source",
    ["SYSTEM = open('x').read()", "SYSTEM = load()", "OTHER = 'x'", "SYSTEM = OTHER", "SYSTEM = 5"],
)
def test_a_constant_that_is_not_static_is_named(project: Project, source: str) -> None:
    project.write("app.py", source)
    result = project.check("app.py::SYSTEM", models=["gpt-4o"])
    assert result.exit_code == 3
    assert gaps(result)[0] in ("not-static", "unknown-shape")


def test_special_token_text_is_counted_as_text(project: Project) -> None:
    project.write("prompts/a.md", "<|endoftext|>")
    assert size(project.check(models=["gpt-4o"]), "prompts/a.md") == 7


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("日本語".encode("cp932"), "unreadable-file"),
        ("hello".encode("utf-16"), "unreadable-file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "lfs-pointer"),
        (b"\x89PNG\r\n\x00\x00", "unreadable-file"),
    ],
)
def test_what_is_not_utf8_text_is_named(project: Project, content: bytes, rule: str) -> None:
    project.write("prompts/a.md", content)
    result = project.check("prompts/a.md", models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, [rule])


def test_another_encoding_can_be_stated(project: Project) -> None:
    project.write("prompts/a.md", "日本語".encode("cp932"))
    project.config('[[check.prompts]]\npath = "prompts/a.md"\nencoding = "cp932"')
    project.write("prompts/b.md", "日本語")
    result = project.check()
    assert result.exit_code == 0
    assert size(result, "prompts/a.md") == size(result, "prompts/b.md")


def test_a_byte_order_mark_is_not_sent(project: Project) -> None:
    project.write("prompts/a.md", b"\xef\xbb\xbfhello")
    assert size(project.check(models=["gpt-4o"]), "prompts/a.md") == 1


def test_crlf_is_counted_as_it_stands_and_said(project: Project) -> None:
    project.write("prompts/a.md", b"a\r\n\r\nb\r\n")
    result = project.check(models=["gpt-4o"])
    assert "CRLF" in prompt(result, "prompts/a.md")["notes"][0]


def test_a_link_out_of_the_project_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (project.root / "prompts").mkdir()
    (project.root / "prompts/a.md").symlink_to(tmp_path / "secret.md")
    result = project.check("prompts/a.md", models=["gpt-4o"])
    assert (result.exit_code, gaps(result)) == (3, ["unreadable-file"])


def test_a_monthly_limit_without_traffic_is_no_pass(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    project.config("[check.limits]\nmax_usd_per_month = 1")
    result = project.check()
    assert (result.exit_code, gaps(result)) == (3, ["no-traffic"])
    project.config("[check.total]\nmax_usd_per_month = 1")
    assert gaps(project.check()) == ["no-traffic"]


def test_a_share_of_an_unknown_context_is_no_pass(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    project.config("[check.limits]\nmax_context_share = 0.5", model="gpt-4o-mini")
    result = project.check()
    assert (result.exit_code, gaps(result)) == (3, ["no-context-window"])


def test_a_base_that_is_not_there_is_no_pass(project: Project) -> None:
    project.write("prompts/a.md", words(100))
    project.config("[check.limits]\nmax_tokens_increase = 1")
    project.commit()
    result = project.check(base="origin/main")
    assert (result.exit_code, gaps(result)) == (3, ["base-not-found"])
    assert project.check(base="0" * 40).exit_code == 0  # a new branch's push event


def test_media_of_unknown_size_is_no_pass(project: Project) -> None:
    project.write("prompts/a.prompt", "---\nmodel: x/gpt-4o\n---\nLook: {{media url=photo}}")
    assert gaps(project.check()) == ["media-undeclared"]
    project.config("[check.traffic]\nimages = [{width = 512, height = 512}]")
    result = project.check()
    # 85 tokens and one tile of 170, the published rule of gpt-4o.
    assert head(result, "prompts/a.prompt")["tokens"]["parts"]["images"] == 255


def test_a_server_side_request_is_no_pass(project: Project) -> None:
    body = {"model": "gpt-4o", "input": "hi", "previous_response_id": "resp_1"}
    project.write("prompts/a.json", body)
    result = project.check()
    assert (result.exit_code, gaps(result)) == (3, ["server-side"])


def test_a_named_file_of_unknown_shape_is_no_pass(project: Project) -> None:
    project.write("prompts/data.json", {"a": 1})
    project.write("prompts/a.md", "hello")
    assert gaps(project.check("prompts/data.json", models=["gpt-4o"])) == ["unknown-shape"]
    found = project.check(models=["gpt-4o"])  # found by name only: left out, and said so
    assert found.exit_code == 0
    assert [s["path"] for s in found.report["skipped"]] == ["prompts/data.json"]


def test_two_sections_for_one_file_are_an_error(project: Project) -> None:
    project.write("prompts/a.md", "hello")
    project.config('[[check.prompts]]\npath = "prompts/*"\n[[check.prompts]]\npath = "**/*.md"')
    with pytest.raises(CheckConfigError, match="both claim"):
        project.check()


def test_duplicate_ids_are_an_error(project: Project) -> None:
    project.write("prompts/a.md", "hello")
    project.write("prompts/b.md", "hello")
    project.config('[[check.prompts]]\npath = "prompts/*"\nid = "same"')
    with pytest.raises(CheckConfigError, match="id 'same'"):
        project.check()


def test_growth_of_a_file_read_as_prompt_is_seen(project: Project) -> None:
    """The trial that two published tools passed: a prompt file grows forty-fold."""
    project.config("[check.limits]\nmax_usd_per_call = 0.01")
    project.write("prompts/a.md", words(399))
    project.commit()
    project.branch()
    project.write("prompts/a.md", words(16739))
    result = project.check(base="main")
    assert (result.exit_code, rules(result)) == (1, ["max-usd-per-call"])


def test_a_fault_in_a_shared_expression_names_the_right_file(project: Project) -> None:
    for name in "ab":
        project.write(f"prompts/{name}.j2", "Hello\n{{ name }}")
        project.write(f"prompts/{name}{name}.j2", "Hello\n{{ name")
    result = project.check(models=["gpt-4o"])
    assert [(p["path"], p["line"]) for p in result.report["unmeasured"]] == [
        ("prompts/aa.j2", 2), ("prompts/bb.j2", 2), ("prompts/a.j2", 2), ("prompts/b.j2", 2),
    ]  # fmt: skip
    assert all("<template>" not in p["message"] for p in result.report["unmeasured"])


@pytest.mark.parametrize("now", [{"text": "word"}, b"\x00\x01\x02" * 50])
def test_a_prompt_that_becomes_unreadable_is_no_removed_prompt(project: Project, now: Any) -> None:
    project.config("")
    project.write("prompts/a.json", [{"role": "user", "content": "word"}])
    project.write("prompts/b.md", "word")
    project.commit()
    project.branch()
    project.write("prompts/a.json", now)
    project.commit()
    result = project.check(base="main")
    assert (gaps(result), result.exit_code) == (["unknown-shape"], 3)
    assert "was a prompt at the base and is none now" in result.report["unmeasured"][0]["message"]
