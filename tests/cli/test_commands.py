"""The commands as a user runs them: answers, exit codes, JSON, and errors that help."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

CHAT = {
    "id": "chatcmpl-AAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "object": "chat.completion",
    "created": 1772366400,  # 2026-03-01T12:00:00Z
    "model": "gpt-5.2",
    "service_tier": "default",
    "choices": [],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 800},
    },
}
# 200 x 1.75 + 800 x 0.175 + 50 x 14 USD per million
CHAT_USD = Decimal("0.00119")


def log(path: Path, *bodies: dict, tail: str = "") -> Path:
    path.write_text("".join(json.dumps(b) + "\n" for b in bodies) + tail)
    return path


def test_ingest_then_report_in_json(tokenbooks: Run, workdir: Path) -> None:
    file = log(workdir / "a.jsonl", CHAT)
    code, out, _ = tokenbooks("ingest", file, "--db", "t.duckdb", "--set", "team=search", "--json")
    assert code == 0
    assert json.loads(out)["total"]["added"] == 1
    code, out, _ = tokenbooks("report", "--db", "t.duckdb", "--by", "team,month", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["rows"][0]["team"] == "search"
    assert answer["rows"][0]["month"] == "2026-03"
    assert answer["total"]["cost_usd"] == "0.00119"
    assert answer["total"]["cached_share"] == 0.8
    # 800 tokens at 1.75 less 0.175 USD per million
    assert answer["total"]["cache_savings_usd"] == "0.00126"


def test_a_second_import_adds_nothing(tokenbooks: Run, workdir: Path) -> None:
    file = log(workdir / "a.jsonl", CHAT)
    tokenbooks("ingest", file, "--db", "t.duckdb")
    code, out, _ = tokenbooks("ingest", file, "--db", "t.duckdb", "--json")
    assert code == 0
    assert json.loads(out)["total"] | {"records": 0} == {
        "records": 0, "added": 0, "replaced": 0, "duplicates": 0, "rejected": 0, "reported": 0,
        "imported": 0, "unchanged": 1, "failed": 0, "planned": 0, "handed_over": 0,
    }  # fmt: skip


def test_a_broken_line_is_named_and_the_rest_is_kept(tokenbooks: Run, workdir: Path) -> None:
    file = log(workdir / "a.jsonl", CHAT, tail='{"id": "chatcmpl-B')
    code, out, err = tokenbooks("ingest", file, "--db", "t.duckdb")
    assert code == 0
    assert "1 call added" in out
    assert f"{file}:2: cut off: the line is incomplete JSON" in err
    assert tokenbooks("ingest", file, "--db", "u.duckdb", "--strict")[0] == 1


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({"prompt_tokens": -1, "completion_tokens": 5}, "prompt_tokens = -1 is negative"),
        (
            {"prompt_tokens": 10, "completion_tokens": 5,
             "prompt_tokens_details": {"cached_tokens": 11}},
            "cached tokens (11) above prompt_tokens (10)",
        ),
        ({"prompt_tokens": 1.5, "completion_tokens": 5}, "prompt_tokens = 1.5 is not a whole"),
        ({"prompt_tokens": "12", "completion_tokens": 5}, "prompt_tokens = '12' is not a number"),
    ],
)  # fmt: skip
def test_impossible_counts_are_rejected_with_their_reason(
    tokenbooks: Run, workdir: Path, usage: dict, reason: str
) -> None:
    file = log(workdir / "a.jsonl", CHAT, {**CHAT, "id": "chatcmpl-" + "B" * 29, "usage": usage})
    code, out, err = tokenbooks("ingest", file, "--db", "t.duckdb")
    assert code == 0
    assert reason in err
    assert f"{file}:2" in err
    assert "1 call added" in out


def test_cached_equal_to_input_is_fine(tokenbooks: Run, workdir: Path) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5,
             "prompt_tokens_details": {"cached_tokens": 10}}  # fmt: skip
    file = log(workdir / "a.jsonl", {**CHAT, "usage": usage})
    code, out, _ = tokenbooks("price", file, "--json")
    assert code == 0
    assert json.loads(out)["total_usd"] == "0.00007175"


def test_an_unknown_model_is_unpriced_never_free(tokenbooks: Run, workdir: Path) -> None:
    file = log(workdir / "a.jsonl", CHAT, {**CHAT, "id": "chatcmpl-" + "C" * 29, "model": "gpt-9"})
    tokenbooks("ingest", file, "--db", "t.duckdb")
    _, out, _ = tokenbooks("report", "--db", "t.duckdb", "--by", "model", "--json")
    rows = {r["model"]: r for r in json.loads(out)["rows"]}
    assert rows["gpt-9"]["cost_usd"] is None
    assert rows["gpt-9"]["unpriced_calls"] == 1
    assert json.loads(out)["total"]["cost_usd"] == "0.00119"
    assert json.loads(out)["total"]["unpriced_share"] == 0.5
    assert json.loads(out)["unpriced"][0]["reason"] == (
        "model 'gpt-9' is on no card of seller 'openai'"
    )
    _, out, _ = tokenbooks("report", "--db", "t.duckdb", "--by", "model")
    assert "unpriced" in out
    assert "UNPRICED and not in the cost" in out


def test_price_a_bare_usage_object(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "u.json").write_text(json.dumps(CHAT["usage"]))
    code, out, _ = tokenbooks(
        "price", "u.json", "--provider", "openai", "--model", "gpt-5.2", "--tier", "flex",
        "--at", "2026-03-01", "--json",
    )  # fmt: skip
    call = json.loads(out)["calls"][0]
    assert code == 0
    assert Decimal(call["cost_usd"]) == CHAT_USD / 2
    assert call["status"] == "exact"
    assert [line["meter"] for line in call["lines"]] == [
        "input_uncached", "cache_read", "output_text",
    ]  # fmt: skip
    assert call["at"] == "2026-03-01T00:00:00Z"


def test_price_says_why_it_cannot(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "u.json").write_text(json.dumps(CHAT["usage"]))
    code, out, _ = tokenbooks(
        "price", "u.json", "--model", "gpt-5.2-pro", "--tier", "flex", "--json"
    )
    assert code == 1
    call = json.loads(out)["calls"][0]
    assert call["cost_usd"] is None
    assert call["reason"].startswith("tier 'flex' has no price for 'gpt-5.2-pro' at 'openai'")
    assert tokenbooks("price", "u.json")[0] == 2
    (workdir / "x.json").write_text("{}")
    assert tokenbooks("price", "x.json")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["report"], 3, "does not exist yet: import something first"),
        (["ingest", "nowhere.jsonl"], 3, "nowhere.jsonl: no such file or folder"),
        (["report", "--by", "tea"], 2, "did you mean 'team'?"),
        (["report", "--tz", "Mars/Olympus"], 2, "unknown time zone 'Mars/Olympus'"),
        (["report", "--since", "soon"], 2, "'soon' is no date"),
        (["report", "--nonsense"], 2, "No such option"),
        (["rates", "show", "gpt-9"], 3, "'gpt-9' is on no card"),
        (["ingest", "--mapping", "x", "."], 2, "no mapping 'x' in the settings"),
        (["sql", "DROP TABLE usage"], 2, ""),
    ],
)
def test_errors_say_what_to_do(
    tokenbooks: Run, demo_db: Path, arguments: list[str], code: int, words: str
) -> None:
    needs_store = arguments[0] in ("report", "sql") and len(arguments) > 1
    extra = ["--db", str(demo_db)] if needs_store else []
    got, _, err = tokenbooks(*arguments, *extra)
    assert got == code
    assert words in err


def test_empty_binary_and_foreign_files(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "empty.jsonl").write_text("")
    (workdir / "noise.bin").write_bytes(bytes(range(256)) * 8)
    (workdir / "folder").mkdir()
    for name, words in (
        ("empty.jsonl", "the file is empty"),
        ("noise.bin", "no known log format (it looks like binary data)"),
        ("folder", "no usage log found"),
    ):
        code, _, err = tokenbooks("ingest", name, "--db", "t.duckdb")
        assert (code, words in err) == (3, True), err
    (workdir / "x.duckdb").write_text("not a database")
    code, _, err = tokenbooks("ingest", log(workdir / "a.jsonl", CHAT), "--db", "x.duckdb")
    assert code == 3
    assert "is not a tokenbooks database" in err
    assert (workdir / "x.duckdb").read_text() == "not a database"


def test_a_mapping_names_missing_columns(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "t.csv").write_text("when,name,toks\n2026-03-01,gpt-5.2,10\n")
    code, _, err = tokenbooks(
        "ingest", "t.csv", "--db", "t.duckdb", "--map", "occurred_at=when", "--map", "model=modell"
    )
    assert code == 3
    assert "has no column 'modell'; it has when, name, toks" in err
    code, out, _ = tokenbooks(
        "ingest", "t.csv", "--db", "t.duckdb", "--map", "occurred_at=when", "--map", "model=name",
        "--map", "input=toks", "--map", 'provider="openai"', "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["total"]["added"] == 1


def test_settings_errors_name_the_nearest_key(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "tokenbooks.toml").write_text('timezon = "UTC"\n')
    code, _, err = tokenbooks("report")
    assert code == 2
    assert "tokenbooks.toml: unknown key 'timezon'; did you mean 'timezone'?" in err


def test_a_discount_and_a_contract_card(tokenbooks: Run, workdir: Path) -> None:
    (workdir / "u.json").write_text(json.dumps(CHAT["usage"]))
    price = ("price", "u.json", "--model", "gpt-5.2", "--at", "2026-03-01", "--tier", "standard",
             "--json")  # fmt: skip
    (workdir / "tokenbooks.toml").write_text('[discounts]\nopenai = "0.85"\n')
    assert json.loads(tokenbooks(*price)[1])["total_usd"] == "0.0010115"
    (workdir / "tokenbooks.toml").write_text('cards = ["contract.toml"]\n')
    (workdir / "contract.toml").write_text(
        'schema = 1\nseller = "openai"\n[[variant]]\nid = "gpt-5.2"\n[[variant.price]]\n'
        'source = "contract"\nfrom = 2026-01-01\ninput = "1.50"\n'
    )
    # 200 x 1.50 + 800 x 0.175 + 50 x 14: what the contract does not name stays at list price.
    assert json.loads(tokenbooks(*price)[1])["total_usd"] == "0.00114"


def test_sql_is_read_only_and_exact(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks(
        "sql", "SELECT status, sum(cost_usd) AS usd FROM calls GROUP BY 1 ORDER BY 1", "--db",
        demo_db, "--json",
    )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert answer["columns"] == ["status", "usd"]
    by_status = {r["status"]: r["usd"] for r in answer["rows"]}
    assert by_status["unpriced"] is None
    assert isinstance(by_status["exact"], str)
    for query in (
        "COPY (SELECT 1) TO 'x.csv'", "SELECT * FROM read_csv('/etc/hostname')",
        "DELETE FROM calls_stored", "ATTACH 'y.duckdb'", "SET enable_external_access = true",
    ):  # fmt: skip
        assert tokenbooks("sql", query, "--db", demo_db)[0] == 2, query
    assert not (workdir / "x.csv").exists()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"])
@pytest.mark.parametrize("by", ["day", "team,day", "variant,hour", "status,week", "tags.custom_id"])
def test_parts_add_up_in_every_zone(tokenbooks: Run, demo_db: Path, zone: str, by: str) -> None:
    code, out, _ = tokenbooks("report", "--db", demo_db, "--by", by, "--tz", zone, "--json")
    answer = json.loads(out)
    assert code == 0
    parts = sum((Decimal(r["cost_usd"]) for r in answer["rows"] if r["cost_usd"]), Decimal(0))
    _, whole, _ = tokenbooks(
        "sql", "SELECT sum(cost_usd) AS c FROM costs", "--db", demo_db, "--json"
    )
    assert parts == Decimal(answer["total"]["cost_usd"])
    assert parts == Decimal(json.loads(whole)["rows"][0]["c"])


def test_compare_prices_the_same_calls(tokenbooks: Run, demo_db: Path) -> None:
    code, out, _ = tokenbooks(
        "compare", "--db", demo_db, "--variants",
        "gpt-5.2,gpt-5.2@batch,cometapi:gpt-5.2,gpt-5.2-pro@flex,gpt-9", "--where",
        "variant=gpt-5.2", "--where", "tier=standard", "--where", "seller=openai", "--json",
    )  # fmt: skip
    answer = json.loads(out)
    rows = {(r["seller"], r["variant"], r["tier"]): r for r in answer["rows"]}
    base = Decimal(answer["base_cost_usd"])
    assert code == 0
    assert Decimal(rows["openai", "gpt-5.2", "standard"]["cost_usd"]) == base
    assert Decimal(rows["openai", "gpt-5.2", "batch"]["cost_usd"]) * 2 == base
    assert Decimal(rows["cometapi", "gpt-5.2", "standard"]["cost_usd"]) * 5 == base
    assert rows["openai", "gpt-5.2-pro", "flex"]["cost_usd"] is None
    assert "tier 'flex' has no price" in rows["openai", "gpt-5.2-pro", "flex"]["notes"][0]
    assert rows["unknown", "gpt-9", "standard"]["cost_usd"] is None


def test_compare_names_what_does_not_fit(tokenbooks: Run, workdir: Path) -> None:
    def body(letter: str, prompt: int) -> dict:
        usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
        return {**CHAT, "id": "chatcmpl-" + letter * 29, "usage": usage}

    # Instant's window is 128,000 tokens, prompt and answer together.
    file = log(workdir / "a.jsonl", body("A", 127_999), body("B", 128_000))
    tokenbooks("ingest", file, "--db", "t.duckdb")
    _, out, _ = tokenbooks(
        "compare", "--db", "t.duckdb", "--variants", "gpt-5.2-chat-latest", "--json"
    )
    notes = json.loads(out)["rows"][0]["notes"]
    assert notes[0] == "1 of the calls: too long for its context of 128,000 tokens"
    assert notes[1].startswith("retired 2026-08-10")


def test_rates_show_keeps_contradicting_claims(tokenbooks: Run) -> None:
    code, out, _ = tokenbooks("rates", "show", "gpt-5.2", "--seller", "cometapi", "--json")
    rates = json.loads(out)["rates"]
    outputs = {(r["usd"], r["in_force"]) for r in rates if r["meter"] == "output_text"
               and r["tier"] == "standard"}  # fmt: skip
    assert code == 0
    assert ("2.80", True) in outputs
    assert ("4.20", False) in outputs


def test_rates_diff_finds_the_cut_of_o3(tokenbooks: Run) -> None:
    code, out, _ = tokenbooks("rates", "diff", "2025-06-09", "2025-06-10", "--seller", "openai",
                              "--json")  # fmt: skip
    changes = {(c["variant"], c["tier"], c["meter"]): c for c in json.loads(out)["changes"]}
    assert code == 0
    assert changes["o3", "standard", "output_text"]["before"] == "40.00"
    assert changes["o3", "standard", "output_text"]["after"] == "8.00"


def test_rates_lint_passes_on_what_ships(tokenbooks: Run) -> None:
    code, out, _ = tokenbooks("rates", "lint")
    assert code == 0
    assert out.strip().splitlines()[-1].startswith("0 errors")


def test_dry_run_stores_nothing(tokenbooks: Run, workdir: Path) -> None:
    file = log(workdir / "a.jsonl", CHAT, CHAT)
    code, out, _ = tokenbooks("ingest", file, "--db", "t.duckdb", "--dry-run", "--json")
    report = json.loads(out)["files"][0]
    assert code == 0
    assert (report["format"], report["state"]) == ("bodies", "planned")
    assert (report["records"], report["added"], report["duplicates"]) == (2, 1, 1)
    assert report["confidence"] > 0.5
    assert not (workdir / "t.duckdb").exists()


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom tokenbooks.cli import run\nrun(['--help'])\n"
        "heavy = {'duckdb', 'streamlit', 'pandas', 'pyarrow', 'genai_prices', 'tiktoken'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_tables_fit_eighty_columns(tokenbooks: Run, demo_db: Path) -> None:
    for arguments in (
        ["report", "--by", "team,variant", "--db", demo_db],
        ["compare", "--db", demo_db],
        ["rates", "list", "5.2"],
        ["formats"],
    ):
        _, out, _ = tokenbooks(*arguments)
        assert max(len(line) for line in out.splitlines()) <= 110
        tables = [line for line in out.splitlines() if line.startswith(" ")]
        assert max(map(len, tables)) <= 80, arguments


def test_the_demo_is_the_whole_tour(tokenbooks: Run, workdir: Path) -> None:
    code, out, _ = tokenbooks("demo", "--json")
    answer = json.loads(out)
    assert code == 0
    assert [f["rejected"] for f in answer["imports"]] == [0, 0, 0, 1, 0, 0, 0]
    teams = {r["team"] for r in answer["report"]["rows"]}
    variants = {r["variant"] for r in answer["report"]["rows"]}
    assert teams == {"search", "assistant", "platform"}
    assert {"gpt-5.2", "gpt-5.2-chat-latest", "gpt-5.2-pro", "gpt-5.2-codex"} <= variants
    assert "nightjar-preview (unknown)" in variants
    assert answer["report"]["total"]["unpriced_calls"] == 40
    again = json.loads(tokenbooks("demo", "--json")[1])
    assert again["report"] == answer["report"]
    assert {f["state"] for f in again["imports"]} == {"unchanged"}
