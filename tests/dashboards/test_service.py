"""One owner of the file: writers take turns, readers elsewhere get snapshots."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path

import pytest

from dashboards.app.registry import PAGES, VIEWS
from dashboards.queries.spend import spend
from docs import make_screenshots as shots
from ingest.store.database import Store, newest_snapshot, open_reader
from pricing.catalogue import default_catalogue
from tests.dashboards.conftest import add, body
from tokenbooks.service import ServiceError, check_address, open_owner, streamlit_config


def test_a_change_moves_the_generation_and_publishes_a_snapshot(
    blank: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(blank, tmp_path))
    owner = open_owner(path, default_catalogue())
    try:
        owner.tend()
        first = newest_snapshot(path)
        assert first is not None
        owner.tend()
        assert newest_snapshot(path) == first
        with owner.writing() as store:
            add(store, [body(1, datetime(2026, 3, 2))])
        assert owner.generation == 1
        con = owner.cursor()
        assert spend(con).total.calls == 1
        con.close()
        owner.publish()
        second = newest_snapshot(path)
        assert second is not None
        assert second != first
        copy = open_reader(second)
        assert spend(copy.con).total.calls == 1
        copy.close()
    finally:
        owner.close()


def test_a_batch_left_in_the_inbox_is_absorbed_once(
    empty: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty.close()
    log = tmp_path / "calls.jsonl"
    log.write_text(json.dumps(body(1, datetime(2026, 3, 2))) + "\n")
    owner = open_owner(empty.path, default_catalogue())
    command = [sys.executable, "-m", "tokenbooks", "ingest", str(log), "--db", str(empty.path)]
    subprocess.run([*command, "--set", "team=search"], check=True, capture_output=True)
    try:
        owner.tend()
        owner.tend()
        con = owner.cursor()
        found = spend(con, ["team"]).rows
        con.close()
        assert [(r.keys, r.calls, r.cost_pico) for r in found] == [(("search",), 1, 3_150_000_000)]
        assert owner.generation == 1
        assert not caplog.records
    finally:
        owner.close()


def test_the_collector_stands_beside_the_pages_behind_the_gate(empty: Store) -> None:
    empty.close()
    token = "a-long-random-text"
    data = json.dumps(body(7, datetime(2026, 3, 2))).encode()

    def post(address: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(
            f"{address}/v1/usage", data, {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    environment = {"TOKENBOOKS_TOKEN": token, "TOKENBOOKS_SERVE__COLLECTOR": "true"}
    with shots.running_service(empty.path, **environment) as address:
        assert post(address)[0] == 401
        status, said = post(address, Authorization=f"Bearer {token}")
        assert status == 200, said
        assert json.loads(said)["accepted"] == 1
        health = json.loads(urllib.request.urlopen(f"{address}/healthz", timeout=10).read())
        assert health == {"status": "ok", "generation": 1}
    # Stopped in order: what was accepted is in the file.
    store = open_reader(empty.path)
    assert spend(store.con).total.cost_pico == 3_150_000_000
    store.close()


def test_a_failed_write_leaves_nothing_and_lets_others_write(empty: Store) -> None:
    empty.close()
    owner = open_owner(empty.path, default_catalogue())
    try:
        with (
            pytest.raises(ZeroDivisionError),
            owner.writing() as store,
            store.transaction() as con,
        ):
            con.execute("INSERT INTO meta VALUES ('half', 'done')")
            _ = 1 / 0
        with owner.writing() as store:
            assert store.con.execute("SELECT * FROM meta WHERE key = 'half'").fetchall() == []
            add(store, [body(1, datetime(2026, 3, 2))])
    finally:
        owner.close()


def test_a_held_store_is_named_with_what_to_do(blank: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(blank, tmp_path))
    holder = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys; from pathlib import Path; from ingest.store.database import open_store;"
            "s = open_store(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()",
            str(path),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ServiceError, match=r"open in another process.*choose another --db"):
            open_owner(path, default_catalogue())
    finally:
        holder.communicate("", timeout=20)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(ServiceError, match="not a tokenbooks database"):
        open_owner(path, default_catalogue())


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"127.0.0.1:{port}.*--port"):
            check_address("127.0.0.1", port, "")


def test_streamlit_reports_nothing_and_knows_every_option_set() -> None:
    from streamlit import config

    chosen = streamlit_config("127.0.0.1", 8765)
    assert chosen["browser.gatherUsageStats"] is False
    assert chosen["server.address"] == "127.0.0.1"
    assert set(chosen) <= set(config._config_options_template)
    # What went wrong is told in full to whoever sits at the machine, to nobody else.
    assert chosen["client.showErrorDetails"] == "full"
    assert streamlit_config("0.0.0.0", 8765)["client.showErrorDetails"] == "none"


def test_every_page_has_its_file_and_every_file_its_line() -> None:
    files = {path.stem for path in VIEWS.glob("*.py")} - {"__init__"}
    assert files == {entry.name for entry in PAGES}
