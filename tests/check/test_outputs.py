"""Every output of one fixed project, against a golden file and against its format's own rules.

After a wanted change: `TOKENBOOKS_GOLDEN=write python -m pytest tests/check/test_outputs.py`.
"""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

import budgets.check
from budgets.check import FORMATS, CheckResult, render
from budgets.check.outputs import github, markdown, table
from tests.check.helpers import Project, words

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"table": "txt", "json": "json", "markdown": "md", "html": "html", "github": "txt",
           "gitlab": "json", "junit": "xml", "sarif": "sarif"}  # fmt: skip
NASTY = "prompts/a|b, <c>:`d` & e.md"


def fixed(project: Project) -> CheckResult:
    """A limit, a warning, a gap, a broken prefix, a new, a removed and a skipped file."""
    config = (
        "[check.traffic]\ncalls_per_month = 300000\noutput_tokens = [50, 100, 400]\n"
        "cached_share = '91 %'\nvariables.now = 8\nvariables.q = [5, 20, 80]\n"
        "[check.limits]\nmax_tokens_increase = 100\n"
        "[[check.overrides]]\nprompt = 'prompts/warm.md'\nlevel = 'warn'\nmax_tokens = 10\n"
    )
    text = '[check]\nmodels = ["gpt-4o", "claude-sonnet-4-5"]\n' + config
    project.write("tokenbooks.toml", text)
    body = "\n".join(words(30) for _ in range(100))
    project.write("prompts/answer.j2", body + "\nToday is {{ now }}.\n{% include 'part.j2' %}")
    project.write("prompts/part.j2", "Ask {{ q }}.")
    project.write("prompts/old.md", words(20))
    project.write("prompts/warm.md", words(12))
    project.commit()
    project.branch()
    project.write("prompts/answer.j2", "Today is {{ now }}.\n" + body + "\n{% include 'part.j2' %}")
    (project.root / "prompts/old.md").unlink()
    project.write("prompts/warm.md", words(12) + "\n" + words(140))
    project.write(NASTY, words(7))
    project.write("prompts/gone.j2", "line one\n{{ nobody }}")
    project.write("prompts/data.json", {"a": 1})
    return project.check(base="main")


@pytest.fixture
def report(project: Project) -> dict[str, Any]:
    return fixed(project).report


