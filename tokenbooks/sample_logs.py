"""A month of sample logs in real formats: what `tokenbooks demo` imports.

Three teams at work in March 2026: *search* logs Chat Completions beside their requests, *assistant*
logs Responses bodies (with efforts, a flex tier and background polls) and a nightly batch,
*platform* runs coding agents on Codex and Claude and extraction on Gemini, partly through a
gateway whose export is a CSV. In it are what real logs have: repeated sightings of one call,
failed calls and their retries, one model nobody has a price for, and one line cut off in the
middle. The same seed gives the same bytes.

    files = write_sample_logs(Path("data/demo/logs"))
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 31
SEED = 52

SETTINGS = """# The demo's settings: read because this file lies beside the database.
# Copy what you need into a tokenbooks.toml of your own project.

[[budgets]]
name = "All teams"
amount = "150 USD"
warn = ["50 %", "80 %", "P50"]     # of what was spent, and of the middle of the forecast
fail = ["100 %"]                   # makes `tokenbooks budget` exit 1

[[budgets]]
name = "Platform"
scope = { team = "platform" }
amount = "75 USD"

[[budgets]]
name = "Assistant, in euros"
scope = { team = "assistant" }
amount = "50 EUR"
warn = ["80 %", "P90"]

[[budgets]]
name = "Search, in tokens"
scope = { team = "search" }
amount = "8_000_000 tokens"

[[currency.rates]]
currency = "EUR"
usd = "1.0842"                     # US dollars for one euro
on = 2025-01-02
source = "example rate, not a quotation"
"""
"""What the demo's `tokenbooks.toml` says: a month's budgets in dollars, euros and tokens."""

_WORDS = (
    "find", "the", "invoice", "total", "and", "answer", "in", "one", "line", "with", "currency",
)  # fmt: skip


@dataclass(slots=True)
class _Clock:
    """When calls happen: office hours, fewer at the weekend, growing through the month."""

    random: random.Random
    start: datetime
    days: int

    def calls(self, per_day: float, growth: float = 0.3) -> Iterator[datetime]:
        for day in range(self.days):
            date = self.start + timedelta(days=day)
            level = per_day * (1 + growth * day / self.days)
            level *= 0.35 if date.weekday() >= 5 else 1.0
            for _ in range(max(1, round(level * self.random.lognormvariate(0, 0.12)))):
                hour = min(max(self.random.gauss(13, 3.5), 0), 23.99)
                yield date + timedelta(hours=hour, microseconds=self.random.randrange(10**6))


class _Maker:
    """Draws one log's calls; all randomness comes from one seeded generator."""

    def __init__(self, seed: int, start: datetime, days: int) -> None:
        self.random = random.Random(seed)
        self.clock = _Clock(self.random, start, days)

    def tokens(self, median: float, spread: float) -> int:
        return max(1, round(self.random.lognormvariate(math.log(median), spread)))

    def name(self, prefix: str, length: int = 29) -> str:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return prefix + "".join(self.random.choices(letters, k=length))

    def text(self) -> str:
        return " ".join(self.random.choices(_WORDS, k=6))

    def chat_usage(self, prompt: int, cached: int, output: int, reasoning: int) -> dict[str, Any]:
        return {
            "prompt_tokens": prompt,
            "completion_tokens": output + reasoning,
            "total_tokens": prompt + output + reasoning,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
        }

    def cached(self, prompt: int, share: float) -> int:
        """A cached prefix as OpenAI reports it: from 1,024 tokens, in steps of 128."""
        if prompt < 1024 or self.random.random() > 0.75:
            return 0
        return int(prompt * share * self.random.uniform(0.8, 1.0)) // 128 * 128


def write_sample_settings(folder: Path) -> Path:
    """Write the demo's settings beside its database, unless a file is already there."""
    path = folder / "tokenbooks.toml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(SETTINGS, "utf-8")
    return path


