"""Signing in through a real OpenID Connect provider, in a real browser.

The provider runs in this process's Python (`pip install "tokenbooks[login]" oidc-provider-mock`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs import make_screenshots as shots

pytestmark = pytest.mark.browser

PEOPLE = ('{"sub":"ada","email":"ada@example.org"}', '{"sub":"eve","email":"eve@elsewhere.net"}')


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A provider that knows Ada and Eve: its address."""
    if shots.browser_path() is None:
        pytest.skip(f"no browser: none of {', '.join(shots.BROWSERS)} is on the path")
    pytest.importorskip("playwright.sync_api")
    pytest.importorskip("authlib", reason='needs pip install "tokenbooks[login]"')
    pytest.importorskip("oidc_provider_mock", reason="needs pip install oidc-provider-mock")
    port = shots.free_port()
    people = [part for claims in PEOPLE for part in ("--user-claims", claims)]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *people],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{address}/.well-known/openid-configuration").close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def service(
    provider: str, demo_db: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The service over the demo's books, with a door that opens for `@example.org`."""
    folder = tmp_path_factory.mktemp("door")
    db = Path(shutil.copy(demo_db, folder))
    (folder / "tokenbooks.toml").write_text('[serve]\nallow = ["*@example.org"]\n')
    port = shots.free_port()
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(
        f'[auth]\nredirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        f'cookie_secret = "{"s" * 32}"\nclient_id = "books"\nclient_secret = "hush"\n'
        f'server_metadata_url = "{provider}/.well-known/openid-configuration"\n'
    )
    here = str(Path(__file__).parents[2])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TOKENBOOKS_")}
    environment["PYTHONPATH"] = os.pathsep.join(
        p for p in (here, os.environ.get("PYTHONPATH", "")) if p
    )
    with shots.running_service(db, port=port, folder=folder, **environment) as address:
        yield address


def sign_in(page: Any, address: str, who: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/oauth2/authorize**")
    page.get_by_role("button", name=who, exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()


def test_in_and_out_again(service: str, provider: str) -> None:
    with shots.browser_context() as window:
        page = window.new_page()
        page.goto(f"{service}/forecast")
        page.get_by_role("button", name="Sign in").wait_for()
        assert page.get_by_test_id("stMetric").count() == 0
        assert "$" not in page.inner_text("body")
        sign_in(page, service, "ada")
        page.get_by_test_id("stMetric").first.wait_for()
        page.reload()  # the cookie lasts
        page.get_by_test_id("stMetric").first.wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{provider}/oauth2/end_session**")
        page.get_by_role("button", name="End session").click()
        page.get_by_role("button", name="Sign in").wait_for()
        assert page.get_by_test_id("stMetric").count() == 0


def test_somebody_else_sees_nothing(service: str) -> None:
    with shots.browser_context() as window:
        page = window.new_page()
        sign_in(page, service, "eve")
        page.get_by_text("eve@elsewhere.net is not let in here.").wait_for()
        page.goto(f"{service}/export")
        page.get_by_text("eve@elsewhere.net is not let in here.").wait_for()
        assert page.get_by_test_id("stMetric").count() == 0
