"""The built wheel and sdist: complete, nothing else in them, and the demo runs from them alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pricing", "ingest", "budgets", "dashboards", "tokenbooks")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that must succeed, without the checkout on its path."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENBOOKS", "PYTHONPATH"))}
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd, env={**clean, "NO_COLOR": "1", **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the repository: building leaves nothing behind in the checkout."""
    folder = tmp_path_factory.mktemp("source") / "tokenbooks"
    skip = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", "*.duckdb*", "build", "dist", "*.egg-info", ".hypothesis",
        ".pytest_cache", ".ruff_cache", "node_modules",
    )  # fmt: skip
    shutil.copytree(ROOT, folder, ignore=skip)
    return folder


@pytest.fixture(scope="module")
def built(source: Path) -> tuple[Path, Path]:
    """The wheel and the sdist, built by the project's own build backend without a network."""
    pytest.importorskip("setuptools", "77", reason="building needs setuptools 77 or newer here")
    made = source.parent / "made"
    made.mkdir()
    script = (
        "from setuptools import build_meta as b;"
        f"print(b.build_wheel({str(made)!r}));print(b.build_sdist({str(made)!r}))"
    )
    run(sys.executable, "-c", script, cwd=source)
    return next(made.glob("*.whl")), next(made.glob("*.tar.gz"))


def wanted() -> set[str]:
    """Every file of the packages: code, cards, tables, templates, markers."""
    return {
        p.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for p in (ROOT / package).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc"
    }


def test_the_wheel_has_every_file_of_the_packages_and_no_other(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    inside = {n for n in names if ".dist-info/" not in n}
    assert wanted() - inside == set()
    assert inside - wanted() == set()
    assert "pricing/cards_data/openai.toml" in inside
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)


def test_the_sdist_builds_the_same_wheel(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {n.partition("/")[2] for n in sdist.getnames()}
    assert wanted() - names == set()
    assert {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_an_installed_wheel_runs_without_the_checkout(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    """In a fresh environment that sees this one's dependencies, but not this checkout."""
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    python = venv / "bin" / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path)
        .stdout.strip()
    )  # fmt: skip
    # The dependencies of the running environment come after the environment's own packages. An
    # editable install of the checkout there is a .pth of its own, which a path entry does not read.
    others = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    (site / "dependencies.pth").write_text("\n".join(others) + "\n")
    run(
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install",
        "--quiet", "--no-deps", "--no-index", built[0], cwd=tmp_path,
    )  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    where = run(python, "-c", "import pricing, tokenbooks; print(pricing.__file__)", cwd=work)
    assert where.stdout.startswith(str(site))
    command = venv / "bin" / "tokenbooks"
    said = run(command, "demo", cwd=work).stdout
    assert "What it cost" in said
    assert (work / "data" / "demo" / "tokenbooks.duckdb").is_file()
    usage = work / "usage.json"
    usage.write_text('{"prompt_tokens": 1000000, "completion_tokens": 0, "total_tokens": 1000000}')
    priced = run(
        command, "price", usage, "--provider", "openai", "--model", "gpt-5.2",
        "--tier", "default", cwd=work,
    )  # fmt: skip
    assert "1.75" in priced.stdout
    counted = run(
        python, "-c",
        "from pricing import count_text; print(count_text('Hello, world', 'gpt-5.2').total)",
        cwd=work,
    )  # fmt: skip
    assert counted.stdout.strip() == "3"
    served(command, work)


def served(command: Path, work: Path) -> None:
    """The service of the installed wheel answers on its port, and its first page is there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENBOOKS", "PYTHONPATH"))}
    service = subprocess.Popen(
        [command, "serve", "--db", "data/demo/tokenbooks.duckdb", "--port", str(port)],
        cwd=work, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        for path, wanted in (("/healthz", b"ok"), ("/", b"<title>")):
            assert wanted in answer(service, f"http://127.0.0.1:{port}{path}")
    finally:
        service.terminate()
        service.communicate(timeout=30)


def answer(service: subprocess.Popen[str], address: str) -> bytes:
    """What the service says there, once it is up."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=10) as said:
                return said.read()
        except OSError:
            assert service.poll() is None, service.communicate()[0][-2000:]
            time.sleep(0.1)
    raise AssertionError(f"nothing at {address} after a minute")
