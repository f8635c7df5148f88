"""Charged against computed: exact causes for each way in which books and bill differ."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.queries.reconcile import (
    CAUSES,
    Reconciled,
    reconcile_calls,
    reconcile_reports,
)
from dashboards.queries.scope import Scope, ScopeError
from ingest.record import ReportedRow, UsageRecord
from ingest.store import ledger, load
from ingest.store.database import Store, open_store
from pricing.catalogue import default_catalogue
from pricing.money import PICO
from tests.collector.conftest import empty_store as empty_store  # noqa: PLC0414 - a fixture

DAY = datetime(2026, 3, 2)
ONE = timedelta(days=1)
MILLION = 1_000_000


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Path(shutil.copy(empty_store, tmp_path / "t.duckdb")))
    yield opened
    opened.close()


def call(number: int, tokens: int = MILLION, day: int = 0, **more: Any) -> UsageRecord:
    """A call of `tokens` input tokens on gpt-5.2, 1.75 USD a million on the standard tier."""
    made = UsageRecord(
        f"k{number}", DAY + day * ONE + timedelta(hours=12), "litellm", "openai", "gpt-5.2",
        {"input_uncached": tokens, "output_text": 0}, tier="default",
    )  # fmt: skip
    for name, value in more.items():
        setattr(made, name, value)
    return made


def cost(amount: str, day: int = 0, **more: Any) -> ReportedRow:
    given: dict[str, Any] = {"amount": Decimal(amount), "line_item": "gpt-5.2-2025-12-11, input"}
    return ReportedRow(
        "openai-org", "openai", "cost", DAY + day * ONE, DAY + (day + 1) * ONE, **(given | more)
    )


def usage(tokens: int, day: int = 0, **more: Any) -> ReportedRow:
    given: dict[str, Any] = {"model": "gpt-5.2-2025-12-11", "counts": {"input_uncached": tokens}}
    return ReportedRow(
        "openai-org", "openai", "usage", DAY + day * ONE, DAY + (day + 1) * ONE, **(given | more)
    )


def put(
    store: Store,
    calls: Sequence[UsageRecord],
    reported: Sequence[ReportedRow] = (),
    read_at: datetime = datetime(2026, 6, 1),
) -> None:
    with store.transaction() as con:
        load.create_stage(con)
        load.stage(con, [load.stage_row(c) for c in calls])
        load.merge(con, default_catalogue(), 1)
        ledger.store_reported(con, reported, 1)
        con.execute(
            "INSERT INTO imports (import_id, path, sha256, stamp, format, size, imported_at,"
            " records, added, replaced, duplicates, rejected, reported)"
            " VALUES (1, 'x', 'x', '', 'x', 0, ?, 0, 0, 0, 0, 0, 0)",
            [read_at],
        )


def causes(answer: Reconciled) -> dict[str, Decimal]:
    """The causes of the total that are not zero, in USD."""
    for row in answer.rows:
        assert sum(row.causes.values()) == row.residual_pico
    return {n: Decimal(v) / PICO for n, v in answer.total.causes.items() if v}


# --- per call -----------------------------------------------------------------------------------


def charged(amount: str, **more: Any) -> dict[str, Any]:
    return {"source_cost_usd": Decimal(amount), **more}


def test_per_call_causes(store: Store) -> None:
    put(
        store,
        [
            call(1, **charged("1.75")),
            call(2, **charged("1.80")),  # unexplained +0.05
            call(3, **charged("0.875", tier=None)),  # flex, as it turns out: the tier was assumed
            call(4, **charged("2", model="gpt-5.2-turbo")),  # on no card
            call(5, tokens=333, **charged("0.000583")),  # 0.00058275: written with six digits
            call(6),  # states no charge
        ],
    )
    answer = reconcile_calls(store.con, ("format",))
    assert causes(answer) == {
        "unexplained": Decimal("0.05"),
        "assumed": Decimal("-0.875"),
        "unpriced": Decimal(2),
        "rounding": Decimal("0.00000025"),
    }
    total = answer.total
    assert (answer.rows[0].keys, total.calls) == (("litellm",), 5)
    assert total.charged_pico == 6_425_583 * 10**6
    assert answer.notes == ("1 call states no charge of its own",)


@pytest.mark.parametrize(
    ("stated", "cause"),
    [("1.7549", "unexplained"), ("1.755", "unexplained"), ("1.76", "unexplained")],
)
def test_a_source_that_writes_finely_has_no_room_for_rounding(
    store: Store, stated: str, cause: str
) -> None:
    put(store, [call(1, **charged(stated)), call(2, tokens=1, **charged("0.00000175"))])
    assert list(causes(reconcile_calls(store.con))) == [cause]


@pytest.mark.parametrize(("tokens", "cause"), [(1_002_857, "rounding"), (1_002_858, "unexplained")])
def test_half_a_cent_is_rounding_where_a_source_writes_cents(
    store: Store, tokens: int, cause: str
) -> None:
    # 1.75 USD a million: half a cent is 2,857.14 tokens.
    put(store, [call(1, tokens=tokens, **charged("1.75"))])
    assert list(causes(reconcile_calls(store.con))) == [cause]


# --- per period ---------------------------------------------------------------------------------


def reconciled(store: Store, *by: str, scope: Scope | None = None) -> Reconciled:
    return reconcile_reports(store.con, default_catalogue(), by, scope)


def test_a_report_that_agrees_to_the_cent(store: Store) -> None:
    put(store, [call(1, tokens=1_001_000)], [cost("1.75")])  # computed 1.75175
    answer = reconciled(store, "variant")
    assert causes(answer) == {"rounding": Decimal("-0.00175")}
    assert answer.rows[0].keys == ("openai-org", "openai", DAY, "gpt-5.2")
    assert answer.unexplained_share == 0


def test_missing_calls_are_measured_by_the_usage_report(store: Store) -> None:
    put(store, [call(1)], [cost("4.00"), usage(2 * MILLION)])
    # Another million tokens at 1.75, and half a dollar that no count explains.
    assert causes(reconciled(store)) == {
        "missing_calls": Decimal("1.75"),
        "unexplained": Decimal("0.5"),
    }


def test_reasoning_is_output_in_both(store: Store) -> None:
    counts: dict[str, int | None] = {"input_uncached": 0, "output_text": 400, "reasoning": 600}
    told = {"input_uncached": 0, "output_text": 1000}
    put(store, [call(1, counts=counts)], [cost("0.014"), usage(0, counts=told)])
    assert causes(reconciled(store)) == {}


def test_no_calls_at_all_are_missing_calls(store: Store) -> None:
    put(store, [call(1, day=1)], [cost("3.00"), cost("1.75", day=1)])
    assert causes(reconciled(store)) == {"missing_calls": Decimal(3)}


def test_late_cost_moves_between_days_and_nets_to_nothing(store: Store) -> None:
    calls = [call(n, day=n) for n in range(4)]
    bills = [cost("1.75"), cost("0.75", 1), cost("1.75", 2), cost("2.75", 3)]
    put(store, calls, bills)
    answer = reconciled(store)
    by_day = [row.causes["late_cost"] for row in answer.rows]
    assert by_day == [0, -PICO, 0, PICO]
    assert causes(answer) == {}
    assert answer.unexplained_share == 0


@pytest.mark.parametrize(("gap", "cause"), [(3, "late_cost"), (4, "unexplained")])
def test_late_cost_is_at_most_three_days_late(store: Store, gap: int, cause: str) -> None:
    calls = [call(n, day=n) for n in range(gap + 1)]
    bills = [cost("1.75", n) for n in range(gap + 1)]
    bills[0].amount, bills[gap].amount = Decimal("0.75"), Decimal("2.75")
    put(store, calls, bills)
    assert [c for c in CAUSES if any(r.causes[c] for r in reconciled(store).rows)] == [cause]


@pytest.mark.parametrize(
    ("read", "cause"),
    [(DAY + 3 * ONE - timedelta(seconds=1), "late_cost"), (DAY + 3 * ONE, "unexplained")],
)
def test_a_report_read_early_is_not_finished(store: Store, read: datetime, cause: str) -> None:
    put(store, [call(1)], [cost("1.00")], read)
    assert causes(reconciled(store)) == {cause: Decimal("-0.75")}


def test_unpriced_and_assumed_calls_take_the_rest(store: Store) -> None:
    put(
        store,
        [
            call(1), call(2, model="gpt-5.2-turbo"), call(3, day=1, tier=None),
        ],
        [cost("5.00"), cost("0.875", 1)],
    )  # fmt: skip
    assert causes(reconciled(store)) == {
        "unpriced": Decimal("3.25"),
        "assumed": Decimal("-0.875"),
    }


def test_projects_sources_and_dimensions_a_report_lacks(store: Store) -> None:
    with_project = [cost("1.75", project="a"), cost("2.00", project="b")]
    csv = cost("3.75", line_item=None)
    csv.source_format = "dashboard"
    put(
        store,
        [call(1, dimensions={"project": "a"}), call(2, dimensions={"project": "b"})],
        [*with_project, csv],
    )
    answer = reconciled(store, "project")
    rows = {row.keys: row.causes["unexplained"] for row in answer.rows}
    assert rows == {
        ("dashboard", "openai", DAY, None): 25 * PICO // 100,
        ("openai-org", "openai", DAY, "a"): 0,
        ("openai-org", "openai", DAY, "b"): 25 * PICO // 100,
    }
    assert answer.notes == ("dashboard of openai does not state project",)
    with pytest.raises(ScopeError, match="only by variant and project"):
        reconciled(store, "team")


def test_periods_months_blank_days_and_scope(store: Store) -> None:
    month = cost("7.00")
    month.period_start, month.period_end = datetime(2026, 3, 1), datetime(2026, 4, 1)
    calls = [call(n, day=n) for n in range(4)]
    outside = call(9, day=30)
    put(store, [*calls, outside], [month])
    assert [(r.calls, r.residual_pico) for r in reconciled(store).rows] == [(4, 0)]
    assert reconciled(store, scope=Scope(until=datetime(2026, 3, 31))).rows == ()
    # A day inside a daily report's range without a row is a day that cost nothing.
    store.con.execute("DELETE FROM reported")
    ledger.store_reported(store.con, [cost("1.75"), cost("1.75", 3)], 1)
    assert [r.keys[2].day for r in reconciled(store).rows] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("gap", "days", "notes"),
    [(31, [2, 3, 3], ()), (32, [2, 4], ("1 call of openai on days that openai-org does not",))],
)
def test_between_two_reports_far_apart_nobody_reported(
    store: Store, gap: int, days: list[int], notes: tuple[str, ...]
) -> None:
    put(store, [call(0), call(1, day=1)], [cost("1.75"), cost("1.75", gap + 1)])
    found = reconciled(store)
    assert [r.keys[2].day for r in found.rows] == days
    assert tuple(n[: len(notes[0])] for n in found.notes) == notes


def test_other_currencies_are_left_out_aloud(store: Store) -> None:
    put(store, [call(1)], [cost("1.75"), cost("9.00", currency="EUR", line_item="x")])
    answer = reconciled(store)
    assert answer.notes == ("1 row in EUR left out: only USD is compared",)
    assert answer.total.residual_pico == 0


amounts = st.decimals(0, 50, allow_nan=False, allow_infinity=False, places=4)


@given(
    st.lists(st.tuples(st.integers(0, 6), amounts), max_size=8),
    st.lists(
        st.tuples(
            st.integers(0, 6), st.integers(0, 5 * MILLION),
            st.sampled_from(["default", None, "flex"]), st.sampled_from(["gpt-5.2", "who-knows"]),
        ),
        max_size=8,
    ),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5 * MILLION)), max_size=4),
)  # fmt: skip
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_causes_add_up_to_the_residual_always(
    store: Store, bills: Any, made: Any, counted: Any
) -> None:
    store.con.execute("BEGIN TRANSACTION")
    try:
        load.create_stage(store.con)
        rows = [
            load.stage_row(
                call(n, tokens, day, tier=tier, model=model, **charged(f"{tokens / 10**6:.4f}"))
            )
            for n, (day, tokens, tier, model) in enumerate(made)
        ]
        load.stage(store.con, rows)
        load.merge(store.con, default_catalogue(), 1)
        reported = [cost(str(amount), day) for day, amount in bills]
        ledger.store_reported(store.con, [*reported, *(usage(n, d) for d, n in counted)], 1)
        charged_total = store.con.execute(
            "SELECT coalesce(sum(amount), 0) FROM reported WHERE kind = 'cost'"
        ).fetchall()[0][0]
        for answer in (reconciled(store), reconciled(store, "variant")):
            causes(answer)
            assert Decimal(answer.total.charged_pico) / PICO == charged_total
        per_call = reconcile_calls(store.con, ("variant", "day"))
        causes(per_call)
        assert per_call.total.calls == len(made)
    finally:
        store.con.execute("ROLLBACK")


# --- the command --------------------------------------------------------------------------------


def test_the_command_in_80_columns_json_and_exit_codes(
    store: Store, tokenbooks: Callable[..., tuple[int, str, str]]
) -> None:
    put(store, [call(1, **charged("1.75")), call(2, day=1)], [cost("1.75"), cost("1.85", 1)])
    store.close()
    code, out, _ = tokenbooks("reconcile", "--by", "variant", "--db", str(store.path))
    assert code == 1
    assert max(map(len, out.splitlines())) <= 80
    assert "Cost reports" in out
    assert "+$0.10" in out
    assert "2.78 % of the charges unexplained" in out
    code, out, _ = tokenbooks("reconcile", "--tolerance", "3", "--json", "--db", str(store.path))
    told = json.loads(out)
    assert (code, told["within_tolerance"]) == (0, True)
    assert told["reports"]["total"]["residual_usd"] == "0.10"
    assert told["reports"]["total"]["causes_usd"]["unexplained"] == "0.10"
    assert told["calls"]["total"]["residual_usd"] == "0.00"
    code, _, err = tokenbooks("reconcile", "--by", "team", "--db", str(store.path))
    assert code == 2
    assert "only by variant and project" in err
    code, _, err = tokenbooks("reconcile", "--since", "2027-01-01", "--db", str(store.path))
    assert code == 3
    assert "nothing to compare with" in err


def import_as(store: Store, number: int, rows: Sequence[ReportedRow]) -> None:
    with store.transaction() as con:
        ledger.store_reported(con, rows, number)


def test_two_cuts_of_one_day_are_one_total(store: Store) -> None:
    put(store, [call(1)])
    import_as(store, 2, [cost("1.75", line_item=None)])
    import_as(store, 3, [cost("0.75", line_item=None, project="a")])
    import_as(store, 4, [cost("1.00", line_item=None, project="b")])
    answer = reconcile_reports(store.con, default_catalogue())
    assert (answer.total.charged_pico, answer.total.residual_pico) == (1_750_000_000_000, 0)
    assert answer.notes == ("1 row of openai-org left out: the same days told in another cut",)
    # Asked by variant, the cut that states one is taken, though another has the day as well.
    import_as(store, 5, [cost("1.75")])
    by_variant = reconcile_reports(store.con, default_catalogue(), ["variant"])
    assert [(r.keys[3], r.charged_pico) for r in by_variant.rows] == [
        ("gpt-5.2", 1_750_000_000_000)
    ]


def test_two_cuts_of_a_usage_report_count_missing_calls_once(store: Store) -> None:
    put(store, [call(1)])
    import_as(store, 2, [cost("3.50", line_item=None), usage(2 * MILLION)])
    import_as(store, 3, [usage(2 * MILLION, project="a")])
    total = reconcile_reports(store.con, default_catalogue()).total
    assert total.causes["missing_calls"] == total.residual_pico == 1_750_000_000_000


def test_a_gateways_report_is_compared_with_its_own_log(store: Store) -> None:
    put(store, [call(1), call(2, source_format="openai-chat")])
    row = cost("1.75", line_item=None)
    row.source_format, row.provider = "litellm-daily", "litellm"
    import_as(store, 2, [row])
    answer = reconcile_reports(store.con, default_catalogue())
    assert (answer.total.calls, answer.total.residual_pico) == (1, 0)
