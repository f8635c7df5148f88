"""JUnit XML: a test case for each prompt and model; limits are failures, gaps are errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 cannot hold at all, escaped or not.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_ILLEGAL.sub("\ufffd", text).replace("\n", " "))


def render(report: Mapping[str, Any]) -> str:
    """One test suite."""
    cases: list[str] = []
    failures = errors = 0
    left = list(report["unmeasured"])
    failed = [f for f in report["findings"] if f["level"] == "fail"]
    for prompt in report["prompts"]:
        for row in prompt["models"]:
            if row["head"] is None:
                continue
            mine = [f for f in failed if (f["prompt"], f["model"]) == (prompt["id"], row["model"])]
            failed = [f for f in failed if f not in mine]
            failures += bool(mine)
            cases.append(_case(prompt["id"], row["model"], mine, "failure"))
    for finding in failed:
        failures += 1
        name = finding["prompt"] or "all prompts"
        cases.append(_case(name, finding["model"] or "all models", [finding], "failure"))
    for problem in left:
        errors += 1
        name = problem["prompt"] or problem["path"] or problem["rule"]
        cases.append(_case(name, problem["model"] or "all models", [problem], "error"))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    # Jenkins' schema has no `skipped` on the outer element, only on the suite.
    suites = f'<testsuites name="tokenbooks check" {counts}>'
    suite = f'  <testsuite name="tokenbooks check" {counts} skipped="0" time="0">'
    return "\n".join([head, suites, suite, *cases, "  </testsuite>", "</testsuites>"]) + "\n"


def _case(name: str, model: str, faults: list[Mapping[str, Any]], kind: str) -> str:
    start = f'    <testcase classname={_attribute(name)} name={_attribute(model)} time="0"'
    if not faults:
        return start + "/>"
    rules = ", ".join(dict.fromkeys(f["rule"] for f in faults))
    words = "\n".join(f["message"] for f in faults)
    first = faults[0]["message"]
    return (
        f"{start}>\n      <{kind} type={_attribute(rules)} message={_attribute(first)}>"
        f"{_text(words)}</{kind}>\n    </testcase>"
    )
