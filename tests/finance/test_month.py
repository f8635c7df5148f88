"""The month on paper: whole, exact, safe, and without anything from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.monthly.charts import bars, burn_down, top_of, waterfall
from dashboards.monthly.pdf import browser
from tests.finance.books import call, make_store

Run = Callable[..., tuple[int, str, str]]


class Balanced(HTMLParser):
    """Fails on a tag that is not closed, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Balanced:
    page = Balanced()
    page.feed(path.read_text("utf-8"))
    assert page.open == []
    return page


def test_the_page_says_what_the_report_says(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    (workdir / "tokenbooks.toml").write_text(
        '[[budgets]]\nname = "All"\namount = "150 USD"\n'
        '[[budgets]]\nname = "Year"\nperiod = "year"\namount = "9_000_000_000 tokens"\n'
    )
    code, out, _ = tokenbooks("report", "--db", demo_db, "--json")
    total = json.loads(out)["total"]["cost_usd"]
    code, out, _ = tokenbooks("report-month", "--db", demo_db, "--out", "r.html", "--json")
    assert code == 0
    assert json.loads(out)["cost_usd"] == total
    assert json.loads(out)["budgets"] == {"All": "warn", "Year": "ok"}
    page = read(workdir / "r.html")
    assert f"Exactly {total} USD" in page.text
    assert "nightjar-preview" in page.text
    assert "40 calls" in page.text
    raw = (workdir / "r.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)\s*=|<script|@import|url\(", raw)
    assert raw.count("<svg") == raw.count('role="img"') == 3
    assert "Expected at the end" in page.text  # the year goes on; the month does not
    assert page.text.count("Expected at the end") == 1


def test_names_from_logs_are_text_not_markup(
    tokenbooks: Run, tmp_path: Path, workdir: Path
) -> None:
    evil = "<script>alert(1)</script>"
    path = make_store(
        tmp_path,
        [call(1, "2026-02-05T10:00:00Z", team="a", input_uncached=10),
         call(2, "2026-03-05T10:00:00Z", team=evil, model=evil, input_uncached=10),
         call(3, "2026-03-05T10:00:00Z", team=evil, input_uncached=10)],
    )  # fmt: skip
    code, _, err = tokenbooks("report-month", "--db", path, "--out", "r.html")
    assert code == 0, err
    page = read(workdir / "r.html")
    assert "<script" not in (workdir / "r.html").read_text("utf-8")
    assert evil in page.text
    assert "Why it moved since 2026-02" in page.text
    assert "the month is not complete" in page.text


def test_a_month_without_calls(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, out, _ = tokenbooks(
        "report-month", "--db", demo_db, "--month", "2026-01", "--out", "r.html"
    )
    assert code == 0
    assert "0 calls, 0.00 USD" in out
    assert "no calls in this month" in read(workdir / "r.html").text


@pytest.mark.skipif(browser() is None, reason="no Chromium-like browser on this machine")
def test_pdf(tokenbooks: Run, demo_db: Path, workdir: Path) -> None:
    code, _, err = tokenbooks("report-month", "--db", demo_db, "--out", "r.pdf")
    assert code == 0, err
    assert (workdir / "r.pdf").read_bytes()[:5] == b"%PDF-"
    assert [p.name for p in workdir.iterdir() if p.suffix == ".part"] == []


def test_no_browser_is_explained(
    tokenbooks: Run, demo_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBOOKS_BROWSER", "no-such-browser")
    code, _, err = tokenbooks("report-month", "--db", demo_db, "--out", "r.pdf")
    assert code == 2
    assert "no browser to print with" in err


def svg_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text[: text.index("</svg>") + 6])


@given(st.lists(st.lists(st.floats(0, 1e9), min_size=3, max_size=3), max_size=10))
def test_bars_stay_inside_the_picture(rows: list[list[float]]) -> None:
    series = {f"<{n}>": row for n, row in enumerate(rows)}
    picture = svg_of(bars(["a", "b", "c"], series, label="x & y"))
    for rect in picture.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.attrib["y"]) >= -0.11
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= 240 - 26 + 0.11


@given(st.floats(0, 1e12))
def test_the_axis_holds_the_value(value: float) -> None:
    assert value * (1 - 1e-9) <= top_of(value) <= max(2.5 * value, 1.0) * (1 + 1e-9)


def test_waterfall_and_burn_down_are_drawings() -> None:
    steps = [("volume", 10.0, 15.0), ("price", 15.0, 12.0)]
    picture = svg_of(waterfall(steps, 10.0, label="moved"))
    rects = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(rects) == 4
    titles = [r[0].text for r in rects]
    assert titles[1] == "volume: +5.00 USD"
    assert titles[2] == "price: -3.00 USD"
    line = svg_of(burn_down([1.0, 2.0], 10.0, 31, label="b"))
    points = list(line.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(points[1].attrib["points"].split()) == 3
