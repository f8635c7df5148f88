"""Deployment files: they parse, name real commands and paths, and keep their hardening.

Whether an image builds or a unit starts needs a container engine and systemd, and is not tested.
"""

from __future__ import annotations

import configparser
import re
import runpy
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
MAKE = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))


def serve_options() -> set[str]:
    command = dict(MAKE["commands"]("serve"))["serve"]
    return {name for parameter in command.params for name in parameter.opts}


def container() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_copies_what_exists_and_every_package() -> None:
    copied = [
        source
        for word, rest in container()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert [c for c in copied if not (ROOT / c).exists()] == []
    assert {"pricing", "ingest", "budgets", "dashboards", "tokenbooks"} <= set(copied)


def test_the_image_is_rootless_healthy_and_keeps_its_data() -> None:
    steps = container()
    words = [word for word, _ in steps]
    assert ("USER", "10001") in steps
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert ("VOLUME", "/data") in steps
    health = next(rest for word, rest in steps if word == "HEALTHCHECK")
    assert "/healthz" in health
    assert '"/healthz"' in (ROOT / "tokenbooks" / "service.py").read_text()


def test_the_image_starts_a_command_that_exists() -> None:
    command = next(rest for word, rest in container() if word == "CMD")
    options = set(re.findall(r"--[\w-]+", command))
    assert '"serve"' in command
    assert options <= serve_options()


def test_compose_uses_the_image_and_drops_what_it_does_not_need() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = document["services"]["tokenbooks"]
    build = service["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["ports"] == ["127.0.0.1:8765:8765"]
    named = {v.split(":")[0] for v in service["volumes"] if not v.startswith(("/", "."))}
    assert named == set(document["volumes"])


def test_the_unit_starts_a_command_that_exists_and_is_hardened() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "tokenbooks.service")
    service = unit["Service"]
    program, verb, *rest = service["ExecStart"].split()
    assert (Path(program).name, verb) == ("tokenbooks", "serve")
    assert {word for word in rest if word.startswith("--")} <= serve_options()
    assert (service["DynamicUser"], service["ProtectSystem"]) == ("yes", "strict")
    assert service["NoNewPrivileges"] == "yes"
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_workflow_runs_targets_that_exist() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    document = yaml.safe_load(text)
    assert document["permissions"] == {"contents": "read"}
    made = re.findall(r"run: make ([\w ]+)", text)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {t for words in made for t in words.split()} <= targets
    assert set(document["jobs"]) == {"lint", "test", "spark", "wheel"}
