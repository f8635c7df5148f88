"""Pricing: stored calls on ten variants, beside a bare sum and two per-call functions.

The limit is DuckDB summing the same columns without pricing anything: what reading them costs.
The per-call contestants price a sample one call at a time, and their time a call is extrapolated
to all of them; everything else is measured whole. Before timing, a sample of the store is priced
by the scalar estimator and must equal the SQL to the pico-dollar.

LiteLLM runs beside in a process of its own: `--litellm PYTHON` names one that has it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import Row, interleaved, peak_gib, rate, synthetic_store

TARGETS = (
    "gpt-5.2", "gpt-5.2@batch", "gpt-5-mini", "gpt-5.2-pro", "gpt-5.2-codex", "cometapi:gpt-5.2",
    "claude-opus-4-5", "claude-sonnet-4-5", "gemini-2.5-pro", "gemini-2.5-flash",
)  # fmt: skip
SHOWN = (
    "requests", "input_total", "cache_read", "cache_write_5m", "output_total", "reasoning",
    "cost_pico", "saved_pico", "source_cost_usd",
)  # fmt: skip
"""What a report adds up, by the status and outcome of the calls."""
SAMPLE = 2_000
PER_CALL = 500


def _sample(con: Any) -> list[tuple[Any, ...]]:
    return con.execute(
        "SELECT provider, seller, model, tier_stated, occurred_at, cost_pico,"
        " status, input_uncached, cache_read, cache_write_5m, output_text, reasoning,"
        f" time_assumed FROM calls USING SAMPLE reservoir({SAMPLE} ROWS) REPEATABLE (7)"
    ).fetchall()


_METERS: tuple[str, ...] = (
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "output_text",
    "reasoning",
)


def check_against_scalar(sample: list[tuple[Any, ...]]) -> None:
    """Every sampled call costs the same, and has the same status, in both estimators."""
    from pricing.estimator import price_reading
    from pricing.usage import Reading

    for provider, seller, model, tier, at, pico, status, *counts, assumed in sample:
        found = dict(zip(_METERS, counts, strict=True))
        call = price_reading(
            Reading(found, "bench"), provider, model, at=at, tier=tier, seller=seller
        )
        cost = None if call.cost_usd is None else int(call.cost_usd.scaleb(12))
        said = "assumed" if assumed and call.status == "exact" else call.status
        assert (cost, said) == (pico, status), (provider, model, at, found)


def _genai(sample: list[tuple[Any, ...]]) -> int:
    """genai-prices' `calc_price`, one call at a time, on calls of models it knows."""
    from genai_prices import Usage, calc_price

    done = 0
    for provider, _, model, _, at, pico, _, plain, read, written, text, thought, _ in sample:
        if pico is None or done >= PER_CALL:
            continue
        usage = Usage(
            input_tokens=plain + read + (written or 0), cache_read_tokens=read,
            cache_write_tokens=written or 0, output_tokens=text + (thought or 0),
        )  # fmt: skip
        calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
        done += 1
    return done


