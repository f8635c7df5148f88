"""Printing a page to PDF through whatever Chromium-like browser the machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dashboards.exports.write import ExportError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
TIMEOUT_S = 90


def browser() -> str | None:
    """The browser to print with: TOKENBOOKS_BROWSER, or the first that is on the path."""
    named = os.environ.get("TOKENBOOKS_BROWSER")
    if named:
        return shutil.which(named)
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_pdf(html: str, path: Path) -> None:
    """Write a page as PDF. Raises `ExportError` when there is no browser or it fails."""
    program = browser()
    if program is None:
        raise ExportError(
            "no browser to print with: install Chromium (or set TOKENBOOKS_BROWSER), or write "
            "--out report.html and print that"
        )
    with tempfile.TemporaryDirectory() as folder:
        page, made = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(html, "utf-8")
        command = [
            program, "--headless", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-pdf-header-footer", f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}", page.as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # Chromium refuses its sandbox to root; the page is our own and holds no script.
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise ExportError(f"{program} did not finish printing in {TIMEOUT_S} s") from error
        if not made.is_file() or not made.stat().st_size:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason"]
            raise ExportError(f"{program} printed nothing: {last[0]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, path)
