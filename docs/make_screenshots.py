"""Screenshots of every page, light and dark, from any store.

    python docs/make_screenshots.py --db data/demo/tokenbooks.duckdb --out docs/screenshots \
        --modes light --query "?as_of=2026-03-21"

Starts the service on a free port, opens each page in the system's Chromium, waits until it has
drawn, and writes `NAME.png` and `NAME-dark.png`. Needs the development dependencies (playwright)
and a `chromium` on the path. Exits 1 when a page shows an error or the browser's console does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dashboards.app.registry import PAGES

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
]
READY = "[data-testid='stAppViewContainer']"
DONE = "[data-testid='stApp'][data-test-script-state='notRunning']"
BUSY = "[data-testid='stSkeleton'], [data-stale='true']"
FAILED = "[data-testid='stException']"


def browser_path() -> str | None:
    """The system's Chromium, if there is one."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_service(
    db: Path, *, port: int = 0, folder: Path | None = None, **environment: str
) -> Iterator[str]:
    """`tokenbooks serve` as a process of its own, in `folder` (default: here), at `port` (default:
    a free one); gives its address, stops it afterwards."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenbooks", "serve", "--db", str(db), "--port", str(port)],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            if process.poll() is not None:
                said = process.stdout.read() if process.stdout else ""
                raise RuntimeError(f"the service ended with {process.returncode}: {said}")
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def browser_context(*, dark: bool = False, size: tuple[int, int] = (1440, 1000)) -> Iterator[Any]:
    """A browser window with the given colour scheme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        try:
            yield browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                locale="en-GB",
                timezone_id="America/New_York",
            )
        finally:
            browser.close()


def settle(page: Any, timeout: float = 60_000) -> None:
    """Wait until the page's script has run and its charts are drawn."""
    page.wait_for_selector(READY, timeout=timeout)
    page.wait_for_selector("h1", timeout=timeout)
    page.wait_for_timeout(200)
    page.wait_for_selector(DONE, timeout=timeout)
    page.wait_for_function(
        f'() => document.querySelectorAll("{BUSY}").length === 0', timeout=timeout
    )
    page.wait_for_timeout(300)


def console_errors(message: Any, page: str) -> list[str]:
    """An error of the browser's console as text; Streamlit's own search for its base path, which
    asks for `/PAGE/_stcore/…` first and expects not to find it, is none."""
    if message.type != "error" or "/_stcore/" in (message.location or {}).get("url", ""):
        return []
    return [f"{page}: {message.text}"]


def take(
    address: str, out: Path, pages: Sequence[str], *, dark: bool, query: str = ""
) -> list[str]:
    """Write one picture a page; returns what went wrong, one text a problem."""
    problems: list[str] = []
    with browser_context(dark=dark) as context:
        for name in pages:
            page = context.new_page()
            page.on("console", lambda m, n=name: problems.extend(console_errors(m, n)))
            page.on("pageerror", lambda e, n=name: problems.append(f"{n}: {e}"))
            page.goto(f"{address}/{'' if name == PAGES[0].name else name}{query}")
            settle(page)
            if page.locator(FAILED).count():
                problems.append(f"{name}: {page.locator(FAILED).first.inner_text()}")
            # The page scrolls inside: grow the window to what there is, within reason.
            height = page.evaluate(
                "() => document.querySelector('[data-testid=stMain]').scrollHeight"
            )
            page.set_viewport_size({"width": 1440, "height": max(700, min(int(height), 2400))})
            settle(page)
            page.screenshot(path=str(out / f"{name}{'-dark' if dark else ''}.png"))
            page.close()
    return problems


def main() -> int:
    """Take the pictures; the exit code says whether every page was whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--db", type=Path, required=True, help="the store to show")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--pages", nargs="*", help="only these pages")
    parser.add_argument("--query", default="", help="appended to each address, such as ?tz=UTC")
    parser.add_argument(
        "--modes", nargs="*", choices=("light", "dark"), default=["light", "dark"],
        help="which colour schemes",
    )  # fmt: skip
    options = parser.parse_args()
    if browser_path() is None:
        print(f"no browser: none of {', '.join(BROWSERS)} is on the path", file=sys.stderr)
        return 3
    options.out.mkdir(parents=True, exist_ok=True)
    pages = options.pages or [entry.name for entry in PAGES]
    problems: list[str] = []
    with running_service(options.db) as address:
        for mode in options.modes:
            dark = mode == "dark"
            problems += take(address, options.out, pages, dark=dark, query=options.query)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
