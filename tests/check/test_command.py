"""The commands as a user runs them: streams, files, exit codes, the comment, init, explain."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from budgets.check import CheckConfigError, register, render
from budgets.check.comment import load, post
from budgets.check.init import limit, section
from budgets.check.rules import RULES
from tests.check.helpers import Project, catalogue, words

ROOT = Path(__file__).parents[2]


def app() -> typer.Typer:
    made = typer.Typer()
    register(made, catalogue=catalogue)
    return made


@pytest.fixture
def cli(project: Project, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(app(), list(arguments))

    return call


def test_exit_codes(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(10))
    assert cli("check", "prompts", "--model", "gpt-4o").exit_code == 0
    assert cli("check", "prompts", "-m", "gpt-nine").exit_code == 3
    assert cli("check", "nothing", "-m", "gpt-4o").exit_code == 3
    assert cli("check", "prompts").exit_code == 2
    assert cli("check", "-m", "gpt-4o", "--format", "yaml").exit_code == 2
    assert cli("check", "-m", "gpt-4o", "--write", "sarif").exit_code == 2
    assert cli("check", "-m", "gpt-4o", "--from-store").exit_code == 2
    assert cli("check", "-m", "gpt-4o", "--config", "gone.toml").exit_code == 2
    assert cli("check", "../outside", "-m", "gpt-4o").exit_code == 2
    project.config("[check.limits]\nmax_tokens = 9")
    assert cli("check").exit_code == 1
    assert cli("check", "--exit-zero").exit_code == 0
    project.write("prompts/b.j2", "{{ x }}")
    assert cli("check").exit_code == 3
    assert cli("check", "--allow-unmeasured").exit_code == 1


def test_the_report_is_on_stdout_and_errors_on_stderr(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(10))
    done = cli("check", "prompts", "-m", "gpt-4o", "-f", "json")
    assert json.loads(done.stdout)["status"] == "pass"
    wrong = cli("check", "-m", "gpt-4o", "-f", "yaml")
    assert (wrong.stdout, wrong.stderr.startswith("error: no format 'yaml'")) == ("", True)


def test_several_outputs_of_one_run(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(10))
    done = cli(
        "check", "prompts", "-m", "gpt-4o", "-f", "sarif", "--output-file", "out/a.sarif",
        "--write", "json=out/a.json", "--write", "gitlab=out/a.gitlab.json",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads((project.root / "out/a.sarif").read_text())["version"] == "2.1.0"
    assert json.loads((project.root / "out/a.json").read_text())["version"] == 1
    assert json.loads((project.root / "out/a.gitlab.json").read_text()) == []


def test_the_step_summary_is_appended(
    project: Project, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = project.write("summary.md", "before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write("prompts/a.md", words(10))
    assert cli("check", "prompts", "-m", "gpt-4o", "-f", "github").exit_code == 0
    assert summary.read_text().startswith("before\n<!-- tokenbooks-check -->\n### ✅")


def test_a_wrong_configuration_is_annotated_too(project: Project, cli: Any) -> None:
    project.write("tokenbooks.toml", "[check]\nmodle = 'gpt-4o'\n")
    done = cli("check", "-f", "github")
    assert done.exit_code == 2
    assert done.stdout.startswith("::error title=tokenbooks::")
    assert "check.modle" in done.stdout


def test_pyproject_holds_the_section_too(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(10))
    project.write(
        "pyproject.toml",
        "[tool.tokenbooks.check]\nmodel = 'gpt-4o'\n[tool.tokenbooks.check.limits]\nmax_tokens = 9",
    )
    assert cli("check").exit_code == 1


def test_the_configuration_is_found_from_a_subfolder(
    project: Project, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.config("[check.limits]\nmax_tokens = 9")
    project.write("prompts/a.md", words(10))
    monkeypatch.chdir(project.root / "prompts")
    assert cli("check").exit_code == 1
    assert cli("check", "a.md").exit_code == 1


def test_init_writes_limits_that_pass_today(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(1000))
    project.write("prompts/b [x].md", words(10))
    assert cli("init").exit_code == 2
    done = cli("init", "--model", "gpt-4o")
    assert done.exit_code == 0
    assert "max_tokens = 1200    # today 1000" in (project.root / "tokenbooks.toml").read_text()
    assert cli("check").exit_code == 0
    project.write("prompts/a.md", words(1201))
    assert cli("check").exit_code == 1
    again = cli("init", "--model", "gpt-4o")
    assert (again.exit_code, "already has" in again.stderr) == (2, True)


def test_init_keeps_other_settings(project: Project, cli: Any) -> None:
    project.write("tokenbooks.toml", 'db = "x.duckdb"\n')
    project.write("prompts/a.md", words(10))
    assert cli("init", "--model", "gpt-4o").exit_code == 0
    text = (project.root / "tokenbooks.toml").read_text()
    assert text.startswith('db = "x.duckdb"\n\n[check]\n')


def test_init_names_missing_variables(project: Project, cli: Any) -> None:
    project.write("prompts/a.md", words(10))
    project.write("prompts/b.j2", "{{ x }}")
    done = cli("init", "--model", "gpt-4o", "--stdout")
    assert done.exit_code == 0
    assert "# variables.x = [10, 50, 200]    # prompts/b.j2\n" in done.stdout
    assert "'x' is undefined" in done.stderr
    assert not (project.root / "tokenbooks.toml").exists()


@pytest.mark.parametrize(("tokens", "room", "most"), [(1000, 20, 1200), (1, 0, 50), (51, 0, 100)])
def test_room_is_rounded_up(tokens: int, room: int, most: int) -> None:
    assert limit(tokens, room) == most


def test_explain(cli: Any) -> None:
    assert cli("explain", "max-tokens").stdout.startswith("max-tokens (limit)\n")
    wrong = cli("explain", "max-token")
    assert (wrong.exit_code, "max-tokens" in wrong.stderr) == (2, True)
    assert len(cli("explain").stdout.splitlines()) == len(RULES)


def test_every_rule_that_can_be_reported_is_explained() -> None:
    import re

    raised: set[str] = set()
    for file in (ROOT / "budgets/check").rglob("*.py"):
        text = file.read_text("utf-8")
        raised |= set(
            re.findall(r'(?:PromptError|Problem|Finding|finding)\(\s*"([a-z0-9-]+)"', text)
        )
        raised |= set(re.findall(r'yield \(\s*"([a-z-]+)"', text))
    # Two are raised through a name of their own: a pattern of discovery, a count's problem.
    assert raised <= RULES.keys()
    assert len(raised) > 20


# --- the comment -------------------------------------------------------------------------------


class Forge:
    """GitHub's comment endpoints, in memory."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = [{"id": 1, "body": "LGTM"}]
        self.calls: list[str] = []
        self.status = 200
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def _answer(self, data: Any) -> None:
                body = json.dumps(data).encode()
                self.send_response(forge.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _body(self) -> str:
                size = int(self.headers["Content-Length"])
                return json.loads(self.rfile.read(size))["body"]

            def do_GET(self) -> None:
                forge.calls.append(f"GET {self.path}")
                page = int(self.path.split("page=")[-1])
                self._answer(forge.comments[(page - 1) * 100 : page * 100])

            def do_POST(self) -> None:
                forge.calls.append(f"POST {self.path}")
                text = self._body()
                if forge.status == 200:
                    forge.comments.append({"id": len(forge.comments) + 1, "body": text})
                self._answer({})

            def do_PATCH(self) -> None:
                forge.calls.append(f"PATCH {self.path}")
                number = int(self.path.rsplit("/", 1)[1])
                forge.comments[number - 1]["body"] = self._body()
                self._answer({})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def forge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    made = Forge()
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{made.server.server_port}")
    yield made
    made.server.shutdown()
    made.server.server_close()


def report_of(project: Project, tokens: int) -> dict[str, Any]:
    project.write("prompts/a.md", words(tokens))
    return project.check(models=["gpt-4o"]).report


def test_one_comment_is_made_and_then_updated(project: Project, forge: Forge) -> None:
    forge.comments += [{"id": i, "body": "other"} for i in range(2, 151)]
    assert post(report_of(project, 10), "o/r", 7, "t") == "comment created"
    assert len(forge.comments) == 151
    assert post(report_of(project, 20), "o/r", 7, "t") == "comment updated"
    assert len(forge.comments) == 151
    assert "20 tokens" in forge.comments[-1]["body"]
    assert forge.comments[0]["body"] == "LGTM"
    assert post(report_of(project, 20), "o/r", 7, "t", "second") == "comment created"


def test_no_comment_is_made_when_nothing_changed(project: Project, forge: Forge) -> None:
    report = report_of(project, 10)
    assert post(report, "o/r", 7, "t", only_changes=True) == "nothing changed: no comment"
    report["status"] = "fail"
    assert post(report, "o/r", 7, "t", only_changes=True) == "comment created"


def test_a_forks_token_is_explained(project: Project, forge: Forge) -> None:
    forge.status = 403
    with pytest.raises(OSError, match="from forks post from a second workflow"):
        post(report_of(project, 10), "o/r", 7, "t")


def test_a_token_is_only_sent_over_https(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://example.org")
    with pytest.raises(CheckConfigError, match="https"):
        post(report_of(project, 10), "o/r", 7, "t")


def test_a_dry_run_prints_the_comment(project: Project, cli: Any) -> None:
    project.write("report.json", report_of(project, 10))
    done = cli("check-comment", "report.json", "--dry-run")
    assert (done.exit_code, done.stdout.startswith("<!-- tokenbooks-check -->")) == (0, True)
    named = cli("check-comment", "report.json", "--dry-run", "--name", "api")
    assert named.stdout.startswith("<!-- tokenbooks-check:api -->")
    assert cli("check-comment", "report.json").exit_code == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": "other"}'])
def test_what_is_no_report_is_refused(project: Project, content: bytes) -> None:
    with pytest.raises(CheckConfigError):
        load(project.write("report.json", content))
    project.write("report.json", {"schema": "tokenbooks-check", "version": 2})
    with pytest.raises(CheckConfigError, match="version 2"):
        load(project.root / "report.json")


# --- start-up ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "import budgets.check",
        "from budgets.check import run, CheckOptions, register, render",
        "import typer; from budgets.check import register; a = typer.Typer(); register(a)",
        "from budgets.check import *; from pathlib import Path; "
        "run(CheckOptions(paths=('a.md',), models=('gpt-4o',), cwd=Path('.')))",
    ],
)
def test_nothing_heavy_is_imported(project: Project, statement: str) -> None:
    project.write("a.md", "hello")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; "
        "print(sorted({'duckdb', 'numpy', 'pandas', 'streamlit', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_importing_the_package_loads_no_tokenizer_or_template_engine() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import typer; "
        "from budgets.check import register; register(typer.Typer()); "
        "print(sorted({'tiktoken', 'splintr', 'jinja2', 'yaml', 'genai_prices', 'pydantic'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_init_measures_its_own_folder_below_another_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("tokenbooks.toml", "[check]\nmodel = 'gpt-4o'\n")
    project.write("prompts/above.md", words(9))
    for n in range(3):
        project.write(f"inner/prompts/{n}.j2", "{{ name }} {{ x }}")
    project.write("inner/prompts/a.md", words(8))
    text, report = section(project.root / "inner", (), ("gpt-4o",), 20)
    assert [p["id"] for p in report["prompts"] if p["models"]] == ["prompts/a.md"]
    assert "# variables.name = [10, 50, 200]    # prompts/0.j2 and 2 more\n" in text
    assert tomllib.loads(text)["check"]["overrides"] == [
        {"prompt": "prompts/a.md", "max_tokens": 50}
    ]


def test_a_long_table_ends_in_a_number(project: Project) -> None:
    project.config("[check.limits]\nmax_tokens = 1")
    for n in range(63):
        project.write(f"prompts/{n:02}.md", words(2))
    shown = render(project.check().report, "table").splitlines()
    assert sum(line.startswith("fail [max-tokens]") for line in shown) == 60
    assert "… and 3 more like these in --format json" in shown
    assert shown[-1] == "fail: over a limit"
