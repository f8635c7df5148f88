"""Webhooks: the three formats, once per crossing, and a failed post is tried again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from budgets.spend.model import BudgetError, Target, read_budgets
from budgets.spend.notify import notify
from budgets.spend.periods import Span
from budgets.spend.status import Status, judge

USD = 10**12


class Hook:
    """A webhook on this machine that remembers what it was told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answer = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                assert self.headers["Content-Type"] == "application/json"
                hook.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(hook.answer)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def status(spent: int = 90 * USD, month: int = 3, amount: str = "100 USD", **fields: Any) -> Status:
    raw = {"name": "Search & <more>", "amount": amount, "warn": ["50 %", "80 %"], **fields}
    (budget,) = read_budgets([raw])
    span = Span(date(2026, month, 1), date(2026, month + 1, 1))
    limit = int(budget.amount.value) * USD
    return judge(budget, span, limit=limit, spent=spent, today=date(2026, month, 9))


def test_each_crossing_is_told_once(hook: Hook, tmp_path: Path) -> None:
    state = tmp_path / "s.json"
    target = [Target(url=hook.url)]
    first = notify([status()], state=state, targets=target)
    assert [t for _, t in first.sent] == ["80 %", "50 %"]
    again = notify([status()], state=state, targets=target)
    assert (again.sent, again.already) == ((), 2)
    more = notify([status(spent=101 * USD)], state=state, targets=target)
    assert [t for _, t in more.sent] == ["100 %"]
    april = notify([status(month=4)], state=state, targets=target)
    assert len(april.sent) == 2
    raised = notify([status(spent=190 * USD, amount="200 USD")], state=state, targets=target)
    assert len(raised.sent) == 2
    assert len(hook.bodies) == 7


def test_a_refused_post_is_tried_again(hook: Hook, tmp_path: Path) -> None:
    state = tmp_path / "s.json"
    target = [Target(url=hook.url)]
    hook.answer = 503
    told = notify([status()], state=state, targets=target)
    assert told.sent == ()
    assert "503" in told.failed[0][2]
    hook.answer = 204
    assert len(notify([status()], state=state, targets=target).sent) == 2


def test_nobody_there(tmp_path: Path) -> None:
    told = notify(
        [status()], state=tmp_path / "s.json", targets=[Target(url="http://127.0.0.1:9/x")],
        timeout=2,
    )  # fmt: skip
    assert len(told.failed) == 2
    assert "cannot be reached" in told.failed[0][2]
    assert not (tmp_path / "s.json").exists()


def test_generic_json(hook: Hook, tmp_path: Path) -> None:
    notify([status()], state=tmp_path / "s.json", targets=[Target(url=hook.url)])
    body = hook.bodies[0]
    assert body["event"] == "budget_threshold_crossed"
    assert (body["action"], body["threshold"]) == ("warn", "80 %")
    assert body["budget"]["spent_usd"] == "90.00"
    assert body["budget"]["since"] == "2026-03-01"


def test_slack_and_teams(hook: Hook, tmp_path: Path) -> None:
    targets = [Target(url=hook.url, format="slack"), Target(url=hook.url + "2", format="teams")]
    notify([status()], state=tmp_path / "s.json", targets=targets)
    slack, teams = hook.bodies[0], hook.bodies[2]
    assert "Search &amp; &lt;more&gt;" in slack["text"]
    assert slack["blocks"][0]["text"]["type"] == "mrkdwn"
    (attachment,) = teams["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard"
    assert "Search & <more>" in card["body"][0]["text"]
    assert {"title": "Spent", "value": "$90.00 (90.0 %)"} in card["body"][1]["facts"]


def test_an_address_may_stand_in_the_environment(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = status(notify=[{"url": "env:MY_HOOK", "format": "json"}])
    told = notify([mine], state=tmp_path / "s.json")
    assert told.failed == (
        (mine.budget.name, "any", "the environment variable MY_HOOK is not set"),
    )
    monkeypatch.setenv("MY_HOOK", hook.url)
    assert len(notify([mine], state=tmp_path / "s.json").sent) == 2
    assert hook.url not in (tmp_path / "s.json").read_text()


def test_other_schemes_are_refused_and_the_others_are_told(hook: Hook, tmp_path: Path) -> None:
    targets = [Target(url="file:///etc/passwd"), Target(url=hook.url)]
    told = notify([status()], state=tmp_path / "s.json", targets=targets)
    ((_, threshold, reason),) = told.failed
    assert threshold == "any"
    assert "must begin with http://" in reason
    assert len(told.sent) == len(hook.bodies) == 2


def test_a_broken_state_file_is_not_overwritten(hook: Hook, tmp_path: Path) -> None:
    state = tmp_path / "s.json"
    state.write_text("{")
    with pytest.raises(BudgetError, match="cannot be read"):
        notify([status()], state=state, targets=[Target(url=hook.url)])
    assert state.read_text() == "{"
    assert hook.bodies == []
