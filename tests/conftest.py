"""What all tests share: the folder of real data, a demo store, and a way to run commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# A busy machine is no finding: no example has a time limit. The suite says the same at every run;
# `pytest --hypothesis-profile=search` looks at examples nobody has seen yet.
SLOW = [HealthCheck.too_slow]
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOKENBOOKS_SHARED", ROOT.parent / "shared"))
    if not (folder / "samples").is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def demo_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the demo's month of logs. Read-only by convention: copy it to change it."""
    from ingest.importer import ImportOptions, import_paths
    from ingest.store import book
    from ingest.store.database import open_store
    from pricing.catalogue import default_catalogue
    from tokenbooks import sample_logs

    folder = tmp_path_factory.mktemp("demo")
    catalogue = default_catalogue()
    store = open_store(folder / "tokenbooks.duckdb")
    book.sync(store, catalogue)
    sample_logs.write_sample_settings(folder)
    for path in sample_logs.write_sample_logs(folder / "logs"):
        mapping = sample_logs.GATEWAY_MAPPING if path.suffix == ".csv" else {}
        import_paths(store, catalogue, [path], ImportOptions(mapping=mapping))
    store.close()
    return folder / "tokenbooks.duckdb"


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, no settings from outside, plain 80-column output."""
    for name in list(os.environ):
        if name.startswith("TOKENBOOKS_") and name != "TOKENBOOKS_SHARED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture
def tokenbooks(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: (exit code, standard output, standard error)."""
    from tokenbooks.cli import run

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
