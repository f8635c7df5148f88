"""What there is to run: chapters of commands, a line on each, and examples to copy.

`tokenbooks --help` is printed from this table alone, so it loads no command; `COMMAND --help`, the
reference and the manual page add the command's own options. A test holds the table equal to what
the modules register, and every option of every example to one that exists.

>>> [command.name for command in CHAPTERS["In CI"]]
['init', 'check', 'check-comment', 'explain']
>>> COMMANDS["why"].module
'anomalies'
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command or a group of them: its name, the module of this package that registers it, what
    it does in at most 56 characters, and examples, each a command line without the program."""

    name: str
    module: str
    does: str
    examples: tuple[str, ...]


CHAPTERS: dict[str, tuple[Command, ...]] = {
    "Start here": (
        Command("demo", "demo", "A month of sample logs, imported and reported", (
            "demo", "demo --dir ~/books --open",
        )),
        Command("doctor", "doctor", "Check the installation, the store and the prices", (
            "doctor", "doctor --json",
        )),
        Command("serve", "serve", "The dashboards, and the collector where enabled", (
            "serve", "serve --db books.duckdb --port 9000",
        )),
    ),
    "The books": (
        Command("ingest", "ingest", "Import usage logs of any known format", (
            "ingest logs/", "ingest calls.jsonl.gz --set team=search --dry-run",
            "ingest export.csv --map occurred_at=time --map model=model --map input=prompt_tokens",
            "ingest --lake /mnt/lake logs/ --set team=search",
        )),
        Command("formats", "ingest", "The log formats and how each is recognised", (
            "formats", "formats --json",
        )),
        Command("report", "report", "Spend by any dimensions and period", (
            "report --by team,variant --since this-month",
            "report --by month --tz Europe/Berlin --where team=search --json",
            "report --lake /mnt/lake --engine sc://spark.example:15002 --by team,month",
        )),
        Command("compare", "report", "The same traffic on other variants, tiers, sellers", (
            "compare --variants gpt-5.2,gpt-5.2@batch,cometapi:gpt-5.2 --where team=search",
        )),
        Command("sql", "sql", "Query the store, read-only", (
            "sql 'SELECT team, sum(cost_usd) FROM calls GROUP BY 1' --csv",
        )),
        Command("export", "export", "Write usage and cost: FOCUS, CSV, Parquet, a lake", (
            "export focus --version 1.4 --since 2026-03 --until 2026-04 --out focus.csv",
            "export lake /mnt/lake",
        )),
        Command("reconcile", "reconcile", "Computed cost against what was charged", (
            "reconcile --since 2026-03",
        )),
    ),
    "Prices and tokens": (
        Command("rates", "rates", "The pricing table, its history and its sources", (
            "rates list gpt-5.2", "rates show gpt-5.2-pro", "rates diff 2026-01-01 2026-11-01",
            "rates lint",
        )),
        Command("price", "price", "Price a usage object, a body or a log, line by line", (
            "price usage.json --provider openai --model gpt-5.2 --tier flex --at 2026-03-01",
            "price --lake /mnt/lake --since 2026-03-20 --where team=search --json",
        )),
        Command("count", "count", "Tokens of a text or of a whole request, as billed", (
            "count request.json", "count prompt.md --model gpt-5.2",
        )),
        Command("calibrate", "count", "Learn what a model bills beyond the count", (
            "calibrate requests.jsonl --model claude-opus-4-5",
        )),
    ),
    "Finance": (
        Command("forecast", "forecast", "Where the month and the quarter will end", (
            "forecast", "forecast --json",
        )),
        Command("budget", "budget", "Spend against limits, chance to exceed, exhaustion", (
            "budget", "budget --json",
        )),
        Command("anomalies", "anomalies", "Spikes and sustained shifts, their cause and cost", (
            "anomalies --period 30d",
        )),
        Command("why", "anomalies", "Why cost moved: price, volume, mix, tier, cache", (
            "why --json",
        )),
        Command("unit", "unit", "Cost per call, session, customer, task and success", (
            "unit --json",
        )),
        Command("showback", "unit", "Each team's own cost and its part of what is shared", (
            "showback --json",
        )),
        Command("report-month", "report_month", "A month as a page for people without dashboards", (
            "report-month --help",
        )),
    ),
    "Before launch": (
        Command("simulate", "simulate", "What a month will cost on each variant, how surely", (
            "simulate init", "simulate scenario.toml --variants gpt-5.2,gpt-5-mini",
        )),
        Command("replay", "traffic", "A recorded trace through cache rules and prices", (
            "replay trace.jsonl --block-size 512 --variants gpt-5.2,gpt-5-mini",
        )),
        Command("traffic", "traffic", "Fit, generate and validate traffic", (
            "traffic fit trace.jsonl -o scenario.toml", "traffic validate trace.jsonl",
        )),
        Command("mock", "mock", "A simulated endpoint: test runs without key or bill", (
            "mock --port 8080",
        )),
    ),
    "In CI": (
        Command("init", "check", "Find prompts, write [check] with today's numbers", (
            "init",
        )),
        Command("check", "check", "Count and price prompts against limits and a base", (
            "check", "check --base origin/main --format markdown",
        )),
        Command("check-comment", "check", "Post the report as one comment, updated in place", (
            "check-comment report.json --dry-run",
        )),
        Command("explain", "check", "What a finding of `check` means and what to do", (
            "explain",
        )),
    ),
}  # fmt: skip

COMMANDS: dict[str, Command] = {
    command.name: command for chapter in CHAPTERS.values() for command in chapter
}


# What a value is, where its type says too little.
VALUES = {
    "since": "WHEN", "until": "WHEN", "at": "WHEN", "known_at": "WHEN", "tz": "ZONE",
    "where": "NAME=VALUE", "set_": "NAME=VALUE", "map_": "FIELD=COLUMN", "by": "NAME,NAME…",
    "variants": "NAME,NAME…", "model": "MODEL", "provider": "PROVIDER", "seller": "SELLER",
    "tier": "TIER", "prices": "event|now|DATE",
}  # fmt: skip
