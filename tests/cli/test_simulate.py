"""`simulate` as a user runs it: hand-computed bill, seeds, ranges, errors, the first minute."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

FIXED = """\
name = "fixed"
start = 2026-12-01
days = 30
variants = ["gpt-5.2", "gpt-5-mini"]
[[workloads]]
name = "w"
  [workloads.volume]
  sessions_per_day = 1000
  [workloads.structure]
  system_tokens = 400
  user_tokens = 100
  session_spread = 0
  [workloads.output]
  tokens = 200
  [workloads.failures]
  retry_rate = 0
  [workloads.cache]
  enabled = false
"""


def simulate(tokenbooks: Run, *arguments: str | Path) -> dict:
    code, out, err = tokenbooks("simulate", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def scenario(workdir: Path, text: str = FIXED) -> Path:
    (workdir / "s.toml").write_text(text)
    return workdir / "s.toml"


def test_a_bill_one_can_do_by_hand(tokenbooks: Run, workdir: Path) -> None:
    got = simulate(tokenbooks, scenario(workdir))
    first, second = got["variants"]
    # 30,000 calls x (500 x 1.75 + 200 x 14) and x (500 x 0.25 + 200 x 2) USD per million
    assert float(first["cost_usd"]["mean"]) == pytest.approx(110.25, rel=2e-3)
    assert float(second["cost_usd"]["mean"]) == pytest.approx(15.75, rel=2e-3)
    tokens = first["tokens"]
    assert tokens["input"]["mean"] == pytest.approx(15_000_000, rel=2e-3)
    assert tokens["output"]["mean"] == pytest.approx(6_000_000, rel=2e-3)
    assert (tokens["cached"]["p90"], tokens["reasoning"]["p90"]) == (0, 0)
    assert got["cheapest"] == "gpt-5-mini"
    cost = [Decimal(first["cost_usd"][p]) for p in ("p10", "p50", "p90", "p99")]
    assert cost == sorted(cost)


def test_days_and_variants_override_the_file(tokenbooks: Run, workdir: Path) -> None:
    file = scenario(workdir)
    got = simulate(tokenbooks, file, "--days", "15", "--variants", "gpt-5-mini")
    assert [v["variant"] for v in got["variants"]] == ["gpt-5-mini"]
    assert float(got["variants"][0]["cost_usd"]["mean"]) == pytest.approx(7.875, rel=3e-3)


def test_reasoning_is_apart_from_the_visible_answer(tokenbooks: Run, workdir: Path) -> None:
    file = scenario(
        workdir, FIXED.replace("tokens = 200", "tokens = 200\n  reasoning_tokens = 300")
    )
    tokens = simulate(tokenbooks, file)["variants"][0]["tokens"]
    assert tokens["reasoning"]["mean"] == pytest.approx(9_000_000, rel=2e-3)
    assert tokens["output"]["mean"] == pytest.approx(15_000_000, rel=2e-3)


def test_the_same_seed_gives_the_same_numbers(tokenbooks: Run, workdir: Path) -> None:
    file = scenario(workdir, FIXED.replace("= 1000", "= { p10 = 500, p90 = 2000 }"))
    runs = [simulate(tokenbooks, file, "--seed", s)["variants"] for s in ("3", "3", "4")]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    # The range is given as P10 and P90, and the bill is proportional to it.
    cost = runs[0][0]["cost_usd"]
    assert float(cost["p90"]) / float(cost["p10"]) == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("tokens = 200", "tokenz = 200"), "unknown key 'tokenz'; did you mean 'tokens'?"),
        (("days = 30", "day = 30"), "unknown key 'day'; did you mean 'days'?"),
        (("= 1000", "= { p10 = 9, p90 = 3 }"), "must not be below p10"),
        (("= 1000", '= "many"'), "must be a number of zero or more"),
        (('name = "w"', "name = w"), "not valid TOML"),
    ],
)
def test_wrong_scenarios_name_the_place(
    tokenbooks: Run, workdir: Path, change: tuple[str, str], words: str
) -> None:
    code, _, err = tokenbooks("simulate", scenario(workdir, FIXED.replace(*change)))
    assert (code, words in err) == (2, True), err


def test_a_missing_scenario_says_how_to_make_one(tokenbooks: Run) -> None:
    code, _, err = tokenbooks("simulate", "nowhere.toml")
    assert code == 3
    assert "`tokenbooks simulate init` writes one" in err
    assert tokenbooks("simulate")[0] in (0, 2)  # help


def test_an_unknown_variant_is_unpriced_beside_the_others(tokenbooks: Run, workdir: Path) -> None:
    file = scenario(workdir)
    code, out, _ = tokenbooks("simulate", file, "--variants", "gpt-5.2,gpt-9", "--json")
    rows = {r["variant"]: r for r in json.loads(out)["variants"]}
    assert code == 1
    assert rows["gpt-9"]["cost_usd"] is None
    assert rows["gpt-5.2"]["cost_usd"] is not None
    code, out, _ = tokenbooks("simulate", file, "--variants", "gpt-9")
    assert (code, "gpt-9 is UNPRICED" in out) == (1, True)


def test_the_tables_fit_80_columns(tokenbooks: Run, workdir: Path) -> None:
    tokenbooks("simulate", "init", "-o", "s.toml", "--users", "100000")
    code, out, _ = tokenbooks("simulate", "s.toml")
    lines = out.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 80
    assert any(re.match(r" users +-50 % .*\+100 % *$", line) for line in lines)
    assert any("answers a quarter shorter" in line for line in lines)


def test_init_counts_the_prompt_and_keeps_its_place(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "prompts").mkdir()
    (workdir / "prompts" / "shop.md").write_text("hello world " * 500)
    (workdir / "scenarios").mkdir()
    code, out, err = tokenbooks(
        "simulate", "init", "--prompt", "prompts/shop.md", "--users", "200", "--name", "shop",
        "--start", "2026-12-01", "-o", "scenarios/shop.toml",
    )  # fmt: skip
    assert code == 0, err
    # 1,001 tokens of text ("hello world " 500 times), and the frame of a message
    assert re.search(r"1,00\d tokens as a system message on gpt-5\.2", out)
    text = (workdir / "scenarios" / "shop.toml").read_text()
    assert 'system_file = "../prompts/shop.md"' in text
    assert "start = 2026-12-01" in text
    got = simulate(tokenbooks, "scenarios/shop.toml", "--no-levers")
    assert got["scenario"] == "shop"
    per_call = got["variants"][0]["tokens"]["input"]["p50"] / got["variants"][0]["requests"]["p50"]
    assert per_call > 1000
    code, _, err = tokenbooks("simulate", "init", "-o", "scenarios/shop.toml")
    assert (code, "--force to replace it" in err) == (2, True)
    assert tokenbooks("simulate", "init", "--prompt", "none.md", "-o", "x.toml")[0] == 3
    assert not (workdir / "x.toml").exists()


def test_init_to_standard_output_is_a_scenario(tokenbooks: Run, workdir: Path) -> None:
    code, out, _ = tokenbooks("simulate", "init", "-o", "-", "--turns", "7")
    assert code == 0
    assert "turns = 7" in out
    assert simulate(tokenbooks, scenario(workdir, out))["days"] == 30


def piped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_answers_come_from_a_pipe_and_the_rest_is_usual(
    tokenbooks: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, "My shop\n1,500\n\n4\n")
    code, out, err = tokenbooks("simulate", "init")
    assert (code, "scenario.toml written" in out) == (0, True)
    assert "How many users will it have? 1,500" in err
    made = tomllib.loads((workdir / "scenario.toml").read_text())
    assert made["name"] == "My shop"
    (load,) = made["workloads"]
    assert load["volume"]["users"] == {"p10": 750, "p90": 3000}
    assert load["volume"]["sessions_per_user_day"] == 0.5
    assert load["structure"]["turns"] == 4
    assert made["variants"] == ["gpt-5.2", "gpt-5-mini"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("shop\nmany\n", "answer 2 (How many users will it have?): 'many' is not a number"),
        ("shop\n0\n", "answer 2 (How many users will it have?): 0 must be above 0"),
        ("shop\n5\n1\n0.5\n", "answer 4 (Questions in a session?): 0.5 must be at least 1"),
        ("shop\n5\n1\n1\n9\n\nno.md\n", "answer 7 (File with the system prompt (empty: none)?)"),
    ],
)
def test_an_answer_that_cannot_be_writes_nothing(
    tokenbooks: Run, workdir: Path, monkeypatch: pytest.MonkeyPatch, answers: str, said: str
) -> None:
    piped(monkeypatch, answers)
    code, _, err = tokenbooks("simulate", "init")
    assert (code, said in err) == (2, True)
    assert not (workdir / "scenario.toml").exists()


def test_without_any_answer_what_is_usual_is_taken_and_said(
    tokenbooks: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, "")
    code, _, err = tokenbooks("simulate", "init")
    assert (code, "no answers on standard input" in err) == (0, True)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_on_a_terminal_a_wrong_answer_is_asked_again(workdir: Path) -> None:
    import pty
    import select

    child, screen = pty.fork()
    if child == 0:
        root = str(Path(__file__).parents[2])
        os.environ["PYTHONPATH"] = root
        os.execv(sys.executable, [sys.executable, "-m", "tokenbooks", "simulate", "init"])
    seen = b""
    answers = ["shop", "many", "300", "", "", "", "", ""]
    while answers and select.select([screen], [], [], 20)[0]:
        seen += os.read(screen, 4096)
        # A question ends in its suggestion, or in a colon.
        if seen.rstrip().endswith(b":"):
            os.write(screen, answers.pop(0).encode() + b"\r")
            seen += b"\n"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"'many' is not a number" in seen
    made = tomllib.loads((workdir / "scenario.toml").read_text())
    assert made["workloads"][0]["volume"]["users"] == {"p10": 150, "p90": 600}


def test_a_variant_nobody_sells_is_named_with_the_nearest(tokenbooks: Run, workdir: Path) -> None:
    code, _, err = tokenbooks("simulate", "init", "--users", "5", "--variants", "gpt-5.22")
    assert code == 0
    assert "'gpt-5.22' is in no price list; did you mean 'gpt-5.2'?" in err
    code, out, _ = tokenbooks("simulate", "scenario.toml", "--variants", "azur/gpt-5.2,gpt-5-mini")
    assert code == 1
    assert "no price list of a seller 'azur'; did you mean 'azure/gpt-5.2'?" in squeezed(out)


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_the_schema_knows_every_part(tokenbooks: Run) -> None:
    code, out, _ = tokenbooks("simulate", "schema")
    assert code == 0
    assert {"workloads", "variants", "limits", "seed"} <= set(json.loads(out)["properties"])


def test_numbers_from_the_store(tokenbooks: Run, workdir: Path) -> None:
    file = scenario(workdir)
    tokenbooks("traffic", "generate", file, "--days", "4", "-o", "log.jsonl")
    tokenbooks("ingest", "log.jsonl", "--db", "t.duckdb")
    file.write_text(
        FIXED.replace("= 1000", '= "from store"').replace("tokens = 200", 'tokens = "from store"')
    )
    got = simulate(tokenbooks, file, "--db", "t.duckdb", "--variants", "gpt-5.2")
    assert float(got["variants"][0]["cost_usd"]["mean"]) == pytest.approx(110.25, rel=0.1)
    assert tokenbooks("simulate", file, "--db", "none.duckdb")[0] == 3


def test_limits_and_caps_are_named(tokenbooks: Run, workdir: Path) -> None:
    text = FIXED + '[limits."gpt-5.2"]\nrequests_per_minute = 1\nmonthly_usd = 50\n'
    _, out, _ = tokenbooks("simulate", scenario(workdir, text))
    assert "warning: rate limit: gpt-5.2 sees 2 requests in its busiest minute" in out
    assert "warning: spend cap" in out
