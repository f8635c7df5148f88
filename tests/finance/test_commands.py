"""The finance commands as a user runs them: answers, exit codes, 80 columns, errors that help."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.budgets.test_notify import Hook

Run = Callable[..., tuple[int, str, str]]

SETTINGS = """
[[budgets]]
name = "All"
amount = "150 USD"

[[budgets]]
name = "Platform"
amount = "56 EUR"
scope = { team = "platform" }
fail = ["P90 110 %"]

[currency]
show = "EUR"

[[currency.rates]]
currency = "EUR"
usd = "1.25"
on = 2026-03-02
source = "a bank"

[showback]
shared = ["platform"]
rule = "even"
"""


@pytest.fixture
def tb(tokenbooks: Run, demo_db: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (workdir / "tokenbooks.toml").write_text(SETTINGS)
    copy = workdir / "books.duckdb"
    copy.write_bytes(demo_db.read_bytes())
    monkeypatch.setenv("TOKENBOOKS_DB", str(copy))
    return tokenbooks


def narrow(out: str) -> bool:
    tables = [line for line in out.splitlines() if line.startswith(" ")]
    return all(len(line.rstrip()) <= 80 for line in tables)


def total_of(tb: Run, *where: str) -> str:
    return json.loads(tb("report", "--json", *where)[1])["total"]["cost_usd"]


def test_budget(tb: Run) -> None:
    code, out, _ = tb("budget", "--as-of", "2026-03-21", "--json")
    assert code == 1
    answer = json.loads(out)
    whole, platform = answer["budgets"]
    assert whole["spent_usd"] == total_of(tb, "--until", "2026-03-22")  # the day counts
    assert platform["amount_usd"] == "70.00"
    assert [c["threshold"] for c in platform["crossed"] if c["action"] == "fail"] == ["P90 110 %"]
    assert Decimal(platform["forecast"]["p90_usd"]) > 77
    assert any("1 EUR = 1.25 USD (a bank, 2026-03-02)" in n for n in answer["notes"])
    assert len(whole["burn_down"]) == 21
    code, out, _ = tb("budget", "--as-of", "2026-03-21", "--name", "All")
    assert code == 0
    assert "20 of 31 days gone" in out
    assert narrow(out)


def test_budget_and_forecast_say_the_same(tb: Run) -> None:
    _, out, _ = tb("budget", "--as-of", "2026-03-21", "--json")
    budget = json.loads(out)["budgets"]
    _, out, _ = tb("forecast", "--as-of", "2026-03-21", "--by", "team", "--json")
    month = json.loads(out)["periods"][0]
    named = {"p10_usd": "p10_usd", "p50_usd": "p50_usd", "p90_usd": "p90_usd"}
    assert {k: month["total"][k] for k in named} == budget[0]["forecast"]
    platform = next(r for r in month["rows"] if r["team"] == "platform")
    assert {k: platform[k] for k in named} == budget[1]["forecast"]


def test_notify_once(tb: Run, workdir: Path) -> None:
    hook = Hook()
    try:
        asked = ("budget", "--as-of", "2026-03-21", "--name", "All", "--notify",
                 "--webhook", hook.url, "--webhook-format", "slack", "--json")  # fmt: skip
        code, out, _ = tb(*asked)
        assert code == 0
        assert json.loads(out)["notified"]["sent"] == [{"budget": "All", "threshold": "50 %"}]
        _, out, _ = tb(*asked)
        assert json.loads(out)["notified"] == {"sent": [], "failed": [], "already_sent": 1}
        assert len(hook.bodies) == 1
        assert (workdir / "books.duckdb.budgets.json").is_file()
    finally:
        hook.close()
    code, out, _ = tb(*asked[:-4], "http://127.0.0.1:9/x")
    assert code == 3


def test_forecast(tb: Run) -> None:
    code, out, _ = tb("forecast", "--as-of", "2026-03-21", "--horizon", "month-end",
                      "--price-change", "gpt-5.2-codex=-50%@2026-03-25", "--json")  # fmt: skip
    assert code == 0
    (month,) = json.loads(out)["periods"]
    assert month["total"]["spent_usd"] == total_of(tb, "--until", "2026-03-22")
    assert sum(Decimal(r["spent_usd"] or 0) for r in month["rows"]) == Decimal(
        month["total"]["spent_usd"]
    )
    assert Decimal(month["what_if"]["effect_usd"]["p50"]) < 0
    code, out, err = tb("forecast", "--horizon", "10")
    assert code == 0
    assert "the newest call is of 2026-03-31" in err
    assert narrow(out)


def test_a_launch_from_a_scenario(tb: Run, workdir: Path) -> None:
    (workdir / "s.toml").write_text(
        'name = "helper"\nstart = 2026-12-01\nvariants = ["gpt-5-mini"]\n'
        '[[workloads]]\nname = "w"\n'
        "[workloads.volume]\nsessions_per_day = 10_000\n"
        "[workloads.structure]\nsystem_tokens = 400\nuser_tokens = 100\nsession_spread = 0\n"
        "[workloads.output]\ntokens = 200\n"
    )
    code, out, err = tb("forecast", "--as-of", "2026-03-21", "--horizon", "month-end",
                        "--launch", "s.toml@2026-03-22", "--json")  # fmt: skip
    assert code == 0, err
    effect = json.loads(out)["periods"][0]["what_if"]["effect_usd"]
    # A day is 5M tokens in at 0.25 and 2M out at 2.00 USD per million: 5.25 USD, on ten days.
    assert float(effect["p50"]) == pytest.approx(52.5, rel=0.01)


def test_anomalies(tb: Run) -> None:
    code, out, _ = tb("anomalies", "--json")
    answer = json.loads(out)
    assert code == (1 if answer["anomalies"] else 0)
    assert answer["until"] == "2026-04-01"
    code, out, _ = tb("anomalies", "--period", "2026-03", "--floor", "1000")
    assert code == 0
    assert "nothing unusual" in out


def test_explain(tb: Run) -> None:
    periods = ("--from", "2026-03-02..2026-03-16", "--to", "2026-03-16..2026-03-30")
    code, out, _ = tb("why", *periods, "--json")
    answer = json.loads(out)
    assert code == 0
    effects = sum(Decimal(v) for v in answer["effects_usd"].values())
    assert effects == Decimal(answer["difference_usd"])
    assert answer["to"]["cost_usd"] == total_of(
        tb, "--since", "2026-03-16", "--until", "2026-03-30"
    )
    code, out, _ = tb("why", *periods)
    assert "volume" in out
    assert narrow(out)


def test_unit_and_showback(tb: Run) -> None:
    code, out, _ = tb("unit", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["cost_usd"] == total_of(tb)
    assert answer["converted"]["rate"]["source"] == "a bank"
    assert Decimal(answer["converted"]["cost"]["amount"]) == Decimal(answer["cost_usd"]) / Decimal(
        "1.25"
    )
    code, out, _ = tb("showback", "--json")
    statement = json.loads(out)
    assert statement["total_usd"] == total_of(tb)
    assert {r["team"] for r in statement["rows"]} == {"assistant", "search"}
    for command in ("unit", "showback"):
        code, out, _ = tb(command)
        assert code == 0
        assert "EUR" in out
        assert narrow(out)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["budget", "--name", "Alll"], 2, "known: All, Platform"),
        (["budget", "--webhook-format", "irc"], 2, "json, slack or teams"),
        (["forecast", "--horizon", "soon"], 2, "month-end, quarter-end"),
        (["forecast", "--by", "taem"], 2, "'team'"),
        (["forecast", "--as-of", "2026-02-01"], 2, "nothing to forecast from"),
        (["forecast", "--move", "x"], 2, "write gpt-5.2"),
        (["why", "--from", "soon", "--to", "2026-03"], 2, "no date"),
        (["why", "--from", "2026-02"], 2, "--to"),
        (["anomalies", "--by", "taem"], 2, "'team'"),
        (["anomalies", "--period", "2026-05"], 3, "no complete day"),
        (["unit", "--currency", "GBP"], 2, "no rate of GBP"),
        (["unit", "--success", "won"], 2, "NAME=VALUE"),
        (["showback", "--rule", "fair"], 2, "even, proportional, fixed"),
        (["report-month", "--out", "r.docx"], 2, ".html or .pdf"),
        (["forecast", "--db", "none.duckdb"], 3, "does not exist"),
    ],
)
def test_wrong_questions_are_explained(
    tb: Run, arguments: list[str], code: int, words: str
) -> None:
    got, _, err = tb(*arguments)
    assert got == code
    assert words in err


def test_a_wrong_budget_is_named(tb: Run, workdir: Path) -> None:
    (workdir / "tokenbooks.toml").write_text('[[budgets]]\nname = "a"\namont = "5 USD"\n')
    code, _, err = tb("budget")
    assert code == 2
    assert "did you mean 'amount'" in err
    (workdir / "tokenbooks.toml").write_text("")
    code, _, err = tb("budget")
    assert code == 2
    assert "[[budgets]]" in err
    (workdir / "tokenbooks.toml").write_text(
        '[[budgets]]\nname = "a"\namount = "5 USD"\nscope = { taem = "x" }\n'
    )
    code, _, err = tb("budget")
    assert code == 2
    assert "budget 'a': scope: unknown dimension 'taem'" in err