def write_sample_logs(
    folder: Path, *, start: datetime = START, days: int = DAYS, seed: int = SEED
) -> list[Path]:
    """Write the logs into `folder` and return their paths; existing ones are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: list[tuple[str, Callable[[_Maker], bytes]]] = [
        ("search-chat.jsonl.gz", _search_chat),
        ("assistant-responses.jsonl", _assistant_responses),
        ("assistant-nightly-batch.jsonl", _nightly_batch),
        ("platform-claude.jsonl", _platform_claude),
        ("platform-gemini.jsonl", _platform_gemini),
        ("platform-codex.jsonl", _platform_codex),
        ("platform-gateway.csv", _platform_gateway),
    ]
    written: list[Path] = []
    for number, (name, make) in enumerate(makers):
        path = folder / name
        path.write_bytes(make(_Maker(seed + number, start, days)))
        written.append(path)
    # One bare usage object, as an API returns it, for `tokenbooks price`.
    usage = _Maker(seed, start, days).chat_usage(1000, 800, 50, 0)
    (folder.parent / "usage.json").write_text(json.dumps(usage, indent=2) + "\n")
    return written


def _lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def _search_chat(make: _Maker) -> bytes:
    """Request/response pairs of a retrieval feature on Instant and Thinking, with retries."""
    rows: list[Any] = []
    for at in make.clock.calls(70):
        thinking = make.random.random() < 0.25
        model = "gpt-5.2-2025-12-11" if thinking else "gpt-5.2-chat-latest"
        prompt = make.tokens(2600, 0.5)
        reasoning = make.tokens(420, 0.7) if thinking else 0
        usage = make.chat_usage(prompt, make.cached(prompt, 0.7), make.tokens(180, 0.6), reasoning)
        feature = "answers" if make.random.random() < 0.7 else "suggestions"
        head = {
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "team": "search",
            "feature": feature,
            "request": {
                "model": model,
                "messages": [{"role": "user", "content": make.text()}],
                **({"reasoning_effort": "low"} if thinking else {}),
            },
        }
        if make.random.random() < 0.02:
            # The first try failed before it was billed; the retry below is the call.
            error = {"error": {"type": "server_error", "message": "overloaded"}}
            rows.append({**head, "response": {"status_code": 500, "body": error}})
        rows.append(
            {
                **head,
                "response": {
                    "id": make.name("chatcmpl-"),
                    "object": "chat.completion",
                    "created": int(at.timestamp()),
                    "model": model,
                    "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": make.text()},
                         "finish_reason": "stop"}
                    ],
                    "usage": usage,
                    "service_tier": "default",
                },
            }
        )  # fmt: skip
    # A model from a private trial, for which nobody has a price.
    for at in list(make.clock.calls(2))[:40]:
        rows.append(
            {
                "timestamp": at.isoformat().replace("+00:00", "Z"), "team": "search",
                "feature": "trial", "request": {"model": "nightjar-preview"},
                "response": {
                    "id": make.name("chatcmpl-"), "object": "chat.completion",
                    "created": int(at.timestamp()), "model": "nightjar-preview",
                    "choices": [], "usage": make.chat_usage(make.tokens(900, 0.4), 0, 120, 0),
                },
            }
        )  # fmt: skip
    rows.sort(key=lambda r: r["timestamp"])
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(_lines(rows))
    return packed.getvalue()


def _response_body(
    make: _Maker, at: datetime, model: str, *, prompt: int, share: float, output: int,
    reasoning: int, effort: str, tier: str, tags: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": make.name("resp_", 48),
        "object": "response",
        "created_at": int(at.timestamp()),
        "status": "completed",
        "model": model,
        "service_tier": tier,
        "reasoning": {"effort": effort, "summary": None},
        "metadata": tags,
        "output": [],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": make.cached(prompt, share)},
            "output_tokens": output + reasoning,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": prompt + output + reasoning,
        },
    }


def _assistant_responses(make: _Maker) -> bytes:
    """Responses bodies of an assistant on Thinking and Pro; long answers run in the background."""
    rows: list[Any] = []
    efforts = {"none": 0, "low": 250, "medium": 900, "high": 2400, "xhigh": 6500}
    for at in make.clock.calls(45):
        pro = make.random.random() < 0.03
        effort = make.random.choices(list(efforts), (30, 30, 25, 12, 3))[0]
        flex = not pro and make.random.random() < 0.2
        body = _response_body(
            make, at, "gpt-5.2-pro" if pro else "gpt-5.2",
            prompt=make.tokens(5200, 0.6), share=0.8, output=make.tokens(420, 0.6),
            reasoning=make.tokens(efforts[effort], 0.6) if efforts[effort] else 0,
            effort="high" if pro else effort, tier="flex" if flex else "default",
            tags={"team": "assistant", "feature": "chat",
                  "customer": make.random.choice(["acme", "globex", "initech"])},
        )  # fmt: skip
        if pro:
            # Polled: the same response is logged before and after it is done.
            rows.append({**body, "status": "queued", "usage": None, "service_tier": "auto"})
            rows.append(body)
        rows.append(body)
    return _lines(rows)


def _nightly_batch(make: _Maker) -> bytes:
    """A batch output file: evaluation runs at half the price."""
    rows: list[dict[str, Any]] = []
    for number, at in enumerate(make.clock.calls(12, growth=0)):
        prompt = make.tokens(1800, 0.3)
        usage = make.chat_usage(prompt, 0, make.tokens(260, 0.4), make.tokens(500, 0.5))
        rows.append(
            {
                "id": make.name("batch_req_", 24),
                "custom_id": f"eval-{number}",
                "response": {
                    "status_code": 200,
                    "request_id": make.name("", 32).lower(),
                    "body": {
                        "id": make.name("chatcmpl-"), "object": "chat.completion",
                        "created": int(at.timestamp()), "model": "gpt-5.2-2025-12-11",
                        "choices": [], "usage": usage, "service_tier": "default",
                        "metadata": None,
                    },
                },
                "error": None,
                "team": "assistant",
                "feature": "evaluation",
            }
        )  # fmt: skip
    return _lines(rows)


def _platform_claude(make: _Maker) -> bytes:
    """Messages pairs of a coding agent: a growing prefix read from the cache; one line cut off."""
    lines: list[str] = []
    for at in make.clock.calls(4):
        session = make.name("session-", 8)
        context, when = make.tokens(9000, 0.3), at
        for _ in range(make.random.randint(3, 14)):
            fresh, output = make.tokens(900, 0.7), make.tokens(320, 0.7)
            message: dict[str, Any] = {
                "id": make.name("msg_01", 22),
                "type": "message",
                "role": "assistant",
                "model": "claude-opus-4-5-20251101",
                "content": [],
                "usage": {
                    "input_tokens": make.random.randint(2, 9),
                    "cache_read_input_tokens": context,
                    "cache_creation_input_tokens": fresh,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": fresh, "ephemeral_1h_input_tokens": 0,
                    },
                    "output_tokens": output,
                    "service_tier": "standard",
                },
            }  # fmt: skip
            lines.append(
                json.dumps(
                    {
                        "timestamp": when.isoformat().replace("+00:00", "Z"), "team": "platform",
                        "feature": "code-agent", "session": session, "response": message,
                    }
                )
            )  # fmt: skip
            context += fresh + output
            when += timedelta(seconds=make.random.expovariate(1 / 40))
    lines.insert(len(lines) // 2, lines[len(lines) // 2][:140])
    return ("\n".join(lines) + "\n").encode()


def _platform_gemini(make: _Maker) -> bytes:
    """Gemini bodies of a document extraction; some prompts pass the 200,000-token step."""
    rows: list[dict[str, Any]] = []
    for at in make.clock.calls(8):
        prompt = make.tokens(26_000, 1.1)
        output, thoughts = make.tokens(600, 0.5), make.tokens(700, 0.6)
        rows.append(
            {
                "responseId": make.name("", 23),
                "modelVersion": "gemini-2.5-pro",
                "createTime": at.isoformat().replace("+00:00", "Z"),
                "candidates": [{"content": {"parts": [], "role": "model"}, "index": 0}],
                "usageMetadata": {
                    "promptTokenCount": prompt, "candidatesTokenCount": output,
                    "thoughtsTokenCount": thoughts,
                    "totalTokenCount": prompt + output + thoughts,
                    "trafficType": "ON_DEMAND",
                },
                "team": "platform",
                "feature": "extraction",
            }
        )  # fmt: skip
    return _lines(rows)


def _platform_codex(make: _Maker) -> bytes:
    """Responses bodies of a coding agent on Codex."""
    rows: list[dict[str, Any]] = []
    for at in make.clock.calls(20):
        rows.append(
            _response_body(
                make, at, "gpt-5.2-codex", prompt=make.tokens(38_000, 0.5), share=0.93,
                output=make.tokens(500, 0.8), reasoning=make.tokens(700, 0.8), effort="medium",
                tier="default", tags={"team": "platform", "feature": "code-review"},
            )
        )  # fmt: skip
    return _lines(rows)


GATEWAY_MAPPING = {
    "call_key": "request_id",
    "occurred_at": "time",
    "model": "model",
    "input": "prompt_tokens",
    "cache_read": "cached_tokens",
    "output": "completion_tokens",
    "team": "project",
    "source_cost_usd": "charged_usd",
    "provider": '"openai"',
    "seller": '"cometapi"',
    "tier": '"standard"',
}
"""How the gateway's CSV columns map to fields."""


def _platform_gateway(make: _Maker) -> bytes:
    """A gateway's CSV export: the same model at another seller's price, with what it charged."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["request_id", "time", "model", "project", "prompt_tokens", "cached_tokens",
         "completion_tokens", "charged_usd"]
    )  # fmt: skip
    for at in make.clock.calls(10):
        prompt = make.tokens(1500, 0.5)
        cached, output = make.cached(prompt, 0.5), make.tokens(200, 0.5)
        # 20 % of the list price, cut to micro-dollars as the gateway does.
        pico = ((prompt - cached) * 1_750_000 + cached * 175_000 + output * 14_000_000) // 5
        writer.writerow(
            [make.name("req-", 20), at.strftime("%Y-%m-%d %H:%M:%S"), "gpt-5.2", "platform",
             prompt, cached, output, f"{pico // 10**6 / 10**6:.6f}"]
        )  # fmt: skip
    return out.getvalue().encode()