@pytest.mark.parametrize("name", FORMATS)
def test_golden(project: Project, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    made = render(fixed(project).report, name)
    file = GOLDEN / f"{name}.{ENDINGS[name]}"
    if os.environ.get("TOKENBOOKS_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text("utf-8")


def test_the_report_follows_its_schema(report: dict[str, Any]) -> None:
    folder = Path(budgets.check.__file__).parent
    schema = json.loads((folder / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(report, schema, cls=jsonschema.Draft202012Validator)
    report["models"][0]["usd_per_month"]["low"] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema, cls=jsonschema.Draft202012Validator)


def test_money_is_never_a_float(report: dict[str, Any]) -> None:
    def floats(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [f for each in value.values() for f in floats(each)]
        if isinstance(value, list):
            return [f for each in value for f in floats(each)]
        return [value] if isinstance(value, float) else []

    assert floats(report) == []
    assert json.loads(render(report, "json")) == report


# The parts of the published SARIF 2.1.0 schema that code scanning relies on.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id", "shortDescription", "help"],
                                            "properties": {
                                                "id": {"type": "string"},
                                                "name": {"pattern": "^[A-Za-z0-9]+$"},
                                                "shortDescription": {"required": ["text"]},
                                                "fullDescription": {"required": ["text"]},
                                                "help": {"required": ["text"]},
                                                "defaultConfiguration": {
                                                    "properties": {
                                                        "level": {
                                                            "enum": ["none", "note", "warning",
                                                                     "error"]
                                                        }
                                                    }
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "message": {"required": ["text"]},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {
                                                            "uri": {"pattern": "^[^ <>|`\\\\:]+$"}
                                                        },
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {
                                                                "type": "integer", "minimum": 1,
                                                            }
                                                        }
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip


def test_sarif_follows_its_schema(report: dict[str, Any]) -> None:
    document = json.loads(render(report, "sarif"))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
    assert len(run["results"]) == len(report["findings"]) + len(report["unmeasured"])
    prints = [r["partialFingerprints"]["tokenbooks/v1"] for r in run["results"]]
    assert len(set(prints)) == len(prints)


GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "pattern": "^[^/.]"},
                    "lines": {
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def test_gitlab_follows_its_schema(report: dict[str, Any]) -> None:
    rows = json.loads(render(report, "gitlab"))
    jsonschema.validate(rows, GITLAB)
    prints = [row["fingerprint"] for row in rows]
    assert len(rows) == len(set(prints)) == len(report["findings"]) + len(report["unmeasured"])


def test_gitlab_fingerprints_stay_when_numbers_change(project: Project) -> None:
    def prints() -> set[str]:
        rows = json.loads(render(project.check().report, "gitlab"))
        return {row["fingerprint"] for row in rows}

    project.config("[check.limits]\nmax_tokens = 5")
    project.write("prompts/a.md", words(6))
    first = prints()
    project.write("prompts/a.md", words(9))
    assert prints() == first
    assert len(first) == 1


def test_junit_counts_what_it_holds(report: dict[str, Any]) -> None:
    root = ElementTree.fromstring(render(report, "junit"))
    assert root.tag == "testsuites"
    (suite,) = root
    cases = list(suite)
    assert {case.tag for case in cases} == {"testcase"}
    for case in cases:
        assert case.get("classname")
        assert case.get("name")
        assert {child.tag for child in case} <= {"failure", "error"}
    counted = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    for element in (root, suite):
        assert {key: int(element.get(key, "-1")) for key in counted} == counted
    assert counted["errors"] == len(report["unmeasured"]) == 1
    assert counted["failures"] == 0  # the only limit that is exceeded warns


def test_junit_survives_characters_that_xml_cannot_hold(project: Project) -> None:
    project.write("prompts/a\x01.md", words(6))
    project.config("[check.limits]\nmax_tokens = 5")
    root = ElementTree.fromstring(render(project.check().report, "junit"))
    assert root.get("failures") == "1"


def test_markdown_tables_hold_their_columns(report: dict[str, Any]) -> None:
    import re

    text = markdown.render(report)
    assert text.startswith("<!-- tokenbooks-check -->\n")
    widths: list[int] = []
    for line in text.splitlines():
        if line.startswith("|"):
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
        elif widths:
            assert len(set(widths)) == 1
            widths = []
    assert text.count("<details>") == text.count("</details>") == 2


def many(project: Project, count: int) -> dict[str, Any]:
    project.config("[check.limits]\nmax_tokens = 1")
    for number in range(count):
        project.write(f"prompts/{'long' * 20}-{number:04}.md", "two words")
    return project.check().report


def test_a_comment_is_never_too_long_for_github(project: Project) -> None:
    report = many(project, 700)
    text = markdown.render(report)
    assert len(text) <= 65_536
    assert text.startswith(markdown.TAG)
    assert "more" in text
    assert len(github.summary(report).encode()) <= 1024 * 1024
    assert len(markdown.render(report, limit=500)) <= 500


def test_annotations_keep_githubs_limits_and_say_what_is_left(project: Project) -> None:
    lines = render(many(project, 30), "github").splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 10
    assert errors[-1].endswith("21 more: see the step summary.")


def test_annotations_are_escaped(project: Project) -> None:
    project.write("prompts/a,b:c%.md", "two words")
    project.config("[check.limits]\nmax_tokens = 1")
    (line,) = [x for x in render(project.check().report, "github").splitlines() if "error" in x]
    place = line.removeprefix("::error ").split("::")[0]
    assert place.startswith("file=prompts/a%2Cb%3Ac%25.md,line=1,title=")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "p", "li"):
            self.open.append(tag)
        for key, value in attrs:
            assert key not in ("src", "href", "onclick"), (key, value)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("p", "li"):
            assert self.open.pop() == tag


def test_html_is_closed_and_asks_nobody(report: dict[str, Any]) -> None:
    parser = Tags()
    parser.feed(render(report, "html"))
    assert parser.open == []
    assert not parser.seen & {"script", "link", "img", "iframe"}


def test_the_table_fits_80_columns_and_has_no_colour(
    report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = render(report, "table")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\x1b[31m" in table.render({**report}, color=True)


def test_hostile_names_cannot_break_out(report: dict[str, Any]) -> None:
    assert "<c>" not in render(report, "html")
    assert "<c>" not in ElementTree.tostring(
        ElementTree.fromstring(render(report, "junit")), encoding="unicode"
    ).replace("&lt;c&gt;", "")
