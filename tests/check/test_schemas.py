"""What other systems will accept, by their own schemas rather than our idea of them.

- SARIF: `pydantic-sarif`, generated from the OASIS schema 2.1.0; unknown properties are refused.
- The action, the workflow and the GitLab job: SchemaStore's, as `check-jsonschema` has them.
- JUnit: the rules of the Jenkins xUnit plugin's junit-10.xsd, all elements and attributes of it
  that concern a report without properties, output and reruns.
- GitLab publishes no schema of its code quality report; `test_outputs` holds its documented fields.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema.validators
import pytest
import yaml
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from budgets.check import render
from tests.check.helpers import Project, words
from tests.check.test_outputs import fixed

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["changed", "over every limit", "nothing", "nothing measured"])
def report(project: Project, request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "changed":
        return fixed(project).report
    project.config(
        "[check.limits]\nmax_tokens = 1\nmax_usd_per_call = 0\n[check.total]\nmax_tokens = 1"
    )
    if request.param == "over every limit":
        project.write("prompts/ä b#?.md", words(5))
        project.write("prompts/c.md", words(5))
    elif request.param == "nothing measured":
        project.write("prompts/c.j2", "{{ nobody }}")
    return project.check(base="nowhere").report


def test_sarif_is_what_the_oasis_schema_allows(report: dict[str, Any]) -> None:
    document = json.loads(render(report, "sarif"))
    Sarif.model_validate(document)
    document["runs"][0]["results"] += [
        {"message": {"text": "x"}, "rules": "no property of a result"}
    ]
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Sarif.model_validate(document)


TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
# Element: (attributes, those that must be there, elements inside).
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname",
         "id", "package", "file", "log", "url"},
        {"name", "tests", "failures", "errors"},
        {"testsuite", "testcase"},
    ),
    "testcase": (
        {"name", "time", "classname", "group"}, {"name"}, {"skipped", "error", "failure"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
}  # fmt: skip


def test_junit_is_what_jenkins_schema_allows(report: dict[str, Any]) -> None:
    root = ElementTree.fromstring(render(report, "junit"))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed, inside = JUNIT[element.tag]
        assert needed <= set(element.keys()) <= allowed, element.tag
        assert {child.tag for child in element} <= inside
        if element.tag not in ("failure", "error"):
            assert not (element.text or "").strip()
        if element.tag in ("testsuite", "testsuites") and element.get("time"):
            assert TIME.fullmatch(element.get("time", ""))


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("action.yml", "github-actions"),
        ("deploy/github-comment.yml", "github-workflows"),
        ("deploy/gitlab-ci.yml", "gitlab-ci"),
        ("README.md", "github-workflows"),
    ],
)
def test_ci_files_are_what_their_systems_read(file: str, schema: str) -> None:
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    rules = json.loads((folder / f"{schema}.json").read_text("utf-8"))
    text = (ROOT / file).read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if file == "README.md" else [text]
    workflows = [b for b in blocks if "\njobs:" in b or file != "README.md"]
    assert workflows
    for block in workflows:
        # YAML 1.1 reads the key `on` as true; the schema means the word.
        data = {("on" if k is True else k): v for k, v in yaml.safe_load(block).items()}
        jsonschema.validators.validator_for(rules)(rules).validate(data)
