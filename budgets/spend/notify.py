"""Telling a webhook, once per crossing.

A threshold that is crossed is posted once a period, amount and address; what was posted is kept in
a small JSON file beside the store, so any process that may read the store may notify, also while
the service owns it. Only a post that was accepted (any 2xx answer) is remembered: a failed one is
tried again the next time.

    told = notify(statuses, state=Path("tokenbooks.duckdb.budgets.json"))
    told.sent, told.failed
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from budgets.spend.model import BudgetError, Target
from budgets.spend.status import Crossing, Status, as_json

TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the posts; each is (budget, threshold, why not)."""

    sent: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, str], ...]
    already: int


def notify(
    statuses: Sequence[Status],
    *,
    state: Path,
    targets: Sequence[Target] = (),
    timeout: float = TIMEOUT_S,
) -> Told:
    """Post every crossing not yet posted to the budgets' own targets and to `targets`.

    A target whose address cannot be one, or whose `env:NAME` is not set, fails with that reason,
    crossed or not (threshold "any"), and the others are told. Raises `BudgetError` for a state
    file that cannot be read.
    """
    book = _read(state)
    sent: list[tuple[str, str]] = []
    failed: list[tuple[str, str, str]] = []
    already = 0
    for status in statuses:
        for target in (*status.budget.notify, *targets):
            try:
                url = address(target)
            except BudgetError as error:
                failed.append((status.budget.name, "any", str(error)))
                continue
            for crossing in status.crossings:
                key = _key(status, crossing, url)
                if key in book:
                    already += 1
                    continue
                problem = post(url, payload(status, crossing, target.format), timeout)
                if problem is None:
                    book[key] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                    _write(state, book)
                    sent.append((status.budget.name, str(crossing.threshold)))
                else:
                    failed.append((status.budget.name, str(crossing.threshold), problem))
    return Told(tuple(sent), tuple(failed), already)


def address(target: Target) -> str:
    """A target's address, from the environment when it says so. Raises `BudgetError`."""
    url = target.url
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        url = os.environ.get(name, "")
        if not url:
            raise BudgetError(f"the environment variable {name} is not set")
    if not url.startswith(("http://", "https://")):
        raise BudgetError("an address must begin with http:// or https:// (or env:NAME)")
    return url


def post(url: str, body: Mapping[str, Any], timeout: float) -> str | None:
    """Post JSON; None when it was accepted, else the reason in words (without the address)."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "tokenbooks"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        return f"the webhook answered {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return f"the webhook cannot be reached: {error.reason}"
    except OSError as error:
        return f"the webhook cannot be reached: {error}"


def _key(status: Status, crossing: Crossing, url: str) -> str:
    """One crossing: this budget, period, amount, threshold, at this address (hashed: a secret)."""
    where = hashlib.sha256(url.encode()).hexdigest()[:12]
    parts = (status.budget.name, str(status.span.since), str(status.budget.amount),
             crossing.action, str(crossing.threshold), where)  # fmt: skip
    return " | ".join(parts)


def _read(path: Path) -> dict[str, str]:
    try:
        held = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BudgetError(f"{path} cannot be read ({error}); move it away to start anew") from error
    return dict(held.get("sent", {}))


def _write(path: Path, book: Mapping[str, str]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.write_text(json.dumps({"schema": 1, "sent": dict(book)}, indent=1), "utf-8")
    draft.replace(path)


# --- what is said --------------------------------------------------------------------------


def headline(status: Status, crossing: Crossing) -> str:
    """One line for people."""
    sign = "OVER" if crossing.action == "fail" else "Warning"
    what = (
        "spent so far" if crossing.threshold.quantile is None
        else f"forecast (P{crossing.threshold.quantile}) for the end of the period"
    )  # fmt: skip
    return (
        f"{sign}: budget {status.budget.name!r} has passed {crossing.threshold}: "
        f"{crossing.share * 100:.0f} % of {status.budget.amount} {what}"
    )


def facts(status: Status) -> list[tuple[str, str]]:
    """Name and value, for people."""
    told = [
        ("Period", f"{status.span.since} until {status.span.until}"),
        ("Spent", f"{status.spent_words} ({status.share * 100:.1f} %)"),
        ("Left", status.words(status.left)),
    ]
    if status.ends is not None:
        low, middle, high = (status.words(v) for v in status.ends)
        told.append(("End of period", f"{middle} (P10 {low}, P90 {high})"))
    if status.chance is not None:
        told.append(("Chance to exceed", f"{status.chance * 100:.0f} %"))
    if status.exhaustion is not None and status.exhaustion.median is not None:
        told.append(("Gone on", str(status.exhaustion.median)[:10]))
    if status.unpriced_tokens:
        told.append(("Not counted", f"{status.unpriced_tokens:,} tokens have no price"))
    return told


def payload(status: Status, crossing: Crossing, form: str) -> dict[str, Any]:
    """The body for a webhook: our own JSON, Slack's blocks, or Teams' adaptive card."""
    title = headline(status, crossing)
    if form == "slack":
        lines = [f"*{_slack(title)}*", *(f"{n}: {_slack(v)}" for n, v in facts(status))]
        text = {"type": "mrkdwn", "text": "\n".join(lines)}
        return {"text": _slack(title), "blocks": [{"type": "section", "text": text}]}
    if form == "teams":
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                {"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True},
                {"type": "FactSet", "facts": [{"title": n, "value": v} for n, v in facts(status)]},
            ],
        }
        kind = "application/vnd.microsoft.card.adaptive"
        return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
    report = as_json(status)
    report.pop("burn_down")
    report.pop("burn_down_forecast")
    return {
        "event": "budget_threshold_crossed",
        "text": title,
        "action": crossing.action,
        "threshold": str(crossing.threshold),
        "budget": report,
    }


def _slack(text: str) -> str:
    """Slack reads three characters as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
