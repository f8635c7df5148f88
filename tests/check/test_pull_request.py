"""The pull-request comment in the README is the one this change gets, to the letter.

After a wanted change: `UPDATE_README=1 python -m pytest tests/check/test_pull_request.py`.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from budgets.check import CheckOptions, run
from budgets.check.comment import body
from dashboards.queries.prompts import LoggedPrompts
from ingest.store.database import open_reader
from pricing.catalogue import default_catalogue
from tests.check.helpers import Project
from tests.finance.books import call, make_store

README = Path(__file__).parents[2] / "README.md"
PLACE = re.compile(r"(<!-- comment: begin -->\n)(.*?)(<!-- comment: end -->)", re.DOTALL)
RULES = [
    f"{n}. {rule}"
    for n, rule in enumerate(
        (
            "Say first what the customer can do now, in one sentence, then why.",
            "Quote the passage of the handbook you rely on by its number; never invent one.",
            "Prices are in euros and include VAT; never promise a discount or a delivery date.",
            "Returns are free for 30 days; worn shoes and opened food cannot be returned.",
            "Never ask for a password, a full card number or a photograph of a document.",
            "When nothing fits, say so and offer to pass the question on to a colleague.",
        )
        * 20,
        1,
    )
]
CLOCK = "Today is {{ today }}."
OPENING = "You answer customers of Northwind Outdoor."
QUESTION = "Question: {{ question }}"


def month_of_calls() -> list[dict[str, Any]]:
    """Ten thousand calls a day, 91 % of them served from the cache."""
    calls = []
    for day in range(1, 29):
        for hit, number in ((True, 9100), (False, 900)):
            read = 1792 * number if hit else 0
            calls.append(
                call(
                    day * 2 + hit, f"2026-05-{day:02}T12:00:00Z", requests=number,
                    tags={"prompt": "prompts/support.j2"}, cache_read=read,
                    input_uncached=2000 * number - read, output_text=150 * number, reasoning=0,
                )
            )  # fmt: skip
    return calls


@pytest.fixture
def report(project: Project, tmp_path: Path) -> dict[str, Any]:
    project.write(
        "tokenbooks.toml",
        '[check]\nmodels = ["gpt-5.2", "claude-sonnet-4-5"]\n'
        "[check.limits]\nmax_usd_increase_per_month = 200\n"
        "[check.traffic]\nvariables.today = 8\nvariables.question = [10, 40, 200]\n",
    )
    project.write("prompts/support.j2", "\n".join([OPENING, *RULES, CLOCK, QUESTION]))
    project.commit("Support prompt")
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    project.branch()
    project.write("prompts/support.j2", "\n".join([CLOCK, OPENING, *RULES, QUESTION]))
    project.commit("Say the date first")
    (tmp_path / "books").mkdir()
    store = open_reader(make_store(tmp_path / "books", month_of_calls()))
    now = datetime(2026, 5, 29, 9, tzinfo=UTC)
    try:
        options = CheckOptions(
            base="origin/main", cwd=project.root, store=LoggedPrompts(store.con, now=now), at=now,
            catalogue=default_catalogue(),
        )  # fmt: skip
        return run(options).report
    finally:
        store.close()


def test_the_comment_in_the_readme_is_what_the_check_writes(report: dict[str, Any]) -> None:
    comment = body(report, "").split("\n", 1)[1]
    quoted = "".join(f"> {line}".rstrip() + "\n" for line in comment.splitlines())
    text = README.read_text("utf-8")
    assert PLACE.search(text) is not None
    if os.environ.get("UPDATE_README"):
        text = PLACE.sub(lambda found: found[1] + quoted + found[3], text)
        README.write_text(text, "utf-8")
    shown = PLACE.search(text)
    assert shown is not None and shown[2] == quoted


def test_a_clock_moved_to_the_top_is_priced_at_the_logged_share(report: dict[str, Any]) -> None:
    assert report["exit_code"] == 1
    (row,) = [r for r in report["prompts"][0]["models"] if r["model"] == "gpt-5.2"]
    found = row["cache_break"]
    assert (found["after"], found["per"]) == (0, "month")
    assert found["before"] >= 1024 and found["before"] % 128 == 0
    # 304,375 calls x 91 % x the prefix, at 1.75 instead of 0.175 USD per million.
    wanted = 304_375 * 91 * found["before"] * 1_575_000 // 100
    assert round(float(found["usd"]) * 10**12) == pytest.approx(wanted, abs=2)
    assert "at the logged 91 % hit share" in found["message"]