class LiteLLM:
    """LiteLLM's `cost_per_token` in a process of its own (`benchmarks.litellm_calls`): `reason`
    says why there is none."""

    def __init__(self, python: str, sample: list[tuple[Any, ...]]) -> None:
        self.calls, self.version, self.reason = 0, "", ""
        self._child = subprocess.Popen(
            [python, str(Path(__file__).with_name("litellm_calls.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        known = [s for s in sample if s[5] is not None][:PER_CALL]
        answer = self._ask(json.dumps([
            (provider, model, tier, plain + read + (written or 0), read, written or 0,
             text + (thought or 0))
            for provider, _, model, tier, _, _, _, plain, read, written, text, thought, _ in known
        ]))  # fmt: skip
        if answer:
            told = json.loads(answer)
            self.calls, self.version = told["calls"], told["version"]
        if not self.calls:
            self.reason = (
                f"LiteLLM is not installed for {Path(python).name}: `pip install"
                " 'tokenbooks[bench]'`, or name the Python of its own environment with --litellm"
            )

    def __call__(self) -> None:
        """Price every call it knows, once."""
        if self.calls:
            self._ask("go")

    def _ask(self, line: str) -> str:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._child.stdout.readline()

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._child.communicate()


def _scalar(sample: list[tuple[Any, ...]]) -> int:
    """Our own per-call function on the same calls."""
    from pricing.estimator import price_reading
    from pricing.usage import Reading

    for provider, seller, model, tier, at, *_, plain, read, written, text, thought, _ in sample[
        :PER_CALL
    ]:
        found = dict(zip(_METERS, (plain, read, written, text, thought), strict=True))
        price_reading(Reading(found, "bench"), provider, model, at=at, tier=tier, seller=seller)
    return min(PER_CALL, len(sample))


def rows(
    count: int = 1_000_000, folder: Path | None = None, litellm: str = sys.executable
) -> list[Row]:
    """The measurements over `count` calls; the store is kept when `folder` is given. `litellm` is
    the Python that has it."""
    from dashboards.queries.compare import compare
    from dashboards.queries.spend import spend
    from pricing.catalogue import default_catalogue

    with tempfile.TemporaryDirectory() as made:
        store = synthetic_store((folder or Path(made)) / f"bench-{count}.duckdb", count)
        try:
            con, catalogue = store.con, default_catalogue()
            stored = con.execute("SELECT count(*) FROM calls_stored").fetchall()[0][0]
            sums = ", ".join(f"sum({m})" for m in _METERS)
            sample = _sample(con)
            check_against_scalar(sample)
            random.Random(0).shuffle(sample)
            other = LiteLLM(litellm, sample)

            def bare(by: str = "") -> object:
                keys = f"{by}, " if by else ""
                grouped = f" GROUP BY {by}" if by else ""
                return con.execute(f"SELECT {keys}{sums} FROM calls_stored{grouped}").fetchall()

            times = interleaved(
                {
                    "bare": bare,
                    "bare of the report": lambda: con.execute(
                        f"SELECT {', '.join(f'sum({c})' for c in SHOWN)} FROM calls_stored"
                    ).fetchall(),
                    "bare by team": lambda: bare("team"),
                    "bare by day": lambda: bare("date_trunc('day', occurred_at)"),
                    "compare 10": lambda: compare(con, catalogue, TARGETS),
                    "compare 1": lambda: compare(con, catalogue, TARGETS[:1]),
                    "report": lambda: spend(con),
                    "report by team": lambda: spend(con, ["team"]),
                    "report by day": lambda: spend(con, ["day"]),
                    "genai": lambda: _genai(sample),
                    "litellm": other,
                    "scalar": lambda: _scalar(sample),
                },
                rounds=3 if count > 2_000_000 else 5,
            )
            other.close()
        finally:
            store.close()
    ten = times.median("compare 10")
    cells = stored * len(TARGETS)
    single = times.median("genai") / PER_CALL
    ours = times.median("scalar") / PER_CALL
    peak = peak_gib()
    found = [
        Row(
            "pricing", "compare on 10 variants / 10 bare sums",
            times.ratio("compare 10", "bare") / len(TARGETS),
            f"{rate(cells, ten)} rows × variants, bare sum {rate(stored, times.median('bare'))}",
        ),
        Row(
            "pricing", "genai-prices a call / ours in bulk", single * cells / ten,
            f"{single * 1e6:.0f} µs a call against {ten / cells * 1e9:.1f} ns a row and variant",
        ),
        _litellm(other, times.median("litellm"), cells, ten, ours),
        Row(
            "pricing", "our price of one call / genai-prices", ours / single,
            f"{ours * 1e6:.0f} µs against {single * 1e6:.0f} µs",
        ),
        Row(
            "pricing", "compare on 1 variant / bare sum", times.ratio("compare 1", "bare"),
            f"{times.median('compare 1'):.3f} s",
        ),
    ]  # fmt: skip
    for what, limit in (("report", "bare"), ("report", "bare of the report"),
                        ("report by team", "bare by team"),
                        ("report by day", "bare by day")):  # fmt: skip
        found.append(
            Row(
                "pricing", f"{what} / {_BARE[limit]}", times.ratio(what, limit),
                f"{times.median(what):.3f} s over {stored:,} calls",
            )
        )  # fmt: skip
    found.append(Row("pricing", "peak memory, GiB", peak, f"whole process, {stored:,} calls"))
    return found


_BARE = {
    "bare": "bare sum", "bare of the report": "bare sum of the nine columns it shows",
    "bare by team": "bare sum by team", "bare by day": "bare sum by day",
}  # fmt: skip


def _litellm(other: LiteLLM, seconds: float, cells: int, ten: float, ours: float) -> Row:
    if other.reason:
        return Row("pricing", "LiteLLM a call / ours in bulk", math.nan, f"skipped: {other.reason}")
    each = seconds / other.calls
    return Row(
        "pricing", "LiteLLM a call / ours in bulk", each * cells / ten,
        f"{each * 1e6:.0f} µs a call (LiteLLM {other.version}) against {ten / cells * 1e9:.1f} ns;"
        f" ours of one call is {ours / each:.2f} of it",
    )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument(
        "--litellm", default=sys.executable, metavar="PYTHON",
        help="the Python that has LiteLLM installed (default: this one)",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[1_000_000], help="calls to price, each in turn"
    )
