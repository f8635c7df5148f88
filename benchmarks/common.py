"""What all benchmarks share: a row of the table, a fair way to measure, and made-up traffic.

Things compared are run in turns inside one process, so that whatever else the machine does falls
on all of them; a ratio is the median over the rounds of the ratios within a round.

    times = interleaved({"ours": ours, "limit": bare}, rounds=5)
    times.ratio("ours", "limit"), times.median("ours")
"""

from __future__ import annotations

import math
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.store.database import Store


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: `ratio` compares as `what` says (a ratio of times unless it says so); NaN
    where it could not be made, for the reason in `detail`."""

    name: str
    what: str
    ratio: float
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Plain types; no ratio is null."""
        return {**asdict(self), "ratio": None if math.isnan(self.ratio) else self.ratio}


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each contestant, one entry a round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds."""
        return median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Median over the rounds of `name`'s time over `other`'s."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return median(a / b for a, b in pairs)


def interleaved(tasks: Mapping[str, Callable[[], object]], rounds: int = 5) -> Times:
    """Run every task once to warm up, then `rounds` times in turns."""
    for task in tasks.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - began)
    return Times(seconds)


def rate(count: float, seconds: float) -> str:
    """A rate for people: `1.2M/s`."""
    value = count / seconds
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}/s"
    return f"{value:.3g}/s"


def peak_gib() -> float:
    """The most memory this program held, in GiB.

    The system's figure for a process begins with what its parent held when it was started; the
    one of its address space begins anew with the program, where the system tells it.
    """
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**20


def machine() -> str:
    """The shape of this machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load {load:.1f} at the start"
    )


ROUTES: tuple[tuple[str, str | None, str, str | None, str | None], ...] = tuple(
    (provider, seller, model, tier, None)
    for provider, seller, model in (
        ("openai", None, "gpt-5.2"),
        ("openai", None, "gpt-5.2-chat-latest"),
        ("openai", None, "gpt-5-mini"),
        ("openai", None, "gpt-5.2-codex"),
        ("openai", "cometapi", "gpt-5.2"),
        ("anthropic", None, "claude-opus-4-5-20251101"),
        ("anthropic", None, "claude-sonnet-4-5"),
        ("google", None, "gemini-2.5-pro"),
        ("google", None, "gemini-2.5-flash"),
        ("openai", None, "nightjar-preview"),
    )
    for tier in ("default", "batch")
)
"""Routes of the made-up traffic: five makers' models on two tiers, one model nobody prices."""


_SLICE = 1_000_000


def synthetic_store(path: Path, rows: int) -> Store:
    """A store with `rows` made-up calls over 90 days on `ROUTES`, in time order.

    Prompts are log-uniform between 200 and 300,000 tokens (some pass the 200,000 step), most of
    them partly cached; one in forty writes to the cache; reasoning beside output on two in three.
    """
    from ingest.store import book, resolve, rollup
    from ingest.store.database import open_store
    from pricing import sql
    from pricing.catalogue import default_catalogue
    from pricing.meters import COUNTED

    used = ("input_uncached", "cache_read", "cache_write_5m", "output_text", "reasoning")
    unused = ", ".join(f"NULL AS {m}" for m in COUNTED if m not in used)
    store = open_store(path)
    catalogue = default_catalogue()
    book.sync(store, catalogue)
    if store.con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]:
        return store
    with store.transaction() as con:
        book.add_routes(con, catalogue, ROUTES)
        for begin in range(0, rows, _SLICE):  # in slices: sorting ten million at once takes memory
            calls = f"""
            WITH made AS (
                SELECT i, TIMESTAMP '2026-01-01'
                        + to_microseconds((i::HUGEINT * 7776000000000 // {rows})::BIGINT)
                        AS occurred_at,
                    hash(i) AS h, (hash(i + 1000003) % 10000) / 10000.0 AS r
                FROM range({begin}, {min(begin + _SLICE, rows)}) AS t(i)
            ), sized AS (
                SELECT *, (200 * pow(1500, r))::BIGINT AS prompt,
                    CASE WHEN h % 4 = 0 THEN 0.0 ELSE ((h >> 8) % 90) / 100.0 END AS share
                FROM made
            ), split AS (
                SELECT *, (prompt * share)::BIGINT AS cached,
                    CASE WHEN h % 40 = 7 THEN prompt // 10 END AS written
                FROM sized
            )
            SELECT u.*, {sql.kinds()} AS kinds FROM (
            SELECT 'openai:chatcmpl-' || substr(md5(i::VARCHAR), 1, 24) AS call_key, occurred_at,
                (1 + (h >> 20) % {len(ROUTES)})::INTEGER AS route_id,
                prompt - cached - coalesce(written, 0) AS input_uncached, cached AS cache_read,
                written AS cache_write_5m, (20 + (h >> 30) % 900)::BIGINT AS output_text,
                CASE WHEN h % 3 > 0 THEN ((h >> 40) % 3000)::BIGINT END AS reasoning,
                prompt AS input_total,
                (20 + (h >> 30) % 900
                    + CASE WHEN h % 3 > 0 THEN (h >> 40) % 3000 ELSE 0 END)::BIGINT AS output_total,
                1 AS requests, 'openai_chat' AS source_format, 'final' AS finality,
                h % 97 = 0 AS failed, h % 211 = 0 AS time_assumed,
                'team-' || ((h >> 12) % 25) AS team, 'project-' || ((h >> 16) % 120) AS project,
                ['answers', 'search', 'agent'][(1 + (h >> 18) % 3)::BIGINT] AS feature,
                'production' AS environment, 1 AS import_id, i::INTEGER AS line,
                {unused}
            FROM split WHERE prompt - cached - coalesce(written, 0) >= 0) AS u
            """
            resolve.insert(con, calls)
        rollup.rebuild(con)
    store.con.execute("CHECKPOINT")
    return store
