"""One sticky comment on a pull request: found again by its hidden tag and updated in place.

Only GitHub's REST API is spoken, with the standard library. From a fork the token may only read:
there the report belongs in the step summary and a second workflow posts it (see
`deploy/github-comment.yml`), never this one with more rights.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from budgets.check.errors import CheckConfigError
from budgets.check.outputs import markdown
from budgets.check.outputs.words import changed
from budgets.check.report import SCHEMA, VERSION
from pricing.json_types import JsonDict


def load(path: Path) -> dict[str, Any]:
    """A report file. Raises :class:`CheckConfigError` when it is none, or of another version."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckConfigError(f"{path}: cannot be read as a report: {error}") from error
    if not isinstance(data, JsonDict) or data.get("schema") != SCHEMA:
        raise CheckConfigError(f"{path} is no report: make one with check --format json.")
    if data.get("version") != VERSION:
        raise CheckConfigError(
            f"{path} has report version {data.get('version')}, this program knows {VERSION}."
        )
    return data


def body(report: Mapping[str, Any], name: str = "") -> str:
    """The comment's text, with its hidden tag first."""
    return markdown.render(report, tag=markdown.tag_of(name))


def post(
    report: Mapping[str, Any], repository: str, number: int, token: str, name: str = "", *,
    only_changes: bool = False,
) -> str:  # fmt: skip
    """Create or update the comment; says which. Raises :class:`CheckConfigError` or OSError.

    With `only_changes` no comment is made when nothing changed and all is well; one that exists is
    still updated, so that an old warning does not stay.
    """
    if not repository or "/" not in repository or number < 1:
        raise CheckConfigError("--repository owner/name and --pull-request NUMBER are needed.")
    if not token:
        raise CheckConfigError("GITHUB_TOKEN is not set; --dry-run prints the comment instead.")
    root = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    comments = f"{root}/repos/{repository}/issues/{number}/comments"
    tag = markdown.tag_of(name)
    text = body(report, name)
    for comment in _all(comments, token):
        if str(comment.get("body", "")).startswith(tag):
            _call(
                "PATCH", f"{root}/repos/{repository}/issues/comments/{comment['id']}", token, text
            )
            return "comment updated"
    quiet = report["status"] == "pass" and not any(True for _ in changed(report))
    if only_changes and quiet:
        return "nothing changed: no comment"
    _call("POST", comments, token, text)
    return "comment created"


def _all(address: str, token: str) -> Iterator[dict[str, Any]]:
    for page in range(1, 51):
        found = _call("GET", f"{address}?per_page=100&page={page}", token)
        yield from found
        if len(found) < 100:
            return


def _call(method: str, address: str, token: str, text: str | None = None) -> Any:
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise CheckConfigError("GITHUB_API_URL must be https: a token is sent to it.")
    data = None if text is None else json.dumps({"body": text}).encode()
    request = urllib.request.Request(address, data=data, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Accept", "application/vnd.github+json")
    request.add_header("User-Agent", "tokenbooks")
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        hint = (
            " The token may only read: on pull requests from forks post from a second workflow."
            if error.code == 403
            else ""
        )
        raise OSError(f"GitHub answered {error.code} to {method} {address}.{hint}") from error
