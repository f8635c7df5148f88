"""`replay` and `traffic` as a user runs them: hand-computed costs, golden figures, round trips."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

FLOOR = ("--min-tokens", "1024", "--step", "128")
GIVEN = ("--block-size", "512", "--at", "2026-11-21")


def trace_file(path: Path, rows: list[dict] | None = None, **names: str) -> Path:
    """Three requests with the same four blocks at 0, 60 and 2,000 seconds."""
    rows = rows or [
        {"t_s": t, "input_tokens": 2048, "output_tokens": 100, "hash_ids": [1, 2, 3, 4]}
        for t in (0, 60, 2000)
    ]
    renamed = [{names.get(k, k): v for k, v in r.items()} for r in rows]
    path.write_text("".join(json.dumps(r) + "\n" for r in renamed))
    return path


def replay(tokenbooks: Run, *arguments: str | Path) -> dict:
    code, out, err = tokenbooks("replay", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_the_answer_has_counts_and_exact_cost(tokenbooks: Run, workdir: Path) -> None:
    file = trace_file(workdir / "t.jsonl")
    got = replay(tokenbooks, file, *GIVEN, "--ttl", "300", "--variants", "gpt-5.2,gpt-5-mini")
    # The second request, 60 s later, reads all 2,048 tokens; the third comes too late.
    assert {k: got[k] for k in ("requests", "input_tokens", "cached_tokens", "output_tokens")} == {
        "requests": 3, "input_tokens": 6144, "cached_tokens": 2048, "output_tokens": 300,
    }  # fmt: skip
    assert got["cached_share"] == pytest.approx(1 / 3)
    # (4,096 x 1.75 + 2,048 x 0.175 + 300 x 14) and (4,096 x 0.25 + 2,048 x 0.025 + 300 x 2) / 1e6
    assert [v["cost_usd"] for v in got["variants"]] == ["0.0117264", "0.0016752"]
    assert got["variants"][0]["cost_without_cache_usd"] == "0.014952"


@pytest.mark.parametrize(("ttl", "cached"), [("59", 0), ("60", 2048), ("1939", 2048),
                                             ("1940", 4096)])  # fmt: skip
def test_a_lifetime_counts_from_the_last_use(
    tokenbooks: Run, workdir: Path, ttl: str, cached: int
) -> None:
    file = trace_file(workdir / "t.jsonl")
    assert replay(tokenbooks, file, *GIVEN, "--ttl", ttl)["cached_tokens"] == cached


@pytest.mark.parametrize(("minimum", "step", "cached"), [("2048", "128", 2048),
                                                         ("2049", "128", 0),
                                                         ("1024", "1000", 2000)])  # fmt: skip
def test_minimum_and_step(
    tokenbooks: Run, workdir: Path, minimum: str, step: str, cached: int
) -> None:
    file = trace_file(workdir / "t.jsonl")
    more = ("--ttl", "300", "--min-tokens", minimum, "--step", step)
    assert replay(tokenbooks, file, *GIVEN, *more)["cached_tokens"] == cached


def test_without_a_lifetime_the_variants_own_rule_holds(tokenbooks: Run, workdir: Path) -> None:
    file = trace_file(workdir / "t.jsonl")
    got = replay(tokenbooks, file, *GIVEN, "--variants", "gpt-5.2,claude-opus-4-5")
    gpt, opus = got["variants"]
    assert (gpt["cached_tokens"], opus["cached_tokens"]) == (4096, 0)
    assert opus["rule"]["min_tokens"] == 4096
    assert opus["cost_usd"] == "0.03822"  # 6,144 x 5 + 300 x 25


def test_sessions_do_not_share_in_session_scope(tokenbooks: Run, workdir: Path) -> None:
    rows = [
        {"t_ms": t, "input_tokens": 1024, "output_tokens": 1, "hash_ids": [1, 2], "session": s}
        for t, s in ((0, "a"), (1000, "b"), (2000, "a"))
    ]
    file = trace_file(workdir / "t.jsonl", rows)
    both = (*GIVEN, "--ttl", "300")
    assert replay(tokenbooks, file, *both, "--scope", "all")["cached_tokens"] == 2048
    assert replay(tokenbooks, file, *both, "--scope", "session")["cached_tokens"] == 1024


def test_other_column_names_through_the_map(tokenbooks: Run, workdir: Path) -> None:
    file = trace_file(workdir / "t.jsonl", input_tokens="prompt_len", t_s="at")
    code, _, err = tokenbooks("replay", file, *GIVEN)
    assert code == 3
    assert "missing columns t_s (or t_ms), input_tokens" in err
    maps = ("--map", "input_tokens=prompt_len", "--map", "t_s=at")
    assert replay(tokenbooks, file, *GIVEN, *maps, "--ttl", "60")["cached_tokens"] == 2048


def test_requests_are_priced_on_their_own_models(tokenbooks: Run, workdir: Path) -> None:
    rows = [
        {"t_s": 0, "input_tokens": 1000, "output_tokens": 100, "model": m}
        for m in ("gpt-5.2", "gpt-5-mini", "gpt-9")
    ]
    got = replay(tokenbooks, trace_file(workdir / "t.jsonl", rows), "--at", "2026-11-21")
    # 1,000 x 1.75 + 100 x 14 and 1,000 x 0.25 + 100 x 2; gpt-9 is unpriced, not free.
    assert Decimal(got["cost_usd"]) == Decimal("0.0036")
    assert got["unpriced_requests"] == 1


def test_an_unknown_variant_is_unpriced_and_a_finding(tokenbooks: Run, workdir: Path) -> None:
    file = trace_file(workdir / "t.jsonl")
    code, out, _ = tokenbooks("replay", file, *GIVEN, "--variants", "gpt-9", "--json")
    assert code == 1
    assert json.loads(out)["variants"][0]["cost_usd"] is None
    code, out, _ = tokenbooks("replay", file, *GIVEN, "--variants", "gpt-9")
    assert (code, "gpt-9 is UNPRICED" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("replay", "nowhere.parquet"), 3, "nowhere.parquet: no such file"),
        (("replay", "t.jsonl", "--scope", "some"), 2, "must be all or session"),
        (("replay", "t.jsonl", "--scope", "session"), 3, "needs a session column"),
        (("replay", "t.jsonl", "--map", "tokens"), 2, "must look like NAME=VALUE"),
        (("replay", "t.jsonl", "--map", "a=b"), 3, "is not a column of ours"),
        (("replay", "broken.jsonl"), 3, "line 2 is not JSON"),
        (("traffic", "fit"), 2, "either a TRACE or --from-store"),
        (("traffic", "fit", "--from-store"), 3, "does not exist yet"),
        (("traffic", "validate", "t.jsonl"), 3, "needs at least 20"),
    ],
)
def test_errors_say_what_to_do(
    tokenbooks: Run, workdir: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    trace_file(workdir / "t.jsonl")
    (workdir / "broken.jsonl").write_text('{"t_s": 0}\n{"t_s":\n')
    got, _, err = tokenbooks(*arguments)
    assert (got, words in err) == (code, True), err


def test_the_table_fits_80_columns(tokenbooks: Run, workdir: Path) -> None:
    file = trace_file(workdir / "t.jsonl")
    _, out, _ = tokenbooks("replay", file, *GIVEN, "--variants", "gpt-5.2,claude-opus-4-5")
    assert max(map(len, out.splitlines())) <= 80
    assert "4,096 input tokens (66.67 %) come from the cache" in out


def sessions_log(path: Path) -> Path:
    """30 sessions of two requests; the second continues the first."""
    rows = []
    for s in range(30):
        first = {"t_s": 600 * s, "input_tokens": 1536, "output_tokens": 50 + s,
                 "hash_ids": [0, 1, 100 + 2 * s], "session": f"s{s}"}  # fmt: skip
        rows.append(first)
        rows.append({**first, "t_s": 600 * s + 30, "input_tokens": 2048,
                     "hash_ids": [0, 1, 100 + 2 * s, 101 + 2 * s]})  # fmt: skip
    return trace_file(path, rows)


def test_fit_then_simulate_rebuilds_the_recorded_period(tokenbooks: Run, workdir: Path) -> None:
    file = sessions_log(workdir / "t.jsonl")
    (workdir / "out").mkdir()
    code, out, err = tokenbooks(
        "traffic", "fit", file, "--block-size", "512", "-o", "out/s.toml", "--json"
    )
    assert code == 0, err
    fitted = json.loads(out)["fit"]
    assert (fitted["requests"], fitted["sessions"]) == (60, 30)
    truth = replay(tokenbooks, file, "--block-size", "512", "--variants", "gpt-5.2")
    days = str(fitted["span_days"])
    code, out, err = tokenbooks("simulate", "out/s.toml", "--days", days, "--json")
    assert code == 0, err
    cost = json.loads(out)["variants"][0]["cost_usd"]
    actual = Decimal(truth["variants"][0]["cost_usd"])
    assert Decimal(cost["p10"]) <= actual <= Decimal(cost["p90"])
    assert abs(Decimal(cost["mean"]) / actual - 1) < Decimal("0.05")
    assert tokenbooks("traffic", "fit", file, "-o", "out/s.toml")[0] == 2  # never overwritten


def test_a_generated_log_imports_fully_and_fits_again(tokenbooks: Run, workdir: Path) -> None:
    tokenbooks("simulate", "init", "--users", "100", "--variants", "gpt-5.2", "-o", "s.toml")
    code, out, err = tokenbooks("traffic", "generate", "s.toml", "--days", "3", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert made["rows"] > 100
    code, out, _ = tokenbooks("ingest", "logs.jsonl", "--db", "t.duckdb", "--strict", "--json")
    assert code == 0
    assert json.loads(out)["total"]["added"] == made["rows"]
    report = json.loads(tokenbooks("report", "--db", "t.duckdb", "--json")[1])["total"]
    assert report["input_tokens"] == made["input_tokens"]
    assert report["output_tokens"] == made["output_tokens"]
    assert report["unpriced_calls"] == 0
    code, out, err = tokenbooks(
        "traffic", "fit", "--from-store", "--db", "t.duckdb", "-o", "again.toml", "--json"
    )
    assert code == 0, err
    fitted = json.loads(out)["fit"]
    assert (fitted["requests"], fitted["sessions"]) == (made["rows"], made["sessions"])
    days = str(fitted["span_days"])
    # The span itself once more: a month to come would drift, which raises its mean.
    again_toml = Path("again.toml").read_text("utf-8")
    assert 'period = "next"' in again_toml
    Path("again.toml").write_text(again_toml.replace('period = "next"', 'period = "same"'), "utf-8")
    again = json.loads(tokenbooks("simulate", "again.toml", "--days", days, "--json")[1])
    mean = Decimal(again["variants"][0]["cost_usd"]["mean"])
    assert abs(mean / Decimal(report["cost_usd"]) - 1) < Decimal("0.03")
    assert again["variants"][0]["cached_share"] == pytest.approx(report["cached_share"], abs=0.02)


def test_the_same_seed_writes_the_same_log(tokenbooks: Run, workdir: Path) -> None:
    tokenbooks("simulate", "init", "--users", "50", "-o", "s.toml")
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        tokenbooks("traffic", "generate", "s.toml", "--days", "1", "--seed", seed, "-o", name)
    assert Path("a").read_bytes() == Path("b").read_bytes()
    assert Path("a").read_bytes() != Path("c").read_bytes()


def test_validate_reports_parts_apart_beside_baselines(tokenbooks: Run, workdir: Path) -> None:
    file = sessions_log(workdir / "t.jsonl")
    command = ("traffic", "validate", file, "--block-size", "512", "--splits", "8")
    code, out, err = tokenbooks(*command, "--json")
    assert code == 0, err
    rows = json.loads(out)["random_split"]["predictors"]
    assert set(rows) == {"mean_times_count", "session_bootstrap", "whole_sessions"}
    # All sessions send the same input, so every half predicts the other's exactly.
    assert rows["whole_sessions"]["input"]["median_abs_error"] == pytest.approx(0, abs=1e-12)
    assert rows["mean_times_count"]["cost"]["median_abs_error"] > 0.1  # it knows no cache
    code, out, _ = tokenbooks(*command)
    assert code == 0
    assert "whole sessions" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        ("mooncake_conversation", ("--ttl", "300"), 29.34),
        ("mooncake_conversation", ("--ttl", "600"), 35.01),
        ("mooncake_conversation", ("--ttl", "3600", *FLOOR), 34.73),
        ("ragpulse_requests", ("--ttl", "300"), 24.21),
        ("ragpulse_requests", ("--ttl", "86400"), 31.43),
    ],
)  # fmt: skip
def test_golden_cached_shares(
    tokenbooks: Run, shared: Path, name: str, options: tuple[str, ...], share: float
) -> None:
    file = shared / "traces" / f"{name}.parquet"
    if not file.exists():
        pytest.skip(f"no trace at {file}")
    got = replay(tokenbooks, file, "--block-size", "512", *options)
    assert round(100 * got["cached_share"], 2) == share


def test_golden_cost(tokenbooks: Run, shared: Path) -> None:
    file = shared / "traces" / "mooncake_conversation.parquet"
    if not file.exists():
        pytest.skip(f"no trace at {file}")
    got = replay(
        tokenbooks, file, "--block-size", "512", "--ttl", "600", "--min-tokens", "1024", "--step",
        "128", "--variants", "gpt-5.2", "--at", "2026-11-21",
    )  # fmt: skip
    assert round(Decimal(got["variants"][0]["cost_usd"]), 2) == Decimal("237.45")
    assert round(Decimal(got["variants"][0]["cost_without_cache_usd"]), 2) == Decimal("311.10")
