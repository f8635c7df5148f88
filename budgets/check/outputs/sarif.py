"""SARIF 2.1.0 for code scanning: rules with their explanation, results at the line that grew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from budgets.check.outputs.gitlab import fingerprint
from budgets.check.rules import RULES

_LEVEL = {"fail": "error", "warn": "warning"}


def render(report: Mapping[str, Any]) -> str:
    """One run with one tool."""
    every = [(f, _LEVEL[f["level"]]) for f in report["findings"]]
    every += [(p, "error") for p in report["unmeasured"]]
    names = list(dict.fromkeys(each["rule"] for each, _ in every))
    places = {name: place for place, name in enumerate(names)}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tokenbooks check",
                        "rules": [_rule(name) for name in names],
                    }
                },
                "originalUriBaseIds": {"ROOT": {"description": {"text": "The project folder."}}},
                "results": [_result(each, level, places) for each, level in every],
                "invocations": [{"executionSuccessful": not report["unmeasured"]}],
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": rule.short},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} {rule.fix}"},
        "defaultConfiguration": {"level": "warning" if rule.group == "cost" else "error"},
    }


def _result(each: Mapping[str, Any], level: str, places: Mapping[str, int]) -> dict[str, Any]:
    # Code scanning refuses a result without a location: the configuration stands for "all".
    path = each["path"] or "tokenbooks.toml"
    return {
        "ruleId": each["rule"],
        "ruleIndex": places[each["rule"]],
        "level": level,
        "message": {"text": each["message"]},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path), "uriBaseId": "ROOT"},
                    "region": {"startLine": each["line"]},
                }
            }
        ],
        "partialFingerprints": {"tokenbooks/v1": fingerprint(each)},
    }
