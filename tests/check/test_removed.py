"""Prompts that only the base has: whole files, and one of the several prompts of a file."""

from __future__ import annotations

import json

import pytest

from tests.check.helpers import Project, words


def changes(project: Project) -> dict[str, tuple[str, int]]:
    report = project.check(base="main").report
    return {
        p["id"]: (p["status"], p["models"][0]["change"]["tokens"]["expected"])
        for p in report["prompts"]
    }


def promptfoo(*prompts: str) -> str:
    return json.dumps({"prompts": list(prompts), "providers": ["openai:gpt-4o"]})


@pytest.fixture
def several(project: Project) -> Project:
    project.config(
        "[[check.prompts]]\npath = 'prompts/*'\n"
        "[[check.prompts]]\npath = 'promptfooconfig.json'\n"
        "[[check.prompts]]\npath = 'agents.yaml'\nentries = ['*.goal']\n"
    )
    project.write("prompts/a.md", words(5))
    project.write("pf/one.txt", "word\n---\nword word")
    project.write("promptfooconfig.json", promptfoo(words(3), words(4), "file://pf/one.txt"))
    project.write("agents.yaml", f"writer:\n  goal: {words(6)}\neditor:\n  goal: {words(7)}\n")
    project.commit()
    project.branch()
    return project


def test_one_prompt_of_several_taken_out_of_a_file(several: Project) -> None:
    several.write("promptfooconfig.json", promptfoo(words(3), "file://pf/one.txt"))
    several.write("agents.yaml", f"writer:\n  goal: {words(8)}\n")
    several.write("pf/one.txt", "word word")
    assert changes(several) == {
        "agents.yaml::editor.goal": ("removed", -7),
        "agents.yaml::writer.goal": ("changed", 2),
        "pf/one.txt": ("added", 2),
        "pf/one.txt::1": ("removed", -1),
        "pf/one.txt::2": ("removed", -2),
        "prompts/a.md": ("unchanged", 0),
        "promptfooconfig.json::prompts[0]": ("changed", 0),
        "promptfooconfig.json::prompts[1]": ("removed", -4),
    }


def test_a_file_a_configuration_no_longer_names(several: Project) -> None:
    several.write("promptfooconfig.json", promptfoo(words(3), words(4)))
    found = changes(several)
    assert (found["pf/one.txt::1"], found["pf/one.txt::2"]) == (("removed", -1), ("removed", -2))
    assert found["promptfooconfig.json::prompts[1]"] == ("changed", 0)


def test_a_file_that_a_prompt_only_refers_to_changes_alone(several: Project) -> None:
    several.write("pf/one.txt", "word\n---\nword word word")
    found = changes(several)
    assert found["pf/one.txt::2"] == ("changed", 1)
    assert found["promptfooconfig.json::prompts[0]"] == ("unchanged", 0)
    assert {status for status, _ in found.values()} == {"unchanged", "changed"}


def test_a_prompt_is_not_compared_with_another_files(several: Project) -> None:
    several.write("pf/two.txt", words(50))
    several.commit()
    several.git("branch", "-f", "main")
    several.write("promptfooconfig.json", promptfoo(words(3), words(4), "file://pf/two.txt"))
    found = changes(several)
    assert found["pf/two.txt"] == ("added", 50)
