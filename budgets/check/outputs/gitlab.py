"""GitLab code quality: a JSON array with the fields GitLab requires; fingerprints are stable.

The fingerprint is of rule, prompt and model, not of the numbers, so a finding that stays is shown
as the same finding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_SEVERITY = {"fail": "major", "warn": "minor"}


def render(report: Mapping[str, Any]) -> str:
    """The report; an empty array when there is nothing to say."""
    rows = [_row(f, _SEVERITY[f["level"]]) for f in report["findings"]]
    rows += [_row(p, "critical") for p in report["unmeasured"]]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def fingerprint(each: Mapping[str, Any]) -> str:
    """A stable name of a finding."""
    parts = [each["rule"], each["prompt"], each["model"], "" if each["prompt"] else each["path"]]
    if not each["prompt"] and not each["path"]:
        parts.append(each["message"])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _row(each: Mapping[str, Any], severity: str) -> dict[str, Any]:
    return {
        "description": each["message"],
        "check_name": each["rule"],
        "fingerprint": fingerprint(each),
        "severity": severity,
        # GitLab refuses a row without a path; what concerns no file points at the configuration.
        "location": {"path": each["path"] or "tokenbooks.toml", "lines": {"begin": each["line"]}},
    }
