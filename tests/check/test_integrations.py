"""What other systems read: the action, the hook, the GitLab job, and the sample project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml

from budgets.check import CheckOptions, register, run
from budgets.check.engine import gather
from tests.check.helpers import Project, words

ROOT = Path(__file__).parents[2]


def options(name: str) -> set[str]:
    app = typer.Typer()
    register(app)
    command: Any = typer.main.get_command(app)
    return {o for parameter in command.commands[name].params for o in parameter.opts}


def steps() -> list[dict[str, Any]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    return action["runs"]["steps"]


def test_scripts_use_options_that_exist() -> None:
    texts = {
        "action.yml": "\n".join(step["run"] for step in steps()),
        "deploy/gitlab-ci.yml": (ROOT / "deploy/gitlab-ci.yml").read_text("utf-8"),
        "deploy/github-comment.yml": (ROOT / "deploy/github-comment.yml").read_text("utf-8"),
    }
    known = options("check") | options("check-comment")
    others = {"--quiet", "--no-install-recommends"}
    for name, text in texts.items():
        body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", body))
        assert used - others <= known, name


def test_no_input_is_pasted_into_a_script() -> None:
    for step in steps():
        assert "${{" not in step["run"], step["name"]


@pytest.mark.parametrize(
    ("tokens", "code", "annotation"), [(10, 0, "::notice"), (11, 1, "::error file=prompts/a.md")]
)
def test_the_actions_steps_run(
    project: Project, tmp_path: Path, tokens: int, code: int, annotation: str
) -> None:
    temp = tmp_path / "runner"
    program = temp / "tokenbooks/bin/tokenbooks"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nimport typer\n"
        "from budgets.check import register\napp = typer.Typer()\nregister(app)\napp()\n"
    )
    program.chmod(0o755)
    project.config("[check.limits]\nmax_tokens = 10", model="gpt-5.2")
    project.write("prompts/a.md", words(10))
    project.commit()
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    project.branch()
    project.write("prompts/a.md", words(tokens))
    (check,) = [s for s in steps() if s.get("id") == "check"]
    (result,) = [s for s in steps() if s["name"] == "Result"]
    environment = {
        **os.environ,
        **dict.fromkeys(check["env"], ""),
        "TARGET": "main",
        "PATHS": "prompts",
        "RUNNER_TEMP": str(temp),
        "GITHUB_OUTPUT": str(temp / "output"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary"),
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", check["run"]],
        cwd=project.root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(annotation)
    output = dict(line.split("=", 1) for line in (temp / "output").read_text().splitlines())
    assert output["exit-code"] == str(code)
    report = json.loads(Path(output["report"]).read_text())
    assert report["base"]["ref"] == "origin/main"
    assert "tokenbooks-check" in (temp / "summary").read_text("utf-8")
    last = subprocess.run(
        ["bash", "-c", result["run"]], env={"CODE": output["exit-code"]}, check=False
    )
    assert last.returncode == code


def test_an_action_without_a_result_fails() -> None:
    (result,) = [s for s in steps() if s["name"] == "Result"]
    assert subprocess.run(["bash", "-c", result["run"]], env={}, check=False).returncode == 3


def test_the_hook_checks_the_whole_project() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert (hook["entry"], hook["pass_filenames"]) == ("tokenbooks check", False)
    pattern = re.compile(hook["files"])
    for path in ("prompts/a.j2", "AGENTS.md", "x.prompty", "tokenbooks.toml", ".cursorrules"):
        assert pattern.search(path), path
    assert not pattern.search("logo.png")


def test_the_gitlab_job_declares_what_it_writes() -> None:
    job = yaml.safe_load((ROOT / "deploy/gitlab-ci.yml").read_text("utf-8"))["token-budget"]
    (script,) = job["script"]
    for path in (*job["artifacts"]["reports"].values(), *job["artifacts"]["paths"]):
        assert f"={path}" in script
    assert job["variables"]["GIT_DEPTH"] == "0"


def test_the_second_workflow_runs_no_code_of_the_fork() -> None:
    text = (ROOT / "deploy/github-comment.yml").read_text("utf-8")
    flow = yaml.safe_load(text)
    assert "pull_request_target" not in text
    used = [s.get("uses", "") for s in flow["jobs"]["comment"]["steps"]]
    assert not any(u.startswith("actions/checkout") for u in used)
    assert flow["permissions"] == {"actions": "read", "pull-requests": "write"}


def test_the_sample_project_is_within_its_limits() -> None:
    result = run(CheckOptions(cwd=ROOT / "data/samples"))
    assert result.exit_code == 0, result.report["findings"] + result.report["unmeasured"]
    kinds = {p["id"]: p["kind"] for p in result.report["prompts"]}
    assert kinds == {
        "prompts/answer.j2": "jinja",
        "prompts/order-tools.json": "tools",
        "prompts/summary.prompty": "prompty",
        "prompts/triage.json": "chat",
    }
    assert [s["path"] for s in result.report["skipped"]] == ["prompts/house-rules.j2"]


def test_this_repositorys_prompts_are_of_the_size_they_say() -> None:
    done = gather(CheckOptions(cwd=ROOT / "data/samples", models=("gpt-5.2",)))
    (answer,) = [p.head for p in done.pairs if p.head and p.head.unit.id == "prompts/answer.j2"]
    tokens = answer.sides["gpt-5.2"].tokens
    # Declared sizes move the count by what they differ: questions, orders and passages.
    assert tokens.high - tokens.expected > (200 - 40) + (300 - 90) + (4 * 240 - 2 * 180)
    assert tokens.expected - tokens.low > (40 - 10) + (90 - 40) + 2 * 180
