"""Links and submodules: a link is the file it leads to, on both sides of a diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from budgets.check.errors import PromptError
from budgets.check.tree import GitTree, WorkTree
from tests.check.helpers import Project, gaps, rules, words


@pytest.fixture
def linked(project: Project) -> Project:
    """CLAUDE.md is AGENTS.md, as many repositories have it, and prompts/sh is a folder's link."""
    project.config("[check.limits]\nmax_tokens_increase = 5\n")
    project.write("AGENTS.md", words(100))
    (project.root / "CLAUDE.md").symlink_to("AGENTS.md")
    project.write("shared/part.j2", words(10))
    (project.root / "prompts").mkdir()
    (project.root / "prompts/sh").symlink_to("../shared")
    project.write("prompts/a.j2", "{% include 'sh/part.j2' %}")
    project.commit()
    project.branch()
    return project


def statuses(project: Project) -> dict[str, tuple[str, int | None]]:
    report = project.check(base="main").report
    return {
        each["id"]: (
            each["status"],
            (each["models"][0]["change"] or {}).get("tokens", {}).get("expected"),
        )
        for each in report["prompts"]
    }  # fmt: skip


def test_a_link_is_no_new_prompt_in_every_pull_request(linked: Project) -> None:
    assert statuses(linked) == {
        "AGENTS.md": ("unchanged", 0), "CLAUDE.md": ("unchanged", 0),
        "prompts/a.j2": ("unchanged", 0),
    }  # fmt: skip


def test_a_link_grows_with_the_file_it_leads_to(linked: Project) -> None:
    linked.write("AGENTS.md", words(105))
    assert statuses(linked)["CLAUDE.md"] == ("changed", 5)
    assert rules(linked.check(base="main")) == []
    linked.write("AGENTS.md", words(106))
    result = linked.check(base="main")
    assert rules(result) == ["max-tokens-increase"] * 2
    # An annotation on a link would be shown nowhere.
    assert {f["path"] for f in result.report["findings"]} == {"AGENTS.md"}


def test_what_is_included_through_a_linked_folder_is_compared(linked: Project) -> None:
    linked.write("shared/part.j2", words(12))
    assert statuses(linked)["prompts/a.j2"] == ("changed", 2)


def test_a_link_turned_elsewhere_and_a_link_removed(linked: Project) -> None:
    (linked.root / "CLAUDE.md").unlink()
    assert statuses(linked)["CLAUDE.md"] == ("removed", -100)
    linked.write("other.md", words(103))
    (linked.root / "CLAUDE.md").symlink_to("other.md")
    assert statuses(linked)["CLAUDE.md"] == ("changed", 3)


def test_links_in_a_ring_and_links_out_lead_nowhere(project: Project) -> None:
    (project.root / "one").symlink_to("two")
    (project.root / "two").symlink_to("one")
    (project.root / "up").symlink_to("../elsewhere.md")
    (project.root / "absolute").symlink_to("/etc/hostname")
    project.write("a.md", "text")
    tree = GitTree(project.root, project.commit())
    for name in ("one", "up", "absolute", "one/x", "a.md/x"):
        assert not tree.exists(name)
        with pytest.raises(PromptError, match="does not exist"):
            tree.data(name)
    assert list(tree.paths()) == ["a.md"]


def test_a_link_to_nothing_is_named_as_one(project: Project) -> None:
    project.config("")
    project.write("prompts/a.md", "text")
    (project.root / "prompts/b.md").symlink_to("gone.md")
    project.commit()
    result = project.check()
    assert gaps(result) == ["missing-reference"]
    assert "prompts/b.md is a link to nothing" in result.report["unmeasured"][0]["message"]


def test_where_a_link_leads(linked: Project) -> None:
    tree = WorkTree(linked.root)
    assert tree.real("CLAUDE.md") == "AGENTS.md"
    assert tree.real("AGENTS.md") == "AGENTS.md"
    assert tree.real("prompts/sh/part.j2") == "shared/part.j2"


def test_a_submodule_is_left_out_by_name(project: Project, tmp_path: Path) -> None:
    project.config("")
    project.write("prompts/a.md", "text")
    project.write(".gitmodules", '[submodule "lib"]\n\tpath = prompts/lib\n\turl = ../lib\n')
    project.commit()
    skipped = project.check().report["skipped"]
    assert [each["path"] for each in skipped] == ["prompts/lib"]
    assert "submodule" in skipped[0]["reason"]


def test_a_link_that_leads_back_to_itself_is_named_as_one(project: Project) -> None:
    project.config("")
    (project.root / "prompts").mkdir()
    (project.root / "prompts/a.md").symlink_to("b.md")
    (project.root / "prompts/b.md").symlink_to("a.md")
    project.commit()
    result = project.check()
    assert set(gaps(result)) == {"unreadable-file"}
    assert "leads back to itself" in result.report["unmeasured"][0]["message"]
    assert str(project.root) not in str(result.report["unmeasured"])
