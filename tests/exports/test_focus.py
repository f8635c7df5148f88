"""FOCUS files: what other people's tools accept, and what adds up to the report."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.exports.focus import consumed_unit, export_focus, pricing_unit
from dashboards.queries.scope import Scope
from dashboards.queries.spend import spend
from ingest.store import rollup
from ingest.store.database import open_reader, open_store
from pricing.catalogue import build_catalogue, default_catalogue
from pricing.meters import METERS
from tests.finance.books import call, make_store

CONDITIONS = ("SupportsMultiplePricingCategories", "SupportsUnitPricing")

# Unit of FOCUS 1.4's "Unit format" attribute: an optional count, then a capitalised plural.
UNIT = re.compile(r"(?:[1-9]\d* )?[A-Z][a-z]+s(?:-[A-Z][a-z]+s)?")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def violations(rows: list[dict[str, str]]) -> list[str]:
    from focus_data_toolkit import lint_focus_1_4_structure

    report = lint_focus_1_4_structure("cost and usage", rows, supported_conditions=CONDITIONS)
    return report.messages()


@pytest.fixture(scope="module")
def demo_focus(demo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    path = tmp_path_factory.mktemp("focus") / "focus.csv"
    store = open_reader(demo_db)
    made = export_focus(store.con, default_catalogue(), path)
    total = spend(store.con).total
    assert made.cost_pico == total.cost_pico
    assert sum(units for _, _, units in made.unpriced) == total.unpriced_tokens
    store.close()
    return rows_of(path)


def test_the_demo_passes_the_1_4_linter(demo_focus: list[dict[str, str]]) -> None:
    assert len(demo_focus) > 500
    assert violations(demo_focus) == []


def test_the_linter_would_say_so(demo_focus: list[dict[str, str]]) -> None:
    """The judge judges: each broken row is reported, so a clean report means something."""
    for column, wrong in (
        ("ChargeCategory", "Consumption"), ("ListCost", "999"), ("BillingCurrency", "USDX"),
        ("SkuPriceDetails", '{"ModelId": "x"}'), ("ChargePeriodStart", "2026-03-01"),
        ("EffectiveCost", ""), ("PricingUnit", ""),
    ):  # fmt: skip
        assert violations([{**demo_focus[0], column: wrong}]), column


def test_costs_sum_to_the_report(demo_focus: list[dict[str, str]], demo_db: Path) -> None:
    store = open_reader(demo_db)
    total = spend(store.con).total.cost_usd
    by_team = {r.keys[0]: r.cost_usd for r in spend(store.con, ["team"]).rows}
    store.close()
    for column in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost"):
        assert sum(Decimal(r[column]) for r in demo_focus) == total
    teams = Counter()
    for row in demo_focus:
        teams[json.loads(row["Tags"])["team"]] += Decimal(row["BilledCost"])
    assert dict(teams) == {t: c for t, c in by_team.items() if c}


def test_price_times_quantity_is_cost_exactly(demo_focus: list[dict[str, str]]) -> None:
    for row in demo_focus:
        quantity = Decimal(row["PricingQuantity"])
        assert quantity * Decimal(row["ListUnitPrice"]) == Decimal(row["ListCost"])
        assert quantity * Decimal(row["ContractedUnitPrice"]) == Decimal(row["ContractedCost"])
        per = int(row["PricingUnit"].split()[0])
        assert quantity * per == Decimal(row["ConsumedQuantity"])
        assert row["PricingUnit"].split()[1] == row["ConsumedUnit"]


def test_periods_are_ordered_and_inside_their_month(demo_focus: list[dict[str, str]]) -> None:
    for row in demo_focus:
        start, end, month, month_end = (
            datetime.fromisoformat(row[c])
            for c in ("ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart",
                      "BillingPeriodEnd")
        )  # fmt: skip
        assert month <= start < end <= month_end
        assert (end - start).total_seconds() == 86_400
        assert month.day == month_end.day == 1


def test_a_sku_price_has_one_price_and_one_sku(demo_focus: list[dict[str, str]]) -> None:
    seen: dict[str, tuple[str, str, str]] = {}
    for row in demo_focus:
        fact = (row["SkuId"], row["ContractedUnitPrice"], row["PricingUnit"])
        assert seen.setdefault(row["SkuPriceId"], fact) == fact


def test_units_have_the_format_of_the_specification() -> None:
    for meter in METERS.values():
        assert UNIT.fullmatch(consumed_unit(meter))
        assert UNIT.fullmatch(pricing_unit(meter))
    assert pricing_unit(METERS["cache_read"]) == "1000000 Tokens"
    assert pricing_unit(METERS["web_search"]) == "1000 Searches"


def test_one_row_is_what_it_should_be(tmp_path: Path) -> None:
    path = make_store(
        tmp_path,
        [call(1, "2026-03-05T10:00:00Z", input_uncached=1_000_000, cache_read=500_000,
              output_text=10, team='a "quoted" team', project="p1")],
    )  # fmt: skip
    store = open_reader(path)
    made = export_focus(store.con, default_catalogue(), tmp_path / "f.csv")
    store.close()
    rows = {r["SkuMeter"]: r for r in rows_of(tmp_path / "f.csv")}
    assert made.rows == 3
    read = rows["cache read"]
    assert read["ConsumedQuantity"] == "500000.0"  # a decimal, also where a reader guesses types
    assert Decimal(read["PricingQuantity"]) == Decimal("0.5")
    assert Decimal(read["ListUnitPrice"]) == Decimal("0.175")
    assert Decimal(read["BilledCost"]) == Decimal("0.0875")
    assert (read["SubAccountId"], read["SubAccountType"]) == ("p1", "Project")
    assert json.loads(read["Tags"]) == {"team": 'a "quoted" team', "project": "p1"}
    assert json.loads(read["SkuPriceDetails"]) == {
        "x_ModelDeveloper": "openai", "x_ModelFamily": "gpt-5.2", "x_ModelId": "gpt-5.2",
        "x_TokenDirection": "Input", "x_TokenCacheAction": "Read", "x_Modality": "Text",
        "x_ServiceTier": "standard",
    }  # fmt: skip
    output = json.loads(rows["output text"]["SkuPriceDetails"])
    assert output["x_TokenDirection"] == "Output"
    assert "x_TokenCacheAction" not in output
    assert read["x_PriceStatus"] == "exact"


def test_a_negotiated_rate_splits_list_from_contracted(tmp_path: Path) -> None:
    catalogue = build_catalogue(discounts={"openai": Decimal("0.85")})
    path = make_store(
        tmp_path, [call(1, "2026-03-05T10:00:00Z", input_uncached=2_000_000)], catalogue
    )
    store = open_reader(path)
    made = export_focus(store.con, catalogue, tmp_path / "f.csv")
    report = spend(store.con).total
    store.close()
    (row,) = rows_of(tmp_path / "f.csv")
    assert Decimal(row["ListCost"]) == Decimal("3.5")
    assert Decimal(row["ContractedCost"]) == Decimal(row["BilledCost"]) == Decimal("2.975")
    assert Decimal(row["ContractedUnitPrice"]) == Decimal("1.4875")
    assert made.cost_pico == report.cost_pico == 2_975_000_000_000
    assert made.list_pico == 3_500_000_000_000
    assert violations([row]) == []


def test_unpriced_usage_is_left_out_and_counted(tmp_path: Path) -> None:
    path = make_store(
        tmp_path,
        [call(1, "2026-03-05T10:00:00Z", input_uncached=10),
         call(2, "2026-03-05T10:00:00Z", model="no-such-model", input_uncached=7, output_text=5)],
    )  # fmt: skip
    store = open_reader(path)
    made = export_focus(store.con, default_catalogue(), tmp_path / "f.csv")
    store.close()
    assert made.rows == 1
    assert {(m, n) for _, m, n in made.unpriced} == {("input_uncached", 7), ("output_text", 5)}
    assert all("no-such-model" in variant for variant, _, _ in made.unpriced)


def test_1_2_has_the_older_names_and_the_empty_commitment_columns(
    demo_db: Path, tmp_path: Path
) -> None:
    store = open_reader(demo_db)
    newer = export_focus(store.con, default_catalogue(), tmp_path / "new.csv")
    older = export_focus(store.con, default_catalogue(), tmp_path / "old.csv", version="1.2")
    store.close()
    assert (older.rows, older.cost_pico) == (newer.rows, newer.cost_pico)
    row = rows_of(tmp_path / "old.csv")[0]
    new_only = {"HostProviderName", "ServiceProviderName"}
    assert not new_only & row.keys()
    assert row["ProviderName"] and row["PublisherName"]
    assert [row[f"CommitmentDiscount{p}"] for p in ("Id", "Quantity", "Status")] == ["", "", ""]


def test_hours_and_a_rollup_give_the_same_money(
    demo_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "WORTH_ROWS", 1)
    monkeypatch.setattr(rollup, "WORTH_RATIO", 0)
    copy = tmp_path / "t.duckdb"
    copy.write_bytes(demo_db.read_bytes())
    store = open_store(copy)
    with store.transaction() as con:
        assert rollup.rebuild(con)
    from_cells = export_focus(store.con, default_catalogue(), tmp_path / "cells.csv")
    hourly = export_focus(store.con, default_catalogue(), tmp_path / "hours.csv", period="hour")
    assert from_cells.cost_pico == hourly.cost_pico == spend(store.con).total.cost_pico
    store.close()
    reader = open_reader(demo_db)
    export_focus(reader.con, default_catalogue(), tmp_path / "calls.csv")
    reader.close()
    assert (tmp_path / "cells.csv").read_bytes() == (tmp_path / "calls.csv").read_bytes()
    for row in rows_of(tmp_path / "hours.csv"):
        began, ended = (datetime.fromisoformat(row[f"ChargePeriod{e}"]) for e in ("Start", "End"))
        assert (ended - began).total_seconds() == 3_600


def test_periods_of_an_incremental_export_join_without_gap_or_overlap(
    demo_db: Path, tmp_path: Path
) -> None:
    store = open_reader(demo_db)
    cut = datetime(2026, 3, 16)
    parts = [Scope(until=cut), Scope(since=cut)]
    made = [
        export_focus(store.con, default_catalogue(), tmp_path / f"{n}.csv", scope)
        for n, scope in enumerate(parts)
    ]
    whole = export_focus(store.con, default_catalogue(), tmp_path / "all.csv")
    store.close()
    assert sum(m.cost_pico for m in made) == whole.cost_pico
    assert sum(m.rows for m in made) == whole.rows


def test_parquet_keeps_decimals(demo_db: Path, tmp_path: Path) -> None:
    store = open_reader(demo_db)
    made = export_focus(store.con, default_catalogue(), tmp_path / "f.parquet")
    store.close()
    kinds, total = duckdb.sql(
        f"SELECT any_value(typeof(BilledCost)), sum(BilledCost) FROM '{tmp_path / 'f.parquet'}'"
    ).fetchall()[0]
    assert kinds.startswith("DECIMAL")
    assert total == made.cost_usd


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3_000_000), st.integers(0, 3_000_000), st.integers(0, 400_000),
            st.integers(0, 47), st.sampled_from(["gpt-5.2", "gpt-5.2-pro", "gpt-4o", "unknown-1"]),
            st.sampled_from(["standard", "batch"]), st.sampled_from([None, "a", "b"]),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_any_traffic_adds_up_and_passes(
    tmp_path_factory: pytest.TempPathFactory, traffic: list[tuple]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    calls = [
        call(n, f"2026-03-{1 + hour // 24:02}T{hour % 24:02}:30:00Z", model=model,
             input_uncached=fresh, cache_read=read, output_text=out,
             **({"team": team} if team else {})) | {"tier": tier}
        for n, (fresh, read, out, hour, model, tier, team) in enumerate(traffic)
    ]  # fmt: skip
    store = open_reader(make_store(folder, calls))
    made = export_focus(store.con, default_catalogue(), folder / "f.csv")
    total = spend(store.con).total
    store.close()
    rows = rows_of(folder / "f.csv")
    assert sum((Decimal(r["BilledCost"]) for r in rows), Decimal(0)) == total.cost_usd
    priced = sum(int(Decimal(r["ConsumedQuantity"])) for r in rows)
    given_units = sum(fresh + read + out for fresh, read, out, *_ in traffic)
    assert priced + sum(n for _, _, n in made.unpriced) == given_units
    if rows:
        assert violations(rows) == []


CRITERIA = (
    "ACCOUNT_NAMING", "MULTIPLE_PRICING_CATEGORIES", "NEGOTIATED_PRICING", "PUBLIC_PRICE_LIST",
    "USAGE_MEASUREMENT", "UNIT_PRICING", "SUB_ACCOUNT", "MULTIPLE_SUB_ACCOUNT_TYPES",
    "MULTIPLE_BILLING_ACCOUNT_TYPES", "REGION", "TAGGING",
    "PRICING_BILLING_CURRENCY_DIFFERENCES",
)  # fmt: skip
"""What our files claim to support: everything of 1.2 that LLM usage has."""


def test_the_1_2_file_passes_the_foundations_validator(demo_db: Path, tmp_path: Path) -> None:
    """The FinOps Foundation's own judge, where it is installed (see docs/finance.md)."""
    program = os.environ.get("TOKENBOOKS_FOCUS_VALIDATOR")
    if not program:
        pytest.skip("TOKENBOOKS_FOCUS_VALIDATOR does not name a focus-validator (Python 3.12)")
    store = open_reader(demo_db)
    export_focus(store.con, default_catalogue(), tmp_path / "f.csv", version="1.2")
    store.close()
    # It looks for its currency list in the working directory.
    packages = next(Path(program).parent.parent.glob("lib/python3*/site-packages"))
    said = subprocess.run(
        [program, "--data-file", str(tmp_path / "f.csv"), "--validate-version", "1.2",
         "--block-download", "--focus-dataset", "CostAndUsage", "--applicability-criteria",
         ",".join(f"{c}_SUPPORTED" for c in CRITERIA)],
        cwd=packages, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert int(re.search(r"Pass: (\d+)", said).group(1)) >= 280  # type: ignore[union-attr]
    # -004 demands that InvoiceId is null and -005 that it is not, both without a condition; -003,
    # which is the column's rule, wants one of the two.
    assert re.findall(r"(\S+): FAIL", said) == ["InvoiceId-C-005-C"]
    assert "InvoiceId-C-003-C: PASS" in said
    assert "InvoiceId-C-000-O: PASS" in said
