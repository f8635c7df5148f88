"""The README's sections "Live" and "Mock": their lines are run as a reader would run them, against
a service with the settings shown, on a free port in place of the one printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette

from ingest.mock import Behaviour, Simulator, routes
from pricing.catalogue import default_catalogue
from tests.collector.serving import listening, serving
from tokenbooks import live
from tokenbooks.service import open_owner
from tokenbooks.settings import ServeSettings, Settings

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
Run = Callable[..., tuple[int, str, str]]

# Any program that is instrumented: here with the SDK's exporter as its environment sets it up.
APP = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("opentelemetry.instrumentation.openai_v2").start_span("chat") as span:
    span.set_attributes({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.2", "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50, "openai.response.service_tier": "default",
    })
provider.shutdown()
"""


def section(name: str) -> str:
    return README.split(f"\n## {name}\n")[1].split("\n## ")[0]


def blocks(name: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", section(name), re.M | re.S)


def commands(block: str) -> Iterator[tuple[list[str], str]]:
    """Each command of a block with the output shown for it."""
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        line, _, shown = step.partition("\n")
        yield shlex.split(line), shown.strip()


@contextmanager
def service(db: Path) -> Generator[str]:
    """A service with the settings of the README."""
    (toml,) = blocks("Live", "toml")
    chosen = Settings(serve=ServeSettings(**tomllib.loads(toml)["serve"]))
    owner = open_owner(db, default_catalogue())
    try:
        with listening(Starlette(routes=live.routes(chosen)(owner))) as url:
            yield url
    finally:
        owner.close()


def test_live(tokenbooks: Run, workdir: Path, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    (workdir / "app.py").write_text(APP)
    monkeypatch.setenv("TOKENBOOKS_DB", str(db))
    reports: list[list[str]] = []
    with service(db) as url:
        for block in blocks("Live", "console live"):
            for words, shown in commands(block):
                if words[0] == "export":
                    for name, _, value in (word.partition("=") for word in words[1:]):
                        monkeypatch.setenv(name, value.replace("http://127.0.0.1:8765", url))
                elif words[0] == "tokenbooks":
                    reports.append(words[1:])  # when the service has stopped
                else:
                    here = [w.replace("http://127.0.0.1:8765", url) for w in words]
                    here[0] = sys.executable if here[0] == "python" else here[0]
                    done = subprocess.run(
                        here, cwd=workdir, env=os.environ, capture_output=True, text=True,
                        check=True, timeout=60,
                    )  # fmt: skip
                    assert done.stdout.strip() == shown
    assert len(reports) == 1
    code, out, err = tokenbooks(*reports[0], "--json")
    assert code == 0, err
    import json

    # The program's call at 1.75 and 14 dollars a million, and the record that curl sent: 200
    # fresh, 800 cached at a tenth, 50 out.
    (row,) = json.loads(out)["rows"]
    assert (row["variant"], row["calls"], row["input_tokens"]) == ("gpt-5.2", 2, 2000)
    assert row["cost_usd"] == "0.00364"


def test_litellm_sends_to_a_door_that_is_there(db: Path) -> None:
    import httpx

    (block,) = blocks("Live", "yaml")
    found = re.search(r"endpoint: http://127\.0\.0\.1:8765(/\S+)", block)
    assert found is not None
    payload = {
        "id": "chatcmpl-readme0000000000000000000001", "call_type": "acompletion",
        "response_cost": 0.001, "model": "gpt-5.2", "custom_llm_provider": "openai",
        "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "startTime": 1772366400.0,
    }  # fmt: skip
    with service(db) as url:
        answer = httpx.post(f"{url}{found.group(1)}", json=[payload])
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_mock(tokenbooks: Run, workdir: Path, db: Path) -> None:
    (python,) = blocks("Mock", "python")
    ((serve, _),) = [c for b in blocks("Mock", "console") for c in commands(b)]
    behaviour = Behaviour.of({"profile": serve[serve.index("--profile") + 1]})
    (workdir / "data").mkdir(exist_ok=True)
    shutil.copy(db, workdir / "data" / "mock.duckdb")
    with (
        serving(workdir / "data" / "mock.duckdb") as served,
        listening(
            Starlette(routes=routes(Simulator(default_catalogue(), behaviour), served.collector))
        ) as url,
    ):
        program = python.replace("http://127.0.0.1:8766", url)
        assert program != python
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        )
    assert "prompt_tokens=" in done.stdout
    for block in blocks("Mock", "console mock"):
        for words, _ in commands(block):
            code, out, err = tokenbooks(*words[1:])
            assert code == 0, err
            assert "gpt-5.2" in out
    code, out, _ = tokenbooks("report", "--db", "data/mock.duckdb")
    assert "1 simulated call, from the mock endpoint" in out
