"""Questions to git: what is the merge base, what changed, and what a file held there.

Nothing is checked out and nothing is written. Example: for `--base origin/main` the check compares
the working tree with ``merge_base(root, "origin/main")``, so commits that main gained since the
branch left it are not blamed on the branch.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


class GitError(ValueError):
    """git is missing, this is no repository, or it does not have the revision."""


def git(root: Path, *arguments: str) -> bytes:
    """Output of a git command run in `root`. Raises :class:`GitError` with git's own words."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotepath=off", *arguments],
            cwd=root, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git cannot be run: {error}") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(words[0] if words else f"git {arguments[0]} failed")
    return done.stdout


def is_repository(root: Path) -> bool:
    """Whether `root` is inside a git work tree."""
    try:
        return git(root, "rev-parse", "--is-inside-work-tree").strip() == b"true"
    except GitError:
        return False


def commit_of(root: Path, ref: str) -> str:
    """The commit a name means. Raises :class:`GitError`."""
    # --end-of-options: a name that starts with a dash is a name, not an option.
    return git(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    ).decode().strip()  # fmt: skip


def merge_base(root: Path, ref: str) -> str:
    """The last commit that `ref` and HEAD share. Raises :class:`GitError` when there is none."""
    try:
        there = commit_of(root, ref)
    except GitError as error:
        raise GitError(f"no revision {ref!r} in this clone") from error
    try:
        return git(root, "merge-base", there, "HEAD").decode().strip()
    except GitError as error:
        raise GitError(f"{ref!r} and HEAD share no commit in this clone (shallow?)") from error


@dataclass(frozen=True)
class Changes:
    """What differs between a commit and the working tree, as paths relative to the root."""

    changed: frozenset[str]
    renamed: dict[str, str]  # new path -> old path


def changes(root: Path, commit: str) -> Changes:
    """Files of the working tree that differ from `commit`; untracked files are new anyway."""
    raw = git(root, "diff", "--name-status", "-M", "-z", "--relative", commit, "--")
    fields = raw.decode("utf-8", "surrogateescape").split("\0")
    changed: set[str] = set()
    renamed: dict[str, str] = {}
    at = 0
    while at + 1 < len(fields):
        status = fields[at]
        if status[:1] in ("R", "C"):
            old, new = fields[at + 1], fields[at + 2]
            if status[0] == "R":
                renamed[new] = old
                changed.add(old)
            changed.add(new)
            at += 3
        else:
            changed.add(fields[at + 1])
            at += 2
    return Changes(frozenset(changed), renamed)


def tracked(root: Path) -> list[str] | None:
    """Files git knows or would add (ignored ones left out), or None outside a repository."""
    try:
        raw = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitError:
        return None
    gone = git(root, "ls-files", "-z", "--deleted")
    known, deleted = (
        {p for p in names.decode("utf-8", "surrogateescape").split("\0") if p}
        for names in (raw, gone)
    )
    return sorted(known - deleted)


def files_at(root: Path, commit: str) -> tuple[frozenset[str], frozenset[str]]:
    """Regular files of a commit below `root`, and its links, relative to it (no submodules)."""
    raw = git(root, "ls-tree", "-r", "-z", commit).decode("utf-8", "surrogateescape")
    files: set[str] = set()
    links: set[str] = set()
    for row in raw.split("\0"):
        head, _, path = row.partition("\t")
        mode = head.split(" ")[0]
        if path and mode in ("100644", "100755"):
            files.add(path)
        elif path and mode == "120000":
            links.add(path)
    return frozenset(files), frozenset(links)


def blob(root: Path, commit: str, path: str) -> bytes:
    """Content of a file at a commit; `path` is relative to `root`. Raises :class:`GitError`."""
    return git(root, "show", f"{commit}:./{path}")
