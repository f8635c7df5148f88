"""Chart specifications and figures in words, without a browser."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.app import charts, finance_charts, parts
from dashboards.app.parts import Column
from dashboards.monthly.charts import COLOURS
from pricing.money import usd


def bar(start: str, name: str, value: float, rank: int) -> dict[str, Any]:
    return {
        "start": start, "end": start, "name": name, "value": value, "rank": rank, "when": start,
        "label": str(value),
    }  # fmt: skip


def test_bars_stand_on_each_other_by_rank() -> None:
    rows = [bar("d1", "b", 2.0, 1), bar("d1", "a", 1.0, 0), bar("d2", "b", 5.0, 1)]
    found = [(r["start"], r["name"], r["low"], r["high"]) for r in charts.stacked(rows)]
    assert found == [("d1", "a", 0.0, 1.0), ("d1", "b", 1.0, 3.0), ("d2", "b", 0.0, 5.0)]


def test_a_name_keeps_its_colour_whatever_else_is_shown() -> None:
    order = ["gpt-5.2", "gpt-5.2-pro", "claude-opus-4-5"]
    alone = dict(zip(*charts.colours(order, ["claude-opus-4-5"]), strict=True))
    among = dict(zip(*charts.colours(order, ["unheard-of", *reversed(order)]), strict=True))
    assert alone["claude-opus-4-5"] == among["claude-opus-4-5"] == charts.PALETTE[2]
    assert among["unheard-of"] == charts.OTHER
    assert len({among[name] for name in order}) == 3


def test_every_chart_is_a_whole_specification() -> None:
    rows = [bar("2026-03-01T00:00:00", "a", 1.0, 0)]
    spec = charts.over_time(rows, ["a"], unit="day", what="usd", group="Variant").to_dict()
    assert spec["encoding"]["x2"]["field"] == "end"
    assert spec["encoding"]["color"]["scale"] == {"domain": ["a"], "range": [charts.PALETTE[0]]}
    assert spec["data"]["values"][0]["high"] == 1.0
    flat = [{"name": "a", "value": 1.0, "label": "x", "note": "n"}]
    assert charts.ranking(flat, ["a"]).to_dict()["mark"]["type"] == "bar"
    assert charts.moves(flat).to_dict()["height"] == 90
    cells = [{"weekday": "Mon", "hour": "09", "value": 1.0, "label": "x"}]
    assert charts.heatmap(cells).to_dict()["encoding"]["x"]["scale"]["domain"][23] == "23"
    bins = [{"low": 1e-3, "high": 1e-2, "calls": 3, "label": "x", "cost": "y"}]
    histogram = charts.histogram(bins, [{"at": 2e-3, "name": "median"}]).to_dict()
    assert histogram["layer"][0]["encoding"]["x"]["scale"] == {"type": "log"}
    running = [{"name": "a", "value": 1.0, "running": 1.0, "label": "x"}]
    assert len(charts.pareto(running).to_dict()["layer"]) == 2
    target = [{**flat[0], "kind": "cheaper", "whole": True}]
    assert len(charts.against_base(target, 2.0).to_dict()["layer"]) == 2


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"), (99_999, "99,999"), (100_000, "100 k"), (999_499, "999 k"),
        (1_000_000, "1.0 M"), (67_521_608, "67.5 M"), (123_456_789, "123 M"), (2 * 10**9, "2.0 B"),
    ],
)  # fmt: skip
def test_counts_in_words(number: int, shown: str) -> None:
    assert parts.count(number) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"), (0.0, "0.0 %"), (0.0001, "<0.1 %"), (0.0005, "0.1 %"), (0.5, "50.0 %"),
        (0.9999, ">99.9 %"), (1.0, "100.0 %"),
    ],
)  # fmt: skip
def test_a_small_share_is_not_nothing_and_a_large_one_not_all(value: Any, shown: str) -> None:
    assert parts.share(value) == shown


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [(0, 5, None), (100, 100, "0 %"), (1000, 1001, "+0.1 %"), (200, 100, "-50.0 %"),
     (1, 31, "+3,000.0 %"), (10**9, 10**9 + 1, "0 %")],
)  # fmt: skip
def test_changes_in_words(before: int, now: int, shown: str | None) -> None:
    assert parts.change(before, now) == shown


def test_no_price_is_said_in_words() -> None:
    assert parts.money(None) == "unpriced"
    assert parts.money(0) == "$0.00"
    assert parts.money(3_150_000_000) == "$0.0032"


COLUMNS = [
    Column("team", "Team"), Column("cost", "Cost", "usd"), Column("price", "Price", "price"),
    Column("calls", "Calls", "count"), Column("at", "At", "time"),
]  # fmt: skip


def test_a_download_has_every_digit_and_no_formula() -> None:
    rows = [
        {"team": "=SUM(A1)", "cost": 1, "price": Decimal("0.175"), "calls": 3,
         "at": datetime(2026, 3, 1, 9)},
        {"team": None, "cost": None, "price": None, "calls": None, "at": None},
    ]  # fmt: skip
    assert parts.csv_text(rows, COLUMNS) == (
        "team,cost_usd,price_usd,calls,at\n"
        "'=SUM(A1),0.000000000001,0.175,3,2026-03-01T09:00:00\n"
        ",,,,\n"
    )


@given(st.lists(st.integers(min_value=-(10**24), max_value=10**24)))
def test_the_sum_of_a_download_is_the_sum(costs: list[int]) -> None:
    text = parts.csv_text([{"cost": c} for c in costs], [Column("cost", "Cost", "usd")])
    found = [Decimal(row["cost_usd"]) for row in csv.DictReader(io.StringIO(text))]
    assert found == [usd(c) for c in costs]


def test_a_table_shows_small_amounts_with_two_digits() -> None:
    column = Column("cost", "Cost", "usd")
    rows = [{"cost": 5 * 10**12}, {"cost": 3_150_000_000}, {"cost": None}]
    assert parts.configuration(rows, [column])["cost"]["type_config"]["format"] == "%,.4f"
    assert parts.arrow(rows, [column]).to_pydict() == {"cost": [5.0, 0.00315, None]}


def test_decimals_follow_what_is_there() -> None:
    """Nothing and dust ask for no decimals, whole cents have two, columns to compare the same."""
    a, b = Column("a", "A", "usd"), Column("b", "B", "usd")

    def decimals(rows: list[dict[str, int]], *, even: bool = False) -> list[str]:
        made = parts.configuration(rows, [a, b], even=even)
        return [made[c]["type_config"]["format"] for c in ("a", "b")]

    small = {"a": 3_150_000_000, "b": 7 * 10**12}
    assert decimals([small, {"a": 0, "b": 0}]) == ["%,.4f", "%,.2f"]
    assert decimals([small], even=True) == ["%,.4f", "%,.4f"]
    assert decimals([{"a": 3 * 10**10, "b": 0}]) == ["%,.2f", "%,.2f"]
    assert decimals([{"a": -1, "b": 1}, {"a": 5 * 10**12 + 10**9, "b": 0}]) == ["%,.2f", "%,.8f"]


def test_a_chart_over_time_shows_the_days_without_calls() -> None:
    row = bar("2026-03-15T00:00:00", "a", 1.0, 0) | {"end": "2026-03-15T22:00:00"}
    span = (datetime(2026, 3, 1), datetime(2026, 3, 16))
    spec = charts.over_time(
        [row], ["a"], unit="day", what="usd", group="Variant", span=span
    ).to_dict()["encoding"]["x"]  # fmt: skip
    assert spec["scale"]["domain"] == [
        {"expr": "toDate('2026-03-01T00:00:00')"}, {"expr": "toDate('2026-03-15T23:59:00')"},
    ]  # fmt: skip
    # Fifteen days have room for a mark each; forty have not.
    assert spec["axis"]["tickCount"] == {"interval": "day", "step": 1}
    wide = charts.over_time(
        [row], ["a"], unit="day", what="usd", group="Variant",
        span=(datetime(2026, 2, 1), span[1]),
    ).to_dict()["encoding"]["x"]  # fmt: skip
    assert "tickCount" not in wide["axis"]


def test_a_target_at_the_same_price_is_neither_cheaper_nor_dearer() -> None:
    rows = [
        {"name": n, "value": 1.0, "label": "$1.00", "kind": k, "whole": True, "note": ""}
        for n, k in (("as logged", "as logged"), ("gpt-5.2", "the same"))
    ]
    spec = charts.against_base(rows, 1.0).to_dict()["layer"][0]["encoding"]
    assert spec["color"]["scale"]["domain"] == ["as logged", "the same"]
    assert spec["y"]["axis"]["labelOverlap"] is False


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two colours, 1 to 21."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
                            for c in parts)  # fmt: skip
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#171614"])
def test_every_mark_can_be_seen_in_light_and_dark(ground: str) -> None:
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)  # WCAG's own example
    marks = {*charts.PALETTE, charts.OTHER, finance_charts.ALARM, finance_charts.CALM}
    assert {c for c in marks if contrast(c, ground) < 3} == set()


def test_every_mark_of_the_months_report_can_be_seen_on_paper() -> None:
    assert {c for c in COLOURS if contrast(c, "#ffffff") < 3} == set()


def test_words_in_charts_have_the_pages_own_colour() -> None:
    rows = [{"step": "before", "low": 0, "high": 1, "kind": "total", "label": "$1"}]
    spec = charts.legible(finance_charts.waterfall(rows, 0)).to_dict()
    assert spec["config"]["axis"]["labelColor"] == "currentColor"
    assert spec["config"]["legend"]["labelColor"] == "currentColor"
    texts = [layer["mark"] for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert [mark["color"] for mark in texts] == ["currentColor"]
