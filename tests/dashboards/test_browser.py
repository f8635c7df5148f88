"""A real browser clicks through every page of the real service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.app.registry import MENU, PAGES, Entry
from docs import make_screenshots as shots

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(demo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The service over a copy of the demo store: its address and the store."""
    if shots.browser_path() is None:
        pytest.skip(f"no browser: none of {', '.join(shots.BROWSERS)} is on the path")
    pytest.importorskip("playwright.sync_api")
    db = Path(shutil.copy(demo_db, tmp_path_factory.mktemp("service")))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TOKENBOOKS_")}
    with shots.running_service(db, **environment) as address:
        yield address, db


@pytest.fixture(scope="module")
def window(service: tuple[str, Path]) -> Iterator[Any]:
    """A browser window."""
    with shots.browser_context() as context:
        yield context


SHOWS = ", ".join(
    f"[data-testid={kind}]" for kind in ("stMetric", "stDataFrame", "stVegaLiteChart", "stAlert")
)


def looks_whole(page: Any, entry: Entry, folder: Path) -> None:
    """The page has drawn itself: its title, no exception, and something to see."""
    page.get_by_role("heading", name=entry.title, exact=True, level=1).wait_for()
    shots.settle(page)
    assert page.locator(shots.FAILED).count() == 0, entry.name
    # A page shows figures, a table or a chart, or says why it has none (no budget yet, say).
    page.locator(SHOWS).first.wait_for()
    picture = folder / f"{entry.name}.png"
    page.screenshot(path=str(picture))
    assert picture.stat().st_size > 10_000


def test_every_page_by_the_menu_and_by_its_address(
    service: tuple[str, Path], window: Any, tmp_path: Path
) -> None:
    address, _ = service
    problems: list[str] = []
    foreign: list[str] = []
    page = window.new_page()
    page.on("console", lambda m: problems.extend(shots.console_errors(m, page.url)))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:", "blob:")) else foreign.append(r.url),
    )
    page.goto(address)
    shots.settle(page)
    for fold, entries in MENU.items():
        for entry in entries:
            if fold:
                page.get_by_test_id("stTopNavSection").filter(has_text=fold).click()
            link = page.get_by_test_id("stTopNavDropdownLink" if fold else "stTopNavLink")
            link.filter(has_text=entry.title).click()
            looks_whole(page, entry, tmp_path)
    # The first is served at the root and keeps its own address; the last lies in a fold.
    for entry in (PAGES[0], PAGES[-1]):
        page.goto(f"{address}/{entry.name}")
        looks_whole(page, entry, tmp_path)
    page.close()
    assert problems == []
    # Nothing is fetched from anywhere else: the pages work without the internet.
    assert foreign == []


def test_a_filter_is_in_the_link_and_the_link_filters(
    service: tuple[str, Path], window: Any
) -> None:
    address, db = service
    page = window.new_page()
    page.goto(address)
    shots.settle(page)
    page.get_by_label("Team", exact=False).first.click()
    page.get_by_role("option", name="search").first.click()
    page.keyboard.press("Escape")
    page.wait_for_url("**team=search**")
    shots.settle(page)
    spent = page.get_by_test_id("stMetricValue").first.inner_text()
    other = window.new_page()
    other.goto(page.url)
    shots.settle(other)
    assert other.get_by_test_id("stMetricValue").first.inner_text() == spent
    # A command beside the running service reads its snapshot, and says the same.
    said = subprocess.run(
        [sys.executable, "-m", "tokenbooks", "report", "--json", "--db", str(db),
         "--where", "team=search"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    total = json.loads(said.stdout)["total"]["cost_usd"]
    assert spent == f"${float(total):.2f}"
    page.close()
    other.close()


def test_a_download_holds_the_table(service: tuple[str, Path], window: Any) -> None:
    address, _ = service
    page = window.new_page()
    page.goto(f"{address}/variants")
    shots.settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV", exact=False).first.click()
    text = Path(download.value.path()).read_text("utf-8")
    assert text.splitlines()[0].startswith("target,seller,cost_usd,difference_usd")
    assert text.splitlines()[1].startswith("as logged,")
    page.close()
